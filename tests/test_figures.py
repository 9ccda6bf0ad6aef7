"""Figures on small synthetic files: what they show, not how their pixels fall."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from thalweg.basin.domain import Domain
from thalweg.evaluation.statistics import COLUMNS, summarise
from thalweg.experiments.simulation import Simulation
from thalweg.figures import (
    hydrographs,
    learning_curves,
    parameter_map,
    skill_cdf,
    skill_map,
    style,
)
from thalweg.figures.boundaries import read_boundaries
from thalweg.storage.store import write_netcdf

LABELS = {"hbv": "δHBV", "lstm": "LSTM", "climatology": "Climatology"}
GAUGES = [f"0{number}" for number in range(1, 9)]
REACHES = [f"r{number}" for number in range(10)]
TIME = pd.date_range("1980-01-01", "1980-12-31")
RECORD = {"datasets": {"delaware": {"version": "2.0.4"}}, "seed": [0, 1]}


def quantity(dims, values, units):
    return dims, np.asarray(values, dtype=float), {"units": units}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def domain_path(folder):
    """A river of ten reaches in a row, one unit on each, and gauges on the first eight."""
    rng = np.random.default_rng(0)
    units = [f"u{number}" for number in range(10)]
    area = np.linspace(10, 100, 10)
    latitude, longitude = np.linspace(42, 40, 10), np.linspace(-75.5, -75, 10)
    coordinates = {"time": TIME, "unit": units}
    domain = Domain(
        "delaware",
        xr.Dataset(
            {
                "precipitation": quantity(("time", "unit"), rng.gamma(0.3, 10, (366, 10)), "mm/day"),
                "temperature": quantity(("time", "unit"), rng.normal(10, 5, (366, 10)), "degC"),
                "potential_evapotranspiration": quantity(("time", "unit"), np.ones((366, 10)), "mm/day"),
            },
            coords=coordinates,
        ),
        xr.Dataset(
            {
                "area": quantity("unit", area, "km2"),
                "latitude": quantity("unit", latitude, "degree"),
                "longitude": quantity("unit", longitude, "degree"),
            },
            coords={"unit": units},
        ),
        xr.Dataset(
            {
                "downstream": ("reach", [*REACHES[1:], ""]),
                "unit_reach": ("unit", REACHES),
                "latitude": quantity("reach", latitude, "degree"),
                "longitude": quantity("reach", longitude, "degree"),
                "drainage_area": quantity("reach", area.cumsum(), "km2"),
            },
            coords={"reach": REACHES, "unit": units},
        ),
        xr.Dataset(
            {
                "name": ("place", [f"River at town {gauge}" for gauge in GAUGES]),
                "reach": ("place", REACHES[:8]),
                "latitude": quantity("place", latitude[:8], "degree"),
                "longitude": quantity("place", longitude[:8], "degree"),
                "drainage_area": quantity("place", area.cumsum()[:8], "km2"),
            },
            coords={"place": GAUGES},
        ),
        xr.Dataset(
            {"discharge": quantity(("time", "place"), rng.gamma(0.5, 3, (366, 8)), "m3/s")},
            coords={"time": TIME, "place": GAUGES},
        ),
    )
    write_netcdf(domain.to_tree(), folder / "delaware.nc", {})
    return folder / "delaware.nc"


def skill_table(experiments=("temporal",), models=tuple(LABELS), metric="NSE"):
    """Gauge 0i has skill i/10 for the first model and less for the others; gauge 08 has none."""
    rows = [
        (
            "delaware",
            experiment,
            "discharge",
            model,
            0,
            seed,
            gauge,
            metric,
            (number + 1) / 10 - 0.2 * order + 0.02 * seed,
        )
        for experiment in experiments
        for order, model in enumerate(models)
        for seed in (0, 1)
        for number, gauge in enumerate(GAUGES[:7])
    ]
    rows += [
        ("delaware", experiment, "discharge", model, 0, 0, "08", metric, np.nan)
        for experiment in experiments
        for model in models
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_skill(folder, name, skill):
    """A skill table and its summary, whose medians the figures state."""
    skill.to_csv(folder / f"{name}.csv", index=False)
    summarise(skill, 50).to_csv(folder / f"{name}-summary.csv", index=False)
    return folder / f"{name}.csv", folder / f"{name}-summary.csv"


@pytest.fixture(scope="module")
def scores(folder):
    return write_skill(folder, "skill", skill_table(("temporal", "pub")))


@pytest.fixture(scope="module")
def skill_csv(scores):
    return scores[0]


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def bars(figure):
    return [axes.get_xlabel() for axes in figure.axes if axes.get_label() == "<colorbar>"]


def legend(holder):
    return [text.get_text() for text in holder.get_texts()]


def points(axes):
    return [each for each in axes.collections if isinstance(each, PathCollection)]


# The map of skill


def test_skill_map_has_a_panel_per_model_with_rivers_gauges_and_units(domain_path, scores):
    figure = skill_map.draw(domain_path, *scores, "delaware", "temporal", list(LABELS), labels=LABELS)
    assert len(panels(figure)) == 3
    first = panels(figure)[0]
    assert first.get_title(loc="left") == "(a) δHBV\nmedian 0.41, 7 gauges"
    assert (first.get_xlabel(), first.get_ylabel()) == ("longitude [°]", "latitude [°]")
    figure.draw_without_rendering()
    assert "75°W" in " ".join(text.get_text() for text in first.get_xticklabels())
    assert bars(figure) == ["NSE [dimensionless], delaware, temporal"]
    river = next(each for each in first.collections if isinstance(each, LineCollection))
    assert len(river.get_segments()) == 9  # the outlet leads nowhere
    assert np.all(np.diff(river.get_linewidths()) > 0)  # wider downstream
    without, coloured = points(first)
    assert len(without.get_offsets()) == 1
    assert sorted(coloured.get_array()) == pytest.approx([0.11 + i / 10 for i in range(7)])
    assert first.get_aspect() == pytest.approx(1 / np.cos(np.deg2rad(41)), rel=1e-2)
    assert any(text.get_text().endswith(" km") for text in first.texts)
    assert legend(figure.legends[0]) == ["gauge without a value"]


def test_skill_map_of_a_bias_is_centred_on_the_best_value(domain_path, folder):
    paths = write_skill(folder, "bias", skill_table(metric="FHV"))
    figure = skill_map.draw(domain_path, *paths, "delaware", "temporal", ["hbv"], metric="FHV")
    low, high = points(panels(figure)[0])[-1].get_clim()
    assert low == -high
    assert bars(figure) == ["FHV [percent], delaware, temporal"]


def test_skill_map_draws_the_coast_it_is_given(domain_path, scores, folder):
    boundary_files(folder / "map")
    figure = skill_map.draw(
        domain_path, *scores, "delaware", "temporal", ["hbv"], labels=LABELS, map_folder=folder / "map"
    )
    coast = next(each for each in panels(figure)[0].collections if isinstance(each, PolyCollection))
    assert len(coast.get_paths()) == 2
    with pytest.raises(FileNotFoundError, match="thalweg fetch map"):
        skill_map.draw(domain_path, *scores, "delaware", "temporal", ["hbv"], map_folder=folder / "nowhere")


def test_skill_map_names_a_model_without_skill(domain_path, scores):
    with pytest.raises(ValueError, match="no NSE of model 'prms' in delaware/temporal; there is of hbv, lstm"):
        skill_map.draw(domain_path, *scores, "delaware", "temporal", ["prms"])


def boundary_files(folder):
    """Land from 80 W to 75.2 W, a lake in it at 75.4 W, and land far away."""
    shapes = [
        (1, [(-80, 35), (-75.2, 35), (-75.2, 45), (-80, 45), (-80, 35)]),
        (2, [(-75.45, 41), (-75.4, 41), (-75.4, 41.05), (-75.45, 41)]),
        (1, [(10, 40), (20, 40), (20, 41), (10, 40)]),
    ]
    folder.mkdir(exist_ok=True)
    lines, data = [], b""
    for number, (level, outline) in enumerate(shapes):
        values = np.array(outline, dtype="<f4")
        low, high = values[:, 1].min(), values[:, 1].max()
        lines.append(f"{level} 1.0 {len(values)} {low:.5f} {high:.5f} {len(data)} {values.nbytes} {number}")
        data += values.tobytes()
    (folder / "gshhsmeta_l.dat").write_text("\n".join(lines))
    (folder / "gshhs_l.dat").write_bytes(data)


def test_boundaries_are_clipped_and_in_drawing_order(folder):
    boundary_files(folder / "map")
    (land, coast), (water, lake) = read_boundaries(folder, (-76, 40, -74, 42))
    assert (land, water) == (False, True) or (land, water) == (True, False)
    assert land and not water
    assert (coast.min(0) == (-76, 40)).all() and coast.max(0) == pytest.approx((-75.2, 42))
    assert lake.max(0) == pytest.approx((-75.4, 41.05))


# The distribution of skill


def test_skill_cdf_has_a_panel_per_experiment_and_a_line_per_model(scores):
    figure = skill_cdf.draw(*scores, labels=LABELS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["(a) delaware, temporal", "(b) delaware, pub"]
    axes = figure.axes[0]
    assert axes.get_xlabel() == "NSE [dimensionless]"
    assert len(axes.lines) == 3
    x, y = axes.lines[0].get_data()
    assert (y[0], y[-1]) == (0, 1)
    assert np.all(np.diff(x) >= 0) and np.all(np.diff(y) >= 0)


def test_skill_cdf_states_the_medians_of_the_summary(scores, folder):
    summary = pd.read_csv(scores[1])
    summary.assign(median=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).to_csv(folder / "stated.csv", index=False)
    first, second = skill_cdf.draw(scores[0], folder / "stated.csv", labels=LABELS).axes
    assert legend(first.get_legend()) + legend(second.get_legend()) == ["0.10", "0.20", "0.30", "0.40", "0.50", "0.60"]


def test_skill_cdf_enters_at_the_share_left_of_the_axis(folder):
    skill = skill_table(models=("hbv",))
    skill.loc[skill.place == "01", "value"] = -30.0
    axes = skill_cdf.draw(*write_skill(folder, "low", skill)).axes[0]
    assert axes.get_xlim() == (skill_cdf.LEAST, 1)
    x, y = axes.lines[0].get_data()
    assert y[x < skill_cdf.LEAST].max() == pytest.approx(1 / 7)


def test_skill_cdf_draws_the_first_four_models_of_each_experiment(folder):
    models = [f"m{number}" for number in range(6)]
    paths = write_skill(folder, "many", skill_table(("temporal", "pub"), models))
    shown = [("delaware", "temporal", models[1:]), ("delaware", "pub", models[:2])]
    first, second = skill_cdf.draw(*paths, shown=shown).axes
    assert [len(axes.lines) for axes in (first, second)] == [4, 2]


def test_skill_cdf_of_a_model_without_values_says_so(folder):
    skill = skill_table(models=("hbv", "lstm"))
    skill.loc[skill.model == "lstm", "value"] = np.nan
    paths = write_skill(folder, "none", skill)
    assert legend(skill_cdf.draw(*paths).axes[0].get_legend())[1] == "no value"
    with pytest.raises(ValueError, match="no row has metric 'KGE'; there are NSE"):
        skill_cdf.draw(*paths, metric="KGE")


# Hydrographs


@pytest.fixture(scope="module")
def simulations(folder):
    """Two models; the second fold tests the gauges that the first does not."""
    rng = np.random.default_rng(1)
    paths = {}
    for model in ("hbv", "lstm"):
        discharge = np.full((2, 2, 8, 366), np.nan)
        discharge[0, :, :4] = rng.gamma(0.5, 3, (2, 4, 366))
        discharge[1, :, 4:] = rng.gamma(0.5, 3, (2, 4, 366))
        discharge[..., :31] = np.nan  # not tested in January
        observed = rng.gamma(0.5, 3, (8, 366))
        observed[3, 100:120] = np.nan
        paths[model] = folder / f"{model}.nc"
        run = xr.Dataset(
            {
                "simulated": quantity(("fold", "seed", "place", "time"), discharge, "mm/day"),
                "observed": quantity(("place", "time"), observed, "mm/day"),
            },
            coords={"fold": [0, 1], "seed": [0, 1], "place": GAUGES, "time": TIME},
            attrs={"variable": "discharge", "unit": "mm/day"},
        )
        write_netcdf(run, paths[model], {})
    return paths


def test_hydrographs_show_best_median_and_worst_gauge(domain_path, simulations, skill_csv):
    figure = hydrographs.draw(domain_path, simulations, skill_csv, "delaware", "temporal", labels=LABELS)
    assert len(figure.axes) == 6
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles[0] == "(a) best: River at town 07, 07, 280 km²"
    assert titles[1].startswith("(b) median: River at town 04") and titles[2].startswith("(c) worst: River at town 01")
    rain, flow = figure.axes[:2]
    assert rain.yaxis_inverted() and not flow.yaxis_inverted()
    assert rain.get_xlim() == flow.get_xlim()
    assert legend(flow.get_legend()) == ["NSE", "0.71", "0.51"]


def test_hydrographs_of_many_models_draw_four_within_the_page(domain_path, simulations, folder):
    models = [f"a model with a long name, number {number}" for number in range(9)]
    skill = skill_table(models=models)
    skill.to_csv(folder / "nine.csv", index=False)
    paths = dict.fromkeys(models, simulations["hbv"])
    figure = hydrographs.draw(domain_path, paths, folder / "nine.csv", "delaware", "temporal")
    figure.draw_without_rendering()
    flow = figure.axes[1]
    assert len([line for line in flow.lines if len(line.get_xdata()) > 2]) == style.MOST_LINES + 1
    page = figure.bbox.padded(1)
    for holder in (figure.legends[0], *(axes.get_legend() for axes in figure.axes[1::2])):
        box = holder.get_window_extent()
        assert page.contains(*box.min) and page.contains(*box.max)
        assert not any(
            box.overlaps(axis.label.get_window_extent()) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
        )


def test_hydrographs_leave_out_days_that_are_not_tested(domain_path, simulations, skill_csv, folder):
    run = xr.open_dataset(simulations["hbv"], engine="h5netcdf").load()
    run.simulated[:, :, :, 150:250] = np.nan
    write_netcdf(run, folder / "gap.nc", {})
    figure = hydrographs.draw(domain_path, {"hbv": folder / "gap.nc"}, skill_csv, "delaware", "temporal")
    line = figure.axes[1].lines[0]
    assert len(line.get_xdata()) == 335, "from the first to the last tested day"
    assert np.isnan(line.get_ydata()).sum() == 100
    late = hydrographs.draw(domain_path, {"hbv": folder / "gap.nc"}, skill_csv, "delaware", "temporal", most_days=180)
    assert len(late.axes[1].lines[0].get_xdata()) == 116, "it does not begin with days without a line"


def test_hydrographs_draw_seed_mean_and_range_of_the_tested_days(domain_path, simulations, skill_csv):
    figure = hydrographs.draw(domain_path, simulations, skill_csv, "delaware", "temporal")
    run = xr.open_dataset(simulations["hbv"], engine="h5netcdf").simulated.sel(fold=1, place="07", time=TIME[31:])
    flow = figure.axes[1]
    assert flow.lines[0].get_ydata() == pytest.approx(run.mean("seed").values)
    outline = flow.collections[0].get_paths()[0].vertices[:, 1]
    assert outline.max() == pytest.approx(run.max().item())
    short = hydrographs.draw(domain_path, simulations, skill_csv, "delaware", "temporal", most_days=90)
    assert len(short.axes[1].lines[0].get_ydata()) == 90


def test_hydrographs_show_rain_over_the_whole_catchment(domain_path, simulations, skill_csv):
    figure = hydrographs.draw(domain_path, simulations, skill_csv, "delaware", "temporal")
    with xr.open_datatree(domain_path, engine="h5netcdf") as tree:
        rain, area = tree["forcing"].precipitation.values[31:, :7], tree["attributes"].area.values[:7]
    drawn = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert sorted(set(drawn) - {0}) == pytest.approx(sorted(set(rain @ area / area.sum()) - {0}))


def test_hydrographs_of_few_gauges_draw_each_once(domain_path, simulations, folder):
    skill = skill_table(models=("hbv",))
    skill[skill.place == "02"].to_csv(folder / "single.csv", index=False)
    figure = hydrographs.draw(domain_path, simulations, folder / "single.csv", "delaware", "temporal")
    assert len(figure.axes) == 2
    assert legend(figure.axes[1].get_legend())[2] == "none"
    with pytest.raises(ValueError, match="model 'hbv' has no NSE at any gauge in delaware/pub"):
        hydrographs.draw(domain_path, simulations, folder / "single.csv", "delaware", "pub")


# Parameters


def parameters(path, unit, seeds=(0, 1, 2)):
    rng = np.random.default_rng(2)
    shape = (1, len(seeds), len(unit))
    run = xr.Dataset(
        {
            "FC": quantity(("fold", "seed", "unit"), rng.uniform(50, 1000, shape), "mm"),
            "TT": quantity(("fold", "seed", "unit"), np.zeros(shape), "degC"),
            "mean_delay": quantity(("fold", "seed", "unit"), rng.uniform(0, 5, shape), "day"),
        },
        coords={"fold": [0], "seed": list(seeds), "unit": unit},
    )
    write_netcdf(Simulation({"discharge": xr.Dataset()}, run).to_tree(model="hbv"), path, {})
    return path, run


def test_parameter_map_shows_mean_and_spread_with_units(domain_path, folder):
    path, run = parameters(folder / "parameters.nc", [f"u{number}" for number in range(10)])
    figure = parameter_map.draw(domain_path, path, ["FC", "TT", "mean_delay"])
    above, below = panels(figure)[:3], panels(figure)[3:]
    assert [axes.get_title(loc="left") for axes in above] == ["(a) FC", "(b) TT", "(c) mean delay"]
    assert len(below) == 3
    assert set(bars(figure)) == {
        *("mean\n[mm]", "mean\n[degC]", "mean\n[day]"),
        *("standard deviation\n[mm]", "standard deviation\n[degC]", "standard deviation\n[day]"),
    }
    assert np.sort(points(above[0])[0].get_array().data) == pytest.approx(np.sort(run.FC.mean(["fold", "seed"]).values))
    assert np.sort(points(below[0])[0].get_array().data) == pytest.approx(np.sort(run.FC.std("seed")[0].values))
    sizes = points(above[0])[0].get_sizes()
    assert sizes.max() / sizes.min() == pytest.approx(10)  # areas of marks go with areas of units
    assert figure.axes[0].get_ylabel() == "latitude [°]"


def test_parameter_map_of_one_seed_has_no_spread_and_of_catchments_stands_at_gauges(domain_path, folder):
    path, _ = parameters(folder / "lumped.nc", GAUGES, seeds=(0,))
    figure = parameter_map.draw(domain_path, path)
    assert len(panels(figure)) == 3
    assert len(points(panels(figure)[0])[0].get_offsets()) == 8


def test_parameter_map_names_what_is_missing(domain_path, folder):
    path, _ = parameters(folder / "parameters.nc", ["u1", "x9"])
    with pytest.raises(ValueError, match="variable 'BETA' is missing; there are FC, TT"):
        parameter_map.draw(domain_path, path, ["BETA"])
    with pytest.raises(ValueError, match="'unit' has 'x9'"):
        parameter_map.draw(domain_path, path)


# Learning curves


def training_log(path, model, experiments=("temporal", "pub"), folds=2):
    rows = [
        ("delaware", experiment, model, fold, seed, step, 10 / step, abs(step - 30) / 10 + 1, 2.0 * step)
        for experiment in experiments
        for fold in range(folds)
        for seed in (0, 1)
        for step in range(10, 60, 10)
    ]
    pd.DataFrame(rows, columns=list(learning_curves.COLUMNS)).to_csv(path, index=False)
    return path


def test_learning_curves_have_two_panels_per_experiment_with_means_and_ranges(folder):
    paths = [training_log(folder / f"{model}.csv", model) for model in ("hbv", "lstm")]
    log = pd.read_csv(paths[0])
    log.loc[log.seed == 1, "training_loss"] *= 3
    log.to_csv(paths[0], index=False)
    figure = learning_curves.draw(paths, LABELS)
    assert len(figure.axes) == 4
    above, below = figure.axes[0], figure.axes[2]
    assert (above.get_ylabel(), below.get_ylabel()) == (
        "training loss\n[dimensionless]",
        "validation loss\n[dimensionless]",
    )
    assert len(above.lines) == len(below.lines) == 2
    assert above.lines[0].get_ydata() == pytest.approx([20 / step for step in range(10, 60, 10)])
    band = above.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((10 / 50, 30 / 10))


def test_learning_curves_leave_out_experiments_logged_once_and_models_beyond_four(folder):
    paths = [training_log(folder / f"m{number}.csv", f"m{number}", ("temporal",)) for number in range(6)]
    once = training_log(folder / "once.csv", "m0", ("pub",))
    log = pd.read_csv(once)
    log[log.step == 10].to_csv(once, index=False)
    figure = learning_curves.draw([*paths, once])
    assert [len(axes.lines) for axes in figure.axes] == [4, 4]
    assert [axes.lines[0].get_marker() for axes in learning_curves.draw([once]).axes] == ["o", "o"]


def test_learning_curves_draw_a_run_without_validation(folder):
    path = training_log(folder / "unvalidated.csv", "hbv", ("temporal",), 1)
    pd.read_csv(path).assign(validation_loss=np.nan).to_csv(path, index=False)
    assert len(learning_curves.draw([path]).axes[1].lines) == 0


def test_learning_curves_name_a_missing_column(folder):
    path = training_log(folder / "short.csv", "hbv")
    pd.read_csv(path).drop(columns="seconds").to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"short.csv: column 'seconds' is missing"):
        learning_curves.draw([path])
    with pytest.raises(ValueError, match="no training log"):
        learning_curves.draw([])


# Style


def test_a_model_looks_the_same_whichever_models_are_drawn_with_it():
    everything = style.looks(list(LABELS), LABELS)
    assert style.looks(["climatology"], LABELS)["climatology"] == everything["climatology"]
    assert len({look.colour for look in everything.values()}) == 3
    assert style.looks(["prms"], LABELS)["prms"].label == "prms"
    assert style.number(-0.001) == "0.00" and style.number(-1.25, 1) == "−1.2"
    many = style.looks([f"m{number:02d}" for number in range(28)])
    assert len({(look.colour, str(look.dashes)) for look in many.values()}) == 28
    with pytest.raises(ValueError, match="only 28"):
        style.looks([f"m{number}" for number in range(29)])
    labels = {f"m{number:02d}": "" for number in range(40)}
    few = style.looks(["m00", "m28", "m30"], labels)
    assert few["m30"] == style.looks(["m30"], labels)["m30"], "of a large study"
    assert few["m00"] == many["m00"]._replace(label="") and few["m28"] == many["m01"]._replace(label="")


def test_colours_span_the_bulk_of_the_values():
    assert style.colour_range(np.arange(101.0)) == (2, 98, "both")
    assert style.colour_range(np.array([5.0, 5.0, np.nan])) == (4.75, 5.25, "neither")
    assert style.colour_range(np.array([np.nan])) == (0, 1, "neither")


def test_saved_figures_carry_their_provenance_and_leave_nothing_behind(folder, scores):
    target = folder / "saved" / "skill_cdf.v1"
    png, pdf = style.save(skill_cdf.draw(*scores, labels=LABELS), target, RECORD)
    assert (png.name, pdf.name) == ("skill_cdf.v1.png", "skill_cdf.v1.pdf")
    assert sorted(path.name for path in target.parent.iterdir()) == [pdf.name, png.name]
    with Image.open(png) as image:
        assert json.loads(image.text["provenance"]) == RECORD
        assert image.width == pytest.approx(style.WIDTH * style.DOTS_PER_INCH, abs=2)
        assert image.mode == "P" and image.getpixel((1, 1)) in range(style.PALETTE)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert b"2.0.4" in pdf.read_bytes()
    assert pdf.read_bytes().startswith(b"%PDF")


def test_dense_figures_stay_small(folder):
    figure = Figure()
    axes = figure.subplots()
    axes.scatter(*np.random.default_rng(0).normal(size=(2, 50_000)), s=4, color=style.OKABE_ITO[0])
    axes.plot(np.random.default_rng(1).normal(size=50_000))
    png, pdf = style.save(figure, folder / "dense", {})
    assert png.stat().st_size < 400_000 and pdf.stat().st_size < 1_000_000


def test_colours_of_saved_figures_are_those_that_were_drawn(folder):
    figure = Figure()
    for position, colour in enumerate([*style.OKABE_ITO, "0.93"]):
        figure.add_artist(Rectangle((position / 8, 0), 1 / 8, 1, color=colour, linewidth=0))
    png, _ = style.save(figure, folder / "colours", {})
    with Image.open(png) as image:
        image = image.convert("RGB")
        found = [image.getpixel(((2 * i + 1) * image.width // 16, image.height // 2)) for i in range(8)]
    assert found == [tuple(round(255 * v) for v in to_rgb(colour)) for colour in [*style.OKABE_ITO, "0.93"]]


@pytest.mark.parametrize("kind", ["map", "hydrographs", "parameters", "curves"])
def test_every_figure_can_be_saved(kind, domain_path, scores, simulations, folder):
    figure = {
        "map": lambda: skill_map.draw(domain_path, *scores, "delaware", "pub", list(LABELS), labels=LABELS),
        "hydrographs": lambda: hydrographs.draw(domain_path, simulations, scores[0], "delaware", "temporal"),
        "parameters": lambda: parameter_map.draw(domain_path, parameters(folder / "p.nc", GAUGES)[0]),
        "curves": lambda: learning_curves.draw([training_log(folder / "log.csv", "hbv")]),
    }[kind]()
    for path in style.save(figure, folder / kind, RECORD):
        assert path.stat().st_size > 2000
