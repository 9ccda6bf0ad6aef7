"""Running an experiment: every fold and seed of one model, trained and simulated."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg import processes
from thalweg.basin.domain import DataError
from thalweg.learn import checkpoint
from thalweg.learn.networks import ProcessModel, SequenceModel
from thalweg.learn.pretrain import pretrain
from thalweg.learn.river import LEARNED, RiverNetwork
from thalweg.learn.scaling import Scaling, fit_scaling
from thalweg.learn.train import Task, train
from thalweg.learn.windows import Series
from thalweg.metrics.calendar import counted_days
from thalweg.processes.routing.unit_hydrograph import mean_delay


def process_of(settings):
    """The process that the model settings name."""
    if settings.process == "hbv":
        return processes.get("hbv", capillary_rise=settings.capillary_rise)
    return processes.get(settings.process)


def spatial_domain(domain, settings):
    """The domain as the model sees it: every unit, or each gauge's catchment as one."""
    return domain.lumped() if settings.spatial == "lumped" else domain


def build_model(settings, scaling):
    """A new model for the settings of a process or sequence model."""
    counts = len(scaling.forcing), len(scaling.attributes)
    if settings.kind == "sequence":
        return SequenceModel(*counts, settings.hidden, settings.dropout, scaling.discharge_mean)
    if settings.routing == "river" and scaling.reach_mean is None:
        raise DataError(
            "routing is river, but the reaches of the domain have no length, slope, width, drainage_area and elevation; "
            "use routing: unit_hydrograph there"
        )
    return ProcessModel(
        process_of(settings),
        *counts,
        settings.components,
        settings.network,
        settings.hidden,
        settings.layers,
        settings.dropout,
        tuple(settings.dynamic),
        settings.integrator,
        patches=scaling.history_patches,
        routing=settings.routing,
        river=RiverNetwork(len(scaling.reach_mean or ()), settings.river_hidden, settings.river_step)
        if settings.routing == "river"
        else None,
    )


def positions(time, first, last):
    """Positions ``(start, stop)`` of the days first..last in ``time``, stop excluded."""
    days = pd.DatetimeIndex(time)
    return int(days.searchsorted(pd.Timestamp(first))), int(days.searchsorted(pd.Timestamp(last), side="right"))


def period(split, part, time):
    """Positions of the training or test period of a split."""
    return positions(time, split[f"{part}_start"].iloc[0], split[f"{part}_end"].iloc[0])


def make_task(domain, split, training, validation_share, device="cpu"):
    """The :class:`~thalweg.learn.train.Task` of one fold.

    Scaling, units, observations and deviations come from the training gauges, their catchments and the training period;
    observations of test gauges and days are not in the task at all.

    Args:
        domain: the domain as the model sees it.
        split: rows of one fold.
        training: :class:`~thalweg.settings.blocks.Training`.
        validation_share: share of the end of the training period held out when no gauge validates; with 0 the whole
            training period is watched instead.
        device: where the tensors are.

    Returns:
        (Task, Scaling)
    """
    seen = split[split.train | split.validation]
    rows = np.array([list(domain.gauge_ids).index(gauge) for gauge in seen.gauge])
    weights = domain.gauge_weights[rows]
    units = np.unique(weights.indices)
    days = period(split, "train", domain.forcing.time.values)
    observed = np.where(counted_days(seen, "train", domain.forcing.time.values), domain.observed.values[rows].T, np.nan)
    validates = seen.validation.values
    scaling = fit_scaling(domain, units, days, np.nanmean(observed[:, ~validates]), climate=training.climate_attributes)
    fit_days, validation_days = days, days
    if not validates.any():
        validates = np.ones(len(seen), bool)
        cut = days[1] - round(validation_share * (days[1] - days[0]))
        if cut < days[1]:
            fit_days, validation_days = (days[0], cut), (cut, days[1])

    def tensor(array, dtype=torch.float32):
        return torch.as_tensor(array, dtype=dtype, device=device)

    task = Task(
        series=Series(domain, scaling, rows, device=device),
        observed=tensor(observed),
        deviation=tensor(np.nanstd(observed, axis=0)),
        training=tensor(seen.train.values, torch.bool),
        validation=tensor(validates, torch.bool),
        days=fit_days,
        validation_days=validation_days,
    )
    return task, scaling


