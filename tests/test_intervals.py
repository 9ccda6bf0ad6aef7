"""The analysis of prediction intervals, its evidence and its figure."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from conftest import analyse, make_domain
from thalweg.analysis.intervals import COLUMNS, LEVELS, interval_evidence
from thalweg.evaluation.evidence import read_evidence
from thalweg.experiments import plan
from thalweg.experiments.simulation import QUANTILES
from thalweg.figures import intervals as figure
from thalweg.settings.files import read_study
from thalweg.storage.store import write_netcdf

GAUGES, DAYS = 30, 200
SETTINGS = {
    "members": {"seeds": ["seeds"], "both": ["seeds", "single"], "single": ["single"], "mixture": ["mixture"]},
    "reference": "mixture",
    "regions": False,
    "minimum_days": 100,
    "bootstrap_samples": 200,
}


def simulation(logarithm, observed, seeds, generator, size, quantiles=None):
    """A file of one fold at all gauges: ``seeds`` members around the truth."""
    simulated = np.exp(logarithm + size * generator.normal(size=(1, seeds, *logarithm.shape)))
    tested = np.ones((1, *logarithm.shape), np.int8)
    tested[:, :, :10] = 0
    data = {
        "simulated": (("fold", "seed", "place", "time"), np.where(tested[:, None], simulated, np.nan)),
        "observed": (("place", "time"), observed),
        "tested": (("fold", "place", "time"), tested),
    }
    if quantiles is not None:
        data["quantile"] = (("fold", "seed", "level", "place", "time"), quantiles[None, None])
    coordinates = {
        "fold": [0],
        "seed": range(seeds),
        "place": [f"g{i}" for i in range(GAUGES)],
        "time": pd.date_range("2001-01-01", periods=DAYS),
    }
    if quantiles is not None:
        coordinates["level"] = list(QUANTILES)
    return xr.Dataset(data, coords=coordinates)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Tables of models whose errors are known: ln q has a standard deviation of 0.4; the mixture states half of it."""
    folder = tmp_path_factory.mktemp("intervals")
    generator = np.random.default_rng(0)
    logarithm = generator.normal(0, 1, (GAUGES, DAYS))
    observed = np.exp(logarithm + 0.4 * generator.normal(size=logarithm.shape))
    quantiles = np.exp(logarithm + 0.2 * norm.ppf(QUANTILES)[:, None, None])
    files = {
        "seeds": simulation(logarithm, observed, 3, generator, 0.05),
        "single": simulation(logarithm, observed, 1, generator, 0.0),
        "mixture": simulation(logarithm, observed, 1, generator, 0.0, quantiles),
    }
    for name, one in files.items():
        write_netcdf(one, folder / f"{name}.nc", {})
    domain = make_domain(units=GAUGES, gauges=GAUGES)
    domain = domain.__class__(
        "valley",
        domain.forcing,
        domain.attributes,
        domain.network,
        domain.places.assign_coords(place=[f"g{i}" for i in range(GAUGES)]),
        domain.observed.assign_coords(place=[f"g{i}" for i in range(GAUGES)]),
    )
    write_netcdf(domain.to_tree(), folder / "valley.nc", {})
    paths = {name: str(folder / f"{name}.nc") for name in files} | {"both": ""}
    path = analyse(
        "intervals",
        folder / "intervals",
        {"domain": "valley", "experiment": "pub"},
        domain_path=folder / "valley.nc",
        simulations=paths,
        settings=SETTINGS,
    )
    return path, read_evidence(folder / "intervals_evidence.csv")


def rows(table, model, method):
    return table[(table.model == model) & (table.method == method)].set_index("level")


def test_calibrated_intervals_cover_their_level_and_stated_ones_what_they_must(found):
    table = pd.read_csv(found[0])
    assert tuple(table.columns) == ("domain", "experiment", *COLUMNS)
    for model, method in (
        ("seeds", "conformal"),
        ("single", "conformal"),
        ("both", "conformal"),
        ("mixture", "conformal mixture"),
    ):
        one = rows(table, model, method)
        np.testing.assert_allclose(one.coverage, LEVELS, atol=0.03)
        for column in ("coverage_low", "coverage_middle", "coverage_high"):
            np.testing.assert_allclose(one[column], LEVELS, atol=0.08)
        assert (one.coverage_worst_block <= one.coverage).all() and (one.places == GAUGES).all()
        assert (np.diff(one.width) > 0).all()
    stated = rows(table, "mixture", "mixture").coverage
    np.testing.assert_allclose(stated, 2 * norm.cdf(norm.ppf((1 + np.array(LEVELS)) / 2) / 2) - 1, atol=0.03)


def test_the_range_of_members_has_the_level_of_their_number(found):
    table = pd.read_csv(found[0])
    assert list(rows(table, "seeds", "members").index) == [0.5] and list(rows(table, "both", "members").index) == [0.6]
    assert rows(table, "single", "members").empty and rows(table, "mixture", "members").empty
    assert rows(table, "seeds", "members").coverage.item() < 0.2  # seeds differ far less than they err


