"""The Basic Model Interface: step by step as in one go, exact restarts, forcing from outside, errors that say what to do."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import thalweg
from bmi_case import case, configure, trained, write_case
from conftest import ROOT, make_domain, make_sites
from thalweg.learn.stepping import SteppingError, stepping
from thalweg.library.bmi import DELAYED, BmiRiver, BmiThalweg
from thalweg.library.bmi_component import BmiError
from thalweg.library.members import PredictionWarning
from thalweg.schema import ConfigError
from thalweg.settings.bmi import BmiSettings
from thalweg.settings.files import read
from thalweg.storage.store import write_netcdf

GAUGED, ROUTED = "basin_outlet_water_x-section__volume_flow_rate", "channel_water_x-section__volume_flow_rate"
RAIN, RUNOFF = "atmosphere_water__precipitation_leq-volume_flux", "land_surface_water__runoff_volume_flux"
BEFORE, DAY = "place__discharge_of_previous_step", 86400.0
CLOSE = {"rtol": 2e-5, "atol": 1e-6}
KINDS = {
    "static": {},
    "dynamic": {"dynamic": ["BETA", "PERC"]},
    "lumped": {"spatial": "lumped", "routing": "none"},
    "lstm": {"model": "lstm"},
    "mixture": {"model": "lstm", "head": "cmal", "loss": "cmal", "components": 3},
    "gr4j": {"model": "gr4j"},
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Kind -> (model, domain, path of the configuration), trained when it is first asked for."""
    made = {}

    def get(kind):
        if kind not in made:
            keys = {"routing": "river"} if kind == "river" else KINDS[kind]
            made[kind] = case(tmp_path_factory.mktemp(kind), **keys)
        return made[kind]

    return get


def started(path, component=BmiThalweg):
    bmi = component()
    bmi.initialize(str(path))
    return bmi


def values(bmi, name):
    return bmi.get_value(name, np.empty(bmi.get_grid_size(bmi.get_var_grid(name))))


def outputs(bmi):
    return {name: values(bmi, name) for name in bmi.get_output_var_names()}


def run(bmi, steps, name):
    series = []
    for _ in range(steps):
        bmi.update()
        series.append(values(bmi, name))
    return np.array(series)


@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_gives_what_predict_gives(cases, kind):
    model, domain, path = cases(kind)
    bmi = started(path)
    expected = model.predict(domain).discharge.values.T
    np.testing.assert_allclose(run(bmi, len(expected), GAUGED), expected, **CLOSE)
    assert bmi.get_current_time() == bmi.get_end_time() == len(expected) * DAY


def test_fluxes_and_storages_of_units_close_the_water_balance(cases):
    _, _, path = cases("static")
    bmi = started(path)
    before = values(bmi, "unit__soil_moisture") + values(bmi, "unit__snowpack") + values(bmi, "unit__meltwater")
    before += values(bmi, "unit__upper_zone") + values(bmi, "unit__lower_zone")
    balance = np.zeros_like(before)
    for _ in range(50):
        balance += values(bmi, RAIN)
        bmi.update()
        balance -= values(bmi, RUNOFF) + values(bmi, "land_surface_water__evaporation_volume_flux")
    np.testing.assert_allclose(values(bmi, "unit__water_storage") - before, balance, atol=2e-3)
    assert np.ptp(values(bmi, "unit__water_storage")) > 1


def test_the_river_is_that_of_a_record_that_ends_now_and_final_one_step_later(cases):
    """Within a day inflow rises towards that of the next, which is not known yet."""
    model, domain, path = cases("river")
    bmi = started(path)
    now, before = [], []
    for _ in range(430):
        bmi.update()
        now.append(values(bmi, GAUGED))
        before.append(values(bmi, BEFORE))
    expected = model.predict(domain).discharge.values.T
    np.testing.assert_allclose(before[1:], expected[:429], **CLOSE)
    for days in (370, 400, 430):  # the climate indices need the first 366
        cut = {group: getattr(domain, group).isel(time=slice(0, days)) for group in ("forcing", "observed")}
        series = model.predict(replace(domain, **cut)).discharge.values.T
        np.testing.assert_allclose(now[days - 1], series[-1], **CLOSE)
    assert np.abs(np.array(now)[:-1] - np.array(before)[1:]).max() > 1e-3 * expected.mean()


