"""Delineation and the Cévennes: a small river of known answers, and the real grids, from which models are trained and tested."""

import json
from dataclasses import replace

import h5py
import matplotlib
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.features
import rioxarray
import shapely
import yaml

from conftest import dataset
from thalweg.basin.delineate import POWERS_OF_TWO, delineate, read_flow_directions
from thalweg.basin.domain import DataError, read_domain
from thalweg.basin.grid import RegridError
from thalweg.cli import main
from thalweg.datasets import cevennes
from thalweg.evaluation.score import score
from thalweg.experiments.run import simulate_experiment, train_experiment
from thalweg.experiments.splits import make_splits
from thalweg.figures import rain_grid
from thalweg.settings.blocks import ProcessModel, SequenceModel, Split, Training, TrainingJob
from thalweg.storage.store import provenance, write_netcdf

# Four rows of 5 km2: both sides flow to the middle column, which flows south.
VALLEY = np.array([[3, 3, 5, 7, 7]] * 4)
CORNER = rasterio.transform.from_origin(800_000, 6_450_000, 1000, 1000)
GAUGES = pd.DataFrame({"x": [802_500, 803_400], "y": [6_446_500, 6_448_600], "area": [19.0, 9.5]}, index=["down", "up"])


def write_tif(path, values, transform=CORNER, crs="EPSG:2154", nodata=-9999):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(values)
    height, width = values.shape
    with rasterio.open(
        path, "w", "GTiff", width, height, 1, crs=crs, transform=transform, dtype=values.dtype, nodata=nodata
    ) as file:
        file.write(values, 1)
    return path


@pytest.fixture
def valley(tmp_path):
    return read_flow_directions(write_tif(tmp_path / "flow.tif", VALLEY.astype("float32")))


# Delineation


def test_nested_gauges_are_delineated(valley):
    place = delineate(valley, GAUGES)
    units, gauges = place.subcatchments, place.gauges
    assert list(units.index) == ["down", "up"]
    assert dict(units.downstream) == {"down": "", "up": "down"}
    assert dict(units["area_km2"]) == {"down": 10, "up": 10}
    assert dict(gauges.delineated_km2) == {"down": 20, "up": 10}
    assert dict(gauges.downstream) == {"down": "", "up": "down"}
    assert units.geometry["up"].bounds == (800_000, 6_448_000, 805_000, 6_450_000)
    assert place.catchments.geometry["down"].bounds == (800_000, 6_446_000, 805_000, 6_450_000)
    # Up: from a corner over two cells to the middle, down two, and on to the next cell; down ends at the grid's edge.
    assert dict(units["length_m"]) == {"down": 1000, "up": 4000}


def test_gauge_moves_to_the_cell_of_the_right_area(valley):
    gauges = delineate(valley, GAUGES).gauges
    assert (gauges.x["up"], gauges.y["up"]) == (802_500, 6_448_500)
    assert gauges.moved["up"] == pytest.approx(np.hypot(900, 100))
    assert gauges.area_error["up"] == pytest.approx(10 / 9.5 - 1)


def test_large_increments_are_split(valley):
    units = delineate(valley, GAUGES, maximum_area=5).subcatchments
    assert dict(units.downstream) == {"down": "", "up": "down.1", "down.1": "down", "up.1": "up"}
    assert dict(units.gauge) == {"down": "down", "up": "up", "down.1": "down", "up.1": "up"}
    assert (units["area_km2"] == 5).all()
    assert units.geometry["down.1"].bounds == (800_000, 6_447_000, 805_000, 6_448_000)


def test_other_codes_are_read(tmp_path):
    codes = np.select([VALLEY == 3, VALLEY == 5, VALLEY == 7], [1, 4, 16]).astype("uint8")
    flow = read_flow_directions(write_tif(tmp_path / "flow.tif", codes, nodata=255), POWERS_OF_TWO)
    assert dict(delineate(flow, GAUGES).gauges.delineated_km2) == {"down": 20, "up": 10}


