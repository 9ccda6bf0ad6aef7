"""Learned parameters against soil, geology, vegetation, water and climate, and how stable they are over seeds and folds.

A network computes the parameters from the same attributes they are compared with. A correlation shows which attributes
the network uses and with which sign, and whether this agrees with hydrological expectation; it is not independent
evidence that the parameter is correct.

The null hypothesis is no relation between land and parameters: the rows of the parameters are shuffled over units, all
parameters together, and the maximum absolute rank correlation of all pairs is kept (max-statistic: Westfall & Young 1993),
so that p holds for the whole family of pairs. Shuffling ignores spatial correlation, so p is optimistic where units are
near each other. Stability is the intraclass correlation ICC(1) of Shrout & Fleiss (1979, doi:10.1037/0033-2909.86.2.420), with
units as targets and seeds, or folds, as raters: 1 if each learns the same map, about 0 if they agree no better than chance.
Folds are compared by their means over seeds; they start with the same weights and share most training places, so they show
the effect of a few different places, not that of chance.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from thalweg.analysis.question import answered
from thalweg.basin.domain import DataError, read_domain, spatial_domain
from thalweg.basin.observables import observable
from thalweg.evaluation.blocks import CONFIDENCE, block_bootstrap, blocks_of
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.learn.scaling import climate_attributes
from thalweg.metrics.calendar import period, read_splits
from thalweg.settings.blocks import PhysicsJob

SIGNIFICANT = 0.05


ANALYSIS = Declared(
    of="attributed",
    reads={"domain_path": "domain", "split_path": "split", "simulations": "simulations:with_attributes"},
    given={"settings": "attribute_jobs"},
    title="parameters and attributes",
    caption="Spearman's rank correlations of learned parameters (means over folds and seeds) with attributes over units. p_familywise "
    "is that of the largest absolute correlation of all pairs under permutation of units, null its value exceeded by chance in 5 % of "
    "permutations; expected is the sign of a hypothesis made beforehand. The network computes the parameters from these "
    "attributes: a correlation shows what it uses, not that it is right. icc_seeds and icc_folds are intraclass correlations, 1 where "
    "every seed or fold learns the same map.",
    category="Physics",
    tables=("", "evidence"),
)


def analyse(domain_path, split_path, simulations, settings, domain, experiment):
    """Correlations of every model, parameter and attribute, and their evidence; see :func:`attribute_all`."""
    job = PhysicsJob.model_validate(settings)
    parameters = {name: read_simulation(path, "parameters") for name, path in simulations.items()}
    table, rows = attribute_all(read_domain(domain_path), read_splits(split_path), job, parameters)
    return answered(table, rows, domain, experiment)


class Hypothesis(NamedTuple):
    """Expected relations of attributes with parameters that have the same meaning in several processes."""

    reason: str
    parameters: tuple[str, ...]
    attributes: tuple[str, ...]
    sign: int


HYPOTHESES = (
    Hypothesis(
        "deep roots and pores hold water",
        ("FC", "X1", "Smax", "stot", "smax"),
        ("root_depth_50", "soil_porosity", "soil_water_capacity"),
        1,
    ),
    Hypothesis("permeable rock drains fast", ("K2", "cg", "klzp", "k5"), ("geological_permeability",), 1),
    Hypothesis("forest shades snow", ("CFMAX", "Df", "ddf"), ("forest_fraction", "forest"), -1),
    Hypothesis("dense leaves evaporate from drying soil too", ("BETAET",), ("maximum_leaf_area_index",), -1),
)
EXPECTED = {
    (parameter, attribute): hypothesis.sign
    for hypothesis in HYPOTHESES
    for parameter in hypothesis.parameters
    for attribute in hypothesis.attributes
}


def rank_correlations(first, second):
    """Spearman's rho of every column of (unit, a) with every column of (unit, b): array (a, b); 0 for a constant column."""
    return _standard_ranks(first).T @ _standard_ranks(second)


def _standard_ranks(columns):
    from scipy.stats import rankdata

    ranks = rankdata(columns, axis=0)
    ranks -= ranks.mean(0)
    norm = np.sqrt((ranks**2).sum(0))
    return np.divide(ranks, norm, out=np.zeros_like(ranks), where=norm > 0)


