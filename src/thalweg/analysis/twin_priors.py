"""Which prior is better? First where the answer is known: on discharge that a known prior made.

Every prior makes discharge at real catchments: its parameters are a smooth random function of their attributes, its
forcing is theirs. Every prior then learns that discharge under equal conditions - network, loss, steps, seeds - and is
tested in later days. A comparison that does not rank the prior that made the discharge first there cannot tell which
prior is right on real data.

Discharge alone may not tell: structures that differ inside can give the same discharge (Knoben et al. 2025,
doi:10.5194/hess-29-2361-2025). Evapotranspiration and baseflow, which were never trained on, are therefore ranked beside
it, against the truth.
"""

import dataclasses

import numpy as np
import pandas as pd
import torch
import xarray as xr
from tqdm import tqdm

from thalweg.basin.domain import Domain
from thalweg.basin.places import SPLIT_SEED
from thalweg.evaluation.blocks import CONFIDENCE, block_bootstrap, block_labels
from thalweg.evaluation.statistics import holm, signed_rank_p
from thalweg.experiments.run import build_model, process_of, series_of, train_experiment
from thalweg.integrate import integrate
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling, fit_scaling
from thalweg.learn.windows import Series
from thalweg.metrics.calendar import positions
from thalweg.metrics.scores import nse
from thalweg.processes.routing import unit_hydrograph
from thalweg.registry import module_of
from thalweg.settings.blocks import ProcessModel, TrainingJob
from thalweg.storage.fingerprint import fingerprint

FLUXES = ("runoff", "evapotranspiration", "baseflow")
QUANTITIES = {  # name -> unit, and whether more is better
    "NSE": ("dimensionless", True),
    "evapotranspiration_error": ("mm/year", False),
    "evapotranspiration_NSE": ("dimensionless", True),
    "baseflow_index_error": ("dimensionless", False),
}
TRAINED = "NSE"  # the one quantity of discharge, which was trained on
TRUTH_HIDDEN = 16  # width of the random function from attributes to true parameters
NOT_TRAINED = {"domain", "priors", "seeds", "test", "bootstrap_samples"}  # settings that no training depends on
SIGNIFICANT = 0.05
DAYS_PER_YEAR = 365.25
EXPERIMENT, OWN, OTHERS = "which_prior", "own_prior", "others"


def chosen_catchments(domain, count):
    """``count`` catchments of a domain, drawn at random but always the same, or all when there are fewer.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        count: of its gauges.

    Returns:
        Domain: each gauge's catchment as one unit and one reach.
    """
    lumped = domain.lumped()
    chosen = np.sort(np.random.default_rng(SPLIT_SEED).permutation(len(lumped.place_ids))[:count])
    return Domain(
        lumped.name,
        lumped.forcing.isel(unit=chosen),
        lumped.attributes.isel(unit=chosen),
        lumped.network.isel(reach=chosen, unit=chosen),
        lumped.places.isel(place=chosen),
        lumped.observed.isel(place=chosen),
    )


def true_parameters(parameters, attributes, range_share, seed):
    """Parameters as a smooth random function of attributes, a perceptron with one hidden layer and random weights.

    Args:
        parameters: of a process.
        attributes: scaled, array (unit, attribute).
        range_share: each parameter spans this middle part of its range over the units.
        seed: of the weights, a list of int.

    Returns:
        dict: name -> tensor (unit,), in the parameter's unit.
    """
    generator = np.random.default_rng(seed)
    count = attributes.shape[1]
    hidden = np.tanh(attributes @ generator.normal(0, count**-0.5, (count, TRUTH_HIDDEN)))
    raw = hidden @ generator.normal(size=(TRUTH_HIDDEN, len(parameters)))
    spread = (raw - raw.min(0)) / np.ptp(raw, axis=0)
    share = torch.as_tensor(0.5 + range_share * (spread - 0.5), dtype=torch.float32)
    return {p.name: p.at(share[:, i]).contiguous() for i, p in enumerate(parameters)}


