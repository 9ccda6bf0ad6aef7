"""What one domain and one pipeline carry: several variables, places of several kinds, months and hours, and chains of models."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy import sparse

from conftest import make_domain
from thalweg.basin.domain import DataError, Domain, sampled_units
from thalweg.basin.observables import observable_at
from thalweg.evaluation.score import score
from thalweg.experiments.baselines import climatology
from thalweg.experiments.models import build_model, series_of
from thalweg.experiments.run import make_task, simulate_experiment, train_experiment
from thalweg.experiments.simulation import read_simulation, read_variables, simulated_discharge
from thalweg.experiments.splits import make_splits
from thalweg.integrate import initial_state, integrate
from thalweg.learn.losses.nse_batch import nse_batch
from thalweg.learn.train import train
from thalweg.learn.windows import Gathering
from thalweg.metrics.calendar import counted_days
from thalweg.processes import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import RATES, hbv
from thalweg.settings.blocks import ClimatologyModel, ProcessModel, SequenceModel, Split, Training, TrainingJob
from thalweg.storage.store import write_netcdf

PERIOD = ("2000-01-01", "2001-06-30")
LATER = ("2001-07-01", "2002-03-10")
TRAINING = Training(steps=30, window="600 days", spin_up="60 days", validate_every=10, patience=99, schedule="constant")
HBV = ProcessModel(label="", components=1, hidden=8)
LSTM = SequenceModel(label="", hidden=8, spatial="distributed")
FLUXES = ("runoff", "snow_water_equivalent", "evapotranspiration")
WEIGHTS = {"discharge": 1.0, "snow_water_equivalent": 0.5, "evapotranspiration": 0.25}


def job(model=HBV, variables=WEIGHTS, training=TRAINING, seeds=(0,)):
    return TrainingJob(
        model=model, training=training, variables=variables, seeds=list(seeds), validation_share=0.2, device="cpu"
    )


def temporal(variables=WEIGHTS, train=PERIOD, test=LATER, **other):
    return Split(kind="temporal", variable=variables, train=train, test=test, validation="period", **other)


def trained(domain, splits, job, folder):
    """(Simulation, log) of a job trained and simulated."""
    tensors, values, log = train_experiment(domain, splits, job, folder, "key")
    return simulate_experiment(domain, splits, job, tensors, values), log


def middle(process, units):
    """Every parameter at 0.4 of its range: name -> tensor (unit, 1)."""
    return {p.name: torch.full((units, 1), float(p.at(0.4)), dtype=torch.float64) for p in process.parameters}


def made_by_hbv(domain, step="day"):
    """The domain with discharge, snow and evapotranspiration at its gauges as HBV with known parameters makes them."""
    process = hbv(time_step=step)
    forcing = {name: torch.as_tensor(domain.forcing[name].values) for name in process.forcing_names}
    parameters = middle(process, len(domain.unit_ids))
    filled = None
    for _ in range(12):
        fluxes, filled = integrate(process, forcing, parameters, filled, FLUXES)
    runoff, snow, evaporated = (fluxes[name][..., 0].numpy() @ domain.catchment_weights.toarray().T for name in FLUXES)
    discharge = runoff * domain.places.drainage_area.values / domain.millimetres_per_step
    return replace(
        domain,
        observed=xr.Dataset(
            {
                "discharge": (("time", "place"), discharge, {"units": "m3/s"}),
                "snow_water_equivalent": (("time", "place"), snow, {"units": "mm"}),
                "evapotranspiration": (("time", "place"), evaporated, {"units": f"mm/{step}"}),
            },
            coords=domain.observed.coords,
        ),
    )


@pytest.fixture(scope="module")
def catchments():
    return made_by_hbv(make_domain(units=12, days=800, gauges=4))


# Several variables at once


@pytest.mark.long
def test_several_variables_train_together_and_each_is_simulated_and_scored(catchments, tmp_path):
    splits = make_splits(catchments, temporal())
    task, scaling = make_task(catchments, splits, job())

    def losses(model):
        window, columns = task.series.window_of(torch.arange(4), *task.days, 60)
        with torch.no_grad():
            simulated = model.eval()(window)
        return {
            name: task.loss("nse_batch", {name: values[:, columns]}, task.days[0], torch.arange(4)).item()
            for name, values in simulated.items()
        }

    torch.manual_seed(0)
    before = losses(build_model(HBV, scaling, catchments))
    model, _ = train(
        lambda: build_model(HBV, scaling, catchments), task, TRAINING, 0, tmp_path / "checkpoint.safetensors"
    )
    after = losses(model)
    assert all(after[name] < 0.8 * before[name] for name in WEIGHTS), (before, after)

    simulation, _ = trained(catchments, splits, job(), tmp_path)
    tree = simulation.to_tree(domain="d", experiment="e", model="m")
    write_netcdf(tree, tmp_path / "simulation.nc", {})
    first, *others = read_variables(tmp_path / "simulation.nc")
    assert first.attrs["variable"] == "discharge" and [one.attrs["variable"] for one in others] == list(WEIGHTS)[1:]
    snow = read_simulation(tmp_path / "simulation.nc", "snow_water_equivalent")
    assert snow.attrs["unit"] == "mm" and snow.identical(others[0])
    during = slice(*LATER)
    np.testing.assert_allclose(
        snow.observed, catchments.observed.snow_water_equivalent.sel(time=during).T, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(first.observed, catchments.observed_runoff.sel(time=during), rtol=1e-12)
    for one in (first, *others):
        skill = score(one, "s", ["NSE", "RMSE"], 30)
        assert set(skill.variable) == {one.attrs["variable"]} and len(skill) == 8
        assert skill.value.notna().all() and set(skill.unit) == {one.attrs["unit"]}
    with pytest.raises(DataError, match="no soil_moisture; the file has"):
        read_simulation(tmp_path / "simulation.nc", "soil_moisture")


@pytest.mark.parametrize("model", [HBV, LSTM], ids=["process", "sequence"])
def test_the_gradient_of_the_weighted_loss_is_the_weighted_sum(catchments, model):
    task, scaling = make_task(catchments, make_splits(catchments, temporal()), job(model))
    torch.manual_seed(0)
    built = build_model(model, scaling, catchments)
    window, columns = task.series.window_of(torch.arange(4), 100, 400, 60)
    simulated = {name: values[:, columns] for name, values in built(window).items()}

    def gradient(part):
        loss = task.loss("nse_batch", part, 100, torch.arange(4))
        values = torch.autograd.grad(loss, list(built.parameters()), retain_graph=True, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for g, p in zip(values, built.parameters())]

    whole = gradient(simulated)
    parts = [gradient({name: simulated[name]}) for name in WEIGHTS]
    total = sum(WEIGHTS.values())
    for g, *each in zip(whole, *parts):
        expected = sum(weight * one for weight, one in zip(WEIGHTS.values(), each)) / total
        torch.testing.assert_close(g, expected, rtol=1e-4, atol=1e-7)


def test_a_variable_without_observations_at_the_drawn_places_has_no_weight(catchments):
    observed = catchments.observed.copy(deep=True)
    observed.snow_water_equivalent[:, 1:] = np.nan
    domain = replace(catchments, observed=observed)
    task, _ = make_task(domain, make_splits(domain, temporal()), job())
    simulated = {name: torch.rand(50, 2) for name in WEIGHTS}
    some = torch.tensor([1, 2])
    parts = {name: task.loss("nse_batch", {name: simulated[name]}, 0, some) for name in WEIGHTS}
    expected = (parts["discharge"] + 0.25 * parts["evapotranspiration"]) / 1.25
    torch.testing.assert_close(task.loss("nse_batch", simulated, 0, some), expected)
    assert all(torch.isfinite(values).all() for values in task.deviation.values())


def test_a_variable_that_nobody_observed_while_the_model_trains_is_refused(catchments):
    observed = catchments.observed.copy(deep=True)
    observed.evapotranspiration.loc[:"2001-06-30"] = np.nan
    domain = replace(catchments, observed=observed)
    with pytest.raises(DataError, match="'evapotranspiration' was not observed at any training place"):
        make_task(domain, make_splits(domain, temporal()), job())


@pytest.mark.parametrize("name", WEIGHTS)
def test_nothing_held_out_of_any_variable_leaks(catchments, name, tmp_path):
    """Weights and scaling stay when a variable changes at held-out places and in the test period."""
    split = Split(kind="ungauged_places", variable=WEIGHTS, train=PERIOD, test=LATER, folds=2, validation="period")
    splits = make_splits(catchments, split)
    splits = splits[splits.fold == 0]
    learns = (splits.train | splits.validation).values
    unseen = ~(counted_days(splits, "train", catchments.forcing.time.values) & learns)
    changed = catchments.observed.copy(deep=True)
    changed[name].values[unseen] = 77.0
    short = job(training=TRAINING.model_copy(update={"steps": 3, "validate_every": 3}))
    (first, one, _), (second, other, _) = (
        train_experiment(domain, splits, short, tmp_path / str(i), "key")
        for i, domain in enumerate((catchments, replace(catchments, observed=changed)))
    )
    assert one == other and all(torch.equal(first[key], second[key]) for key in first)


# Places of several kinds


def warm_bucket():
    """A bucket whose outflow has a temperature: runoff and water temperature from one process."""

    def step(state, forcing, parameters):
        p = parameters
        water = state["water"] + forcing["precipitation"]
        runoff = p["recession"] * water
        warm = p["base"] + p["slope"] * forcing["temperature"]
        return {"water": water - runoff}, {"runoff": runoff, "water_temperature": warm}

    return Process(
        name="warm_bucket",
        source="this test",
        states=(State("water", 1.0, "mm", "water"),),
        parameters=(
            Parameter("recession", 0.01, 0.9, "1/day", "share that leaves in a day"),
            Parameter("base", 0.0, 20.0, "degC", "of water where air has 0"),
            Parameter("slope", 0.0, 1.5, "dimensionless", "degrees of water per degree of air"),
        ),
        forcings=(Variable("precipitation", "mm/day", "rain"), Variable("temperature", "degC", "of the air")),
        fluxes=(Variable("runoff", "mm/day", "outflow"), Variable("water_temperature", "degC", "of the outflow")),
        step=step,
    )


WARM = ProcessModel(label="", process="test_one_pipeline:warm_bucket", components=1, hidden=8, routing="none")


def of_several_kinds(domain):
    """The domain with a snow pillow (p) in unit u1 and a thermometer (t) in unit u4, both on no reach, in addition to its gauges."""
    ids = [*domain.place_ids, "p", "t"]
    first = domain.places.drop_vars(["latitude", "longitude", "name"]).reindex(place=ids, fill_value="")
    area = np.array([*domain.places.drainage_area.values, np.nan, np.nan])
    places = first.assign(unit=("place", ["", "", "", "", "u1", "u4"]), drainage_area=("place", area, {"units": "km2"}))
    time = domain.forcing.time.values
    generator = np.random.default_rng(0)
    air = domain.forcing.temperature.sel(unit="u4").values
    snow = np.full((len(time), 6), np.nan)
    process = hbv()
    forcing = {name: torch.as_tensor(domain.forcing[name].values) for name in process.forcing_names}
    fluxes, _ = integrate(process, forcing, middle(process, 6), fluxes=("snow_water_equivalent",))
    snow[:, 4] = fluxes["snow_water_equivalent"][:, 1, 0]
    water = np.full((len(time), 6), np.nan)
    water[:, 5] = 4 + 0.6 * air + generator.normal(0, 0.3, len(time))
    water[np.arange(len(time)) % 7 > 0] = np.nan
    discharge = np.full((len(time), 6), np.nan)
    discharge[:, :4] = domain.observed.discharge.values
    observed = xr.Dataset(
        {
            "discharge": (("time", "place"), discharge, {"units": "m3/s"}),
            "snow_water_equivalent": (("time", "place"), snow, {"units": "mm"}),
            "water_temperature": (("time", "place"), water, {"units": "degC"}),
        },
        coords={"time": time, "place": ids},
    )
    return replace(domain, places=places, observed=observed)


@pytest.fixture(scope="module")
def mixed():
    return of_several_kinds(made_by_hbv(make_domain(units=6, days=800, gauges=4, geometry=True)))


def test_where_a_variable_can_be_observed(mixed):
    assert observable_at(mixed, "discharge").tolist() == [True] * 4 + [False] * 2
    assert observable_at(mixed, "snow_water_equivalent").all()
    assert observable_at(mixed, "water_temperature").tolist() == [False] * 4 + [True] * 2
    wrong = mixed.observed.copy(deep=True)
    wrong.water_temperature[0, 2] = 5.0
    splits = make_splits(mixed, temporal("water_temperature"))
    task = job(WARM, {"water_temperature": 1.0})
    _, scaling = make_task(mixed, splits, task)
    with pytest.raises(ValueError, match="'water_temperature' is observed at place 'g3', which is in no unit; add it"):
        series_of(replace(mixed, observed=wrong), scaling, WARM)


@pytest.mark.long
@pytest.mark.parametrize("routing", ["unit_hydrograph", "river"])
def test_discharge_at_gauges_and_snow_at_a_pillow_train_at_once(mixed, routing, tmp_path):
    model = HBV.model_copy(update={"routing": routing})
    variables = {"discharge": 1.0, "snow_water_equivalent": 1.0}
    splits = make_splits(mixed, temporal(variables)).set_index("place")
    assert splits.train[[*mixed.place_ids[:4], "p"]].all() and not (splits.train["t"] or splits.test["t"])
    assert splits.reason["t"] == "not observed here"
    task = job(model, variables)
    result, log = trained(mixed, splits.reset_index(), task, tmp_path)
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    discharge, snow = result.variables.values()
    assert discharge.simulated.notnull().all("time").values[0, 0].tolist() == [True] * 4 + [False] * 2
    assert snow.simulated.notnull().all("time").values[0, 0].tolist() == [True] * 5 + [False]
    rows = [
        score(one.assign_attrs(domain="d", experiment="e", model="m"), "s", ["NSE"], 30) for one in (discharge, snow)
    ]
    assert rows[0].place.tolist() == list(mixed.place_ids[:4])
    assert rows[1].dropna().place.tolist() == ["p"]
    # The pillow's snow is that of its own unit, a gauge's discharge that of its catchment alone.
    tensors, values, _ = train_experiment(mixed, splits.reset_index(), task, tmp_path, "key")
    gauges = slice(4)
    observed = mixed.observed[list(variables)].isel(place=gauges).copy(deep=True)
    observed.snow_water_equivalent[:] = 1.0
    alone = replace(mixed, places=mixed.places.isel(place=gauges), observed=observed)
    there = simulate_experiment(alone, splits.reset_index().iloc[gauges], task, tensors, values).variables["discharge"]
    np.testing.assert_allclose(there.simulated, discharge.simulated[:, :, :4], rtol=1e-5, atol=1e-6)


def test_the_snow_of_a_pillow_is_that_of_its_unit(mixed):
    variables = {"snow_water_equivalent": 1.0}
    task, scaling = make_task(mixed, make_splits(mixed, temporal(variables)), job(HBV, variables))
    model = build_model(HBV, scaling, mixed).eval()
    window = task.series.window(100, 160, 30)
    assert window.attributes.shape[0] == 1
    with torch.no_grad():
        expected = model.fluxes(window, ("snow_water_equivalent",))["snow_water_equivalent"]
        torch.testing.assert_close(model(window)["snow_water_equivalent"], expected)


@pytest.mark.parametrize(
    "variables",
    [{"discharge": 1.0, "water_temperature": 1.0}, {"water_temperature": 1.0}, {"discharge": 1.0}],
    ids=lambda variables: "+".join(variables),
)
def test_discharge_and_temperature_train_at_once_or_alone_from_one_domain(mixed, variables, tmp_path):
    splits = make_splits(mixed, temporal(variables))
    result, log = trained(mixed, splits, job(WARM, variables), tmp_path)
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    assert list(result.variables) == list(variables)
    for name, simulation in result.variables.items():
        observed = mixed.observed[name].notnull().any("time").values
        assert simulation.simulated.notnull().any("time").values[0, 0][observed].all()
    if "water_temperature" in variables:
        assert (splits.set_index("place").test["t"]) and "p" not in splits.place[splits.test].values


def test_lumped_catchments_keep_places_of_several_kinds(mixed):
    lumped = mixed.lumped()
    assert lumped.unit_ids.tolist() == mixed.place_ids.tolist()
    np.testing.assert_allclose(lumped.attributes.area[4:], mixed.attributes.area.sel(unit=["u1", "u4"]))
    assert observable_at(lumped, "water_temperature").all()


# Months


def monthly_bucket():
    """A bucket with a step of one month: part of the demand evaporates, a share of the rest leaves."""

    def step(state, forcing, parameters):
        p = parameters
        water = state["water"] + forcing["precipitation"]
        evaporated = p["supply"] * forcing["potential_evapotranspiration"] * water / (water + p["half"])
        runoff = p["recession"] * (water - evaporated)
        return {"water": water - evaporated - runoff}, {"runoff": runoff, "evapotranspiration": evaporated}

    return Process(
        name="monthly_bucket",
        source="this test",
        states=(State("water", 50.0, "mm", "water"),),
        parameters=(
            Parameter("recession", 0.05, 0.95, "1/month", "share that leaves in a month"),
            Parameter("half", 100.0, 500.0, "mm", "water at which half the demand is met"),
            Parameter("supply", 0.2, 1.0, "dimensionless", "share of the demand that plants can draw"),
        ),
        forcings=(
            Variable("precipitation", "mm/month", "precipitation"),
            Variable("potential_evapotranspiration", "mm/month", "demand"),
        ),
        fluxes=(Variable("runoff", "mm/month", "outflow"), Variable("evapotranspiration", "mm/month", "evaporation")),
        step=step,
    )


BUCKET = ProcessModel(label="", process="test_one_pipeline:monthly_bucket", components=1, hidden=8, routing="none")


def of_months(domain):
    """A daily domain by month: sums of water, means of the rest."""
    months = domain.forcing.resample(time="MS")
    forcing = months.sum().assign(temperature=months.mean().temperature)
    for name, variable in forcing.data_vars.items():
        variable.attrs["units"] = domain.forcing[name].attrs["units"].replace("/day", "/month")
    observed = domain.observed.resample(time="MS").mean()
    observed.discharge.attrs["units"] = "m3/s"
    return Domain("monthly", forcing, domain.attributes, domain.network, domain.places, observed)


@pytest.fixture(scope="module")
def monthly():
    return of_months(make_domain(units=6, days=10 * 366, gauges=4))


DECADE = {"train": ("2000-01-01", "2005-12-31"), "test": ("2006-01-01", "2009-12-31")}
MONTHS = TRAINING.model_copy(update={"window": 2500.0, "spin_up": 365.0, "learning_rate": 0.03})


def test_depths_of_months_have_the_true_length_of_months(monthly):
    assert monthly.step == "month"
    runoff = monthly.observed_runoff
    assert runoff.attrs["units"] == "mm/month"
    days = pd.DatetimeIndex(monthly.forcing.time.values).days_in_month.values
    assert days[[0, 1, 13]].tolist() == [31, 29, 28]
    expected = monthly.observed.discharge.values.T * 86.4 * days / monthly.places.drainage_area.values[:, None]
    np.testing.assert_allclose(runoff, expected)


def test_a_monthly_domain_trains_and_is_simulated(monthly, tmp_path):
    splits = make_splits(monthly, temporal("discharge", **DECADE))
    assert (splits.training_values == 72).all() and (splits.test_values == 48).all()
    for model in (BUCKET, LSTM):
        result, log = trained(monthly, splits, job(model, {"discharge": 1.0}, MONTHS), tmp_path)
        assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
        simulation = result.variables["discharge"]
        assert simulation.sizes["time"] == 48 and simulation.attrs["unit"] == "mm/month"
        assert simulation.simulated.notnull().all()
        table = score(simulation.assign_attrs(domain="d", experiment="e", model="m"), "s", ["NSE", "KGE"], 24)
        assert table.value.notna().all()


def test_years_of_months_are_divided_as_those_of_days(monthly):
    daily = make_domain(units=6, days=10 * 366, gauges=4)
    whole = ("2000-10-01", "2009-09-30")
    split = Split(kind="differential", train=whole, test=whole, train_on="wet", validation="none")
    assert make_splits(monthly, split).train_years.tolist() == make_splits(daily, split).train_years.tolist()
    task, _ = make_task(monthly, make_splits(monthly, split), job(BUCKET, {"discharge": 1.0}, MONTHS))
    assert (torch.isfinite(task.observed["discharge"]).sum(0) == 4 * 12).all()


def test_the_climatology_of_months_is_the_mean_of_each_month(monthly):
    splits = make_splits(monthly, temporal("discharge", **DECADE))
    simulation = climatology(monthly, splits, "discharge", ClimatologyModel(label="")).variables["discharge"]
    runoff = monthly.observed_runoff.sel(time=slice(*DECADE["train"]))
    expected = runoff.groupby("time.month").mean()
    for month in (1, 2, 7, 12):
        simulated = simulation.simulated[0, 0].sel(time=simulation.time.dt.month == month)
        np.testing.assert_allclose(simulated, np.repeat(expected.sel(month=month).values[:, None], 4, 1), rtol=1e-6)
    wave = climatology(monthly, splits, "discharge", ClimatologyModel(label="", harmonics=2)).variables["discharge"]
    assert wave.simulated.sel(time=slice(*DECADE["test"])).notnull().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"process": "hbv"},
            "hbv runs with a step of day or hour, not month.*choose a process with that step, or supply daily forcing",
        ),
        (
            {"process": "gr4j"},
            "'mm/month', but runoff of process gr4j has 'mm/day'; choose a process of the domain's time step",
        ),
        ({"routing": "river"}, "its step is a month; use routing: unit_hydrograph"),
        ({"network": "transformer"}, "the step is month; use network: attributes"),
    ],
)
def test_what_a_monthly_domain_cannot_have_is_refused_with_what_to_do(change, message):
    monthly = of_months(make_domain(units=6, days=1200, gauges=4, geometry=True))
    model = BUCKET.model_copy(update=change)
    splits = make_splits(monthly, temporal("discharge", ("2000-01-01", "2001-12-31"), ("2002-01-01", "2002-12-31")))
    with pytest.raises(ValueError, match=message):
        _, scaling = make_task(monthly, splits, job(model, {"discharge": 1.0}, MONTHS))
        build_model(model, scaling, monthly)


# Hours


def of_hours(domain):
    """A daily domain by hour, the day's water in equal parts and its temperature constant."""
    time = pd.date_range(domain.forcing.time.values[0], periods=24 * domain.forcing.sizes["time"], freq="h")
    forcing = domain.forcing.isel(time=np.repeat(np.arange(domain.forcing.sizes["time"]), 24)).assign_coords(time=time)
    for name in ("precipitation", "potential_evapotranspiration"):
        forcing[name] = (forcing[name] / 24).assign_attrs(units="mm/hour")
    observed = (
        domain.observed[["discharge"]].isel(time=np.repeat(np.arange(len(time) // 24), 24)).assign_coords(time=time)
    )
    return Domain("hourly", forcing, domain.attributes, domain.network, domain.places, observed)


def test_an_hourly_step_keeps_the_water():
    process = hbv(time_step="hour")
    assert {one.unit for one in process.fluxes} == {"mm/hour", "mm"}
    generator = torch.Generator().manual_seed(0)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    hours, units, components = 24 * 120, 10, 3
    forcing = {
        "precipitation": uniform(-4, 2, hours, units).clamp(min=0),
        "temperature": uniform(-6, 12, hours, units),
        "potential_evapotranspiration": uniform(0, 0.3, hours, units),
    }
    parameters = {p.name: uniform(p.low, p.high, units, components) for p in process.parameters}
    fluxes, state = integrate(process, forcing, parameters, fluxes=("runoff", "evapotranspiration", "water_storage"))
    before = sum(value.mean(-1) for value in initial_state(process, units, components).values())
    after = sum(value.mean(-1) for value in state.values())
    out = sum(fluxes[name].mean(-1).sum(0) for name in ("runoff", "evapotranspiration"))
    # Every hour that empties a store leaves 1e-5 mm in it.
    assert (forcing["precipitation"].sum(0) + before - out - after).abs().max() < 3e-5 * hours
    torch.testing.assert_close(fluxes["water_storage"][-1].mean(-1), after)


def test_the_daily_sums_of_hours_are_near_the_days():
    """With forcing constant over the day; the rest is the error of a step of a day, whose quick flow it overstates."""
    daily = make_domain(units=6, days=500, gauges=2)
    hourly = of_hours(daily)
    sums = []
    for domain, step in ((daily, "day"), (hourly, "hour")):
        process = hbv(time_step=step)
        forcing = {name: torch.as_tensor(domain.forcing[name].values) for name in process.forcing_names}
        parameters = {p.name: torch.full((6, 1), float(p.at(0.2)), dtype=torch.float64) for p in process.parameters}
        sums.append(
            {name: values[..., 0] for name, values in integrate(process, forcing, parameters, fluxes=FLUXES)[0].items()}
        )
    day, hour = sums
    for name in ("runoff", "evapotranspiration"):
        within = hour[name].unflatten(0, (-1, 24)).sum(1)
        torch.testing.assert_close(within.sum(0), day[name].sum(0), rtol=0.05, atol=0)
        assert np.corrcoef(within.flatten(), day[name].flatten())[0, 1] > 0.9
    last = hour["snow_water_equivalent"][23::24]
    torch.testing.assert_close(last.mean(0), day["snow_water_equivalent"].mean(0), rtol=0.05, atol=0.01)


@pytest.mark.long
def test_gradients_through_hours_are_right():
    process = hbv(time_step="hour")
    generator = torch.Generator().manual_seed(3)
    hours = 40
    forcing = {
        "precipitation": 3 * torch.rand(hours, 1, generator=generator, dtype=torch.float64),
        "temperature": 4 + torch.rand(hours, 1, generator=generator, dtype=torch.float64),
        "potential_evapotranspiration": 0.2 * torch.ones(hours, 1, dtype=torch.float64),
    }
    state = {
        name: torch.tensor([[value]], dtype=torch.float64)
        for name, value in {
            "snowpack": 60.0,
            "meltwater": 3.0,
            "soil_moisture": 150.0,
            "upper_zone": 90.0,
            "lower_zone": 30.0,
        }.items()
    }
    names = [p.name for p in process.parameters if p.name not in ("TT", "CFR")]  # cold hours there are none
    given = {p.name: torch.tensor([[float(p.at(0.4))]], dtype=torch.float64) for p in process.parameters}

    def total(*values):
        parameters = given | dict(zip(names, values))
        fluxes, _ = integrate(process, forcing, parameters, state, ("runoff", "evapotranspiration"))
        return (fluxes["runoff"] * torch.arange(hours)[:, None, None]).sum() + fluxes["evapotranspiration"].sum()

    inputs = [given[name].clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(total, inputs, eps=1e-6, atol=1e-5)
    gradient = dict(zip(names, torch.autograd.grad(total(*inputs), inputs)))
    assert all(gradient[name] != 0 for name in RATES if name in gradient)


@pytest.mark.long
def test_an_hourly_domain_trains_and_is_simulated(tmp_path):
    daily = make_domain(units=3, days=60, gauges=2, geometry=True)
    daily.forcing["temperature"] += 15  # neither snow nor soil takes up the water of a winter
    daily.forcing["potential_evapotranspiration"] *= 3
    hourly = made_by_hbv(of_hours(daily), "hour")
    assert hourly.step == "hour"
    np.testing.assert_allclose(
        hourly.observed_runoff, hourly.observed.discharge.T * 3.6 / hourly.places.drainage_area.values[:, None]
    )
    splits = make_splits(hourly, temporal("discharge", ("2000-01-21", "2000-02-29"), ("2000-01-01", "2000-01-20")))
    assert (splits.training_values == 40 * 24).all() and (splits.test_values == 20 * 24).all()
    short = TRAINING.model_copy(update={"window": 40.0, "spin_up": 10.0, "steps": 10, "validate_every": 5})
    for model in (HBV, HBV.model_copy(update={"routing": "river", "river_step": 1.0})):
        task, _ = make_task(hourly, splits, job(model, {"discharge": 1.0}, short))
        simulated = torch.rand(48, 2)
        expected = nse_batch(
            *(24 * one for one in (simulated, task.observed["discharge"][:48], task.deviation["discharge"]))
        )
        torch.testing.assert_close(task.loss("nse_batch", {"discharge": simulated}, 0, torch.arange(2)), expected)
        short = short if model is HBV else short.model_copy(update={"steps": 4, "validate_every": 2})
        result, log = trained(hourly, splits, job(model, {"discharge": 1.0}, short), tmp_path)
        assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
        simulation = result.variables["discharge"]
        assert simulation.sizes["time"] == 20 * 24 and simulation.simulated.notnull().all()
        assert simulation.attrs["unit"] == "mm/hour" and result.parameters.mean_delay.attrs["units"] == "hour"


# Chains: runoff, river, temperature


def weather_at(domain, seed=5):
    """Inputs of stream temperature in addition to discharge, at the gauges of a domain, and water temperature observed there."""
    generator = np.random.default_rng(seed)
    time, ids = domain.forcing.time.values, domain.place_ids
    angle = 2 * np.pi * pd.DatetimeIndex(time).dayofyear.values[:, None] / 365.25
    shape = (len(time), len(ids))
    air = 10 - 8 * np.cos(angle) + generator.normal(0, 2, shape)
    forcing = {
        "air_temperature": (air, "degC"),
        "shortwave_radiation": (150 - 90 * np.cos(angle) + np.zeros(shape), "W/m2"),
        "vapour_pressure": (9 - 4 * np.cos(angle) + np.zeros(shape), "hPa"),
        "potential_evapotranspiration": (2.2 - 1.5 * np.cos(angle) + np.zeros(shape), "mm/day"),
    }
    water = np.maximum(pd.DataFrame(air).ewm(span=8).mean().values * 0.8 + 2, 0)
    water[np.arange(len(time)) % 3 > 0] = np.nan
    units = {"unit": ids}
    return sampled_units(
        "streams",
        xr.Dataset(
            {name: (("time", "unit"), values, {"units": unit}) for name, (values, unit) in forcing.items()},
            coords={"time": time, **units},
        ),
        xr.Dataset(
            {
                "mean_air_temperature": ("unit", air.mean(0), {"units": "degC"}),
                "elevation": ("unit", np.linspace(50, 400, len(ids)), {"units": "m"}),
                "slope": ("unit", np.linspace(1e-3, 5e-3, len(ids)), {"units": "dimensionless"}),
            },
            coords=units,
        ),
        xr.Dataset(
            {"water_temperature": (("time", "place"), water, {"units": "degC"})}, coords={"time": time, "place": ids}
        ),
    )


HEAT = ProcessModel(label="", process="stream_temperature", components=1, hidden=8, layers=1)


@pytest.mark.long
def test_discharge_that_a_routed_model_simulated_drives_stream_temperature(tmp_path):
    """Runoff, river and temperature, one after the other, each with its own places and observations."""
    rivers = made_by_hbv(make_domain(units=9, days=800, gauges=3, geometry=True))
    routed = HBV.model_copy(update={"routing": "river"})
    whole = Split(
        kind="ungauged_basins",
        variable="discharge",
        train=PERIOD,
        test=("2000-06-01", "2002-03-10"),
        folds=3,
        validation="period",
    )
    splits = make_splits(rivers, whole)
    short = TRAINING.model_copy(update={"steps": 6, "validate_every": 3})
    result, _ = trained(rivers, splits, job(routed, {"discharge": 1.0}, short), tmp_path / "river")
    write_netcdf(result.to_tree(domain="rivers", experiment="e", model="m"), tmp_path / "river.nc", {})

    simulation = read_simulation(tmp_path / "river.nc")
    discharge = simulated_discharge(simulation, rivers)
    depth = np.stack([simulation.simulated.sel(place=place).mean(("fold", "seed")) for place in discharge.unit.values])
    area = rivers.places.drainage_area.sel(place=discharge.unit).values
    np.testing.assert_allclose(discharge.discharge.T, depth * area[:, None] / 86.4, rtol=1e-6)
    streams = weather_at(rivers).with_forcing(discharge)
    assert streams.forcing.sizes["time"] == len(pd.date_range("2000-06-01", "2002-03-10"))
    assert streams.forcing.discharge.dims == ("time", "unit")

    warm = job(HEAT, {"water_temperature": 1.0}, short.model_copy(update={"steps": 12, "climate_attributes": False}))
    cold = make_splits(streams, temporal("water_temperature", ("2000-06-01", PERIOD[1])))
    temperature, log = trained(streams, cold, warm, tmp_path / "streams")
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    simulated = temperature.variables["water_temperature"].simulated
    assert simulated.notnull().all() and simulated.sizes["place"] == 3
    assert temperature.parameters.elevation.attrs["known"] == 1
    more = discharge.assign(discharge=(4 * discharge.discharge).assign_attrs(units="m3/s"))
    tensors, values, _ = train_experiment(streams, cold, warm, tmp_path / "streams", "key")
    other = simulate_experiment(weather_at(rivers).with_forcing(more), cold, warm, tensors, values)
    assert float(abs(other.variables["water_temperature"].simulated - simulated).max()) > 0.05


def test_forcing_that_does_not_fit_is_refused(catchments):
    streams = weather_at(catchments)
    series = streams.forcing[["shortwave_radiation"]].rename(shortwave_radiation="discharge")
    with pytest.raises(DataError, match="additional forcing lacks unit 'g0'"):
        streams.with_forcing(series.isel(unit=slice(1, None)))
    with pytest.raises(DataError, match="has no time step of the domain"):
        streams.with_forcing(series.assign_coords(time=series.time + np.timedelta64(9999, "D")))
    with pytest.raises(ValueError, match="it must have no gaps"):
        streams.with_forcing(series.where(series.time != series.time[5]))


# Units of their own, and what is known


def test_a_parameter_set_for_each_unit_and_parameters_that_are_known(catchments, tmp_path):
    capacity = ("unit", np.linspace(100, 400, 12), {"units": "mm"})
    domain = replace(catchments, attributes=catchments.attributes.assign(FC=capacity))
    model = HBV.model_copy(update={"network": "unit"})
    splits = make_splits(domain, temporal("discharge"))
    result, log = trained(domain, splits, job(model, {"discharge": 1.0}), tmp_path)
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    np.testing.assert_allclose(result.parameters.FC[0, 0], capacity[1], rtol=1e-6)
    assert result.parameters.FC.attrs["known"] == 1 and result.parameters.BETA.attrs["known"] == 0
    assert len(np.unique(result.parameters.BETA.values)) == 12
    # A window of some units takes their rows.
    task, scaling = make_task(domain, splits, job(model, {"discharge": 1.0}))
    built = build_model(model, scaling, domain).eval()
    window, columns = task.series.window_of(torch.tensor([3, 1]), 100, 160, 30)
    assert window.attributes.shape[0] < 12
    with torch.no_grad():
        whole = built(task.series.window(100, 160, 30))["discharge"][:, [3, 1]]
        torch.testing.assert_close(built(window)["discharge"][:, columns], whole)
    wrong = copy.deepcopy(domain)
    wrong.attributes.FC.attrs["units"] = "km2"
    with pytest.raises(ValueError, match="'FC' has unit 'km2', but process hbv needs 'mm'"):
        build_model(model, scaling, wrong)


def test_a_place_whose_own_unit_stands_first_is_gathered_alone():
    """The own unit of the only place drawn is the first of those that drain to it: it is one of them, not all."""
    tensor = torch.as_tensor
    upstream = sparse.csr_matrix(np.array([[0.25, 0.25, 0.5]]))
    gathered = Gathering(upstream, np.array([0]), 3, tensor)
    values = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    assert gathered.gather("water_temperature", values).tolist() == [[1.0]]
    assert gathered.gather("snow_water_equivalent", values).tolist() == [[2.25]]
