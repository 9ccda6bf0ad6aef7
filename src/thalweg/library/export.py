"""Models of a study as files to share: with their scores and intervals calibrated at held-out places."""

from pathlib import Path

import numpy as np

from thalweg.basin.domain import DataError, read_domain
from thalweg.basin.observables import observable
from thalweg.evaluation.blocks import block_labels
from thalweg.experiments.model_file import read_model
from thalweg.experiments.run import simulate_experiment
from thalweg.library.model import Model
from thalweg.library.training import scores_of
from thalweg.metrics import conformal
from thalweg.metrics.calendar import read_splits

LEVELS = (0.5, 0.8, 0.9, 0.95)


def export(results, run, intervals=True):
    """A trained model of a study, with its scores, and intervals of discharge calibrated where it was not trained.

    Args:
        results: folder of the study, such as ``results/default``.
        run: ``domain/experiment/model``.
        intervals: whether they are calibrated; it needs an experiment that holds out places, and a model of discharge.

    Returns:
        :class:`~thalweg.library.model.Model`

    Raises:
        DataError: if a file of the run is missing.
        ModelFileError: if its weights are no model file.
    """
    domain_name, experiment, name = run.split("/") if run.count("/") == 2 else (run, None, None)
    folder = Path(results)
    paths = [
        folder / f"models/{run}.safetensors",
        folder / f"domains/{domain_name}.nc",
        folder / f"splits/{domain_name}/{experiment}.csv",
    ]
    for path in paths:
        if name is None or not path.exists():
            raise DataError(
                f"{path}: the file is missing; name a trained model of the study as domain/experiment/model"
            )
    tensors, header, job = read_model(paths[0])
    domain, splits = read_domain(paths[1]), read_splits(paths[2])
    simulation = simulate_experiment(domain, splits, job, tensors, header).variables
    header["scores"] = scores_of(domain, splits, job, simulation)
    if intervals and _held_out(splits):
        fitted = {
            name: _calibrated(simulation[name], domain) for name in job.variables if observable(name).gather == "routed"
        }
        header["intervals"] = fitted or None
    return Model(header, tensors, job, run)


def _held_out(splits):
    """Whether every tested place is tested by a model that did not train there."""
    return not (splits.test & (splits.train | splits.validation)).any() and splits.test.any()


def _calibrated(simulation, domain):
    """Conformal intervals of one variable from its simulation at held-out places; a member is the mean of a seed's folds."""
    simulated = simulation.simulated.transpose("fold", "seed", "place", "time").values
    tested = (simulation.tested.transpose("fold", "place", "time").values > 0)[:, None]
    kept = np.where(tested, simulated, np.nan)
    count = np.isfinite(kept).sum(0)
    members = np.where(count > 0, np.nansum(kept, axis=0) / np.maximum(count, 1), np.nan)
    observed = simulation.observed.transpose("place", "time").values
    return conformal.fit(members, observed, block_labels(domain.places), LEVELS)
