"""Figures of sampled places on small synthetic files: what they show, not how their pixels fall."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Annotation, Text

from thalweg.analysis.parameters import attribute
from thalweg.basin.domain import DataError, read_domain, sampled_units
from thalweg.evaluation.statistics import summarise
from thalweg.experiments.simulation import Simulation, read_simulation
from thalweg.figures import heat_budget, parameter_attribute, place_network, series, skill_places, style
from thalweg.settings.blocks import ProcessModel, Training, TrainingJob
from thalweg.storage.store import write_netcdf
from thalweg.units import unit_text

LABELS = {"temperature": "heat budget", "lstm": "LSTM", "air2stream": "air2stream", "climatology": "climatology"}
LIMIT = 4.0  # mg/l
BASELINES = ["air2stream", "climatology"]
JOB = TrainingJob(
    model=ProcessModel(label="", process="stream_temperature"),
    training=Training(climate_attributes=False),
    variables={"water_temperature": 1.0},
    seeds=[0, 1],
    validation_share=0,
    device="cpu",
)

# The sites of the Thames Initiative, about where they stand, and the next one downstream.
THAMES = {
    "TC1": ("Thames at Hannington", 51.66, -1.74, 4, "TC3"),
    "TC2": ("Cole at Lynt Bridge", 51.66, -1.64, 1, "TC5"),
    "TC3": ("Leach at Lechlade", 51.69, -1.68, 0.8, "TC5"),
    "TC4": ("Windrush at Newbridge", 51.71, -1.42, 3, "TC5"),
    "TC5": ("Thames at Newbridge", 51.71, -1.42, 14, "TC7"),
    "TC6": ("Evenlode at Cassington Mill", 51.79, -1.36, 3.8, "TC7"),
    "TC7": ("Thames at Swinford", 51.77, -1.36, 18, "TC12"),
    "TC8": ("Ray at Islip", 51.82, -1.23, 1.5, "TC9"),
    "TC9": ("Cherwell at Hampton Poyle", 51.82, -1.27, 4, "TC12"),
    "TC10": ("Ock at Abingdon", 51.67, -1.29, 1.6, "TC12"),
    "TC11": ("Thame at Wheatley", 51.74, -1.12, 4, "TC12"),
    "TC12": ("Thames at Wallingford", 51.60, -1.12, 30, "TC16"),
    "TC13": ("Pang at Tidmarsh", 51.47, -1.09, 0.7, "TC16"),
    "TC14": ("Kennet at Woolhampton", 51.40, -1.18, 8, "TC16"),
    "TC15": ("Enborne at Brimpton", 51.38, -1.21, 1.3, "TC14"),
    "TC16": ("Thames at Sonning", 51.47, -0.91, 45, "TC20"),
    "TC17": ("Loddon at Charvil", 51.47, -0.88, 7, "TC20"),
    "TC18": ("Lambourn at Boxford", 51.44, -1.38, 1.7, "TC14"),
    "TC19": ("Wye at Bourne End", 51.58, -0.71, 1, "TC21"),
    "TC20": ("Jubilee River at Pocock's Bridge", 51.50, -0.62, 10, "TC22"),
    "TC21": ("The Cut at Paley Street", 51.48, -0.77, 1.1, "TC20"),
    "TC22": ("Thames at Runnymede", 51.43, -0.54, 60, ""),
}


def quantity(dims, values, units, **attrs):
    return dims, np.asarray(values, dtype=float), {"units": units, **attrs}


def make_sites(days=420, count=22, seed=0):
    """Weekly water temperature and nitrate of rivers that follow the air; nitrate below LIMIT is censored."""
    rng = np.random.default_rng(seed)
    ids = list(THAMES)[:count]
    time = pd.date_range("2009-03-01", periods=days, name="time")
    angle = 2 * np.pi * (time.dayofyear.values - 30) / 365.25
    noise = np.convolve(rng.normal(0, 1.6, days + 9), np.ones(10) / np.sqrt(10), "valid")
    air = (10.5 - 7 * np.cos(angle) + noise)[:, None] + rng.normal(0, 0.3, count)
    table = np.array([THAMES[site][1:4] for site in ids], dtype=float)
    flow = table[:, 2] * np.exp(0.5 * np.cos(angle)[:, None] + 0.2 * rng.normal(size=(days, 1)))
    shade = rng.uniform(0.1, 0.8, count)
    water = 11 + (0.85 - 0.3 * shade) * (pd.DataFrame(air).rolling(6, 1).mean().to_numpy() - 10.5)
    nitrate = 6 * np.exp(0.3 * np.cos(angle)[:, None] + rng.normal(0, 0.3, count))
    sampled = np.arange(days)[:, None] % 7 == np.arange(count) % 5
    samples = {
        "water_temperature": np.where(sampled, water + rng.normal(0, 0.5, water.shape), np.nan),
        "nitrate": np.where(sampled, nitrate * np.exp(rng.normal(0, 0.12, water.shape)), np.nan),
    }
    censored = samples["nitrate"] < LIMIT
    samples["nitrate"][censored] = LIMIT
    sites = sampled_units(
        "thames",
        xr.Dataset(
            {
                "air_temperature": quantity(("time", "unit"), air, "degC"),
                "discharge": quantity(("time", "unit"), flow, "m3/s"),
            },
            {"time": time, "unit": ids},
        ),
        xr.Dataset(
            {
                "latitude": quantity("unit", table[:, 0], "degree"),
                "longitude": quantity("unit", table[:, 1], "degree"),
                "name": ("unit", [THAMES[site][0] for site in ids], {"role": "label"}),
                "mean_discharge": quantity("unit", table[:, 2], "m3/s"),
                "elevation": quantity("unit", rng.uniform(10, 110, count), "m"),
                "forest": quantity("unit", shade + rng.normal(0, 0.05, count), "dimensionless"),
                "constant": quantity("unit", np.ones(count), "dimensionless"),
            },
            {"unit": ids},
        ),
        xr.Dataset(
            {
                "water_temperature": quantity(("time", "place"), samples["water_temperature"], "degC"),
                "nitrate": quantity(("time", "place"), samples["nitrate"], "mg/l"),
                "nitrate_censored": (("time", "place"), censored.astype(np.int8)),
            },
            {"time": time, "place": ids},
        ),
        xr.Dataset(
            {
                "downstream": ("unit", [each if (each := THAMES[site][4]) in ids else "" for site in ids]),
                "length": quantity("unit", np.full(count, 2e4), "m"),
            },
            {"unit": ids},
        ),
    )
    return sites, {"water_temperature": water, "nitrate": nitrate}, shade


def write_study(folder, days=420, count=22, seeds=(0, 1)):
    """Everything that the figures read: domain, simulations of two experiments with parameters and internals, skill, attribution.

    The experiment ``temporal`` of water temperature holds out the second half of the samples; ``sites`` of nitrate two
    halves of the sites in two folds. The first sixty days are neither trained nor tested.
    """
    sites, truth, shade = make_sites(days, count)
    rng, values = np.random.default_rng(1), parameters(sites, shade, seeds)
    write_netcdf(sites.to_tree(), folder / "domain.nc", {})
    rows = []
    for experiment, variable, folds in (("temporal", "water_temperature", [0]), ("sites", "nitrate", [0, 1])):
        observed = sites.observed[variable].values.T
        unit = sites.observed[variable].attrs["units"]
        half = np.arange(count) % len(folds) == np.array(folds)[:, None]  # tested sites (fold, site)
        held_out = np.arange(days) >= days // 2
        tests = half[..., None] & (held_out | (len(folds) > 1)) & np.isfinite(observed)
        trains = (~half[..., None] if len(folds) > 1 else ~held_out) & np.isfinite(observed)
        trains = np.broadcast_to(trains, tests.shape).copy()
        tests[..., :60], trains[..., :60] = False, False
        for order, model in enumerate(LABELS):
            error = rng.normal(0, 0.25 + 0.1 * order, (len(folds), len(seeds), count, days))
            shift = rng.normal(0, 0.4 + 0.3 * order, (count, 1)) + rng.normal(0, 0.2, (len(seeds), 1, 1))
            if variable == "nitrate":
                simulated = truth[variable].T * np.exp(0.4 * shift + 0.2 * error)
            else:
                simulated = truth[variable].T + shift + error
            simulated = np.where(half[:, None, :, None], simulated, np.nan)
            run = xr.Dataset(
                {
                    "simulated": quantity(("fold", "seed", "place", "time"), simulated, unit),
                    "observed": quantity(("place", "time"), observed, unit),
                    "censored": (("place", "time"), sites.censored(variable).T.astype(np.int8)),
                    "tested": (("fold", "place", "time"), tests.astype(np.int8)),
                    "trained": (("fold", "place", "time"), trains.astype(np.int8)),
                },
                {"fold": folds, "seed": list(seeds), "place": sites.place_ids, "time": sites.forcing.time.values},
                {"variable": variable, "unit": unit},
            )
            more = {}
            if (experiment, model) == ("temporal", "temperature"):
                more = {"parameters": values, "internals": internals(sites, truth["water_temperature"], shade)}
            write_run(folder / f"{experiment}-{model}.nc", run, **more)
            for i, fold in enumerate(folds):
                for j, seed in enumerate(seeds):
                    for k in np.flatnonzero(half[i]):
                        away = (simulated[i, j, k] - observed[k])[tests[i, k]]
                        key = ("thames", "thames", experiment, variable, unit, model, fold, seed, sites.place_ids[k])
                        rows += [(*key, "RMSE", np.sqrt(np.mean(away**2))), (*key, "bias", away.mean())]
    columns = ["study", "domain", "experiment", "variable", "unit", "model", "fold", "seed", "place", "metric", "value"]
    write_skill(folder, "skill", pd.DataFrame(rows, columns=columns))
    table, _ = attribute(sites, pd.DataFrame({"fold": [0]}), JOB, values, 200)
    table.assign(model="temperature").to_csv(folder / "attribution.csv", index=False)
    return folder


def write_skill(folder, name, skill):
    """A skill table and its summary, ``<name>.csv`` and ``<name>-summary.csv``: what the figure of skill reads."""
    skill.to_csv(folder / f"{name}.csv", index=False)
    summarise(skill, 100).to_csv(folder / f"{name}-summary.csv", index=False)
    return folder / f"{name}.csv", folder / f"{name}-summary.csv"


def write_run(path, run, **more):
    experiment, model = path.stem.split("-")[:2]
    simulation = Simulation({run.attrs["variable"]: run}, **more)
    write_netcdf(simulation.to_tree(domain="thames", experiment=experiment, model=model), path, {})
    return path


def parameters(sites, shade, seeds, folds=(0,)):
    """Shade follows forest, width discharge, the window nothing; elevation is known."""
    rng = np.random.default_rng(2)
    shape = len(folds), len(seeds), len(sites.unit_ids)
    discharge = sites.attributes.mean_discharge.values
    values = {
        "riparian_shade": (np.clip(shade + rng.normal(0, 0.06, shape), 0.001, 0.95), "dimensionless", 0.001, 0.95),
        "width_coefficient": (4 + 5 * np.log10(discharge * 2) + rng.normal(0, 0.4, shape), "m", 1, 25),
        "groundwater_window": (rng.uniform(150, 400, shape[2]) + rng.normal(0, 20, shape), "day", 100, 1000),
        "groundwater_offset": (rng.normal(0, 1, shape[2]) + rng.normal(0, 0.3, shape), "delta_degC", -4, 7),
        "albedo": (np.full(shape, 0.08), "dimensionless", 0.06, 0.1),
        "elevation": (np.broadcast_to(sites.attributes.elevation.values, shape), "m", -100, 5000),
    }
    return xr.Dataset(
        {
            name: quantity(("fold", "seed", "unit"), each, unit, low=low, high=high, known=int(name == "elevation"))
            for name, (each, unit, low, high) in values.items()
        },
        {"fold": list(folds), "seed": list(seeds), "unit": sites.unit_ids},
    )


def internals(sites, water, shade):
    """Terms of a heat budget, W/m2 into the water."""
    time = pd.DatetimeIndex(sites.forcing.time.values)
    season = -np.cos(2 * np.pi * (time.dayofyear.values - 15) / 365.25)[:, None]
    air = sites.forcing.air_temperature.values
    terms = {
        "shortwave": (130 + 105 * season) * (1 - shade),
        "longwave_in": 0.8 * 5.67e-8 * (air + 273.16) ** 4 * (1 + 0.15 * shade),
        "longwave_out": -5.4e-8 * (water + 273.16) ** 4,
        "evaporation": -(45 + 35 * season) * (1 - 0.3 * shade),
        "convection": 4 * (air - water),
        "bed_conduction": 1.65 * (11 - water),
        "friction": np.full(water.shape, 2.5),
    }
    equilibrium = water + sum(terms.values()) / 25
    data = {name: quantity(("time", "unit"), each, "W/m2") for name, each in terms.items()}
    data["water_temperature"] = quantity(("time", "unit"), water, "degC")
    data["equilibrium_temperature"] = quantity(("time", "unit"), equilibrium, "degC")
    return xr.Dataset(data, {"time": time, "unit": sites.unit_ids})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("place_figures"))


def simulations(folder, experiment, models=tuple(LABELS)):
    return {model: str(folder / f"{experiment}-{model}.nc") for model in models}


def read(path, part=None):
    return read_simulation(path, part)


def skill_of(folder, experiment, model, metric="RMSE"):
    skill = pd.read_csv(folder / "skill.csv")
    skill = skill[(skill.experiment == experiment) & (skill.model == model) & (skill.metric == metric)]
    return skill.groupby("place").value.mean()


def legend(holder):
    return [text.get_text() for text in holder.get_texts()]


def marks(axes, face, marker="o"):
    """Number of samples drawn with this face and marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker and line.get_markerfacecolor() == face]
    return sum(len(line.get_xdata()) for line in lines)


