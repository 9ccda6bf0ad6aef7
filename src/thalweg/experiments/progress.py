"""Progress of a study: its trainings, from checkpoints and finished logs, and all its jobs while the workflow runs."""

import json
import re
import time
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from safetensors import safe_open

from thalweg.experiments.cost import ALL
from thalweg.experiments.priority import STEP_SECONDS
from thalweg.settings.study import TRAINED

RUN = ("domain", "experiment", "model")
TRAINING = "train"  # the rules whose jobs are in the table of trainings: train, one job a model, or train_..., one an experiment
JOB_SECONDS = 5.0  # assumed for a job without records
REFRESH = 15.0  # seconds after which the table of trainings is read again


class NoStudy(ValueError):
    """A folder without a study."""


def progress(results, recorded=None):
    """Every training of a study: waiting, running or finished.

    A run without its log uses the checkpoints of its newest folder: older ones belong to other settings, data or code. A
    checkpoint is written every ``training.checkpoint_every``, so a training may be further advanced than shown.

    Args:
        results: folder of the study; its config.yaml lists the trainings.
        recorded: seconds of a training by run, as returned by :func:`recorded_seconds`.

    Returns:
        DataFrame: a row per domain, experiment, model, fold and seed: ``finished`` (bool), ``step``, ``best_loss`` in
        validation, ``seconds`` spent, all 0 or NaN if nothing was written yet, and ``remaining_seconds``, NaN if no
        training of the study has logged any time: the mean time of finished trainings of the same run, or else the recorded
        time, or else the mean of the same model, or of all, or that of the maximum number of steps at the present pace,
        minus the time spent.

    Raises:
        NoStudy: if there is no config.yaml.
    """
    results = Path(results)
    try:
        study = yaml.safe_load((results / "config.yaml").read_text())
    except FileNotFoundError as error:
        raise NoStudy(f"{error.filename} is missing: {results} is not the folder of a started study") from None
    table = pd.DataFrame(_trainings(study, results), columns=[*RUN, "fold", "seed", "steps", *_NOTHING])
    left = (_expected(table, {} if recorded is None else recorded) - table.seconds).clip(lower=0)
    return table.assign(remaining_seconds=left.mask(table.finished, 0.0))


_NOTHING = {"finished": False, "step": 0, "best_loss": np.nan, "seconds": 0.0}


def _trainings(study, folder):
    """A row per training of a study; ``steps`` is the maximum number."""
    for domain, experiments in study["experiments"].items():
        for name, experiment in experiments.items():
            for model in experiment["models"]:
                settings = study["models"][model]
                if settings["kind"] not in TRAINED:
                    continue
                steps = (study["training"] | settings["training"] | experiment["training"])["steps"]
                run = dict(zip(RUN, (domain, name, model)), steps=steps)
                written = _written(folder, f"{domain}/{name}/{model}")
                folds, seeds = experiment.get("tested_folds") or experiment["folds"], experiment.get("seeds")
                for fold, seed in product(range(folds), seeds or study["seeds"]):
                    yield {**run, "fold": fold, "seed": seed, **written.get((fold, seed), _NOTHING)}


def _written(folder, run):
    """State of each fold and seed from the log of a run, or else from its checkpoints."""
    log = folder / "models" / f"{run}.csv"
    if log.exists():
        return {
            training: {
                "finished": True,
                "step": rows.step.max(),
                "best_loss": rows.validation_loss.min(),
                "seconds": rows.seconds.max(),
            }
            for training, rows in pd.read_csv(log).groupby(["fold", "seed"])
        }
    identities = sorted((folder / "checkpoints" / run).glob("*/"), key=lambda path: path.stat().st_mtime)
    return dict(_checkpoint(path) for path in identities[-1].glob("fold*-seed*.safetensors")) if identities else {}


def _checkpoint(path):
    """The fold and seed of a checkpoint, and the content of its header."""
    training = tuple(int(number) for number in re.findall(r"\d+", path.stem))
    with safe_open(path, framework="numpy") as file:
        values = json.loads(file.metadata()["json"])
    seconds = values["log"][-1]["seconds"] if values["log"] else 0.0
    return training, {**{name: values[name] for name in ("finished", "step", "best_loss")}, "seconds": seconds}


def _expected(table, recorded):
    """Total seconds of each training."""
    done = table.seconds.where(table.finished)
    pace = (table.seconds.sum() / table.step.sum()) if table.step.sum() else np.nan
    before = pd.Series([recorded.get(run, np.nan) for run in zip(*(table[name] for name in RUN))], table.index, float)
    both = done.notna() & before.notna()
    if both.any():  # another machine, or another load
        before *= done[both].sum() / before[both].sum()
    expected = done.groupby([table[name] for name in RUN]).transform("mean").fillna(before)
    return expected.fillna(done.groupby(table.model).transform("mean")).fillna(done.mean()).fillna(pace * table.steps)