def test_the_river_alone_routes_runoff_of_another_model(cases):
    """In one go through the network's own march, final one step later; discharge at places is that of their reaches."""
    model, domain, path = cases("river")
    generator = np.random.default_rng(1)
    runoff = generator.gamma(0.5, 2.0, (60, len(domain.unit_ids))).astype(np.float32)
    bmi = started(configure(path.parent, "one.yaml", member="0/1"), BmiRiver)
    final = []
    for day in runoff:
        bmi.set_value(DELAYED, day)
        bmi.update()
        final.append(values(bmi, "reach__discharge_of_previous_step"))
    seen, scalings = model.prepared(domain)
    _, series, trained = list(model.trained_members(seen, scalings))[1]
    with torch.no_grad():
        discharge, _, volume, _ = trained.river.march(torch.from_numpy(runoff), series.drainage)
    means = discharge.unflatten(0, (-1, trained.river.steps)).mean(1).numpy()
    np.testing.assert_allclose(final[1:], means[:-1], **CLOSE)
    np.testing.assert_allclose(values(bmi, ROUTED), means[-1], **CLOSE)
    np.testing.assert_allclose(values(bmi, "channel_water__volume"), volume, **CLOSE)
    at = [bmi.ids(2).index(one) for one in domain.places.reach.values]
    np.testing.assert_allclose(values(bmi, GAUGED), means[-1][at], rtol=1e-4)


@pytest.mark.parametrize("kind", ["static", "dynamic", "river", "lstm"])
def test_a_restart_is_exact_at_any_step(cases, kind, tmp_path):
    """Bit by bit, in the same object and in a new one that is initialised from the file."""
    _, _, path = cases(kind)
    bmi = started(path)
    for steps in (1, 2, 57):
        while bmi.get_current_time() < steps * DAY:
            bmi.update()
        bmi.save_state(tmp_path / f"{steps}.safetensors")
    kept = outputs(bmi)
    expected = [kept]
    for _ in range(10):
        bmi.update()
        expected.append(outputs(bmi))

    def check(other):
        for step, reference in enumerate(expected):
            if step:
                other.update()
            for name, one in outputs(other).items():
                np.testing.assert_array_equal(one, reference[name], err_msg=f"{name}, step {step}")

    bmi.load_state(tmp_path / "57.safetensors")
    check(bmi)
    for steps in (1, 2):
        bmi.load_state(tmp_path / f"{steps}.safetensors")
        bmi.update_until(57 * DAY)
        check(bmi)
    new = started(configure(path.parent, "restart.yaml", state=str(tmp_path / "57.safetensors")))
    assert new.get_current_time() == 0 and str(new.times[0])[:10] == "2000-02-27"
    check(new)


def test_a_restart_with_newer_forcing_keeps_the_parameters(cases, tmp_path):
    """Its climate indices would be of other years: without the state, the same days give another discharge."""
    _, domain, path = cases("dynamic")
    bmi = started(path)
    bmi.update_until(450 * DAY)
    bmi.save_state(tmp_path / "state.safetensors")
    newer = {group: getattr(domain, group).isel(time=slice(440, None)) for group in ("forcing", "observed")}
    write_netcdf(replace(domain, **newer).to_tree(), path.parent / "newer.nc", {})
    settings = {"domain": "newer.nc", "end": "2001-05-14"}
    new = started(configure(path.parent, "newer.yaml", state=str(tmp_path / "state.safetensors"), **settings))
    with pytest.warns(PredictionWarning, match="does not cover 2000-01-01 to 2000-12-31"):
        other = started(configure(path.parent, "newer.yaml", start="2001-03-26", **settings))
    for _ in range(20):
        for one in (bmi, new, other):
            one.update()
        np.testing.assert_array_equal(values(new, GAUGED), values(bmi, GAUGED))
    assert not np.allclose(values(other, GAUGED), values(bmi, GAUGED), rtol=1e-2)


def test_samples_at_places_are_predicted_from_a_steady_state(tmp_path):
    """A process with a steady state begins there; its variable is that of the place's own unit."""
    domain = make_sites(days=600)
    model = trained(domain, "concentration_discharge", loss="log_likelihood", climate_attributes=False)
    bmi = started(write_case(tmp_path, model, domain))
    assert bmi.get_output_var_names()[0] == "place__nitrate" and bmi.get_var_units("place__nitrate") == "mg/l"
    expected = model.predict(domain).nitrate.values.T
    np.testing.assert_allclose(run(bmi, 100, "place__nitrate"), expected[:100], **CLOSE)