@torch.no_grad()
def simulate(process, window, parameters, routing):
    """A process over a window.

    Args:
        process: the :class:`~thalweg.processes.Process`.
        window: :class:`~thalweg.learn.windows.Window` of lumped catchments.
        parameters: name -> tensor (unit, component).
        routing: name -> tensor (unit,), of the unit hydrograph.

    Returns:
        dict: ``discharge``, the delayed runoff, and :data:`FLUXES`, means over components: arrays (time, unit), mm/day,
        of the days that count.
    """
    fluxes, _ = integrate(process, window.forcing, parameters, fluxes=FLUXES, mean_components=True)
    fluxes["discharge"] = unit_hydrograph.route(fluxes["runoff"], routing["route_a"], routing["route_b"])
    return {name: values[window.spin_up :].numpy().astype(float) for name, values in fluxes.items()}


def make_truth(domain, prior, settings):
    """What a prior makes of the forcing of catchments.

    Args:
        domain: of :func:`chosen_catchments`.
        prior: its name.
        settings: a :class:`~thalweg.settings.twin.WhichPriorStudy`.

    Returns:
        (Domain, dict): the catchments with the prior's discharge, noise included, as observed; the result of
        :func:`simulate` for the whole record, without noise.
    """
    target_mean = {"discharge": 1.0}
    process = process_of(_candidate(prior, settings), domain, target_mean)
    days = positions(domain.forcing.time.values, *settings.train)
    units = np.arange(len(domain.unit_ids))
    scaling = fit_scaling(domain, units, days, target_mean, settings.training.climate_attributes)
    series = Series(domain, scaling)
    known = true_parameters(
        (*process.parameters, *unit_hydrograph.PARAMETERS),
        scaling.attribute_inputs(domain),
        settings.range_share,
        [SPLIT_SEED, *prior.encode()],
    )
    static = {name: known[name][:, None] for name in process.parameter_names}
    window = series.window(0, series.days, round(settings.truth_spin_up))
    made = simulate(process, window, static, known)
    deviation = np.sqrt(np.log1p(settings.noise**2))
    noise = np.random.default_rng([SPLIT_SEED, *prior.encode(), 1]).normal(
        -(deviation**2) / 2, deviation, made["discharge"].shape
    )
    discharge = made["discharge"] * np.exp(noise) * domain.places.drainage_area.values
    observed = xr.Dataset(
        {"discharge": (("time", "place"), discharge / domain.millimetres_per_step, {"units": "m3/s"})},
        coords={"time": domain.forcing.time.values, "place": domain.place_ids},
    )
    return dataclasses.replace(domain, observed=observed), made


def _split(domain, settings):
    """All catchments train: nothing is held out, and no water of a synthetic world is diverted."""
    first, last = map(str, settings.train)
    table = pd.DataFrame({"fold": 0, "place": domain.place_ids, "train": True, "validation": False})
    return table.assign(train_start=first, train_end=last, train_years="")


def _candidate(prior, settings):
    return ProcessModel(
        label="",
        process=prior,
        components=settings.components,
        hidden=settings.hidden,
        layers=settings.layers,
    )


def run(domain, settings, checkpoints, key):
    """Every prior learns what every prior made.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        settings: a :class:`~thalweg.settings.twin.WhichPriorStudy`.
        checkpoints: folder; trainings that are finished there are not done again.
        key: what else, besides settings and the code of the two priors, makes a checkpoint valid (code and data
            fingerprints).

    Returns:
        dict of DataFrame: ``scores``, a row per generator, candidate, seed, place and quantity; ``confusion`` of
        :func:`confusion`, ``margins`` of :func:`margins` and ``evidence`` of :func:`evidence`.
    """
    catchments = chosen_catchments(domain, settings.catchments)
    tables = []
    with tqdm(total=len(settings.priors) ** 2, desc="generators and candidates", unit="pair") as bar:
        for generator in settings.priors:
            known, truth = make_truth(catchments, generator, settings)
            for candidate in settings.priors:
                scores = _learned(known, truth, generator, candidate, settings, checkpoints, key)
                tables.append(pd.DataFrame(scores).assign(generator=generator, candidate=candidate))
                bar.update()
    scores = pd.concat(tables, ignore_index=True)
    scores = scores[["generator", "candidate", "seed", "place", "quantity", "value"]]
    scores.insert(0, "domain", domain.name)
    blocks = block_labels(catchments.places)
    told = margins(scores, blocks, settings.bootstrap_samples)
    return {
        "scores": scores,
        "confusion": confusion(scores),
        "margins": told,
        "evidence": evidence(told, len(settings.priors)),
    }