def test_unfit_flow_directions_are_refused(tmp_path):
    circle = VALLEY.astype("float32")
    circle[1, 2] = 1  # northwards, into the cell that flows south
    for values, options, message in (
        (VALLEY, {"crs": None}, "no coordinate reference system"),
        (np.where(VALLEY == 7, 12, VALLEY), {}, "flow direction 12 at row 0, column 3 is not one of"),
        (circle, {}, "drains in a circle"),
    ):
        path = write_tif(tmp_path / "flow.tif", values.astype("float32"), **options)
        with pytest.raises(DataError, match=message):
            read_flow_directions(path)


def test_unfit_gauges_are_named(valley):
    for change, message in (
        ({"area": [19.0, 30.0]}, "'up' drains 30 km2, but the best cell within 1 of it drains 15 km2"),
        ({"x": [802_500, 903_400]}, r"'up' at \(903400, 6.4486e\+06\) lies outside the grid"),
        ({"y": [6_446_500, 6_446_500], "area": [19.0, 20.0]}, "'down' and 'up' fall on the same cell"),
    ):
        with pytest.raises(DataError, match=message):
            delineate(valley, GAUGES.assign(**change))
    with pytest.raises(DataError, match="increase the maximum"):
        delineate(valley, GAUGES, maximum_area=0.5)


# A dataset of two small basins


def make_dataset(folder):
    """Both basins in the same valley: five of six hours of rain, and three days; the grids are larger by a cell."""
    root = folder / cevennes.FOLDER
    write_tif(root / cevennes.FLOW_DIRECTIONS, VALLEY.astype("float32"))
    larger = rasterio.transform.from_origin(799_000, 6_451_000, 1000, 1000)
    generator = np.random.default_rng(0)

    def grid(path, values, **options):
        write_tif(root / path, values, larger, **options)

    for basin, setup, codes in (
        ("Cance", {"dt": 3600, "prcp_conversion_factor": 0.1, "daily_interannual_pet": True}, ["c1", "c2"]),
        ("Lez", {"dt": 86400}, ["l1", "l2"]),
    ):
        (root / basin / "qobs").mkdir(parents=True)
        (root / basin / f"setup_{basin}.yaml").write_text(yaml.safe_dump(setup))
        GAUGES.set_axis(codes).rename_axis("code").to_csv(root / basin / "gauge_attributes.csv")
        crs = "EPSG:2154" if basin == "Cance" else None
        grid(f"{basin}/descriptor/slope.tif", np.full((6, 7), 2.5, "float32"), crs=crs)
    for hour in (22, 23, 24, 26, 27):
        stamp = (pd.Timestamp("2014-09-15") + pd.Timedelta(hours=hour)).strftime("%Y%m%d%H%M")
        rain = generator.integers(0, 90, (6, 7)).astype("int32")
        rain[0, 0] = 65535 if hour < 24 else -99
        grid(f"Cance/prcp/{stamp[:4]}/rain_precipitation_{stamp}_{stamp}.tif", rain, nodata=int(rain[0, 0]))
    for day, value in (("0915", 2.4), ("0916", 4.8)):
        grid(f"Cance/pet/{day}_ETPJIA.tif", np.full((6, 7), value))
    for day in ("20120801", "20120802", "20120803"):
        grid(f"Lez/prcp/2012/08/{day}0000_PT.tif", generator.random((6, 7)).astype("float32") * 40)
        grid(f"Lez/pet/2012/08/{day}0000_ETP.tif", np.full((6, 7), 3.0, "float32"))
    for name, start in (("Cance/qobs/c", "201409152100"), ("Lez/qobs/l", "20120731")):
        for gauge in "12":
            (root / f"{name}{gauge}.csv").write_text("\n".join([start, "0.1", "0.2", "-99.000", "0.4", "0.5"]) + "\n")
    (folder / "dataset.json").write_text(json.dumps({"name": "cevennes", "version": "small"}))
    return folder


@pytest.fixture
def small(tmp_path):
    return make_dataset(tmp_path / "cevennes")


def test_a_missing_hour_is_interpolated_and_named(small):
    rain = cevennes.build(small, "cance")[0].forcing.precipitation
    assert rain.sizes["time"] == 6
    np.testing.assert_allclose(rain[3], (rain[2] + rain[4]) / 2)
    assert rain.attrs["missing_times"] == "2014-09-16T01:00:00" and "interpolated" in rain.attrs["estimate"]
    assert "missing_times" not in cevennes.build(small, "lez")[0].forcing.precipitation.attrs


