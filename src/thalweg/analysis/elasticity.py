"""Response of trained models to a changed climate: elasticities of runoff, signs, warming.

The elasticity of mean runoff Q to precipitation P is eps_P = dQ/dP * P/Q, likewise eps_PET to potential evapotranspiration
(Schaake 1990; Sankarasubramanian et al. 2001, doi:10.1029/2000WR900330). Here they are centred differences of a simulation
whose forcing is multiplied by 0.95 and 1.05, spin-up included. Attributes and scaling stay as trained, including climate means
of the training period: the response is that of the same land under other weather, not of another place.

If runoff depends only on P and PET and doubling both doubles it, Euler's theorem gives eps_P + eps_PET = 1. Stores that do
not grow with the climate, and snow, also move a sound model away from 1, so that the deviation is only a measure for
comparing models. Fu's curve has 1 (Fu 1981; Zhang et al. 2004, doi:10.1029/2003WR002710), with phi = PET / P and one
parameter w:

    Q / P = (1 + phi^w)^(1/w) - phi

Warming adds 2 K to temperature, once with potential evapotranspiration unchanged and once growing as in Hargreaves'
equation, by (T + 2 + 17.8) / (T + 17.8) (Hargreaves & Samani 1985, doi:10.13031/2013.26773).
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from thalweg.analysis.question import answered, read_daily
from thalweg.basin.domain import spatial_domain
from thalweg.evaluation.blocks import block_labels
from thalweg.evaluation.evidence import ROUNDING, compared, correlated
from thalweg.experiments.declared import Declared
from thalweg.experiments.trained import place_windows, trained_models, whole_series
from thalweg.metrics.calendar import period, read_splits
from thalweg.settings.blocks import PhysicsJob

STEP = 0.05  # relative change of forcing, up and down
WARMING = 2.0  # K
HARGREAVES = 17.8  # degC below freezing at which Hargreaves' equation ends
LONGEST = 3653  # maximum simulated days of the test period
MAX_W = 50.0  # of Fu's curve, where it runs along its limits
WARMED = ("warming_change", "warming_change_with_potential_evapotranspiration")
FORCING = ("precipitation", "potential_evapotranspiration")


ANALYSIS = Declared(
    of="trained_in_time",
    reads={"domain_path": "domain", "split_path": "split", "weights": "weights:drawn_trained"},
    given={"settings": "trained_jobs"},
    title="elasticity of runoff",
    caption="Elasticities of mean runoff to precipitation and potential evapotranspiration of every model, seed and gauge: centred "
    "differences of simulations with the forcing 5 % up and down, over the first ten years of the test period. Scaling, attributes "
    "and climate indices stay those of the training. Runoff in mm/day; its change under a warming of 2 K in percent, "
    "with potential evapotranspiration unchanged and growing with temperature as in Hargreaves' equation. Fu's curve through the "
    "observed water balance of the catchment gives fu_w and the elasticities of comparison (empty if no curve fits it).",
    category="Physics",
    tables=("", "evidence"),
    each=True,
    memory="4GB",
    runtime="2h",
)


def analyse(domain_path, split_path, weights, settings, domain, experiment):
    """Elasticities of every model, seed and gauge, and their evidence; see :func:`respond_all`."""
    job, basin = PhysicsJob.model_validate(settings), read_daily(domain_path)
    table = respond_all(basin, read_splits(split_path), job, weights)
    rows = response_evidence(table, block_labels(basin.places), job.reference, job.bootstrap_samples)
    return answered(table, rows, domain, experiment)


def _scaled(name, factor):
    return lambda forcing: {**forcing, name: factor * forcing[name]}


def _warmer(forcing):
    return {**forcing, "temperature": forcing["temperature"] + WARMING}


def _warmer_and_thirstier(forcing):
    above = (forcing["temperature"] + HARGREAVES).clamp(min=1.0)
    return _scaled("potential_evapotranspiration", 1 + WARMING / above)(_warmer(forcing))


CHANGES = {
    "as_is": lambda forcing: forcing,
    "wetter": _scaled("precipitation", 1 + STEP),
    "drier": _scaled("precipitation", 1 - STEP),
    "thirstier": _scaled("potential_evapotranspiration", 1 + STEP),
    "less_thirsty": _scaled("potential_evapotranspiration", 1 - STEP),
    "warmer": _warmer,
    "warmer_and_thirstier": _warmer_and_thirstier,
}


def changed(window, scaling, change):
    """A window whose forcing has been changed, with the networks' inputs derived from it with the scaling as trained.

    Args:
        window: :class:`~thalweg.learn.windows.Window`.
        scaling: :class:`~thalweg.learn.scaling.Scaling`.
        change: function of name -> tensor (time, unit) to the same.

    Returns:
        Window
    """
    forcing = change(window.forcing)
    like = window.sequence
    mean, deviation = (like.new_tensor(values) for values in (scaling.forcing_mean, scaling.forcing_deviation))
    sequence = (torch.stack([forcing[name] for name in scaling.forcing], dim=-1) - mean) / deviation
    return replace(window, forcing=forcing, sequence=sequence)


@torch.no_grad()
def respond(domain, splits, job, weights):
    """Mean runoff of every seed of the first fold, under each change of the forcing, and derived quantities.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        splits: table of :func:`~thalweg.experiments.splits.make_splits`; the first ten years of the test period are simulated.
        job: :class:`~thalweg.settings.blocks.TrainingJob` of a model of discharge.
        weights: path of its weights.

    Returns:
        DataFrame with a row per seed and tested gauge: seed, place, runoff (mm/day), elasticity_precipitation,
        elasticity_potential_evapotranspiration, elasticity_sum (dimensionless), warming_change and
        warming_change_with_potential_evapotranspiration (percent of the runoff). All are NaN without runoff; quantities
        with potential evapotranspiration also if the process does not use it.
    """
    seen = spatial_domain(domain, job.model)
    models, scaling = trained_models(job.model, seen, weights)
    first, last = _days(domain, splits)
    gauges = tested(domain, splits)
    series = whole_series(seen, scaling, job.model)
    runoff = {name: np.full((len(models), len(domain.place_ids)), np.nan) for name in CHANGES}
    for some, window, columns in place_windows(series, domain, gauges, first, last, job.training):
        for name, change in CHANGES.items():
            other = changed(window, scaling, change)
            for i, (_, model) in enumerate(models):
                runoff[name][i, some] = model(other)["discharge"][:, columns].double().mean(0).numpy()
    base = np.where(runoff["as_is"] > 0, runoff["as_is"], np.nan)
    elasticity = {
        "elasticity_precipitation": (runoff["wetter"] - runoff["drier"]) / (2 * STEP * base),
        "elasticity_potential_evapotranspiration": (runoff["thirstier"] - runoff["less_thirsty"]) / (2 * STEP * base),
    }
    columns = {
        "runoff": runoff["as_is"],
        **elasticity,
        "elasticity_sum": sum(elasticity.values()),
        "warming_change": 100 * (runoff["warmer"] / base - 1),
        "warming_change_with_potential_evapotranspiration": 100 * (runoff["warmer_and_thirstier"] / base - 1),
    }
    if not _reads_potential_evapotranspiration(models[0][1]):
        for name in ("elasticity_potential_evapotranspiration", "elasticity_sum", WARMED[1]):
            columns[name] = np.full_like(base, np.nan)
    return pd.concat(
        [
            pd.DataFrame({"seed": seed, "place": domain.place_ids} | {name: v[i] for name, v in columns.items()}).iloc[
                gauges
            ]
            for i, (seed, _) in enumerate(models)
        ],
        ignore_index=True,
    )


def _reads_potential_evapotranspiration(model):
    dynamic = getattr(model, "dynamic", True)
    return bool(dynamic) or "potential_evapotranspiration" in model.process.forcing_names


def _days(domain, splits):
    first, last = period(splits[splits.fold == splits.fold.min()], "test", domain.forcing.time.values)
    return first, min(last, first + LONGEST)


def tested(domain, splits):
    """Positions of the gauges tested in the first fold."""
    rows = splits[splits.fold == splits.fold.min()].set_index("place").loc[domain.place_ids]
    return np.flatnonzero(rows.test.values)


def water_balance(domain, days, minimum_days):
    """Means over the days of observed discharge of each gauge's catchment.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        days: positions ``(first, last)``.
        minimum_days: of observed discharge; gauges with fewer have NaN.

    Returns:
        DataFrame (place,) of precipitation, potential_evapotranspiration and observed_runoff, mm/day.
    """
    observed = domain.observed_runoff.values[:, slice(*days)]
    known = np.isfinite(observed)
    enough = known.sum(1) >= minimum_days

    def mean(values):
        total = np.where(known, values, 0).sum(1)
        return np.divide(total, known.sum(1), out=np.full(len(total), np.nan), where=enough)

    columns = {name: mean(domain.catchment_weights @ domain.forcing[name].values[slice(*days)].T) for name in FORCING}
    return pd.DataFrame(columns | {"observed_runoff": mean(observed)}, index=pd.Index(domain.place_ids, name="place"))


def fu_runoff(precipitation, potential_evapotranspiration, w):
    """Mean runoff of Fu's curve, in the unit of the precipitation."""
    phi = potential_evapotranspiration / precipitation
    return precipitation * ((1 + phi**w) ** (1 / w) - phi)