# Series


@pytest.fixture(scope="module")
def drawn_series(folder):
    return series.draw(
        folder / "domain.nc", folder / "skill.csv", simulations(folder, "temporal"), LABELS, most_days=1461
    )


def test_series_show_sites_by_the_rank_of_the_first_models_error(folder, drawn_series):
    ranked = skill_of(folder, "temporal", "temperature").sort_values().index
    expected = [("lower quartile", 5), ("median", 10), ("upper quartile", 16), ("worst", 21)]
    assert [axes.get_title(loc="left") for axes in drawn_series.axes] == [
        f"({letter}) {rank} ({position + 1} of 22): {THAMES[ranked[position]][0]}"
        for letter, (rank, position) in zip("abcd", expected)
    ]
    assert drawn_series.get_suptitle() == "thames, temporal: places ranked by the RMSE of heat budget"
    stated = legend(drawn_series.axes[0].get_legend())
    values = [skill_of(folder, "temporal", model)[ranked[5]] for model in LABELS]
    assert stated == ["RMSE [°C]", *(f"{value:.2f}" for value in values)]


def test_series_mark_held_out_and_training_samples(folder, drawn_series):
    run = read(folder / "temporal-temperature.nc")
    site = skill_of(folder, "temporal", "temperature").sort_values().index[5]
    axes = drawn_series.axes[0]
    assert marks(axes, series.FILLED) == run.tested.sel(place=site).sum().item() > 25
    assert marks(axes, series.OPEN) == run.trained.sel(place=site).sum().item() > 20
    assert marks(axes, series.NEITHER) == run.observed.sel(place=site)[:60].notnull().sum().item() > 5
    assert legend(drawn_series.legends[0]) == [*LABELS.values(), "held-out sample", "training sample", "unused sample"]
    filled = next(line for line in axes.lines if line.get_markerfacecolor() == series.FILLED)
    assert filled.get_ydata() == pytest.approx(
        run.observed.sel(place=site).where(run.tested[0].sel(place=site) > 0).dropna("time")
    )


