"""Results of the study for the river: stream order, water balance, skill by drainage area, roughness, and their figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PathCollection

from conftest import analyse
from thalweg.analysis.river import (
    AREA_CLASSES,
    area_class,
    mass_balance,
    skill_by_area,
)
from thalweg.analysis.roughness import rank_correlation, roughness_by_order, strahler
from thalweg.basin.domain import Domain, read_domain
from thalweg.basin.network import River
from thalweg.evaluation.statistics import COLUMNS
from thalweg.experiments.simulation import Simulation, read_simulation
from thalweg.figures import nested_hydrographs, river_map, skill_area, style
from thalweg.storage.store import read_provenance, write_netcdf

# Two headwaters join in c, two more in f; c and f join in g, which the headwater h joins on the way to the outlet o. x is
# a river of its own without a gauge.
DOWNSTREAM = {"a": "c", "b": "c", "d": "f", "e": "f", "c": "g", "f": "g", "g": "o", "h": "o", "o": "", "x": ""}
ORDER = {"a": 1, "b": 1, "c": 2, "d": 1, "e": 1, "f": 2, "g": 3, "h": 1, "o": 3, "x": 1}
AREA = {"a": 20, "b": 30, "c": 90, "d": 150, "e": 200, "f": 400, "g": 900, "h": 60, "o": 1500, "x": 10}  # km2
GAUGED = ["a", "b", "c", "d", "e", "f", "g", "h", "o"]
MODELS = ["routed", "hydrograph", "unrouted"]
LABELS = {"hydrograph": "unit hydrograph", "routed": "routed", "unrouted": "no routing"}
TIME = pd.date_range("1980-01-01", periods=100)
BETTER = {"routed": 0.0, "hydrograph": -0.1, "unrouted": -0.2}


def quantity(dims, values, units):
    return dims, np.asarray(values, dtype=float), {"units": units}


@pytest.fixture(scope="module")
def domain():
    """The network above, a unit on each reach, a gauge on each but x."""
    rng = np.random.default_rng(0)
    names = list(DOWNSTREAM)
    n = len(names)
    area = np.array([AREA[name] for name in names], float)
    latitude, longitude = rng.uniform(40, 42, n), rng.uniform(-76, -75, n)
    gauge = [f"g-{name}" for name in GAUGED]
    chosen = [names.index(name) for name in GAUGED]
    weather = {"precipitation": "mm/day", "temperature": "degC", "potential_evapotranspiration": "mm/day"}
    places = {"latitude": quantity("unit", latitude, "degree"), "longitude": quantity("unit", longitude, "degree")}
    return Domain(
        "delaware",
        xr.Dataset(
            {name: quantity(("time", "unit"), np.ones((100, n)), unit) for name, unit in weather.items()},
            coords={"time": TIME, "unit": names},
        ),
        xr.Dataset(places | {"area": quantity("unit", np.full(n, 10.0), "km2")}, coords={"unit": names}),
        xr.Dataset(
            {
                "downstream": ("reach", list(DOWNSTREAM.values())),
                "unit_reach": ("unit", names),
                "latitude": quantity("reach", latitude, "degree"),
                "longitude": quantity("reach", longitude, "degree"),
                "drainage_area": quantity("reach", area, "km2"),
                "width": quantity("reach", np.sqrt(area), "m"),
                "manning_n": quantity("reach", 0.1 - 0.01 * np.log(area), "s/m**(1/3)"),
            },
            coords={"reach": names, "unit": names},
        ),
        xr.Dataset(
            {
                "reach": ("place", GAUGED),
                "latitude": quantity("place", latitude[chosen], "degree"),
                "longitude": quantity("place", longitude[chosen], "degree"),
                "drainage_area": quantity("place", area[chosen], "km2"),
            },
            coords={"place": gauge},
        ),
        xr.Dataset(
            {"discharge": quantity(("time", "place"), rng.gamma(0.5, 3, (100, len(gauge))), "m3/s")},
            coords={"time": TIME, "place": gauge},
        ),
    )


@pytest.fixture(scope="module")
def parameters():
    """Reaches in another order than the network's; n is 0.2 less a hundredth of log area, and seeds 0.01 apart."""
    reach = GAUGED[::-1]
    n = 0.2 - 0.01 * np.log([AREA[name] for name in reach])
    volume = np.array([[5.0, 6.0]])
    return xr.Dataset(
        {
            "roughness": quantity(("fold", "seed", "reach"), [[n - 0.005, n + 0.005]], "s/m**(1/3)"),
            "volume_before": quantity(("fold", "seed"), volume, "m3"),
            "volume_in": quantity(("fold", "seed"), volume + 95, "m3"),
            "volume_out": quantity(("fold", "seed"), [[98.0, 101.0]], "m3"),
            "volume_after": quantity(("fold", "seed"), [[7.0, 5.0]], "m3"),
        },
        coords={"fold": [0], "seed": [3, 4], "reach": reach},
    )


