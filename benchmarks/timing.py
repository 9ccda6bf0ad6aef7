"""Code shared by the benchmarks and by the scripts that run in the environment of a peer: times of a call, memory, and a report."""

import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np

SLOW = 4  # seconds of a call; slower ones are repeated MIN_REPEATS times, the first included
MIN_REPEATS = 3


def measure(function, repeats):
    """Times of a call.

    Returns:
        (times, first): array (repeat, 2) of CPU and wall milliseconds; the seconds of the first call, which is not among
        the times unless all are slow.
    """
    times = []
    while len(times) <= repeats:
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        times.append((1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)))
        if len(times) == MIN_REPEATS and min(wall for _, wall in times) > 1e3 * SLOW:
            return np.array(times), times[0][1] / 1e3
    return np.array(times[1:]), times[0][1] / 1e3


def shown(values):
    """Median and half the interquartile range."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    digits = 0 if middle >= 1000 else 1
    return f"{middle:.{digits}f} ± {(high - low) / 2:.{digits}f}"


def machine():
    """The processor as text, and how long idle threads of OpenMP spin (thalweg's own commands set this)."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores, GOMP_SPINCOUNT {os.environ.get('GOMP_SPINCOUNT', 'not set')}"


def peak():
    """Peak resident memory of this process, bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # where it does, ru_maxrss holds the parent's peak too
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident():
    """Resident memory of this process now, bytes (the peak if the system does not report it)."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else peak()


class Report:
    """Markdown, printed as it grows and kept for a file."""

    def __init__(self):
        self.lines = []

    def text(self, line=""):
        """A line, or a paragraph."""
        print(line, flush=True)
        self.lines.append(line)

    def head(self, *columns):
        """The head of a table."""
        self.text()
        self.row(*columns)
        self.row(*("---" for _ in columns))

    def row(self, *cells):
        """A row of a table."""
        self.text(f"| {' | '.join(map(str, cells))} |")

    def save(self, path):
        """Write the report to a file, if there is one."""
        if path:
            Path(path).write_text("\n".join(self.lines) + "\n")
