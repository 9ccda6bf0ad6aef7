"""HBV and the unit hydrograph: anchor values, water balance, limits."""

import pytest
import torch

from thalweg.integrate import initial_state, integrate
from thalweg.processes.routing.unit_hydrograph import mean_delay, ordinates, route
from thalweg.processes.runoff.gr4j import gr4j
from thalweg.processes.runoff.hbv import SNOW, hbv

ANCHOR_STATE = {"snowpack": 10, "meltwater": 0.5, "soil_moisture": 150, "upper_zone": 5, "lower_zone": 20}
ANCHOR_FORCING = {"precipitation": 12, "temperature": 3, "potential_evapotranspiration": 2}
ANCHOR_PARAMETERS = {
    "BETA": 2, "FC": 250, "K0": 0.3, "K1": 0.1, "K2": 0.02, "LP": 0.7, "PERC": 1.5, "UZL": 20, "TT": 0,
    "CFMAX": 3, "CFR": 0.05, "CWH": 0.1, "BETAET": 1.2, "C": 0.1,
}  # fmt: skip


def tensors(values):
    return {name: torch.tensor([[float(value)]], dtype=torch.float64) for name, value in values.items()}


@pytest.mark.parametrize("backend", ["reference", "fused"])
def test_anchor(backend):
    """One day computed by hand from the equations of Feng et al. (2022) and Song et al. (2024)."""
    process = hbv()
    fluxes, state = integrate(
        process,
        tensors(ANCHOR_FORCING),
        tensors(ANCHOR_PARAMETERS),
        tensors(ANCHOR_STATE),
        process.flux_names,
        backend,
    )
    expected = {
        "snowmelt": 9,
        "evapotranspiration": 1.845993,
        "capillary_rise": 0.705200,
        "percolation": 1.5,
        "quick_flow": 0,
        "interflow": 1.1204,
        "baseflow": 0.415896,
        "recharge": 7.704,
        "runoff": 1.1204 + 0.415896,
    }
    for name, value in expected.items():
        assert fluxes[name].item() == pytest.approx(value, abs=1e-6), name
    end = {"snowpack": 1, "meltwater": 0.1, "soil_moisture": 162.555207, "upper_zone": 10.0836, "lower_zone": 20.378904}
    for name, value in end.items():
        assert state[name].item() == pytest.approx(value, abs=1e-6), name
    residual = (
        sum(ANCHOR_STATE.values())
        + 12
        - fluxes["evapotranspiration"].item()
        - fluxes["runoff"].item()
        - sum(value.item() for value in state.values())
    )
    assert abs(residual) < 1e-12


@pytest.mark.parametrize("version", ["1.0", "1.0 with BETAET", "1.1p"])
def test_water_balance_over_ten_years(version):
    """Closed but for the EPSILON that a day leaves in a store it empties, which deserts would add up to more."""
    process = hbv(capillary_rise=version == "1.1p", shaped_evapotranspiration=version != "1.0")
    assert len(process.parameters) == {"1.0": 12, "1.0 with BETAET": 13, "1.1p": 14}[version]
    days, units, components = 3653, 20, 5
    generator = torch.Generator().manual_seed(0)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    season = torch.sin(torch.arange(days, dtype=torch.float64) * (2 * torch.pi / 365.25))[:, None]
    forcing = {
        "precipitation": uniform(-25, 25, days, units).clamp(min=0) * uniform(0.4, 1, units),
        "temperature": 5 + 12 * season + uniform(-6, 6, days, units),
        "potential_evapotranspiration": (2 + 2 * season) * uniform(0.2, 1, days, units),
    }
    parameters = {p.name: uniform(p.low, p.high, units, components) for p in process.parameters}
    fluxes, state = integrate(process, forcing, parameters, fluxes=("runoff", "evapotranspiration"))
    before = sum(value.sum(-1) / components for value in initial_state(process, units, components).values())
    after = sum(value.mean(-1) for value in state.values())
    out = sum(value.mean(-1).sum(0) for value in fluxes.values())
    assert (forcing["precipitation"].sum(0) + before - out - after).abs().max() < 1e-3
    assert all((value >= 0).all() for value in (*fluxes.values(), *state.values()))