def _learned(domain, truth, generator, prior, settings, checkpoints, key):
    """Scores of one prior that learned the discharge of ``domain``, which ``generator`` made: list of dict."""
    job = TrainingJob(
        model=_candidate(prior, settings),
        training=settings.training,
        seeds=settings.seeds,
        validation_share=0,
        device="cpu",
    )
    code = fingerprint(*(module_of("process", name) for name in (generator, prior)))
    made_by = [generator, settings.model_dump(mode="json", exclude=NOT_TRAINED), code, key]
    tensors, values, _ = train_experiment(
        domain, _split(domain, settings), job, checkpoints, made_by, f"{generator} learned by {prior}"
    )
    scaling = Scaling(**values["scaling"]["0"])
    first, last = positions(domain.forcing.time.values, *settings.test)
    window = series_of(domain, scaling, job.model).window(0, last, round(settings.training.spin_up))
    rows = []
    for seed in settings.seeds:
        trained = build_model(job.model, scaling, domain).eval()
        trained.load_state_dict(checkpoint.without_prefix(f"0/{seed}", tensors))
        with torch.no_grad():
            made = simulate(trained.process, window, *trained.parameters_of(window))
        for column, gauge in enumerate(domain.place_ids):
            seen = {name: series[first:last, column] for name, series in made.items()}
            true = {name: series[first:last, column] for name, series in truth.items()}
            observed = domain.observed_runoff.values[column, first:last]
            for quantity, value in score(seen, true, observed).items():
                rows.append({"seed": seed, "place": gauge, "quantity": quantity, "value": value})
    return rows


def score(simulated, true, observed):
    """How well a catchment's discharge was learned, and what was never seen of it.

    Args:
        simulated, true: name -> array (time,), mm/day, of :func:`simulate`.
        observed: discharge (time,), mm/day.

    Returns:
        dict: :data:`QUANTITIES`, in their units: Nash-Sutcliffe efficiency of daily discharge against the observed;
        distance of mean evapotranspiration from the truth, and Nash-Sutcliffe efficiency of its daily values; distance
        of the baseflow index, the share of the process's baseflow in its runoff. NaN where a series is constant or
        nothing runs off.
    """
    index = [_share(fluxes["baseflow"].sum(), fluxes["runoff"].sum()) for fluxes in (simulated, true)]
    evaporated = simulated["evapotranspiration"], true["evapotranspiration"]
    return {
        "NSE": nse(simulated["discharge"], observed, minimum_days=1),
        "evapotranspiration_error": DAYS_PER_YEAR * abs(evaporated[0].mean() - evaporated[1].mean()),
        "evapotranspiration_NSE": nse(*evaporated, minimum_days=1),
        "baseflow_index_error": abs(index[0] - index[1]),
    }


def _share(part, whole):
    return part / whole if whole > 0 else np.nan


def confusion(scores):
    """Medians and ranks of the candidates.

    Args:
        scores: as of :func:`run`.

    Returns:
        DataFrame: a row per domain, quantity, generator and candidate: ``catchments`` with a value, ``median`` over them
        of the mean over seeds, ``unit``, ``rank`` of that median among the candidates (1 is best; equals share the worse
        rank, so that a tie is not a win), and ``own``, whether the candidate made the discharge.
    """
    value = scores.groupby([*_GROUP, "candidate", "place"], sort=False).value.mean()
    table = value.groupby([*_GROUP, "candidate"], sort=False).agg(catchments="count", median="median").reset_index()
    table["unit"] = [QUANTITIES[name][0] for name in table.quantity]
    goodness = table["median"] * np.where([QUANTITIES[name][1] for name in table.quantity], 1, -1)
    table["rank"] = (
        goodness.groupby([table[name] for name in _GROUP]).rank(method="max", ascending=False).astype("Int64")
    )
    return table.assign(own=table.generator == table.candidate)


_GROUP = ["domain", "quantity", "generator"]


