"""Figures of many experiments on made-up tables: what they show, not how their pixels fall."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

from conftest import analyse
from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.skill_tables import read_distances, skill_by_distance, skill_by_training_data
from thalweg.evaluation.statistics import COLUMNS, compare, summarise
from thalweg.figures import learning_curves, skill_cdf, skill_distance, skill_overview, sparse_data, style

LABELS = {"hbv": "δHBV", "lstm": "LSTM", "gr4j": "GR4J"}
GAUGES = [f"{number:02d}" for number in range(48)]
QUALITY = np.linspace(-0.2, 0.2, len(GAUGES))


def rows(experiment, model, values, metric="NSE", fold=0, gauges=GAUGES):
    return [
        ("delaware", experiment, "discharge", model, fold, seed, gauge, metric, value + 0.01 * seed - 0.005)
        for seed in (0, 1)
        for gauge, value in zip(gauges, values, strict=True)
    ]


def write(path, table):
    pd.DataFrame(table, columns=list(COLUMNS)).to_csv(path, index=False)
    return path


def legend(holder):
    return [text.get_text() for text in holder.get_texts()]


# Sparse data

SWEEPS = {"share": {"tenth": 0.1, "temporal": 1}, "years": {"two": 2, "temporal": 10}}


@pytest.fixture
def sparse(tmp_path):
    table = []
    for experiment, loss in {"tenth": 0.2, "two": 0.1, "temporal": 0}.items():
        table += rows(experiment, "hbv", 0.7 - loss / 4 + QUALITY) + rows(experiment, "lstm", 0.72 - loss + QUALITY)
    return write(tmp_path / "skill.csv", table)


def lines(axes):
    """Label-free data lines of a panel: those with one marker per level."""
    return [line for line in axes.lines if line.get_marker() == "o"]


def tables(folder, skill_csv, models, sweeps=None, splits=None):
    """The table of training data or of distance; the gauges stand in six groups."""
    place = {name: ("place", np.arange(48) // 8 * step) for name, step in (("latitude", 2.0), ("longitude", 0.1))}
    xr.Dataset(place, {"place": GAUGES}).to_netcdf(folder / "domain.nc", group="places", engine="h5netcdf")
    settings = {"models": models, "metric": "NSE", "variable": "discharge", "bootstrap_samples": 50, "sweeps": sweeps}
    paths = {"skill_csv": skill_csv, "domain_path": folder / "domain.nc"}
    if splits:
        paths["splits"] = {experiment: str(path) for experiment, path in splits.items()}
    name = "training_data" if sweeps else "distance"
    return analyse(name, folder / "table", {"domain": "delaware"}, **paths, settings=settings)


def test_sparse_data_has_a_panel_per_sweep_and_the_medians_at_its_levels(sparse, tmp_path):
    figure = sparse_data.draw(tables(tmp_path, sparse, ["hbv", "lstm"], SWEEPS), labels=LABELS)
    share, years = figure.axes
    assert share.get_xlabel() == "share of the training catchments [%]"
    assert years.get_xlabel() == "length of the training period [year]"
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "(a) delaware (48 places)",
        "(b) delaware (48 places)",
    ]
    hbv, lstm = lines(share)
    assert hbv.get_ydata() == pytest.approx([0.65, 0.7]) and lstm.get_ydata() == pytest.approx([0.52, 0.72])
    assert hbv.get_xdata() == pytest.approx([10, 100], rel=0.03)
    assert lines(years)[1].get_ydata() == pytest.approx([0.62, 0.72])
    assert lines(years)[1].get_xdata() == pytest.approx([2, 10], rel=0.03)
    figure.draw_without_rendering()
    assert [text.get_text() for text in share.get_xticklabels()] == ["10", "100"]
    assert legend(figure.legends[0]) == ["δHBV", "LSTM"]


def test_sparse_data_compares_the_same_gauges_at_every_level(tmp_path):
    table = rows("temporal", "hbv", 0.7 + QUALITY)
    table += rows("tenth", "hbv", 0.7 + QUALITY[:30], gauges=GAUGES[:30])  # the same skill, at the worse gauges only
    path = write(tmp_path / "s.csv", table)
    figure = sparse_data.draw(tables(tmp_path, path, ["hbv"], {"share": SWEEPS["share"]}))
    assert figure.axes[0].get_title(loc="left") == "(a) delaware (30 places)"
    assert np.ptp(lines(figure.axes[0])[0].get_ydata()) == pytest.approx(0)


def test_the_table_has_intervals_of_blocks_with_the_configured_resamples(sparse, tmp_path):
    table = pd.read_csv(tables(tmp_path, sparse, ["hbv", "lstm"], SWEEPS))
    assert list(table.columns[:2]) == ["sweep", "level"] and len(table) == 8
    skill = pd.read_csv(sparse, dtype={"place": str})
    blocks = {"delaware": read_blocks(tmp_path / "domain.nc")}
    expected = summarise(skill[skill.experiment == "tenth"], 50, blocks=blocks)
    found = table[(table.sweep == "share") & (table.experiment == "tenth")]
    assert found[["low", "high"]].to_numpy() == pytest.approx(expected[["low", "high"]].to_numpy())


def test_sparse_data_names_what_is_missing(sparse):
    skill = pd.read_csv(sparse, dtype={"place": str})
    with pytest.raises(ValueError, match="no skill of model 'gr4j' in 'temporal'"):
        skill_by_training_data(skill, SWEEPS, ["hbv", "gr4j"])
    apart = rows("temporal", "hbv", QUALITY[:9], gauges=GAUGES[:9]) + rows(
        "tenth", "hbv", QUALITY[9:], gauges=GAUGES[9:]
    )
    apart = pd.DataFrame(apart, columns=list(COLUMNS))
    with pytest.raises(ValueError, match="no place has a value of every model in all of tenth, temporal"):
        skill_by_training_data(apart, {"share": SWEEPS["share"]}, ["hbv"])


# Distance

DISTANCE = 5 * 1.07 ** np.arange(len(GAUGES))


@pytest.fixture
def distant(tmp_path):
    """The LSTM falls with distance, HBV does not; fold 1 tests the other half, with distances that do not count in fold 0."""
    noise = np.random.default_rng(0).permutation(np.linspace(-0.02, 0.02, len(GAUGES)))
    table = []
    for fold in (0, 1):
        part = slice(fold, None, 2)
        for model, values in {"hbv": 0.6 + noise, "lstm": 0.7 - 0.2 * np.log10(DISTANCE / 5)}.items():
            table += rows("pub", model, values[part], fold=fold, gauges=GAUGES[part])
    tested = np.arange(len(GAUGES)) % 2
    split = pd.concat(
        pd.DataFrame(
            {
                "fold": fold,
                "place": GAUGES,
                "test": tested == fold,
                "nearest_training_km": np.where(tested == fold, DISTANCE, 0),
            }
        )
        for fold in (0, 1)
    )
    split.to_csv(tmp_path / "pub.csv", index=False)
    return write(tmp_path / "skill.csv", table), {"pub": tmp_path / "pub.csv"}


def test_skill_falls_with_distance_where_it_does(distant, tmp_path):
    skill_csv, splits = distant
    table = tables(tmp_path, skill_csv, ["hbv", "lstm"], splits=splits)
    figure = skill_distance.draw(table, skill_csv, splits, labels=LABELS)
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "(a) delaware, pub (48 places)"
    hbv, lstm = lines(axes)
    assert len(lstm.get_xdata()) == 6  # classes of eight gauges
    assert np.all(np.diff(lstm.get_ydata()) < 0)
    assert lstm.get_ydata() == pytest.approx(0.7 - 0.2 * np.log10(lstm.get_xdata(orig=False) / 5), abs=0.02)
    assert np.ptp(hbv.get_ydata()) < 0.03
    of_hbv, of_lstm = legend(axes.get_legend())
    assert of_lstm == "−1.00"
    assert abs(float(of_hbv.replace("−", "-"))) < 0.3


def test_classes_of_distance_hold_enough_gauges(tmp_path):
    split = pd.DataFrame({"fold": 0, "place": GAUGES[:17], "test": True, "nearest_training_km": DISTANCE[:17]})
    split.to_csv(tmp_path / "pub.csv", index=False)
    skill_csv = write(tmp_path / "skill.csv", rows("pub", "hbv", QUALITY[:17], gauges=GAUGES[:17]))
    splits = {"pub": tmp_path / "pub.csv"}
    figure = skill_distance.draw(tables(tmp_path, skill_csv, ["hbv"], splits=splits), skill_csv, splits)
    assert len(lines(figure.axes[0])[0].get_xdata()) == 2


def test_skill_distance_names_a_model_without_skill(distant):
    skill_csv, splits = distant
    skill = pd.read_csv(skill_csv, dtype={"place": str})
    with pytest.raises(ValueError, match="no NSE of model 'gr4j' in pub"):
        skill_by_distance(skill, {"pub": read_distances(splits["pub"])}, ["hbv", "gr4j"])


# Overview


@pytest.fixture
def overview(tmp_path):
    """In temporal HBV is best and the LSTM, sometimes slightly better, sometimes worse, is not separated from it; GR4J is worse everywhere."""
    wiggle = 0.02 * (-1.0) ** np.arange(len(GAUGES)) * np.linspace(0.5, 1, len(GAUGES))
    table = []
    for metric in ("NSE", "KGE"):
        table += rows("temporal", "hbv", 0.7 + QUALITY, metric)
        table += rows("temporal", "lstm", 0.699 + QUALITY + wiggle, metric)
        table += rows("temporal", "gr4j", 0.6 + QUALITY, metric)
        table += rows("pub", "hbv", 0.5 + QUALITY, metric) + rows("pub", "lstm", 0.6 + QUALITY, metric)
    skill = pd.DataFrame(table, columns=list(COLUMNS))
    summarise(skill, 200).to_csv(tmp_path / "summary.csv", index=False)
    tests = pd.concat([compare(skill, metric, 200) for metric in ("NSE", "KGE")])
    tests.to_csv(tmp_path / "comparison.csv", index=False)
    return tmp_path / "summary.csv", tmp_path / "comparison.csv"


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def cells(axes):
    """(column, row) -> the lines of text in the cell."""
    found = {}
    for text in axes.texts:
        column, row = text.get_position()
        found.setdefault((round(column), round(row)), []).append(text.get_text())
    return found


def test_overview_has_a_row_per_model_a_column_per_experiment_and_marks_the_best(overview):
    figure = skill_overview.draw(*overview, labels=LABELS)
    nse, kge = panels(figure)
    assert [text.get_text() for text in nse.get_yticklabels()] == ["δHBV", "LSTM", "GR4J"]
    assert [text.get_text() for text in kge.get_xticklabels()] == ["temporal", "pub"]
    text = cells(nse)
    assert text[0, 0] == ["0.70"] and text[0, 2] == ["0.60"]
    assert text[1, 0] == ["0.50"] and text[1, 1] == ["0.60"]
    assert (1, 2) not in text  # GR4J is not in this experiment
    assert frames(nse) == {(0, 0): "best", (0, 1): "not distinguished", (1, 1): "best"}
    assert sum(isinstance(patch, Rectangle) for patch in nse.patches) == 5 + 3


def frames(axes):
    """(column, row) -> what the frame of the cell says."""
    return {
        (round(box.get_x() + 0.46), round(box.get_y() + 0.42)): "best"
        if box.get_linestyle() in ("-", "solid")
        else "not distinguished"
        for box in axes.patches
        if box.get_facecolor()[3] == 0
    }


def test_overview_of_models_that_could_not_be_tested_calls_none_worse(tmp_path):
    skill = pd.DataFrame(
        [
            row
            for model, value in (("hbv", 0.7), ("lstm", 0.4))
            for row in rows("pub", model, [value] * 3, gauges=GAUGES[:3])
        ],
        columns=list(COLUMNS),
    )
    summarise(skill, 50).to_csv(tmp_path / "summary.csv", index=False)
    compare(skill, "NSE", 50).to_csv(tmp_path / "comparison.csv", index=False)
    figure = skill_overview.draw(tmp_path / "summary.csv", tmp_path / "comparison.csv", metrics=["NSE"], labels=LABELS)
    assert frames(panels(figure)[0]) == {(0, 0): "best", (0, 1): "not distinguished"}


def test_overview_names_a_metric_that_is_not_there(overview):
    with pytest.raises(ValueError, match="no row has metric 'FHV'; there are NSE, KGE"):
        skill_overview.draw(*overview, metrics=["FHV"])


def test_overview_of_sixteen_models_in_eighteen_experiments_fits_a_page(tmp_path):
    names = [f"model-{number}" for number in range(16)]
    table = [
        {
            "domain": "a",
            "experiment": f"e{column}",
            "variable": "discharge",
            "model": name,
            "metric": "NSE",
            "median": 0.5,
            "low": 0.4,
            "high": 0.6,
        }
        for column in range(18)
        for name in names
    ]
    pd.DataFrame(table).to_csv(tmp_path / "summary.csv", index=False)
    empty = pd.DataFrame(columns=["domain", "experiment", "variable", "metric", "model", "reference", "p_holm"])
    empty.to_csv(tmp_path / "comparison.csv", index=False)
    figure = skill_overview.draw(tmp_path / "summary.csv", tmp_path / "comparison.csv", metrics=["NSE"])
    png, _ = style.save(figure, tmp_path / "overview", {})
    assert png.stat().st_size > 2000
    (axes,) = panels(figure)
    cell = axes.get_window_extent().width / 18
    widest = max(text.get_window_extent().width for text in axes.texts if text.get_text() == "0.50")
    assert widest < cell
    assert figure.get_figwidth() <= style.WIDTH + 0.01 and figure.get_figheight() <= style.TALLEST


# A large study

EXPERIMENTS = [f"catchments-{number}" for number in range(18)]
MODELS = {f"m{number:02d}": f"model with a long name {number}" for number in range(16)}


def overlaps(texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return [(a, b) for position, a in enumerate(boxes) for b in boxes[:position] if a.overlaps(b)]


def is_readable(figure):
    """It fits a page, nothing is written off it, and titles and labels of axes are clear of each other."""
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= style.WIDTH + 0.01 and figure.get_figheight() <= style.TALLEST + 0.01
    titles = [axes.title if axes.get_title() else axes._left_title for axes in figure.axes]
    labels = [axis.label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    assert not overlaps([*titles, *labels])
    page = figure.bbox.padded(1)
    for text in [*titles, *labels, *(text for holder in figure.legends for text in holder.get_texts())]:
        box = text.get_window_extent()
        assert not text.get_text() or (page.contains(*box.min) and page.contains(*box.max)), text.get_text()
    return True


def test_the_distribution_of_a_large_study_is_readable(tmp_path):
    table = []
    for position, experiment in enumerate(EXPERIMENTS):
        for model in list(MODELS)[position % 4 :]:
            table += rows(experiment, model, 0.6 + QUALITY)
    path = write(tmp_path / "skill.csv", table)
    summarise(pd.read_csv(path, dtype={"place": str}), 5).to_csv(tmp_path / "summary.csv", index=False)
    figure = skill_cdf.draw(path, tmp_path / "summary.csv", labels=MODELS)
    assert is_readable(figure)
    assert {len(axes.lines) for axes in figure.axes} == {style.MOST_LINES}


def test_learning_curves_of_a_large_study_are_readable(tmp_path):
    log = [
        ("camels-us", experiment, model, fold, 0, step, 1 / step, 2 / step, 1.0)
        for experiment in EXPERIMENTS
        for model in MODELS
        for fold in range(3)
        for step in (10, 20, 30)
    ]
    pd.DataFrame(log, columns=list(learning_curves.COLUMNS)).to_csv(tmp_path / "log.csv", index=False)
    figure = learning_curves.draw([tmp_path / "log.csv"], MODELS)
    assert is_readable(figure)
    assert {len(axes.lines) for axes in figure.axes} == {style.MOST_LINES}
