"""What routing through the river network brings: its water balance, its skill by size of catchment, its roughness."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from thalweg.study.statistics import SAMPLES, compare, holm, summarise

AREA_CLASSES = {
    "below 100 km2": (0, 100),
    "100 to 1000 km2": (100, 1000),
    "above 1000 km2": (1000, np.inf),
}  # drainage area from the first number on and below the second
ALL = "all"
METRICS = ("NSE", "KGE")

# Chow (1959), Open-Channel Hydraulics, table 5-6: least and greatest Manning's n of natural streams, which he calls major
# where they are more than 100 feet wide at flood stage. Mountain streams without vegetation: 0.030 to 0.070.
MAJOR_WIDTH = 30.48  # m
MINOR_STREAMS, MAJOR_STREAMS = (0.025, 0.150), (0.025, 0.100)


def strahler(river):
    """Stream order after Strahler: 1 without a reach upstream, one more than the highest upstream where two of that join.

    Args:
        river: :class:`thalweg.network.River`.

    Returns:
        int array (reach,).
    """
    order = np.ones(len(river.reach), int)
    joining = [[] for _ in river.reach]
    for position in river.order:
        above = joining[position]
        if above:
            order[position] = max(above) + (above.count(max(above)) > 1)
        if river.downstream[position] >= 0:
            joining[river.downstream[position]].append(order[position])
    return order


def area_class(area):
    """The class of :data:`AREA_CLASSES` of each drainage area (any,) in km2: array of names (any,)."""
    first = [low for low, _ in AREA_CLASSES.values()]
    return np.array(list(AREA_CLASSES))[np.searchsorted(first, area, side="right") - 1]


def mass_balance(parameters):
    """The river's water balance over the test period.

    Args:
        parameters: Dataset of a routed model, with ``volume_before``, ``volume_in``, ``volume_out`` and ``volume_after``
            (fold, seed) in m3.

    Returns:
        DataFrame: a row per fold and seed with the volumes in m3, and ``closure``: what is unaccounted for, as a share of
        the inflow [dimensionless].

    Raises:
        ValueError: naming the first volume that is missing, which a model without a river has none of.
    """
    columns = ["volume_before", "volume_in", "volume_out", "volume_after"]
    for name in columns:
        if name not in parameters:
            raise ValueError(f"variable {name!r} is missing: the parameters are not those of a model routed by a river")
    table = parameters[columns].to_dataframe().reset_index()[["fold", "seed", *columns]]
    lost = table.volume_before + table.volume_in - table.volume_out - table.volume_after
    table["closure"] = lost / table.volume_in
    return table.rename(columns={name: f"{name}_m3" for name in columns})


def skill_by_area(skill, area, routed, models, samples=SAMPLES):
    """Skill of models by drainage area, and by how much the routed one is better.

    Args:
        skill: skill table of one domain and experiment.
        area: drainage area of gauges in km2, Series by gauge id.
        routed: the model routed through the network.
        models: the models beside it.
        samples: bootstrap resamples of gauges.

    Returns:
        DataFrame: a row per metric, class of drainage area and model with ``gauges``, ``median`` and its 95 % interval
        over gauges (``low``, ``high``), and ``improvement``: the median over gauges of the routed model's metric less this
        model's, with its interval, p of the Wilcoxon signed-rank test, that p after Holm's correction for all tests of the
        table, and the reason why there is none.

    Raises:
        ValueError: naming the first model without skill.
    """
    order = [routed, *(model for model in models if model != routed)]
    for model in order:
        if model not in set(skill.model):
            raise ValueError(f"model {model!r} has no skill; there is of {', '.join(skill.model.unique())}")
    skill = skill[skill.model.isin(order) & skill.metric.isin(METRICS)]
    skill = skill.sort_values("model", key=lambda names: names.map(order.index), kind="stable")
    size = area_class(area.reindex(skill.gauge).to_numpy())
    tables = []
    for name in [*AREA_CLASSES, ALL]:
        part = skill[(size == name) | (name == ALL)]
        if part.value.notna().any():
            table = _with_improvement(part, routed, samples)
            table.insert(3, "area_class", name)
            tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table.p.to_numpy()))
    return table.sort_values("metric", key=lambda names: names.map(METRICS.index), kind="stable", ignore_index=True)


def _with_improvement(skill, routed, samples):
    medians = summarise(skill, samples)[
        ["domain", "experiment", "metric", "model", "gauges", "median", "low", "high", "seeds"]
    ]
    pairs = pd.concat([compare(skill, metric, samples) for metric in skill.metric.unique()], ignore_index=True)
    pairs = pairs[pairs.model == routed]
    renamed = {"reference": "model", "median_improvement": "improvement", "low": "improvement_low"}
    pairs = pairs.drop(columns="model").rename(columns=renamed | {"high": "improvement_high"})
    columns = ["metric", "model", "improvement", "improvement_low", "improvement_high", "p", "reason"]
    return medians.merge(pairs[columns], on=["metric", "model"], how="left").fillna({"reason": ""})


def roughness_by_order(domain, parameters):
    """Learned Manning's n by stream order, beside the dataset's and the literature's.

    Args:
        domain: :class:`thalweg.domain.Domain`. ``manning_n``, ``width`` [m] and ``drainage_area`` [km2] of its network
            are compared where they are there.
        parameters: Dataset of a routed model, with ``roughness`` (fold, seed, reach) in s/m**(1/3).

    Returns:
        DataFrame: a row per stream order and one for all, with

        - ``reaches`` and medians over them of drainage area [km2] and width [m];
        - ``learned``, ``learned_low``, ``learned_high``: median, 5th and 95th percentile over reaches, folds and seeds;
        - ``seed_spread``: median over reaches of the standard deviation over seeds; NaN for one seed;
        - ``dataset``: median of the dataset's n;
        - ``chow_low``, ``chow_high``: least and greatest n of natural streams of that width (Chow 1959, table 5-6), and
          ``within_chow``: share of learned values in between;
        - ``rank_correlation_dataset``, ``rank_correlation_area``: Spearman's coefficient over reaches of learned n (mean
          over folds and seeds) with the dataset's n and with drainage area.
    """
    reach = domain.river.positions(parameters.reach.values)
    order = strahler(domain.river)[reach]
    runs = parameters.roughness.transpose("fold", "seed", "reach")
    mean = runs.mean(["fold", "seed"]).values
    spread = runs.mean("fold").std("seed", ddof=1).values if runs.sizes["seed"] > 1 else np.full(len(reach), np.nan)
    known = {name: of_reaches(domain, name)[reach] for name in ("drainage_area", "width", "manning_n")}
    rows = []
    for name in [*np.unique(order), ALL]:
        part = np.flatnonzero((order == name) if name != ALL else np.ones(len(order), bool))
        values = runs.values[..., part]
        area, width, stated = (known[each][part] for each in ("drainage_area", "width", "manning_n"))
        low, high = (np.where(width > MAJOR_WIDTH, *both) for both in zip(MAJOR_STREAMS, MINOR_STREAMS))
        rows.append(
            {
                "stream_order": name,
                "reaches": len(part),
                "drainage_area_km2": _median(area),
                "width_m": _median(width),
                "learned": np.median(values),
                "learned_low": np.percentile(values, 5),
                "learned_high": np.percentile(values, 95),
                "seed_spread": _median(spread[part]),
                "dataset": _median(stated),
                "chow_low": low.min(),
                "chow_high": high.max(),
                "within_chow": np.mean((values >= low) & (values <= high)),
                "rank_correlation_dataset": rank_correlation(mean[part], stated),
                "rank_correlation_area": rank_correlation(mean[part], area),
            }
        )
    return pd.DataFrame(rows)


def of_reaches(domain, name):
    """A quantity of the network's reaches (reach,); NaN where the dataset does not state it."""
    return domain.network[name].values if name in domain.network else np.full(len(domain.river.reach), np.nan)


def _median(values):
    known = values[np.isfinite(values)]
    return np.median(known) if len(known) else np.nan


def rank_correlation(first, second):
    """Spearman's coefficient of two arrays (any,); NaN when either is constant or fewer than three pairs are known."""
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return spearmanr(first, second).statistic
