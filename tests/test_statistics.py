"""Statistics of skill against values worked out by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import wilcoxon

from thalweg.cli import main
from thalweg.evaluation.blocks import block_bootstrap, read_blocks
from thalweg.evaluation.statistics import COLUMNS, check_skill, compare, holm, read_skill, summarise


def table(values, metric="NSE", experiment="temporal", variable="discharge"):
    """Skill table of {model: {seed: [value of each gauge]}}."""
    return pd.DataFrame(
        [
            ("delaware", experiment, variable, model, 0, seed, f"0{gauge}", metric, value)
            for model, seeds in values.items()
            for seed, gauges in seeds.items()
            for gauge, value in enumerate(gauges)
        ],
        columns=list(COLUMNS),
    )


def test_the_median_is_over_gauges_of_means_over_seeds():
    # Gauge means 0.5, 0.4, 0.9. A pooled median of the six values would be 0.65.
    row = summarise(table({"hbv": {0: [0.3, 0.0, 0.9], 1: [0.7, 0.8, 0.9]}})).iloc[0]
    assert row["median"] == pytest.approx(0.5)
    assert (row.places, row.undefined, row.seeds) == (3, 0, 2)
    assert (row.seed_low, row.seed_high) == (pytest.approx(0.3), pytest.approx(0.8))
    assert row.median_distance == pytest.approx(0.5)


def test_a_gauge_tested_in_two_folds_counts_once():
    skill = table({"hbv": {0: [0.2, 0.4, 0.6]}})
    again = skill[skill.place == "00"].assign(fold=1, value=1.0)
    row = summarise(pd.concat([skill, again])).iloc[0]
    assert row.places == 3
    assert row["median"] == pytest.approx(0.6)


def test_gauges_without_a_value_are_counted_and_left_out():
    row = summarise(table({"hbv": {0: [0.2, np.nan, 0.6]}})).iloc[0]
    assert (row.places, row.undefined) == (2, 1)
    assert row["median"] == pytest.approx(0.4)
    assert np.isnan(summarise(table({"hbv": {0: [np.nan]}})).iloc[0]["median"])


def test_biases_to_both_sides_cancel_in_the_median_but_not_in_the_distance():
    row = summarise(table({"hbv": {0: [-20, 0, 20, -30, 30]}}, metric="FHV")).iloc[0]
    assert row["median"] == 0
    assert row.median_distance == 20
    assert row.unit == "percent"


def test_blocks_widen_the_interval_of_gauges_that_err_alike():
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(0.6, 0.2, 8), 10) + generator.normal(0, 0.01, 80)
    skill = table({"hbv": {0: values}, "lstm": {0: np.zeros(80)}})
    blocks = {"delaware": pd.Series(np.arange(80) // 10, index=[f"0{gauge}" for gauge in range(80)])}
    single, block = (summarise(skill, 500, blocks=b).iloc[0] for b in (None, blocks))
    assert single["median"] == block["median"]
    assert block.high - block.low > 1.5 * (single.high - single.low)
    single, block = (compare(skill, "NSE", 500, blocks=b).iloc[0] for b in (None, blocks))
    assert block.high - block.low > 1.5 * (single.high - single.low)
    assert block.p == single.p
    with pytest.raises(ValueError, match="place '00' has skill but no block"):
        summarise(skill, 10, blocks={"delaware": blocks["delaware"].iloc[1:]})


def test_the_verb_resamples_the_blocks_of_each_domain(tmp_path):
    generator = np.random.default_rng(1)
    values = np.repeat(generator.normal(0.6, 0.2, 5), 12) + generator.normal(0, 0.01, 60)
    one = table({"hbv": {0: values}, "lstm": {0: values - 0.1}})
    pd.concat([one, one.assign(domain="thames")]).to_csv(tmp_path / "scores.csv", index=False)
    place = {"latitude": ("place", np.arange(60) // 12 * 2.0), "longitude": ("place", np.arange(60) % 12 * 0.01)}
    gauges = xr.Dataset(place, {"place": [f"0{gauge}" for gauge in range(60)]})
    for domain in ("delaware", "thames"):
        gauges.to_netcdf(tmp_path / f"{domain}.nc", group="places", engine="h5netcdf")
    outputs = [f"--{name}={tmp_path}/{name}.csv" for name in ("skill", "summary", "comparison")]
    settings = json.dumps({"bootstrap_samples": 200, "compared": ["NSE"], "sample_compared": ["RMSE"]})
    command = ["step", "summarise", "--scores", f"{tmp_path}/scores.csv", "--settings", settings, *outputs]
    main(command)
    single = pd.read_csv(tmp_path / "summary.csv")
    main([*command, "--domains", *(f"{domain}={tmp_path}/{domain}.nc" for domain in ("delaware", "thames"))])
    block = pd.read_csv(tmp_path / "summary.csv")
    assert (block.high - block.low > 1.5 * (single.high - single.low)).all()
    blocks = {domain: read_blocks(tmp_path / f"{domain}.nc") for domain in ("delaware", "thames")}
    expected = compare(read_skill(tmp_path / "skill.csv"), "NSE", 200, blocks=blocks)
    assert np.allclose(pd.read_csv(tmp_path / "comparison.csv").low, expected.low)


@pytest.mark.parametrize("gauges", [7, 30, 31])
def test_the_fast_median_of_blocks_is_that_of_copied_values(gauges):
    generator = np.random.default_rng(gauges)
    values, blocks = generator.normal(size=gauges).round(1), generator.integers(4, size=gauges)
    values[0] = np.nan
    copied = block_bootstrap(values, blocks, lambda drawn: np.median(drawn), samples=300, seed=3)
    assert block_bootstrap(values, blocks, samples=300, seed=3) == pytest.approx(copied, abs=1e-12)


def test_the_interval_is_repeatable_and_covers_the_true_median():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        row = summarise(table({"hbv": {0: rng.normal(0.6, 0.2, 40)}}), samples=300).iloc[0]
        covered.append(row.low <= 0.6 <= row.high)
    assert 0.9 < np.mean(covered) < 0.99
    skill = table({"hbv": {0: rng.normal(0.6, 0.2, 40)}})
    assert summarise(skill).equals(summarise(skill))
    assert not summarise(skill, samples=30, seed=1).low.equals(summarise(skill, samples=30).low)
    assert np.isnan(summarise(table({"hbv": {0: [0.5]}})).low.iloc[0])


def test_groups_are_kept_apart_and_in_order():
    skill = pd.concat(
        [
            table({"lstm": {0: [0.1, 0.2]}, "hbv": {0: [0.3, 0.4]}}, experiment=experiment)
            for experiment in ("temporal", "pub")
        ]
    )
    summary = summarise(skill)
    assert list(zip(summary.experiment, summary.model)) == [
        ("temporal", "lstm"),
        ("temporal", "hbv"),
        ("pub", "lstm"),
        ("pub", "hbv"),
    ]


def test_variables_of_one_experiment_are_kept_apart_and_have_units_of_their_own():
    generator = np.random.default_rng(0)
    models = {"heat": {0: generator.normal(1, 0.1, 12)}, "lstm": {0: generator.normal(2, 0.1, 12)}}
    skill = pd.concat(
        [
            table(models, "RMSE", variable="water_temperature").assign(unit="degC"),
            table(models, "RMSE", variable="nitrate").assign(unit="mg/l"),
            table(models, "NSE", variable="nitrate").assign(unit="mg/l"),
        ]
    )
    summary = summarise(skill, 20).set_index(["variable", "metric", "model"])
    assert (summary.places == 12).all()
    units = summary.unit.xs("heat", level="model").to_dict()
    assert units == {
        ("water_temperature", "RMSE"): "degC",
        ("nitrate", "RMSE"): "mg/l",
        ("nitrate", "NSE"): "dimensionless",
    }
    compared = compare(skill, "RMSE", 20)
    assert list(compared.variable) == ["water_temperature", "nitrate"]
    assert (compared.p_holm == compared.p).all(), "each variable is a family of its own"


def test_comparison_of_pairs_by_hand():
    # Differences 0.1, ..., 0.6 and -0.05: ranks 2..7 against 1, so W- = 1 and the exact p is 2 * 2 / 2^7.
    reference = np.linspace(0.1, 0.7, 7)
    better = reference + np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -0.05])
    row = compare(table({"hbv": {0: better}, "lstm": {0: reference}}), "NSE").iloc[0]
    assert (row.model, row.reference, row.places, row.ties) == ("hbv", "lstm", 7, 0)
    assert row.median_improvement == pytest.approx(0.3)
    assert row.low <= 0.3 <= row.high
    assert row.rank_biserial == pytest.approx((27 - 1) / 28)
    assert row.p == pytest.approx(4 / 128)
    assert row.p_holm == pytest.approx(row.p)
    assert row.reason == ""


@pytest.mark.parametrize(("metric", "good", "bad"), [("NSE", 0.8, 0.5), ("RMSE", 1.0, 2.0), ("FHV", -5.0, 20.0)])
def test_a_positive_improvement_means_the_model_is_better(metric, good, bad):
    noise = np.random.default_rng(0).uniform(0, 0.1, (2, 20))
    row = compare(table({"a": {0: good + noise[0]}, "b": {0: bad + noise[1]}}, metric), metric).iloc[0]
    assert row.median_improvement > 0
    assert row.rank_biserial == 1
    assert row.p < 0.001


def test_pairs_are_the_gauges_that_both_models_have():
    skill = table({"hbv": {0: [0.5] * 10}, "lstm": {0: [0.1, 0.2, 0.3, 0.4, 0.0, 0.15, 0.25, np.nan]}})
    assert compare(skill, "NSE").places.iloc[0] == 7


def test_too_few_or_tied_gauges_give_no_p_and_a_reason():
    few = compare(table({"hbv": {0: [0.5, 0.6, 0.7]}, "lstm": {0: [0.1, 0.5, 0.2]}}), "NSE").iloc[0]
    assert np.isnan(few.p) and np.isnan(few.p_holm)
    assert few.reason == "3 places differ; the test needs 6"
    same = compare(table({"hbv": {0: [0.5] * 20}, "lstm": {0: [0.5] * 20}}), "NSE").iloc[0]
    assert np.isnan(same.p)
    assert (same.ties, same.rank_biserial, same.median_improvement) == (20, 0, 0)
    disjoint = table({"hbv": {0: [0.5, np.nan]}, "lstm": {0: [np.nan, 0.5]}})
    row = compare(disjoint, "NSE").iloc[0]
    assert row.places == 0 and np.isnan(row.rank_biserial) and np.isnan(row.median_improvement)


def test_equal_differences_use_the_normal_approximation():
    days = np.array([1, 1, 2, 2, 3, 0, 0, -1, 1, 2.0])
    row = compare(table({"a": {0: np.ones(10)}, "b": {0: 1 + days}}, "peak_timing"), "peak_timing").iloc[0]
    assert row.ties == 2
    assert row.p == pytest.approx(wilcoxon(days[days != 0], method="asymptotic").pvalue)


def test_holm_by_hand():
    corrected = holm([0.01, 0.04, np.nan, 0.03])
    assert corrected == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def test_holm_counts_the_pairs_of_one_experiment():
    rng = np.random.default_rng(0)
    skill = pd.concat(
        [
            table({m: {0: rng.normal(mean, 0.1, 12)} for m, mean in zip("abc", (0.5, 0.6, 0.9))}, experiment=name)
            for name in ("temporal", "pub")
        ]
    )
    result = compare(skill, "NSE")
    assert len(result) == 6
    for _, group in result.groupby("experiment"):
        assert group.p_holm.min() == pytest.approx(3 * group.p.min())


def test_a_single_model_compares_with_nothing():
    result = compare(table({"hbv": {0: [0.1, 0.2]}}), "NSE")
    assert result.empty and "p_holm" in result


def test_errors_name_what_is_wrong(tmp_path):
    skill = table({"hbv": {0: [0.1, 0.2]}})
    with pytest.raises(ValueError, match="column 'seed' is missing"):
        check_skill(skill.drop(columns="seed"))
    with pytest.raises(ValueError, match=r"two values for .*'place': '00'"):
        check_skill(pd.concat([skill, skill]))
    with pytest.raises(ValueError, match="metric 'NSEE' is unknown"):
        check_skill(skill.assign(metric="NSEE"))
    with pytest.raises(ValueError, match="no row has metric 'KGE'; available: NSE"):
        compare(skill, "KGE")
    skill.to_csv(tmp_path / "skill.csv", index=False)
    assert list(read_skill(tmp_path / "skill.csv").place) == ["00", "01"]