def margins(scores, blocks, samples, seed=0):
    """By how much the prior that made the discharge is better than the best of the others at the same catchments.

    Args:
        scores: as of :func:`run`.
        blocks: Series of labels of blocks of near catchments, by place id.
        samples: bootstrap resamples of blocks.
        seed: of the resampling.

    Returns:
        DataFrame: a row per domain, quantity and generator: ``best_other``, the candidate of the best median among the
        others; ``ranked_first``, whether the own prior's median is better than that; ``catchments``; ``margin``, the
        median of the paired differences, positive where the own prior is better, with its interval ``low`` to ``high``;
        ``unit``; ``p`` of Wilcoxon's signed-rank test, two-sided; ``p_holm``, corrected for all generators and, of what
        was not trained on, all quantities; ``separated``, whether the interval lies above 0 and ``p_holm`` is below 0.05.
    """
    ranked, rows = confusion(scores), []
    for (domain, quantity, generator), group in scores.groupby(_GROUP, sort=False):
        others = ranked[(ranked[_GROUP] == (domain, quantity, generator)).all(axis=1)].set_index("candidate")
        best_other = others["rank"].drop(generator).idxmin()
        unit, more = QUANTITIES[quantity]
        value = (1 if more else -1) * group.groupby(["candidate", "place"]).value.mean().unstack("candidate")
        difference = (value[generator] - value[best_other]).dropna()
        low, high = block_bootstrap(difference, blocks[difference.index], samples=samples, seed=seed)
        rows.append(
            {
                "domain": domain,
                "quantity": quantity,
                "generator": generator,
                "best_other": best_other,
                "ranked_first": bool(others["rank"][generator] == 1),
                "catchments": len(difference),
                "margin": difference.median(),
                "low": low,
                "high": high,
                "unit": unit,
                "p": signed_rank_p(difference)[0],
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = table.groupby(table.quantity == TRAINED).p.transform(lambda p: holm(p.to_numpy()))
    return table.assign(separated=(table.low > 0) & (table.p_holm < SIGNIFICANT))


def evidence(margins, candidates):
    """What :func:`margins` say, as a table of evidence.

    Args:
        margins: DataFrame of :func:`margins` of one domain.
        candidates: number of priors that learned each discharge.

    Returns:
        DataFrame with the columns domain, experiment, model, reference, quantity, effect, low, high, p, n, unit, test:

        - ``generator_ranked_first``: share of generators whose own prior has the best median test NSE, against chance;
          ``generator_ranked_first_by_<quantity>`` likewise by what was not trained on;
        - ``generator_separated`` and ``generator_separated_by_<quantity>``: share of generators whose own prior is told
          from the best other;
        - ``separated_by_untrained``: share of the generators that discharge does not separate which evapotranspiration or
          baseflow does;
        - ``generator_margin`` of each generator, which is the model: the median paired difference of test NSE.
    """
    shares = {}
    for quantity, rows in margins.groupby("quantity", sort=False):
        by = "" if quantity == TRAINED else f"_by_{quantity}"
        shares[f"generator_ranked_first{by}"] = (rows.ranked_first, 1 / candidates)
        shares[f"generator_separated{by}"] = (rows.separated, None)
    separated = margins.pivot(index="generator", columns="quantity", values="separated")
    hidden = separated[~separated[TRAINED]].drop(columns=TRAINED)
    shares["separated_by_untrained"] = (hidden.any(axis=1), None)
    head = {"domain": margins.domain.iloc[0], "experiment": EXPERIMENT}
    rows = [
        head | {"model": OWN, "reference": OTHERS, "quantity": name} | _of_share(*share)
        for name, share in shares.items()
    ]
    for row in margins[margins.quantity == TRAINED].itertuples():
        rows.append(
            head
            | {
                "model": row.generator,
                "reference": OTHERS,
                "quantity": "generator_margin",
                "effect": row.margin,
                "low": row.low,
                "high": row.high,
                "p": row.p,
                "n": row.catchments,
                "unit": row.unit,
                "test": f"median paired difference of NSE from {row.best_other}, the best other, bootstrap of blocks;"
                " Wilcoxon signed-rank test",
            }
        )
    return pd.DataFrame(rows)


def _of_share(won, chance):
    """Effect, interval and test of a share of generators; p is NaN without a chance to test against."""
    from scipy.stats import binomtest

    row = dict.fromkeys(("effect", "low", "high", "p"), np.nan) | {"n": len(won), "unit": "dimensionless"}
    row["test"] = "share of generators, Clopper-Pearson interval"
    if chance is not None:
        row["test"] += f"; exact binomial test against chance, {chance:.3g}"
    if len(won):
        result = binomtest(int(won.sum()), len(won), 0.5 if chance is None else chance)
        low, high = result.proportion_ci(CONFIDENCE, method="exact")
        row |= {"effect": won.mean(), "low": low, "high": high}
        row["p"] = np.nan if chance is None else result.pvalue
    return row
