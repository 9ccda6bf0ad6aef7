"""The canopy at a flux tower: latent heat and daytime exchange of CO2, learned, and predicted in later years.

The canopy of :mod:`thalweg.processes.runoff.hbv_canopy` is learned from dry half-hours with light: Vcmax25, g1, leaf area
index, the share of it active in the cold, aerodynamic conductance and the exponent of water stress. Respiration of the
ecosystem is that of its nights (Lloyd & Taylor 1994, doi:10.2307/2389824), so that exchange in daylight yields uptake:

    net exchange = R10 exp(E0 (1 / (10 + T0) - 1 / (T + T0))) - gross uptake

Trained on one of the two fluxes, a canopy predicts the other without training on it.
"""

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg.datasets.davos import LATITUDE
from thalweg.evaluation.blocks import block_bootstrap
from thalweg.evaluation.evidence import EVIDENCE_COLUMNS
from thalweg.forcing.evapotranspiration import potential_evapotranspiration
from thalweg.learn import optimisers
from thalweg.learn.networks import perceptron
from thalweg.processes.runoff.hbv_canopy import CANOPY, MEMORY, active_leaves
from thalweg.processes.vegetation.penman_monteith import (
    LATENT_HEAT,
    SECONDS,
    canopy_fluxes,
    psychrometric_constant,
    saturation_slope,
)
from thalweg.processes.vegetation.photosynthesis import water_stress

TARGETS = {"latent_heat": "W/m**2", "net_exchange": "umol/m**2/s"}
TRAINED = {
    "canopy": ("latent_heat", "net_exchange"),
    "canopy-latent-heat": ("latent_heat",),
    "canopy-net-exchange": ("net_exchange",),
}
LEARNED = tuple(p for p in CANOPY if p.name != "interception")
DRIVERS = ("air_temperature", "vapour_pressure_deficit", "light", "net_radiation", "pressure", "soil_water")
DERIVED = ("wetness", "warmth", "respiration")
PLACE = "CH-DAV"
DAYS_ONLY = ("oudin", "canopy-daytime-mean")  # models without half-hourly output
COMPARED = ("climatology", "priestley-taylor", "perceptron")  # with the canopy, in days
CO2 = 405.0  # umol/mol, mean of the years
E0, T0 = 308.56, 46.02  # K; degC: Lloyd & Taylor (1994), equation 11, with 10 degC as reference
PRIESTLEY_TAYLOR = 1.26
WETTEST = 0.99  # quantile of soil water that counts as saturation
EXPONENTS = np.linspace(0, 4, 81)  # of soil water in potential evapotranspiration times a factor
HALF_WINDOW = 15  # days of the calendar on either side, of climatology
HIDDEN = 32  # of the perceptron
MIN_VALUES = 30  # for a score


def run(table, settings):
    """Learn and predict.

    Args:
        table: as returned by :func:`thalweg.datasets.davos.build`.
        settings: :class:`~thalweg.settings.canopy.CanopyStudy`.

    Returns:
        (simulations, tables): Datasets of the form of :mod:`thalweg.experiments.simulation`, one per time scale (experiment), model and
        flux; dict of DataFrames: ``daily``, means over a day's measured dry half-hours with light in the test period, measured
        and modelled; ``cycle``, the mean over the hours of the day from May to September; ``parameters``, learned.
    """
    warmth = table.air_temperature.resample("1D").mean().interpolate().ewm(alpha=1 / MEMORY).mean()
    day = table[table.shortwave_radiation > settings.daylight].copy()
    day["warmth"] = warmth.loc[day.index.normalize()].values
    day["half_hours"] = day.groupby(day.index.date).shortwave_radiation.transform("size")
    in_training = _within(table, settings.train)
    night = table[in_training & (table.shortwave_radiation < 1.0)]
    respiration = night_respiration(night.air_temperature, night.net_exchange)
    day["respiration"] = respiration * lloyd_taylor(day.air_temperature)
    saturation = table.soil_water[in_training].quantile(WETTEST)
    day["wetness"] = np.clip(day.soil_water / saturation, 0.0, 1.0)
    usable = day[day.dry].dropna(subset=list(DRIVERS))
    train = usable[_within(usable, settings.train)].dropna(subset=list(TARGETS))
    test = usable[_within(usable, settings.test)]
    parameters = learn(train, settings)
    predictions = {}
    for position, (model, seed) in enumerate((m, s) for m in TRAINED for s in settings.seeds):
        chosen = {name: values[position] for name, values in parameters.items()}
        predictions[model, seed] = predict(test, chosen)
        if model == "canopy":
            predictions["canopy-daytime-mean", seed] = _of_daytime_means(test, chosen)
    for seed in settings.seeds:
        predictions["perceptron", seed] = regression(train, test, seed, settings)
    predictions["climatology", 0] = climatology(train, test)
    predictions["priestley-taylor", 0] = {"latent_heat": _scaled(priestley_taylor, train, test)}
    predictions["oudin", 0] = {"latent_heat": _scaled(oudin, train, test)}
    simulations, daily = _simulations(test, predictions, settings)
    names = [f"{model}/{seed}" for model in TRAINED for seed in settings.seeds]
    found = pd.DataFrame({name: values.numpy() for name, values in parameters.items()})
    found.insert(0, "model", [name.split("/")[0] for name in names])
    found.insert(1, "seed", [int(name.split("/")[1]) for name in names])
    cycle = _cycle(test, predictions)
    return simulations, {"daily": daily, "cycle": cycle, "parameters": found.assign(R10=respiration)}