def test_scores_are_better_where_intervals_are_right(found):
    table = pd.read_csv(found[0])
    stated, calibrated = rows(table, "mixture", "mixture"), rows(table, "mixture", "conformal mixture")
    assert (calibrated.interval_score < stated.interval_score).all() and (calibrated.width > stated.width).all()
    assert calibrated.crps.iloc[0] < stated.crps.iloc[0] < 1
    assert rows(table, "seeds", "conformal").crps.iloc[0] < rows(table, "seeds", "members").crps.iloc[0]


def test_evidence_states_coverage_and_gain_over_the_mixture(found):
    evidence = found[1].set_index(["quantity", "model", "reference"])
    error = evidence.loc[("coverage_error_90", "seeds", "")]
    assert abs(error.effect) < 0.02 and error.low < error.effect < error.high and error.n == GAUGES
    expected = 2 * norm.cdf(norm.ppf(0.95) / 2) - 1 - 0.9
    assert evidence.loc[("coverage_error_90", "mixture", "")].effect == pytest.approx(expected, abs=0.03)
    gain = evidence.loc[("interval_score_gain_90", "single", "mixture")]
    assert gain.effect > 0.1 and gain.low > 0 and gain.p < 0.001
    assert ("interval_score_gain_90", "mixture (conformal)", "mixture") in evidence.index


def test_a_gain_is_the_logarithm_of_the_ratio_of_scores():
    places = pd.DataFrame(
        {
            "model": ["a"] * 8 + ["b"] * 8,
            "place": [f"g{i}" for i in range(8)] * 2,
            "level": 0.9,
            "coverage": [0.8] * 8 + [0.95] * 8,
            "interval_score": [2.0] * 8 + [4.0] * 8,
        }
    )
    blocks = pd.Series(np.arange(8) // 2, index=[f"g{i}" for i in range(8)])
    found = pd.DataFrame(interval_evidence(places, blocks, SETTINGS | {"reference": "b"})).set_index(
        ["quantity", "model"]
    )
    assert found.loc[("interval_score_gain_90", "a"), "effect"] == pytest.approx(np.log(2))
    assert found.loc[("coverage_error_90", "a"), "effect"] == pytest.approx(-0.1)


def test_too_few_gauges_give_empty_tables(tmp_path):
    generator = np.random.default_rng(0)
    logarithm = generator.normal(0, 1, (GAUGES, DAYS))
    one = simulation(logarithm, np.exp(logarithm), 2, generator, 0.1).copy(deep=True)
    one.tested.values[:, 4:] = 0
    write_netcdf(one, tmp_path / "seeds.nc", {})
    domain = make_domain(units=GAUGES, gauges=GAUGES)
    write_netcdf(domain.to_tree(), tmp_path / "valley.nc", {})
    path = analyse(
        "intervals",
        tmp_path / "intervals",
        {"domain": "valley", "experiment": "pub"},
        domain_path=tmp_path / "valley.nc",
        simulations={"seeds": str(tmp_path / "seeds.nc")},
        settings=SETTINGS | {"members": {"seeds": ["seeds"]}},
    )
    assert len(pd.read_csv(path)) == 0 and len(read_evidence(tmp_path / "intervals_evidence.csv")) == 0


def test_the_figure_draws_every_method_and_refuses_an_empty_table(found, tmp_path):
    drawn = figure.draw(str(found[0]), "valley", "pub", {"seeds": "Seeds", "mixture": "Mixture"}, ["seeds", "mixture"])
    left, right = drawn.axes
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["Seeds", "Mixture", "conformal", "mixture", "conformal mixture", "range of members"]
    nominal = norm.ppf((1 + np.array(LEVELS)) / 2)
    calibrated, stated = left.lines[0], left.lines[5]
    np.testing.assert_allclose(calibrated.get_xdata(), nominal)
    np.testing.assert_allclose(calibrated.get_ydata(), nominal, atol=0.15)
    np.testing.assert_allclose(stated.get_ydata(), nominal / 2, atol=0.1)  # half of the errors' deviation is stated
    assert right.get_yscale() == "log" and (np.diff(right.lines[0].get_ydata()) > 0).all()
    with pytest.raises(ValueError, match="there is no interval of none"):
        figure.draw(str(found[0]), "valley", "pub", models=["none"])


def test_the_default_study_compares_a_mixture_where_gauges_are_held_out():
    study = read_study("config")
    assert ("delaware", "gauges-100") in plan.held_out(study) and ("delaware", "temporal") not in plan.held_out(study)
    assert plan.with_intervals(study) == [("delaware", "gauges-100")]
    settings = plan.interval_settings(study, "delaware", "gauges-100")
    assert settings["reference"] == "lstm-cmal" and not settings["regions"]
    assert plan.interval_settings(study, "delaware", "pur")["regions"]
    assert plan.interval_settings(study, "delaware", "pub")["members"] == {
        "hbv": ["hbv"],
        "lstm": ["lstm"],
        "hbv-one-set": ["hbv-one-set"],
        "ensemble": ["lstm", "hbv"],
    }
    assert plan.compared_intervals(study, "delaware", "gauges-100") == [*("hbv", "lstm", "lstm-cmal", "ensemble")]
