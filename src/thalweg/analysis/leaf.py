"""Learning leaf parameters from gas exchange: held-out points and curves, and twin experiments with known parameters.

Every experiment predicts assimilation (and conductance) at data not used in training. Within curves, the network has, in
addition to attributes, an offset for each curve; across curves, species and locations it has only attributes, as have its
baselines: the mean of the training curves' fits, of those of the same plant type, and ridge regression on the same attributes.

Parameters are compared with the fits of the curves themselves, which use the held-out curves and have their own errors.
"""

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg.learn import optimisers
from thalweg.learn.leaf import Curves, LeafNetwork, curves_of, fit, learned, misfit, train
from thalweg.processes.vegetation.photosynthesis import (
    RESPONSES,
    SEA_LEVEL,
    STRESS,
    VCMAX25,
    leaf_fluxes,
    temperature_response,
    water_stress,
)

PENALTIES = np.logspace(-2, 5, 29)  # of ridge regression
INNER_FOLDS = 5  # of training groups, to choose a penalty and the stopping time
JUDGED = ("Vcmax25", "Jmax25", "Rd25", "g1")
GROUPS = {"curves": None, "species": "species", "locations": "location"}  # experiment -> label of the groups held out
KEYS = ["domain", "experiment", "model", "fold", "seed", "curve", "group"]  # of the learned parameters
ONE_START = ((1.0, 1.0),)
MIN_POINTS = 2  # tested points of a curve for a score

# Vcmax25 [umol m-2 s-1] and g1 [kPa**0.5] of seven plant types: FATES's defaults; De Kauwe et al. (2015).
PLANT_TYPES = {
    "needleleaf evergreen": (62.0, 2.35),
    "broadleaf evergreen": (50.0, 4.12),
    "broadleaf deciduous": (58.0, 4.45),
    "needleleaf deciduous": (39.0, 2.35),
    "shrub": (41.0, 4.70),
    "C3 grass": (78.0, 5.25),
    "crop": (65.0, 5.79),
}
POINTS = 12  # measurements of a synthetic leaf
TEST_SHARE = 0.2


def fits_of(domain):
    """Every curve fitted separately, by the equations of its pathway.

    Returns:
        DataFrame: a row per curve: parameters at 25 degC, RMSE of assimilation [umol m-2 s-1], and, if the data have their
        own fits, these, and ``Vcmax`` and ``Jmax`` at the same temperature.
    """
    tables = []
    attributes = domain.attributes
    for pathway in np.unique(attributes.pathway.values):
        curves, positions = curves_of(domain, pathway, torch.float64)
        found = fit(curves, **_starts(curves))
        error = _errors(curves, found)["assimilation"]
        table = pd.DataFrame({"curve": domain.unit_ids[positions], "pathway": pathway, **found, "RMSE": _rmse(error)})
        for name, variable in attributes.isel(unit=positions).data_vars.items():
            table[name] = variable.values
        if "reference_temperature" in attributes and pathway == "C3":
            temperature = torch.as_tensor(table.reference_temperature.values)
            for name in ("Vcmax", "Jmax"):
                table[name] = table[f"{name}25"] * temperature_response(temperature, *RESPONSES[name]).numpy()
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _starts(curves):
    """A search for the root makes fits slow; with varied light and humidity they have one minimum."""
    return {} if "intercellular_co2" in curves.forcing else {"starts": ONE_START}


def _predicted(curves, parameters):
    """Modelled values: name -> array (point, curve), NaN for a variable whose parameter is not known."""
    like = next(iter(curves.forcing.values()))
    given = {name: torch.as_tensor(np.nan_to_num(values, nan=1.0)).to(like) for name, values in parameters.items()}
    with torch.no_grad():
        predicted = {name: values.numpy().astype(float) for name, values in curves.predict(given).items()}
    if "stomatal_conductance" in predicted and "g1" in parameters:
        unknown = ~np.isfinite(np.asarray(parameters["g1"], dtype=float)).ravel()
        predicted["stomatal_conductance"][:, unknown] = np.nan
    return predicted


def _errors(curves, parameters):
    """Modelled minus measured: name -> array (point, curve), NaN where not measured."""
    predicted = _predicted(curves, parameters)
    return {name: predicted[name] - curves.samples[name].numpy().astype(float) for name in curves.samples}


