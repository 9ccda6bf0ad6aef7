"""Trends: planted slopes are found again, and where nothing changes nothing is found."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import analyse, make_domain
from thalweg.analysis.trends import annual_flows, flow_trends, mann_kendall, sen_slope, trend_evidence
from thalweg.evaluation.evidence import read_evidence
from thalweg.figures import trends as figure
from thalweg.figures.style import number
from thalweg.storage.store import write_netcdf

DAYS = pd.date_range("1990-10-01", "2000-09-30")
YEARS = np.asarray(DAYS.year + (DAYS.month >= 10))


def made(discharge, observed, time=DAYS, model="hbv"):
    """Simulation of some seeds in one fold."""
    gauges = [f"g{i}" for i in range(len(observed))]
    return xr.Dataset(
        {
            "simulated": (("fold", "seed", "place", "time"), np.asarray(discharge, dtype=float)[None]),
            "observed": (("place", "time"), observed),
        },
        coords={"fold": [0], "seed": range(len(discharge)), "place": gauges, "time": time},
        attrs={"domain": "synthetic", "experiment": "temporal", "model": model},
    )


def growing(slopes, base=5.0):
    """Flow (gauge, time) that is constant within a water year and grows by a slope (mm/day per year) every year."""
    return base + np.outer(slopes, YEARS - YEARS[0])


def test_sen_slope_by_hand_and_its_indifference_to_one_flood_year():
    years = np.arange(2000, 2005)
    assert sen_slope(years, [1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1)
    # Slopes of pairs: four of 1, ..., and those with the flood; their median stays 1.
    assert sen_slope(years, [1.0, 2.0, 3.0, 4.0, 50.0]) == pytest.approx(1)
    # 0, 1, 0: slopes 1, 0, -1
    assert sen_slope(years[:3], [0.0, 1.0, 0.0]) == pytest.approx(0)


def test_mann_kendall_of_five_rising_years():
    """Of the 5! orders one rises and one falls throughout: p = 2 / 120."""
    assert mann_kendall(np.arange(5), np.arange(5.0)) == pytest.approx(2 / 120)


def test_annual_flows_are_mean_and_quantiles_of_complete_years():
    series = np.tile(np.arange(len(DAYS), dtype=float), (2, 1))
    known = np.ones(series.shape, dtype=bool)
    known[1, :40] = False
    flows = annual_flows(series, known, YEARS)
    first = np.arange(365.0)
    assert flows["mean"][0, 0] == pytest.approx(first.mean())
    assert flows["high"][0, 0] == pytest.approx(np.quantile(first, 0.98))
    assert flows["low"][0, 0] == pytest.approx(np.quantile(first, 0.10))
    assert np.isnan(flows["mean"][1, 0]) and np.isfinite(flows["mean"][1, 1:]).all()


def test_planted_slopes_are_found_in_all_flows_per_decade():
    slopes = np.array([-0.2, 0.0, 0.1, 0.3])
    observed = growing(slopes)
    table = flow_trends(made([growing(0.5 * slopes), growing(1.5 * slopes)], observed), growing(2 * slopes))
    assert len(table) == 4 * 3 and (table.years == 10).all()
    for flow in ("mean", "high", "low"):
        rows = table[table.flow == flow]
        np.testing.assert_allclose(rows.observed_slope, 10 * slopes, atol=1e-9)
        np.testing.assert_allclose(rows.simulated_slope, 10 * slopes, atol=1e-9, err_msg="mean of both seeds")
        np.testing.assert_allclose(rows.precipitation_slope, 20 * slopes, atol=1e-9)
    assert table.set_index(["place", "flow"]).observed_p.loc["g3", "mean"] < 1e-3


def test_years_that_are_not_tested_do_not_count_and_eight_are_needed():
    observed = growing(np.array([0.1, 0.1]))
    simulated = observed.copy()
    simulated[0, YEARS == 1995] = np.nan
    simulated[1, YEARS >= 1998] = np.nan
    table = flow_trends(made([simulated], observed), observed)
    assert dict(table.groupby("place").years.first()) == {"g0": 9}, "the second gauge has seven years"
    assert trend_evidence(table[:0].assign(model="hbv"), pd.Series(dtype=float), "lstm", 10) == []


def evidence_of(simulated, observed, precipitation, models=("hbv", "lstm")):
    tables = [
        flow_trends(made([flow], observed), precipitation).assign(model=name) for name, flow in zip(models, simulated)
    ]
    blocks = pd.Series(np.arange(len(observed)) // 4, index=[f"g{i}" for i in range(len(observed))])
    rows = pd.DataFrame(trend_evidence(pd.concat(tables), blocks, "lstm", 400))
    return rows.set_index(["quantity", "model", "reference"])


def test_a_model_that_follows_trends_is_told_from_one_that_does_not():
    generator = np.random.default_rng(3)
    slopes = generator.normal(0, 0.1, 40)
    observed = growing(slopes)
    noise = growing(generator.normal(0, 0.1, 40))
    rows = evidence_of([observed + growing(np.full(40, 0.02), 0), noise], observed, noise)
    follows = rows.loc["trend_correlation", "hbv", ""]
    assert follows.effect == pytest.approx(1) and follows.p < 0.01 and follows.n == 40
    assert rows.loc["trend_correlation_low", "hbv", "lstm"].low > 0
    assert rows.loc["trend_correlation", "hbv", "precipitation"].low > 0
    assert rows.loc["trend_bias", "hbv", ""].effect == pytest.approx(0.2)
    unrelated = rows.loc["trend_correlation", "lstm", ""]
    assert unrelated.low < 0 < unrelated.high and unrelated.p > 0.05


def test_no_trend_is_found_in_noise():
    """Annual flows without any trend: about 5 % of gauges below p 0.05, and no correlation of slopes."""
    generator = np.random.default_rng(4)
    observed, simulated = (5 + generator.normal(0, 1, (60, 10)).repeat([365] * 10, axis=1) for _ in range(2))
    days = DAYS[: observed.shape[1]]
    table = flow_trends(made([simulated], observed, days), observed)
    means = table[table.flow == "mean"]
    assert (means.observed_p < 0.05).mean() < 0.15
    rows = trend_evidence(table.assign(model="hbv"), pd.Series(range(60), [f"g{i}" for i in range(60)]), "", 400)
    found = next(row for row in rows if row["quantity"] == "trend_correlation" and row["model"] == "hbv")
    assert found["low"] < 0 < found["high"] and found["p"] > 0.05


@pytest.fixture
def files(tmp_path):
    domain = make_domain(units=24, days=3700, gauges=8)
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", {})
    window = domain.observed_runoff.isel(time=slice(31, None))
    generator = np.random.default_rng(0)
    for model in ("hbv", "lstm"):
        seeds = window.values * generator.gamma(20, 1 / 20, (2, *window.shape))
        simulation = made(seeds, window.values, window.time.values, model).assign_coords(place=domain.place_ids)
        write_netcdf(simulation, tmp_path / f"{model}.nc", {})
    return tmp_path


def test_the_verb_writes_slopes_and_evidence_and_a_figure_is_drawn_of_them(files):
    analyse(
        "trends",
        files / "trends",
        {"domain": "synthetic", "experiment": "temporal"},
        domain_path=files / "domain.nc",
        simulations={model: f"{files}/{model}.nc" for model in ("hbv", "lstm")},
        settings={"reference": "lstm", "bootstrap_samples": 50},
    )
    table = pd.read_csv(files / "trends.csv")
    assert len(table) == 2 * 8 * 3
    evidence = read_evidence(files / "trends_evidence.csv")
    assert {"trend_correlation", "trend_correlation_high", "trend_correlation_low", "trend_bias"} <= set(
        evidence.quantity
    )
    paths = files / "trends.csv", files / "trends_evidence.csv"
    drawn = figure.draw(*paths, labels={"lstm": "LSTM", "hbv": "HBV"})
    titles = [axes.get_title(loc="left").splitlines() for axes in drawn.axes]
    assert [title[0] for title in titles[:2]] == ["(a) LSTM", "(b) HBV"]
    assert all(title[-1].startswith("ρ = ") and title[-1].endswith("n = 8") for title in titles)
    assert all(len(axes.collections[0].get_offsets()) == 8 for axes in drawn.axes)
    own = evidence[(evidence.reference == "") & (evidence.model == "lstm")].set_index("quantity").effect
    assert titles[0][-1] == f"ρ = {number(own['trend_correlation'])}, n = 8"
    with pytest.raises(ValueError, match="no gauge has trends of gr4j"):
        figure.draw(*paths, models=["gr4j"])