def _within(table, period):
    return (table.index >= pd.Timestamp(period[0])) & (table.index < pd.Timestamp(period[1]) + pd.Timedelta("1D"))


def lloyd_taylor(temperature):
    """Respiration at a temperature in degC relative to 10 degC."""
    return np.exp(E0 * (1 / (10 + T0) - 1 / (temperature + T0)))


def night_respiration(temperature, exchange):
    """R10, the respiration at 10 degC that best fits exchange at night, umol m-2 s-1."""
    known = exchange.notna() & temperature.notna()
    shape = lloyd_taylor(temperature[known])
    return float((shape * exchange[known]).sum() / (shape**2).sum())


def predict(rows, parameters):
    """Both fluxes of a canopy: name -> array; parameters are tensors (), or (fit, 1) for arrays (fit, row)."""
    with torch.no_grad():
        return {name: values.numpy() for name, values in _canopy(_tensors(rows), parameters).items()}


def _tensors(rows):
    return {name: torch.as_tensor(rows[name].values.copy()) for name in (*DRIVERS, *DERIVED)}


def _canopy(drivers, parameters):
    fluxes = canopy_fluxes(
        parameters,
        active_leaves(drivers["warmth"], parameters),
        drivers["light"],
        drivers["net_radiation"],
        drivers["air_temperature"],
        drivers["vapour_pressure_deficit"],
        drivers["pressure"],
        CO2 + 0.0 * drivers["light"],
        water_stress(drivers["wetness"], parameters["stress_exponent"]),
    )
    return {
        "latent_heat": fluxes["latent_heat"],
        "net_exchange": drivers["respiration"] - fluxes["gross_uptake"],
    }


