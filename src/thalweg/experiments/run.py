"""Running an experiment: every fold and seed of one model, trained and simulated."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg.basin.domain import DataError, spatial_domain
from thalweg.basin.observables import observable, observable_at, observations
from thalweg.experiments.models import build_model, series_of, task_steps
from thalweg.experiments.simulation import QUANTILES, Simulation, simulation_of
from thalweg.experiments.start import Start
from thalweg.learn import checkpoint
from thalweg.learn.pretrain import pretrain
from thalweg.learn.river import LEARNED
from thalweg.learn.scaling import Scaling, fit_scaling, transferred
from thalweg.learn.train import Task, train
from thalweg.metrics.calendar import counted_days, period
from thalweg.processes.routing.unit_hydrograph import mean_delay
from thalweg.registry import load
from thalweg.units import parse_unit

MIN_DEVIATION = 0.1  # of samples, or of their logarithm: places with little variation do not dominate the loss


def make_task(domain, split, job, scaling=None):
    """The :class:`~thalweg.learn.train.Task` of one fold.

    Scaling, units, observations and deviations come from the training places, their units and the training period;
    observations of test places and times are not in the task at all. Attributes made from forcing by a dataset, such as mean
    discharge, are those of the whole record.

    Args:
        domain: the domain in the spatial form of the model.
        split: rows of one fold.
        job: :class:`~thalweg.settings.blocks.TrainingJob`. With a ``validation_share`` of 0 and no validation place, the whole
            training period is used for validation.
        scaling: of a model that is trained further; None for that of the training places.

    Returns:
        (Task, Scaling)

    Raises:
        DataError: if a variable has no observations at the training or validation places and times, if its detection limits
            would be treated as measured values, or if the loss or the process is not defined for a value.
    """
    training, time = job.training, domain.forcing.time.values
    whole = getattr(job.model, "network", None) == "unit"  # has a parameter set for every unit
    seen = split if whole else split[split.train | split.validation]
    rows = np.array([list(domain.place_ids).index(place) for place in seen.place])
    counts = counted_days(seen, "train", time) & (seen.train | seen.validation).values
    days = period(seen, "train", time)
    observed = {name: np.where(counts, observations(domain, name).values[rows].T, np.nan) for name in job.variables}
    censored = _censored(domain, job, rows, observed)
    trains, validates = seen.train.values, seen.validation.values
    fit_days, validation_days = days, days
    if not validates.any():
        validates = trains.copy()
        cut = days[1] - round(job.validation_share * (days[1] - days[0]))
        if cut < days[1]:
            fit_days, validation_days = (days[0], cut), (cut, days[1])
    for name, values in observed.items():
        if not np.isfinite(values[slice(*fit_days)][:, trains]).any():
            raise DataError(
                f"{domain.name}/observed: '{name}' was not observed at any training place in the training period; "
                "change the experiment's periods, or omit the variable"
            )
    if not any(np.isfinite(values[slice(*validation_days)][:, validates]).any() for values in observed.values()):
        first, last = (str(time[day])[:10] for day in (validation_days[0], validation_days[1] - 1))
        raise DataError(
            f"{domain.name}/observed: {', '.join(observed)} was not observed at any validation place from {first} to {last}; lengthen "
            "the training period, change validation_share, or set validation to none"
        )
    if scaling is None:
        scaling = _scaling(domain, job, rows, observed, seen, days, fit_days)
    else:
        scaling = transferred(scaling, domain, (time[days[0]], time[days[1] - 1]))
    _check_taken(domain, job, seen, observed, scaling.target_mean)

    def tensor(array, dtype=torch.float32):
        return torch.as_tensor(array, dtype=dtype, device=job.device)

    task = Task(
        series=series_of(domain, scaling, job.model, None if whole else rows, job.device),
        observed={name: tensor(values) for name, values in observed.items()},
        deviation={name: tensor(_deviation(name, values, training.loss)) for name, values in observed.items()},
        training=tensor(trains, torch.bool),
        validation=tensor(validates, torch.bool),
        days=fit_days,
        validation_days=validation_days,
        weights=dict(job.variables),
        censored={name: tensor(flags, torch.bool) for name, flags in censored.items()},
        step_days=domain.step_days,
        per_day={name: 1 / domain.step_days for name in job.variables if _of_other_step(domain, name)},
        names=tuple(map(str, seen.place)),
    )
    return task, scaling


def _of_other_step(domain, variable):
    """Whether a variable is in mm per hour or per month."""
    unit = parse_unit(observations(domain, variable).attrs["units"])
    return domain.step in ("hour", "month") and unit == parse_unit(f"mm/{domain.step}")


def _censored(domain, job, rows, observed):
    """Where observations are detection limits, name -> bool (time, place), for the variables with any."""
    flags = {name: domain.censored(name)[:, rows] for name in job.variables}
    flags = {name: values for name, values in flags.items() if (values & np.isfinite(observed[name])).any()}
    if flags and not getattr(load("loss", job.training.loss), "censored", False):
        raise DataError(
            f"{domain.name}/observed: '{next(iter(flags))}' has values below a detection limit, which training.loss "
            f"{job.training.loss!r} would treat as measured; use log_likelihood"
        )
    return flags


def _check_taken(domain, job, seen, observed, mean):
    """Raise DataError naming the first observation for which the loss or the process is not defined.

    Args:
        domain, job: of the task.
        seen: rows of its split.
        observed: name -> (time, place) of the rows, NaN where withheld.
        mean: name -> mean of the training observations.
    """
    parts = {
        f"training.loss {job.training.loss!r}": (load("loss", job.training.loss), "nse_batch, which takes any number")
    }
    if job.model.kind == "process":
        parts[f"process {job.model.process!r}"] = (
            load("process", job.model.process),
            "a process or network that takes it",
        )
    for part, (function, mend) in parts.items():
        takes = getattr(function, "takes", None)
        if takes is None:
            continue
        for name, values in observed.items():
            with np.errstate(invalid="ignore"):
                wrong = values <= 0 if takes == "above 0" else values < 0
            if wrong.any():
                day, place = np.argwhere(wrong)[0]
                raise DataError(
                    f"{domain.name}/observed: '{name}' at '{seen.place.iloc[place]}' is {values[day, place]:g} on "
                    f"{str(domain.forcing.time.values[day])[:10]}, but {part} takes values {takes}; use {mend}, or correct the value"
                )
            if mean[name] <= 0:
                raise DataError(
                    f"{domain.name}/observed: '{name}' is 0 at all training places, but {part} needs values above 0; use {mend}"
                )


def _scaling(domain, job, rows, observed, seen, days, fit_days):
    """Scaling of a gauge's record uses training and validation; of samples, training only."""
    training, trains = job.training, seen.train.values
    continuous = observable(next(iter(job.variables))).continuous
    if continuous:
        places, days_of_scale = rows[trains | seen.validation.values], slice(None)
    else:
        places, days_of_scale, days = rows[trains], slice(*fit_days), fit_days
    upstream = any(observable(name).gather != "unit" for name in job.variables)
    units = domain.catchment_weights[places].indices if upstream else domain.place_units[places]
    return fit_scaling(
        domain,
        np.unique(units),
        days,
        {name: np.nanmean(values[days_of_scale][:, trains]) for name, values in observed.items()},
        climate=training.climate_attributes,
        logarithmic=training.logarithmic_attributes,
        history=getattr(job.model, "network", None) == "transformer",
    )


