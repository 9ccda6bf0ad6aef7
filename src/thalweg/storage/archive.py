"""Unpacking chosen members of a zip or tar archive, and rejection of those that would leave the target folder."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from thalweg.storage.catalogue import inside

# Errors of the standard library for damaged archives, and (the last) for encrypted or unusually compressed ones.
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


class ArchiveError(Exception):
    """An archive is unreadable, or a wanted member is unsafe."""


def is_archive(path):
    """Whether a file is a zip file (a wheel is one) or a tar file, compressed or not."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(archive, members, folder):
    """Extract the wanted members of an archive under their own paths, as plain files with default permissions.

    Args:
        archive: path of a zip or tar file.
        members: glob patterns of the wanted members' paths; ``*`` also crosses folders.
        folder: an existing folder without any of the members.

    Returns:
        set[str]: the patterns that matched something.

    Raises:
        ArchiveError: a wanted member would leave the folder, is a link or a device, or appears twice; or the archive
            cannot be read.
    """
    matched = set()
    try:
        for name, extract in _files(archive):
            patterns = {pattern for pattern in members if fnmatchcase(name, pattern)}
            if not patterns:
                continue
            if not inside(name):
                raise ArchiveError(f"{archive}: rejected: the member {name!r} would leave the target folder")
            if extract is None:
                raise ArchiveError(f"{archive}: rejected: the member {name!r} is a link or a device, not a file")
            matched |= patterns
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with extract() as source, open(path, "xb") as opened:
                shutil.copyfileobj(source, opened)
    except FileExistsError as error:
        raise ArchiveError(f"{archive}: rejected: it contains {error.filename} twice") from error
    except UNREADABLE as error:
        raise ArchiveError(f"{archive}: not a readable archive: {error}") from error
    return matched


def _files(archive):
    """The files of an archive, one after the other: path and how to open it (None for a link or a device)."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.is_dir():
                    link = stat.S_ISLNK(member.external_attr >> 16)
                    yield (
                        str(PurePosixPath(member.filename)),
                        None if link else partial(opened.open, member),
                    )
    else:
        with tarfile.open(archive) as opened:
            for member in opened:
                if not member.isdir():
                    yield (
                        str(PurePosixPath(member.name)),
                        partial(opened.extractfile, member) if member.isreg() else None,
                    )