def learn(train, settings):
    """Canopies from random initial values, one for each of TRAINED and seed, side by side: name -> tensor (fit,)."""
    fits = [(model, seed) for model in TRAINED for seed in settings.seeds]
    counted = torch.tensor([[float(name in TRAINED[model]) for name in TARGETS] for model, _ in fits])
    first = [0.5 * torch.randn(len(LEARNED), 1, generator=torch.Generator().manual_seed(seed)) for _, seed in fits]
    raw = torch.stack(first).double().requires_grad_()
    optimiser = optimisers.Adam([raw], lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    drivers = _tensors(train)
    measured = {name: torch.as_tensor(train[name].values.copy()) for name in TARGETS}
    generator = torch.Generator().manual_seed(settings.seeds[0])
    for _ in range(settings.steps):
        batch = torch.randint(len(train), (settings.batch,), generator=generator)
        modelled = _canopy({name: v[batch] for name, v in drivers.items()}, _parameters(raw))
        losses = [((modelled[n] - v[batch]) ** 2).mean(1) / v.var() for n, v in measured.items()]
        optimiser.zero_grad()
        (torch.stack(losses, 1) * counted).sum().backward()
        optimiser.step()
        schedule.step()
    return {name: values[:, 0].detach() for name, values in _parameters(raw).items()}


def _parameters(raw):
    share = torch.sigmoid(raw)
    return {p.name: p.at(share[:, i]) for i, p in enumerate(LEARNED)}


def _of_daytime_means(rows, parameters):
    """The canopy with a daily step: from the means of the drivers over the rows of each day."""
    means = rows[[*DRIVERS, *DERIVED]].groupby(rows.index.date).transform("mean")
    return predict(means, parameters)


def regression(train, test, seed, settings):
    """A perceptron from the same drivers to both fluxes: name -> array."""
    torch.manual_seed(seed)
    inputs = [*DRIVERS, "warmth"]
    mean, deviation = train[inputs].mean(), train[inputs].std().where(lambda spread: spread > 1e-9, 1.0)
    level, spread = train[list(TARGETS)].mean(), train[list(TARGETS)].std()

    def scaled(rows):
        return torch.as_tensor(((rows[inputs] - mean) / deviation).values, dtype=torch.float32)

    network = perceptron(len(inputs), HIDDEN, 2, len(TARGETS))
    optimiser = optimisers.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 2 * settings.steps)
    x, y = scaled(train), torch.as_tensor(((train[list(TARGETS)] - level) / spread).values, dtype=torch.float32)
    for _ in range(2 * settings.steps):
        batch = torch.randint(len(x), (settings.batch,))
        optimiser.zero_grad()
        ((network(x[batch]) - y[batch]) ** 2).mean().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        found = network(scaled(test)).double().numpy() * spread.values + level.values
    return dict(zip(TARGETS, found.T))


def climatology(train, test):
    """The mean of the half-hour in the days around the calendar day, over the training years: name -> array."""
    found = {}
    hours = _half_hour(test)
    for name in TARGETS:
        grid = train.pivot_table(
            index=train.index.dayofyear, columns=_half_hour(train), values=name, aggfunc=["sum", "count"]
        )
        grid = grid.reindex(range(1, 367)).fillna(0.0)
        around = pd.concat([grid] * 3).rolling(2 * HALF_WINDOW + 1, center=True).sum().iloc[366:732]
        mean = (around["sum"] / around["count"].where(around["count"] > 0)).reindex(columns=range(48))
        mean = mean.interpolate(axis=1, limit_direction="both")
        found[name] = mean.values[test.index.dayofyear - 1, hours]
    return found


def _half_hour(rows):
    return rows.index.hour * 2 + rows.index.minute // 30


def priestley_taylor(rows):
    """Potential latent heat of the half-hours, W/m2 (Priestley & Taylor 1972)."""
    slope = saturation_slope(torch.as_tensor(rows.air_temperature.values)).numpy()
    share = slope / (slope + psychrometric_constant(rows.pressure.values))
    return PRIESTLEY_TAYLOR * share * np.maximum(rows.net_radiation.values, 0.0)


def oudin(rows):
    """Potential latent heat of the days after Oudin et al. (2005) from their mean temperature in daylight, W/m2."""
    daily = rows.air_temperature.groupby(rows.index.normalize()).mean()
    depth = potential_evapotranspiration("oudin", daily.index, [LATITUDE], daily.values[:, None], source="davos")[:, 0]
    return pd.Series(depth * LATENT_HEAT / SECONDS, daily.index).loc[rows.index.normalize()].values


def _scaled(potential, train, test):
    """Potential latent heat times a factor and a power of soil water, both fitted: array (row of ``test``,)."""
    demand, measured = potential(train), train.latent_heat.values
    best = None
    for exponent in EXPONENTS:
        shape = demand * train.wetness.values**exponent
        factor = (shape * measured).sum() / (shape**2).sum()
        error = ((factor * shape - measured) ** 2).sum()
        if best is None or error < best[0]:
            best = error, factor, exponent
    return best[1] * potential(test) * test.wetness.values ** best[2]


def _daily(rows, name, models, min_share):
    """Means over the measured half-hours of each day with enough of them, and their share of the day's light."""
    known = rows[name].notna().values
    frame = pd.DataFrame({"measured": rows[name], "light": rows.half_hours} | models, index=rows.index)[known]
    groups = frame.groupby(frame.index.normalize())
    means = groups.mean()
    means["share"] = groups.size() / means.light
    return means[means.share >= min_share].drop(columns="light")


