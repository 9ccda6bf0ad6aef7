"""Which prior is better, where the answer is known."""

import argparse
import json

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import make_domain
from thalweg import processes
from thalweg.analysis.twin_priors import (
    QUANTITIES,
    chosen_catchments,
    confusion,
    evidence,
    make_truth,
    margins,
    run,
    score,
    simulate,
    true_parameters,
)
from thalweg.basin.places import SPLIT_SEED
from thalweg.cli.steps import twin_priors as verb
from thalweg.evaluation.statistics import compare, summarise
from thalweg.figures import prior_ranking
from thalweg.figures import twin_priors as figure_of_twins
from thalweg.learn.scaling import fit_scaling
from thalweg.learn.windows import Series
from thalweg.metrics.scores import nse
from thalweg.processes.routing import unit_hydrograph
from thalweg.schema import ConfigError, validated
from thalweg.settings.blocks import Training
from thalweg.settings.twin import TwinPriorsStudy
from thalweg.storage.store import write_netcdf

SETTINGS = TwinPriorsStudy(
    domain="made-up",
    catchments=8,
    priors=["exp_hydro", "gr4j"],
    train=("2000-01-01", "2000-12-31"),
    test=("2001-01-01", "2001-05-14"),
    truth_spin_up="500 days",
    hidden=8,
    layers=1,
    bootstrap_samples=50,
    training=Training(steps=3, window="200 days", spin_up="100 days", validate_every=3),
)


@pytest.fixture(scope="module")
def many():
    return make_domain(units=12, gauges=12)