def test_many_missing_hours_are_refused(small):
    later = small / cevennes.FOLDER / "Cance/prcp/2014/rain_precipitation_201409160800_201409160800.tif"
    corner = rasterio.transform.from_origin(799_000, 6_451_000, 1000, 1000)
    write_tif(later, np.ones((6, 7), "int32"), corner)
    with pytest.raises(DataError, match=r"'precipitation' is nan .*it must have no gaps"):
        cevennes.build(small, "cance")


def test_units_of_time_and_depth(small):
    hourly, daily = (cevennes.build(small, one, maximum_subcatchment_area=100)[0].forcing for one in ("cance", "lez"))
    assert {v.attrs["units"] for v in hourly.data_vars.values()} == {"mm/hour"}
    assert {v.attrs["units"] for v in daily.data_vars.values()} == {"mm/day"}
    assert "temperature" not in hourly and "temperature" not in daily
    np.testing.assert_allclose(daily.potential_evapotranspiration, 3.0)
    files = sorted((small / cevennes.FOLDER / "Cance/prcp").rglob("*.tif"))
    with rasterio.open(files[0]) as file:
        expected = file.read(1)[1:3, 1:6].mean() / 10  # the two rows above the upper gauge
    assert float(hourly.precipitation.sel(unit="c2")[0]) == pytest.approx(expected, rel=1e-6)


def test_discharge_is_read_at_its_time(small):
    hourly, daily = (cevennes.build(small, one)[0].observed.discharge for one in ("cance", "lez"))
    np.testing.assert_array_equal(hourly[:4, 0], [0.2, np.nan, 0.4, 0.5])
    np.testing.assert_array_equal(daily[:, 0], [0.2, np.nan, 0.4])


def test_without_a_temperature_a_process_with_snow_says_so(small):
    domain = cevennes.build(small, "lez")[0]
    filled = domain.observed.discharge.interpolate_na("time", keep_attrs=True)  # a gauge with one value does not train
    domain = replace(domain, observed=domain.observed.assign(discharge=filled))
    split = Split(
        kind="temporal", train=("2012-08-01", "2012-08-02"), test=("2012-08-03", "2012-08-03"), validation="none"
    )
    job = job_of(ProcessModel(label="", process="xinanjiang"), steps=1, window="1 day", spin_up="1 day")
    with pytest.raises(ValueError, match="process xinanjiang needs 'temperature'"):
        train_experiment(domain, make_splits(domain, split), job, small, "")


def job_of(model, **training):
    return TrainingJob(model=model, training=Training(**training), seeds=[0], validation_share=0, device="cpu")


def test_bad_files_are_named(small):
    root = small / cevennes.FOLDER

    def refused(catchment, error, message):
        with pytest.raises(error, match=message):
            cevennes.build(small, catchment)

    day = root / "Lez/prcp/2012/08/201208020000_PT.tif"
    good = day.read_bytes()
    write_tif(day, np.ones((5, 7), "float32"), rasterio.transform.from_origin(799_000, 6_451_000, 1000, 1000))
    refused("lez", DataError, "201208020000_PT.tif.*all must share one grid")
    write_tif(day, np.ones((6, 7), "float32"), crs="EPSG:4326")
    refused("lez", DataError, "201208020000_PT.tif.*expected EPSG:2154")
    hole = np.ones((6, 7), "float32")
    hole[2, 3] = -9999
    write_tif(day, hole, rasterio.transform.from_origin(799_000, 6_451_000, 1000, 1000))
    refused("lez", RegridError, "'precipitation' has data for 90.00% of unit 'l2' at time 2012-08-02")
    day.write_bytes(good)

    discharge = root / "Cance/qobs/c1.csv"
    discharge.write_text("201409152100\n0.1\n-3.5\n")
    refused("cance", DataError, r"c1.csv: variable 'discharge' is -3.5 at position \(1,\)")
    discharge.unlink()
    refused("cance", DataError, "c1.csv: not found; fetch the dataset")

    (root / "Cance/pet/0916_ETPJIA.tif").unlink()
    refused("cance", DataError, "no potential evapotranspiration for 2014-09-16")