def test_the_river_alone_restarts_exactly(cases, tmp_path):
    _, _, path = cases("river")
    bmi, other = started(path, BmiRiver), started(path, BmiRiver)
    for day in range(5):
        bmi.set_value(DELAYED, [1.0 + day])
        bmi.update()
    bmi.save_state(tmp_path / "state.safetensors")
    other.load_state(tmp_path / "state.safetensors")
    for one in (bmi, other):
        one.set_value(DELAYED, [0.5])
        one.update()
    for name, one in outputs(bmi).items():
        np.testing.assert_array_equal(one, values(other, name))


def test_forcing_can_be_set_for_a_step_and_must_be_set_after_the_domain_ends(cases):
    model, domain, path = cases("static")
    bmi = started(configure(path.parent, "longer.yaml", end="2001-05-16"))
    doubled = domain.forcing.copy(deep=True)
    doubled.precipitation[366:] *= 2
    bmi.update_until(366 * DAY)
    for _ in range(133):
        bmi.set_value(RAIN, 2 * values(bmi, RAIN))
        bmi.update()
    flow = model.predict(replace(domain, forcing=doubled)).discharge[:, 498]
    np.testing.assert_allclose(values(bmi, GAUGED), flow, **CLOSE)
    bmi.update()
    with pytest.raises(
        BmiError, match=r"of unit 'u0' is nan for the step that begins at 2001-05-15.*set it with set_value"
    ):
        bmi.update()
    for name in bmi.get_input_var_names():
        bmi.get_value_ptr(name)[:] = 2.0
    bmi.update()
    assert np.isfinite(values(bmi, GAUGED)).all()
    one = values(bmi, RAIN)
    bmi.set_value_at_indices(RAIN, [1, 3], [7.0, 8.0])
    assert bmi.get_value_at_indices(RAIN, np.empty(2), [3, 1]).tolist() == [8.0, 7.0]
    assert np.isnan(one).all()


def test_grids_variables_and_times_describe_the_domain(cases):
    model, domain, path = cases("river")
    bmi = started(path)
    unit, place, reach = (bmi.get_var_grid(name) for name in (RAIN, GAUGED, ROUTED))
    assert [bmi.ids(grid) for grid in (unit, place)] == [list(domain.unit_ids), list(domain.place_ids)]
    np.testing.assert_array_equal(bmi.get_grid_x(place, np.empty(4)), domain.places.longitude)
    np.testing.assert_array_equal(bmi.get_grid_y(unit, np.empty(12)), domain.attributes.latitude)
    edges = bmi.get_grid_edge_nodes(reach, np.empty(2 * bmi.get_grid_edge_count(reach), np.int64)).reshape(-1, 2)
    named = {(bmi.ids(reach)[a], bmi.ids(reach)[b]) for a, b in edges}
    down = dict(zip(domain.network.reach.values.astype(str), domain.network.downstream.values.astype(str)))
    assert named == {(a, b) for a, b in down.items() if b and b in bmi.ids(reach)}
    np.testing.assert_allclose(
        bmi.get_grid_x(reach, np.empty(len(bmi.ids(reach)))),
        domain.attributes.longitude.sel(unit=["u" + one[1:] for one in bmi.ids(reach)]),
    )
    assert bmi.get_var_units(RAIN) == "mm/day" and bmi.get_var_units(GAUGED) == "m3/s"
    assert bmi.get_var_type(RAIN) == "float64" and bmi.get_var_nbytes(RAIN) == 8 * 12 == 12 * bmi.get_var_itemsize(RAIN)
    assert bmi.get_time_units() == "s" and bmi.get_time_step() == DAY and bmi.get_end_time() == 500 * DAY
    assert "2 members" in repr(model) and bmi.get_component_name().startswith("thalweg ")
    bmi.update_until(3 * DAY)
    assert bmi.get_current_time() == 3 * DAY
    bmi.finalize()
    with pytest.raises(BmiError, match="not initialised"):
        bmi.update()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"member": "3/0"}, "there is no member '3/0'; there are mean, 0/0, 0/1"),
        ({"start": "1999-12-31"}, "does not begin with a step of the forcing"),
        ({"start": "2001-06-01", "end": "2001-07-01"}, "does not begin with a step of the forcing"),
        ({"end": "1999-01-01"}, "ends before it begins"),
        ({"places": ["g9"]}, "has no place 'g9'; it has g0"),
        ({"state": "domain.nc"}, "it is not a state file"),
        ({"state": "model.safetensors"}, "it is not a state file"),
    ],
)
def test_a_wrong_configuration_is_refused(cases, settings, message):
    path = configure(cases("static")[2].parent, "wrong.yaml", **settings)
    with pytest.raises(BmiError, match=message):
        started(path)


