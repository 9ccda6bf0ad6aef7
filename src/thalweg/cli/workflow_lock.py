"""Snakemake's locks, and the processes that hold them.

Snakemake locks the files of a run in .snakemake/locks, without recording the process, and the lock outlives a run
that was killed. A run of ``thalweg study`` therefore records its process, so that the lock of a process that has ended is
recognised and released. A run of ``snakemake`` itself is not recorded: its lock is considered stale if no process
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
    """A study that cannot run now; the message states the reason and the remedy."""


@contextmanager
def running(study):
    """Run a study in the block: stale locks are released, and this process is recorded.

    Raises:
        Locked: if another process runs the study.
    """
    release(study)
    record = RECORDS / f"{study}.json"
    write_process(record)
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def release(study, force=False):
    """Release the locks of processes that have ended, of any study, with a message.

    Args:
        study: the study to be run.
        force: release the lock of this study also if its process was on another machine.

    Raises:
        Locked: if the study is running, or may be.
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
    """Lock files by the study of the results they list."""
    found = defaultdict(list)
    for path in LOCKS.glob("*.lock"):
        studies = set(re.findall(r"^results/([^/\n]+)/", path.read_text(), re.MULTILINE))
        found[min(studies, default="")].append(path)
    return found


def _snakemake_here(records):
    """A process of Snakemake that works in this folder and is not recorded; None if there is none."""
    known = {psutil.Process().pid, *(owner.pid for owner in records.values() if owner)}
    for process in psutil.process_iter():
        try:
            command = [Path(word).name for word in process.cmdline()[:3]]
            if process.pid not in known and "snakemake" in command and Path(process.cwd()) == Path.cwd():
                return Process.of(process)
        except (psutil.Error, OSError):
            continue  # ended in the meantime, or of another user
    return None


def _refusal(study, owner):
    if owner.here:
        return (
            f"the study {study} is already running in {owner}; wait for it to finish, or end it with: kill {owner.pid}"
        )
    return (
        f"the study {study} is locked by {owner}, which cannot be checked from this machine; if it is no longer "
        f"running, release its lock there, or here with: thalweg study {study} unlock"
    )
