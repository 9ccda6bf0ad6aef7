"""Terminal output of a running study: a logger plugin of Snakemake.

A line per finished job; on a terminal also one line of progress that is overwritten, and elsewhere a line of progress
after :data:`SILENCE`. Failures are shown with their log.
"""

import logging
import os
import shutil
import sys
import threading
from dataclasses import dataclass, field

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from thalweg.experiments.progress import Work

LAST_LINES = 20  # of the log of a job that failed
SILENCE = 60.0  # seconds
WRITE_OVER = "\r\x1b[K"


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Settings of the plugin, as required by the interface."""

    results: str = field(default="", metadata={"help": "folder of the study"})
    cost: str = field(default="", metadata={"help": "table of cost of an earlier run"})


class LogHandler(LogHandlerBase):
    """Events of Snakemake as lines."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self):
        self.stream = sys.stderr
        self.terminal = self.stream.isatty()
        self.work = None
        self.cores = os.cpu_count() or 1
        self.names = {}  # number of a running job -> its message
        self.failures = {}  # number of a job that failed -> its rule and log
        self.stopped = threading.Event()
        self.ticker = threading.Thread(target=self._tick, daemon=True)
        self.ticker.start()

    def emit(self, record):
        try:
            self._show(record)
        except Exception:  # shown, and the run continues
            self.handleError(record)

    def _show(self, record):
        event = getattr(record, "event", None)
        if self.common_settings.dryrun:
            self._print(self.format(record))
        elif event == LogEvent.RESOURCES_INFO:
            self.cores = getattr(record, "cores", None) or getattr(record, "nodes", None) or self.cores
        elif event == LogEvent.RUN_INFO:
            jobs = {rule: count for rule, count in record.stats.items() if rule != "total"}
            self.work = Work(jobs, self.settings.results, self.settings.cost, self.cores)
            self._print(f"{self.work.total} jobs to run")
        elif event == LogEvent.JOB_INFO and self.work:
            self.failures.pop(record.jobid, None)  # of an earlier attempt
            self.names[record.jobid] = record.rule_msg or _title(record)
            self.work.start(record.jobid, record.rule_name)
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.names:
            seconds = self.work.finish(record.job_id)
            self._print(f"{self._state()}  {self.names.pop(record.job_id)} ({duration(seconds)})")
        elif event == LogEvent.JOB_ERROR:
            self._failed(record)
        elif event == LogEvent.GROUP_ERROR or _unexpected(record):
            self._print(self.format(record))
        elif event is None and record.getMessage().startswith(("Nothing to be done", "Complete log")):
            self._print(record.getMessage().splitlines()[0])

    def close(self):
        self.stopped.set()
        if self.failures:
            self._print("\n  ".join([f"Failed jobs: {len(self.failures)}", *self.failures.values()]))
        elif self.terminal:
            self.stream.write(WRITE_OVER)
            self.stream.flush()
        super().close()

    def _failed(self, record):
        if record.jobid in self.failures:
            return
        self.failures[record.jobid] = " ".join([record.rule_name, *record.log])
        name = self.names.pop(record.jobid, None)
        lines = [f"FAILED: rule {record.rule_name}" + (f" ({name})" if name else "")]
        for path in record.log:
            lines += [f"  the last lines of its log, {path}:", *(f"    {line}" for line in last_lines(path))]
        if not record.log:
            lines.append(f"  it has no log; its command was: {record.shellcmd}")
        if self.work:
            self.work.fail(record.jobid)
        self._print("\n".join(lines))

    def _state(self):
        return f"[{self.work.done}/{self.work.total} jobs, {self.work.share():.0%}]"

    def _progress(self):
        left = duration(self.work.remaining_seconds())
        return f"{self._state()} about {left} left; now: {'; '.join(self.names.values()) or 'nothing'}"

    def _tick(self):
        """The line of progress, repeatedly."""
        while not self.stopped.wait(1.0 if self.terminal else SILENCE):
            with self.lock:
                if self.work and self.work.running and not self.stopped.is_set():
                    if self.terminal:
                        width = shutil.get_terminal_size().columns - 1
                        self.stream.write(WRITE_OVER + self._progress()[:width])
                        self.stream.flush()
                    else:
                        self._print(self._progress())

    def _print(self, text):
        if text:
            self.stream.write((WRITE_OVER if self.terminal else "") + text + "\n")
            self.stream.flush()


def last_lines(path):
    """The last lines of a text file; of an overwritten line, such as a progress bar, its last state."""
    try:
        with open(path, errors="replace", newline="") as file:
            lines = file.read().split("\n")
    except OSError as error:
        return [f"(unreadable: {error.strerror})"]
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines if line.strip()][-LAST_LINES:] or ["(it is empty)"]


def duration(seconds):
    """A duration as text: ``12 s``, ``4 min``, ``2 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def _unexpected(record):
    """Whether a record is a warning or an error, other than that of a command that failed, which is reported with its job."""
    if getattr(record, "event", None) == LogEvent.ERROR:
        return "returned non-zero exit status" not in record.getMessage()
    return not hasattr(record, "event") and record.levelno >= logging.WARNING


def _title(record):
    return " ".join([record.rule_name, *map(str, (record.wildcards or {}).values())])
