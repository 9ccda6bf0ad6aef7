"""Inner fluxes: the filter on flows whose baseflow is known, and processes whose balances are."""

import copy
import pkgutil

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import make_domain
from thalweg import processes
from thalweg.analysis.internal_fluxes import (
    budyko,
    has_baseflow,
    inner_fluxes,
    inner_fluxes_of_all,
    untrained_evidence,
    with_snow_water,
)
from thalweg.evaluation.evidence import evidence_table
from thalweg.experiments.models import build_model
from thalweg.experiments.splits import make_splits
from thalweg.figures import internal_fluxes as figure
from thalweg.integrate import integrate
from thalweg.learn import checkpoint
from thalweg.learn.scaling import fit_scaling
from thalweg.metrics.signatures import baseflow_index
from thalweg.processes import runoff
from thalweg.processes.runoff.hbv import hbv
from thalweg.settings.blocks import PhysicsJob, ProcessModel, Split, Training, TrainingJob

TRAINING = Training(spin_up="366 days")
SHARED = {"training": TRAINING, "seeds": [0], "validation_share": 0.2, "device": "cpu"}
HBV = TrainingJob(model=ProcessModel(label="", components=2, hidden=8, spatial="lumped"), **SHARED)
GR4J = TrainingJob(
    model=ProcessModel(label="", process="gr4j", components=1, hidden=8, spatial="lumped", integrator="reference"),
    **SHARED,
)


@pytest.fixture(scope="module")
def domain():
    return make_domain(units=12, days=1100, gauges=8)


@pytest.fixture(scope="module")
def splits(domain):
    return make_splits(
        domain, Split(kind="temporal", train=("2000-01-01", "2000-12-31"), test=("2001-10-01", "2002-09-30"))
    )


@pytest.fixture(scope="module")
def weights(domain, tmp_path_factory):
    def write(job):
        lumped = domain.lumped()
        scaling = fit_scaling(lumped, np.arange(8), (0, 366), {"discharge": 2.0})
        torch.manual_seed(0)
        tensors = checkpoint.prefixed("0/0", build_model(job.model, scaling, lumped).state_dict())
        path = tmp_path_factory.mktemp("weights") / f"{job.model.process}.safetensors"
        checkpoint.save(path, tensors, {"scaling": {"0": scaling.to_dict()}, "seeds": [0]})
        return path

    return write


def test_constant_flow_is_all_baseflow_and_a_spike_is_none():
    assert baseflow_index(np.full(4000, 2.5)) == pytest.approx(1, abs=0.002)
    spike = np.zeros(400)
    spike[200] = 100.0
    assert baseflow_index(spike) == pytest.approx(0, abs=0.02)


def test_the_slower_the_recession_the_more_is_baseflow():
    day = np.arange(1000)
    index = [baseflow_index(np.exp(-(day % 50) / memory)) for memory in (2, 10, 50)]
    assert index[0] < index[1] < index[2] < 1


def test_gaps_part_records_and_short_ones_do_not_count():
    generator = np.random.default_rng(0)
    flow = generator.gamma(1, 1, 600)
    broken = flow.copy()
    broken[300] = np.nan
    first, second = flow[:300], flow[301:]
    shares = baseflow_index(first) * first.sum() + baseflow_index(second) * second.sum()
    assert baseflow_index(broken) == pytest.approx(shares / (first.sum() + second.sum()))
    assert np.isnan(baseflow_index(np.where(np.arange(600) % 20, flow, np.nan)))
    assert np.isnan(baseflow_index(np.zeros(100))), "a dry river has no baseflow index"


def test_budyko_stays_within_water_and_energy():
    rain, potential = np.meshgrid(np.linspace(0.5, 8, 20), np.linspace(0.2, 6, 20))
    evaporated = budyko(rain, potential)
    assert (evaporated < np.minimum(rain, potential)).all()
    assert budyko(1.0, 1.0) == pytest.approx(np.sqrt(np.tanh(1) * (1 - np.exp(-1))))


def test_only_gr4j_has_no_baseflow():
    names = [module.name for module in pkgutil.iter_modules(runoff.__path__)]
    assert [name for name in names if not has_baseflow(processes.get(name))] == ["gr4j"]


def test_snow_water_is_what_fell_and_has_not_melted():
    """Twenty days of 5 mm at -5 degC, and every drop is snow; thirty days at 10 degC, and none is left."""
    process = with_snow_water(hbv())
    forcing = {
        "precipitation": torch.cat([torch.full((20, 1), 5.0), torch.zeros(30, 1)]),
        "temperature": torch.cat([torch.full((20, 1), -5.0), torch.full((30, 1), 10.0)]),
        "potential_evapotranspiration": torch.zeros(50, 1),
    }
    parameters = {p.name: torch.full((1, 1), p.at(0.5)) for p in process.parameters}
    snow = integrate(process, forcing, parameters, fluxes=("snow_water",), backend="reference")[0]["snow_water"]
    assert snow[19].item() == pytest.approx(100, abs=0.01)
    assert snow[-1].item() == pytest.approx(0, abs=0.01)
    fused = integrate(process, forcing, parameters, fluxes=("snow_water",))[0]["snow_water"]
    assert torch.allclose(fused, snow, atol=1e-4)


