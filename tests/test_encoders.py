"""The transformer as parameter network, and pretraining without labels."""

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import make_domain
from thalweg.experiments import run as experiment
from thalweg.experiments.models import build_model
from thalweg.experiments.run import simulate_experiment, train_experiment
from thalweg.experiments.splits import make_splits
from thalweg.learn import pretrain
from thalweg.learn.encoders import HistoryEncoder, ParameterTransformer
from thalweg.learn.scaling import MAX_PATCHES, PATCH_DAYS, Scaling, fit_scaling
from thalweg.learn.windows import Series
from thalweg.schema import ConfigError, validated
from thalweg.settings.blocks import ProcessModel, Split, Training, TrainingJob

TRAINING = Training(steps=12, window="200 days", spin_up="60 days", validate_every=4)
TRANSFORMER = ProcessModel(label="", components=2, hidden=8, network="transformer")
PRETRAINED = TRANSFORMER.model_copy(update={"pretrain_steps": 5})
DAYS = (0, 366)


@pytest.fixture
def splits(domain):
    train, test = ("2000-01-01", "2000-12-31"), ("2001-01-01", "2001-05-14")
    return make_splits(domain, Split(kind="temporal", train=train, test=test, validation_share=0.3))


def job(model, training=TRAINING):
    return TrainingJob(model=model, training=training, seeds=[0], validation_share=0.3, device="cpu")


def run(domain, splits, model, folder, training=TRAINING):
    return train_experiment(domain, splits, job(model, training), folder, "key")


def scaling_of(domain, days):
    return fit_scaling(domain, range(12), days, {"discharge": 1.0}, history=True)


# History


def test_history_is_the_end_of_the_training_period_in_patches():
    domain = make_domain(days=2500)
    scaling = scaling_of(domain, (100, 2400))
    history = scaling.history_inputs(domain)
    assert history.shape == (12, MAX_PATCHES, PATCH_DAYS * 3)
    first = 2400 - MAX_PATCHES * PATCH_DAYS
    # the second day of the third patch of unit 4: its temperature, by hand
    day = first + 2 * PATCH_DAYS + 1
    temperature = domain.forcing.temperature.values
    expected = (temperature[day, 4] - temperature[100:2400].mean()) / temperature[100:2400].std()
    assert history[4, 2, 3 + 1] == pytest.approx(expected)
    assert scaling_of(domain, (0, 400)).history_inputs(domain).shape[1] == 400 // PATCH_DAYS


def test_history_does_not_know_the_days_after_the_training_period(domain):
    scaling = scaling_of(domain, DAYS)
    model = build_model(TRANSFORMER, scaling, domain).eval()
    before = model.parameters_of(Series(domain, scaling).window(380, 450, 30))[0]
    for name in domain.forcing.data_vars:
        domain.forcing[name].values[DAYS[1] :] += 5
    after = model.parameters_of(Series(domain, scaling).window(380, 450, 30))[0]
    assert all(torch.equal(before[name], after[name]) for name in before)
    domain.forcing["temperature"].values[DAYS[1] - 1] += 5
    moved = model.parameters_of(Series(domain, scaling).window(380, 450, 30))[0]
    assert any(not torch.equal(before[name], moved[name]) for name in before)


def test_a_unit_has_the_same_parameters_in_every_window_and_whatever_stands_beside_it(domain):
    scaling = scaling_of(domain, DAYS)
    model = build_model(TRANSFORMER, scaling, domain).eval()
    series = Series(domain, scaling)
    whole = model.parameters_of(series.window(100, 160, 30))[0]
    later, _ = series.window_of(torch.tensor([3]), 200, 280, 60)
    assert len(later.attributes) < 12
    part = model.parameters_of(later)[0]
    for name in whole:
        torch.testing.assert_close(part[name], whole[name][later.units])
        assert whole[name].std(0).min() > 0


