"""Flood peaks: errors that are known, windows, classes, and the side that improvement counts to."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import analyse, make_domain
from thalweg.analysis.flood_peaks import CLASSES, errors_by_class, peak_errors, peak_evidence, return_class
from thalweg.evaluation.evidence import read_evidence
from thalweg.figures import flood_peaks as figure
from thalweg.metrics.flood_frequency import annual_maxima, return_period
from thalweg.storage.store import write_netcdf

DAYS = pd.date_range("1970-10-01", "2000-09-30")
GAUGES = [f"g{i}" for i in range(12)]
BLOCKS = pd.Series(np.arange(12) // 2, index=GAUGES)


@pytest.fixture(scope="module")
def observed():
    generator = np.random.default_rng(0)
    flow = generator.gamma(0.3, 4.0, (len(GAUGES), len(DAYS))) + 0.1
    return xr.DataArray(flow, dims=("place", "time"), coords={"place": GAUGES, "time": DAYS})


def made(observed, *seeds):
    return xr.Dataset(
        {
            "simulated": (("fold", "seed", "place", "time"), np.stack(seeds)[None]),
            "observed": (("place", "time"), observed.values),
        },
        coords={"fold": [0], "seed": range(len(seeds)), "place": observed.place, "time": observed.time},
    )


def test_four_fifths_of_the_flow_errs_by_a_fifth_in_every_class(observed):
    errors = peak_errors(made(observed, 0.8 * observed.values), observed).assign(model="hbv")
    table = errors_by_class(errors, BLOCKS, 50)
    assert list(table.return_period) == list(CLASSES)
    assert table.peaks.sum() == 12 * 30
    for name in ("median_error", "low", "high"):
        np.testing.assert_allclose(table[name], -0.2, atol=1e-12)
    np.testing.assert_allclose(table.median_absolute_error, 0.2, atol=1e-12)


def test_return_periods_are_those_of_the_whole_record_whatever_is_tested(observed):
    simulated = observed.values.copy()
    simulated[:, DAYS < "1990-10-01"] = np.nan
    errors = peak_errors(made(observed, simulated), observed).set_index(["place", "year"])
    maxima = annual_maxima(observed)
    assert set(errors.index.unique("year")) == set(range(1991, 2001))
    for gauge in GAUGES[:3]:
        expected = return_period(maxima.loc[gauge].values, maxima.loc[gauge, 1991:])
        np.testing.assert_allclose(errors.loc[gauge].return_period, expected)


def test_seeds_that_err_to_both_sides_have_no_mean_error_but_an_absolute_one(observed):
    errors = peak_errors(made(observed, 0.7 * observed.values, 1.3 * observed.values), observed)
    np.testing.assert_allclose(errors.error, 0, atol=1e-12)
    np.testing.assert_allclose(errors.absolute_error, 0.3)


@pytest.mark.parametrize(("days", "found"), [(3, 1.0), (-3, 1.0), (4, 0.1)])
def test_a_flood_is_looked_for_within_three_days(days, found):
    flow = xr.DataArray(np.ones((1, len(DAYS))), dims=("place", "time"), coords={"place": ["a"], "time": DAYS})
    for year in range(1971, 2001):
        flow.loc["a", f"{year}-03-10"] = 10.0 + year % 7
    simulated = np.roll(flow.values, days, axis=1)
    errors = peak_errors(made(flow, simulated), flow)
    assert len(errors) == 30
    expected = 0.0 if found == 1 else 1 / (10.0 + errors.year % 7) - 1
    np.testing.assert_allclose(errors.error, expected, atol=1e-12)


def test_years_with_gaps_dry_years_and_short_records_have_no_peak(observed):
    gauge = observed.isel(place=[0]).copy()
    gauge.loc["g0", "1980-12-01":"1981-03-01"] = np.nan
    gauge.loc["g0", "1984-10-01":"1985-09-30"] = 0.0
    errors = peak_errors(made(gauge, gauge.values), gauge)
    assert set(range(1971, 2001)) - set(errors.year) == {1981, 1985}
    short = gauge.sel(time=slice("1985-10-01", "1990-09-30"))
    assert peak_errors(made(short, short.values), short).empty


def test_a_class_begins_with_its_least_return_period():
    assert [CLASSES[i] for i in return_class([1.2, 2, 4.9, 5, 24, 25, np.inf])] == [
        *("below 2", "2 to 5", "2 to 5", "5 to 10", "10 to 25", "above 25", "above 25")
    ]


def evidence_of(observed, **factors):
    errors = [
        peak_errors(made(observed, factor * observed.values), observed).assign(model=model)
        for model, factor in factors.items()
    ]
    rows = peak_evidence(pd.concat(errors, ignore_index=True), BLOCKS, "lstm", 100)
    return pd.DataFrame(rows).set_index(["model", "reference"])


def test_improvement_is_positive_where_the_model_errs_less(observed):
    rows = evidence_of(observed, hbv=0.9, gr4j=0.5, lstm=0.7)
    assert rows.loc[("lstm", "")].effect == pytest.approx(0.3)
    assert rows.loc[("hbv", "")].effect == pytest.approx(0.1)
    better, worse = rows.loc[("hbv", "lstm")], rows.loc[("gr4j", "lstm")]
    assert (better.effect, better.low, better.high) == pytest.approx((0.2, 0.2, 0.2)) and better.p < 0.01
    assert (worse.effect, worse.low, worse.high) == pytest.approx((-0.2, -0.2, -0.2))
    assert set(rows.quantity) == {"peak_error_above_5_years"} and ("lstm", "lstm") not in rows.index


def test_between_equal_models_one_in_twenty_tests_finds_a_difference():
    generator = np.random.default_rng(5)
    gauges = [f"g{i}" for i in range(30)]
    blocks = pd.Series(range(30), index=gauges)
    found = []
    for _ in range(200):
        table = pd.DataFrame({"place": gauges * 2, "model": ["hbv"] * 30 + ["lstm"] * 30, "return_period": 9.0})
        rows = peak_evidence(table.assign(absolute_error=generator.random(60)), blocks, "lstm", 2)
        found += [row["p"] for row in rows if row["reference"]]
    assert len(found) == 200 and 0.01 < np.mean(np.array(found) < 0.05) < 0.10


def test_only_rare_floods_count_in_the_evidence(observed):
    """A simulation that is right but for the floods of more than five years, of which it has half."""
    right = peak_errors(made(observed, observed.values), observed)
    table = right.assign(model="hbv", absolute_error=np.where(right.return_period >= 5, 0.5, 0.0))
    (row,) = peak_evidence(table, BLOCKS, "lstm", 50)
    assert row["effect"] == pytest.approx(0.5)


def test_the_verb_writes_classes_and_evidence_and_a_figure_is_drawn_of_them(tmp_path):
    domain = make_domain(units=24, days=4500, gauges=8)
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", {})
    observed = domain.observed_runoff
    for model, factor in (("hbv", 0.9), ("lstm", 0.7)):
        simulation = made(observed, factor * observed.values).assign_attrs(model=model)
        write_netcdf(simulation, tmp_path / f"{model}.nc", {})
    analyse(
        "flood_peaks",
        tmp_path / "peaks",
        {"domain": "synthetic", "experiment": "extremes"},
        domain_path=tmp_path / "domain.nc",
        simulations={model: f"{tmp_path}/{model}.nc" for model in ("hbv", "lstm")},
        settings={"reference": "lstm", "bootstrap_samples": 50},
    )
    table = pd.read_csv(tmp_path / "peaks.csv")
    assert table.groupby("model").peaks.sum().to_dict() == {"hbv": 8 * 11, "lstm": 8 * 11}, "eleven whole water years"
    evidence = read_evidence(tmp_path / "peaks_evidence.csv").set_index(["model", "reference"])
    assert evidence.effect["hbv", "lstm"] == pytest.approx(0.2, abs=1e-6)
    drawn = figure.draw(tmp_path / "peaks.csv", labels={"hbv": "HBV", "lstm": "LSTM"})
    (axes,) = drawn.axes
    assert len(axes.containers) == 2
    assert axes.get_xticklabels()[0].get_text().startswith("below 2\n")
    with pytest.raises(ValueError, match="no peak of gr4j"):
        figure.draw(tmp_path / "peaks.csv", models=["gr4j"])