def _deviation(variable, observed, loss):
    """Standard deviation of the observations of each place (place,), in logarithms for a loss of logarithms; 1 without any."""
    logarithmic = getattr(load("loss", loss), "logarithmic", False)
    if observable(variable).continuous and not logarithmic:
        seen = np.isfinite(observed).any(0)
        return np.where(seen, np.nanstd(np.where(seen, observed, 0.0), axis=0), 1.0)
    if logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = np.log(observed)
    spread = pd.DataFrame(np.where(np.isfinite(observed), observed, np.nan)).std(ddof=0).fillna(1.0).values
    return np.maximum(spread, MIN_DEVIATION)


def fingerprint_of(*parts):
    """A short hash of JSON-ready parts: checkpoints with other settings, data or code are never resumed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def train_experiment(domain, splits, job, checkpoints, key, label=""):
    """Train one model on every fold with every seed.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        splits: as returned by :func:`thalweg.experiments.splits.make_splits`.
        job: :class:`~thalweg.settings.blocks.TrainingJob`.
        checkpoints: folder for checkpoints; finished or interrupted runs resume from it.
        key: further conditions, besides the job and the splits, for a valid checkpoint (code and data fingerprints).
        label: for messages and progress.

    Returns:
        (tensors, values, log): weights under ``<fold>/<seed>/``; scaling by fold; DataFrame of the training.
    """
    seen_domain, model = spatial_domain(domain, job.model), job.model
    start = Start(model.start) if model.start else None
    if start:
        start.check(seen_domain)
        key = [key, start.key]
    identity = fingerprint_of(job.model_dump(mode="json", exclude={"seeds"}), splits.to_csv(), key)
    folder = Path(checkpoints) / identity
    tensors, scalings, log = {}, {}, []
    for fold, split in splits.groupby("fold"):
        task, scaling = make_task(seen_domain, split, job, start and start.scaling)
        scalings[str(fold)] = scaling.to_dict()
        for seed in job.seeds:
            path, name = folder / f"fold{fold}-seed{seed}.safetensors", f"{label} fold {fold} seed {seed}"

            def new(task=task, scaling=scaling, seed=seed, path=path):
                built = (start.model if start else build_model)(model, scaling, seen_domain).to(job.device)
                if getattr(model, "pretrain_steps", 0) and not path.exists():
                    _pretrain(built, seen_domain, scaling, job, seed, label)
                return built

            trained, rows = train(new, task, job.training, seed, path, label=name)
            tensors.update(checkpoint.prefixed(f"{fold}/{seed}", trained.state_dict()))
            log += [{"fold": fold, "seed": seed, **row} for row in rows]
    return tensors, {"scaling": scalings, "seeds": list(job.seeds)}, pd.DataFrame(log)


def _pretrain(model, domain, scaling, job, seed, label):
    inputs = scaling.attribute_inputs(domain), scaling.history_inputs(domain)
    inputs = [torch.as_tensor(values, dtype=torch.float32, device=job.device) for values in inputs]
    pretrain(model.network.encoder, *inputs, job.model.pretrain_steps, seed, f"{label} seed {seed}")


@torch.no_grad()
def simulate_experiment(domain, splits, job, tensors, values):
    """Simulate the tested places with every fold and seed: a gauge's test period, or the whole record between samples.

    Returns:
        Simulation: of every variable, NaN at places that the fold does not test; for a process also its learned and known
        parameters, means over components, and, at sampled places, all its fluxes, of the first fold and seed.
    """
    seen_domain, model = spatial_domain(domain, job.model), job.model
    folds, seeds = sorted(splits.fold.unique()), values["seeds"]
    continuous = observable(next(iter(job.variables))).continuous
    days = _span(domain, splits, continuous)
    spin_up = task_steps(job.training.spin_up, domain)
    shape = (len(folds), len(seeds), len(domain.place_ids), days[1] - days[0])
    simulated = {name: np.full(shape, np.nan, dtype=np.float32) for name in job.variables}
    quantiles = {}
    learned, known, internals, process = {}, (), None, None
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("place").loc[domain.place_ids]
        tested = np.flatnonzero(split.test.values)
        scaling = Scaling(**values["scaling"][str(fold)])
        series = series_of(seen_domain, scaling, model)
        whole = series.window(0, days[1], spin_up)
        if continuous:
            window, columns = series.window_of(torch.as_tensor(tested), 0, days[1], spin_up)
        else:
            window, columns = whole, torch.as_tensor(tested)
        for j, seed in enumerate(seeds):
            trained = build_model(model, scaling, seen_domain).eval()
            trained.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
            for name, series_there in trained(window).items():
                simulated[name][i, j, tested] = series_there[days[0] :, columns].T.numpy()
            if hasattr(trained, "quantiles"):
                for name, there in trained.quantiles(window, QUANTILES).items():
                    empty = (len(folds), len(seeds), len(QUANTILES), *shape[2:])
                    kept = quantiles.setdefault(name, np.full(empty, np.nan, dtype=np.float32))
                    kept[i, j, :, tested] = there[:, days[0] :, columns].permute(2, 0, 1).numpy()
            if model.kind != "process":
                continue
            process, known = trained.process, trained.known
            for name, column in _described(trained, whole, days[1] - days[0]).items():
                learned.setdefault(name, np.full((len(folds), len(seeds), *np.shape(column)), np.nan))[i, j] = column
            if internals is None and not continuous:
                internals = _internals(seen_domain, process, trained.fluxes(whole, process.flux_names))
    for name in simulated:
        for values_there in (simulated[name], quantiles.get(name, simulated[name])):
            values_there[..., ~observable_at(seen_domain, name), :] = np.nan
    return Simulation(
        {
            name: simulation_of(domain, splits, name, seeds, days, discharge, quantiles.get(name))
            for name, discharge in simulated.items()
        },
        parameters=_parameters(seen_domain, process, known, folds, seeds, learned) if learned else None,
        internals=internals,
    )


def _span(domain, splits, continuous):
    """Positions of the simulated steps: a gauge's test period, or the whole record between samples."""
    time = domain.forcing.time.values
    return period(splits, "test", time) if continuous else (0, len(time))