def _rmse(error):
    return np.sqrt(np.nanmean(error**2, axis=0))


def run_study(domain, settings):
    """All experiments on the C3 curves of a dataset.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain` of leaves.
        settings: :class:`~thalweg.settings.leaf.LeafStudy`.

    Returns:
        (simulations, tables): Datasets of the form of :mod:`thalweg.experiments.simulation`, one per experiment, model and variable,
        with ``point`` instead of time; dict of DataFrames: ``fits``, see :func:`fits_of`; ``parameters``, learned ones of every
        curve where it was held out; ``points``, measured and modelled within curves.
    """
    fits = fits_of(domain)
    curves, positions = curves_of(domain)
    ids = domain.unit_ids[positions]
    fitted = fits.set_index("curve").loc[ids, [p.name for p in curves.parameters]]
    labels = {name: v.values[positions] for name, v in domain.attributes.data_vars.items() if v.dtype.kind in "OU"}
    inputs = np.stack([_input(domain.attributes[name].values[positions]) for name in domain.inputs], axis=1)
    units = {name: domain.observed[name].attrs["units"] for name in curves.samples}
    found, held_out, points = _within(curves, inputs, ids, settings)
    simulations, parameters = _simulations(curves, ids, units, found, [held_out], "points"), []
    for experiment in settings.held_out:
        groups = labels.get(GROUPS[experiment]) if GROUPS[experiment] else ids
        if groups is None or len(np.unique(groups)) < settings.folds:
            continue
        found, folds, table = _across(curves, inputs, ids, groups, labels.get("plant_type"), fitted, settings)
        out = [np.broadcast_to(fold, held_out.shape) for fold in folds]
        simulations += _simulations(curves, ids, units, found, out, experiment)
        parameters.append(table.assign(experiment=experiment, domain=domain.name))
    tables = {
        "fits": fits.assign(domain=domain.name),
        "parameters": pd.concat(parameters, ignore_index=True) if parameters else pd.DataFrame(columns=KEYS),
        "points": points.assign(domain=domain.name),
    }
    return [one.assign_attrs(domain=domain.name) for one in simulations], tables


def _simulations(curves, ids, units, found, held_out, experiment):
    """Simulations of all models and variables of an experiment.

    Args:
        curves, ids: all curves and their names.
        units: of the variables.
        found: (model, seed) -> fold -> name -> parameters (curve,), NaN at curves that the fold does not test.
        held_out: bool (point, curve) of each fold.
        experiment: its name.

    Returns:
        list of Dataset: (fold, seed, place, point).
    """
    observed = {name: values.numpy().T for name, values in curves.samples.items()}
    made = {key: [_predicted(curves, values) for values in folds] for key, folds in found.items()}
    out = np.stack([mask.T for mask in held_out])
    result = []
    for model in dict.fromkeys(model for model, _ in found):
        seeds = [seed for name, seed in found if name == model]
        for name, values in observed.items():
            there = np.isfinite(values)
            simulated = np.stack([np.stack([fold[name].T for fold in made[model, seed]]) for seed in seeds], axis=1)
            simulated[~np.broadcast_to(out.any(2)[:, None], simulated.shape[:3])] = np.nan
            data = {
                "simulated": (("fold", "seed", "place", "point"), simulated, {"units": units[name]}),
                "observed": (("place", "point"), values, {"units": units[name]}),
                "trained": (("fold", "place", "point"), (~out & there).astype(np.int8)),
                "tested": (("fold", "place", "point"), (out & there).astype(np.int8)),
            }
            attrs = {"experiment": experiment, "model": model, "variable": name, "unit": units[name]}
            coordinates = {"fold": range(len(out)), "seed": seeds, "place": ids, "point": np.arange(values.shape[1])}
            result.append(xr.Dataset(data, coordinates, attrs | {"minimum_values": MIN_POINTS}))
    return result


