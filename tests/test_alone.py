"""A process alone: units, shapes, options, restarts that are exact, and errors that say what to mend."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from thalweg import registry
from thalweg.basin.domain import DataError
from thalweg.integrate import initial_state, integrate
from thalweg.library.process import ParameterError, process
from thalweg.processes import Process, State, Variable
from thalweg.registry import RegistryError
from thalweg.units import UnitError

DAYS = 400
RUNOFF = ("exp_hydro", "gr4j", "hbv", "hbv_implicit", "prms", "sac_sma", "xinanjiang")
ROUTE = {"route_a": 1.2, "route_b": 2.0}


def weather(days=DAYS, units=None, seed=0):
    """Forcing in the units of the processes: arrays (time,), or (time, unit)."""
    generator = np.random.default_rng(seed)
    shape = days if units is None else (days, units)
    season = np.cos(2 * np.pi * np.arange(days) / 365)
    season = season if units is None else season[:, None]
    return {
        "precipitation": generator.gamma(0.4, 8.0, shape),
        "temperature": 6 - 10 * season + generator.normal(0, 3, shape),
        "potential_evapotranspiration": 2 - 1.5 * season + np.zeros(shape),
    }


def dates(days=DAYS, freq="D"):
    return pd.date_range("2001-01-01", periods=days, freq=freq, name="time")


def dataset(values, units="catchment"):
    unit = {"precipitation": "mm/day", "temperature": "degC", "potential_evapotranspiration": "mm/day"}
    dims = ("time",) if values["temperature"].ndim == 1 else ("time", units)
    coordinates = {"time": dates(len(values["temperature"]))}
    if len(dims) > 1:
        coordinates[units] = [f"c{i}" for i in range(values["temperature"].shape[1])]
    return xr.Dataset({name: (dims, v, {"units": unit[name]}) for name, v in values.items()}, coordinates)


def test_tables_and_text_say_what_a_process_needs():
    hbv = process("hbv")
    assert list(hbv.parameters.columns) == ["unit", "low", "high", "default", "meaning"]
    assert hbv.parameters.loc["FC", ["unit", "low", "high", "default"]].tolist() == ["mm", 50.0, 1000.0, 525.0]
    assert process("gr4j").parameters.default["X1"] == pytest.approx(200.0)  # the middle of a logarithmic range
    assert hbv.forcing.unit.to_dict()["temperature"] == "degC"
    assert hbv.states.initial["snowpack"] == 0.001 and hbv.fluxes.unit["runoff"] == "mm/day"
    text = repr(hbv)
    assert "FC      50 to 1000 mm: field capacity" in text and "route_a and route_b" in text
    assert process("dissolved_oxygen").routing.empty


def test_numpy_pandas_and_xarray_give_the_same():
    values, hbv = weather(), process("hbv")
    plain = hbv.run(values, {"FC": 200.0})
    table = hbv.run(pd.DataFrame(values, dates()), {"FC": 200.0})
    cube = hbv.run(dataset(values), {"FC": 200.0})
    for run in (table, cube):
        for name in plain:
            np.testing.assert_array_equal(run[name], plain[name])
        assert run.indexes["time"].equals(dates())
    assert plain.time.values.tolist() == list(range(DAYS))
    assert plain.runoff.dims == ("time",) and plain.runoff.attrs == {"units": "mm/day", "long_name": "Q0 + Q1 + Q2"}
    assert set(plain) == {*hbv.fluxes.index, *(f"state_{name}" for name in [*hbv.states.index, "runoff_before"])}


def test_the_numbers_are_those_of_the_integrator():
    values, hbv = weather(), process("hbv")
    tensors = {name: torch.tensor(v)[:, None] for name, v in values.items()}
    parameters = {p.name: torch.full((1, 1), float(p.at(0.5)), dtype=torch.float64) for p in hbv.process.parameters}
    start = initial_state(hbv.process, 1, 1, torch.float64)
    fluxes, _ = integrate(hbv.process, tensors, parameters, start, hbv.process.flux_names, "reference")
    run = hbv.run(values)
    for name in hbv.fluxes.index:
        np.testing.assert_allclose(run[name], fluxes[name][:, 0, 0], rtol=1e-10, atol=1e-12)


def test_stated_units_are_converted():
    values, hbv = weather(), process("hbv")
    expected = hbv.run(values)
    table = pd.DataFrame(
        {
            "time": dates().astype(str),
            "precipitation [inch]": values["precipitation"] / 25.4,  # a depth without a time is that of the day
            "temperature (degF)": 32 + 1.8 * values["temperature"],
            "potential_evapotranspiration [m/s]": values["potential_evapotranspiration"] / 86.4e6,
        }
    )
    run = hbv.run(table)
    np.testing.assert_allclose(run.runoff, expected.runoff, rtol=1e-9, atol=1e-12)
    assert run.indexes["time"][0] == pd.Timestamp("2001-01-01")
    cube = dataset(values)
    cube["temperature"] = (cube.temperature + 273.15).assign_attrs(units="kelvin")
    np.testing.assert_allclose(hbv.run(cube).runoff, expected.runoff, rtol=1e-9, atol=1e-12)
    del cube.precipitation.attrs["units"]
    with pytest.warns(UserWarning, match="'precipitation' states no units; taken as mm/day"):
        hbv.run(cube)


@pytest.mark.parametrize("name", RUNOFF)
def test_a_run_that_is_continued_equals_the_whole_run_in_every_bit(name, tmp_path):
    model, table = process(name), pd.DataFrame(weather(), dates())
    whole = model.run(table, ROUTE)
    assert whole.discharge.std() > 0 and not np.allclose(whole.discharge, whole.runoff)
    for cut in (5, 163, DAYS - 1):
        first = model.run(table[:cut], ROUTE)
        first.to_netcdf(tmp_path / f"{cut}.nc", engine="h5netcdf")
        second = model.run(table[cut:], ROUTE, state=xr.load_dataset(tmp_path / f"{cut}.nc", engine="h5netcdf"))
        for flux in [*model.fluxes.index, "discharge"]:
            np.testing.assert_array_equal(np.r_[first[flux].values, second[flux].values], whole[flux].values)
        for state in (one for one in whole if one.startswith("state_")):
            np.testing.assert_array_equal(second[state], whole[state], err_msg=state)


def test_units_are_run_side_by_side_as_they_are_alone():
    values, gr4j = weather(units=3), process("gr4j")
    parameters = {"X1": np.array([100.0, 300.0, 900.0]), "X4": 2.5} | ROUTE
    run = gr4j.run(dataset(values), parameters)
    assert run.runoff.dims == ("time", "catchment") and run.catchment.values.tolist() == ["c0", "c1", "c2"]
    for i in range(3):
        alone = gr4j.run({name: v[:, i] for name, v in values.items()}, parameters | {"X1": parameters["X1"][i]})
        for name in alone:
            np.testing.assert_array_equal(run[name].isel(catchment=i), alone[name], err_msg=name)
    table = pd.DataFrame({"X1": [900.0, 100.0, 300.0]}, index=["c2", "c0", "c1"])
    np.testing.assert_array_equal(gr4j.run(dataset(values), dict(table) | {"X4": 2.5} | ROUTE).discharge, run.discharge)
    half = gr4j.run(dataset(values).isel(time=slice(0, 200)), parameters)
    rest = gr4j.run(dataset(values).isel(time=slice(200, None)), parameters, state=half)
    np.testing.assert_array_equal(xr.concat([half.discharge, rest.discharge], "time"), run.discharge)


def test_a_parameter_may_change_in_time():
    values, hbv = weather(), process("hbv")
    early, late = hbv.run(values, {"K2": 0.01}), hbv.run(values, {"K2": 0.1})
    both = hbv.run(values, {"K2": np.where(np.arange(DAYS) < 200, 0.01, 0.1)})
    np.testing.assert_array_equal(both.runoff[:200], early.runoff[:200])
    assert not np.allclose(both.runoff[200:], late.runoff[200:])
    assert np.abs(both.runoff[200:] - early.runoff[200:]).max() > 0.1


def test_the_spin_up_is_run_and_left_out():
    table, hbv = pd.DataFrame(weather(), dates()), process("hbv")
    whole = hbv.run(table, ROUTE)
    for spin_up in (365, "365 days", "1 year"):
        late = hbv.run(table, ROUTE, spin_up=spin_up)
        assert late.sizes["time"] == DAYS - 365
        np.testing.assert_array_equal(late.discharge, whole.discharge[365:])
    with pytest.raises(DataError, match="spin-up of 400 steps leaves nothing of 400"):
        hbv.run(table, spin_up=DAYS)


def test_options_pass_through():
    values = weather()
    rain = {name: v for name, v in values.items() if name != "temperature"}
    without = process("hbv", snow_routine=False)
    assert "temperature" not in without.forcing.index and "TT" not in without.parameters.index
    warm = process("hbv").run(rain | {"temperature": np.full(DAYS, 15.0)}, state={"snowpack": 0.0, "meltwater": 0.0})
    np.testing.assert_allclose(without.run(rain).runoff, warm.runoff, rtol=1e-9, atol=1e-12)
    hourly = process("hbv", time_step="hour")
    assert hourly.routing.unit["route_b"] == "steps" and process("hbv").routing.unit["route_b"] == "day"
    assert hourly.fluxes.unit["runoff"] == "mm/hour" and "time_step='hour'" in repr(hourly)
    steps = pd.DataFrame(values, dates(freq="h")).rename(columns={"precipitation": "precipitation [mm/day]"})
    run = hourly.run(steps)
    expected = hourly.run(values | {"precipitation": values["precipitation"] / 24})
    np.testing.assert_allclose(run.runoff, expected.runoff, rtol=1e-12)
    assert process("hbv", capillary_rise=False).parameters.shape[0] == process("hbv").parameters.shape[0] - 1


@pytest.mark.parametrize("name", registry.names("process"))
def test_every_process_of_the_package_can_be_run(name):
    """By the reference, which needs no compiling; the routed ones by their step in seconds."""
    options = (
        {"variable": "nitrate", "unit": "mg/l", "low": 0.1, "high": 50.0} if name == "concentration_discharge" else {}
    )
    model = process(name, **options)
    assert name in repr(model)
    run = model.run({one: np.full(12, 1.0) for one in model.forcing.index}, integrator="reference")
    assert set(model.fluxes.index) <= set(run) and all(np.isfinite(run[flux]).all() for flux in model.fluxes.index)
    assert run.attrs["process"] == model.name


def test_a_process_of_ones_own():
    def step(state, forcing, parameters):
        return {"store": state["store"] + forcing["rain"]}, {"level": state["store"] + forcing["rain"]}

    own = Process(
        "sum", "none", (State("store", 1.0, "mm", "rain so far"),), process("hbv").process.parameters[:1],
        (Variable("rain", "mm/day", "rain"),), (Variable("level", "mm", "store"),), step,
    )  # fmt: skip
    run = process(own).run({"rain": [1.0, 2.0, 3.0]}, state={"store": 10.0})
    assert run.level.values.tolist() == [11.0, 13.0, 16.0] and run.state_store == 16.0 and "discharge" not in run


GOOD = pd.DataFrame(weather(60), dates(60))
HOLE = GOOD.copy()
HOLE.iloc[7, 1] = np.nan
WORDS = GOOD.astype(object)
WORDS.iloc[3, 0] = "dry"
BAD_FORCING = {
    "missing": (
        GOOD.drop(columns="temperature"),
        DataError,
        r"forcing 'temperature' \[degC\] is missing; the forcing has",
    ),
    "misspelt": (GOOD.rename(columns={"temperature": "temprature"}), DataError, "rename 'temprature'"),
    "hole": (HOLE, DataError, r"'temperature' is nan on 2001-01-08 \(1 such values\)"),
    "infinite": (GOOD.replace(GOOD.iloc[3, 0], np.inf), DataError, "'precipitation' is inf on 2001-01-04"),
    "fill value": (
        GOOD.replace(GOOD.iloc[3, 1], -9999),
        DataError,
        r"'temperature' is -9999 on 2001-01-04 \(1 such values\); possible are -80 to 60",
    ),
    "negative": (
        GOOD.assign(precipitation=GOOD.precipitation - 0.5),
        DataError,
        "'precipitation' is -.* possible are 0 to 2000",
    ),
    "gap": (GOOD.drop(index=GOOD.index[9]), DataError, "on 2001-01-09 and on 2001-01-11 are neighbours"),
    "repeated": (GOOD.iloc[[0, 1, 1, 2]], DataError, "on 2001-01-02 and on 2001-01-02 are neighbours"),
    "hours": (GOOD.set_index(dates(60, "h")), DataError, "step of 1 hour, the process one of 1 day"),
    "unit": (GOOD.rename(columns={"temperature": "temperature [mm]"}), UnitError, "'mm' .* does not convert to 'degC'"),
    "unknown unit": (GOOD.rename(columns={"temperature": "temperature [xyz]"}), UnitError, "'xyz' is unknown"),
    "text": (WORDS, DataError, "'precipitation' is not made of numbers"),
    "array": (GOOD.to_numpy(), DataError, "is a ndarray; give an xarray Dataset"),
    "lengths": ({**{n: GOOD[n].to_numpy() for n in GOOD}, "temperature": [1.0]}, DataError, "differ in length"),
    "dimension": (dataset(weather(60)).rename(time="day"), DataError, "rename that of time to 'time'"),
    "other dates": (
        {name: GOOD[name].shift(freq="1D") if name == "temperature" else GOOD[name] for name in GOOD},
        DataError,
        "forcings 'precipitation' and 'temperature' have different dates: value 1 is on 2001-01-01 in the one and on 2001-01-02",
    ),
    "a date less": (
        {name: GOOD[name].drop(GOOD.index[20]) if name == "temperature" else GOOD[name] for name in GOOD},
        DataError,
        "have different dates: value 21 is on 2001-01-21 in the one and on 2001-01-22 in the other",
    ),
    "shorter": (
        {name: GOOD[name][:50] if name == "temperature" else GOOD[name] for name in GOOD},
        DataError,
        "have different dates: value 51 is on 2001-02-20 in the one and missing in the other",
    ),
    "words in the index": (GOOD.set_index(pd.Index(["soon"] * 60)), DataError, "index of time is not made of dates"),
    "no date": (GOOD.set_index(GOOD.index.where(GOOD.index != GOOD.index[3])), DataError, "has no date at step 3"),
    "numbers as dates": (
        GOOD.reset_index(drop=True).assign(date=20010101 + np.arange(60)),
        DataError,
        "'date' is not made of dates but of numbers; write them such as 2001-01-31",
    ),
    "gap in text": (
        GOOD.set_index(GOOD.index.strftime("%Y-%m-%d")).drop(index="2001-01-10"),
        DataError,
        "on 2001-01-09 and on 2001-01-11 are neighbours",
    ),
    "dates": (GOOD.reset_index(drop=True).assign(time="soon"), DataError, "column 'time' is not made of dates"),
}


@pytest.mark.parametrize("name", BAD_FORCING)
def test_forcing_that_does_not_fit_is_named(name):
    forcing, error, message = BAD_FORCING[name]
    with pytest.raises(error, match=message):
        process("hbv").run(forcing)


def test_dates_may_be_text_periods_or_of_a_time_zone(tmp_path):
    """As of a table that was read without parsing its dates."""
    hbv = process("hbv")
    expected = hbv.run(GOOD)
    GOOD.to_csv(tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv", index_col=0)
    assert isinstance(table.index[0], str)
    for forcing in (
        table,
        {name: table[name] for name in table},
        {name: one.to_numpy() if name == "temperature" else one for name, one in GOOD.items()},
        GOOD.tz_localize("Europe/Paris"),
        GOOD.set_index(GOOD.index.to_period("D")),
        dataset({name: one.to_numpy() for name, one in GOOD.items()}).assign_coords(time=table.index.to_numpy()),
    ):
        run = hbv.run(forcing)
        np.testing.assert_array_equal(run.time, expected.time)
        np.testing.assert_allclose(run.runoff, expected.runoff, rtol=1e-10)


BAD_PARAMETERS = {
    "unknown": ({"FCC": 1.0}, "'FCC' is unknown; did you mean 'FC'"),
    "nan": ({"FC": np.nan}, "'FC' is nan"),
    "text": ({"FC": "much"}, "'FC' is 'much'; give a number"),
    "shape": ({"FC": np.ones(7)}, r"'FC' has shape \(7,\)"),
    "low": ({"FC": 5.0}, "'FC' is 5 mm, outside its range of 50 to 1000"),
    "half a hydrograph": ({"route_a": 1.0}, "'route_a' is given but not 'route_b'"),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_parameters_that_do_not_fit_are_named(name):
    parameters, message = BAD_PARAMETERS[name]
    with pytest.raises(ParameterError, match=message):
        process("hbv").run(GOOD, parameters, bounds="error")


def test_a_parameter_outside_its_bounds_warns_unless_told_otherwise():
    hbv = process("hbv")
    with pytest.warns(UserWarning, match="'FC' is 1200 mm, outside its range of 50 to 1000"):
        run = hbv.run(GOOD, {"FC": 1200.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(hbv.run(GOOD, {"FC": 1200.0}, bounds="ignore").runoff, run.runoff)
        hbv.run(GOOD, {"FC": 1000.0, "CFR": 0.0})
    with pytest.raises(ParameterError, match="bounds is 'maybe'"):
        hbv.run(GOOD, bounds="maybe")


def test_states_and_names_that_do_not_fit_are_named():
    hbv = process("hbv")
    with pytest.raises(ParameterError, match="state 'snow' is unknown; the states are snowpack"):
        hbv.run(GOOD, state={"snow": 1.0})
    with pytest.raises(ParameterError, match=r"state 'snowpack' has shape \(3,\)"):
        hbv.run(GOOD, state={"snowpack": np.ones(3)})
    with pytest.raises(ParameterError, match="the state has no 'snowpack'"):
        hbv.run(GOOD, state=process("hbv", snow_routine=False).run(GOOD))
    with pytest.raises(ParameterError, match="its options are: capillary_rise"):
        process("hbv", snow=False)
    with pytest.raises(RegistryError, match="unknown process 'hbw'; available: "):
        process("hbw")


WRONG_CALLS = {
    "parameters": ({"parameters": [1.0, 2.0]}, ParameterError, r"parameters is \[1.0, 2.0\]; give a dictionary"),
    "state": ({"state": np.ones(3)}, ParameterError, "state is array.*; give a dictionary of names and values"),
    "words": ({"state": {"snowpack": "much"}}, ParameterError, "state 'snowpack' is 'much'; give a number"),
    "waiting": (
        {"state": {"runoff_before": np.ones(3)}},
        ParameterError,
        r"'runoff_before' has shape \(3,\); give \(14,\)",
    ),
    "integrator": ({"integrator": "euler"}, ParameterError, "integrator is 'euler'; use 'fused' or 'reference'"),
    "no spin-up": ({"spin_up": None}, DataError, "spin_up is None; give a whole number of steps, or a duration"),
    "nan": ({"spin_up": "nan days"}, DataError, "spin_up is 'nan days'; give a whole number"),
    "half a step": ({"spin_up": 1.5}, DataError, "spin_up is 1.5 steps; give a whole number"),
    "words for a duration": ({"spin_up": "long"}, UnitError, "'long' is not a quantity"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_is_refused_with_what_to_write(name):
    arguments, error, message = WRONG_CALLS[name]
    with pytest.raises(error, match=message):
        process("hbv").run(GOOD, **arguments)


def test_a_wrong_process_is_refused():
    with pytest.raises(ParameterError, match="process is None; give the name of a process"):
        process(None)
    with pytest.raises(ParameterError, match="process 'hbv': hbv runs with a step of day or hour, not week"):
        process("hbv", time_step="week")
