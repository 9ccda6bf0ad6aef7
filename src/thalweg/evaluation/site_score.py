"""Scores at sampled sites, in the form of a skill table: the column ``gauge`` holds the site."""

import numpy as np
import pandas as pd

from thalweg.evaluation.score import COLUMNS
from thalweg.metrics.scores import evaluate


def score_sites(simulation, study, metrics, minimum_samples):
    """Metrics of every fold, seed and tested site over its held-out samples.

    A sample below a detection limit has no error when the simulation is below the limit too; otherwise the error is the excess.

    Args:
        simulation: Dataset of :func:`thalweg.experiments.site_run.simulation_of` with the attributes domain, experiment
            and model.
        study: name for the table.
        metrics: names in :mod:`thalweg.metrics.scores`.
        minimum_samples: held-out samples that a metric needs.

    Returns:
        DataFrame with the columns of a skill table and ``unit``, that of the variable, which RMSE and bias have.
    """
    names = {name: simulation.attrs[name] for name in ("domain", "experiment", "model")}
    observed, censored = simulation.observed.values, simulation.censored.values > 0
    rows = []
    for i, fold in enumerate(simulation.fold.values):
        tested = simulation.tested.values[i] > 0
        for j, seed in enumerate(simulation.seed.values):
            simulated = simulation.simulated.values[i, j]
            simulated = np.where(censored, np.maximum(simulated, observed), simulated)
            for k in np.flatnonzero(tested.any(1)):
                days = tested[k]
                scores = evaluate(simulated[k, days], observed[k, days], metrics, minimum_samples)
                head = {"study": study, **names, "fold": fold, "seed": seed, "gauge": simulation.site.values[k]}
                rows += [{**head, "metric": metric, "value": value} for metric, value in scores.items()]
    return pd.DataFrame(rows, columns=COLUMNS).assign(unit=simulation.attrs["unit"])
