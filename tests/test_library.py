"""The library: train, save, load, predict, explain, train further; files of models that say what differs."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from matplotlib.text import Text

import thalweg
from conftest import make_domain, make_sites
from thalweg.basin.domain import DataError
from thalweg.evaluation.score import score
from thalweg.experiments.model_file import ModelFileError, ModelFileWarning, write_model
from thalweg.experiments.run import simulate_experiment
from thalweg.library.members import PredictionWarning
from thalweg.library.training import summary
from thalweg.schema import ConfigError
from thalweg.storage.installed import NotInstalled, weights_header
from thalweg.units import UnitError

PERIOD, LATER = ("2000-01-01", "2000-12-31"), ("2001-01-01", "2001-05-14")
SHORT = {"steps": 6, "window": "150 days", "spin_up": "60 days", "validate_every": 3, "components": 2, "hidden": 8}


def trained(domain, model="hbv", seeds=(0, 1), **keys):
    table = thalweg.split(domain, "temporal", train=PERIOD, test=LATER, validation_share=0.3)
    short = SHORT if model != "lstm" else {name: value for name, value in SHORT.items() if name != "components"}
    return thalweg.train(model, domain, table, seeds=seeds, **{**short, **keys}), table


@pytest.fixture(scope="module")
def hbv():
    domain = make_domain()
    return domain, *trained(domain)


def unobserved(domain):
    return replace(domain, observed=domain.observed.drop_vars("discharge"))


def test_import_is_light_and_names_are_found():
    """Importing the package takes under 0.3 s of processor time more than Python itself, and loads neither torch nor xarray."""
    code = "import time; a = time.process_time(); import thalweg, sys; print(time.process_time() - a, [m for m in ('torch', 'xarray', 'pandas', 'matplotlib') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split(
        maxsplit=1
    )
    assert float(out[0]) < 0.3
    assert out[1].strip() == "[]"
    assert {"load", "predict", "train", "process", "catchments"} <= set(dir(thalweg))
    with pytest.raises(AttributeError, match="it has dataset, catchments"):
        thalweg.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["hbv", "lstm"])
def test_a_saved_model_predicts_what_the_study_simulates_without_observations(name, tmp_path):
    domain = make_domain()
    model, table = trained(domain, name)
    model.save(tmp_path / "model.safetensors")
    loaded = thalweg.load(tmp_path / "model.safetensors")
    flow = loaded.predict(unobserved(domain), members=True)
    tensors = {key: value for key, value in loaded.tensors.items()}
    simulation = simulate_experiment(domain, table, loaded.job, tensors, loaded.header).variables["discharge"]
    there = flow.discharge.sel(time=simulation.time) * 86.4 / domain.places.drainage_area
    np.testing.assert_allclose(there.values, simulation.simulated.values[0], rtol=2e-5, atol=1e-6)
    assert flow.discharge.attrs["units"] == "m3/s"
    mean = loaded.predict(domain)
    np.testing.assert_allclose(mean.discharge, flow.discharge.mean("member"), rtol=1e-5)
    assert (mean.inputs_outside == 0).all()


def test_a_model_file_is_complete_and_says_what_it_was_trained_on(hbv, tmp_path):
    _domain, model, _ = hbv
    model.save(tmp_path / "model.safetensors")
    header = weights_header(tmp_path / "model.safetensors")
    assert header["format"] == 1 and header["thalweg"] == thalweg.__version__
    assert header["process"]["name"] == "hbv" and len(header["process"]["parameters"]) == len(model.process.parameters)
    assert header["training"]["places"] == 4 and header["training"]["period"] == list(PERIOD)
    assert header["scaling"]["0"]["climate_period"][0].startswith("2000-01-01")
    assert {"median", "places"} <= set(header["scores"]["NSE"])
    inputs = model.inputs
    assert inputs.loc["elevation", "unit"] == "m" and inputs.loc["aridity", "kind"] == "computed"
    assert inputs.loc["precipitation", "kind"] == "forcing"
    assert "HBV" in repr(model).upper() and "2 members" in repr(model)


def test_days_cut_off_the_front_do_not_move_the_inputs(hbv):
    """Climate indices belong to dates: a domain that begins earlier or later gives the same parameters."""
    domain, model, _ = hbv
    later = replace(
        domain, forcing=domain.forcing.isel(time=slice(0, 450)), observed=domain.observed.isel(time=slice(0, 450))
    )
    a, b = model.parameters(domain), model.parameters(later)
    xr.testing.assert_identical(a, b)
    cut = replace(
        domain, forcing=domain.forcing.isel(time=slice(300, None)), observed=domain.observed.isel(time=slice(300, None))
    )
    with pytest.warns(PredictionWarning, match="does not cover 2000-01-01 to 2000-12-31"):
        model.predict(cut)


def test_a_missing_attribute_unit_or_step_is_named(hbv):
    domain, model, _ = hbv
    lacking = replace(domain, attributes=domain.attributes.drop_vars("elevation"))
    with pytest.raises(DataError, match="the model needs 'elevation' in m; there are area, latitude"):
        model.predict(lacking)
    feet = domain.attributes.assign(elevation=(domain.attributes.elevation / 0.3048).assign_attrs(units="ft"))
    np.testing.assert_allclose(
        model.predict(replace(domain, attributes=feet)).discharge, model.predict(domain).discharge, rtol=1e-4
    )
    wrong = domain.attributes.assign(elevation=domain.attributes.elevation.assign_attrs(units="kg"))
    with pytest.raises(UnitError, match="'elevation': unit 'kg'"):
        model.predict(replace(domain, attributes=wrong))
    dry = replace(
        domain,
        forcing=domain.forcing.drop_vars("potential_evapotranspiration"),
        observed=domain.observed.drop_vars("discharge"),
    )
    with pytest.raises((DataError, ValueError), match="potential_evapotranspiration"):
        model.predict(dry)
    hours = pd.date_range("2000-01-01", periods=len(domain.forcing.time), freq="h", name="time")
    hourly = domain.forcing.assign_coords(time=hours)
    for name in ("precipitation", "potential_evapotranspiration"):
        hourly[name].attrs["units"] = "mm/hour"
    with pytest.raises(DataError, match="its time step is one hour, but the model was trained with one day"):
        model.predict(replace(domain, forcing=hourly, observed=domain.observed.assign_coords(time=hours)))


def test_inputs_outside_the_range_seen_are_counted_and_named(hbv):
    domain, model, _ = hbv
    high = domain.attributes.copy(deep=True)
    high.elevation.values[0] = 9000.0
    with pytest.warns(PredictionWarning, match=r"elevation at 1 of 12.*is 9000 m, and was"):
        flow = model.predict(replace(domain, attributes=high))
    assert flow.inputs_outside.values[0] == 1 and flow.inputs_outside.values[1:].sum() == 0
    table = model.outside(replace(domain, attributes=high))
    assert list(table.input) == ["elevation"] and table.value[0] == 9000.0


def test_fluxes_close_the_water_balance_at_every_place(hbv):
    domain, model, _ = hbv
    fluxes = model.fluxes(domain, ["evapotranspiration", "runoff"])
    assert fluxes.evapotranspiration.dims == ("place", "time") and fluxes.runoff.attrs["units"] == "mm/day"
    rain = domain.forcing.precipitation.values @ domain.catchment_weights.T.toarray()
    stored = rain.sum(0) - (fluxes.evapotranspiration + fluxes.runoff).sum("time").values
    assert (np.abs(stored) < 0.6 * rain.sum(0)).all()
    with pytest.raises(ModelFileError, match="has no flux 'snow'; it has"):
        model.fluxes(domain, ["snow"])


def test_an_explanation_holds_bounds_neighbours_balance_and_elasticity(hbv):
    domain, model, _ = hbv
    found = thalweg.explain(model, domain, "g3")
    assert set(found.parameters.index) == set(model.process.parameter_names)
    assert (
        found.parameters.share.between(0, 1).all()
        and (found.parameters.neighbours_low <= found.parameters.neighbours_high).all()
    )
    balance = found.balance["mean"]
    assert balance["change of storage"] == pytest.approx(
        balance["precipitation"] - balance["evapotranspiration"] - balance["runoff"]
    )
    assert (
        found.elasticity.loc["precipitation", "elasticity"]
        > 0
        > found.elasticity.loc["potential_evapotranspiration", "elasticity"]
    )
    assert "g3" not in found.neighbours and len(found.neighbours) == 3
    assert "Parameters (share" in str(found) and "observed" in found.prediction
    figure = thalweg.plot.explanation(found)
    assert len(figure.axes) == 4
    with pytest.raises(DataError, match="there is no place 'x'"):
        thalweg.explain(model, domain, "x")


def test_elasticities_are_finite_differences_of_predictions():
    domain = make_domain()
    model, _ = trained(domain, climate_attributes=False)
    scaled = domain.forcing.copy(deep=True)
    means = []
    for factor in (1.05, 0.95):
        scaled.precipitation.values[:] = domain.forcing.precipitation.values * factor
        means.append(model.predict(replace(domain, forcing=scaled)).discharge.mean("time"))
    expected = (means[0] - means[1]) / (0.1 * model.predict(domain).discharge.mean("time"))
    np.testing.assert_allclose(model.elasticity(domain).precipitation, expected, rtol=1e-4)


def test_evaluation_compares_in_the_unit_of_observation(hbv, tmp_path):
    domain, model, table = hbv
    flow = model.predict(domain)
    flow.to_netcdf(tmp_path / "flow.nc")
    scores = thalweg.evaluate(
        xr.open_dataset(tmp_path / "flow.nc"), domain, ["NSE", "bias"], split=table, minimum_values=50
    )
    assert list(scores.index) == list(domain.place_ids) and (scores["values"] == 134).all()
    depth = flow.discharge.sel(time=slice(*LATER)) * 86.4 / domain.places.drainage_area
    expected = (depth - domain.observed_runoff.sel(time=slice(*LATER))).mean("time")
    np.testing.assert_allclose(scores.bias, expected, rtol=1e-5)
    with pytest.raises(DataError, match="was not both predicted and observed"):
        thalweg.evaluate(flow, unobserved(domain))
    for places in (["g0", "g3"], scores.index[[0, 3]]):
        assert len(thalweg.plot.hydrographs(flow, domain, places=places).axes) == 2


def test_a_model_of_the_package_goes_by_its_name_and_counts_inputs_as_whole_numbers(hbv):
    domain, model, _ = hbv
    assert thalweg.load("hbv-us-ungauged").source == "hbv-us-ungauged"
    assert model.predict(domain).inputs_outside.dtype.kind == "i"


def test_scores_say_at_which_places_they_are(hbv):
    _, _, table = hbv
    tested = table[table.test].index
    none, some = table.copy(), table.copy()
    none.loc[tested, ["train", "validation"]] = False
    some.loc[tested, ["train", "validation"]] = True
    rows = pd.DataFrame({"metric": "NSE", "place": table.place[tested], "value": 0.5})
    assert summary(rows, none)["tested_at"].startswith("held-out places, ")
    assert summary(rows, some)["tested_at"].startswith("the places of the training, ")
    some.loc[tested[0], ["train", "validation"]] = False
    assert summary(rows, some)["tested_at"].startswith(f"{len(tested) - 1} places of the training and 1 not in it, ")


def test_training_further_starts_at_the_weights_and_keeps_the_scaling(hbv, tmp_path):
    domain, model, _table = hbv
    path = tmp_path / "start.safetensors"
    model.save(path)
    short = {"window": "150 days", "spin_up": "60 days", "validate_every": 1}
    few = thalweg.split(domain, "temporal", train=PERIOD, test=LATER, validation="none")
    further = thalweg.train(str(path), domain, few, steps=1, learning_rate=1e-9, **short)
    assert further.job.model.start is None and further.job.model.hidden == 8
    assert further.header["started_from"]["name"] == "start" and further.header["started_from"]["places"] == 4
    with pytest.raises(ConfigError, match=r"'hidden' of .* is that of the file"):
        thalweg.train(str(path), domain, few, steps=1, hidden=5)
    before, after = model.predict(domain, members=True).discharge[0], further.predict(domain).discharge
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    further.save(tmp_path / "further.safetensors")
    moved = path.rename(tmp_path / "moved.safetensors")
    alone = thalweg.load(tmp_path / "further.safetensors")  # does not need the file at which it started
    np.testing.assert_array_equal(alone.predict(domain).discharge, after)
    moved.rename(path)
    assert further.header["scaling"]["0"]["attribute_mean"] == model.header["scaling"]["0"]["attribute_mean"]
    lacking = replace(domain, attributes=domain.attributes.drop_vars("slope"))
    with pytest.raises(DataError, match="the model needs 'slope' in dimensionless"):
        thalweg.train(str(path), lacking, few, steps=1, **short)


def test_samples_are_predicted_between_samples_and_fluxes_are_those_of_the_site(tmp_path):
    sites = make_sites()
    table = thalweg.split(
        sites,
        "temporal",
        train=("2000-01-01", "2001-06-30"),
        test=("2001-07-01", "2002-06-18"),
        validation="period",
        validation_share=0.2,
    )
    model = thalweg.train(
        "concentration-discharge", sites, table, steps=5, loss="log_likelihood", window="300 days", spin_up="30 days"
    )
    flow = model.predict(replace(sites, observed=sites.observed.drop_vars(list(sites.observed.data_vars))))
    name = model.variables[0]
    assert flow[name].notnull().all() and flow[name].attrs["units"] == sites.observed[name].attrs["units"]
    np.testing.assert_allclose(model.fluxes(sites, [name])[name], flow[name], rtol=1e-5)
    assert thalweg.evaluate(flow, sites, minimum_values=10).RMSE.notna().all()


def test_files_that_are_no_model_or_differ_say_so(hbv, tmp_path, monkeypatch):
    _domain, model, _ = hbv
    with pytest.raises(NotInstalled, match="there is no model 'nothing'"):
        thalweg.load("nothing")
    with pytest.raises(ModelFileError, match="there is no such file"):
        thalweg.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    model.save(broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(ModelFileError, match="it is not a model file"):
        thalweg.load(broken)
    newer = tmp_path / "newer.safetensors"
    write_model(newer, model.tensors, model.header | {"format": 9})
    with pytest.raises(ModelFileError, match="in format 9; this is thalweg"):
        thalweg.load(newer)
    changed = json.loads(json.dumps(model.header))
    changed["process"]["fingerprint"] = "0"
    changed["process"]["parameters"][0][2] = -1.0
    other = tmp_path / "other.safetensors"
    write_model(other, model.tensors, changed)
    name = changed["process"]["parameters"][0][0]
    with (
        pytest.warns(ModelFileWarning, match="the code of process hbv has changed"),
        pytest.raises(ModelFileError, match=f"parameter '{name}' of process hbv was between -1"),
    ):
        thalweg.load(other)


def test_unknown_models_and_keys_are_named(hbv):
    domain, _, table = hbv
    with pytest.raises(ConfigError, match="there is no model 'hvb'; there are hbv, lstm"):
        thalweg.train("hvb", domain, table)
    with pytest.raises(ConfigError, match="unknown key 'step'"):
        thalweg.train("hbv", domain, table, step=3)
    with pytest.raises(ConfigError, match="windwo"):
        thalweg.split(domain, "temporal", train=PERIOD, test=LATER, windwo=3)


def test_an_interrupted_training_resumes(tmp_path):
    domain = make_domain()
    first, _ = trained(domain, seeds=(0,), checkpoints=tmp_path)
    began = time.monotonic()
    again, _ = trained(domain, seeds=(0,), checkpoints=tmp_path)
    assert time.monotonic() - began < 30
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, again.tensors[name])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_the_types_state_the_public_interface():
    """Signatures of __init__.pyi are those of the functions."""
    import ast
    import inspect
    from pathlib import Path

    tree = ast.parse(Path(thalweg.__file__).with_suffix(".pyi").read_text())
    stated = {node.name: node.args for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert set(stated) == {
        "dataset",
        "catchments",
        "sites",
        "split",
        "train",
        "load",
        "predict",
        "fluxes",
        "evaluate",
        "explain",
    }
    for name, arguments in stated.items():
        parameters = inspect.signature(getattr(thalweg, name)).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert [one.arg for one in arguments.args] == positional, name
        if name != "predict":  # whose options are those of Model.predict
            assert [one.arg for one in arguments.kwonlyargs] == [
                p.name for p in parameters if p.kind is p.KEYWORD_ONLY
            ], name


def test_figures_of_the_study_are_drawn_from_memory(hbv):
    """Hydrographs of the study, of a domain, a simulation and a table of scores that no file holds."""
    domain, model, table = hbv
    simulation = simulate_experiment(domain, table, model.job, model.tensors, model.header).variables["discharge"]
    named = simulation.assign_attrs(domain=domain.name, experiment="later", model="hbv")
    skill = score(named, "own", ["NSE"], 50)
    arguments = {"domain_path": domain, "simulations": {"hbv": named}, "skill_csv": skill}
    figure = thalweg.plot.figure("hydrographs", **arguments, domain=domain.name, experiment="later")
    assert len(figure.axes) >= 3 and "NSE" in "".join(text.get_text() for text in figure.findobj(Text))
    with pytest.raises(TypeError, match="nothing"):
        thalweg.plot.figure("hydrographs", **arguments, domain=domain.name, experiment="later", nothing=1)


def test_a_model_of_reaches_that_routes_nothing_predicts_without_reaches():
    """The geometry of reaches is needed only where runoff goes through the river."""
    domain = make_domain(geometry=True)
    model, _ = trained(domain, seeds=(0,))
    plain = replace(
        domain, network=domain.network.drop_vars(["length", "slope", "width", "elevation", "drainage_area"])
    )
    np.testing.assert_allclose(model.predict(plain).discharge, model.predict(domain).discharge, rtol=1e-5)


def test_forcing_beyond_the_range_seen_is_named(hbv):
    domain, model, _ = hbv
    wet = domain.forcing.copy(deep=True)
    wet.precipitation.values[100, 0] = 900.0
    table = model.outside(replace(domain, forcing=wet))
    assert "highest precipitation" in set(table.input) and table.iloc[0].value == 900.0
