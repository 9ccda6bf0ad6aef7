"""Statistics of skill over places, seeds and models.

A skill table is tidy: one value per row, with the columns of :data:`COLUMNS`. Places are the sample. Each place counts
once, with its mean over seeds (and over folds, where it was tested in several): the average skill of one training run,
not the skill of an ensemble mean. Neighbouring places share weather and water: intervals resample blocks of nearby places if
blocks are supplied, and otherwise single places, which makes them too narrow. The p-values of paired tests treat places as
independent. Both quantify the effect of the choice of places, nothing else.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from thalweg.evaluation.blocks import SAMPLES, block_bootstrap
from thalweg.metrics.scores import METRICS

COLUMNS = ("domain", "experiment", "variable", "model", "fold", "seed", "place", "metric", "value")
MIN_PAIRS = 6  # with five pairs no two-sided signed-rank p-value can fall below 0.05 (its minimum is 2 / 2^5)


def read_skill(path):
    """Read a skill table written as CSV, place ids as text.

    Raises:
        ValueError: from :func:`check_skill`; the message names the file.
    """
    return check_skill(pd.read_csv(path, dtype={"place": str}), path)


def check_skill(skill, source="skill"):
    """``skill`` itself, if it has the columns of a skill table and no duplicate row.

    Raises:
        ValueError: the message names the first missing column, unknown metric or duplicate row.
    """
    missing = [column for column in COLUMNS if column not in skill]
    if missing:
        raise ValueError(f"{source}: column {missing[0]!r} is missing; a skill table needs {', '.join(COLUMNS)}")
    unknown = [name for name in skill.metric.unique() if name not in METRICS]
    if unknown:
        raise ValueError(f"{source}: metric {unknown[0]!r} is unknown; available: {', '.join(METRICS)}")
    keys = [column for column in COLUMNS if column != "value"]
    doubled = skill.duplicated(keys)
    if doubled.any():
        first = skill.loc[doubled.to_numpy(), keys].iloc[0].to_dict()
        raise ValueError(f"{source}: two values for {first}; include each evaluation once")
    return skill


def summarise(skill, samples=SAMPLES, seed=0, blocks=None):
    """Medians over places with their uncertainty.

    Args:
        skill: skill table; a column ``unit``, if present, is the unit of the variable (otherwise mm/day).
        samples: bootstrap resamples of blocks.
        seed: of the resampling.
        blocks: domain -> Series of the label of each place's block, by place id (:func:`~thalweg.evaluation.blocks.read_blocks`);
            without them every place is a block.

    Returns:
        DataFrame: a row per domain, experiment, variable, model and metric, in the table's own order, with

        - ``places``: places with a value, and ``undefined``: places without one;
        - ``median``: over places, of each place's mean over seeds and folds;
        - ``low``, ``high``: 95 % percentile interval of that median by the block bootstrap; NaN for a single block;
        - ``median_distance``: median over places of the distance to the metric's best value. For a bias it distinguishes a
          model with errors of both signs, whose ``median`` may be 0, from one without errors;
        - ``seeds``, ``seed_low``, ``seed_high``: number of seeds, and minimum and maximum median of a single seed;
        - ``unit``, ``best``: of the metric.

    Raises:
        ValueError: from :func:`check_skill`.
    """
    check_skill(skill)
    rows = []
    for key, group in skill.groupby(list(_GROUP), sort=False):
        means = group.groupby("place").value.mean()
        values = means.dropna().to_numpy()
        label = labels_of(means.dropna().index, key[0], blocks)
        per_seed = group.groupby(["seed", "place"], dropna=False).value.mean().groupby("seed", dropna=False).median()
        low, high = block_bootstrap(values, label, samples=samples, seed=seed)
        best = METRICS[key[-1]].best
        rows.append(
            {
                **dict(zip(_GROUP, key)),
                "places": len(values),
                "undefined": len(means) - len(values),
                "median": np.median(values) if len(values) else np.nan,
                "low": low,
                "high": high,
                "median_distance": np.median(np.abs(values - best)) if len(values) else np.nan,
                "seeds": len(per_seed),
                "seed_low": per_seed.min(),
                "seed_high": per_seed.max(),
                "unit": unit_of(key[-1], group.unit.iloc[0] if "unit" in group else SERIES),
                "best": best,
            }
        )
    return pd.DataFrame(rows)


_GROUP = ("domain", "experiment", "variable", "model", "metric")
SERIES = "mm/day"  # in the registry of metrics it denotes the unit of the series


def unit_of(metric, unit):
    """The unit of a metric of a variable that is in ``unit``."""
    own = METRICS[metric].unit
    return unit if own == SERIES else own


def compare(skill, metric, samples=SAMPLES, seed=0, blocks=None):
    """Paired comparison of every two models at the places where both were tested.

    The pairs are places; a model's value at a place is its mean over seeds and folds. The *improvement* of ``model``
    over ``reference`` at a place is the difference of their values where higher is better, and otherwise how much closer
    ``model`` is to the metric's best value: positive always means that ``model`` is better, in the metric's unit.

    Args:
        skill: skill table.
        metric: name of the metric compared.
        samples: bootstrap resamples of blocks.
        seed: of the resampling.
        blocks: as in :func:`summarise`.

    Returns:
        DataFrame: a row per domain, experiment, variable and pair of models, with

        - ``places``: pairs, and ``ties``: pairs without a difference, which the test drops (Wilcoxon 1945);
        - ``median_improvement``, ``low``, ``high``: with the 95 % percentile interval by the block bootstrap;
        - ``rank_biserial``: (W+ - W-) / (W+ + W-) with W the sums of signed ranks, from -1 to 1 (Kerby 2014,
          doi:10.2466/11.IT.3.1);
        - ``p``: two-sided Wilcoxon signed-rank test, exact up to 50 pairs without equal differences and by the normal
          approximation otherwise;
        - ``p_holm``: corrected after Holm (1979) for all pairs of models tested in the same domain and experiment, for
          the same variable;
        - ``reason``: why ``p`` is NaN, empty if it is not.

    Raises:
        ValueError: if no row has ``metric``, or from :func:`check_skill`.
    """
    check_skill(skill)
    chosen = skill[skill.metric == metric]
    if chosen.empty:
        raise ValueError(f"no row has metric {metric!r}; available: {', '.join(skill.metric.unique())}")
    tables = []
    for (domain, experiment, variable), group in chosen.groupby(["domain", "experiment", "variable"], sort=False):
        score = as_score(group.groupby(["model", "place"]).value.mean(), METRICS[metric]).unstack("model")
        differences = {
            (model, reference): (score[model] - score[reference]).dropna()
            for model, reference in combinations(group.model.unique(), 2)
        }
        rows = [
            {
                "domain": domain,
                "experiment": experiment,
                "variable": variable,
                "metric": metric,
                "model": model,
                "reference": reference,
                **_paired(difference, labels_of(difference.index, domain, blocks), samples, seed),
            }
            for (model, reference), difference in differences.items()
        ]
        if rows:
            table = pd.DataFrame(rows)
            table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table.p.to_numpy()))
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COMPARISON)


_COMPARISON = (
    *("domain", "experiment", "variable", "metric", "model", "reference", "places", "ties", "median_improvement"),
    *("low", "high", "rank_biserial", "p", "p_holm", "reason"),
)


def as_score(value, metric):
    """Values of a :class:`~thalweg.metrics.scores.Metric` as scores, of which higher is better."""
    return value if metric.direction == "higher" else -(value - metric.best).abs()


def labels_of(places, domain, blocks):
    """Block label of each place (place,).

    Args:
        places: Index of place ids.
        domain: name.
        blocks: domain -> Series of labels by place id; without one for the domain, as for a single tower, every place is a block.

    Raises:
        ValueError: if a place has no block.
    """
    if blocks is None or domain not in blocks:
        return np.arange(len(places))
    label = blocks[domain].reindex(places)
    if label.isna().any():
        raise ValueError(
            f"{domain}: place {label.index[label.isna()][0]!r} has skill but no block; pass the domain file used in its simulation"
        )
    return label.to_numpy()


def _paired(improvement, label, samples, seed):
    """Statistics of :func:`compare` for paired improvements (Series by place): a dict of its columns from ``places`` on."""
    nonzero = improvement[improvement != 0]
    low, high = block_bootstrap(improvement, label, samples=samples, seed=seed)
    p, reason = signed_rank_p(improvement)
    return {
        "places": len(improvement),
        "ties": len(improvement) - len(nonzero),
        "median_improvement": improvement.median(),
        "low": low,
        "high": high,
        "rank_biserial": _rank_biserial(improvement),
        "p": p,
        "reason": reason,
    }


def signed_rank_p(improvement):
    """Wilcoxon's signed-rank test of paired improvements (place,) without NaN.

    Returns:
        (float, str): two-sided p, exact up to 50 pairs without equal differences and by the normal approximation otherwise;
        and the reason why it is NaN, empty if it is not.
    """
    from scipy.stats import wilcoxon

    nonzero = np.asarray(improvement)[np.asarray(improvement) != 0]
    if len(nonzero) < MIN_PAIRS:
        return np.nan, f"{len(nonzero)} places differ; the test needs {MIN_PAIRS}"
    equal = len(np.unique(np.abs(nonzero))) < len(nonzero)
    return wilcoxon(nonzero, method="asymptotic" if equal or len(nonzero) > 50 else "exact").pvalue, ""


def _rank_biserial(improvement):
    from scipy.stats import rankdata

    nonzero = improvement[improvement != 0]
    if len(nonzero) == 0:
        return 0.0 if len(improvement) else np.nan
    ranks = rankdata(np.abs(nonzero))
    return np.sum(ranks * np.sign(nonzero)) / ranks.sum()


def holm(p):
    """Holm's step-down correction of p-values (test,); NaN marks a test that was not performed and is not counted.

    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    p = np.asarray(p, dtype=float)
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return corrected