def test_weights_written_before_there_was_history_are_read(domain):
    scaling = scaling_of(domain, DAYS)
    old = Scaling(**{name: value for name, value in scaling.to_dict().items() if name != "history_period"})
    assert Series(domain, old).window(0, 50, 10).history is None


def test_a_training_period_shorter_than_a_patch_is_refused(domain):
    with pytest.raises(ValueError, match="too short for a patch of history; use network: attributes"):
        build_model(TRANSFORMER, scaling_of(domain, (0, PATCH_DAYS - 1)), domain)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "transformer", "hidden": 10}, "hidden is 10, but a transformer has 4 heads"),
        ({"pretrain_steps": 3}, "only a transformer is pretrained"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        validated(ProcessModel, {"label": "x", **values})


# Encoder


def test_the_embedding_knows_attributes_every_patch_and_their_order():
    torch.manual_seed(0)
    network = ParameterTransformer(5, 4, 6, 3, 16, 2).eval()
    attributes, history = torch.randn(2, 3), torch.randn(2, 4, 6)
    with torch.no_grad():
        given = network(attributes, history)
        assert not torch.allclose(network(attributes + 1, history), given)
        assert not torch.allclose(network(attributes, history.flip(1)), given, atol=1e-5)
        for patch in range(4):
            other = history.clone()
            other[0, patch] += 1
            changed = network(attributes, other)
            assert not torch.allclose(changed[0], given[0], atol=1e-5)
            torch.testing.assert_close(changed[1], given[1])


def test_gradients_are_right():
    torch.manual_seed(0)
    network = ParameterTransformer(2, 2, 3, 2, 4, 1).double()
    inputs = torch.randn(2, 2, dtype=torch.float64), torch.randn(2, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(network, [values.requires_grad_() for values in inputs])


# Pretraining


def units_with_climates(units=150, patches=5, days=20, seed=0):
    """Attributes (a climate and its opposite), and a history that is that climate, the season and some noise."""
    generator = torch.Generator().manual_seed(seed)
    climate = torch.randn(units, 1, generator=generator)
    attributes = torch.cat([climate, -climate], dim=1)
    season = torch.sin(2 * torch.pi * torch.arange(patches) / patches)[None, :, None]
    noise = 0.3 * torch.randn(units, patches, days, generator=generator)
    return attributes, climate[:, :, None] + season + noise


def encoder_of(attributes, history, seed=0):
    torch.manual_seed(seed)
    return HistoryEncoder(history.shape[1], history.shape[2], attributes.shape[1], 16, 1)


def test_masks_hide_what_they_say():
    attributes, patches = pretrain.draw_masks(2000, 10, 25, torch.Generator().manual_seed(0))
    assert (patches.sum(1) == 10).all()
    assert patches.float().mean(0).min() > 0.35
    assert attributes.float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_errors_are_of_the_masked_parts_only():
    masks = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    true = torch.zeros(1, 2), torch.zeros(1, 2, 2)
    given = torch.tensor([[3.0, 50.0]]), torch.tensor([[[70.0, 70.0], [1.0, 3.0]]])
    attributes, patches = pretrain.errors(given, true, masks)
    assert (attributes.item(), patches.item()) == (9.0, 5.0)


def test_what_is_masked_is_not_seen():
    attributes, history = units_with_climates(units=6)
    model = pretrain.Reconstruction(encoder_of(attributes, history)).eval()
    masks = pretrain.draw_masks(6, 2, 5, torch.Generator().manual_seed(1))
    others = torch.where(masks[0], 9.0, attributes), torch.where(masks[1][..., None], 9.0, history)
    for given, expected in zip(model(*others, masks), model(attributes, history, masks)):
        assert torch.equal(given, expected)


def test_structure_is_filled_in_at_units_held_out():
    attributes, history = units_with_climates()
    log = pretrain.pretrain(encoder_of(attributes, history), attributes, history, 300, 0)
    assert log[-1]["step"] == 300
    # of the variance 1 + 0.5 + 0.09 of the history only 0.09 is noise
    assert log[-1]["patches"] < 0.3
    assert log[-1]["attributes"] < 0.3
    assert log[-1]["patches"] < log[0]["patches"]


def test_white_noise_cannot_be_filled_in():
    generator = torch.Generator().manual_seed(2)
    attributes, history = torch.randn(150, 3, generator=generator), torch.randn(150, 5, 20, generator=generator)
    log = pretrain.pretrain(encoder_of(attributes, history), attributes, history, 300, 0)
    assert all(row["patches"] > 0.98 and row["attributes"] > 0.95 for row in log)


def test_the_same_seed_gives_the_same_encoder_and_leaves_the_generator():
    attributes, history = units_with_climates(units=30)

    def weights(seed):
        encoder = encoder_of(attributes, history)
        state = torch.get_rng_state()
        pretrain.pretrain(encoder, attributes, history, 5, seed)
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([values.flatten() for values in encoder.state_dict().values()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_one_unit_cannot_be_pretrained():
    attributes, history = units_with_climates(units=1)
    with pytest.raises(ValueError, match="at least two units"):
        pretrain.pretrain(encoder_of(attributes, history), attributes, history, 5, 0)


# Training


def test_a_transformer_trains_and_is_simulated(domain, splits, tmp_path):
    longer = TRAINING.model_copy(update={"steps": 40, "validate_every": 10, "learning_rate": 0.003})
    tensors, values, log = run(domain, splits, TRANSFORMER, tmp_path, longer)
    assert log.validation_loss.iloc[-1] < log.validation_loss.iloc[0]
    result = simulate_experiment(domain, splits, job(TRANSFORMER, longer), tensors, values)
    tested = splits.set_index("place").loc[domain.place_ids].test.values
    assert np.isfinite(result.variables["discharge"].simulated.values[0, 0, tested]).all()
    assert result.parameters.FC.std() > 0


def test_training_starts_from_the_pretrained_weights(domain, splits, tmp_path, monkeypatch):
    """The encoder's weights are those of pretraining, on every unit; the head's are those of the control without it."""
    taken = {}

    def pretrained(encoder, attributes, history, *settings):
        rows = pretrain.pretrain(encoder, attributes, history, *settings)
        taken["encoder"] = {name: values.clone() for name, values in encoder.state_dict().items()}
        taken["units"] = len(attributes), len(history)
        return rows

    monkeypatch.setattr(experiment, "pretrain", pretrained)
    still = TRAINING.model_copy(update={"steps": 1, "learning_rate": 1e-30})
    after = run(domain, splits, PRETRAINED, tmp_path / "pretrained", still)[0]
    control = run(domain, splits, TRANSFORMER, tmp_path / "control", still)[0]
    assert taken["units"] == (12, 12)
    for name, values in taken["encoder"].items():
        torch.testing.assert_close(after[f"0/0/network.encoder.{name}"], values, rtol=0, atol=0)
    assert torch.equal(after["0/0/network.head.weight"], control["0/0/network.head.weight"])
    assert not torch.equal(after["0/0/network.encoder.patch.weight"], control["0/0/network.encoder.patch.weight"])


def test_the_same_seed_gives_the_same_numbers_and_a_checkpoint_is_taken_up(domain, splits, tmp_path, monkeypatch):
    first, _, log = run(domain, splits, PRETRAINED, tmp_path / "a")
    second, _, again = run(domain, splits, PRETRAINED, tmp_path / "b")
    cost = ["seconds", "cpu_seconds", "peak_memory_MB"]
    pd.testing.assert_frame_equal(log.drop(columns=cost), again.drop(columns=cost))
    assert all(torch.equal(values, second[name]) for name, values in first.items())

    def never(*_):
        raise AssertionError("pretrained although there was a checkpoint")

    monkeypatch.setattr(experiment, "pretrain", never)
    resumed = run(domain, splits, PRETRAINED, tmp_path / "a")[0]
    assert all(torch.equal(values, first[name]) for name, values in resumed.items())
