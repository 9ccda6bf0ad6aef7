"""Running an experiment on sampled sites: every fold and seed of one model, trained and simulated."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg import processes
from thalweg.experiments.run import fingerprint_of, period, train_folds
from thalweg.learn import checkpoint
from thalweg.learn.networks import SequenceModel, SiteModel
from thalweg.learn.scaling import Scaling, fit_site_scaling
from thalweg.learn.site_windows import SiteSeries, known_parameters
from thalweg.learn.train import Task
from thalweg.registry import load, names

SPAN = 30.0  # a learned mean concentration lies within this factor of the mean of the training samples
LEAST_DEVIATION = 0.1  # of the logarithm of a concentration: a site where it hardly varies does not rule the loss


def site_process(settings, variable, unit, mean):
    """The process that the model settings name.

    Args:
        settings: :class:`~thalweg.settings.sites.SiteProcessModel`.
        variable, unit: what was sampled.
        mean: of the training samples, about which a concentration-discharge curve is learned.

    Raises:
        ValueError: when the process has no flux of that name.
    """
    if settings.process == "concentration_discharge":
        return processes.get(settings.process, variable=variable, unit=unit, low=mean / SPAN, high=mean * SPAN)
    process = processes.get(settings.process)
    if variable not in process.flux_names:
        raise ValueError(
            f"process {process.name} does not predict '{variable}', it predicts {', '.join(process.flux_names)}; "
            "choose another process or variable for this experiment"
        )
    return process


def build_site_model(settings, scaling, sites, variable):
    """A new model for the settings of a process or sequence model."""
    counts = len(scaling.forcing), len(scaling.attributes)
    if settings.kind == "sequence":
        return SequenceModel(*counts, settings.hidden, settings.dropout, scaling.discharge_mean)
    process = site_process(settings, variable, sites.samples[variable].attrs["units"], scaling.discharge_mean)
    return SiteModel(
        variable,
        process,
        *counts,
        settings.components,
        {"site": "unit"}.get(settings.network, settings.network),
        settings.hidden,
        settings.layers,
        settings.dropout,
        tuple(settings.dynamic),
        settings.integrator,
        known=tuple(name for name in known_parameters(process, sites) if name not in settings.dynamic),
        units=len(sites.site_ids),
    )


def series_of(sites, scaling, settings, variable, device="cpu"):
    """All sites as the model sees them."""
    process = None
    if settings.kind == "process":
        process = site_process(settings, variable, sites.samples[variable].attrs["units"], scaling.discharge_mean)
    return SiteSeries(sites, scaling, None, process, device=device)


def make_site_task(sites, split, model, training, variable, validation_share, device="cpu"):
    """The :class:`~thalweg.learn.train.Task` of one fold.

    Scaling and deviations come from the training sites and the training period; samples of test sites and days are not in
    the task at all. Attributes made from forcing, such as mean discharge, are those of the whole record.

    Args:
        sites: :class:`~thalweg.basin.sites.Sites`.
        split: rows of one fold, a row per site in the order of the sites.
        model, training: settings.
        variable: what was sampled.
        validation_share: share of the end of the training period held out when no site validates.
        device: where the tensors are.

    Returns:
        (Task, Scaling)
    """
    days = period(split, "train", sites.forcing.time.values)
    trains, validates = split.train.values, split.validation.values
    observed = np.where(trains | validates, sites.samples[variable].values, np.nan)
    observed[: days[0]] = np.nan
    observed[days[1] :] = np.nan
    fit_days, validation_days = days, days
    if not validates.any():
        cut = days[1] - round(validation_share * (days[1] - days[0]))
        fit_days, validation_days, validates = (days[0], cut), (cut, days[1]), trains
    censored = sites.censored(variable)
    loss = load("loss", training.loss)
    if not _knows_limits(loss) and (censored & np.isfinite(observed)).any():
        knowing = [name for name in names("loss") if _knows_limits(load("loss", name))]
        raise ValueError(
            f"{sites.name}/samples: '{variable}' has samples below a detection limit, which training.loss {training.loss!r} would "
            f"take for measured; use {' or '.join(knowing)}"
        )
    seen = observed[slice(*fit_days)][:, trains]
    scaling = fit_site_scaling(sites, np.flatnonzero(trains), fit_days, np.nanmean(seen))
    logarithmic = getattr(loss, "logarithmic", False)
    with np.errstate(divide="ignore"):
        values = np.log(observed) if logarithmic else observed
    spread = pd.DataFrame(np.where(np.isfinite(values), values, np.nan)).std(ddof=0).fillna(1.0).values

    def tensor(array, dtype=torch.float32):
        return torch.as_tensor(array, dtype=dtype, device=device)

    task = Task(
        series=series_of(sites, scaling, model, variable, device),
        observed=tensor(observed),
        deviation=tensor(np.maximum(spread, LEAST_DEVIATION)),
        training=tensor(trains, torch.bool),
        validation=tensor(validates, torch.bool),
        days=fit_days,
        validation_days=validation_days,
        censored=tensor(censored, torch.bool),
    )
    return task, scaling


def _knows_limits(loss):
    return getattr(loss, "censored", False)


def train_site_experiment(sites, splits, job, checkpoints, key, label=""):
    """Train one model on every fold with every seed.

    Args:
        sites: :class:`~thalweg.basin.sites.Sites`.
        splits: of :func:`thalweg.experiments.site_splits.make_site_splits`.
        job: :class:`~thalweg.settings.sites.SiteJob`.
        checkpoints: folder for checkpoints; a finished or broken run is taken up from there.
        key: what else, besides the job and the splits, makes a checkpoint valid (code and data fingerprints).

    Returns:
        (tensors, values, log): as :func:`thalweg.experiments.run.train_experiment`.
    """
    identity = fingerprint_of(job.model_dump(mode="json", exclude={"seeds"}), splits.to_csv(), key)
    return train_folds(
        splits,
        job.seeds,
        job.training,
        lambda split: make_site_task(
            sites, split, job.model, job.training, job.variable, job.validation_share, job.device
        ),
        lambda scaling: build_site_model(job.model, scaling, sites, job.variable),
        Path(checkpoints) / identity,
        label,
    )


@torch.no_grad()
def simulate_site_experiment(sites, splits, job, tensors, values):
    """Simulate the whole record with every fold and seed.

    Returns:
        (simulation, parameters, internals): Dataset of :func:`simulation_of`; learned and known parameters (fold, seed, site)
        as means over components; all fluxes (site, time) of the first fold and seed. The last two are None without a process.
    """
    folds, seeds = sorted(splits.fold.unique()), values["seeds"]
    days = len(sites.forcing.time)
    simulated = np.full((len(folds), len(seeds), len(sites.site_ids), days), np.nan, dtype=np.float32)
    learned, internals = {}, None
    for i, fold in enumerate(folds):
        tested = splits[splits.fold == fold].test.values
        scaling = Scaling(**values["scaling"][str(fold)])
        window = series_of(sites, scaling, job.model, job.variable).window(0, days, round(job.training.spin_up))
        for j, seed in enumerate(seeds):
            model = build_site_model(job.model, scaling, sites, job.variable).eval()
            model.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
            simulated[i, j, tested] = model(window).T.numpy()[tested]
            if job.model.kind != "process":
                continue
            for name, column in model.parameters_of(window)[0].items():
                shape = (len(folds), len(seeds), len(sites.site_ids))
                learned.setdefault(name, np.full(shape, np.nan))[i, j] = column.mean(1).numpy()
            if internals is None:
                internals = _internals(sites, model, model.fluxes(window, model.process.flux_names))
            process = model.process
    simulation = simulation_of(sites, splits, job.variable, folds, seeds, simulated)
    if not learned:
        return simulation, None, None
    known = {p.name: p for p in process.parameters}
    parameters = xr.Dataset(
        {
            name: (
                ("fold", "seed", "site"),
                column,
                {
                    "units": known[name].unit,
                    "long_name": known[name].meaning,
                    "low": known[name].low,
                    "high": known[name].high,
                    "known": int(name in model.known),
                },
            )
            for name, column in learned.items()
        },
        coords={"fold": folds, "seed": seeds, "site": sites.site_ids},
    )
    return simulation, parameters, internals


def _internals(sites, model, fluxes):
    known = {flux.name: flux for flux in model.process.fluxes}
    return xr.Dataset(
        {
            name: (
                ("site", "time"),
                values.T.numpy(),
                {"units": known[name].unit, "long_name": known[name].meaning},
            )
            for name, values in fluxes.items()
        },
        coords={"time": sites.forcing.time.values, "site": sites.site_ids},
    )


def simulation_of(sites, splits, variable, folds, seeds, simulated):
    """A simulation beside the samples, and which of them trained and which are tested.

    Args:
        simulated: array (fold, seed, site, time), NaN at sites that the fold does not test.

    Returns:
        Dataset: simulated (fold, seed, site, time); observed, censored (site, time); trained, tested (fold, site, time),
        1 where a sample was seen in training or validation, or is held out and counts in the test.
    """
    samples = sites.samples[variable]
    observed = samples.values.T
    there = np.isfinite(observed)
    masks = {"trained": [], "tested": []}
    for fold in folds:
        split = splits[splits.fold == fold]
        for name, part, rows in (
            ("trained", "train", (split.train | split.validation).values),
            ("tested", "test", split.test.values),
        ):
            first, last = period(split, part, sites.forcing.time.values)
            mask = np.zeros(there.shape, bool)
            mask[rows, first:last] = there[rows, first:last]
            masks[name].append(mask.astype(np.int8))
    unit = samples.attrs["units"]
    return xr.Dataset(
        {
            "simulated": (("fold", "seed", "site", "time"), simulated, {"units": unit}),
            "observed": (("site", "time"), observed, {"units": unit}),
            "censored": (("site", "time"), sites.censored(variable).T.astype(np.int8)),
            **{name: (("fold", "site", "time"), np.stack(mask)) for name, mask in masks.items()},
        },
        coords={"fold": folds, "seed": seeds, "site": sites.site_ids, "time": sites.forcing.time.values},
        attrs={"variable": variable, "unit": unit},
    )


def site_climatology(sites, splits, variable, harmonics):
    """The seasonal cycle of the training samples as a Fourier series, by least squares of the samples as they are.

    Of a site that trains in a temporal split it is its own; of a held-out site, that of all training sites together.

    Returns:
        Dataset of :func:`simulation_of`, with one seed, 0.
    """
    time = pd.DatetimeIndex(sites.forcing.time.values)
    angle = 2 * np.pi * time.dayofyear.values / 365.25
    terms = [f(k * angle) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
    design = np.stack([np.ones(len(time)), *terms], axis=1)
    observed = sites.samples[variable].values
    folds = sorted(splits.fold.unique())
    simulated = np.full((len(folds), 1, observed.shape[1], len(time)), np.nan, dtype=np.float32)
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold]
        first, last = period(split, "train", time)
        seen = (split.train | split.validation).values
        past = np.where(seen, observed, np.nan)[first:last]
        for place in np.flatnonzero(split.test.values):
            columns = [place] if seen[place] else np.flatnonzero(seen)
            rows, _ = np.nonzero(np.isfinite(past[:, columns]))
            values = past[:, columns][np.isfinite(past[:, columns])]
            fitted = np.linalg.lstsq(design[first:last][rows], values, rcond=None)[0]
            simulated[i, 0, place] = np.maximum(design @ fitted, 0.0)
    return simulation_of(sites, splits, variable, folds, [0], simulated)