def _simulations(test, predictions, settings):
    """Simulations of half-hours and of days, and the days as a table."""
    result, days = [], []
    for name in TARGETS:
        models = {key: found[name] for key, found in predictions.items() if name in found}
        daily = _daily(test, name, models, settings.min_share)
        half_hours = {key: values for key, values in models.items() if key[0] not in DAYS_ONLY}
        result += _simulated("half-hours", name, test.index, test[name].values, half_hours)
        result += _simulated(
            "days", name, daily.index, daily.measured.values, {key: daily[key].values for key in models}
        )
        days.append(_mean_of_seeds(daily).assign(variable=name))
    return result, pd.concat(days).rename_axis("date").reset_index()


def _simulated(experiment, name, time, observed, models):
    """A Dataset per model: (fold, seed, place, time), with every measured value tested."""
    unit = TARGETS[name]
    tested = np.isfinite(observed).astype(np.int8)[None, None]
    result = []
    for model in dict.fromkeys(model for model, _ in models):
        seeds = [seed for other, seed in models if other == model]
        simulated = np.stack([models[model, seed] for seed in seeds])[None, :, None]
        data = {
            "simulated": (("fold", "seed", "place", "time"), simulated, {"units": unit}),
            "observed": (("place", "time"), observed[None], {"units": unit}),
            "trained": (("fold", "place", "time"), np.zeros_like(tested)),
            "tested": (("fold", "place", "time"), tested),
        }
        attrs = {"domain": "davos", "experiment": experiment, "model": model, "variable": name, "unit": unit}
        coordinates = {"fold": [0], "seed": seeds, "place": [PLACE], "time": np.asarray(time)}
        result.append(xr.Dataset(data, coordinates, attrs | {"minimum_values": MIN_VALUES}))
    return result


def evidence(daily, samples, seed=0):
    """Gain of the canopy over baselines in daily means, with intervals by resampling whole months.

    A flux tower is one place: the sample are days, and the days of a month share weather.

    Args:
        daily: as returned by :func:`run`.
        samples: resamples of months.
        seed: of the resampling.

    Returns:
        DataFrame with the columns of evidence: the RMSE of the reference minus that of the canopy, over days.
    """
    rows = []
    for name, days in daily.groupby("variable", sort=False):
        months = pd.DatetimeIndex(days.date).to_period("M").astype(str).to_numpy()
        for reference in COMPARED:
            if days[reference].isna().all():
                continue
            errors = np.stack([(days[model] - days.measured) ** 2 for model in ("canopy", reference)], axis=1)
            low, high = block_bootstrap(errors, months, _gain, samples, seed)
            rows.append(
                {
                    "domain": "davos",
                    "experiment": "days",
                    "model": "canopy",
                    "reference": reference,
                    "quantity": f"{name}_rmse_gain",
                    "effect": _gain(errors),
                    "low": low,
                    "high": high,
                    "p": np.nan,
                    "n": len(errors),
                    "unit": TARGETS[name],
                    "test": f"difference of RMSE over days; bootstrap of {len(set(months))} months",
                }
            )
    return pd.DataFrame(rows, columns=EVIDENCE_COLUMNS)


def _gain(errors):
    canopy, reference = np.sqrt(errors.mean(0))
    return float(reference - canopy)


def _mean_of_seeds(frame):
    """Columns (model, seed) as their means over seeds, named by model; the others unchanged."""
    keys = [key for key in frame.columns if isinstance(key, tuple)]
    found = frame[[key for key in frame.columns if not isinstance(key, tuple)]].copy()
    for model in dict.fromkeys(model for model, _ in keys):
        found[model] = frame[[key for key in keys if key[0] == model]].mean(axis=1)
    return found


def _cycle(test, predictions):
    """Means of the half-hours of the day from May to September, measured and modelled where measured."""
    parts = []
    for name in TARGETS:
        known = (test[name].notna() & test.index.month.isin(range(5, 10))).values
        frame = {"measured": test[name].values[known]}
        frame |= {key: found[name][known] for key, found in predictions.items() if name in found}
        means = pd.DataFrame(frame).groupby(_half_hour(test[known]) / 2 + 0.25).mean()
        parts.append(_mean_of_seeds(means).rename_axis("hour").reset_index().assign(variable=name))
    return pd.concat(parts, ignore_index=True)
