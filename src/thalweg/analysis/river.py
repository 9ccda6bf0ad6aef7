"""What routing through the river network brings: the water balance, and skill by size of catchment."""

import numpy as np
import pandas as pd

from thalweg.evaluation.blocks import SAMPLES
from thalweg.evaluation.statistics import compare, holm, summarise

AREA_CLASSES = {
    "below 100 km2": (0, 100),
    "100 to 1000 km2": (100, 1000),
    "above 1000 km2": (1000, np.inf),
}  # drainage area from the first number on and below the second
ALL = "all"
METRICS = ("NSE", "KGE")


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


def skill_by_area(skill, area, routed, models, samples=SAMPLES, blocks=None):
    """Skill of models by drainage area, and by how much the routed one is better.

    Args:
        skill: skill table of discharge in one domain and experiment.
        area: drainage area of gauges in km2, Series by place id.
        routed: the model routed through the network.
        models: the models beside it.
        samples: bootstrap resamples of blocks.
        blocks: as of :func:`~thalweg.evaluation.statistics.summarise`.

    Returns:
        DataFrame: a row per metric, class of drainage area and model with ``places``, ``median`` and its 95 % interval
        (``low``, ``high``), and ``improvement``: the median over gauges of the routed model's metric minus this
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
    size = area_class(area.reindex(skill.place).to_numpy())
    tables = []
    for name in [*AREA_CLASSES, ALL]:
        part = skill[(size == name) | (name == ALL)]
        if part.value.notna().any():
            table = _with_improvement(part, routed, samples, blocks)
            table.insert(3, "area_class", name)
            tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table.p.to_numpy()))
    return table.sort_values("metric", key=lambda names: names.map(METRICS.index), kind="stable", ignore_index=True)


def _with_improvement(skill, routed, samples, blocks):
    medians = summarise(skill, samples, blocks=blocks)[
        ["domain", "experiment", "metric", "model", "places", "median", "low", "high", "seeds"]
    ]
    pairs = pd.concat(
        [compare(skill, metric, samples, blocks=blocks) for metric in skill.metric.unique()], ignore_index=True
    )
    pairs = pairs[pairs.model == routed]
    renamed = {"reference": "model", "median_improvement": "improvement", "low": "improvement_low"}
    pairs = pairs.drop(columns="model").rename(columns=renamed | {"high": "improvement_high"})
    columns = ["metric", "model", "improvement", "improvement_low", "improvement_high", "p", "reason"]
    return medians.merge(pairs[columns], on=["metric", "model"], how="left").fillna({"reason": ""})
