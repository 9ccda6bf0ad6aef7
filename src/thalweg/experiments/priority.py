"""Which training jobs start first: the longest, so that all cores end at about the same time."""

import csv
from pathlib import Path

from thalweg.experiments import plan
from thalweg.experiments.cost import ALL

STEP_SECONDS = 0.1  # assumed for an optimiser step without records


def training_seconds(study, records):
    """Expected seconds of each training job of all models of an experiment.

    Args:
        study: Study.
        records: folder with the records of studies, whose cost.csv tells what the experiment took; without it the maximum number of
            optimiser steps counts.

    Returns:
        dict: (domain, experiment) -> whole seconds.
    """
    recorded = {}
    for path in sorted(Path(records, study.study).rglob("cost.csv"))[:1]:
        with open(path, newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model"] == ALL and row["training_seconds"]]
        recorded = {(row["domain"], row["experiment"]): float(row["training_seconds"]) for row in rows}
    jobs = plan.with_some(study, plan.experiments(study), plan.trained_models)
    return {job: round(recorded.get(job, STEP_SECONDS * plan.training_steps(study, *job))) for job in jobs}