def fu_elasticities(precipitation, potential_evapotranspiration, w):
    """Elasticities of runoff to precipitation and to potential evapotranspiration of Fu's curve; they sum to 1."""
    phi = potential_evapotranspiration / precipitation
    slope = (1 + phi**w) ** (1 / w - 1) * phi ** (w - 1) - 1
    potential = slope * potential_evapotranspiration / fu_runoff(precipitation, potential_evapotranspiration, w)
    return 1 - potential, potential


def fit_fu(precipitation, potential_evapotranspiration, runoff):
    """The w of Fu's curve that reproduces a catchment's mean runoff; all in one unit.

    NaN if there is none: unless 0 < runoff < precipitation and evapotranspiration stays below its potential.
    """
    from scipy.optimize import brentq

    if not 0 < runoff < precipitation:
        return np.nan

    def excess(w):
        return fu_runoff(precipitation, potential_evapotranspiration, w) - runoff

    lowest = 1 + 1e-9
    return brentq(excess, lowest, MAX_W) if excess(MAX_W) < 0 < excess(lowest) else np.nan


def fu_table(balance):
    """Fu's curve through the observed water balance of each catchment.

    Args:
        balance: as returned by :func:`water_balance`.

    Returns:
        DataFrame (place,): ``balance`` with fu_w, fu_elasticity_precipitation and
        fu_elasticity_potential_evapotranspiration; NaN if no curve fits the balance.
    """
    w = np.array([fit_fu(*row) for row in balance.itertuples(index=False)])
    precipitation, potential = fu_elasticities(balance.precipitation, balance.potential_evapotranspiration, w)
    return balance.assign(
        fu_w=w, fu_elasticity_precipitation=precipitation, fu_elasticity_potential_evapotranspiration=potential
    )


