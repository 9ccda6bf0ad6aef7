"""Results on disk: every file is written atomically and records its origin.

A file is written under a temporary name in its own folder and renamed when complete, so a killed job leaves no
partial file. Provenance (dataset versions and hashes, git commit, settings, seed, package versions) is stored inside
netCDF and PNG files and in a ``.provenance.json`` next to tables.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("thalweg", "torch", "numpy", "xarray", "pandas", "pyet", "numba", "snakemake")


@contextmanager
def atomic(path):
    """A temporary path that becomes ``path`` when the block ends without an error, and is removed otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@cache
def git_commit():
    """The commit of the source tree, with ``+changes`` if it is not clean, or ``unknown`` outside a checkout."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=here, capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+changes" if changed else "")


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def provenance(settings=None, seed=None, inputs=(), sources=None):
    """The record stored with every result.

    Args:
        settings: the configuration block that the step read (JSON-ready).
        seed: the random seed or seeds used.
        inputs: result files read; their datasets are included.
        sources: datasets read directly, name -> {version, sha256, ...}.

    Returns:
        dict: JSON-ready.
    """
    datasets = dict(sources or {})
    for path in inputs:
        datasets.update(read_provenance(path).get("datasets", {}))
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
        "commit": git_commit(),
        "settings": settings,
        "seed": seed,
        "datasets": datasets,
        "inputs": [str(path) for path in inputs],
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def sidecar(path):
    """Path of the provenance of a table."""
    path = Path(path)
    return path.with_name(path.name + ".provenance.json")


def read_provenance(path):
    """The provenance of a result file; an empty dict if it has none."""
    path = Path(path)
    if path.suffix == ".nc":
        import h5py

        with h5py.File(path) as file:
            return json.loads(file.attrs.get("provenance", "{}"))
    beside = sidecar(path)
    return json.loads(beside.read_text()) if beside.exists() else {}


def write_netcdf(data, path, record):
    """Write an xarray Dataset or DataTree as compressed netCDF-4 with its provenance in the global attributes."""
    import xarray as xr

    tree = data if isinstance(data, xr.DataTree) else xr.DataTree(dataset=data)
    tree = tree.copy(inherit=False)
    tree.attrs.update(Conventions="CF-1.11", provenance=json.dumps(record, default=str))
    encoding = {}
    for node in tree.subtree:
        numeric = [
            name for name, variable in node.to_dataset(inherit=False).data_vars.items() if variable.dtype.kind in "fiu"
        ]
        encoding[node.path] = {name: {"zlib": True, "complevel": 1, "shuffle": True} for name in numeric}
    with atomic(path) as temporary:
        tree.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def write_table(frame, path, record, index=False):
    """Write a DataFrame as CSV with its provenance next to it."""
    with atomic(sidecar(path)) as temporary:
        temporary.write_text(json.dumps(record, indent=1, default=str))
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=index)


def write_json(value, path):
    """Write a JSON file."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, default=str) + "\n")