def test_series_draw_the_mean_over_seeds_and_their_range(folder, drawn_series):
    site = skill_of(folder, "temporal", "temperature").sort_values().index[21]
    run = read(folder / "temporal-lstm.nc").simulated.sel(place=site, fold=0)
    axes = drawn_series.axes[-1]
    days = np.isin(run.time, axes.lines[1].get_xdata())
    assert days.sum() > 400
    assert axes.lines[1].get_ydata() == pytest.approx(run.mean("seed").values[days])
    outline = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (outline.min(), outline.max()) == pytest.approx((run[:, days].min().item(), run[:, days].max().item()))
    assert axes.get_ylabel() == "water temperature\n[°C]" and axes.get_yscale() == "linear"


def test_series_of_a_concentration_are_logarithmic_with_censored_samples_as_triangles(folder):
    figure = series.draw(folder / "domain.nc", folder / "skill.csv", simulations(folder, "sites"), LABELS)
    run = read(folder / "sites-temperature.nc")
    ranked = skill_of(folder, "sites", "temperature").sort_values().index
    tested, censored = run.tested.any("fold"), run.censored > 0
    for axes, position in zip(figure.axes, (5, 10, 16, 21)):
        site = {"place": ranked[position]}
        assert axes.get_yscale() == "log" and axes.get_ylabel() == "nitrate\n[mg/l]"
        assert marks(axes, series.FILLED, "v") == (tested & censored).sel(site).sum().item()
        assert marks(axes, series.FILLED) == (tested & ~censored).sel(site).sum().item()
        assert marks(axes, series.OPEN) == 0  # what another fold trained on was not trained on here
    assert (tested & censored).sel(place=ranked[[5, 10, 16, 21]]).any()
    assert legend(figure.legends[0])[-1] == "below detection limit"