def test_inner_fluxes_balance_within_the_catchment(domain, splits, weights):
    path = weights(HBV)
    table = inner_fluxes(domain, splits, HBV, path)
    assert list(table.place) == list(domain.place_ids)
    first = 366 + 273  # days before the test period
    forcing = domain.lumped().forcing.isel(time=slice(first, first + 365)).mean("time")
    assert (table.evapotranspiration.to_numpy() <= forcing.potential_evapotranspiration.values + 1e-5).all()
    assert (table.evapotranspiration > 0.3 * forcing.potential_evapotranspiration.values).all()
    assert table.baseflow_index.between(0.01, 0.99).all()
    assert (table.max_snow_water > 5).all(), "winters of the synthetic climate are below freezing"
    assert table.day_of_max_snow_water.between(60, 200).all(), "in winter"


def test_days_without_discharge_do_not_count(domain, splits, weights):
    """Discharge known in summer only: evapotranspiration is that of summer, above the year's mean."""
    path = weights(HBV)
    summer = copy.deepcopy(domain)
    month = pd.DatetimeIndex(domain.observed.time.values).month
    summer.observed.discharge.values[(month < 6) | (month > 8)] = np.nan
    whole, part = (inner_fluxes(each, splits, HBV, path) for each in (domain, summer))
    assert (part.evapotranspiration > whole.evapotranspiration).all()
    assert (part.baseflow_index == whole.baseflow_index).all()


def test_the_table_of_all_processes_and_its_evidence(domain, splits, weights):
    job = PhysicsJob(models={"hbv": HBV, "gr4j": GR4J}, minimum_days=300, bootstrap_samples=30)
    table = inner_fluxes_of_all(domain, splits, job, {"hbv": weights(HBV), "gr4j": weights(GR4J)})
    assert table[table.model == "gr4j"].baseflow_index.isna().all()
    inside = (table.observed_runoff > 0) & (table.observed_runoff < table.precipitation)
    assert (table.balance_evapotranspiration.notna() == inside).all()
    # Where the truth is the simulation of hbv itself, it has no bias and a perfect rank.
    truth = table.place.map(table[table.model == "hbv"].set_index("place").evapotranspiration)
    table["balance_evapotranspiration"] = truth
    blocks = pd.Series(np.arange(8) % 5, index=domain.place_ids)
    rows = pd.DataFrame(untrained_evidence(table, blocks, "", 30))
    assert not rows.duplicated(["model", "reference", "quantity"]).any()
    effects = rows.set_index(["model", "reference", "quantity"]).effect
    assert effects["hbv", "", "evapotranspiration_bias_share"] == 0
    assert effects["hbv", "", "evapotranspiration_rank_correlation"] == pytest.approx(1)
    assert ("gr4j", "", "baseflow_index_rank_correlation") not in effects
    assert ("aridity", "", "baseflow_index_rank_correlation") in effects


def test_the_figure_states_rank_correlations_and_leaves_out_what_is_not_there(tmp_path):
    table = pd.DataFrame(
        {
            "model": ["hbv"] * 4 + ["gr4j"] * 4,
            "place": [f"0{i}" for i in range(4)] * 2,
            "evapotranspiration": [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0],
            "balance_evapotranspiration": [1.0, 2.0, 3.0, np.nan] * 2,
            "budyko_evapotranspiration": [1.0, 2.0, 3.0, 4.0] * 2,
            "baseflow_index": [0.1, 0.2, 0.3, 0.4] + [np.nan] * 4,
            "filtered_baseflow_index": [0.2, 0.3, 0.4, 0.5] * 2,
        }
    )
    table.to_csv(tmp_path / "untrained.csv", index=False)
    effects = {"hbv": 0.9, "gr4j": -0.5, "budyko": 0.25}
    quantities = "evapotranspiration_rank_correlation", "baseflow_index_rank_correlation"
    rows = [
        {"model": model, "reference": "", "quantity": quantity, "effect": effect, "n": 4}
        for model, effect in effects.items()
        for quantity in quantities
    ]
    evidence_table(rows, "synthetic", "temporal").to_csv(tmp_path / "evidence.csv", index=False)
    drawn = figure.draw(tmp_path / "untrained.csv", tmp_path / "evidence.csv", labels={"hbv": "HBV", "gr4j": "GR4J"})
    assert [axes.get_title(loc="left").splitlines()[-1] for axes in drawn.axes] == [
        "ρ = 0.90 (Budyko 0.25)",
        "ρ = \N{MINUS SIGN}0.50",
        "ρ = 0.90",
        "the process has none",
    ]
    table.assign(balance_evapotranspiration=np.nan).to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(ValueError, match="no gauge has both"):
        figure.draw(tmp_path / "none.csv", tmp_path / "evidence.csv")