def test_wrong_calls_keys_and_states_are_refused(cases, tmp_path):
    _, _, path = cases("static")
    bmi = started(path)
    with pytest.raises(BmiError, match="is an output; inputs are atmosphere_water__precipitation"):
        bmi.set_value(RUNOFF, [1.0])
    with pytest.raises(BmiError, match="has 12 values, one for every unit; 3 were given"):
        bmi.set_value(RAIN, [1.0, 2.0, 3.0])
    with pytest.raises(BmiError, match="there is no variable 'rain'"):
        bmi.get_value_ptr("rain")
    with pytest.raises(BmiError, match="time 3600 s is not the end of a step"):
        bmi.update_until(3600.0)
    bmi.save_state(tmp_path / "state.safetensors")
    other = started(configure(path.parent, "one.yaml", member="0/0"))
    with pytest.raises(BmiError, match="weights of the state is"):
        other.load_state(tmp_path / "state.safetensors")
    late = started(configure(path.parent, "late.yaml", start="2000-02-01"))
    with pytest.raises(BmiError, match=r"a state at 2000-01-01.*outside the period 2000-02-01"):
        late.load_state(tmp_path / "state.safetensors")
    with pytest.raises(BmiError, match="outside the period"):
        started(configure(path.parent, "both.yaml", start="2000-01-02", state=str(tmp_path / "state.safetensors")))
    bmi.update()
    bmi.save_state(tmp_path / "later.safetensors")
    with pytest.raises(BmiError, match=r"start is 2000-01-01.*is a state at 2000-01-02.*leave out start"):
        started(configure(path.parent, "both.yaml", start="2000-01-01", state=str(tmp_path / "later.safetensors")))
    with pytest.raises(BmiError, match="has no river; name one that was trained with routing: river"):
        started(path, BmiRiver)
    with pytest.raises(ConfigError, match="give either domain, a netCDF file, or catchments"):
        started(configure(path.parent, "two.yaml", catchments="here", domain="domain.nc"))
    with pytest.raises(SteppingError, match="Linear: it cannot be run one step at a time"):
        stepping(torch.nn.Linear(1, 1), None)


def test_some_places_and_one_member_are_those_of_the_whole(cases):
    model, domain, path = cases("lumped")
    bmi = started(configure(path.parent, "some.yaml", places=["g3", "g11"], member="0/1"))
    assert bmi.ids(0) == bmi.ids(1) == ["g3", "g11"]
    expected = model.predict(domain, members=True).discharge.sel(place=["g3", "g11"]).values[1].T
    np.testing.assert_allclose(run(bmi, 30, GAUGED), expected[:30], **CLOSE)


@pytest.mark.parametrize("kind", ["static", "river"])
@pytest.mark.parametrize("place, ids", [("g3", ["u3"]), ("g7", ["u7", "u6"])])
def test_one_place_of_a_distributed_model_has_only_its_units_the_nearest_first(cases, kind, place, ids):
    """A framework that reads the first value of a variable gets that of the catchment which the configuration names."""
    model, domain, path = cases(kind)
    bmi, whole = started(configure(path.parent, "one_place.yaml", places=[place])), started(path)
    assert bmi.ids(0) == ids and bmi.ids(1) == [place]
    at = [whole.ids(0).index(one) for one in ids]
    for _ in range(20):
        for one in (bmi, whole):
            one.update()
        for name in (RUNOFF, RAIN, "unit__delayed_runoff"):
            np.testing.assert_allclose(values(bmi, name), values(whole, name)[at], **CLOSE)
    np.testing.assert_allclose(values(bmi, GAUGED), values(whole, GAUGED)[[whole.ids(1).index(place)]], **CLOSE)
    if kind == "river":
        reaches = sorted("r" + one[1:] for one in ids)
        assert bmi.ids(2) == reaches and bmi.get_grid_edge_count(2) == len(ids) - 1
    name, later = (BEFORE, 1) if kind == "river" else (GAUGED, 0)
    series = run(bmi, 30 + later, name)[later:]
    expected = model.predict(domain).discharge.sel(place=[place]).values.T
    np.testing.assert_allclose(series, expected[20:50], **CLOSE)


