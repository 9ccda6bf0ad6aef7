"""GR4J: equations of the paper by hand, and the series that airGR computes."""

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import dataset
from thalweg.integrate import integrate
from thalweg.processes.runoff.gr4j import FAST, SLOW, gr4j, ordinates, produce, tanh

WARM_UP = 365  # days, of the year before the series that airGR reports
FIRST, LAST = 3653, 5844  # of the days that it reports, 1994 to 1999
NO_SNOW = {"TT": -2.5, "CFMAX": 3.0, "CFR": 0.05, "CWH": 0.1}


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def simulate(precipitation, potential, X1, X2, X3, X4, production=0.3, routing=0.5):
    """Fluxes of all days and states at the end of a warm catchment whose stores begin filled to these shares."""
    parameters = {"X1": X1, "X2": X2, "X3": X3, "X4": X4} | NO_SNOW
    state = dict.fromkeys(gr4j().state_names, 0.0) | {
        "production_store": production * X1,
        "routing_store": routing * X3,
    }
    series = {
        "precipitation": precipitation,
        "temperature": np.full(len(precipitation), 10.0),
        "potential_evapotranspiration": potential,
    }
    return integrate(
        gr4j(),
        {name: torch.tensor(np.asarray(value), dtype=torch.float64)[:, None] for name, value in series.items()},
        {name: number(value)[None, None] for name, value in parameters.items()},
        {name: number(value)[None, None] for name, value in state.items()},
        gr4j().flux_names,
    )


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 3e-6), (torch.float64, 1e-12)])
def test_tanh(dtype, limit):
    x = torch.logspace(-6, 2, 400, dtype=torch.float64).to(dtype).requires_grad_()
    torch.testing.assert_close(tanh(x), torch.tanh(x.double()).to(dtype), rtol=limit, atol=0)
    (slope,) = torch.autograd.grad(tanh(x).sum(), x)
    torch.testing.assert_close(slope, (1 - torch.tanh(x.detach().double()) ** 2).to(dtype), rtol=0, atol=10 * limit)
    assert tanh(torch.zeros(1, dtype=dtype)).item() == 0


def test_production_store_at_its_limits():
    """Equations 3, 4 and 6 at an empty and a full store of 200 mm."""
    leak = 1 - (1 + (4 / 9) ** 4) ** -0.25
    store, evaporated, percolation, effective = produce(number(0), number(30), number(2), number(200))
    stored = 200 * np.tanh(28 / 200)
    assert evaporated.item() == 2
    assert percolation.item() == pytest.approx(stored * (1 - (1 + (4 / 9 * stored / 200) ** 4) ** -0.25))
    assert effective.item() == pytest.approx(28 - stored + percolation.item())
    assert store.item() == pytest.approx(stored - percolation.item())
    store, evaporated, percolation, effective = produce(number(200), number(30), number(2), number(200))
    assert percolation.item() == pytest.approx(200 * leak) == pytest.approx(1.9047, abs=1e-4)
    assert effective.item() == pytest.approx(28 + 200 * leak)
    store, evaporated, percolation, effective = produce(number(200), number(1), number(6), number(200))
    assert evaporated.item() == pytest.approx(1 + 200 * np.tanh(5 / 200))
    store, evaporated, percolation, effective = produce(number(0), number(1), number(6), number(200))
    assert (store.item(), evaporated.item(), percolation.item(), effective.item()) == (0, 1, 0, 0)


def test_production_store_half_full():
    _, evaporated, _, _ = produce(number(100), number(0), number(5), number(200))
    strength = np.tanh(5 / 200)
    assert evaporated.item() == pytest.approx(100 * 1.5 * strength / (1 + 0.5 * strength))
    store, _, percolation, _ = produce(number(100), number(5), number(0), number(200))
    assert store.item() + percolation.item() - 100 == pytest.approx(200 * 0.75 * strength / (1 + 0.5 * strength))


@pytest.mark.parametrize(
    "X4, first, second",
    [
        (0.5, [1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]),
        (1.0, [1, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0]),
        (2.0, [2**-2.5, 1 - 2**-2.5, 0, 0], [2**-3.5, 0.5 - 2**-3.5, 0.5 - 2**-3.5, 2**-3.5, 0, 0, 0, 0]),
    ],
)
def test_unit_hydrographs(X4, first, second):
    found = ordinates(number(X4))
    assert [value.item() for value in found[0]] == pytest.approx(first, abs=1e-9)
    assert [value.item() for value in found[1]] == pytest.approx(second, abs=1e-9)


def test_unit_hydrographs_keep_water_for_every_time_base():
    X4 = torch.linspace(0.5, 4.0, 50, dtype=torch.float64)
    for shares in ordinates(X4):
        assert all((share >= -1e-15).all() for share in shares)
        torch.testing.assert_close(sum(shares), torch.ones_like(X4))


