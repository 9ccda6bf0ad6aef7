"""Mixtures of asymmetric Laplace distributions, and the LSTM that simulates them."""

import json

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.sparse import csr_matrix

from conftest import make_domain
from test_learning import LATER, PERIOD, job, temporal
from thalweg.experiments.ensemble import ensemble
from thalweg.experiments.run import build_model, make_task, simulate_experiment, train_experiment
from thalweg.experiments.simulation import QUANTILES, read_simulation
from thalweg.learn import asymmetric_laplace
from thalweg.learn.losses.cmal import cmal
from thalweg.learn.windows import Gathering
from thalweg.schema import ConfigError, validated
from thalweg.settings.blocks import SequenceModel, Training, TrainingJob
from thalweg.settings.study import Study
from thalweg.storage.store import write_netcdf

CMAL = SequenceModel(label="", hidden=8, head="cmal", components=2)
TRAINING = Training(loss="cmal", steps=12, window="200 days", spin_up="60 days", validate_every=4)
KNOWN = {"location": (1.0, 4.0), "scale": (0.2, 1.0), "tau": (0.5, 0.2), "weight": (0.7, 0.3)}


def known_mixture(dtype=torch.float64):
    rows = [KNOWN["location"], KNOWN["scale"], KNOWN["tau"], np.log(KNOWN["weight"])]
    return torch.tensor(np.array(rows), dtype=dtype)


def drawn(count, seed=0):
    """Values of the known mixture, by the exponential tails of its components."""
    generator = np.random.default_rng(seed)
    which = generator.choice(2, count, p=KNOWN["weight"])
    location, scale, tau = (np.array(KNOWN[name])[which] for name in ("location", "scale", "tau"))
    below = generator.random(count) < tau
    tail = generator.exponential(scale, count)
    return location + np.where(below, -tail / (1 - tau), tail / tau)


def density(value):
    return asymmetric_laplace.log_density(known_mixture(), torch.tensor(value, dtype=torch.float64)).exp().item()


def test_the_density_integrates_to_the_distribution_function():
    for value in (-1.0, 0.9, 1.3, 4.0, 9.0):
        integral = quad(density, -40, value, points=[p for p in (1.0, 4.0) if p < value], limit=400)[0]
        assert asymmetric_laplace.distribution(known_mixture(), torch.tensor(value)).item() == pytest.approx(
            integral, abs=1e-7
        )
    mean = quad(lambda y: y * density(y), -60, 120, points=[1.0, 4.0], limit=800)[0]
    assert asymmetric_laplace.mean(known_mixture()).item() == pytest.approx(mean, abs=1e-6)


def test_quantiles_invert_the_distribution_function_and_are_those_of_draws():
    mixture, values = known_mixture(), drawn(200_000)
    for probability in (1e-4, *QUANTILES, 0.9999):
        quantile = asymmetric_laplace.quantile(mixture, probability)
        assert asymmetric_laplace.distribution(mixture, quantile).item() == pytest.approx(probability, abs=1e-9)
    for probability in QUANTILES:
        below = np.mean(values < asymmetric_laplace.quantile(mixture, probability).item())
        assert below == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / len(values)))


def test_one_component_is_the_laplace_distribution():
    one = torch.tensor([[[2.0], [0.5], [0.5], [0.0]]], dtype=torch.float64)
    at = torch.tensor([3.0], dtype=torch.float64)
    assert asymmetric_laplace.log_density(one, at).item() == pytest.approx(
        np.log(0.5) - 0.5 / 0.5
    )  # b is twice that of Laplace
    assert asymmetric_laplace.quantile(one, 0.5).item() == pytest.approx(2.0)