@pytest.fixture(scope="module")
def learned(many, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return folder, run(many, SETTINGS, folder, "key")


# The truth


def test_catchments_are_drawn_once_and_for_all_and_are_whole(many):
    few = chosen_catchments(many, 8)
    assert list(few.place_ids) == list(chosen_catchments(many, 8).place_ids)
    assert len(few.place_ids) == 8 and set(few.place_ids) <= set(many.place_ids)
    whole = many.lumped()
    at = [list(whole.unit_ids).index(gauge) for gauge in few.place_ids]
    np.testing.assert_array_equal(few.forcing.precipitation, whole.forcing.precipitation[:, at])
    np.testing.assert_allclose(few.catchment_weights.toarray(), np.eye(8))
    assert len(chosen_catchments(many, 100).place_ids) == 12


def test_true_parameters_span_the_middle_of_their_ranges_smoothly():
    attributes = np.random.default_rng(0).normal(size=(50, 6))
    known = processes.get("gr4j").parameters
    values = true_parameters(known, attributes, 0.7, [1])
    for p in known:
        ends = sorted((values[p.name].min().item(), values[p.name].max().item()))
        assert ends == pytest.approx([p.at(0.15), p.at(0.85)], rel=1e-5)
    near = true_parameters(known, attributes + 1e-4, 0.7, [1])
    far = true_parameters(known, attributes, 0.7, [2])
    assert (near["X4"] - values["X4"]).abs().max() < 1e-2 < (far["X4"] - values["X4"]).abs().max()


@pytest.mark.parametrize("prior", ["exp_hydro", "gr4j"])
def test_true_parameters_give_the_true_discharge_again(many, prior):
    settings = SETTINGS.model_copy(update={"noise": 0.0})
    catchments = chosen_catchments(many, 8)
    known, _ = make_truth(catchments, prior, settings)
    scaling = fit_scaling(catchments, np.arange(8), (0, 366), {"discharge": 1.0})
    series = Series(catchments, scaling)
    process = processes.get(prior)
    values = true_parameters(
        (*process.parameters, *unit_hydrograph.PARAMETERS),
        scaling.attribute_inputs(catchments),
        0.7,
        [SPLIT_SEED, *prior.encode()],
    )
    static = {name: values[name][:, None] for name in process.parameter_names}
    again = simulate(process, series.window(0, 500, 500), static, values)
    for column in range(8):
        assert nse(again["discharge"][:, column], known.observed_runoff.values[column], 1) > 1 - 1e-9
    wrong = {name: torch.full_like(value, value.mean()) for name, value in static.items()}
    other = simulate(process, series.window(0, 500, 500), wrong, values)
    assert nse(other["discharge"][:, 0], known.observed_runoff.values[0], 1) < 0.999


def test_noise_has_the_stated_deviation_and_leaves_the_mean(many):
    catchments = chosen_catchments(many, 12)
    known, truth = make_truth(catchments, "gr4j", SETTINGS.model_copy(update={"noise": 0.2}))
    factors = known.observed_runoff.values.T / truth["discharge"]
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx(0.2, abs=0.01)
    again, _ = make_truth(catchments, "gr4j", SETTINGS.model_copy(update={"noise": 0.2}))
    np.testing.assert_array_equal(known.observed.discharge, again.observed.discharge)


# Learning


def test_every_prior_learns_what_every_prior_made(learned):
    _, tables = learned
    scores = tables["scores"]
    counts = scores.groupby(["generator", "candidate", "quantity"]).size()
    assert len(counts) == 4 * len(QUANTITIES) and (counts == 8).all()
    assert scores[scores.quantity == "NSE"].value.notna().all()
    assert set(tables["evidence"].columns) == {
        *("domain", "experiment", "model", "reference", "quantity"),
        *("effect", "low", "high", "p", "n", "unit", "test"),
    }


def test_a_finished_pair_is_not_trained_again_and_gives_the_same(many, learned, tmp_path, monkeypatch):
    folder, tables = learned
    fresh = run(many, SETTINGS, tmp_path, "key")["scores"]
    pd.testing.assert_frame_equal(fresh, tables["scores"])
    monkeypatch.setattr("thalweg.learn.train._draw", lambda *_: pytest.fail("a finished pair was trained again"))
    pd.testing.assert_frame_equal(run(many, SETTINGS, folder, "key")["scores"], tables["scores"])
    with pytest.raises(pytest.fail.Exception):
        run(many, SETTINGS, folder, "another key")


def test_a_prior_that_learns_for_long_finds_itself(many, tmp_path):
    training = Training(steps=150, learning_rate=0.01, window="366 days", spin_up="500 days", validate_every=50)
    tables = run(many, SETTINGS.model_copy(update={"training": training}), tmp_path, "key")
    discharge = tables["margins"].query("quantity == 'NSE'")
    assert discharge.ranked_first.all()
    assert (discharge.margin > 0.1).all()
    own = tables["confusion"].query("quantity == 'NSE' and own")
    assert (own["median"] > 0.7).all()


def test_the_verb_writes_its_tables(many, tmp_path):
    write_netcdf(many.to_tree(), tmp_path / "domain.nc", {})
    names = ("scores", "confusion", "margins", "evidence")
    paths = [text for name in names for text in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    given = {"domain": tmp_path / "domain.nc", "settings": SETTINGS.model_dump_json(), "checkpoints": tmp_path / "c"}
    texts = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    verb.run(parser.parse_args([*texts, *paths]))
    told = pd.read_csv(tmp_path / "evidence.csv").set_index("quantity")
    assert told.effect["generator_ranked_first"] in (0, 0.5, 1)
    assert json.loads((tmp_path / "evidence.csv.provenance.json").read_text())["seed"] == [0]


# What is told of it


def rigged(own, other, untrained=None):
    """Scores of three generators in 20 catchments: the own prior's are ``own``, the others' ``other``, with equal scatter."""
    generator = np.random.default_rng(0)
    rows = []
    for quantity, (mine, theirs) in {"NSE": (own, other), "evapotranspiration_NSE": untrained or (own, other)}.items():
        for maker in ("a", "b", "c"):
            for learner in ("a", "b", "c"):
                value = (mine if maker == learner else theirs) + generator.normal(0, 0.02, 20)
                frame = {"generator": maker, "candidate": learner, "place": [f"g{i}" for i in range(20)]}
                rows.append(pd.DataFrame(frame | {"domain": "x", "seed": 0, "quantity": quantity, "value": value}))
    return pd.concat(rows, ignore_index=True)


BLOCKS = pd.Series([f"b{i // 2}" for i in range(20)], index=[f"g{i}" for i in range(20)])


def told(scores):
    return evidence(margins(scores, BLOCKS, 200), 3).set_index(["quantity", "model"])


def test_a_generator_that_is_better_is_ranked_first_by_its_margin():
    scores = rigged(0.9, 0.7)
    table = confusion(scores)
    assert ((table["rank"] == 1) == table.own).all()
    against = margins(scores, BLOCKS, 200)
    assert against.separated.all()
    np.testing.assert_allclose(against.margin, 0.2, atol=0.03)
    found = told(scores).loc[("generator_ranked_first", "own_prior")]
    assert found.effect == 1
    assert found.low == pytest.approx(0.025 ** (1 / 3))  # Clopper-Pearson of 3 in 3
    assert found.p == pytest.approx((1 / 3) ** 3)
    assert found.n == 3


def test_a_generator_that_is_worse_is_never_ranked_first():
    scores = rigged(0.7, 0.9)
    assert told(scores).loc[("generator_ranked_first", "own_prior")].effect == 0
    assert not margins(scores, BLOCKS, 200).separated.any()
    assert (margins(scores, BLOCKS, 200).margin < 0).all()


def test_priors_that_are_alike_are_not_separated_by_discharge_but_may_be_by_what_was_not_trained_on():
    scores = rigged(0.9, 0.9, untrained=(0.9, 0.5))
    rows = told(scores)
    assert rows.effect["generator_separated", "own_prior"] == 0
    assert rows.effect["generator_separated_by_evapotranspiration_NSE", "own_prior"] == 1
    assert rows.effect["separated_by_untrained", "own_prior"] == 1
    assert rows.n["separated_by_untrained", "own_prior"] == 3
    assert np.isnan(told(rigged(0.9, 0.7)).effect["separated_by_untrained", "own_prior"])


def test_an_error_is_better_when_it_is_less_and_a_tie_is_not_a_win():
    scores = rigged(5.0, 9.0)
    scores = scores[scores.quantity == "NSE"].assign(quantity="evapotranspiration_error")
    assert margins(scores, BLOCKS, 50).ranked_first.all()
    assert not margins(scores.assign(value=1.0), BLOCKS, 50).ranked_first.any()


def test_scores_of_a_catchment_by_hand():
    flow, evaporated = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.5, 2.0])
    true = {"discharge": flow, "runoff": flow, "baseflow": 0.5 * flow, "evapotranspiration": evaporated}
    seen = true | {"baseflow": 0.2 * flow, "evapotranspiration": evaporated + 0.1}
    found = score(seen, true, flow)
    assert found["NSE"] == 1
    assert found["evapotranspiration_error"] == pytest.approx(36.525)
    assert found["evapotranspiration_NSE"] == pytest.approx(1 - 0.03 / 0.5)
    assert found["baseflow_index_error"] == pytest.approx(0.3)
    assert np.isnan(score(seen | {"runoff": 0 * flow}, true, flow)["baseflow_index_error"])