def fingerprint_of(*parts):
    """A short hash of JSON-ready parts: checkpoints of other settings, data or code are never resumed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def train_experiment(
    domain, splits, model, training, seeds, checkpoints, key, validation_share, device="cpu", label=""
):
    """Train one model on every fold with every seed.

    Args:
        domain, splits: as made by :func:`thalweg.experiments.splits.make_splits`.
        model, training: settings.
        seeds: list of int.
        checkpoints: folder for checkpoints; a finished or broken run is taken up from there.
        key: what else, besides settings and splits, makes a checkpoint valid (code and data fingerprints).
        validation_share: see :func:`make_task`.

    Returns:
        (tensors, values, log): weights under ``<fold>/<seed>/``; scaling by fold; DataFrame of the training.
    """
    seen_domain = spatial_domain(domain, model)
    identity = fingerprint_of(model.model_dump(mode="json"), training.model_dump(mode="json"), splits.to_csv(), key)

    def pretrained(built, scaling, seed):
        inputs = scaling.attribute_inputs(seen_domain), scaling.history_inputs(seen_domain)
        inputs = [torch.as_tensor(values, dtype=torch.float32, device=device) for values in inputs]
        pretrain(built.network.encoder, *inputs, model.pretrain_steps, seed, f"{label} seed {seed}")

    return train_folds(
        splits,
        seeds,
        training,
        lambda split: make_task(seen_domain, split, training, validation_share, device),
        lambda scaling: build_model(model, scaling),
        Path(checkpoints) / identity,
        label,
        pretrained if getattr(model, "pretrain_steps", 0) else None,
    )


def train_folds(splits, seeds, training, task_of, build, checkpoints, label, prepare=None):
    """Train a model on every fold of a split with every seed.

    Args:
        splits: table of folds.
        seeds: list of int.
        training: :class:`~thalweg.settings.blocks.Training`.
        task_of: function from the rows of a fold to its (Task, Scaling).
        build: function from a Scaling to a new model.
        checkpoints: folder for checkpoints.
        label: for messages and progress.
        prepare: optional function of a new model, its Scaling and the seed, called before the first step; not when a
            checkpoint is taken up.

    Returns:
        (tensors, values, log): as :func:`train_experiment`.
    """
    tensors, scalings, log = {}, {}, []
    for fold, split in splits.groupby("fold"):
        task, scaling = task_of(split)
        scalings[str(fold)] = scaling.to_dict()
        for seed in seeds:
            path = Path(checkpoints) / f"fold{fold}-seed{seed}.safetensors"

            def new(task=task, scaling=scaling, seed=seed, path=path):
                model = build(scaling).to(task.observed.device)
                if prepare is not None and not path.exists():
                    prepare(model, scaling, seed)
                return model

            trained, rows = train(
                new,
                task,
                training,
                seed,
                path,
                label=f"{label} fold {fold} seed {seed}",
            )
            tensors.update(checkpoint.prefixed(f"{fold}/{seed}", trained.state_dict()))
            log += [{"fold": fold, "seed": seed, **row} for row in rows]
    return tensors, {"scaling": scalings, "seeds": list(seeds)}, pd.DataFrame(log)


@torch.no_grad()
def simulate_experiment(domain, splits, model, training, tensors, values):
    """Simulate the test period of every fold and seed.

    Returns:
        (Dataset, Dataset | None): discharge (fold, seed, gauge, time) in mm/day, NaN at gauges that the fold does not
        test, beside the observed; learned parameters (fold, seed, unit) as means over components, for a process.
    """
    seen_domain = spatial_domain(domain, model)
    folds, seeds = sorted(splits.fold.unique()), values["seeds"]
    days = period(splits, "test", domain.forcing.time.values)
    shape = (len(folds), len(seeds), len(domain.gauge_ids), days[1] - days[0])
    discharge = np.full(shape, np.nan, dtype=np.float32)
    learned = {}
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("gauge").loc[domain.gauge_ids]
        counted = counted_days(split, "test", domain.forcing.time.values)[slice(*days)] & split.test.values
        tested = np.flatnonzero(split.test.values)
        scaling = Scaling(**values["scaling"][str(fold)])
        series = Series(seen_domain, scaling)
        whole = series.window(0, days[1], round(training.spin_up))
        window, columns = series.window_of(torch.as_tensor(tested), 0, days[1], round(training.spin_up))
        for j, seed in enumerate(seeds):
            trained = build_model(model, scaling).eval()
            trained.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
            discharge[i, j, tested] = trained(window)[days[0] :, columns].T.numpy()
            if model.kind == "process":
                for name, column in _described(trained, whole, days[1] - days[0]).items():
                    learned.setdefault(name, np.full((len(folds), len(seeds), *np.shape(column)), np.nan))[i, j] = (
                        column
                    )
        discharge[i, :, ~counted.T] = np.nan
    simulation = _simulation(domain, folds, seeds, days, discharge)
    if not learned:
        return simulation, None
    return simulation, _parameters(seen_domain, process_of(model), folds, seeds, learned)


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
    seconds = 86400 / model.river.steps
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


def _parameters(domain, process, folds, seeds, learned):
    known = {p.name: p for p in (*process.parameters, *LEARNED)}
    reaches = {p.name for p in LEARNED}
    data = {}
    for name, values in learned.items():
        unit, meaning = ("m3", VOLUMES[name]) if name in VOLUMES else ("day", "mean delay of the unit hydrograph")
        if name in known:
            unit, meaning = known[name].unit, known[name].meaning
        places = () if name in VOLUMES else ("reach",) if name in reaches else ("unit",)
        data[name] = (("fold", "seed", *places), values, {"units": unit, "long_name": meaning})
        if name in known:
            data[name][2].update(low=known[name].low, high=known[name].high)
    coordinates = {"fold": folds, "seed": seeds, "unit": domain.unit_ids}
    if reaches.intersection(learned):
        coordinates["reach"] = domain.river.reach[domain.gauge_reaches]
    return xr.Dataset(data, coords=coordinates)


def _simulation(domain, folds, seeds, days, discharge):
    window = slice(*days)
    return xr.Dataset(
        {
            "discharge": (
                ("fold", "seed", "gauge", "time"),
                discharge,
                {"units": "mm/day", "long_name": "simulated discharge, depth over the drainage area"},
            ),
            "observed": (
                ("gauge", "time"),
                domain.observed.values[:, window],
                {"units": "mm/day", "long_name": "observed discharge"},
            ),
        },
        coords={"fold": folds, "seed": seeds, "gauge": domain.gauge_ids, "time": domain.forcing.time.values[window]},
    )


def climatology(domain, splits, smoothing):
    """Mean discharge per calendar day over the training period.

    At a gauge that trains or validates, and at every gauge when training and test period are apart, its own; at a held-out gauge,
    the mean over the others. The calendar is smoothed by a circular running mean of ``smoothing`` days.

    Returns:
        Dataset as of :func:`simulate_experiment`, with one seed, 0.
    """
    time = pd.DatetimeIndex(domain.forcing.time.values)
    folds = sorted(splits.fold.unique())
    days = period(splits, "test", time)
    observed = pd.DataFrame(domain.observed.values.T, index=time, columns=domain.gauge_ids)
    discharge = np.full((len(folds), 1, observed.shape[1], days[1] - days[0]), np.nan, dtype=np.float32)
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("gauge").loc[domain.gauge_ids]
        first, last = period(split, "train", time)
        disjoint = last <= days[0] or first >= days[1]
        seen = (split.train | split.validation).values | disjoint
        past = observed.where(counted_days(split, "train", time) & seen).iloc[first:last]
        mean = past.groupby(past.index.dayofyear).mean().reindex(range(1, 367)).interpolate(limit_direction="both")
        smooth = pd.concat([mean] * 3).rolling(round(smoothing), center=True).mean().iloc[366:732]
        smooth = smooth.T.fillna(smooth.mean(axis=1)).T
        window = smooth.loc[time[slice(*days)].dayofyear].values.T
        tested = split.test.values
        discharge[i, 0, tested] = window[tested]
        discharge[i, 0, ~counted_days(split, "test", time)[slice(*days)].T] = np.nan
    return _simulation(domain, folds, [0], days, discharge)