def test_the_verb_writes_a_domain_that_the_figure_draws(small, tmp_path):
    path, table = tmp_path / "out/cance.nc", tmp_path / "out/cance.csv"
    settings = json.dumps({"kind": "cevennes", "catchment": "cance", "maximum_subcatchment_area": "5 km2"})
    files = ["--output", str(path), "--table", str(table)]
    main(["step", "domain", "cevennes-cance", "--dataset", str(small), "--settings", settings, *files])
    domain = read_domain(path)
    assert domain.step == "hour" and len(domain.unit_ids) == 4 and domain.variables == ["discharge"]
    for group in (domain.forcing, domain.attributes, domain.network, domain.places, domain.observed):
        for variable in group.data_vars.values():
            assert "long_name" in variable.attrs
            assert variable.dtype.kind not in "fi" or "units" in variable.attrs
    assert domain.inputs == ["area", "slope"]
    assert list(domain.lumped().attributes) == ["area", "latitude", "longitude", "slope"]
    assert list(pd.read_csv(table).place) == ["c1", "c2"]

    figure = rain_grid.draw(path, small, "cance")
    assert isinstance(figure, matplotlib.figure.Figure)
    labels = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
    assert any("northing" in label and "km" in label for label in labels)
    assert any("mm/hour" in label for label in labels)
    assert any("no grid for 1 of 6" in text.get_text() for axes in figure.axes for text in axes.texts)
    figure.savefig(tmp_path / "figure.png")


# The real grids


@pytest.fixture(scope="module")
def folder():
    return dataset("cevennes")


@pytest.fixture(scope="module")
def built(folder):
    return {catchment: cevennes.build(folder, catchment) for catchment in ("cance", "lez")}


