"""Tables of skill behind figures: against the amount of training data, and against the distance to training places."""

import numpy as np
import pandas as pd

from thalweg.evaluation.blocks import SAMPLES
from thalweg.evaluation.statistics import summarise
from thalweg.metrics.calendar import TEXT

CLASSES = 6  # of distance, at most
MIN_PLACES = 8  # in a class: intervals of the median of fewer are uninformative


def skill_by_training_data(skill, sweeps, models, metric="NSE", samples=SAMPLES, blocks=None, source="skill"):
    """Medians of skill of models by amount of training data.

    Args:
        skill: skill table of one domain and variable.
        sweeps: name -> {experiment: level}, a level being a share (0 to 1) or a number of years.
        models: models compared.
        metric: name in :mod:`thalweg.metrics.scores`.
        samples, blocks: as in :func:`~thalweg.evaluation.statistics.summarise`.
        source: for messages.

    Returns:
        DataFrame: the rows of :func:`~thalweg.evaluation.statistics.summarise` after the columns sweep and level. All rows of a
        sweep are of the same places: those with a value of each model at each level.

    Raises:
        ValueError: if a model has no skill at a level, or no place has a value of all.
    """
    skill = skill[(skill.metric == metric) & skill.model.isin(models)]
    tables = []
    for name, levels in sweeps.items():
        same = _same_places(skill[skill.experiment.isin(levels)], levels, models, source)
        table = summarise(same, samples, blocks=blocks)
        table.insert(0, "sweep", name)
        table.insert(1, "level", table.experiment.map(levels))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _same_places(skill, levels, models, source):
    """Rows of the places that have a value of every model in every experiment."""
    present = skill.dropna(subset="value").groupby(["experiment", "model", "place"]).size().unstack("place")
    wanted = pd.MultiIndex.from_product([levels, models])
    missing = wanted.difference(present.index)
    if len(missing):
        experiment, model = missing[0]
        raise ValueError(f"{source}: no skill of model {model!r} in {experiment!r}; omit it or score it")
    places = present.columns[present.loc[wanted].notna().all()]
    if places.empty:
        raise ValueError(f"{source}: no place has a value of every model in all of {', '.join(levels)}")
    return skill[skill.place.isin(places)]


def with_distance(skill, splits, models, metric="NSE", source="skill"):
    """Skill at tested places and the distance to the nearest training place.

    Args:
        skill, models, metric, source: as in :func:`skill_by_training_data`.
        splits: experiment -> table of :func:`thalweg.experiments.splits.make_splits`.

    Returns:
        dict: experiment -> rows of the skill table with the column ``nearest_training_km``.

    Raises:
        ValueError: if a model has no skill in an experiment.
    """
    skill = skill[(skill.metric == metric) & skill.model.isin(models)]
    tables = {}
    for experiment, split in splits.items():
        distance = split.loc[split.test, ["fold", "place", "nearest_training_km"]]
        rows = skill[skill.experiment == experiment].merge(distance, on=["fold", "place"])
        missing = [model for model in models if rows[rows.model == model].value.isna().all()]
        if missing:
            raise ValueError(f"{source}: no {metric} of model {missing[0]!r} in {experiment}")
        tables[experiment] = rows
    return tables


def read_distances(path):
    """The columns of a split's file used by :func:`with_distance`."""
    return pd.read_csv(path, dtype=TEXT)


def skill_by_distance(skill, splits, models, metric="NSE", samples=SAMPLES, blocks=None, source="skill"):
    """Medians of skill in classes of distance with equal numbers of places, and rank correlations with distance.

    Args:
        skill, splits, models, metric, source: as in :func:`with_distance`.
        samples, blocks: as in :func:`~thalweg.evaluation.statistics.summarise`.

    Returns:
        DataFrame: the rows of :func:`~thalweg.evaluation.statistics.summarise` by distance_class (from 1, the nearest), with
        distance_km, the median over the places of the class, and rank_correlation, Spearman's rho of skill and distance over all
        places of the experiment (means over seeds and folds).

    Raises:
        ValueError: from :func:`with_distance`.
    """
    tables = []
    for rows in with_distance(skill, splits, models, metric, source).values():
        distance = rows.groupby("place").nearest_training_km.mean()
        count = int(np.clip(len(distance) // MIN_PLACES, 1, CLASSES))
        classes = rows.place.map(pd.qcut(distance.rank(method="first"), count, labels=False))
        correlation = {model: _rank_correlation(part) for model, part in rows.groupby("model")}
        for number, part in rows.groupby(classes):
            table = summarise(part, samples, blocks=blocks)
            table.insert(0, "distance_class", int(number) + 1)
            table["distance_km"] = distance[part.place.unique()].median()
            table["rank_correlation"] = table.model.map(correlation)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _rank_correlation(rows):
    from scipy.stats import spearmanr

    return spearmanr(*places_with_distance(rows).to_numpy().T).statistic


def places_with_distance(rows):
    """Mean distance and skill of each place over seeds and folds: DataFrame (place,) of nearest_training_km and value."""
    return rows.groupby("place")[["nearest_training_km", "value"]].mean().dropna()
