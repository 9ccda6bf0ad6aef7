"""Published scores: pairs made by hand, what is compared with what, and that nothing published is written."""

import numpy as np
import pandas as pd
import pytest

from conftest import analyse, make_domain
from thalweg.basin.domain import DataError
from thalweg.evaluation.evidence import read_evidence
from thalweg.evaluation.published import PUBLISHED, PublishedJob, compare_published, published_evidence, read_published
from thalweg.figures import published as figure
from thalweg.storage.store import write_netcdf

GAUGES = [f"g{i}" for i in range(10)]
BLOCKS = {"us": pd.Series(np.arange(10) // 2, index=GAUGES)}
EARLIER = {"train": ["1999-10-01", "2008-09-30"], "test": ["1989-10-01", "1999-09-30"]}
LATER = {"train": ["1980-10-01", "1995-09-30"], "test": ["1995-10-01", "2010-09-30"]}
DHBV = np.array([0.11, 0.23, 0.31, 0.42, 0.53, 0.64, 0.71, 0.82, 0.87, 0.93])


@pytest.fixture
def folder(tmp_path):
    """Published scores of ten gauges here and one elsewhere; those of other models than dHBV differ by constants."""
    folder = tmp_path / "published-scores"
    folder.mkdir()
    basin = [*GAUGES, "elsewhere"]
    scores = pd.DataFrame({"basin": basin, "nse": [*DHBV, 0.5], "kge": [*(DHBV - 0.05), 0.5]})
    scores.to_csv(folder / "dhbv11p_531_test1989-1999.csv", index=False)
    columns = [column for published in PUBLISHED.values() for column in published.columns.values()]
    others = {name: scores.nse - 0.01 * i for i, name in enumerate(columns) if name.startswith("nse_")}
    pd.DataFrame({"basin": basin, **others}).to_csv(folder / "kratzert2019_lstm_sacsma_nwm_531_nse.csv", index=False)
    return folder


def skill(values, experiment="temporal", model="hbv", metric="NSE", seeds=(-0.02, 0.02)):
    """A skill table; seeds differ from the mean by what is given."""
    rows = [
        ("us", experiment, "discharge", model, 0, seed, gauge, metric, value + off)
        for gauge, value in zip(GAUGES, values)
        for seed, off in enumerate(seeds)
    ]
    return pd.DataFrame(
        rows, columns=["domain", "experiment", "variable", "model", "fold", "seed", "place", "metric", "value"]
    )


def job(**experiments):
    return PublishedJob(
        experiments={f"us/{name}": settings for name, settings in experiments.items()}, bootstrap_samples=100
    )


def test_pairs_by_hand(folder):
    ours = DHBV + np.array([0.1] * 7 + [-0.05] * 3)
    table = compare_published(skill(ours), folder, BLOCKS, job(temporal=EARLIER | {"ungauged": False}))
    row = table.set_index("reference").loc["published dHBV 1.1p"]
    assert row.places == 10
    assert row["median"] == pytest.approx(np.median(ours))
    assert row.reference_median == pytest.approx((0.53 + 0.64) / 2)
    assert row.median_difference == pytest.approx(0.1)
    assert row.share_higher == 0.7
    # Ranks of ours: 0.21 .33 .41 .52 .63 .74 .81 .77 .82 .88, so only the 7th and 8th change places: d^2 = 2
    order = np.argsort(np.argsort(ours))
    assert row.rank_correlation == pytest.approx(1 - 6 * ((order - np.arange(10)) ** 2).sum() / (10 * 99))
    assert row.low <= 0.1 <= row.high + 1e-9


def test_gauged_experiments_are_not_compared_with_the_ungauged_lstm(folder):
    both = pd.concat([skill(DHBV), skill(DHBV, "pub")])
    table = compare_published(
        both, folder, BLOCKS, job(temporal=EARLIER | {"ungauged": False}, pub=EARLIER | {"ungauged": True})
    )
    references = table.groupby("experiment").reference.agg(set)
    assert references["pub"] == set(PUBLISHED)
    assert references["temporal"] == set(PUBLISHED) - {"published LSTM, ungauged"}
    gauged = table[(table.experiment == "pub") & (table.reference == "published LSTM")].differs.item()
    assert "ours ungauged, theirs gauged" in gauged


def test_tests_over_other_years_are_told(folder):
    both = pd.concat([skill(DHBV), skill(DHBV, "later")])
    table = compare_published(
        both, folder, BLOCKS, job(temporal=EARLIER | {"ungauged": False}, later=LATER | {"ungauged": False})
    ).set_index(["experiment", "reference"])
    same = table.same_years
    assert same["temporal", "published dHBV 1.1p"] and not same["later", "published dHBV 1.1p"]
    assert same["later", "national water model"] and not same["temporal", "national water model"]
    assert (
        "tested 1989-10-01 to 1999-09-30, theirs 1995-10-01 to 2010-09-30"
        in (table.differs["temporal", "sac-sma (calibrated)"])
    )
    assert "tested" not in table.differs["temporal", "published dHBV 1.1p"]
    assert table.differs.str.startswith("10 of 531 catchments").all()


def test_only_metrics_that_were_published_are_compared(folder):
    several = pd.concat([skill(DHBV), skill(DHBV, metric="KGE"), skill(DHBV, metric="FHV")])
    table = compare_published(several, folder, BLOCKS, job(temporal=EARLIER | {"ungauged": False}))
    assert table.groupby("metric").reference.agg(list)["KGE"] == ["published dHBV 1.1p"]
    assert set(table.metric) == {"NSE", "KGE"}
    kge = table[table.metric == "KGE"].iloc[0]
    assert kge.median_difference == pytest.approx(0.05)


def test_equal_scores_are_no_evidence_of_a_difference(folder):
    noise = np.array([1, -1, 2, -2, 3, -3, 4, -4, 5, -5]) / 100
    table = compare_published(skill(DHBV + noise), folder, BLOCKS, job(temporal=EARLIER | {"ungauged": False}))
    row = pd.DataFrame(published_evidence(table)).set_index("reference").loc["published dHBV 1.1p"]
    assert row.quantity == "published_nse" and row.effect == pytest.approx(0) and row.p > 0.5
    assert row.low <= 0 <= row.high


def test_missing_files_and_columns_are_named(folder):
    path = folder / "dhbv11p_531_test1989-1999.csv"
    pd.read_csv(path).drop(columns="kge").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"column 'kge' of published dHBV 1\.1p is missing"):
        read_published(folder, "published dHBV 1.1p")
    path.unlink()
    with pytest.raises(DataError, match="thalweg fetch published-scores"):
        read_published(folder, "published dHBV 1.1p")


def test_the_verb_writes_medians_and_no_score_of_a_single_catchment(folder, tmp_path):
    domain = make_domain(units=30, gauges=10)
    domain.places["place"] = GAUGES
    write_netcdf(domain.to_tree(), tmp_path / "us.nc", {})
    skill(DHBV + 0.1).to_csv(tmp_path / "skill.csv", index=False)
    settings = {"experiments": {"us/temporal": EARLIER | {"ungauged": False}}, "bootstrap_samples": 50}
    paths = {"skill_csv": tmp_path / "skill.csv", "folder": folder, "domains": {"us": f"{tmp_path}/us.nc"}}
    analyse("published", tmp_path / "published", **paths, settings=settings)
    evidence = read_evidence(tmp_path / "published_evidence.csv").set_index("reference")
    assert evidence.effect["published dHBV 1.1p"] == pytest.approx(0.1)
    written = (tmp_path / "published.csv").read_text() + (tmp_path / "published_evidence.csv").read_text()
    assert not any(gauge in written for gauge in GAUGES)
    assert not any(f",{score}," in written for score in DHBV)

    files = tmp_path / "skill.csv", folder, tmp_path / "published.csv"
    drawn = figure.draw(*files, "us", "temporal", ["hbv"], labels={"hbv": "HBV"})
    (axes,) = drawn.axes
    curves = [line for line in axes.lines if len(line.get_xdata()) == 10]
    assert len(curves) == 4
    np.testing.assert_allclose(curves[0].get_xdata(), 0.1)
    stated = [text.get_text() for text in axes.get_legend().get_texts()]
    assert stated[0] == "0.10", "the median difference of the table"
    assert "elsewhere" not in written
    with pytest.raises(ValueError, match="no NSE of 'gr4j' in us/temporal is compared"):
        figure.draw(*files, "us", "temporal", ["gr4j"])