def test_series_show_the_last_days_and_each_of_few_sites_once(folder):
    skill = pd.read_csv(folder / "skill.csv")
    skill[skill.place == "TC4"].to_csv(folder / "single.csv", index=False)
    runs = simulations(folder, "temporal", ["temperature"])
    figure = series.draw(folder / "domain.nc", folder / "single.csv", runs, most_days=90)
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines[0].get_ydata()) == 90
    year = series.draw(folder / "domain.nc", folder / "single.csv", runs)
    assert len(year.axes[0].lines[0].get_ydata()) == 366, "of water temperature, whose lines lie on each other"


def test_series_name_what_is_missing(folder):
    runs = simulations(folder, "temporal", ["temperature"])
    with pytest.raises(ValueError, match="no KGE of domain 'thames'; there is of none"):
        series.draw(folder / "domain.nc", folder / "skill.csv", runs, metric="KGE")
    with pytest.raises(ValueError, match="no RMSE of model 'hbv'; there is of temperature, lstm"):
        series.draw(folder / "domain.nc", folder / "skill.csv", {"hbv": runs["temperature"]})
    path = write_run(folder / "temporal-temperature-untrained.nc", read(runs["temperature"]).drop_vars("trained"))
    with pytest.raises(DataError, match=r"untrained.nc: variable 'trained' is missing"):
        series.draw(folder / "domain.nc", folder / "skill.csv", {"temperature": path})