def familywise_null(first, second, samples, seed=0):
    """Maximum absolute rank correlation over all pairs of columns with the rows of the first shuffled: (samples,)."""
    generator = np.random.default_rng(seed)
    first, second = _standard_ranks(first), _standard_ranks(second)
    return np.array([np.abs(generator.permutation(first).T @ second).max() for _ in range(samples)])


def intraclass_correlation(ratings):
    """ICC(1) of ratings (..., target, rater): (B - W) / (B + (k - 1) W) of mean squares between and within targets.

    NaN for fewer than two targets or raters, or without variation.
    """
    targets, raters = ratings.shape[-2:]
    if targets < 2 or raters < 2:
        return np.full(ratings.shape[:-2], np.nan)
    mean = ratings.mean(-1)
    between = raters * mean.var(-1, ddof=1)
    within = ((ratings - mean[..., None]) ** 2).sum((-1, -2)) / (targets * (raters - 1))
    total = between + (raters - 1) * within
    return np.divide(between - within, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def mean_rank_correlation(ratings):
    """Mean over pairs of raters of Spearman's rho over targets of ratings (target, rater); NaN with one rater."""
    pairs = list(combinations(range(ratings.shape[1]), 2))
    correlations = rank_correlations(ratings, ratings)
    return np.mean([correlations[pair] for pair in pairs]) if pairs else np.nan


def attributes_of(domain, splits, training):
    """Attributes of every unit that vary, with the climate of the training period if networks used it.

    Returns:
        DataFrame (unit,): every attribute that may be an input of networks.
    """
    columns = {name: domain.attributes[name].values for name in domain.inputs}
    if training.climate_attributes:
        time = domain.forcing.time.values
        first, last = period(splits[splits.fold == splits.fold.min()], "train", time)
        columns |= climate_attributes(domain, (time[first], time[last - 1]))
    table = pd.DataFrame(columns, index=domain.unit_ids)
    return table.loc[:, table.nunique() > 1]


def seen_units(domain, variables):
    """Positions of the units that the places of a domain observe (unit,): those upstream, or for samples the places' own."""
    if any(observable(name).gather != "unit" for name in variables):
        return np.unique(domain.catchment_weights.indices)
    units = domain.place_units
    return np.unique(units[units >= 0])


def attribute(domain, splits, job, parameters, samples):
    """Correlations of one model's learned parameters with attributes.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        splits: table of :func:`~thalweg.experiments.splits.make_splits`.
        job: :class:`~thalweg.settings.blocks.TrainingJob` of a model of kind process whose network is ``attributes``.
        parameters: Dataset (fold, seed, unit), the group of its simulation; known parameters are omitted.
        samples: permutations, and resamples.

    Returns:
        (DataFrame, dict of dict): a row per parameter and attribute, over :func:`seen_units`: parameter, attribute,
        correlation (Spearman's rho of the mean over folds and seeds), p_familywise, null (the value exceeded by the
        maximum of all absolute correlations in 5 % of permutations), expected (sign of the hypothesis, 0 for none),
        units, icc_seeds (mean over folds), icc_folds (of means over seeds) and rank_correlation_seeds (mean over folds
        and pairs of seeds), the last three NaN with a single seed or fold; and for the raters ``seeds`` and ``folds``, where there
        are at least two, the median over parameters of their ICC with its interval, and the number of parameters.

    Raises:
        DataError: if no attribute differs between units.
    """
    seen = spatial_domain(domain, job.model)
    units = seen_units(seen, job.variables)
    land = attributes_of(seen, splits, job.training).iloc[units]
    land = land.loc[:, land.nunique() > 1]
    if land.empty:
        raise DataError(f"{domain.name}/attributes: no attribute differs between the observed units; add attributes")
    aligned = parameters.assign_coords(unit=parameters.unit.astype(str)).sel(unit=seen.unit_ids[units])
    names = [
        name for name, v in aligned.data_vars.items() if v.dims == ("fold", "seed", "unit") and not v.attrs.get("known")
    ]
    learned = np.stack([aligned[name].values for name in names])  # (parameter, fold, seed, unit)
    means = learned.mean((1, 2)).T
    correlations = rank_correlations(means, land.to_numpy())
    null = familywise_null(means, land.to_numpy(), samples)
    exceeded = (null[:, None, None] >= np.abs(correlations) - 1e-12).sum(0)
    rows = pd.DataFrame(
        [
            {
                "parameter": name,
                "attribute": other,
                "correlation": correlations[i, j],
                "p_familywise": (1 + exceeded[i, j]) / (1 + samples),
                "expected": EXPECTED.get((name, other), 0),
            }
            for i, name in enumerate(names)
            for j, other in enumerate(land)
        ]
    ).assign(null=np.quantile(null, CONFIDENCE), units=len(units))
    by_seed = learned.swapaxes(-1, -2)  # (parameter, fold, unit, seed)
    by_fold = by_seed.mean(-1).swapaxes(-1, -2)  # (parameter, unit, fold)
    stability = pd.DataFrame(
        {
            "icc_seeds": intraclass_correlation(by_seed).mean(1),
            "icc_folds": intraclass_correlation(by_fold),
            "rank_correlation_seeds": [np.mean([mean_rank_correlation(fold) for fold in each]) for each in by_seed],
        },
        index=names,
    )
    blocks = blocks_of(seen.attributes.isel(unit=units))
    ratings = {"seeds": by_seed, "folds": by_fold[:, None]}
    stabilities = {
        raters: _stability(given, blocks, samples) for raters, given in ratings.items() if given.shape[-1] > 1
    }
    return rows.merge(stability, left_on="parameter", right_index=True), stabilities


def _stability(ratings, blocks, samples):
    """Median over parameters of ICC(1) of ratings (parameter, repetition, unit, rater), with its interval from blocks of units."""
    count, repetitions, places, raters = ratings.shape
    flat = ratings.transpose(2, 0, 1, 3).reshape(places, -1)

    def median(rows):
        again = rows.reshape(-1, count, repetitions, raters).transpose(1, 2, 0, 3)
        return np.nanmedian(intraclass_correlation(again).mean(1))

    low, high = block_bootstrap(flat, blocks, median, samples)
    return {"effect": median(flat), "low": low, "high": high, "n": count}


def attribute_all(domain, splits, job, parameters):
    """The table and the evidence of all models of an experiment whose parameters are learned from attributes.

    - ``parameter_as_expected``: share of the hypothesised pairs (:data:`HYPOTHESES`) present with the expected sign
      and a familywise p below 0.05;
    - ``parameter_stability_seeds``, ``parameter_stability_folds``: median over parameters of ICC(1) over seeds, over folds.

    Args:
        domain, splits: as in :func:`attribute`.
        job: :class:`~thalweg.experiments.trained.PhysicsJob`.
        parameters: name of a model -> Dataset (fold, seed, unit).

    Returns:
        (DataFrame, list of dict): rows of :func:`attribute` after the column model; rows of evidence without domain and
        experiment.
    """
    tables, rows = [], []
    for model, learned in parameters.items():
        table, stabilities = attribute(domain, splits, job.models[model], learned, job.bootstrap_samples)
        table.insert(0, "model", model)
        tables.append(table)
        shared = {"model": model, "reference": "", "p": np.nan}
        hypothesised = table[table.expected != 0]
        if len(hypothesised):
            met = (np.sign(hypothesised.correlation) == hypothesised.expected) & (
                hypothesised.p_familywise < SIGNIFICANT
            )
            rows.append(
                shared
                | {
                    "quantity": "parameter_as_expected",
                    "effect": met.mean(),
                    "low": np.nan,
                    "high": np.nan,
                    "n": len(met),
                    "unit": "share of hypothesised pairs",
                    "test": "expected sign of Spearman's rho and familywise permutation p < 0.05, of each pair",
                }
            )
        rows += [
            shared
            | stability
            | {
                "quantity": f"parameter_stability_{raters}",
                "unit": "dimensionless",
                "test": f"median over parameters of ICC(1) over {raters}; block bootstrap of units",
            }
            for raters, stability in stabilities.items()
        ]
    return pd.concat(tables, ignore_index=True), rows
