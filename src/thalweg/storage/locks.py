"""Who is at work on what: processes that can be recognised after a crash, and a lock that the kernel releases."""

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

TOLERANCE = 5.0  # seconds between two readings of when a process began; the clock of the system may be set in between
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)  # of file systems without locks


@dataclass(frozen=True)
class Process:
    """A process: its number, which the system gives again, and when and where it began.

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
        """Whether it belongs to this machine; of others nothing can be known."""
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
        return f"process {self.pid} on {self.host}, begun {began}"


def write_process(path, process=None):
    """Record a process, by default this one, in a file."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(asdict(process or Process.of(psutil.Process()))))


def read_process(path):
    """The process that a file records; None where there is no such file, or it does not record one."""
    try:
        return Process(**json.loads(Path(path).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


@contextmanager
def exclusive(path, what, every=60.0):
    """Hold the lock ``path`` in the block, after waiting for the process that holds it.

    The lock ends with the process that holds it, however that ends. Where the file system has no locks this is said, and the
    block is entered without one.

    Args:
        path: the lock file; it stays, and records who held it last.
        what: what is done under the lock, for messages.
        every: seconds between two messages of waiting.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        try:
            _acquire(file, path, what, every)
            write_process(path)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            _say(f"{path}: this file system has no locks ({error.strerror}); {what} goes on without one")
        yield


def _acquire(file, path, what, every):
    began, said = time.monotonic(), 0
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited >= said * every:
                _say(f"{what} is already under way in {read_process(path) or 'another process'}; waiting for its end")
                said += 1
            time.sleep(min(1.0, every))


def _say(text):
    print(text, file=sys.stderr, flush=True)
