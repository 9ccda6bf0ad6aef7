"""Signatures of simulated against observed discharge over gauges: do models rank catchments like the hydrographs?"""

import numpy as np
import pandas as pd

from thalweg.evaluation.evidence import spearman
from thalweg.evaluation.statistics import MIN_PAIRS
from thalweg.metrics.scores import MINIMUM_DAYS, known_days
from thalweg.metrics.signatures import SIGNATURES, signatures

COLUMNS = ("domain", "experiment", "model", "signature", "unit", "places", "spearman", "observed", "simulated")


def signature_table(simulation, minimum_days=MINIMUM_DAYS):
    """Agreement over gauges of the signatures of simulated and observed discharge.

    Both series of a gauge count on the days on which both have values. A gauge counts once, with the mean of its signatures
    over folds and seeds.

    Args:
        simulation: Dataset of discharge (:mod:`thalweg.experiments.simulation`) with the attributes domain, experiment and
            model.
        minimum_days: minimum days with both series for a signature.

    Returns:
        DataFrame with the columns ``COLUMNS``, a row per signature: ``places`` at which it is defined for both series,
        ``spearman``, the rank correlation over them (NaN with fewer than six), and the medians over them, ``observed`` and ``simulated``,
        in ``unit``.

    Raises:
        ValueError: from :func:`~thalweg.metrics.scores.known_days`.
    """
    time = simulation.time.values
    shape = (simulation.sizes["place"], len(SIGNATURES))
    pairs = []
    for run in simulation.simulated.stack(run=("fold", "seed")).transpose("run", "place", "time").values:
        pair = np.full((2, *shape), np.nan)
        for k, (simulated, observed) in enumerate(zip(run, simulation.observed.transpose("place", "time").values)):
            day = known_days(simulated, observed)[0]
            if len(day) < max(minimum_days, 1):
                continue
            known = np.isin(np.arange(len(time)), day)
            pair[0, k] = list(signatures(np.where(known, simulated, np.nan), time).values())
            pair[1, k] = list(signatures(np.where(known, observed, np.nan), time).values())
        pairs.append(pair)
    simulated, observed = _mean_known(np.stack(pairs))
    names = [simulation.attrs[name] for name in ("domain", "experiment", "model")]
    rows = []
    for i, (name, signature) in enumerate(SIGNATURES.items()):
        both = np.isfinite(simulated[:, i]) & np.isfinite(observed[:, i])
        columns = observed[both, i], simulated[both, i]
        rho = spearman(*columns) if both.sum() >= MIN_PAIRS else np.nan
        medians = [np.median(column) if both.any() else np.nan for column in columns]
        rows.append([*names, name, signature.unit, both.sum(), rho, *medians])
    return pd.DataFrame(rows, columns=COLUMNS)


def _mean_known(values):
    """Mean over the first axis without NaN; NaN if there is no value."""
    known = np.isfinite(values)
    count = known.sum(0)
    return np.divide(np.where(known, values, 0).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