def test_skill_at_places_asks_which_rows_are_meant(folder):
    with pytest.raises(ValueError, match="RMSE is there of experiment temporal, sites; name one"):
        series.skill_at_places(folder / "skill.csv", "RMSE", "lstm")
    values = series.skill_at_places(folder / "skill.csv", "bias", "lstm", experiment="sites")
    assert values.to_dict() == pytest.approx(skill_of(folder, "sites", "lstm", "bias").to_dict())


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("degC", "°C"),
        ("delta_degC", "K"),
        ("m3/s", "m³/s"),
        ("W/m2", "W/m²"),
        ("ug/l", "µg/l"),
        ("mg/l", "mg/l"),
        ("umol/m2/s", "µmol/m²/s"),
        ("dimensionless", "dimensionless"),
    ],
)
def test_units_are_written_as_in_print(unit, text):
    assert unit_text(unit) == text


def test_decimals_follow_the_size_of_the_numbers():
    sizes = {0.0042: 4, 0.042: 3, 0.42: 2, -4.2: 2, 42: 2, 420: 0, 0: 2}
    assert {size: series.decimals([size / 7, np.nan, size]) for size in sizes} == sizes


# Skill beside baselines

EXPERIMENTS = {
    "water_temperature": {"temporal": {"label": "water temperature, later"}},
    "nitrate": {"sites": {"label": "nitrate, elsewhere"}},
}


def draw_skill(paths, variable="water_temperature", labels=LABELS, **more):
    return skill_places.draw(*paths, "thames", variable, EXPERIMENTS[variable], labels, **more)


@pytest.fixture(scope="module")
def scores(folder):
    return folder / "skill.csv", folder / "skill-summary.csv"


def test_skill_has_a_panel_per_experiment_and_states_medians_and_direction(folder, scores):
    (first,) = draw_skill(scores, baselines=BASELINES).axes
    (second,) = draw_skill(scores, "nitrate", baselines=BASELINES).axes
    assert first.get_title(loc="left").replace("\n    ", " ").startswith("(a) water temperature,")
    assert first.get_title(loc="left").endswith("(22 places)")
    assert first.get_xlabel() == "RMSE [°C]\n(lower is better)"
    assert [label.get_text() for label in first.get_yticklabels()] == list(LABELS.values())
    medians = [text.get_text().split("\n")[0] for text in second.texts if " to " in text.get_text()]
    assert medians == [f"{skill_of(folder, 'sites', model).median():.2f}" for model in LABELS]
    assert first.get_xlim()[0] == 0


def test_intervals_are_those_of_the_summary(folder, scores):
    """Here of 100 resamples: nothing is resampled in the drawing."""
    summary = pd.read_csv(scores[1])
    summary.assign(low=0.001, high=9.0).to_csv(folder / "other.csv", index=False)
    (axes,) = draw_skill((scores[0], folder / "other.csv")).axes
    assert sum(text.get_text().endswith("0.00 to 9.00") for text in axes.texts) == len(LABELS)


def test_skill_draws_every_place_and_baselines_hollow_below_the_others(folder, scores):
    order = {"climatology": "climatology", **LABELS}  # the study's order does not put baselines last
    axes = draw_skill(scores, labels=order, baselines=BASELINES).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][-2:] == ["climatology", "air2stream"]
    points = [each for each in axes.collections if isinstance(each, PathCollection)]
    beyond = sum(int(text.get_text().split()[0]) for text in axes.texts if "beyond" in text.get_text())
    assert sum(len(each.get_offsets()) for each in points) + beyond == 4 * 22
    assert [len(each.get_facecolors()) > 0 for each in points] == [True, True, False, False]
    drawn = np.sort(np.asarray(points[0].get_offsets())[:, 0])
    assert drawn == pytest.approx(np.sort(skill_of(folder, "temporal", "temperature").to_numpy()))


def test_skill_counts_what_lies_beyond_the_axis(folder):
    skill = pd.read_csv(folder / "skill.csv")
    skill.loc[(skill.model == "lstm") & (skill.place == "TC1"), "value"] = 500.0
    axes = draw_skill(write_skill(folder, "outlier", skill)).axes[0]
    assert axes.get_xlim()[1] < 300
    assert [text.get_text() for text in axes.texts if "beyond" in text.get_text()] == ["1 beyond"]