def test_gradients_of_the_loss_are_those_of_finite_differences():
    torch.manual_seed(0)
    raw = torch.randn(5, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    observed = torch.rand(5, 3, dtype=torch.float64) * 4
    observed[1, 2] = float("nan")

    def loss(raw):
        location, scale, tau, weight = raw.unbind(-2)
        rows = [location, torch.nn.functional.softplus(scale), torch.sigmoid(tau), torch.log_softmax(weight, -1)]
        return cmal(torch.stack(rows, -2), observed, None)

    assert torch.autograd.gradcheck(loss, raw)


def test_the_loss_is_finite_in_single_precision_where_densities_underflow():
    mixture = known_mixture(torch.float32).expand(4, 1, 4, 2).clone().requires_grad_()
    observed = torch.tensor([[0.0], [1e4], [1.0], [float("nan")]])
    loss = cmal(mixture, observed, None)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(mixture.grad).all()
    assert (mixture.grad[3] == 0).all()


def test_the_loss_finds_the_mixture_that_values_were_drawn_from():
    observed = torch.as_tensor(drawn(20_000))[:, None]
    raw = torch.tensor([[0.5, 3.0], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)

    def mixture():
        location, scale, tau, weight = raw
        return torch.stack(
            [location, torch.nn.functional.softplus(scale), torch.sigmoid(tau), torch.log_softmax(weight, -1)]
        )

    optimiser = torch.optim.LBFGS([raw], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = cmal(mixture().expand(len(observed), 1, 4, 2), observed, None)
        loss.backward()
        return loss

    optimiser.step(closure)
    location, scale, tau, weight = mixture().detach().numpy()
    np.testing.assert_allclose(location, KNOWN["location"], atol=0.1)
    np.testing.assert_allclose(scale, KNOWN["scale"], rtol=0.1)
    np.testing.assert_allclose(tau, KNOWN["tau"], atol=0.04)
    np.testing.assert_allclose(np.exp(weight), KNOWN["weight"], atol=0.03)


def test_a_mixture_is_trained_and_its_quantiles_are_kept(tmp_path):
    domain = make_domain()
    splits = temporal(domain)
    tensors, values, log = train_experiment(domain, splits, job(CMAL, TRAINING, seeds=(0, 1)), tmp_path, "key")
    assert (log.groupby("seed").training_loss.last() < log.groupby("seed").training_loss.first()).all()
    simulation = simulate_experiment(domain, splits, job(CMAL, TRAINING, seeds=(0, 1)), tensors, values)
    root = simulation.variables["discharge"]
    assert root["quantile"].dims == ("fold", "seed", "level", "place", "time")
    np.testing.assert_allclose(root.level, QUANTILES)
    tested = np.isfinite(root.simulated.values)
    assert (np.isfinite(root["quantile"].transpose("level", ...).values) == tested).all() and tested.any()
    assert (root["quantile"].diff("level").values[np.isfinite(root["quantile"].diff("level").values)] >= 0).all()
    assert float(root["quantile"].min()) >= 0

    write_netcdf(simulation.to_tree(domain="d", experiment="e", model="m"), tmp_path / "m.nc", {})
    read = read_simulation(tmp_path / "m.nc")
    np.testing.assert_array_equal(read["quantile"], root["quantile"])
    assert "quantile" not in ensemble([read, read])  # a mean has none


def test_the_simulated_value_is_the_mean_of_the_mixture():
    domain = make_domain()
    task, scaling = make_task(domain.lumped(), temporal(domain), job(CMAL, TRAINING))
    torch.manual_seed(0)
    model = build_model(CMAL, scaling, domain.lumped()).eval()
    window = task.series.window(0, 100, 30)
    mixture = model.distribution(window)["discharge"]
    assert mixture.shape == (100, len(task.training), 4, 2)
    np.testing.assert_allclose(mixture[..., 3, :].exp().sum(-1).detach(), 1.0, rtol=1e-5)
    grid = (torch.arange(2000) + 0.5) / 2000
    by_quantiles = torch.stack([asymmetric_laplace.quantile(mixture[:5], float(p)) for p in grid]).mean(0)
    np.testing.assert_allclose(model(window)["discharge"][:5].detach(), by_quantiles.detach().clamp(min=0), rtol=0.02)


def test_mixtures_follow_their_places_where_these_are_not_in_the_order_of_catchments():
    """A catchment's weight is 1 up to rounding, and places may be given in any order."""
    weights = csr_matrix([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    gathering = Gathering(weights, None, 3, lambda values: torch.as_tensor(values, dtype=torch.float32))
    mixture = torch.rand(7, 3, 4, 2)
    np.testing.assert_array_equal(gathering.gather("discharge", mixture), mixture[:, [1, 2, 0]])
    np.testing.assert_array_equal(gathering.gather("discharge", mixture[..., 0, 0]), mixture[:, [1, 2, 0], 0, 0])


def test_a_deterministic_lstm_draws_no_numbers_for_a_mixture():
    domain = make_domain()
    lstm = SequenceModel(label="", hidden=8)
    _, scaling = make_task(domain.lumped(), temporal(domain), job(lstm, Training(steps=1)))
    torch.manual_seed(0)
    model = build_model(lstm, scaling, domain.lumped())
    assert [tuple(values.shape) for values in model.parameters()][-2:] == [(1, 8), (1,)]
    torch.manual_seed(0)
    first = torch.nn.LSTM(len(scaling.forcing) + len(scaling.attributes), 8).weight_ih_l0
    np.testing.assert_array_equal(model.network.lstm.weight_ih_l0.detach(), first.detach())


def test_a_mixture_needs_its_loss_and_whole_catchments():
    with pytest.raises(ValueError, match="loss is nse_batch, which does not fit a model with head cmal"):
        job(CMAL, Training())
    with pytest.raises(ValueError, match="loss is cmal, which does not fit a model with a process"):
        TrainingJob.model_validate({**job(CMAL, TRAINING).model_dump(), "model": {"kind": "process", "label": ""}})
    with pytest.raises(ValueError, match="head is cmal, but spatial is distributed"):
        SequenceModel(label="", head="cmal", spatial="distributed")
    study = {
        "models": {"m": {"kind": "sequence", "label": "", "head": "cmal"}},
        "domains": {"delaware": {}},
        "experiments": {"delaware": {"e": {"kind": "temporal", "train": PERIOD, "test": LATER, "models": ["m"]}}},
    }
    with pytest.raises(ConfigError, match=r"models\.m\.training: loss is nse_batch"):
        validated(Study, json.loads(json.dumps(study)))
