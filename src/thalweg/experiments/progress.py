"""How far the trainings of a study are, from its checkpoints and finished logs, and how much is left to do."""

import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from safetensors import safe_open

from thalweg.settings.study import TRAINED

RUN = ("domain", "experiment", "model")


class NoStudy(ValueError):
    """A folder that holds no study."""


def progress(results):
    """Every training of a study that is to be done, has begun or is done.

    A run without its log has the checkpoints of its newest folder: older ones are of other settings, data or code. A
    checkpoint is written every ``training.checkpoint_every``, so a training may be further than it says.

    Args:
        results: folder of the study; its config.yaml says what is to be trained.

    Returns:
        DataFrame: a row per domain, experiment, model, fold and seed: ``finished`` (bool), ``step``, ``best_loss`` in
        validation, ``seconds`` spent, all 0 or NaN where nothing was written yet, and ``remaining_seconds``, NaN when no
        training of the study has logged any time: the mean time of finished trainings of the same run, or else model, or
        else of all, or else that of the steps at most at the pace so far, less what was spent.

    Raises:
        NoStudy: when there is no config.yaml.
    """
    results = Path(results)
    try:
        study = yaml.safe_load((results / "config.yaml").read_text())
    except FileNotFoundError as error:
        raise NoStudy(f"{error.filename} is not there: {results} is not the folder of a study that was begun") from None
    table = pd.DataFrame(_trainings(study, results), columns=[*RUN, "fold", "seed", "steps", *_NOTHING])
    left = (_expected(table) - table.seconds).clip(lower=0)
    return table.assign(remaining_seconds=left.mask(table.finished, 0.0))


_NOTHING = {"finished": False, "step": 0, "best_loss": np.nan, "seconds": 0.0}


def _trainings(study, folder):
    """A row per training of a study; ``steps`` is the number that it takes at most."""
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
    """What the log of a run, or else its checkpoints, say of each fold and seed."""
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
    """The fold and seed of a checkpoint, and what its header says."""
    training = tuple(int(number) for number in re.findall(r"\d+", path.stem))
    with safe_open(path, framework="numpy") as file:
        values = json.loads(file.metadata()["json"])
    seconds = values["log"][-1]["seconds"] if values["log"] else 0.0
    return training, {**{name: values[name] for name in ("finished", "step", "best_loss")}, "seconds": seconds}


def _expected(table):
    """Seconds that each training takes in all."""
    done = table.seconds.where(table.finished)
    pace = (table.seconds.sum() / table.step.sum()) if table.step.sum() else np.nan
    expected = done.groupby([table[name] for name in RUN]).transform("mean")
    return expected.fillna(done.groupby(table.model).transform("mean")).fillna(done.mean()).fillna(pace * table.steps)