def _described(model, window, days):
    """Parameters of units and reaches, and the volumes of the river's water balance over the last ``days``."""
    static, routing = model.parameters_of(window)
    described = {name: values.mean(1).numpy() for name, values in static.items()}
    if model.routing != "none":
        described["mean_delay"] = mean_delay(routing["route_a"], routing["route_b"]).numpy()
    if model.river is None:
        return described
    parameters = model.river.parameters_of(window.drainage)
    described |= {p.name: parameters[p.name].numpy() for p in LEARNED}
    runoff, _ = model.runoff(window)
    discharge, before, after, lateral = model.river.march(runoff[-days:], window.drainage)
    seconds = 3600 * window.drainage.step_hours / model.river.steps
    described["volume_before"], described["volume_after"] = (v.double().sum().item() for v in (before, after))
    described["volume_in"] = seconds * lateral.double().sum().item()
    described["volume_out"] = seconds * discharge[:, window.drainage.river.outlets].double().sum().item()
    return described


VOLUMES = {
    "volume_before": "water in the river when the test period begins",
    "volume_after": "water in the river when it ends",
    "volume_in": "runoff into the river in the test period",
    "volume_out": "discharge out of the river in the test period",
}


def _parameters(domain, process, given, folds, seeds, learned):
    known = {p.name: p for p in (*process.parameters, *LEARNED)}
    reaches = {p.name for p in LEARNED} - set(process.parameter_names)
    data = {}
    for name, values in learned.items():
        unit, meaning = (domain.step, "mean delay of the unit hydrograph")
        if name in VOLUMES:
            unit, meaning = "m3", VOLUMES[name]
        if name in known:
            unit, meaning = known[name].unit, known[name].meaning
        places = () if name in VOLUMES else ("reach",) if name in reaches else ("unit",)
        data[name] = (("fold", "seed", *places), values, {"units": unit, "long_name": meaning})
        if name in known:
            data[name][2].update(low=known[name].low, high=known[name].high, known=int(name in given))
    coordinates = {"fold": folds, "seed": seeds, "unit": domain.unit_ids}
    if reaches.intersection(learned):
        coordinates["reach"] = domain.river.reach[domain.place_reaches]
    return xr.Dataset(data, coords=coordinates)


def _internals(domain, process, fluxes):
    known = {flux.name: flux for flux in process.fluxes}
    return xr.Dataset(
        {
            name: (("unit", "time"), values.T.numpy(), {"units": known[name].unit, "long_name": known[name].meaning})
            for name, values in fluxes.items()
        },
        coords={"time": domain.forcing.time.values, "unit": domain.unit_ids},
    )