def test_skill_of_other_metrics_states_their_direction(folder, scores):
    axes = draw_skill(scores, "nitrate", metric="bias").axes[0]
    assert axes.get_xlim()[0] == -axes.get_xlim()[1]
    skill = pd.read_csv(folder / "skill.csv").assign(metric="NSE", value=lambda table: 1 - table.value.abs())
    skill = skill.drop_duplicates(["experiment", "model", "fold", "seed", "place"])
    axes = draw_skill(write_skill(folder, "nse", skill), metric="NSE").axes[0]
    assert axes.get_xlim()[1] == 1


def test_skill_of_a_model_that_an_experiment_lacks_says_so(folder, scores):
    skill = pd.read_csv(folder / "skill.csv")
    again = skill[(skill.experiment == "temporal") & (skill.model != "lstm")].assign(experiment="again")
    two = {"temporal": {"label": "later"}, "again": {"label": "again"}}
    paths = write_skill(folder, "fewer", pd.concat([skill, again]))
    figure = skill_places.draw(*paths, "thames", "water_temperature", two, LABELS)
    assert "no value" in [text.get_text() for text in figure.axes[1].texts]
    with pytest.raises(ValueError, match="no RMSE of experiment 'pub' in thames; there is of temporal"):
        skill_places.draw(*scores, "thames", "water_temperature", {"pub": {"label": ""}})


# Parameters against attributes


@pytest.fixture(scope="module")
def learned(folder):
    return folder / "attribution.csv", folder / "temporal-temperature.nc", folder / "domain.nc"


def test_parameters_stand_against_the_attribute_they_follow_most_closely(learned):
    figure = parameter_attribute.draw(*learned)
    drawn = [(axes.get_ylabel(), axes.get_xlabel()) for axes in figure.axes]
    assert set(drawn[:2]) == {
        ("riparian shade\n[dimensionless]", "forest\n[dimensionless]"),
        ("width coefficient\n[m]", "mean discharge\n[m³/s]"),
    }
    assert len(drawn) == 4  # the albedo is the same everywhere, the elevation is known
    assert "groundwater offset\n[K]" in dict(drawn)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    strength = [abs(float(title.split("= ")[1].split(",")[0].replace("−", "-"))) for title in titles]
    assert strength == sorted(strength, reverse=True) and strength[1] > 0.9 > 0.6 > strength[2]
    shade = titles[drawn.index(("riparian shade\n[dimensionless]", "forest\n[dimensionless]"))]
    assert "p = 0.005\nn = 22, bounds" in shade and shade.endswith("bounds 0.001 to 0.95")
    assert all(float(title.split("p = ")[1].split("\n")[0]) > 0.05 for title in titles[2:]), "no more than chance"


def test_correlation_and_p_are_those_of_the_table(folder, learned):
    table = pd.read_csv(learned[0]).assign(correlation=0.123, p_familywise=0.0004)
    table.to_csv(folder / "given.csv", index=False)
    axes = parameter_attribute.draw(folder / "given.csv", *learned[1:]).axes[0]
    assert "ρ = 0.12, p < 0.001\nn = 22" in axes.get_title(loc="left")


def test_parameters_are_means_over_seeds_with_their_range(learned):
    pairs = [["riparian_shade", "elevation"]]
    axes = parameter_attribute.draw(*learned, pairs, {"elevation": "height"}).axes[0]
    values = read(learned[1], "parameters").riparian_shade.mean("fold")
    assert axes.lines[0].get_ydata() == pytest.approx(values.mean("seed").values)
    bars = np.array([segment[:, 1] for segment in axes.collections[0].get_segments()])
    assert bars == pytest.approx(np.stack([values.min("seed"), values.max("seed")], axis=1))
    assert axes.lines[0].get_xdata() == pytest.approx(read_domain(learned[2]).attributes.elevation.values)
    assert axes.get_xlabel() == "height\n[m]" and axes.get_xscale() == "linear"


def test_parameters_name_what_is_missing(folder, learned):
    table, path, domain = learned
    with pytest.raises(DataError, match=r"temperature.nc: variable 'FC' is missing"):
        parameter_attribute.draw(table, path, domain, [["FC", "forest"]])
    with pytest.raises(DataError, match="attributes: variable 'snow' is missing"):
        parameter_attribute.draw(table, path, domain, [["albedo", "snow"]])
    run, values = read(path), read(path, "parameters")
    constant = pd.read_csv(table)
    constant[constant.parameter == "albedo"].to_csv(folder / "constant.csv", index=False)
    with pytest.raises(ValueError, match=r"constant.csv: no parameter of temperature varies"):
        parameter_attribute.draw(folder / "constant.csv", path, domain)
    moved = values.assign_coords(unit=[f"x{site}" for site in THAMES])
    path = write_run(folder / "temporal-temperature-moved.nc", run, parameters=moved)
    with pytest.raises(ValueError, match="'unit' has 'xTC1', which is no unit of thames"):
        parameter_attribute.draw(table, path, domain)


