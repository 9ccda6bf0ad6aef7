"""Snakemake's locks, and the processes behind them.

Snakemake locks the files of a run in .snakemake/locks, without saying which process did so, and the lock outlives a run
that was killed. A run of ``thalweg study`` therefore records its process, by which a lock of a process that is gone is
recognised and released. Of a run of ``snakemake`` itself there is no record: its lock counts as left behind when no process
of Snakemake works in the folder.
"""

import re
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import psutil

from thalweg.storage.locks import Process, read_process, write_process

LOCKS = Path(".snakemake/locks")
RECORDS = Path(".snakemake/thalweg")


class Locked(RuntimeError):
    """A study that cannot be run now; the message says why and what to do."""


@contextmanager
def running(study):
    """Run a study in the block: locks left behind are released, and this process is recorded.

    Raises:
        Locked: when another process runs the study.
    """
    release(study)
    record = RECORDS / f"{study}.json"
    write_process(record)
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def release(study, force=False):
    """Release the locks of processes that are gone, of any study, and say so.

    Args:
        study: the study that is to be run.
        force: release the lock of this study also where its process was on another machine.

    Raises:
        Locked: when the study is being run, or may be.
    """
    locks = _locks()
    records = {path.stem: read_process(path) for path in RECORDS.glob("*.json")}
    for name in sorted(set(locks) | set(records)):
        owner = records.get(name) or _snakemake_here(records)
        if owner is not None and owner.alive and not (force and name == study and not owner.here):
            if name in (study, ""):
                raise Locked(_refusal(study, owner))
            continue
        for path in locks.get(name, ()):
            path.unlink(missing_ok=True)
        (RECORDS / f"{name}.json").unlink(missing_ok=True)
        if name in locks:
            who = owner or "no process of Snakemake works in this folder"
            print(f"Released the lock of the study {name}, whose run has ended ({who}).", flush=True)


def _locks():
    """Lock files by the study whose results they name."""
    found = defaultdict(list)
    for path in LOCKS.glob("*.lock"):
        studies = set(re.findall(r"^results/([^/\n]+)/", path.read_text(), re.MULTILINE))
        found[min(studies, default="")].append(path)
    return found


def _snakemake_here(records):
    """A process of Snakemake that works in this folder and is not recorded; None where there is none."""
    known = {psutil.Process().pid, *(owner.pid for owner in records.values() if owner)}
    for process in psutil.process_iter():
        try:
            command = [Path(word).name for word in process.cmdline()[:3]]
            if process.pid not in known and "snakemake" in command and Path(process.cwd()) == Path.cwd():
                return Process.of(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or of another user
    return None


def _refusal(study, owner):
    if owner.here:
        return f"the study {study} is being run by {owner}; wait for its end, or end it with: kill {owner.pid}"
    return (
        f"the study {study} is locked by {owner}, which cannot be looked at from this machine; when it is not running any "
        f"more, release its lock there, or here with: thalweg study {study} unlock"
    )
