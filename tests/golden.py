"""The numbers of the study 'smoke', kept: tables and arrays of a results folder against the stored ones.

    python tests/golden.py results/smoke            # compares with tests/golden/smoke.json
    python tests/golden.py results/smoke --write    # stores what is there

Every table (.csv) and every array of every netCDF file counts, but for folders that hold times or states of training. Of each
column and array the file stores a hash of its values and their number, mean, standard deviation and range, so that a difference
can be reported. Columns that hold wall-clock time or memory are dropped.

Training gives the same digits only on the same processor with the same packages. There hashes must agree; elsewhere the
statistics must, within a tolerance.
"""

import argparse
import hashlib
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from llvmlite import binding

STORED = Path(__file__).parent / "golden" / "smoke.json"
LEFT_OUT = {"benchmarks", "logs", "checkpoints", "stages.csv"}  # folders, and the cost of what was run in a folder
WALL_CLOCK = {  # columns of the training logs, and of cost.csv
    *("seconds", "cpu_seconds", "peak_memory_MB"),
    *("wall_seconds", "training_seconds", "seconds_per_training"),
}
TABLE = "(table)"  # the entry of a table as a whole
HASH_DIGITS = 16

# On another machine. Domains and splits are arithmetic on data: a few last digits of a sum or a logarithm may differ, relative to
# the maximum absolute value.
DATA_TOLERANCE = 1e-9
# What follows training carries differences that the optimiser has amplified: relative to the standard deviation for means and
# standard deviations, to the maximum absolute value for extremes.
TRAINED_TOLERANCE = 5e-2
# Losses in training logs are few and near each other: relative to the greatest absolute value. The norm of a single step's
# gradient is compared on the same machine only.
GRADIENT = "gradient_norm"
# Values that spread less than this share of the maximum absolute value count as one constant, which is then the scale.
CONSTANT = 1e-6


def machine():
    """What decides about the last digits: processor, Python and packages."""
    features = binding.get_host_cpu_features().flatten()
    return {
        "processor": binding.get_host_cpu_name(),
        "features": _hash(features.encode()),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{package: version(package) for package in ("torch", "numpy", "numba")},
    }


def collect(folder):
    """A summary of the tables and arrays below a folder: file -> entry (column, or group and variable) -> values."""
    folder = Path(folder)
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix not in (".csv", ".nc") or path.name.startswith(".") or LEFT_OUT & set(name.parts):
            continue
        found[name.as_posix()] = _table(path) if path.suffix == ".csv" else _arrays(path)
    return found


def compare(stored, found, exact):
    """How two summaries differ: a line for each file, column and array that is gone, new or changed.

    Args:
        exact: hashes must agree; otherwise the statistics, within the tolerance, numbers of values, names and the text of splits.
    """
    lines = [f"{name}: the file is missing" for name in stored if name not in found]
    lines += [f"{name}: the file is unexpected" for name in found if name not in stored]
    for name in stored:
        if name not in found:
            continue
        old, new = stored[name], found[name]
        kind = "column" if name.endswith(".csv") else "array"
        lines += [f"{name}: {kind} {entry!r} is gone" for entry in old if entry not in new]
        lines += [f"{name}: {kind} {entry!r} is new" for entry in new if entry not in old]
        changes = {
            entry: _changes(old[entry], new[entry], exact, is_data(name), name.endswith(".csv"), is_log(name))
            for entry in old
            if entry in new and (exact or not (is_log(name) and entry == GRADIENT))
        }
        if any(change for entry, change in changes.items() if entry != TABLE) and "sha256" in changes.get(TABLE, {}):
            del changes[TABLE]["sha256"]  # the columns tell more
        lines += [f"{name}: {_report(kind, entry, change)}" for entry, change in changes.items() if change]
    return sorted(lines)


def is_data(name):
    """Whether a file stands before any training: domains and splits."""
    return bool({"domains", "splits"} & set(Path(name).parts))


def is_log(name):
    """Whether a file is the log of a training."""
    return Path(name).parts[0] == "models"


def _changes(old, new, exact, data, table, log):
    """Field -> (old, new) of an entry of a file."""
    fields = sorted(set(old) | set(new))
    changes = {field: (old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)}
    if exact:
        return changes
    if {"mean", "rows"} & set(old) or not (data and table):
        changes.pop("sha256", None)
    return {
        field: values
        for field, values in changes.items()
        if field not in ("mean", "std", "min", "max") or None in values or not _near(field, values, old, data, log)
    }


