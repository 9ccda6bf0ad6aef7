"""Rows of evidence: effects over places with intervals from whole blocks of neighbours, and tests against chance."""

import warnings

import numpy as np
import pandas as pd

from thalweg.evaluation.blocks import block_bootstrap
from thalweg.evaluation.statistics import MIN_PAIRS

ROUNDING = 1e-3  # elasticity within rounding of zero in single precision
EVIDENCE_COLUMNS = (
    *("domain", "experiment", "model", "reference", "quantity"),
    *("effect", "low", "high", "p", "n", "unit", "test"),
)
EVIDENCE_KEYS = EVIDENCE_COLUMNS[:5]


def read_evidence(path):
    """Read a table of evidence written as CSV; a missing reference is an empty string.

    Raises:
        ValueError: the message names the file and the first missing column.
    """
    table = pd.read_csv(path, dtype=dict.fromkeys((*EVIDENCE_KEYS, "unit", "test"), str))
    missing = [column for column in EVIDENCE_COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{path}: column {missing[0]!r} is missing; a table of evidence needs {', '.join(EVIDENCE_COLUMNS)}"
        )
    return table.fillna(dict.fromkeys((*EVIDENCE_KEYS, "unit", "test"), ""))


def evidence_table(rows, domain, experiment):
    """Rows without domain and experiment as a table with the columns ``EVIDENCE_COLUMNS``."""
    return pd.DataFrame([{"domain": domain, "experiment": experiment, **row} for row in rows], columns=EVIDENCE_COLUMNS)


def compared(values, blocks, reference, statistic, samples, **constant):
    """A statistic of every model over places, and of its paired difference from the reference model.

    Args:
        values: DataFrame (place, model); a model with no value gets no row.
        blocks: label of each place's block (place,).
        reference: name of a model; without values nothing is compared.
        statistic: function of (place,) to a number.
        samples: resamples of blocks.
        constant: ``quantity`` and ``unit`` of the rows, and ``test``, the name of the statistic.

    Returns:
        list of dict: intervals from the block bootstrap; p of Wilcoxon's signed-rank test for a difference.
    """
    values = values.dropna(axis="columns", how="all")
    name = constant.pop("test")
    rows = []
    for model in values:
        pairs = [("", values[model])]
        if reference in values and model != reference:
            pairs.append((reference, values[model] - values[reference]))
        for against, column in pairs:
            known = column.dropna().to_numpy()
            if len(known) == 0:
                continue
            low, high = block_bootstrap(column.to_numpy(), blocks, statistic, samples)
            rows.append(
                {
                    **constant,
                    "model": model,
                    "reference": against,
                    "effect": statistic(known),
                    "low": low,
                    "high": high,
                    "p": signed_rank(known) if against else np.nan,
                    "n": len(known),
                    "test": f"{name}{' of the paired difference; signed-rank p' if against else ''}; block bootstrap",
                }
            )
    return rows


def correlated(simulated, target, trivial, blocks, reference, samples, name, quantity):
    """Rank correlations of models with a target over places, and of a trivial predictor and the reference model.

    Args:
        simulated: DataFrame (place, model).
        target, trivial: (place,).
        blocks: label of each place's block (place,).
        reference: name of a model; without values nothing is compared with it.
        samples: resamples of blocks, and permutations of places.
        name: of the trivial predictor, in the columns model and reference.
        quantity: of the rows.

    Returns:
        list of dict: Spearman's rho of each model and of the trivial predictor, with p by permutation of places; rho of
        each model minus the absolute rho of the trivial predictor; and minus rho of the reference. Intervals are of the
        block bootstrap. With fewer than six places there is no row.
    """
    simulated = simulated.assign(**{name: trivial})
    rows = []
    for model in simulated:
        alone = (simulated[[model]], _rho, "Spearman's rho; permutation p")
        pairs = {"": alone}
        if model != name:
            pairs[name] = (simulated[[model, name]], _advantage, f"Spearman's rho less the absolute rho of {name}")
            if reference in simulated and model != reference:
                pairs[reference] = (simulated[[model, reference]], _difference, "difference of Spearman's rho")
        for rival, (predictors, statistic, test) in pairs.items():
            columns = np.column_stack([target, predictors])
            known = columns[~np.isnan(columns).any(axis=1)]
            if len(known) < MIN_PAIRS:
                continue
            low, high = block_bootstrap(columns, blocks, statistic, samples)
            rows.append(
                {
                    "quantity": quantity,
                    "model": model,
                    "reference": rival,
                    "effect": statistic(known),
                    "low": low,
                    "high": high,
                    "p": np.nan if rival else permutation_p(*known.T, samples),
                    "n": len(known),
                    "unit": "dimensionless",
                    "test": f"{test}; block bootstrap",
                }
            )
    return rows


def spearman(first, second):
    """Spearman's rho of two arrays without NaN; 0 if one is constant."""
    from scipy.stats import rankdata

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return np.corrcoef(rankdata(first), rankdata(second))[0, 1]


def _rho(columns):
    return spearman(columns[:, 0], columns[:, 1])


def _advantage(columns):
    return _rho(columns) - abs(_rho(columns[:, [0, 2]]))


def _difference(columns):
    return _rho(columns) - _rho(columns[:, [0, 2]])


def permutation_p(first, second, samples, seed=0):
    """Two-sided p of Spearman's rho when the places of one column (place,) are shuffled (Phipson & Smyth 2010)."""
    from scipy.stats import rankdata

    generator = np.random.default_rng(seed)
    first, second = rankdata(first), rankdata(second)
    first, second = first - first.mean(), second - second.mean()
    null = np.abs([generator.permutation(first) @ second for _ in range(samples)])
    return (1 + np.sum(null >= abs(first @ second) * (1 - 1e-12))) / (1 + samples)


def signed_rank(differences):
    """Two-sided p of Wilcoxon's signed-rank test; NaN with fewer than six differences that are not 0."""
    from scipy.stats import wilcoxon

    nonzero = differences[differences != 0]
    if len(nonzero) < MIN_PAIRS:
        return np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return wilcoxon(nonzero).pvalue