# Heat budget


def test_heat_budget_shows_terms_that_sum_to_the_net_and_temperatures(folder):
    figure = heat_budget.draw(folder / "temporal-temperature.nc", folder / "domain.nc", place="TC7")
    assert figure.get_suptitle() == "thames: Thames at Swinford"
    above, below = figure.axes
    _, *terms, net = (line.get_ydata() for line in above.lines)
    assert len(terms) == 4 and all(len(term) == 365 for term in terms)
    assert net == pytest.approx(sum(terms))
    assert above.get_ylabel() == "heat into the water\n[W/m²]"
    assert below.get_ylabel() == "temperature\n[°C]"
    assert len(legend(below.get_legend())) == 4
    assert [label.get_text() for label in below.get_xticklabels(minor=True)] == list("JFMAMJJASOND")


def test_heat_budget_is_a_running_mean_over_the_turn_of_the_year(folder):
    figure = heat_budget.draw(folder / "temporal-temperature.nc", folder / "domain.nc", place="TC7")
    run = read(folder / "temporal-temperature.nc", "internals").sel(unit="TC7")
    series = (run.longwave_in + run.longwave_out).to_series()
    mean = series.groupby(series.index.strftime("%m-%d")).mean().drop("02-29", errors="ignore").to_numpy()
    drawn = figure.axes[0].lines[2].get_ydata()
    assert drawn[0] == pytest.approx(np.concatenate([mean[-15:], mean[:16]]).mean())
    assert drawn[180] == pytest.approx(mean[165:196].mean())


def test_heat_budget_chooses_the_place_of_median_skill(folder):
    middle = skill_of(folder, "temporal", "temperature").sort_values().index[10]
    figure = heat_budget.draw(folder / "temporal-temperature.nc", folder / "domain.nc", folder / "skill.csv")
    assert figure.get_suptitle() == f"thames: {THAMES[middle][0]}"


def test_heat_budget_names_what_is_missing(folder):
    path, domain = folder / "temporal-temperature.nc", folder / "domain.nc"
    with pytest.raises(ValueError, match="Give 'place', or 'skill_csv'"):
        heat_budget.draw(path, domain)
    with pytest.raises(ValueError, match="no value at place 'TC99'"):
        heat_budget.draw(path, domain, place="TC99")
    run, fluxes = read(path), read(path, "internals")
    short = write_run(folder / "temporal-temperature-short.nc", run, internals=fluxes.drop_vars("convection"))
    with pytest.raises(DataError, match=r"short.nc: variable 'convection' is missing"):
        heat_budget.draw(short, domain, place="TC1")
    run, fluxes = (each.isel(time=slice(0, 300)) for each in (run, fluxes))
    spring = write_run(folder / "temporal-temperature-spring.nc", run, internals=fluxes)
    with pytest.raises(ValueError, match=r"spring.nc: no value on any 01 January; .* simulate longer"):
        heat_budget.draw(spring, domain, place="TC1")


# Network


def test_network_joins_sites_and_numbers_them_downstream(folder):
    figure = place_network.draw(folder / "domain.nc")
    axes = figure.axes[0]
    lines = next(each for each in axes.collections if isinstance(each, LineCollection))
    assert len(lines.get_segments()) == 21
    names = [text.split("\N{FIGURE SPACE}")[-1].split("  ")[1] for text in legend(figure.legends[0])]
    assert sorted(names) == sorted(name for name, *_ in THAMES.values())
    number = {name: position for position, name in enumerate(names)}
    for name, *_, downstream in THAMES.values():
        assert downstream == "" or number[name] < number[THAMES[downstream][0]]
    marks = next(each for each in axes.collections if isinstance(each, PathCollection))
    assert len(marks.get_offsets()) == 22
    assert np.asarray(marks.get_offsets())[0] == pytest.approx(
        [-0.54, 51.43]
    )  # the largest river first, below the others
    assert np.all(np.diff(marks.get_sizes()) <= 0)
    assert legend(axes.get_legend()) == ["mean discharge [m³/s]", "0.7", "4", "60"]


def test_network_colours_the_sites_by_skill(folder):
    skill = pd.read_csv(folder / "skill.csv")
    skill[skill.place != "TC3"].to_csv(folder / "one_less.csv", index=False)
    figure = place_network.draw(
        folder / "domain.nc", folder / "one_less.csv", "lstm", experiment="temporal", labels=LABELS
    )
    axes, bar = figure.axes
    assert bar.get_ylabel() == "RMSE of LSTM, temporal [°C]"
    marks = [each for each in axes.collections if isinstance(each, PathCollection)][-1]
    expected = skill_of(folder, "temporal", "lstm").drop("TC3")
    assert np.sort(np.asarray(marks.get_array())) == pytest.approx(np.sort(expected.to_numpy()))
    assert legend(axes.get_legend())[-1] == "place without a value"
    key = next(text for text in legend(figure.legends[0]) if "Swinford" in text)
    assert key.endswith(f"Thames at Swinford ({expected['TC7']:.2f})")