def recorded_seconds(path):
    """Times from the table of cost (:mod:`thalweg.experiments.cost`) of a study finished earlier.

    Returns:
        ``(trainings, jobs)``: seconds of one training by ``(domain, experiment, model)``, and seconds of a job by the rule of
        estimates, such as ``leaf``. Both are empty if there is no such table.
    """
    if not path or not Path(path).exists():
        return {}, {}
    table = pd.read_csv(path)
    trainings = table[table.seconds_per_training.notna() & (table.model != ALL)]
    estimates = table[(table.experiment == ALL) & (table.model != ALL)]
    return trainings.set_index(list(RUN)).seconds_per_training.to_dict(), estimates.groupby(
        "model"
    ).wall_seconds.mean().to_dict()


class Work:
    """The jobs of one run of the workflow: number finished, share of the work finished, and remaining time.

    A job is expected to take as long as the mean of those of its rule that are done, or the recorded time, or
    :data:`JOB_SECONDS`; trainings are known one by one from their logs and checkpoints.

    Args:
        jobs: number of jobs to run by rule.
        results: folder of the study.
        cost: table of cost of an earlier run of the study; may be missing.
        cores: maximum number of concurrent jobs.
        clock: function that gives the time in seconds.
    """

    def __init__(self, jobs, results, cost=None, cores=1, clock=time.monotonic):
        self.jobs, self.results, self.cores, self.clock = Counter(jobs), results, cores, clock
        self.recorded, self.estimates = recorded_seconds(cost)
        self.began = clock()
        self.running = {}  # number -> (rule, start time)
        self.seconds = defaultdict(list)  # of finished jobs, by rule
        self.failed = {}  # number -> rule
        self._read, self._trainings = -np.inf, None

    @property
    def total(self):
        return sum(self.jobs.values())

    @property
    def done(self):
        return sum(len(seconds) for seconds in self.seconds.values())

    def start(self, number, rule):
        """A job starts, possibly again."""
        self.failed.pop(number, None)
        self.running[number] = rule, self.clock()

    def finish(self, number):
        """A job is done; its seconds."""
        rule, began = self.running.pop(number)
        self.seconds[rule].append(self.clock() - began)
        return self.seconds[rule][-1]

    def fail(self, number):
        """A job has failed; it is no longer expected."""
        if number in self.running:
            self.failed[number] = self.running.pop(number)[0]

    def share(self):
        """The share of the work that is finished."""
        spent, left = self._spent(), sum(self._left())
        return spent / (spent + left) if spent + left else 0.0

    def remaining_seconds(self):
        """Seconds until the last job is done, at the present concurrency; at least those of the longest."""
        left, elapsed = self._left(), self.clock() - self.began
        at_a_time = min(max(self._spent() / elapsed, 1.0), self.cores) if elapsed else self.cores
        return max(sum(left) / at_a_time, max(left, default=0.0))

    def _spent(self):
        """Seconds of all jobs that are finished or running."""
        done = sum(sum(seconds) for seconds in self.seconds.values())
        return done + sum(self.clock() - began for _, began in self.running.values())

    def _left(self):
        """Seconds left of every running or waiting job."""
        left, running, failed = [], Counter(rule for rule, _ in self.running.values()), Counter(self.failed.values())
        training = 0
        for rule, count in self.jobs.items():
            unfinished = max(count - len(self.seconds[rule]) - failed[rule], 0)
            if _trains(rule):
                training += unfinished
            else:
                left += (unfinished - running[rule]) * [self._expected(rule)]
        left += self._trainings_left(training)
        for rule, began in self.running.values():
            if not _trains(rule):
                spent = self.clock() - began
                left.append(max(self._expected(rule) - spent, spent / 10))
        return left

    def _expected(self, rule):
        return float(np.mean(self.seconds[rule])) if self.seconds[rule] else self.estimates.get(rule, JOB_SECONDS)

    def _trainings_left(self, jobs):
        """Seconds left of that many training jobs, the longest first."""
        runs = self._runs()
        usual = self._expected(TRAINING)
        if runs is not None and len(runs):
            usual = runs.expected.mean()
        left = [] if runs is None else sorted(runs.remaining_seconds[runs.remaining_seconds > 0], reverse=True)
        return (left + max(jobs - len(left), 0) * [usual])[:jobs]

    def _runs(self):
        """Seconds left and total seconds of what every training job trains; None before the study has written its configuration."""
        if self.clock() - self._read >= REFRESH:
            self._read = self.clock()
            try:
                table = progress(self.results, self.recorded)
            except (NoStudy, OSError):  # not written yet, or a file removed while it was read
                return self._trainings
            guess = (table.steps - table.step).clip(lower=0) * STEP_SECONDS
            table["remaining_seconds"] = table.remaining_seconds.fillna(guess)
            table["expected"] = table.seconds + table.remaining_seconds
            of_a_job = RUN if TRAINING in self.jobs else RUN[:2]
            self._trainings = table.groupby(list(of_a_job))[["remaining_seconds", "expected"]].sum()
        return self._trainings


def _trains(rule):
    """Whether the jobs of a rule are trainings."""
    return rule == TRAINING or rule.startswith(f"{TRAINING}_")
