"""Elasticities: curves and models whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import approx_fprime

from conftest import make_domain
from thalweg.analysis import elasticity as response
from thalweg.basin.domain import spatial_domain
from thalweg.evaluation.evidence import compared, correlated, evidence_table, permutation_p
from thalweg.experiments import trained
from thalweg.experiments.models import build_model
from thalweg.experiments.run import simulate_experiment
from thalweg.experiments.splits import make_splits
from thalweg.figures import elasticity
from thalweg.learn import checkpoint
from thalweg.learn.scaling import fit_scaling
from thalweg.learn.windows import Series
from thalweg.settings.blocks import PhysicsJob, ProcessModel, SequenceModel, Split, Training, TrainingJob

TRAINING = Training(spin_up="100 days")
MEAN = {"discharge": 2.0}
SHARED = {"training": TRAINING, "seeds": [0, 1], "validation_share": 0.2, "device": "cpu"}
HBV = TrainingJob(model=ProcessModel(label="", components=2, hidden=8, routing="none"), **SHARED)
LSTM = TrainingJob(model=SequenceModel(label="", hidden=8), **SHARED)


class Homogeneous(torch.nn.Module):
    """Runoff of every day from the window's mean forcing by Fu's curve: no stores, w of 2.6."""

    def forward(self, window):
        rain, potential = (
            window.forcing[name].double().mean(0) for name in ("precipitation", "potential_evapotranspiration")
        )
        days = window.sequence.shape[0] - window.spin_up
        return {"discharge": window.drainage.mean(response.fu_runoff(rain, potential, 2.6).float().expand(days, -1))}


class IgnoresPotential(torch.nn.Module):
    """A sequence model in miniature: scaled precipitation and attributes."""

    def forward(self, window):
        runoff = 1 + window.sequence[window.spin_up :, :, 0] + 0 * window.attributes.sum()
        return {"discharge": window.drainage.mean(runoff)}


@pytest.fixture(scope="module")
def domain():
    return make_domain(units=12, days=700, gauges=8)


@pytest.fixture(scope="module")
def splits(domain):
    return make_splits(
        domain, Split(kind="temporal", train=("2000-01-01", "2000-12-31"), test=("2001-01-01", "2001-11-30"))
    )


@pytest.fixture
def weights(domain, tmp_path):
    """Untrained weights of two seeds, as a run leaves them."""

    def write(job):
        seen = spatial_domain(domain, job.model)
        scaling = fit_scaling(seen, np.arange(len(seen.unit_ids)), (0, 366), MEAN)
        tensors = {}
        for seed in (0, 1):
            torch.manual_seed(seed)
            tensors |= checkpoint.prefixed(f"0/{seed}", build_model(job.model, scaling, seen).state_dict())
        path = tmp_path / f"{job.model.kind}.safetensors"
        checkpoint.save(path, tensors, {"scaling": {"0": scaling.to_dict()}, "seeds": [0, 1]})
        return path

    return write


def with_model(monkeypatch, domain, model):
    """Let every run of weights give one model, with the scaling of the first year."""
    scaling = fit_scaling(domain, np.arange(12), (0, 366), MEAN)
    monkeypatch.setattr(response, "trained_models", lambda settings, domain, path: ([(0, model)], scaling))


def test_fu_has_the_published_anchor_and_true_derivatives():
    assert response.fu_runoff(1000, 1000, 2.6) == pytest.approx(305.512, abs=1e-3)
    assert response.fu_elasticities(1000, 1000, 2.6) == pytest.approx((2.13660, -1.13660), abs=1e-5)
    place = np.array([800.0, 1300.0])
    gradient = approx_fprime(place, lambda x: response.fu_runoff(*x, 1.9), 1e-4)
    numerical = gradient * place / response.fu_runoff(*place, 1.9)
    assert response.fu_elasticities(*place, 1.9) == pytest.approx(numerical, rel=1e-5)


def test_fu_is_fitted_where_a_curve_goes_through_the_balance():
    for w in (1.2, 2.6, 9.0):
        assert response.fit_fu(3.0, 2.0, response.fu_runoff(3.0, 2.0, w)) == pytest.approx(w, rel=1e-6)
    assert np.isnan(response.fit_fu(3.0, 2.0, 3.1)), "more runoff than precipitation"
    assert np.isnan(response.fit_fu(3.0, 2.0, 0.5)), "more evapotranspiration than its potential"
    assert np.isnan(response.fit_fu(3.0, 2.0, 0.0))
    assert np.isnan(response.fit_fu(np.nan, np.nan, np.nan)), "a gauge that was not observed"


def test_a_homogeneous_water_balance_has_elasticities_of_fu_that_sum_to_one(monkeypatch, domain, splits):
    with_model(monkeypatch, domain, Homogeneous())
    table = response.respond(domain, splits, LSTM, "")
    assert len(table) == splits.test.sum()
    assert table.elasticity_sum.to_numpy() == pytest.approx(1, abs=3e-3)  # centred differences of 5 %
    assert table.elasticity_precipitation.between(1, 4).all()
    assert (table.warming_change == 0).all(), "Fu's curve does not know temperature"
    assert (table.warming_change_with_potential_evapotranspiration < -3).all()


def test_what_ignores_potential_evapotranspiration_has_no_elasticity_to_it(monkeypatch, domain, splits):
    with_model(monkeypatch, domain, IgnoresPotential())
    table = response.respond(domain, splits, LSTM, "")
    assert (table.elasticity_potential_evapotranspiration == 0).all()
    assert (table.elasticity_precipitation > 0).all()


def test_a_process_that_does_not_read_potential_evapotranspiration_has_no_answer_to_it(monkeypatch, domain, splits):
    model = IgnoresPotential()
    model.dynamic, model.process = [], SimpleNamespace(forcing_names=("precipitation",))
    with_model(monkeypatch, domain, model)
    table = response.respond(domain, splits, HBV, "")
    unknown = table.columns[table.isna().all()]
    assert list(unknown) == [
        "elasticity_potential_evapotranspiration",
        "elasticity_sum",
        "warming_change_with_potential_evapotranspiration",
    ]
    assert table.elasticity_precipitation.notna().all()


def test_a_change_reaches_forcing_and_inputs_and_leaves_the_land_alone(domain):
    scaling = fit_scaling(domain, np.arange(12), (0, 366), MEAN)
    window = Series(domain, scaling).window(366, 400, 30)
    same = response.changed(window, scaling, response.CHANGES["as_is"])
    assert torch.allclose(same.sequence, window.sequence, atol=1e-5)
    wetter = response.changed(window, scaling, response.CHANGES["wetter"])
    assert torch.equal(wetter.forcing["precipitation"], 1.05 * window.forcing["precipitation"])
    assert torch.equal(wetter.forcing["temperature"], window.forcing["temperature"])
    assert torch.equal(wetter.attributes, window.attributes)
    i = scaling.forcing.index("precipitation")
    step = (wetter.sequence - window.sequence)[:, :, i] * scaling.forcing_deviation[i]
    assert torch.allclose(step, 0.05 * window.forcing["precipitation"], atol=1e-4)
    warm = response.changed(window, scaling, response.CHANGES["warmer_and_thirstier"])
    assert torch.allclose(warm.forcing["temperature"], window.forcing["temperature"] + 2)
    mild = window.forcing["temperature"] > -10
    growth = (warm.forcing["potential_evapotranspiration"] / window.forcing["potential_evapotranspiration"])[mild]
    assert torch.allclose(growth, 1 + 2 / (window.forcing["temperature"][mild] + 17.8))


def test_as_is_is_the_simulation_of_the_experiment(domain, weights):
    """Where the test period begins the record, so that both have the same spin-up."""
    periods = {"train": ("2001-01-01", "2001-11-30"), "test": ("2000-01-01", "2000-12-31")}
    splits = make_splits(domain, Split(kind="temporal", **periods))
    path, job = weights(HBV), HBV.model_copy(update={"training": Training(spin_up="1200 days")})
    table = response.respond(domain, splits, job, path).set_index(["seed", "place"])
    simulation = simulate_experiment(domain, splits, job, *checkpoint.load(path)).variables["discharge"]
    mean = simulation.simulated.sel(fold=0).mean("time").to_series().dropna()
    assert table.runoff.to_numpy() == pytest.approx(mean.loc[table.index].to_numpy(), rel=1e-5)


def test_gauges_at_once_do_not_matter(monkeypatch, domain, splits, weights):
    path = weights(HBV)
    whole = response.respond(domain, splits, HBV, path)
    monkeypatch.setattr(trained, "PLACES_AT_ONCE", 3)
    pd.testing.assert_frame_equal(response.respond(domain, splits, HBV, path), whole, rtol=1e-3)


def test_process_and_sequence_in_one_table_with_evidence(domain, splits, weights):
    job = PhysicsJob(models={"hbv": HBV, "lstm": LSTM}, minimum_days=300, bootstrap_samples=50)
    table = response.respond_all(domain, splits, job, {"hbv": weights(HBV), "lstm": weights(LSTM)})
    hbv = table[table.model == "hbv"]
    assert (hbv.elasticity_precipitation > 0).all()
    assert (hbv.elasticity_potential_evapotranspiration < 0).all()
    balance = response.water_balance(domain, (366, 700), 300)
    assert balance.observed_runoff.to_numpy() == pytest.approx(domain.observed_runoff.values[:, 366:].mean(1))
    blocks = pd.Series(np.arange(8) % 5, index=domain.place_ids)
    rows = pd.DataFrame(response.response_evidence(table, blocks, "lstm", 50))
    assert not rows.duplicated(["model", "reference", "quantity"]).any()
    violations = rows[rows.quantity == "sign_violations"].set_index(["model", "reference"]).effect
    assert violations["hbv", ""] == 0
    assert violations["hbv", "lstm"] == -violations["lstm", ""]


def test_a_model_routed_through_the_river_answers_too(tmp_path):
    domain = make_domain(units=9, days=500, gauges=4, geometry=True)
    splits = make_splits(
        domain, Split(kind="temporal", train=("2000-01-01", "2000-12-31"), test=("2001-01-01", "2001-04-30"))
    )
    settings = ProcessModel(label="", components=1, hidden=4, routing="river")
    job = TrainingJob(model=settings, **SHARED)
    scaling = fit_scaling(domain, np.arange(9), (0, 366), MEAN)
    tensors = checkpoint.prefixed("0/0", build_model(settings, scaling, domain).state_dict())
    checkpoint.save(tmp_path / "w.safetensors", tensors, {"scaling": {"0": scaling.to_dict()}, "seeds": [0]})
    table = response.respond(domain, splits, job, tmp_path / "w.safetensors")
    assert (table.elasticity_precipitation > 0).all()
    assert (table.elasticity_potential_evapotranspiration < 0).all()


def test_the_figure_states_what_the_evidence_has(tmp_path):
    table = pd.DataFrame(
        {
            "model": ["a"] * 4 + ["b"] * 4 + ["no PET"] * 4,
            "place": [f"0{i}" for i in range(4)] * 3,
            "elasticity_precipitation": [1.5, 2.0, 2.5, 3.0] * 2 + [1.0] * 4,
            "elasticity_potential_evapotranspiration": [-0.5, -1.0, -1.5, -2.0, 0.1, 0.1, -0.1, -0.1] + [np.nan] * 4,
            "fu_elasticity_precipitation": [1.4, 2.1, 2.2, 2.9] * 3,
        }
    )
    effects = {"elasticity_sum_deviation": 1.25, "sign_violations": 0.5, "elasticity_to_budyko": 0.75}
    rows = [
        {"model": model, "reference": reference, "quantity": quantity, "effect": effect * factor, "n": 4}
        for model, reference, factor in (("b", "", 1), ("a", "", 0), ("a", "b", 2))
        for quantity, effect in effects.items()
    ]
    evidence_table(rows, "synthetic", "temporal").to_csv(tmp_path / "evidence.csv", index=False)
    table.to_csv(tmp_path / "elasticity.csv", index=False)
    files = tmp_path / "elasticity.csv", tmp_path / "evidence.csv"
    figure = elasticity.draw(*files, labels={"b": "LSTM", "a": "HBV"})
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts == [
        ["median deviation 1.25\nwrong sign 50 %"],
        ["median deviation 0.00\nwrong sign 0 %"],
        ["ρ = 0.75, n = 4"],
        ["ρ = 0.00, n = 4"],
    ]
    assert len(figure.axes[0].collections[-1].get_offsets()) == 4
    with pytest.raises(ValueError, match="none of no PET"):
        elasticity.draw(*files, models=["no PET"])


def test_violations_are_counted_by_sign():
    table = pd.DataFrame(
        {
            "model": "lstm",
            "place": [f"g{i}" for i in range(8)],
            "elasticity_precipitation": [2.0, 2.0, -0.1, 2.0, 2.0, 2.0, 2.0, 2.0],
            "warming_change": -1.0,
            "warming_change_with_potential_evapotranspiration": -8.0,
            "elasticity_potential_evapotranspiration": [-1.0, 0.2, -1.0, 0.0005, -1.0, -1.0, -1.0, -1.0],
            "fu_elasticity_precipitation": np.linspace(1, 3, 8),
            "precipitation": 3.0,
            "potential_evapotranspiration": np.linspace(1, 3, 8),
        }
    )
    table["elasticity_sum"] = table.elasticity_precipitation + table.elasticity_potential_evapotranspiration
    blocks = pd.Series(np.arange(8), index=table.place)
    rows = pd.DataFrame(response.response_evidence(table, blocks, "hbv", 20)).set_index(["model", "quantity"])
    effects = rows[rows.reference == ""].effect.to_dict()
    assert effects["lstm", "sign_violations"] == 2 / 8
    assert effects["lstm", "warming_change_with_potential_evapotranspiration"] == -8
    assert effects["aridity", "elasticity_to_budyko"] == pytest.approx(1)


def test_a_paired_difference_is_of_the_model_less_the_reference():
    values = pd.DataFrame({"near": np.linspace(0.1, 0.2, 10), "far": np.linspace(0.3, 0.5, 10), "none": np.nan})
    rows = compared(values, np.arange(10), "far", np.median, 100, quantity="q", unit="u", test="median")
    effects = {(row["model"], row["reference"]): row for row in rows}
    assert set(effects) == {("near", ""), ("near", "far"), ("far", "")}
    assert effects["near", "far"]["effect"] == pytest.approx(-0.25)
    assert effects["near", "far"]["high"] < 0
    assert effects["near", "far"]["p"] < 0.01


def test_a_permutation_p_is_small_for_what_follows_and_spread_evenly_for_what_does_not():
    generator = np.random.default_rng(0)
    target = generator.normal(size=30)
    assert permutation_p(target + 0.1 * generator.normal(size=30), target, 200) == pytest.approx(1 / 201)
    null = [permutation_p(generator.normal(size=30), target, 99, seed) for seed in range(60)]
    assert 0.35 < np.mean(null) < 0.65
    assert np.mean(np.array(null) <= 0.1) < 0.25


def test_correlations_are_told_beside_the_trivial_predictor():
    generator = np.random.default_rng(1)
    target = generator.normal(size=40)
    simulated = pd.DataFrame({"good": target, "noise": generator.normal(size=40)})
    rows = correlated(simulated, target, -target, np.arange(40) % 8, "good", 50, "plain", "q")
    effects = {(row["model"], row["reference"]): row["effect"] for row in rows}
    assert effects["good", ""] == pytest.approx(1)
    assert effects["plain", ""] == pytest.approx(-1)
    assert effects["good", "plain"] == pytest.approx(0), "the sign of the trivial predictor does not count"
    assert effects["noise", "good"] == pytest.approx(effects["noise", ""] - 1)