@pytest.mark.parametrize(("name", "areas"), [("Cance", (383, 108, 28)), ("Lez", (172, 142, 110))])
def test_catchments_are_those_of_the_dataset_s_own_mesh(folder, name, areas):
    root = folder / cevennes.FOLDER
    flow = read_flow_directions(root / cevennes.FLOW_DIRECTIONS)
    gauges = pd.read_csv(root / name / "gauge_attributes.csv", index_col="code")
    place = delineate(flow, gauges, maximum_area=50)
    assert tuple(place.gauges.delineated_km2) == areas
    with h5py.File(root / name / f"mesh_{name}.hdf5") as file:
        mesh = file["mesh"]
        active, west, north = mesh["active_cell"][...], mesh.attrs["xmin"], mesh.attrs["ymax"]
        np.testing.assert_allclose(place.gauges.delineated_km2 * 1e6, mesh["area_dln"][...])
        row, column = mesh["gauge_pos"][...].T
    ours = rasterio.features.rasterize(
        place.catchments.geometry[:1],
        out_shape=active.shape,
        transform=rasterio.transform.from_origin(west, north, 1000, 1000),
    )
    np.testing.assert_array_equal(ours, active)
    np.testing.assert_array_equal((place.gauges.x - west) // 1000, column)
    np.testing.assert_array_equal((north - place.gauges.y) // 1000, row)


def test_subcatchments_tile_the_catchments(built):
    for domain, table in built.values():
        assert (np.abs(table.area_error) < 0.11).all()
        assert float(domain.attributes.area.max()) <= 50
        total = domain.river.accumulate(domain.attributes.area.values)
        np.testing.assert_allclose(
            total[domain.river.positions(domain.places.reach.values)], domain.places.delineated_area
        )
        assert (domain.network.length > 0).all()


def test_rain_volume_is_that_of_the_grid(built):
    for _, table in built.values():
        assert np.abs(table.rain_error_conservative).max() < 1e-6
        assert (table.rain_mm > table.discharge_mm).all()
        assert (np.abs(table[["rain_error_bilinear", "rain_error_nearest"]]) > 1e-4).all(axis=None)


def test_rain_of_an_hour_is_the_mean_of_its_cells(built, folder):
    domain = built["cance"][0]
    rain = domain.forcing.precipitation
    assert rain.sizes["time"] == 2952
    assert rain.attrs["missing_times"] == "2014-12-19T00:00:00"
    assert float(rain.sel(time="2014-12-19T00:00:00").max()) == 0
    hour = rain.sel(unit="V3517010").idxmax("time").values
    stamp = pd.Timestamp(hour).strftime("%Y%m%d%H%M")
    file = next((folder / cevennes.FOLDER / "Cance/prcp").rglob(f"*_{stamp}_{stamp}.tif"))
    outline = domain.attributes.geometry.sel(unit="V3517010").item()
    with rioxarray.open_rasterio(file) as grid:
        cells = grid.rio.clip([shapely.from_wkt(outline)]).values
    inside = cells[cells != grid.rio.nodata]
    assert inside.size == 28
    assert float(rain.sel(unit="V3517010", time=hour)) == pytest.approx(inside.mean() / 10)


def test_hourly_potential_evapotranspiration_keeps_the_day_and_rests_at_night(built, folder):
    potential = built["cance"][0].forcing.potential_evapotranspiration
    daily = cevennes.potential_evapotranspiration(folder, "cance", pd.DatetimeIndex(["2014-09-15", "2014-12-24"]))
    hours = potential.sel(time=slice("2014-09-15T01", "2014-09-16T00"))
    assert float(daily[0].min()) <= float(hours.sum("time").mean()) <= float(daily[0].max())
    assert (potential.sel(time=potential.time.dt.hour.isin([22, 23, 0, 1, 2])) == 0).all()
    assert set(hours.idxmax("time").dt.hour.values) <= {12, 13}
    assert "spread over its hours" in potential.attrs["estimate"]


def test_the_real_domain_can_be_written_and_drawn(built, folder, tmp_path):
    for catchment, (domain, _) in built.items():
        path = tmp_path / f"{catchment}.nc"
        write_netcdf(domain.to_tree(), path, provenance())
        rain_grid.draw(path, folder, catchment).savefig(tmp_path / "figure.png")


PERIODS = {
    "lez": (("2012-08-01", "2013-03-31"), ("2013-04-01", "2013-07-31")),
    "cance": (("2014-09-15", "2014-11-30"), ("2014-12-01", "2015-01-15")),
}


@pytest.mark.parametrize(
    ("catchment", "model"),
    [
        ("lez", ProcessModel(label="", process="hbv", components=2, hidden=8)),
        ("cance", ProcessModel(label="", process="hbv", components=2, hidden=8)),
        ("lez", SequenceModel(label="", hidden=8)),
        pytest.param("lez", ProcessModel(label="", process="gr4j", components=2, hidden=8), marks=pytest.mark.long),
    ],
)
def test_models_are_trained_and_tested_on_what_was_regridded(built, tmp_path, catchment, model):
    domain = built[catchment][0]
    train, test = PERIODS[catchment]
    splits = make_splits(domain, Split(kind="temporal", train=train, test=test, validation="none"))
    assert splits.train.all() and splits.test.all()
    job = job_of(model, steps=20, window="30 days", spin_up="30 days")
    tensors, values, log = train_experiment(domain, splits, job, tmp_path, "")
    assert np.isfinite(log.validation_loss).all()
    scaling = values["scaling"]["0"]
    assert scaling["forcing"] == ("precipitation", "potential_evapotranspiration")
    assert "aridity" in scaling["attributes"] and "snow_share" not in scaling["attributes"]
    simulation = simulate_experiment(domain, splits, job, tensors, values).variables["discharge"]
    assert np.isfinite(simulation.simulated).all() and simulation.attrs["unit"] == f"mm/{domain.step}"
    simulation.attrs |= {"domain": domain.name, "experiment": "temporal", "model": "m"}
    rows = score(simulation, "s", ["NSE", "peak_timing"], 100).pivot(index="place", columns="metric", values="value")
    assert len(rows) == 3 and np.isfinite(rows.NSE).all()
    assert domain.step == "day" or np.isnan(rows.peak_timing).all()  # its windows are days
