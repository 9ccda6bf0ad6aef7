"""Internal fluxes of a process not used in training: evapotranspiration, baseflow, snow.

Evapotranspiration is compared with the water balance of the catchment, precipitation minus observed runoff, over the days
of observed discharge; the change of storage, which the balance leaves out, matters in a period of a year or two. A
process that neither exchanges water with its surroundings nor loses any balances too, so that its evapotranspiration is
as accurate in the mean as its runoff: there the test is of discharge in years not trained on, and of evapotranspiration
itself only for ``gr4j`` and ``prms``, which can lose water. The trivial predictor is Budyko's curve of precipitation P
and potential evapotranspiration PET (Budyko 1974), with phi = PET / P:

    E / P = sqrt(phi tanh(1 / phi) (1 - exp(-phi)))

Baseflow is the flow out of a process's lowest store. Its share of the runoff is compared with the baseflow index of observed
discharge by the filter of Lyne & Hollick (1979) as standardised by Ladson et al. (2013,
doi:10.7158/13241583.2013.11465417). The slow part of a hydrograph separated by a filter is not necessarily groundwater.
The trivial predictor is aridity.

The data contain no observation of snow: the maximum snow water of the year and its day are reported, not tested.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import torch

from thalweg.analysis.elasticity import tested, water_balance
from thalweg.analysis.question import answered, read_daily
from thalweg.basin.domain import spatial_domain
from thalweg.evaluation.blocks import block_labels
from thalweg.evaluation.evidence import compared, correlated, signed_rank
from thalweg.experiments.declared import Declared
from thalweg.experiments.models import series_of
from thalweg.experiments.trained import place_windows, trained_models
from thalweg.metrics.calendar import period, read_splits, water_year
from thalweg.metrics.signatures import baseflow_index
from thalweg.processes import Variable
from thalweg.settings.blocks import PhysicsJob

NO_BASEFLOW = ("gr4j",)  # whose routing store receives a fixed share of all water
SNOW = ("snowpack", "meltwater")  # states of snow, if a process has them
SNOW_YEAR = 270  # days of a water year in the period, minimum for its maximum snow water
MIN_SNOW = 1.0  # mm of snow water below which a year has no day of maximum


ANALYSIS = Declared(
    of="processes_in_time",
    reads={"domain_path": "domain", "split_path": "split", "weights": "weights:processes_of"},
    given={"settings": "process_jobs"},
    title="internal fluxes",
    caption="Fluxes that were not used in training, by process, seed and gauge over the test period. Evapotranspiration (mm/day) is "
    "compared with precipitation minus observed runoff and with Budyko's curve; the baseflow index with that of observed discharge by the "
    "filter of Lyne and Hollick. In a process that conserves water, mean evapotranspiration is as accurate as mean runoff, and what a "
    "filter calls baseflow is the slow part of a hydrograph. Maximum snow water (mm) and its day since 1 October are reported, not "
    "tested: the data contain no observation of snow.",
    category="Physics",
    tables=("", "evidence"),
    each=True,
    memory="4GB",
    runtime="1h",
)


def analyse(domain_path, split_path, weights, settings, domain, experiment):
    """Internal fluxes of every process, seed and gauge, and their evidence; see :func:`inner_fluxes_of_all`."""
    job, basin = PhysicsJob.model_validate(settings), read_daily(domain_path)
    table = inner_fluxes_of_all(basin, read_splits(split_path), job, weights)
    rows = untrained_evidence(table, block_labels(basin.places), job.reference, job.bootstrap_samples)
    return answered(table, rows, domain, experiment)


def budyko(precipitation, potential_evapotranspiration):
    """Mean evapotranspiration of Budyko's curve, in the unit of the precipitation."""
    phi = potential_evapotranspiration / precipitation
    return precipitation * np.sqrt(phi * np.tanh(1 / phi) * (1 - np.exp(-phi)))


def has_baseflow(process):
    """Whether a process has a flux from its lowest store."""
    return "baseflow" in process.flux_names and process.name not in NO_BASEFLOW


@cache
def with_snow_water(process):
    """The process with one more flux, ``snow_water``: snow and the water in it at the end of the day, mm."""
    states = [name for name in SNOW if name in process.state_names]

    def step(state, forcing, parameters):
        new_state, fluxes = process.step(state, forcing, parameters)
        return new_state, {**fluxes, "snow_water": sum((new_state[name] for name in states[1:]), new_state[states[0]])}

    snow_water = Variable("snow_water", "mm", "snow and the water in it")
    return replace(process, fluxes=(*process.fluxes, snow_water), step=step)


