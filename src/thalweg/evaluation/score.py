"""Scores of a simulation, as a tidy table."""

import numpy as np
import pandas as pd

from thalweg.basin.domain import step_of
from thalweg.metrics.scores import METRICS, evaluate

COLUMNS = [
    *("study", "domain", "experiment", "variable", "model", "fold", "seed", "place", "metric", "value", "unit"),
]


def score(simulation, study, metrics, minimum_values):
    """Metrics of every fold, seed and tested place, over the observations of the test.

    An observation below a detection limit has no error if the simulation is also below the limit; otherwise the error is
    the excess.

    Args:
        simulation: Dataset of a variable (:mod:`thalweg.experiments.simulation`) with the attributes domain, experiment and model.
        study: name for the table.
        metrics: names in :mod:`thalweg.metrics.scores`.
        minimum_values: minimum observations in the test for a metric, if the simulation does not define it.

    Returns:
        DataFrame with the columns ``COLUMNS``, ``unit`` is that of the variable; a place that the fold does not test has
        no row. Metrics that count days are NaN where a step is not a day.
    """
    names = {name: simulation.attrs[name] for name in ("domain", "experiment", "variable", "model")}
    observed = simulation.observed.values
    minimum_values = simulation.attrs.get("minimum_values", minimum_values)
    daily = "time" not in simulation.coords or step_of(simulation.time.values) == "day"
    undefined = [] if daily else [name for name in metrics if METRICS[name].unit == "day"]
    rows = []
    for i, fold in enumerate(simulation.fold.values):
        tested = simulation.tested.values[i] > 0
        for j, seed in enumerate(simulation.seed.values):
            simulated = simulation.simulated.values[i, j]
            if "censored" in simulation:
                simulated = np.where(simulation.censored.values > 0, np.maximum(simulated, observed), simulated)
            for k in np.flatnonzero(~np.isnan(simulated).all(1)):
                head = {"study": study, **names, "fold": fold, "seed": seed, "place": simulation.place.values[k]}
                series = np.where(tested[k], simulated[k], np.nan)
                scores = evaluate(series, observed[k], metrics, minimum_values) | dict.fromkeys(undefined, np.nan)
                rows += [{**head, "metric": metric, "value": value} for metric, value in scores.items()]
    return pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(unit=simulation.attrs["unit"])