def respond_all(domain, splits, job, weights):
    """The responses of all models of an experiment with Fu's elasticities.

    Args:
        domain, splits: as in :func:`respond`.
        job: :class:`~thalweg.experiments.trained.PhysicsJob`.
        weights: name of a model -> path of its weights.

    Returns:
        DataFrame: the rows of :func:`respond` after the column model, with the columns of :func:`fu_table`.
    """
    tables = [respond(domain, splits, job.models[name], path).assign(model=name) for name, path in weights.items()]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "model", table.pop("model"))
    fu = fu_table(water_balance(domain, _days(domain, splits), job.minimum_days))
    return table.merge(fu, left_on="place", right_index=True, how="left")


def response_evidence(table, blocks, reference, samples):
    """Evidence of the table of :func:`respond_all`.

    - ``elasticity_sum_deviation``: median over gauges of abs(eps_P + eps_PET - 1); a negative difference from the reference
      means closer to 1;
    - ``sign_violations``: share of gauges (mean over seeds) where runoff grows with potential evapotranspiration or falls
      with precipitation;
    - ``elasticity_to_budyko``: rank correlation over gauges of eps_P with Fu's, compared with that of ``aridity``, PET /
      P, which contains only climate;
    - ``warming_change`` and ``warming_change_with_potential_evapotranspiration``: median over gauges of the change of runoff.

    Args:
        table: as returned by :func:`respond_all`.
        blocks: Series of the label of each gauge's block, by place.
        reference: model that the others are compared with.
        samples: resamples of blocks, and permutations.

    Returns:
        list of dict: rows of evidence without domain and experiment.
    """
    precipitation, potential, total = (
        table[f"elasticity_{name}"] for name in ("precipitation", "potential_evapotranspiration", "sum")
    )
    violates = (potential > ROUNDING) | (precipitation < -ROUNDING)
    table = table.assign(deviation=(total - 1).abs(), violates=violates.astype(float).where(total.notna()))
    order = table.model.unique()
    answers = ["deviation", "violates", "elasticity_precipitation", *WARMED]
    means = table.groupby(["place", "model"])[answers].mean().unstack()
    labels = blocks.loc[means.index].to_numpy()
    rows = []
    for answer, statistic, quantity, unit, test in (
        ("deviation", np.median, "elasticity_sum_deviation", "dimensionless", "median of abs(eps_P + eps_PET - 1)"),
        ("violates", np.mean, "sign_violations", "share of gauges", "share with dQ/dPET > 0 or dQ/dP < 0"),
        *((name, np.median, name, "percent", f"median change of runoff, {WARMING:g} K warmer") for name in WARMED),
    ):
        rows += compared(
            means[answer][order], labels, reference, statistic, samples, quantity=quantity, unit=unit, test=test
        )
    fu = table.groupby("place")[
        ["fu_elasticity_precipitation", "potential_evapotranspiration", "precipitation"]
    ].first()
    return rows + correlated(
        means.elasticity_precipitation[order],
        fu.fu_elasticity_precipitation.to_numpy(),
        (fu.potential_evapotranspiration / fu.precipitation).to_numpy(),
        labels,
        reference,
        samples,
        name="aridity",
        quantity="elasticity_to_budyko",
    )
