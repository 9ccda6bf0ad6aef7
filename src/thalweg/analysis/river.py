"""Effect of routing through the river network: the water balance, and skill by size of catchment."""

import numpy as np
import pandas as pd

from thalweg.analysis.roughness import roughness_by_order
from thalweg.basin.domain import read_domain
from thalweg.evaluation.blocks import SAMPLES, read_blocks
from thalweg.evaluation.statistics import compare, holm, read_skill, summarise
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation

AREA_CLASSES = {
    "below 100 km2": (0, 100),
    "100 to 1000 km2": (100, 1000),
    "above 1000 km2": (1000, np.inf),
}  # drainage area from the first number on and below the second
ALL = "all"
METRICS = ("NSE", "KGE")


ANALYSIS = Declared(
    of="rivers",
    reads={"domain_path": "domain", "simulations": "simulations:routed_models", "skill_csv": "skill"},
    given={"models": "compared_with_river", "samples": "bootstrap_samples"},
    title="river routing",
    caption="Models routed through the river. mass: water balance over the test period, in m3 for each fold and seed; closure is the "
    "residual as a share of the runoff, rounding if no water is created or lost. skill: medians over gauges by class of drainage "
    "area with 95 % intervals of a bootstrap of blocks of neighbouring gauges, and the gain of the routed model over each other one at the "
    "same gauges, with Wilcoxon's signed-rank test corrected after Holm; gauges on one river share water, so the tests are optimistic. "
    "roughness: Manning's n learned from discharge by Strahler's stream order, median and 5 to 95 % range over reaches and seeds, with "
    "the dataset's own n and the range of natural streams in Chow (1959, table 5-6); the learned n also represents what the model "
    "leaves out, such as pools, bends and flood plains.",
    category="River",
    tables=("mass", "skill", "roughness"),
    shown=("mass", "skill", "roughness"),
)


def analyse(domain_path, simulations, skill_csv, models, samples, domain, experiment):
    """Water balance, skill by drainage area and roughness by stream order of every routed model."""
    basin, skill = read_domain(domain_path), read_skill(skill_csv)
    here = (skill.domain == domain) & (skill.experiment == experiment)
    skill = skill[here & (skill.variable == "discharge")]
    area = pd.Series(basin.places.drainage_area.values, index=basin.place_ids)
    tables = {"mass": [], "skill": [], "roughness": []}
    for routed, path in simulations.items():
        parameters = read_simulation(path, "parameters")
        by_area = skill_by_area(skill, area, routed, models, samples, {domain: read_blocks(domain_path)})
        by_area.insert(2, "routed", routed)
        tables["skill"].append(by_area)
        for name, rows in (("mass", mass_balance(parameters)), ("roughness", roughness_by_order(basin, parameters))):
            for position, (column, value) in enumerate(
                {"domain": domain, "experiment": experiment, "model": routed}.items()
            ):
                rows.insert(position, column, value)
            tables[name].append(rows)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


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
        DataFrame: a row per fold and seed with the volumes in m3, and ``closure``: the residual, as a share of
        the inflow [dimensionless].

    Raises:
        ValueError: if a volume is missing, as for a model without a river; the message names the first.
    """
    columns = ["volume_before", "volume_in", "volume_out", "volume_after"]
    for name in columns:
        if name not in parameters:
            raise ValueError(
                f"variable {name!r} is missing: the parameters are not from a model routed through a river"
            )
    table = parameters[columns].to_dataframe().reset_index()[["fold", "seed", *columns]]
    lost = table.volume_before + table.volume_in - table.volume_out - table.volume_after
    table["closure"] = lost / table.volume_in
    return table.rename(columns={name: f"{name}_m3" for name in columns})


def skill_by_area(skill, area, routed, models, samples=SAMPLES, blocks=None):
    """Skill of models by drainage area, and the gain of the routed one.

    Args:
        skill: skill table of discharge in one domain and experiment.
        area: drainage area of gauges in km2, Series by place id.
        routed: the model routed through the network.
        models: the models compared with it.
        samples: bootstrap resamples of blocks.
        blocks: as in :func:`~thalweg.evaluation.statistics.summarise`.

    Returns:
        DataFrame: a row per metric, class of drainage area and model with ``places``, ``median`` and its 95 % interval
        (``low``, ``high``), and ``improvement``: the median over gauges of the routed model's metric minus this
        model's, with its interval, p of the Wilcoxon signed-rank test, that p after Holm's correction for all tests of the
        table, and the reason if there is none.

    Raises:
        ValueError: if a model has no skill; the message names the first.
    """
    order = [routed, *(model for model in models if model != routed)]
    for model in order:
        if model not in set(skill.model):
            raise ValueError(f"model {model!r} has no skill; available: {', '.join(skill.model.unique())}")
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