def test_network_labels_do_not_overlap_each_other_or_the_marks(folder):
    figure = place_network.draw(folder / "domain.nc")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    numbers = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text().isdigit()]
    boxes = [text.get_window_extent() for text in numbers]
    assert len(boxes) == 22
    for position, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:position])
        assert axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
    marks = next(each for each in axes.collections if isinstance(each, PathCollection))
    centres = axes.transData.transform(marks.get_offsets())
    radii = np.sqrt(marks.get_sizes()) / 2 * figure.dpi / 72
    for box in boxes:
        nearest = np.clip(centres, box.min, box.max)
        assert np.all(np.hypot(*(nearest - centres).T) > 0.9 * radii)


def test_labels_keep_clear_of_lines_and_each_other():
    at = np.array([[50.0, 50.0], [50.0, 50.0], [58.0, 50.0]])
    size = np.full((3, 2), 6.0)
    line = np.array([[[50.0, 50.0], [50.0, 100.0]]])
    centre = place_network.place_labels(at, np.full(3, 3.0), size, line, (0, 0, 100, 100))
    for position, label in enumerate(centre):
        assert not (abs(label[0] - 50) < 3 and label[1] > 50)
        assert all(np.abs(label - other).max() >= 6 for other in centre[:position])
        assert np.hypot(*(label - at[position])) < 25
    edge = place_network.place_labels(at[:1] + 49, np.full(1, 3.0), size[:1], line[:0], (0, 0, 100, 100))
    assert np.all(edge + 3 <= 100)


def test_network_of_many_sites_or_without_a_river_is_a_plain_map(folder):
    sites = make_sites(30, 5)[0]
    tree = sampled_units("thames", sites.forcing, sites.attributes.drop_vars("name"), sites.observed).to_tree()
    write_netcdf(tree, folder / "apart.nc", {})
    figure = place_network.draw(folder / "apart.nc")
    assert not [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    assert [text.split("  ")[1] for text in legend(figure.legends[0])] == ["TC1", "TC3", "TC2", "TC4", "TC5"]
    many = [f"s{number}" for number in range(50)]
    groups = [
        group.isel({name: np.arange(50) % 5}).assign_coords({name: many})
        for name, group in (("unit", sites.forcing), ("unit", sites.attributes), ("place", sites.observed))
    ]
    write_netcdf(sampled_units("thames", *groups).to_tree(), folder / "many.nc", {})
    figure = place_network.draw(folder / "many.nc")
    assert not figure.legends
    assert not [text for text in figure.axes[0].texts if text.get_text().isdigit()]


def test_network_names_a_missing_attribute(folder):
    sites = make_sites(30, 5)[0]
    dry = sites.attributes.drop_vars("mean_discharge")
    tree = sampled_units("thames", sites.forcing, dry, sites.observed).to_tree()
    write_netcdf(tree, folder / "dry.nc", {})
    with pytest.raises(DataError, match=r"dry.nc/attributes: variable 'mean_discharge' is missing"):
        place_network.draw(folder / "dry.nc")


# Files


def test_series_are_saved_at_a_reasonable_size(folder, drawn_series):
    for path in style.save(drawn_series, folder / "series", {}):
        assert 5_000 < path.stat().st_size < 2_000_000


def test_what_is_written_stays_on_the_page(folder, drawn_series, scores, learned):
    sites, skill = folder / "domain.nc", folder / "skill.csv"
    for figure in (
        drawn_series,
        draw_skill(scores, baselines=BASELINES),
        parameter_attribute.draw(*learned),
        heat_budget.draw(folder / "temporal-temperature.nc", sites, skill),
        place_network.draw(sites, skill, "lstm", experiment="temporal"),
    ):
        figure.draw_without_rendering()
        page = figure.bbox.padded(1)
        axis = {text for axes in figure.axes for each in (axes.xaxis, axes.yaxis) for text in each.findobj(Text)}
        ticks = axis - {each.label for axes in figure.axes for each in (axes.xaxis, axes.yaxis)}
        written = [text for text in figure.findobj(Text) if text.get_text() and text not in ticks]
        off = [text.get_text() for text in written if not page.contains(*text.get_window_extent().min)]
        off += [text.get_text() for text in written if not page.contains(*text.get_window_extent().max)]
        assert not off