@torch.no_grad()
def inner_fluxes(domain, splits, job, weights):
    """Internal fluxes of every seed of the first fold in the tested catchments over the test period.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        splits: table of :func:`~thalweg.experiments.splits.make_splits`.
        job: :class:`~thalweg.settings.blocks.TrainingJob` of a model of kind process.
        weights: path of its weights.

    Returns:
        DataFrame with a row per seed and gauge: seed, place, evapotranspiration (mm/day, over the days of observed
        discharge), baseflow_index (dimensionless, NaN if the process has none), max_snow_water (mm, mean over
        water years) and day_of_max_snow_water (days since 1 October, median over years with at least 1 mm).
    """
    seen = spatial_domain(domain, job.model)
    models, scaling = trained_models(job.model, seen, weights)
    first, last = period(splits[splits.fold == splits.fold.min()], "test", domain.forcing.time.values)
    time = domain.forcing.time.values[first:last]
    known = np.isfinite(domain.observed_runoff.values[:, first:last]).T
    series = series_of(seen, scaling, job.model)
    lowest = has_baseflow(models[0][1].process)
    base = "baseflow" if lowest else "runoff"
    tables = []
    for some, window, columns in place_windows(series, domain, tested(domain, splits), first, last, job.training):
        for seed, model in models:
            model.process = with_snow_water(model.process)
            names = {"runoff", "evapotranspiration", "snow_water", base}
            fluxes = model.fluxes(window, tuple(sorted(names)))
            fluxes = {name: window.drainage.mean(v)[:, columns].double().numpy() for name, v in fluxes.items()}
            runoff = fluxes["runoff"].sum(0)
            share = np.divide(fluxes[base].sum(0), runoff, out=np.full(len(some), np.nan), where=runoff > 0)
            maximum, day = _annual_maximum(fluxes["snow_water"], time)
            counted = known[:, some]
            evaporated = np.where(counted, fluxes["evapotranspiration"], 0).sum(0)
            tables.append(
                pd.DataFrame(
                    {
                        "seed": seed,
                        "place": domain.place_ids[some],
                        "evapotranspiration": evaporated / np.maximum(counted.sum(0), 1),
                        "baseflow_index": share if lowest else np.nan,
                        "max_snow_water": maximum,
                        "day_of_max_snow_water": day,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _annual_maximum(snow, time):
    """Mean over water years of the maximum snow water (time, gauge), and the median of its day since 1 October."""
    year = water_year(time)
    days = [np.flatnonzero(year == one) for one in np.unique(year) if (year == one).sum() >= SNOW_YEAR]
    if not days:
        return np.full(snow.shape[1], np.nan), np.full(snow.shape[1], np.nan)
    maximum = np.stack([snow[rows].max(0) for rows in days])
    begin = [np.datetime64(f"{year[rows[0]] - 1}-10-01") for rows in days]
    day = np.stack(
        [(time[rows][snow[rows].argmax(0)] - start) / np.timedelta64(1, "D") for rows, start in zip(days, begin)]
    )
    day = pd.DataFrame(np.where(maximum >= MIN_SNOW, day, np.nan))
    return maximum.mean(0), day.median().to_numpy()


def inner_fluxes_of_all(domain, splits, job, weights):
    """The internal fluxes of all processes of an experiment with the corresponding observations.

    Args:
        domain, splits: as in :func:`inner_fluxes`.
        job: :class:`~thalweg.experiments.trained.PhysicsJob`.
        weights: name of a model of kind process -> path of its weights.

    Returns:
        DataFrame: the rows of :func:`inner_fluxes` after the column model, with those of
        :func:`~thalweg.analysis.elasticity.water_balance` and, by gauge, balance_evapotranspiration (P - Q in mm/day; NaN
        unless 0 < Q < P), budyko_evapotranspiration (mm/day), aridity and filtered_baseflow_index (dimensionless).
    """
    tables = [inner_fluxes(domain, splits, job.models[name], path).assign(model=name) for name, path in weights.items()]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "model", table.pop("model"))
    days = period(splits[splits.fold == splits.fold.min()], "test", domain.forcing.time.values)
    balance = water_balance(domain, days, job.minimum_days)
    rain, potential, runoff = (balance[name] for name in balance)
    filtered = [baseflow_index(series) for series in domain.observed_runoff.values[:, slice(*days)]]
    balance = balance.assign(
        balance_evapotranspiration=(rain - runoff).where((runoff > 0) & (runoff < rain)),
        budyko_evapotranspiration=budyko(rain, potential),
        aridity=potential / rain,
        filtered_baseflow_index=np.where(rain.notna(), filtered, np.nan),
    )
    return table.merge(balance, left_on="place", right_index=True, how="left")


def untrained_evidence(table, blocks, reference, samples):
    """Evidence of the table of :func:`inner_fluxes_of_all`: each gauge counts with its mean over seeds.

    - ``evapotranspiration_bias_share``: median over gauges of the error of simulated evapotranspiration, as a share of that of
      the water balance;
    - ``evapotranspiration_rank_correlation``: with that of the water balance, over gauges, compared with ``budyko``;
    - ``baseflow_index_rank_correlation``: with the filter's index, over gauges, compared with ``aridity``.

    Args:
        table: as returned by :func:`inner_fluxes_of_all`.
        blocks: Series of the label of each gauge's block, by place.
        reference: model that the others are compared with, if it is one of them.
        samples: resamples of blocks, and permutations.

    Returns:
        list of dict: rows of evidence without domain and experiment.
    """
    order = table.model.unique()
    means = table.groupby(["place", "model"])[["evapotranspiration", "baseflow_index"]].mean().unstack()
    gauges = table.groupby("place")[
        ["balance_evapotranspiration", "budyko_evapotranspiration", "aridity", "filtered_baseflow_index"]
    ].first()
    labels = blocks.loc[means.index].to_numpy()
    balance = gauges.balance_evapotranspiration
    bias = means.evapotranspiration[order].sub(balance, axis=0).div(balance, axis=0)
    rows = compared(
        bias,
        labels,
        "",
        np.median,
        samples,
        quantity="evapotranspiration_bias_share",
        unit="share of P - Q",
        test="median error of evapotranspiration per P - Q; signed-rank p",
    )
    for row in rows:
        row["p"] = signed_rank(bias[row["model"]].dropna().to_numpy())
    for quantity, simulated, target, trivial, name in (
        ("evapotranspiration", "evapotranspiration", balance, gauges.budyko_evapotranspiration, "budyko"),
        ("baseflow_index", "baseflow_index", gauges.filtered_baseflow_index, gauges.aridity, "aridity"),
    ):
        rows += correlated(
            means[simulated][order],
            target.to_numpy(),
            trivial.to_numpy(),
            labels,
            reference,
            samples,
            name,
            f"{quantity}_rank_correlation",
        )
    return rows