def test_places_without_discharge_or_without_a_network_can_be_chosen(cases, tmp_path):
    model, domain, path = cases("static")
    observed = domain.observed.copy(deep=True)
    observed.discharge.loc[{"place": "g3"}] = np.nan
    write_netcdf(replace(domain, observed=observed).to_tree(), path.parent / "gap.nc", {})
    bmi = started(configure(path.parent, "gap.yaml", domain="gap.nc", places=["g3"]))
    expected = model.predict(domain).discharge.sel(place=["g3"]).values.T
    np.testing.assert_allclose(run(bmi, 30, GAUGED), expected[:30], **CLOSE)
    sites = make_sites(days=600)
    of_sites = trained(sites, "concentration_discharge", loss="log_likelihood", climate_attributes=False)
    bmi = started(write_case(tmp_path, of_sites, sites, places=["s4", "s1"]))
    assert bmi.ids(1) == ["s4", "s1"] and sorted(bmi.ids(0)) == ["s1", "s4"]
    expected = of_sites.predict(sites).nitrate.sel(place=["s4", "s1"]).values.T
    np.testing.assert_allclose(run(bmi, 30, "place__nitrate"), expected[:30], **CLOSE)


def test_a_folder_of_catchments_needs_no_discharge(tmp_path):
    """Their series and attributes are those of a lumped domain."""
    domain = make_domain().lumped()
    (tmp_path / "mine/timeseries").mkdir(parents=True)
    table = domain.attributes.to_dataframe()
    table.columns = [f"{name} [{domain.attributes[name].attrs['units']}]" for name in table]
    table.rename_axis("basin").to_csv(tmp_path / "mine/attributes.csv")
    for unit in domain.unit_ids:
        series = domain.forcing.sel(unit=unit, drop=True).to_dataframe()
        series.columns = [f"{name} [{domain.forcing[name].attrs['units']}]" for name in series]
        series.to_csv(tmp_path / f"mine/timeseries/{unit}.csv")
    mine = thalweg.catchments(tmp_path / "mine")
    model = trained(domain, spatial="lumped")
    path = write_case(tmp_path, model, domain, catchments="mine")
    expected = model.predict(mine).discharge.sel(place=list(mine.place_ids)).values.T
    np.testing.assert_allclose(run(started(path), 50, GAUGED), expected[:50], **CLOSE)


def test_months_have_their_own_length(tmp_path):
    domain = make_domain(days=100)
    time = pd.date_range("1990-01-01", periods=100, freq="MS", name="time")
    forcing = domain.forcing.assign_coords(time=time)
    for name in ("precipitation", "potential_evapotranspiration"):
        forcing[name] = (30 * forcing[name]).assign_attrs(units="mm/month")
    domain = replace(domain, forcing=forcing, observed=domain.observed.assign_coords(time=time))
    table = thalweg.split(domain, "temporal", train=("1990", "1995"), test=("1996", "1998"))
    short = {"steps": 2, "window": "365 days", "spin_up": "365 days", "hidden": 8}
    model = thalweg.train("lstm", domain, table, **short)
    bmi = started(write_case(tmp_path, model, domain))
    assert bmi.get_var_units(RAIN) == "mm/month"
    expected, length = model.predict(domain).discharge.values.T, []
    for month in expected:
        length.append(bmi.get_time_step() / DAY)
        bmi.update()
        np.testing.assert_allclose(values(bmi, GAUGED), month, **CLOSE)
    assert length == list(time.days_in_month)


def test_the_page_has_every_name_unit_and_key(cases, tmp_path):
    page = (ROOT / "docs/guides/bmi.md").read_text()
    for kind in ("static", "river"):
        bmi = started(cases(kind)[2])
        for name in (*bmi.get_input_var_names(), *bmi.get_output_var_names()):
            grid = ("units", "places", "reaches")[bmi.get_var_grid(name)]
            row = rf"^\| `{re.escape(name)}` \| [^|]+ \| {grid} \| {bmi.get_var_units(name)} \|"
            assert re.search(row, page, re.MULTILINE), name
    for key in BmiSettings.model_fields:
        assert f"`{key}`" in page, key
    (tmp_path / "bmi.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert BmiSettings.model_validate(read(tmp_path / "bmi.yaml")).end == "2010-12-31"
