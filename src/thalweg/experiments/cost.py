"""Run time, memory and optimiser steps of each experiment, from training logs and from the benchmark files of Snakemake.

A training job may train all models of an experiment, so a training measures itself: its log has what it used
(:class:`thalweg.learn.usage.Usage`), also in earlier, interrupted processes. Other jobs have Snakemake's benchmark files (columns
s, cpu_time in seconds, max_rss in MB), which are of their last run only.
"""

from pathlib import Path

import numpy as np
import pandas as pd

ALL = "all"  # denotes all models of an experiment, and all experiments of the grid


OF_EXPERIMENT = ("simulate", "score")  # jobs of all models of an experiment
COUNTS = ("trainings", "steps")  # whole numbers, though those of an estimate are not known
GROUPS = ("figure", "analysis")  # stages of several names
SUMS = (
    *("jobs", "jobs_measured", "wall_seconds", "cpu_seconds"),
    *("trainings", "steps", "training_seconds"),
)


def cost(results, runs, estimates=()):
    """The cost of every run, of every experiment and of the grid.

    Args:
        results: folder of the study, with models/<run>.csv and benchmarks/{simulate,score}/<experiment>.tsv.
        runs: ``(domain, experiment, model)`` of each run.
        estimates: ``(kind, domain)`` of each job that trains all models of all its experiments, as for leaves and the canopy, with
            benchmarks/<kind>/<domain>.tsv.

    Returns:
        DataFrame: a row per trained run, after those of an experiment one with the model :data:`ALL`, which also counts simulation
        and scores of all its models; a row per estimate, with the experiment :data:`ALL` and its kind as model; and at the end one
        that is :data:`ALL` in domain, experiment and model, with

        - ``jobs``: a run, a simulation, scores and an estimate are one each; ``jobs_measured``: those with a measurement;
        - ``wall_seconds``, ``cpu_seconds``: of the jobs measured, ``peak_memory_MB``: the maximum of one of them. Those of a run
          are of its trainings: the start of the process and the reading of data are in :func:`stages` only;
        - ``trainings``: folds times seeds, ``steps``: optimiser steps of them all, NaN for an estimate, which has no log;
        - ``training_seconds``: of all trainings, by their logs; ``seconds_per_training``: their mean.

        Missing measurements are NaN; totals are over the measured jobs.

    Raises:
        ValueError: if there is neither a run nor an estimate.
    """
    if not runs and not estimates:
        raise ValueError(f"{results}: no run with a cost to report")
    results = Path(results)
    rows = [_run(results, *run) for run in runs] + [_estimate(results, *estimate) for estimate in estimates]
    table = pd.DataFrame(rows)
    parts, totals = [], []
    for (domain, experiment), rows in table.groupby(["domain", "experiment"], sort=False):
        trained = rows[rows.trainings != 0]
        parts.append(trained)
        totals.append(trained)
        if experiment != ALL:
            shared = _of_experiment(results, domain, experiment)
            parts.append(_total(pd.concat([trained, shared]), domain, experiment))
            totals.append(shared)
    table = pd.concat([*parts, _total(pd.concat(totals), ALL, ALL)], ignore_index=True)
    table["seconds_per_training"] = table.training_seconds / table.trainings.replace(0, np.nan)
    return table.round(2).astype(dict.fromkeys(COUNTS, "Int64") if estimates else {})


def stages(results):
    """Total cost of each kind of job of the workflow.

    Args:
        results: folder of the study, with benchmarks/<stage>/... or benchmarks/<stage>_<name>.tsv.

    Returns:
        DataFrame: a row per stage (figures and analyses are one each), and one in all: jobs measured, wall_seconds, cpu_seconds and
        peak_memory_MB, the maximum of one of them. Jobs after the last figure are not included.
    """
    folder = Path(results) / "benchmarks"
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        stage = next((group for group in GROUPS if stage.startswith(f"{group}_")), stage)
        rows.append({"stage": stage, **_measured(1, [_benchmark(path)])})
    table = pd.DataFrame(rows, columns=["stage", *SUMS[:4], "peak_memory_MB"])
    named = {name: (name, "sum") for name in ("jobs", "wall_seconds", "cpu_seconds")}
    grouped = table.groupby("stage", sort=False).agg(**named, peak_memory_MB=("peak_memory_MB", "max"))
    grouped.loc[ALL] = [*grouped[list(named)].sum(), grouped.peak_memory_MB.max()]
    return grouped.reset_index().round(2).astype({"jobs": int})


def _of_experiment(results, domain, experiment):
    paths = [results / "benchmarks" / job / domain / f"{experiment}.tsv" for job in OF_EXPERIMENT]
    measured = [_benchmark(path) for path in paths if path.exists()]
    names = {"domain": domain, "experiment": experiment, "model": ALL}
    return pd.DataFrame(
        [{**names, **_measured(len(paths), measured), **dict.fromkeys(COUNTS, 0), "training_seconds": np.nan}]
    )


def _estimate(results, kind, domain):
    path = results / "benchmarks" / kind / f"{domain}.tsv"
    measured = [_benchmark(path)] if path.exists() else []
    unknown = dict.fromkeys(("trainings", "steps", "training_seconds"), np.nan)
    return {"domain": domain, "experiment": ALL, "model": kind, **_measured(1, measured), **unknown}


def _run(results, domain, experiment, model):
    log = results / "models" / domain / experiment / f"{model}.csv"
    names = {"domain": domain, "experiment": experiment, "model": model}
    if not log.exists():
        return {**names, **_measured(0, []), **dict.fromkeys(COUNTS, 0), "training_seconds": np.nan}
    trainings = _last_rows(log)
    return {
        **names,
        "jobs": 1,
        "jobs_measured": 1,
        "wall_seconds": trainings.seconds.sum(),
        "cpu_seconds": trainings.cpu_seconds.sum(),
        "peak_memory_MB": trainings.peak_memory_MB.max(),
        "trainings": len(trainings),
        "steps": trainings.step.sum(),
        "training_seconds": trainings.seconds.sum(),
    }


def _measured(jobs, rows):
    return {
        "jobs": jobs,
        "jobs_measured": len(rows),
        "wall_seconds": _sum(row.s for row in rows),
        "cpu_seconds": _sum(row.cpu_time for row in rows),
        "peak_memory_MB": pd.Series([row.max_rss for row in rows], dtype=float).max(),
    }


def _benchmark(path):
    """The last row of a benchmark file; values of jobs too short to measure are NaN."""
    return pd.read_csv(path, sep="\t", na_values="-").iloc[-1]


def _last_rows(log):
    """The last row of each training in a training log."""
    return pd.read_csv(log).sort_values("step").groupby(["fold", "seed"]).last()


def _sum(values):
    return pd.Series(list(values), dtype=float).sum(min_count=1)


def _total(rows, domain, experiment):
    total = {"domain": domain, "experiment": experiment, "model": ALL}
    total |= {name: rows[name].sum(min_count=1) for name in SUMS}
    return pd.DataFrame([total | {"peak_memory_MB": rows.peak_memory_MB.max()}])[rows.columns]
