"""The canopy: Penman-Monteith, scaling from leaf to canopy, HBV with it, and the comparison with a flux tower."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from thalweg.analysis import canopy as study
from thalweg.basin.domain import DataError
from thalweg.datasets import davos
from thalweg.evaluation.score import score
from thalweg.forcing.energy import canopy_forcing
from thalweg.integrate import integrate
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_canopy import hbv_canopy
from thalweg.processes.vegetation import penman_monteith as pm
from thalweg.schema import ConfigError, settings_from
from thalweg.settings.canopy import CanopyStudy

DAYS, UNITS, COMPONENTS = 240, 3, 2


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def weather(days=DAYS, units=UNITS):
    generator = torch.Generator().manual_seed(3)

    def random(power=1):
        return torch.rand(days, units, generator=generator, dtype=torch.float64) ** power

    season = -torch.cos(torch.arange(days, dtype=torch.float64) * 2 * math.pi / 365)[:, None]
    return {
        "precipitation": 25 * random(4),
        "temperature": 8 + 12 * season + 4 * random(),
        "net_radiation": 60 + 70 * season + 20 * random(),
        "shortwave_radiation": 150 + 90 * season + 30 * random(),
        "vapour_pressure_deficit": 0.05 + (0.6 + 0.5 * season) * random(),
        "day_length": (12 + 3 * season).expand(days, units).contiguous(),
    }


def drawn_parameters(seed=5, units=UNITS, components=COMPONENTS):
    generator = torch.Generator().manual_seed(seed)
    share = {p: 0.1 + 0.8 * torch.rand(units, components, generator=generator) for p in hbv_canopy().parameters}
    return {p.name: p.at(value.double()) for p, value in share.items()}


def moist(units, components):
    values = (9, 1, 400, 12, 30, 2)
    return {
        state.name: torch.full((units, components), float(value), dtype=torch.float64)
        for state, value in zip(hbv_canopy().states, values)
    }


def test_reference_evapotranspiration_of_fao_56():
    # Example 18 of FAO-56 (Brussels, 6 July): T 16.9 degC, deficit 0.589 kPa, P 100.1 kPa, Rn 13.28 MJ/m2/day, u2 2.078
    # m/s; the reference crop has g_a = u2 / 208 and g_c = 1 / 70 m/s, and evaporates 3.88 mm/day.
    latent = pm.latent_heat(
        number(13.28e6 / 86400), number(16.9), number(0.589), number(100.1), number(2.078 / 208), number(1 / 70)
    )
    assert pm.water_depth(latent).item() == pytest.approx(3.88, abs=0.03)


def test_constants_are_those_of_fao_56():
    assert pm.saturation_slope(number(30)).item() == pytest.approx(0.243, abs=5e-4)
    assert pm.psychrometric_constant(number(81.8)) == pytest.approx(0.054, abs=5e-4)


def test_a_wet_canopy_is_one_whose_conductance_has_no_limit():
    given = [number(v) for v in (300, 20, 1.0, 95, 0.02)]
    wet = pm.latent_heat(*given)
    assert pm.latent_heat(*given, number(1e9)).item() == pytest.approx(wet.item(), rel=1e-8)
    assert pm.latent_heat(*given, number(1e-9)).item() == pytest.approx(0, abs=1e-3)
    saturated = pm.latent_heat(number(300), number(20), number(0), number(95), number(0.02))
    slope, gamma = pm.saturation_slope(number(20)).item(), pm.psychrometric_constant(95)
    assert saturated.item() == pytest.approx(300 * slope / (slope + gamma))


def test_the_canopy_is_the_sum_of_its_layers():
    edges = torch.linspace(0, 4, 4001, dtype=torch.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    layers = (torch.exp(-pm.EXTINCTION * middle) * 0.001).sum()
    assert pm.leaf_to_canopy(number(4)).item() == pytest.approx(layers.item(), rel=1e-6)


def dry_canopy(**changes):
    given = {"light": 1000, "energy": 350, "temperature": 18, "deficit": 1.0, "pressure": 97, "co2": 390, "stress": 1}
    given = {name: number(value) for name, value in (given | changes).items()}
    parameters = {"Vcmax25": number(60), "g1": number(3), "aerodynamic_conductance": number(0.03)}
    return pm.canopy_fluxes(parameters, number(4), **given)


def test_a_canopy_at_night_respires_and_hardly_transpires():
    night, day = dry_canopy(light=0, energy=0), dry_canopy()
    assert night["gross_uptake"].item() == pytest.approx(0, abs=1e-6)
    assert night["net_uptake"] < 0 < day["net_uptake"]
    assert night["canopy_conductance"] < 0.3 * day["canopy_conductance"]


def test_drought_closes_the_canopy_and_dry_air_makes_water_dear():
    dry, wet = dry_canopy(stress=0.2), dry_canopy()
    assert dry["latent_heat"] < wet["latent_heat"] and dry["net_uptake"] < wet["net_uptake"]
    humid, arid = dry_canopy(deficit=0.5), dry_canopy(deficit=2.5)
    assert humid["net_uptake"] / humid["latent_heat"] > arid["net_uptake"] / arid["latent_heat"]


def test_water_balance_closes():
    forcing, parameters = weather(80), drawn_parameters()
    names = ("runoff", "evapotranspiration", "transpiration", "interception_loss", "gross_uptake")
    with torch.no_grad():
        fluxes, end = integrate(hbv_canopy(), forcing, parameters, fluxes=names, backend="reference")
    waters = [state.name for state in hbv_canopy().states if state.unit == "mm"]
    start = sum(state.initial for state in hbv_canopy().states if state.unit == "mm")
    stored = sum(end[name] for name in waters) - start
    given = forcing["precipitation"].sum(0)[:, None]
    residual = given - stored - fluxes["runoff"].sum(0) - fluxes["evapotranspiration"].sum(0)
    assert residual.abs().max() < 0.01  # the soil keeps EPSILON when a day would empty it
    assert torch.equal(fluxes["evapotranspiration"], fluxes["transpiration"] + fluxes["interception_loss"])
    for name in ("transpiration", "interception_loss", "gross_uptake"):
        assert (fluxes[name] >= 0).all() and fluxes[name].mean() > 0


def test_leaves_fall_when_it_is_cold():
    uptake = {}
    for evergreen in (1.0, 0.05):
        parameters = drawn_parameters() | {"evergreen_share": number(evergreen), "leaf_out": number(8)}
        for warmth in (-2.0, 18.0):
            state = moist(UNITS, COMPONENTS) | {"warmth": number(warmth)}
            forcing = {name: number(value) for name, value in zip(hbv_canopy().forcing_names, (0, 8, 60, 150, 0.4, 12))}
            _, fluxes = hbv_canopy().step(state, forcing, parameters)
            uptake[evergreen, warmth] = fluxes["gross_uptake"]
    assert torch.equal(uptake[1.0, -2.0], uptake[1.0, 18.0])
    assert (uptake[0.05, -2.0] < 0.3 * uptake[1.0, -2.0]).all()
    assert (uptake[0.05, 18.0] > 0.98 * uptake[1.0, 18.0]).all()


START = {"soil_moisture": 160.0, "upper_zone": 120.0}
NAMES = ("runoff", "evapotranspiration", "net_uptake", "canopy_conductance")


@pytest.mark.long
def test_fused_and_reference_agree():
    forcing = weather(60)
    results = []
    for backend in ("fused", "reference"):
        parameters = {name: value.requires_grad_() for name, value in drawn_parameters().items()}
        fluxes, _ = integrate(hbv_canopy(), forcing, parameters, moist(UNITS, COMPONENTS), NAMES, backend)
        total = sum(value.mean() for value in fluxes.values())
        results.append((fluxes, torch.autograd.grad(total, list(parameters.values()))))
    for name in results[0][0]:
        torch.testing.assert_close(results[0][0][name], results[1][0][name], rtol=1e-8, atol=1e-10)
    for fused, reference in zip(results[0][1], results[1][1]):
        torch.testing.assert_close(fused, reference, rtol=1e-6, atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    process, forcing = hbv_canopy(), {name: values[70:76] for name, values in weather(80, 1).items()}
    parameters = {name: value.requires_grad_() for name, value in drawn_parameters(units=1, components=1).items()}

    def total(given):
        state = moist(1, 1) | {name: torch.full((1, 1), value).double() for name, value in START.items()}
        fluxes, _ = integrate(process, forcing, given, state, NAMES[:3], backend="reference")
        return fluxes["runoff"].sum() + 2 * fluxes["evapotranspiration"].sum() + 0.1 * fluxes["net_uptake"].sum()

    gradients = torch.autograd.grad(total(parameters), list(parameters.values()), allow_unused=True)
    checked = set()
    for (name, value), gradient in zip(parameters.items(), gradients):
        step = 1e-5 * value.item()
        with torch.no_grad():
            difference = (total(parameters | {name: value + step}) - total(parameters | {name: value - step})).item()
        gradient = 0.0 if gradient is None else gradient.item()
        assert gradient == pytest.approx(difference / (2 * step), rel=1e-5, abs=1e-8), name
        checked |= {name} if gradient else set()
    assert checked >= set(parameters) - {"TT", "CFMAX", "CFR", "CWH"}  # warm days: the snow routine is HBV's


def test_hbv_still_is_made_of_its_routines():
    names = {p.name for p in hbv().parameters}
    assert names - {p.name for p in hbv_canopy().parameters} == {"LP", "BETAET"}
    assert np.isin(hbv().flux_names, hbv_canopy().flux_names).all()


def test_estimated_energy_is_physical_and_says_that_it_is_estimated():
    time = pd.date_range("2001-01-01", "2001-12-31")
    season = -np.cos(2 * np.pi * np.arange(365) / 365)[:, None]
    forcing = canopy_forcing(time, [40.0], [300.0], 4 + 12 * season, 16 + 12 * season, "; made up")
    values = {name: variable[1] for name, variable in forcing.items()}
    assert all(variable[2]["estimate"].endswith("; made up") for variable in forcing.values())
    assert values["day_length"][171].item() == pytest.approx(15.0, abs=0.2)
    assert (values["net_radiation"] < 0.77 * values["shortwave_radiation"]).all()
    assert values["vapour_pressure_deficit"].min() > 0
    # Saturation at 28 and at 16 degC (FAO-56, table 2.3): 3.780 and 1.818 kPa; the air holds the latter.
    assert values["vapour_pressure_deficit"][182].item() == pytest.approx((3.780 + 1.818) / 2 - 1.818, abs=0.005)


def tower_file(days=4):
    time = pd.date_range("2019-07-01 00:15", periods=48 * days, freq="30min")
    raw = pd.DataFrame(index=time)
    hour = time.hour + time.minute / 60
    raw["Rg_orig"] = np.maximum(800 * np.sin((hour - 6) / 12 * np.pi), 0)
    raw["Tair_orig"], raw["VPD_orig"], raw["LW_IN"], raw["PPFD"] = 12.0, 8.0, 300.0, 2.0 * raw.Rg_orig
    raw["PA"], raw["SWC_FF0_0.15_1"], raw["PREC_TOT_T1_25+20_1"] = 840.0, 25.0, 0.0
    raw["LE_orig"], raw["QCF_LE"], raw["NEE_CUT_REF_orig"], raw["QCF_NEE"] = 100.0, 0.0, -5.0, 1.0
    return raw


def test_only_what_was_measured_well_counts():
    raw = tower_file()
    raw.iloc[10, raw.columns.get_loc("QCF_LE")] = 2.0
    raw.iloc[11, raw.columns.get_loc("QCF_LE")] = np.nan
    raw.iloc[12, raw.columns.get_loc("LE_orig")] = np.nan
    table = davos.measured(raw, 1, 6.0, "test")
    assert table.latent_heat.isna().to_numpy().nonzero()[0].tolist() == [10, 11, 12]
    assert table.net_exchange.notna().all() and davos.measured(raw, 0, 6.0, "test").net_exchange.isna().all()
    assert table.vapour_pressure_deficit.iloc[0] == pytest.approx(0.8) and table.pressure.iloc[0] == pytest.approx(84.0)
    assert table.soil_water.iloc[0] == pytest.approx(0.25)


def test_leaves_dry_after_six_hours():
    raw = tower_file()
    raw.iloc[50, raw.columns.get_loc("PREC_TOT_T1_25+20_1")] = 0.3
    dry = davos.measured(raw, 1, 6.0, "test").dry.to_numpy()
    assert (~dry).nonzero()[0].tolist() == list(range(50, 62))


def test_a_tower_file_that_cannot_be_right_is_refused():
    with pytest.raises(DataError, match="half-hourly"):
        davos.measured(tower_file().drop(tower_file().index[7]), 1, 6.0, "tower")
    raw = tower_file()
    raw.iloc[3, raw.columns.get_loc("PA")] = 1100.0
    with pytest.raises(DataError, match="PA"):
        davos.measured(raw, 1, 6.0, "tower")


def test_nothing_gap_filled_is_read():
    columns = [column for column, *_ in davos.DRIVERS.values()] + [
        c for flux in davos.FLUXES.values() for c in flux[:2]
    ]
    assert not [column for column in columns if column.endswith("_f")]
    folder = Path(__file__).parents[1] / "data" / "davos"
    if not (folder / davos.FILE).exists():
        pytest.skip(f"{folder} is not fetched")
    table, raw = davos.build(folder), pd.read_parquet(folder / davos.FILE)
    assert (raw.QCF_LE[table.latent_heat.notna().values] <= 1).all()
    assert 0.6 < table.latent_heat.notna().mean() < raw.LE_f.notna().mean() == 1.0


def test_night_tells_respiration():
    temperature = pd.Series(np.linspace(-5, 20, 50))
    exchange = 3.2 * study.lloyd_taylor(temperature)
    exchange[7] = np.nan
    assert study.lloyd_taylor(10.0) == pytest.approx(1.0)
    assert study.night_respiration(temperature, exchange) == pytest.approx(3.2)


TRUE = {"Vcmax25": 60.0, "g1": 2.5, "leaf_area_index": 3.0, "evergreen_share": 0.4, "leaf_out": 4.0}
TRUE |= {"aerodynamic_conductance": 0.04, "stress_exponent": 0.5}


def made_tower():
    """A tower whose fluxes a known canopy made."""
    time = pd.date_range("2015-03-01 00:15", "2017-10-31 23:45", freq="30min", name="time")
    generator = np.random.default_rng(1)
    hour, season = time.hour + time.minute / 60, -np.cos(2 * np.pi * time.dayofyear / 365)
    day = np.repeat(generator.random(len(time) // 48), 48)
    sun = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0) * (450 + 250 * season) * (0.3 + 0.7 * day)
    table = pd.DataFrame({"shortwave_radiation": sun, "light": 2.05 * sun}, index=time)
    table["air_temperature"] = 5 + 9 * season + sun / 80 + 3 * day
    table["vapour_pressure_deficit"] = 0.2 + 0.3 * day + sun / 800
    table["net_radiation"], table["pressure"], table["dry"] = 0.9 * sun - 50, 84.0, True
    table["soil_water"] = 0.4 - 0.2 * np.repeat(generator.random(len(time) // 48), 48)
    rows = table.assign(wetness=np.clip(table.soil_water / table.soil_water.quantile(0.99), 0, 1), warmth=0.0)
    daily = table.air_temperature.resample("1D").mean().ewm(alpha=1 / 21).mean()
    rows["warmth"] = daily.loc[time.normalize()].values
    rows["respiration"] = 2.0 * study.lloyd_taylor(table.air_temperature)
    made = study.predict(rows, {name: number(value) for name, value in TRUE.items()})
    for name, noise in (("latent_heat", 5.0), ("net_exchange", 0.3)):
        table[name] = made[name] + noise * generator.standard_normal(len(time))
    table.loc[sun == 0, "net_exchange"] = rows.respiration[sun == 0]
    return table


def made_settings(**changes):
    given = {"train": ["2015-03-01", "2016-12-31"], "test": ["2017-01-01", "2017-10-31"], "seeds": [0]}
    return CanopyStudy.model_validate(given | {"steps": 120, "batch": 128} | changes)


def rmse(simulations, model, experiment, variable):
    found = [
        one
        for one in simulations
        if (one.attrs["model"], one.attrs["experiment"], one.attrs["variable"]) == (model, experiment, variable)
    ]
    skill = score(found[0], "canopy", ["RMSE", "NSE"], 20)
    assert skill.value.notna().all() and set(skill.unit) == {study.TARGETS[variable]}
    return skill[skill.metric == "RMSE"].value.mean()


@pytest.fixture(scope="module")
def found():
    return study.run(made_tower(), made_settings())


def test_a_known_canopy_is_learned_and_beats_baselines(found):
    simulations, tables = found
    for flux, error in (("latent_heat", 8.0), ("net_exchange", 0.6)):
        canopy = rmse(simulations, "canopy", "half-hours", flux)
        assert canopy < error
        assert canopy < 0.8 * rmse(simulations, "climatology", "half-hours", flux)
    oudin = rmse(simulations, "oudin", "days", "latent_heat")
    assert rmse(simulations, "canopy", "days", "latent_heat") < oudin
    assert tables["parameters"].R10.iloc[0] == pytest.approx(2.0, rel=0.01)


def test_evidence_is_the_difference_of_errors_over_days(found):
    simulations, tables = found
    table = study.evidence(tables["daily"], 200).set_index(["quantity", "reference"])
    row = table.loc["latent_heat_rmse_gain", "climatology"]
    gain = rmse(simulations, "climatology", "days", "latent_heat") - rmse(simulations, "canopy", "days", "latent_heat")
    assert row.effect == pytest.approx(gain, rel=1e-6)
    assert row.low < row.effect < row.high and row.low > 0
    assert row.n == (tables["daily"].variable == "latent_heat").sum()


def test_a_flux_that_is_not_trained_on_is_predicted_worse(found):
    simulations, _ = found
    for trained, other in (("latent-heat", "net_exchange"), ("net-exchange", "latent_heat")):
        both = rmse(simulations, "canopy", "days", other)
        assert rmse(simulations, f"canopy-{trained}", "days", other) > both


def test_days_are_means_of_what_was_measured(found):
    table, daily = made_tower(), found[1]["daily"]
    day = daily[daily.variable == "latent_heat"].iloc[30]
    rows = table[(table.index.normalize() == day.date) & (table.shortwave_radiation > 20)]
    assert day.measured == pytest.approx(rows.latent_heat.mean()) and day.share == 1.0
    assert daily.date.min() >= pd.Timestamp("2017-01-01")


def test_the_test_years_teach_nothing():
    table = made_tower()
    changed = table.copy()
    changed.loc["2017":, list(study.TARGETS)] = 1.0
    settings = made_settings(steps=3)
    first, second = (study.run(t, settings)[1]["parameters"] for t in (table, changed))
    pd.testing.assert_frame_equal(first, second)


def test_the_test_period_comes_after_training():
    with pytest.raises(ConfigError, match="before the training period ends"):
        settings_from(CanopyStudy, '{"train": ["2013-01-01", "2019-12-31"], "test": ["2019-06-01", "2020-12-31"]}')