# Settings and figures


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"priors": ["hbv", "hbv"]}, "has a name twice"),
        ({"priors": ["hbv", "vic"]}, "priors.1"),
        ({"test": ["2000-06-01", "2001-12-31"]}, "overlaps the training period"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(ConfigError, match=message):
        validated(TwinPriorsStudy, SETTINGS.model_dump(mode="json") | values)


def test_the_figure_states_every_median(learned, tmp_path):
    _, tables = learned
    tables["confusion"].to_csv(tmp_path / "confusion.csv", index=False)
    figure = figure_of_twins.draw(tmp_path / "confusion.csv")
    panels = figure.axes[:4]
    assert [len(axes.texts) for axes in panels] == [4] * 4
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        figure_of_twins.LABELS[name] for name in SETTINGS.priors
    ]
    assert sum(text.get_fontweight() == "bold" for text in panels[0].texts) == 2


def ranking_files(folder, shifts):
    generator = np.random.default_rng(1)
    skill = pd.concat(
        pd.DataFrame(
            {
                **{"domain": "x", "experiment": "temporal", "variable": "discharge", "model": model},
                **{"fold": 0, "seed": 0, "metric": "NSE"},
                **{"place": [f"g{i}" for i in range(30)], "value": shift + generator.normal(0, 0.05, 30)},
            }
        )
        for model, shift in shifts.items()
    )
    summarise(skill, samples=100).to_csv(folder / "summary.csv", index=False)
    compare(skill, "NSE", samples=100).to_csv(folder / "comparison.csv", index=False)
    return folder / "summary.csv", folder / "comparison.csv"


def test_the_ranking_puts_the_best_first_and_joins_what_is_not_distinguished(tmp_path):
    files = ranking_files(tmp_path, {"worst": 0.1, "good": 0.8, "as good": 0.8, "middle": 0.5})
    left, right = prior_ranking.draw(*files, "x", "temporal", ["worst", "good", "as good", "middle"]).axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert set(names[:2]) == {"good", "as good"} and names[2:] == ["middle", "worst"]
    bars = [line.get_ydata() for line in left.lines if line.get_linewidth() > 2]
    assert len(bars) == 1 and bars[0] == pytest.approx([-0.25, 1.25])
    summary = pd.read_csv(files[0]).set_index("model")["median"]
    drawn = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert drawn == pytest.approx(sorted(summary, reverse=True))
    assert len([line for line in right.lines if line.get_marker() == "o"]) == 3


def test_the_ranking_refuses_models_without_scores(tmp_path):
    files = ranking_files(tmp_path, {"one": 0.1, "two": 0.8})
    with pytest.raises(ValueError, match="'three' has no NSE in x, temporal"):
        prior_ranking.draw(*files, "x", "temporal", ["one", "two", "three"])