def test_a_pulse_leaves_as_the_unit_hydrographs_say():
    """All of 90 mm on a full production store is effective; the routing store is so large that it holds its share."""
    rain = np.r_[90.0, np.zeros(9)]
    fluxes, end = simulate(rain, np.zeros(10), 1e6, 0.0, 1e6, 3.3, production=0.0, routing=0.0)
    assert fluxes["runoff"].max() < 1e-2
    fluxes, end = simulate(rain, np.zeros(10), 20.0, 0.0, 1e6, 3.3, production=1.0, routing=0.0)
    first, second = ordinates(number(3.3))
    effective = 90 + fluxes["percolation"][0].item()
    assert fluxes["quick_flow"][0].item() == pytest.approx(0.1 * effective * second[0].item())
    _, after = simulate(rain[:1], np.zeros(1), 20.0, 0.0, 1e6, 3.3, production=1.0, routing=0.0)
    for name, share in zip(SLOW, first[1:]):
        assert after[name].item() == pytest.approx(0.9 * effective * share.item())
    for name, share in zip(FAST, second[1:]):
        assert after[name].item() == pytest.approx(0.1 * effective * share.item())
    total = sum(value.item() for value in end.values()) + fluxes["runoff"].sum().item()
    assert total == pytest.approx(90 + 20)


def test_exchange_gives_takes_and_never_more_than_there_is():
    rain, potential = np.tile([0.0, 0.0, 12.0], 200), np.full(600, 1.0)
    series = {X2: simulate(rain, potential, 300, X2, 60, 1.7)[0] for X2 in (-10.0, 0.0, 3.0)}
    assert (series[0.0]["exchange"] == 0).all()
    assert (series[-10.0]["exchange"] <= 0).all() and (series[3.0]["exchange"] >= 0).all()
    assert (series[-10.0]["runoff"] >= 0).all()
    means = [fluxes["runoff"].mean().item() for fluxes in series.values()]
    assert means == sorted(means)
    # equation 18 on the first day, for both branches
    assert series[3.0]["exchange"][0].item() == pytest.approx(2 * 3 * 0.5**3.5)


@pytest.fixture(scope="module")
def airgr():
    """Series of airGR 1.7.9 on one of its example catchments: forcing from the warm-up on, results, calibrations."""
    folder = dataset("grsuite") / "grsuite-1.1.1/tests/data"
    forcing = pd.read_csv(folder / "basin_daily.csv.gz").iloc[FIRST - WARM_UP : LAST]
    return forcing, pd.read_csv(folder / "sim_GR4J.csv.gz"), pd.read_csv(folder / "calib_reference.csv.gz")


def test_discharge_is_that_of_airgr(airgr):
    """Its constant 0.9 is a number of single precision, so that its two branches differ by 5e-7 mm/day from ours."""
    forcing, expected, _ = airgr
    fluxes, end = simulate(forcing["P"], forcing["E"], 257.238, 1.012, 88.235, 2.208)
    names = {"runoff": "Qsim", "evapotranspiration": "AE", "percolation": "Perc", "baseflow": "QR", "quick_flow": "QD"}
    assert len(expected) == len(forcing) - WARM_UP == 2191
    for name, column in (names | {"exchange": "AExch"}).items():
        np.testing.assert_allclose(fluxes[name][WARM_UP:, 0, 0], expected[column], rtol=0, atol=1e-6, err_msg=name)
    assert end["production_store"].item() == pytest.approx(expected["Prod"].iloc[-1], abs=1e-6)
    assert end["routing_store"].item() == pytest.approx(expected["Rout"].iloc[-1], abs=1e-6)


@pytest.mark.parametrize("criterion", ["NSE", "KGE"])
def test_calibrated_parameters_have_the_skill_that_airgr_reports(airgr, criterion):
    forcing, _, calibrations = airgr
    row = calibrations[
        (calibrations["model"] == "GR4J") & (calibrations["crit"] == criterion) & calibrations["transfo"].isna()
    ].iloc[0]
    fluxes, _ = simulate(forcing["P"], forcing["E"], *map(float, row["param"].split("|")))
    simulated, observed = fluxes["runoff"][WARM_UP:, 0, 0].numpy(), forcing["Qmm"].to_numpy()[WARM_UP:]
    known = ~np.isnan(observed)
    simulated, observed = simulated[known], observed[known]
    skill = {
        "NSE": 1 - ((simulated - observed) ** 2).sum() / ((observed - observed.mean()) ** 2).sum(),
        "KGE": 1
        - np.sqrt(
            (np.corrcoef(simulated, observed)[0, 1] - 1) ** 2
            + (simulated.std() / observed.std() - 1) ** 2
            + (simulated.mean() / observed.mean() - 1) ** 2
        ),
    }
    assert skill[criterion] == pytest.approx(row["crit_final"], abs=1e-7)