def _near(field, values, old, data, log):
    maximum = max(abs(old["min"]), abs(old["max"]))
    if data:
        tolerance = DATA_TOLERANCE * maximum
    elif log or field in ("min", "max") or old["std"] <= CONSTANT * maximum:
        tolerance = TRAINED_TOLERANCE * maximum
    else:
        tolerance = TRAINED_TOLERANCE * old["std"]
    return abs(values[1] - values[0]) <= tolerance


def _report(kind, entry, changes):
    subject = "table" if entry == TABLE else f"{kind} {entry!r}"
    if set(changes) == {"sha256"}:
        return f"{subject} changed in its text, its order or digits that the statistics do not show"
    return f"{subject} changed: " + ", ".join(
        f"{field} {old!r} -> {new!r}" for field, (old, new) in changes.items() if field != "sha256"
    )


def _table(path):
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    text = text[[column for column in text if column not in WALL_CLOCK]]
    entries, canonical = {}, [",".join(text)]
    for column in text:
        values = _numbers(text[column])
        lines = list(text[column]) if values is None else [repr(value) for value in values]
        canonical.append("\n".join(lines))
        entries[column] = {"sha256": _hash(canonical[-1].encode())} | ({} if values is None else _statistics(values))
    whole = {"rows": len(text), "columns": list(text), "sha256": _hash("\n\n".join(canonical).encode())}
    return {TABLE: whole, **entries}


def _numbers(text):
    """A column's numbers, with NaN where it is empty; None for text, which numbers that start with 0 are: they name gauges."""
    if not any(text) or any(re.match(r"-?0\d", value) for value in text):
        return None
    try:
        return [float(value) if value else float("nan") for value in text]
    except ValueError:
        return None


def _arrays(path):
    entries = {}
    with xr.open_datatree(path, engine="h5netcdf", decode_times=False) as tree:
        for group in tree.subtree:
            for name, variable in group.to_dataset(inherit=False).variables.items():
                entries[f"{group.path}/{name}".lstrip("/")] = _array(variable.values)
    return entries


def _array(values):
    entry = {"shape": list(values.shape)}
    if values.dtype.kind not in "fiub":
        return {**entry, "sha256": _hash("\0".join(map(str, values.ravel())).encode())}
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type("nan"), values)  # one NaN: its bits mean nothing
    return {**entry, "type": str(values.dtype), "sha256": _hash(values.tobytes()), **_statistics(values)}


def _statistics(values):
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return {"finite": 0, "mean": None, "std": None, "min": None, "max": None}
    numbers = {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
    return {"finite": len(values), **{name: float(number) for name, number in numbers.items()}}


def _hash(content):
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def read(path):
    """The stored machine and summary."""
    stored = json.loads(Path(path).read_text())
    return stored["machine"], stored["files"]


def write(path, here, found):
    """Store a machine and a summary, sorted, with one entry a line."""
    files = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(f" {json.dumps(key)}: {_line(entries[key])}" for key in sorted(entries))
        + "\n}"
        for name, entries in sorted(found.items())
    ]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(f'{{"machine": {_line(here)},\n"files": {{\n' + ",\n".join(files) + "\n}}\n")


def _line(values):
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def count(found):
    """Words for the number of tables and arrays of a summary."""
    tables = sum(name.endswith(".csv") for name in found)
    arrays = sum(len(entries) for name, entries in found.items() if name.endswith(".nc"))
    return f"{tables} tables and {arrays} arrays of {len(found) - tables} files"


def main(arguments=None):
    """Compare or store; the exit status is 1 when something differs."""
    parser = argparse.ArgumentParser(description="Compare the numbers of a results folder with the stored ones.")
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true", help="store the numbers")
    parser.add_argument("--stored", type=Path, default=STORED, help="file of the stored numbers")
    args = parser.parse_args(arguments)
    here, found = machine(), collect(args.results)
    if args.write:
        write(args.stored, here, found)
        print(f"Stored {count(found)} in {args.stored}.")
        return 0
    there, stored = read(args.stored)
    exact = here == there
    lines = compare(stored, found, exact)
    print(*lines, sep="\n", end="\n" if lines else "")
    how = "exactly"
    if not exact:
        changes = [f"{name} {there.get(name)} -> {value}" for name, value in here.items() if value != there.get(name)]
        how = f"within a tolerance and of text only splits, because the machine differs: {', '.join(changes)}"
    print(f"Compared {count(found)}, {how}. Columns left out: {', '.join(sorted(WALL_CLOCK))}.")
    print(f"{len(lines)} differences." if lines else "No difference.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