@pytest.fixture(scope="module")
def skill():
    rows = [
        (
            "delaware",
            "temporal",
            "discharge",
            model,
            0,
            seed,
            f"g-{name}",
            metric,
            0.1 * number + better + 0.001 * number * better,
        )
        for model, better in reversed(BETTER.items())
        for seed in (3, 4)
        for number, name in enumerate(GAUGED)
        for metric in ("NSE", "KGE", "FHV")
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_run(path, run, parameters):
    simulation = Simulation({"discharge": run}, parameters)
    write_netcdf(simulation.to_tree(domain="delaware", experiment="temporal", model=path.stem), path, {})


@pytest.fixture(scope="module")
def files(domain, parameters, skill, tmp_path_factory):
    folder = tmp_path_factory.mktemp("river")
    write_netcdf(domain.to_tree(), folder / "delaware.nc", {"datasets": {"delaware": {"version": "2"}}})
    skill.to_csv(folder / "skill.csv", index=False)
    rng = np.random.default_rng(1)
    observed = rng.gamma(0.5, 3, (len(GAUGED), 100))
    observed[GAUGED.index("o"), 60] = 90.0  # the flood
    for model in MODELS:
        run = xr.Dataset(
            {
                "simulated": quantity(
                    ("fold", "seed", "place", "time"), observed[None, None] * [[[[0.8]], [[0.9]]]], "mm/day"
                ),
                "observed": quantity(("place", "time"), observed, "mm/day"),
            },
            coords={"fold": [0], "seed": [3, 4], "place": [f"g-{name}" for name in GAUGED], "time": TIME},
            attrs={"variable": "discharge", "unit": "mm/day"},
        )
        write_run(folder / "simulations" / f"{model}.nc", run, parameters if model == "routed" else None)
    return folder


# The tables


def test_stream_order_by_hand_in_any_order_of_the_file():
    names = list(DOWNSTREAM)
    for shuffled in (names, names[::-1], list(np.random.default_rng(0).permutation(names))):
        order = strahler(River(shuffled, [DOWNSTREAM[name] for name in shuffled]))
        assert dict(zip(shuffled, order)) == ORDER


def test_three_equal_streams_make_one_order_more_and_a_single_one_none():
    assert list(strahler(River(["a", "b", "c", "d", "e"], ["d", "d", "d", "e", ""]))) == [1, 1, 1, 2, 2]


def test_water_balance_closes_but_for_what_is_lost(parameters):
    table = mass_balance(parameters)
    assert list(table.seed) == [3, 4] and list(table.fold) == [0, 0]
    assert table.closure.tolist() == pytest.approx([(5 + 100 - 98 - 7) / 100, (6 + 101 - 101 - 5) / 101])
    assert {"volume_before_m3", "volume_in_m3", "volume_out_m3", "volume_after_m3"} < set(table)
    with pytest.raises(ValueError, match="'volume_in' is missing"):
        mass_balance(parameters.drop_vars("volume_in"))


def test_classes_of_drainage_area_begin_at_their_first_number():
    assert list(area_class([1, 99.9, 100, 999, 1000, 5e4])) == [list(AREA_CLASSES)[i] for i in (0, 0, 1, 1, 2, 2)]


def test_skill_by_drainage_area_pairs_the_routed_model_with_each_other_one(domain, skill):
    area = pd.Series(domain.places.drainage_area.values, domain.place_ids)
    table = skill_by_area(skill, area, "routed", MODELS, samples=50)
    assert set(table.metric) == {"NSE", "KGE"}
    nse = table[table.metric == "NSE"].set_index(["area_class", "model"])
    gauges = nse.places.unstack("model")
    assert (gauges.nunique(axis=1) == 1).all()
    assert gauges.routed.to_dict() == dict(zip([*AREA_CLASSES, "all"], [4, 4, 1, 9]))
    assert nse["median"]["all", "routed"] == pytest.approx(0.4)
    assert nse.improvement["all", "hydrograph"] == pytest.approx(0.1 + 0.0004)
    assert nse.improvement["above 1000 km2", "unrouted"] == pytest.approx(0.2 + 0.0016)
    assert nse.p["all", "hydrograph"] == pytest.approx(2 / 2**9)
    assert nse.p_holm["all", "hydrograph"] == pytest.approx(4 * 2 / 2**9)  # two metrics, two models
    assert nse.reason["above 1000 km2", "unrouted"] == "1 places differ; the test needs 6"
    assert np.isnan(nse.improvement["all", "routed"])
    with pytest.raises(ValueError, match="model 'absent' has no skill"):
        skill_by_area(skill, area, "routed", [*MODELS, "absent"])


def test_roughness_by_stream_order(domain, parameters):
    table = roughness_by_order(domain, parameters).set_index("stream_order")
    assert list(table.index) == [1, 2, 3, "all"]
    assert table.reaches.tolist() == [5, 2, 2, 9]
    assert table.drainage_area_km2[2] == 245
    n = 0.2 - 0.01 * np.log([900, 1500])
    assert table.learned[3] == pytest.approx(n.mean())
    assert table.seed_spread.to_numpy() == pytest.approx(np.std([-0.005, 0.005], ddof=1))
    assert table.rank_correlation_dataset["all"] == pytest.approx(1)
    assert table.rank_correlation_area["all"] == pytest.approx(-1)
    assert np.isnan(table.rank_correlation_area[2])
    assert (table.chow_high[2], table.chow_high[3], table.chow_low[1]) == (0.15, 0.15, 0.025)
    assert table.within_chow[1] == pytest.approx(2 / 10)  # d and e, each with one seed, are below 0.15


def test_roughness_without_stated_n_or_other_seeds_is_told_all_the_same(domain, parameters):
    bare = replace(domain, network=domain.network.drop_vars(["manning_n", "width"]))
    table = roughness_by_order(bare, parameters.isel(seed=[0]))
    assert table[["dataset", "width_m", "seed_spread", "rank_correlation_dataset"]].isna().all(axis=None)
    assert table.learned.notna().all()
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


@pytest.fixture(scope="module")
def tables(files):
    """Tables of the analysis river: mass, skill by area, roughness."""
    analyse(
        "river",
        files / "tables" / "river",
        {"domain": "delaware", "experiment": "temporal"},
        domain_path=files / "delaware.nc",
        simulations={"routed": f"{files}/simulations/routed.nc"},
        skill_csv=files / "skill.csv",
        models=MODELS,
        samples=50,
    )
    return [files / "tables" / f"river_{name}.csv" for name in ("mass", "skill", "roughness")]


def test_the_step_writes_three_tables_with_provenance(tables):
    mass, by_area, _ = tables
    for path in tables:
        table = pd.read_csv(path)
        assert set(table.domain) == {"delaware"} and set(table.experiment) == {"temporal"}
        assert read_provenance(path)["datasets"] == {"delaware": {"version": "2"}}
    assert set(pd.read_csv(mass).model) == set(pd.read_csv(by_area).routed) == {"routed"}
    assert set(pd.read_csv(by_area).model) == set(MODELS)


# The figures


def test_river_map_colours_the_reaches_that_learned_and_greys_the_others(files, tables):
    figure = river_map.draw(files / "delaware.nc", files / "simulations" / "routed.nc", tables[2])
    network, stated, orders = (axes for axes in figure.axes if axes.get_label() != "<colorbar>")
    grey, coloured = (each for each in network.collections if isinstance(each, LineCollection))
    assert len(coloured.get_segments()) == len(grey.get_segments()) == 8  # o and x are outlets
    assert coloured.get_array()[0] == pytest.approx(0.2 - 0.01 * np.log(20))
    assert "rank correlation 1.00\n9 reaches" in [text.get_text() for text in stated.texts]
    assert [text.get_text() for text in orders.get_xticklabels()] == [
        "1\n(5 reaches)",
        "2\n(2 reaches)",
        "3\n(2 reaches)",
    ]
    medians = [line.get_ydata()[0] for line in orders.lines if len(line.get_xdata()) == 2]
    assert medians == pytest.approx(list(pd.read_csv(tables[2]).learned[:3]))
    save(figure, files / "river_map")


def test_river_map_names_a_model_without_a_river(files, parameters, tables):
    run = read_simulation(files / "simulations" / "routed.nc")
    write_run(files / "dry.nc", run, parameters.drop_vars("roughness"))
    with pytest.raises(ValueError, match="'roughness' is missing"):
        river_map.draw(files / "delaware.nc", files / "dry.nc", tables[2])


def test_skill_by_area_is_drawn_with_medians_and_differences(files, tables):
    arguments = (files / "delaware.nc", files / "skill.csv", tables[1], "delaware", "temporal")
    figure = skill_area.draw(*arguments, MODELS, labels=LABELS)
    above, below = figure.axes
    assert above.get_xscale() == below.get_xscale() == "log"
    assert below.get_xlabel() == "drainage area [km²]"
    points = [each for each in above.collections if isinstance(each, PathCollection)]
    assert [len(each.get_offsets()) for each in points] == [9, 9, 9]
    assert np.asarray(below.collections[0].get_offsets())[:, 1].min() == pytest.approx(0.1)
    table = pd.read_csv(tables[1]).set_index(["metric", "model", "area_class"]).loc["NSE"]
    for axes, model, column in ((above, "routed", "median"), (below, "hydrograph", "improvement")):
        drawn = [name for name in LABELS if axes is above or name != "routed"]
        medians = axes.containers[drawn.index(model)].lines[0].get_ydata()
        assert medians == pytest.approx(list(table.loc[model][column][list(AREA_CLASSES)]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(LABELS.values())
    save(figure, files / "skill_area")
    assert len(skill_area.draw(*arguments, ["routed"]).axes) == 1
    with pytest.raises(ValueError, match="no NSE of model 'absent'"):
        skill_area.draw(*arguments, ["routed", "absent"])


def test_nested_hydrographs_follow_one_river_around_its_flood(files):
    simulations = {model: str(files / "simulations" / f"{model}.nc") for model in MODELS}
    figure = nested_hydrographs.draw(
        files / "delaware.nc", simulations, files / "skill.csv", "delaware", "temporal", labels=LABELS
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split("g-")[1][0] for title in titles] == ["b", "c", "g", "o"]  # a has no skill above 0
    observed = next(line for line in figure.axes[-1].lines if line.get_color() == style.OBSERVED)
    assert len(observed.get_ydata()) == 31 and observed.get_ydata()[10] == 90
    save(figure, files / "nested")
    with pytest.raises(ValueError, match="no gauge has NSE of every model in delaware/pub"):
        nested_hydrographs.draw(files / "delaware.nc", simulations, files / "skill.csv", "delaware", "pub")


def test_nested_gauges_are_spread_over_areas_where_there_are_many(files):
    place = read_domain(files / "delaware.nc")
    gauges = {f"g-{name}" for name in GAUGED}
    assert nested_hydrographs.nested_gauges(place, gauges) == ["g-a", "g-c", "g-g", "g-o"]
    assert nested_hydrographs.nested_gauges(place, gauges, most=2) == ["g-a", "g-o"]
    assert nested_hydrographs.nested_gauges(place, {"g-h"}) == ["g-h"]


def save(figure, path):
    for written in style.save(figure, path, {}):
        assert written.stat().st_size > 2000
