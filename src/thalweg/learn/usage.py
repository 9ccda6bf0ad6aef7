"""Wall time, processor time and peak memory of a part of a process, such as one training of many."""

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

FORGET = Path("/proc/self/clear_refs")  # "5" makes Linux forget the peak memory of this process
MEGABYTE = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in kB on Linux


class Usage:
    """What a part of this process has used since this was made.

    Args:
        before: what an earlier, interrupted process has used for the same part, as returned by :meth:`until_now`.
    """

    def __init__(self, before=None):
        self.before = before or dict.fromkeys(("seconds", "cpu_seconds", "peak_memory_MB"), 0.0)
        self.wall, self.cpu = time.monotonic(), time.process_time()
        with suppress(OSError):  # another system, or not allowed: the peak is then that of the whole process
            FORGET.write_text("5")

    def until_now(self):
        """Totals with those of before.

        Returns:
            dict: ``seconds`` of wall time; ``cpu_seconds``, of all threads; ``peak_memory_MB``, of the whole process while the part
            ran.
        """
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
        return {
            "seconds": round(self.before["seconds"] + time.monotonic() - self.wall, 2),
            "cpu_seconds": round(self.before["cpu_seconds"] + time.process_time() - self.cpu, 2),
            "peak_memory_MB": round(max(self.before["peak_memory_MB"], peak), 1),
        }