def _within(curves, inputs, ids, settings):
    """Points held out within curves.

    Returns:
        (found, held_out, points): parameters as for :func:`_simulations`; bool (point, curve); modelled points, a DataFrame.
    """
    number = np.arange(next(iter(curves.forcing.values())).shape[0])[:, None]
    held_out = torch.as_tensor(number % settings.every == settings.every // 2).expand(-1, curves.size)
    training = curves.only(~held_out)
    alone = _double(training)
    found = {("least_squares", 0): fit(alone, **_starts(alone))}
    scaled = _scaled(inputs, slice(None))
    for seed in settings.seeds:
        found["network", seed] = _train(training, scaled, settings, seed, curves.size)
        found["one_set", seed] = _train(training, scaled[:, :0], settings, seed)
    points = pd.DataFrame(
        {
            "curve": np.tile(ids, len(number)),
            "point": np.repeat(number[:, 0], len(ids)),
            "held_out": held_out.numpy().ravel(),
            **{name: values.numpy().ravel() for name, values in curves.forcing.items()},
            **{name: values.numpy().ravel() for name, values in curves.samples.items()},
        }
    )
    for model, seed in (("least_squares", 0), ("network", settings.seeds[0])):
        for name, error in _errors(curves, found[model, seed]).items():
            points[f"{name}_{model}"] = points[name] + error.ravel()
    found = {key: [values] for key, values in found.items()}
    return found, held_out.numpy(), points[points.assimilation.notna()]


def _across(curves, inputs, ids, groups, plant_type, fitted, settings):
    """Whole groups of curves held out.

    Returns:
        (found, folds, table): parameters as for :func:`_simulations`; bool (curve,) of each fold; parameters of the held-out
        curves, a DataFrame.
    """
    parameters, found = [], {}
    folds = folds_of(groups, settings.folds)
    for fold, out in enumerate(folds):
        kept = ~out
        scaled = _scaled(inputs, kept)
        known = np.log(fitted[kept])
        models = {("mean", 0): pd.DataFrame([known.mean()] * out.sum())}
        if plant_type is not None:
            means = known.groupby(plant_type[kept]).mean()
            models["plant_type", 0] = means.reindex(plant_type[out]).fillna(known.mean())
        models["ridge", 0] = pd.DataFrame(
            {name: ridge(scaled[kept], known[name].to_numpy(), groups[kept], scaled[out]) for name in known}
        )
        here = {key: {name: np.exp(table[name].to_numpy()) for name in table} for key, table in models.items()}
        training = curves.take(np.flatnonzero(kept))
        for seed in settings.seeds:
            network = _network(training, scaled.shape[1], settings, seed)
            validation = folds_of(groups[kept], INNER_FOLDS, seed)[0]
            train(network, training, _tensor(scaled[kept]), settings.steps, settings.learning_rate, validation)
            here["network", seed] = learned(network, _tensor(scaled[out]))
        for (model, seed), values in here.items():
            head = {"model": model, "fold": fold, "seed": seed, "curve": ids[out], "group": groups[out]}
            fits = {f"{name}_fit": fitted.loc[out, name].to_numpy() for name in fitted}
            parameters.append(pd.DataFrame(head | values | fits))
            everywhere = {name: np.full(len(ids), np.nan) for name in values}
            for name, column in everywhere.items():
                column[out] = np.asarray(values[name]).ravel()
            found.setdefault((model, seed), []).append(everywhere)
    return found, folds, pd.concat(parameters, ignore_index=True)


def folds_of(groups, folds, seed=0):
    """Bool arrays (curve,), one per fold, that hold out whole groups; folds are about equally large."""
    names, counts = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    sizes, place = np.zeros(folds), {}
    for position in order:
        fold = int(np.argmin(sizes))
        place[names[position]] = fold
        sizes[fold] += counts[position]
    fold = np.array([place[group] for group in groups])
    return [fold == number for number in range(folds) if (fold == number).any()]


def ridge(inputs, targets, groups, wanted):
    """Ridge regression, with a penalty chosen by holding out groups of the training rows.

    Args:
        inputs, wanted: arrays (row, input), scaled alike.
        targets: array (row,); NaN is ignored.
        groups: labels (row,).

    Returns:
        array: predictions for ``wanted``.
    """
    known = np.isfinite(targets)
    inputs, targets, groups = inputs[known], targets[known], groups[known]
    errors = np.zeros(len(PENALTIES))
    for out in folds_of(groups, INNER_FOLDS):
        predicted = _ridge(inputs[~out], targets[~out], inputs[out])
        errors += ((predicted - targets[out]) ** 2).sum(1)
    return _ridge(inputs, targets, wanted)[int(np.argmin(errors))]


def _ridge(inputs, targets, wanted):
    """Predictions with each of PENALTIES: array (penalty, row)."""
    centre, mean = inputs.mean(0), targets.mean()
    left, singular, right = np.linalg.svd(inputs - centre, full_matrices=False)
    shrunk = singular / (singular**2 + PENALTIES[:, None]) * (left.T @ (targets - mean))
    return mean + shrunk @ right @ (wanted - centre).T


def _input(values):
    """Logarithms of traits and climate that cannot be 0, whose distributions are about log-normal (Wright et al. 2004)."""
    return np.log(values) if (values > 0).all() else values


def _scaled(inputs, rows):
    """Attributes with mean 0 and deviation 1 over the training rows."""
    deviation = inputs[rows].std(0)
    return (inputs - inputs[rows].mean(0)) / np.where(deviation > 1e-9, deviation, 1.0)


def _tensor(values):
    return torch.as_tensor(values, dtype=torch.float32)


def _double(curves):
    double = [{n: v.double() for n, v in group.items()} for group in (curves.forcing, curves.samples)]
    return Curves(*double, curves.pathway)


def _network(curves, inputs, settings, seed, offsets=0):
    torch.manual_seed(seed)
    return LeafNetwork(curves.parameters, inputs, settings.hidden, offsets)


def _train(curves, inputs, settings, seed, offsets=0):
    network = _network(curves, inputs.shape[1], settings, seed, offsets)
    return train(network, curves, _tensor(inputs), settings.steps, settings.learning_rate)


def parameter_skill(parameters, samples, seed=0):
    """Skill of predicted parameters of held-out curves, with 95 % intervals by resampling groups.

    Args:
        parameters: as returned by :func:`run_study`.
        samples: bootstrap resamples of groups.
        seed: of the resampling.

    Returns:
        DataFrame: a row per domain, experiment, model and parameter: ``R2`` = 1 - SSE / SST and ``R2_log``, that of logarithms,
        ``RMSE`` in the parameter's unit, each with ``_low`` and ``_high``; curves and groups. Predictions of several seeds are
        averaged as logarithms.
    """
    generator = np.random.default_rng(seed)
    names = [name for name in JUDGED if name in parameters]
    rows = []
    for (domain, experiment, model), table in parameters.groupby(["domain", "experiment", "model"], sort=False):
        columns = [*names, *(f"{name}_fit" for name in names)]
        logs = np.log(table.set_index(["curve", "group"])[columns]).groupby(level=[0, 1]).mean()
        for name in names:
            pair = logs[[name, f"{name}_fit"]].dropna()
            codes, groups = pd.factorize(pair.index.get_level_values("group"))
            members = [np.flatnonzero(codes == code) for code in range(len(groups))]
            predicted, observed = pair.to_numpy().T
            draws = []
            for _ in range(samples):
                chosen = np.concatenate([members[i] for i in generator.integers(0, len(groups), len(groups))])
                draws.append(_agreement(predicted[chosen], observed[chosen]))
            row = {"domain": domain, "experiment": experiment, "model": model, "parameter": name}
            low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
            for i, measure in enumerate(("R2", "R2_log", "RMSE")):
                row[measure] = _agreement(predicted, observed)[i]
                row |= {f"{measure}_low": low[i], f"{measure}_high": high[i]}
            rows.append(row | {"curves": len(pair), "groups": len(groups)})
    return pd.DataFrame(rows)


def _agreement(predicted, observed):
    """R2, R2 of logarithms and RMSE of values given as logarithms."""
    scores = []
    for a, b in ((np.exp(predicted), np.exp(observed)), (predicted, observed)):
        total = ((b - b.mean()) ** 2).sum()
        scores.append(1 - ((a - b) ** 2).sum() / total if total > 0 else np.nan)
    return (*scores, np.sqrt(np.mean((np.exp(predicted) - np.exp(observed)) ** 2)))


def recover(settings):
    """Vcmax25 of plant types and the soil-water stress exponent of soils, recovered from simulated assimilation.

    Following Aboelyazeed et al. (2023, doi:10.5194/bg-20-2671-2023): B = 0.1 organic matter + 0.45 sand + 0.45 clay
    (shares); one network maps the plant type to Vcmax25, another the soil to B; errors of net assimilation train both
    through the coupled equations.

    Returns:
        (table, leaves): DataFrame with a row per noise, seed and quantity: R2 over held-out leaves (of net assimilation: over their
        points, without noise); DataFrame with a row per noise, seed and held-out leaf: true and learned.
    """
    table, leaves = [], []
    for noise in settings.noise:
        for seed in settings.seeds:
            generator = np.random.default_rng(seed)
            count = settings.recovery_leaves
            types = np.arange(count) % len(PLANT_TYPES)
            soil = np.stack([0.1 * generator.random(count), *generator.dirichlet((2, 2, 2), count).T[:2]], axis=1)
            vcmax, g1 = (np.array([values[i] for values in PLANT_TYPES.values()])[types] for i in (0, 1))
            truth = {"Vcmax25": _tensor(vcmax), "stress_exponent": _tensor(soil @ [0.1, 0.45, 0.45])}
            weather = {
                "absorbed_light": generator.uniform(100, 1700, (POINTS, count)),
                "leaf_temperature": generator.uniform(10, 35, (POINTS, count)),
                "vapour_pressure_deficit": generator.uniform(0.5, 3.0, (POINTS, count)),
            }
            weather = {name: _tensor(values) for name, values in weather.items()}
            moisture = _tensor(generator.uniform(0.02, 0.8, (POINTS, count)))
            out = np.arange(count) >= round((1 - TEST_SHARE) * count)
            made = _assimilation(truth, weather, moisture, _tensor(g1))
            observed = made * (1 + noise * _tensor(generator.standard_normal(made.shape)))
            observed[:, out] = float("nan")
            model = _Recovery(np.eye(len(PLANT_TYPES))[types], _scaled(soil, ~out), settings.hidden, seed)
            optimiser = optimisers.Adam(model.parameters(), lr=settings.learning_rate)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.recovery_steps)
            scales = {"assimilation": float(made.std())}
            for _ in range(settings.recovery_steps):
                optimiser.zero_grad()
                simulated = _assimilation(model(), weather, moisture, _tensor(g1))
                misfit({"assimilation": simulated}, {"assimilation": observed}, scales).backward()
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                found = model()
                pairs = {name: (found[name][out], truth[name][out]) for name in truth}
                again = _assimilation(found, weather, moisture, _tensor(g1))
            pairs["assimilation"] = again[:, out].ravel(), made[:, out].ravel()
            for name, (a, b) in pairs.items():
                head = {"noise": noise, "seed": seed, "quantity": name}
                r2 = float(1 - (a - b).square().sum() / (b - b.mean()).square().sum())
                bias = float((a - b).mean())
                table.append(head | {"R2": r2, "bias": bias, "RMSE": float((a - b).square().mean().sqrt())})
                if name != "assimilation":
                    leaves.append(pd.DataFrame(head | {"leaf": np.flatnonzero(out), "true": b, "learned": a}))
    return pd.DataFrame(table), pd.concat(leaves, ignore_index=True)


class _Recovery(torch.nn.Module):
    """Vcmax25 from the plant type, B from the soil."""

    def __init__(self, types, soil, hidden, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.types, self.soil = _tensor(types), _tensor(soil)
        self.capacity = LeafNetwork((VCMAX25,), types.shape[1], hidden)
        self.stress = LeafNetwork((STRESS,), soil.shape[1], hidden)

    def forward(self):
        return self.capacity(self.types) | self.stress(self.soil)


def _assimilation(parameters, weather, moisture, g1):
    """Net assimilation of leaves in drying soil, umol m-2 s-1: tensor (point, leaf)."""
    stress = water_stress(moisture, parameters["stress_exponent"])
    given = {"Vcmax25": parameters["Vcmax25"], "g1": g1}
    co2 = torch.full_like(moisture, 400.0)
    return leaf_fluxes(given, pressure=SEA_LEVEL, co2=co2, stress=stress, **weather)["assimilation"]
