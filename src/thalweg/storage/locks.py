"""Active processes: processes that can be recognised after a crash, and a lock that the kernel releases."""

import errno
import fcntl
import json
import platform
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

TOLERANCE = 5.0  # seconds between two readings of the start time of a process; the system clock may be set in between
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)  # of file systems without locks


@dataclass(frozen=True)
class Process:
    """A process: its number, which the system reuses, and the time and machine of its start.

    Attributes:
        pid: its number.
        started: seconds since 1970.
        host: name of the machine.
    """

    pid: int
    started: float
    host: str

    @classmethod
    def of(cls, process):
        """Of a :class:`psutil.Process`."""
        return cls(process.pid, process.create_time(), platform.node())

    @property
    def here(self):
        """Whether it belongs to this machine; of others nothing is known."""
        return self.host == platform.node()

    @property
    def alive(self):
        """Whether it still runs; of a process of another machine, True."""
        if not self.here:
            return True
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def __str__(self):
        began = datetime.fromtimestamp(self.started).isoformat(" ", timespec="seconds")
        return f"process {self.pid} on {self.host}, started {began}"


def write_process(path, process=None):
    """Record a process, by default this one, in a file."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(asdict(process or Process.of(psutil.Process()))))


def read_process(path):
    """The process that a file records; None if there is no such file or it records none."""
    try:
        return Process(**json.loads(Path(path).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


@contextmanager
def exclusive(path, what, every=60.0):
    """Hold the lock ``path`` in the block, after waiting for its current holder.

    The lock ends with the process that holds it, however that ends. If the file system has no locks, a message says so and the
    block is entered without one.

    Args:
        path: the lock file; it stays, and records its last holder.
        what: the work done under the lock, for messages.
        every: seconds between two waiting messages.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        try:
            _acquire(file, path, what, every)
            write_process(path)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            _say(f"{path}: this file system has no locks ({error.strerror}); {what} continues without one")
        yield


def _acquire(file, path, what, every):
    began, said = time.monotonic(), 0
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited >= said * every:
                _say(
                    f"{what} is already running in {read_process(path) or 'another process'}; waiting for it to finish"
                )
                said += 1
            time.sleep(min(1.0, every))


def _say(text):
    print(text, file=sys.stderr, flush=True)
