"""Signatures by hand, and metrics and signatures against those of neuralhydrology and hydrosignatures on fixed series."""

import json

import numpy as np
import pandas as pd
import pytest

from reference_metrics import DAYS, FIRST_DAY, STORED, series
from thalweg.metrics.scores import evaluate
from thalweg.metrics.signatures import (
    ALPHA,
    REFLECTED,
    SIGNATURES,
    baseflow_index,
    flashiness,
    half_flow_day,
    signatures,
)

REFERENCE = json.loads(STORED.read_text())["series"]
TIME = pd.date_range(FIRST_DAY, periods=DAYS)
each_series = pytest.mark.parametrize("name", REFERENCE)


def test_the_series_are_those_of_the_reference():
    for name, pair in series().items():
        assert [np.nansum(values) for values in pair] == pytest.approx(REFERENCE[name]["sums"], rel=1e-12)
    assert (series()["dry"][1] == 0).sum() > 100 and np.isnan(series()["gaps"][1]).sum() > 100


@each_series
def test_metrics_are_those_of_neuralhydrology(name):
    """Named otherwise there: our FLV_log is its FLV. Its FLV_linear and RMSE of segments do not exist."""
    ours, theirs = evaluate(*series()[name]), REFERENCE[name]["metrics"]
    names = {"FLV_log": "FLV", "beta_NSE": "Beta-NSE", "peak_timing": "Peak-Timing"}
    for metric in ("NSE", "KGE", "RMSE", "FHV", "FMS", "FLV_log", "beta_NSE", "peak_timing"):
        assert ours[metric] == pytest.approx(theirs[names.get(metric, metric)], rel=1e-9), metric


@each_series
def test_the_two_variants_of_flv_differ(name):
    """The linear one is of volume: it cannot stand in for the other."""
    assert evaluate(*series()[name])["FLV_linear"] != pytest.approx(REFERENCE[name]["metrics"]["FLV"], rel=0.1)


@each_series
def test_signatures_are_those_of_neuralhydrology(name):
    """It counts high and low flows of calendar years, of which the series has four and one day, which here counts too; it takes the
    flows of a duration curve at ranks, without interpolation between days."""
    ours, theirs = signatures(series()[name][1], TIME), REFERENCE[name]["signatures"]
    assert ours["mean_flow"] == pytest.approx(theirs["q_mean"], rel=1e-12)
    assert ours["low_flow"] == pytest.approx(theirs["q5"], rel=1e-12, abs=1e-12)
    assert ours["high_flow"] == pytest.approx(theirs["q95"], rel=1e-12)
    assert ours["half_flow_day"] == pytest.approx(theirs["hfd_mean"], rel=1e-12)
    assert ours["flow_duration_slope"] == pytest.approx(theirs["slope_fdc"], rel=0.01)
    known = np.isfinite(series()[name][1]).sum() / DAYS
    for mine, other in (("high_flow_days", "high_q_freq"), ("low_flow_days", "low_q_freq")):
        assert ours[mine] * known * DAYS / (DAYS - 1) == pytest.approx(theirs[other], abs=0.2501)


@each_series
def test_the_slope_of_the_duration_curve_is_that_of_hydrosignatures(name):
    """Between the 34th and the 67th percentile, which are exceeded on 66 % and 33 % of the days; it interpolates logarithms."""
    ours = signatures(series()[name][1], TIME)["flow_duration_slope"]
    assert ours == pytest.approx(REFERENCE[name]["hydrosignatures"]["flow_duration_curve_slope"], rel=1e-4)


def filtered_index(discharge):
    """The filter in a plain loop over records without gaps."""
    pieces = np.split(discharge, np.flatnonzero(np.diff(np.isnan(discharge))) + 1)
    pieces = [piece for piece in pieces if np.isfinite(piece[0]) and len(piece) > REFLECTED]
    base = 0.0
    for piece in pieces:
        flow = np.pad(piece, REFLECTED, mode="reflect")
        for _ in range(3):
            quick = flow[0]
            new = np.full_like(flow, flow[0] - quick)
            for day in range(1, len(flow)):
                quick = ALPHA * quick + (1 + ALPHA) / 2 * (flow[day] - flow[day - 1])
                new[day] = flow[day] - max(quick, 0)
            flow = new[::-1]
        base += flow[REFLECTED:-REFLECTED].sum()
    return base / sum(piece.sum() for piece in pieces)


@each_series
def test_the_baseflow_index_is_that_of_neuralhydrology(name):
    observed = series()[name][1]
    assert baseflow_index(observed) == pytest.approx(REFERENCE[name]["signatures"]["baseflow_index"], rel=1e-9)
    assert baseflow_index(observed) == pytest.approx(filtered_index(observed), rel=1e-9)


@pytest.mark.parametrize("name", ["skewed", "dry"])
def test_the_baseflow_index_is_near_that_of_hydrosignatures(name):
    """It repeats the end values for ten days instead of mirroring thirty, and begins with the flow above the minimum as quick."""
    theirs = REFERENCE[name]["hydrosignatures"]["baseflow_index"]
    assert baseflow_index(series()[name][1]) == pytest.approx(theirs, abs=0.01)


def test_flashiness_by_hand():
    """|2 - 1| + |1 - 2| over 2 + 1; the days next to a gap count if the day before is known. hydrosignatures averages daily
    ratios instead, which is not Baker's equation: its values are not compared."""
    assert flashiness([1.0, 2.0, 1.0]) == pytest.approx(2 / 3)
    assert flashiness([1.0, 2.0, np.nan, 5.0, 4.0]) == pytest.approx((1 + 1) / (2 + 4))
    assert flashiness(np.full(10, 3.0)) == 0


def test_half_of_a_steady_flow_is_gone_half_a_year_after_october():
    time = pd.date_range("2000-10-01", "2001-09-30")
    assert half_flow_day(np.ones(365), time) == 182
    pulse = np.zeros(365)
    pulse[100] = 1.0
    assert half_flow_day(pulse, time) == 100
    assert np.isnan(half_flow_day(np.ones(300), time[:300])), "a year in part"


def test_days_of_high_and_low_flow_by_hand():
    """Of a hundred days one is above nine times the median and three below a fifth of the mean."""
    flow = np.full(100, 1.0)
    flow[0], flow[1:4] = 10.0, 0.1
    result = signatures(flow, pd.date_range("2000-01-01", periods=100))
    assert result["high_flow_days"] == pytest.approx(365.25 / 100)
    assert result["low_flow_days"] == pytest.approx(3 * 365.25 / 100)


def test_the_slope_of_an_exponential_duration_curve_is_its_rate():
    share = (np.arange(20000) + 0.5) / 20000
    assert signatures(np.exp(-3 * share), pd.date_range("1980", periods=20000))["flow_duration_slope"] == pytest.approx(
        3, rel=1e-3
    )


def test_signatures_scale_with_flow_or_do_not():
    discharge = series()["skewed"][1]
    once, twice = signatures(discharge, TIME), signatures(2 * discharge, TIME)
    for name, signature in SIGNATURES.items():
        factor = 2 if signature.unit == "mm/day" else 1
        assert twice[name] == pytest.approx(factor * once[name], rel=1e-9), name


def test_nothing_known_has_no_signature():
    result = signatures(np.full(500, np.nan), pd.date_range("2000-01-01", periods=500))
    assert all(np.isnan(value) for value in result.values())
