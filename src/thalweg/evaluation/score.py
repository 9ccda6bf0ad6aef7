"""Scores of a simulation, as a tidy table."""

import pandas as pd

from thalweg.metrics.scores import evaluate

COLUMNS = ["study", "domain", "experiment", "model", "fold", "seed", "gauge", "metric", "value"]


def score(simulation, study, metrics, minimum_days):
    """Metrics of every fold, seed and tested gauge.

    Args:
        simulation: Dataset of :func:`thalweg.experiments.run.simulate_experiment` with the attributes domain,
            experiment and model.
        study: name for the table.
        metrics: names in :mod:`thalweg.metrics.scores`.
        minimum_days: days with both series that a metric needs.

    Returns:
        DataFrame with the columns ``COLUMNS``; a gauge that the fold does not test has no row.
    """
    rows = []
    names = {name: simulation.attrs[name] for name in ("domain", "experiment", "model")}
    observed = simulation.observed.values
    for i, fold in enumerate(simulation.fold.values):
        for j, seed in enumerate(simulation.seed.values):
            discharge = simulation.discharge.values[i, j]
            for k, gauge in enumerate(simulation.gauge.values):
                if pd.isna(discharge[k]).all():
                    continue
                for metric, value in evaluate(discharge[k], observed[k], metrics, minimum_days).items():
                    rows.append(
                        {
                            "study": study,
                            **names,
                            "fold": fold,
                            "seed": seed,
                            "gauge": gauge,
                            "metric": metric,
                            "value": value,
                        }
                    )
    return pd.DataFrame(rows, columns=COLUMNS)