def test_cold_precipitation_is_stored_and_melts():
    process = hbv()
    forcing = {
        "precipitation": torch.tensor([[10.0], [0.0]]),
        "temperature": torch.tensor([[-5.0], [20.0]]),
        "potential_evapotranspiration": torch.zeros(2, 1),
    }
    parameters = {p.name: torch.full((1, 1), (p.low + p.high) / 2) for p in process.parameters}
    fluxes, state = integrate(process, forcing, parameters, fluxes=("snowmelt",), backend="reference")
    assert fluxes["snowmelt"][0].item() == 0
    assert fluxes["snowmelt"][1].item() == pytest.approx(10, abs=0.01)
    assert state["snowpack"].item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("factory, options", [(hbv, {}), (hbv, {"time_step": "hour"}), (gr4j, {})])
def test_without_a_temperature_all_precipitation_is_rain(factory, options):
    """What the process with snow does in the warm, and every drop accounted for."""
    bare, snowy = factory(snow_routine=False, **options), factory(**options)
    assert bare.forcing_names == ("precipitation", "potential_evapotranspiration")
    for part in ("states", "parameters", "fluxes"):
        lost = {one.name for one in getattr(snowy, part)} - {one.name for one in getattr(bare, part)}
        assert lost and lost <= set(SNOW)
    generator = torch.Generator().manual_seed(0)
    steps, units = 120, 6
    wet = (40 * torch.rand(steps, units, generator=generator, dtype=torch.float64) - 20).clamp(min=0)
    forcing = {"precipitation": wet, "potential_evapotranspiration": torch.full_like(wet, 0.7)}
    parameters = {
        p.name: p.low + (p.high - p.low) * torch.rand(units, 2, generator=generator, dtype=torch.float64)
        for p in snowy.parameters
    }
    begin = {name: value.double() for name, value in initial_state(snowy, units, 2).items()}
    begin |= {name: torch.zeros_like(begin[name]) for name in ("snowpack", "meltwater")}
    names = bare.flux_names
    with_snow, _ = integrate(
        snowy, forcing | {"temperature": torch.full_like(wet, 15.0)}, parameters, begin, names, "reference"
    )
    kept = {p.name: parameters[p.name] for p in bare.parameters}
    start = {name: begin[name] for name in bare.state_names}
    fluxes, end = integrate(bare, forcing, kept, start, names, "reference")
    for name in names:
        torch.testing.assert_close(fluxes[name], with_snow[name], rtol=0, atol=0)
    out = fluxes["runoff"] + fluxes["evapotranspiration"] - fluxes.get("exchange", 0.0)
    change = sum((end[name] - start[name]) for name in bare.state_names)
    assert (wet.sum(0)[:, None] - out.sum(0) - change).abs().max() < steps * 3e-5  # EPSILON of HBV's stores


def test_unit_hydrograph_anchor():
    weights = ordinates(torch.tensor([1.9], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64))
    assert weights.shape == (1, 15)
    assert weights[0, :6].tolist() == pytest.approx([0.1565, 0.2411, 0.2063, 0.1483, 0.0979, 0.0614], abs=5e-5)


def test_unit_hydrograph_keeps_water_and_order_of_time():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 4, generator=generator, dtype=torch.float64) * torch.tensor([[2.9], [6.5]])
    runoff = torch.zeros(40, 4, dtype=torch.float64)
    runoff[10] = 7.0
    routed = route(runoff, a, b)
    assert routed.shape == runoff.shape
    assert (routed[:10] == 0).all() and (routed[25:] == 0).all()
    assert torch.allclose(routed.sum(0), runoff.sum(0), rtol=1e-12)
    time = torch.arange(15, dtype=torch.float64) + 0.5
    assert torch.allclose(mean_delay(a, b), (routed[10:25] / 7 * time[:, None]).sum(0))


def test_unit_hydrograph_gradients():
    a, b = (torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (0.7, 2.0))
    runoff = torch.rand(20, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(route, (runoff, a, b))
