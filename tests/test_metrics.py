"""Metrics against values worked out by hand and the anchors of the literature."""

import numpy as np
import pytest

from thalweg.metrics.scores import METRICS, evaluate, fhv, flv_linear, flv_log, fms, kge, nse, peak_timing
from thalweg.units import parse_unit

RAMP = np.arange(1.0, 101.0)  # lowest 30 sum to 465, highest 2 to 199


def value(name, simulated, observed):
    return evaluate(simulated, observed, [name], minimum_days=1)[name]


@pytest.mark.parametrize(
    ("name", "simulated", "observed", "expected"),
    [
        ("NSE", [1, 2, 3, 4, 6], [1, 2, 3, 4, 5], 1 - 1 / 10),
        ("KGE", [2, 4, 6], [1, 2, 3], 1 - np.sqrt(2)),  # r = 1, alpha = beta = 2
        ("KGE", [3, 2, 1], [1, 2, 3], -1),  # r = -1, alpha = beta = 1
        ("KGE_2012", [2, 4, 6], [1, 2, 3], 0),  # r = gamma = 1, beta = 2
        ("KGE_2012", [11, 12, 13], [1, 2, 3], 1 - np.hypot(1 - 1 / 6, 5)),  # gamma = 2 / 12, beta = 6
        ("PBIAS", [2, 2, 2], [1, 2, 1], 50),
        ("RMSE", [0, 0, 0, 0], [2, 2, 2, 4], np.sqrt(7)),
        ("beta_NSE", [3, 3], [1, 3], 1),
        ("FHV", RAMP + 10, RAMP, 100 * 20 / 199),
        ("FLV_linear", RAMP + 10, RAMP, 100 * 300 / (465 + 1e-4)),
        ("FLV_log", np.exp([0, 2, 4] + [9] * 7), np.exp([0, 1, 2] + [9] * 7), -100 * 3 / (3 + 1e-6)),
        ("FMS", np.exp(2.0 * np.arange(10)), np.exp(np.arange(10.0)), 100 * 5 / (5 + 1e-6)),
        ("RMSE_low", np.where(RAMP <= 30, RAMP + 3, RAMP), RAMP, np.sqrt((28 * 9 + 2 * 4) / 30)),
        # sorted, the low segment is 4..31 and then 31, 32
        ("RMSE_mid", np.where(RAMP == 98, 98.5, RAMP), RAMP, np.sqrt(0.25 / 68)),
        ("RMSE_high", np.where(RAMP >= 99, RAMP + 4, RAMP), RAMP, 4),
    ],
)
def test_hand_computed(name, simulated, observed, expected):
    assert value(name, simulated, observed) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_observed_mean_scores_nse_0_and_kge_1_minus_root_2():
    observed = np.random.default_rng(0).gamma(0.5, 3, 366)
    mean = np.full(366, observed.mean())
    assert nse(mean, observed) == pytest.approx(0, abs=1e-12)
    assert kge(mean, observed) == pytest.approx(1 - np.sqrt(2), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_simulation_gets_the_best_value(name):
    day = np.arange(800)
    observed = 1.5 + np.sin(day / 25) + np.where(day % 150 == 75, 20, 0)
    assert value(name, observed, observed) == pytest.approx(METRICS[name].best, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_days_with_a_gap_in_either_series_do_not_count(name):
    rng = np.random.default_rng(1)
    observed, simulated = rng.gamma(0.5, 3, (2, 900))
    gappy_observed, gappy_simulated = observed.copy(), simulated.copy()
    gappy_observed[880:890], gappy_simulated[890:] = np.nan, np.nan
    assert value(name, gappy_simulated, gappy_observed) == value(name, simulated[:880], observed[:880])


@pytest.mark.parametrize("name", METRICS)
def test_too_few_days_have_no_skill(name):
    observed = np.random.default_rng(2).gamma(0.5, 3, 400)
    observed[300:] = np.nan
    assert np.isnan(evaluate(observed, observed, [name])[name])
    assert np.isnan(evaluate(observed, observed, [name], minimum_days=301)[name])
    assert np.isfinite(evaluate(observed, observed, [name], minimum_days=300)[name])


@pytest.mark.parametrize("name", ["NSE", "KGE", "KGE_2012", "beta_NSE"])
def test_a_constant_river_has_no_skill(name):
    assert np.isnan(value(name, RAMP, np.full(100, 0.1)))


@pytest.mark.parametrize("name", ["PBIAS", "FHV"])
def test_a_dry_river_has_no_relative_bias(name):
    assert np.isnan(value(name, RAMP, np.zeros(100)))


@pytest.mark.parametrize("name", METRICS)
def test_short_series_give_a_number_or_nan_without_a_warning(name):
    with np.errstate(all="raise"):
        assert np.isscalar(value(name, [1.0], [2.0]))
        assert np.isnan(value(name, [], []))


def test_the_two_low_flow_biases_see_different_things():
    observed = np.random.default_rng(3).gamma(2, 1, 500)
    assert flv_log(2 * observed, observed) == pytest.approx(0, abs=1e-9)
    assert flv_linear(2 * observed, observed) == pytest.approx(100, rel=1e-4)
    assert np.isfinite(flv_log(np.zeros(500), observed))
    assert np.isfinite(flv_log(observed - 1, observed))  # a network without a process can give negative flow


def test_signs_say_too_much_and_too_flat():
    observed = np.random.default_rng(4).gamma(2, 1, 500)
    assert fhv(1.1 * observed, observed) == pytest.approx(10)
    assert fms(np.sqrt(observed), observed) == pytest.approx(-50, rel=1e-4)


def test_peak_timing_counts_days_and_leaves_out_peaks_beside_a_gap():
    observed, simulated = np.zeros(500), np.zeros(500)
    observed[[60, 200, 400]] = 10, 20, 10
    simulated[[61, 202, 400]] = 1
    assert peak_timing(simulated, observed) == pytest.approx((1 + 2 + 0) / 3)
    observed[202] = np.nan
    assert peak_timing(simulated, observed) == pytest.approx((1 + 0) / 2)
    assert np.isnan(peak_timing(simulated, np.zeros(500)))


def test_peak_timing_takes_the_greater_of_two_near_peaks_and_a_local_maximum_of_the_day():
    observed, simulated = np.zeros(500), np.zeros(500)
    observed[[200, 250]] = 20, 10
    simulated[[200, 203]] = 1, 5
    assert peak_timing(simulated, observed) == 0


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
        nse(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="simulated discharge is inf at position 2"):
        nse([1, 2, np.inf], [1, 2, 3])
    with pytest.raises(KeyError, match="'NSEE' is unknown; available: NSE, KGE"):
        evaluate(RAMP, RAMP, ["NSEE"])


def test_units_are_known_and_directions_are_consistent():
    for metric in METRICS.values():
        parse_unit(metric.unit)
        assert metric.direction in ("higher", "lower", "closer")
        assert (metric.best == 1) == (metric.direction == "higher")
