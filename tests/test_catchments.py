"""Large-sample datasets: small synthetic copies of every layout, and the real files where a copy of them is there."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyet
import pytest
import xarray as xr
from pydantic import ValidationError

from thalweg.basin.domain import DataError, read_domain
from thalweg.cli import main
from thalweg.datasets import camels_us, caravan, france, own_catchments, settings_of
from thalweg.datasets import lumped as catchments
from thalweg.learn.scaling import climate_attributes
from thalweg.storage.store import read_provenance, write_netcdf
from thalweg.units import UnitError

MIRROR = Path(os.environ.get("THALWEG_MIRROR", Path(__file__).parents[1] / "../shared/mirror"))
IDS = ["01000001", "01000002", "17000003"]
YEARS = ("1999-10-01", "2001-09-30")
AREA = np.array([100.0, 250.0, 800.0])  # km2, stated
RATIO = np.array([1.0, 1.3, 0.4])  # area of the forcing files over the stated one
ATTRIBUTE_YEARS = ("1989-10-01", "2009-09-30")


def real(name):
    """Folder of a copy of real data; the test skips where there is none."""
    folder = MIRROR / name
    if not folder.is_dir():
        pytest.skip(f"needs {name} in the folder that THALWEG_MIRROR names, or in ../shared/mirror")
    return folder


def weather(period, count, seed=0):
    """Made-up Daymet: variable of the netCDF form -> (basin, time), and time."""
    generator = np.random.default_rng(seed)
    time = pd.date_range(*period, name="time")
    season = -np.cos(2 * np.pi * time.dayofyear.to_numpy() / 365.25) * np.ones((count, 1))
    shape = count, len(time)
    mean = 9 + 12 * season + generator.normal(0, 3, shape)
    span = generator.uniform(1, 6, shape)
    return {
        "precipitation": (generator.gamma(0.4, 8, shape) * (generator.random(shape) < 0.5)).round(2),
        "day_length": (12 + 3 * season).round(3),
        "minimum_air_temperature": (mean - span).round(2),
        "maximum_air_temperature": (mean + span).round(2),
        "shortwave_radiation": (350 + 150 * season + generator.uniform(-50, 50, shape)).round(2),
        "vapour_pressure": (1000 + 400 * season).round(1),
        "discharge": (1.2 + season * 0.5 + generator.uniform(0, 0.5, shape)).round(4),
    }, time


NETCDF_UNITS = {
    "precipitation": "mm/day",
    "day_length": "hour",
    "minimum_air_temperature": "degC",
    "maximum_air_temperature": "degC",
    "shortwave_radiation": "W/m2",
    "vapour_pressure": "Pa",
    "discharge": "mm/day",
}


def write_attributes(folder, mean_depth):
    """Attribute tables as CAMELS-US publishes them; q_mean relates to the stated area."""
    generator = np.random.default_rng(1)
    by_table = {
        "clim": [
            c
            for c, *_ in camels_us.KRATZERT_2019.values()
            if c.startswith(("p_", "pet", "frac_s", "arid", "high", "low"))
        ],
        "soil": [
            c for c, *_ in camels_us.KRATZERT_2019.values() if c.startswith(("soil", "sand", "silt", "clay", "max"))
        ],
        "vege": ["frac_forest", "lai_max", "lai_diff", "gvf_max", "gvf_diff", "dom_land_cover_frac", "root_depth_50"],
        "geol": ["carbonate_rocks_frac", "geol_permeability", "geol_porostiy", "glim_1st_class_frac"],
    }
    tables = {kind: pd.DataFrame(generator.random((3, len(c))), IDS, c) for kind, c in by_table.items()}
    tables["vege"].loc[IDS[1], "root_depth_50"] = np.nan
    tables["hydro"] = pd.DataFrame({"q_mean": mean_depth * RATIO, "runoff_ratio": 0.4}, IDS)
    tables["topo"] = pd.DataFrame(
        {
            "gauge_lat": [45.0, 46, 44],
            "gauge_lon": [-69.0, -70, -120],
            "elev_mean": 300.0,
            "slope_mean": 25.0,
            "area_gages2": AREA,
        },
        IDS,
    )
    tables["name"] = pd.DataFrame({"huc_02": ["01", "01", "17"], "gauge_name": ["A", "B", "C"]}, IDS)
    folder.mkdir()
    for kind, table in tables.items():
        table.rename_axis("gauge_id").to_csv(folder / f"camels_{kind}.txt", sep=";", na_rep="NA")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same three catchments in the netCDF and in the text form of CAMELS-US."""
    tmp_path = tmp_path_factory.mktemp("camels_us")
    series, time = weather(ATTRIBUTE_YEARS, 3)
    series["minimum_air_temperature"][1, 4000], series["maximum_air_temperature"][1, 4000] = 3.0, -1.0
    netcdf, text = tmp_path / "netcdf", tmp_path / "text"
    netcdf.mkdir()
    dims = ("basin", "time")
    dataset = xr.Dataset(
        {name: (dims, values, {"units": NETCDF_UNITS[name]}) for name, values in series.items()},
        coords={"basin": IDS, "time": time},
    )
    dataset.to_netcdf(netcdf / "timeseries.nc", engine="h5netcdf")
    (netcdf / "basins_531.txt").write_text(f"{IDS[0]}\n{IDS[2]}\n99999999\n")
    write_attributes(netcdf / "attributes", series["discharge"].mean(1))

    text.mkdir()
    write_attributes(text / "camels_attributes_v2.0", series["discharge"].mean(1))
    for position, name in enumerate(IDS):
        area = AREA[position] * RATIO[position]
        row = {variable: values[position] for variable, values in series.items()}
        forcing = text / "basin_mean_forcing/daymet" / name[:2] / f"{name}_lump_cida_forcing_leap.txt"
        forcing.parent.mkdir(parents=True, exist_ok=True)
        lines = ["  44.82", " 133.00", f" {area * 1e6:.0f}"]
        lines.append("Year Mnth Day Hr dayl(s) prcp(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)")
        for day, *values in zip(
            time,
            row["day_length"] * 3600,
            row["precipitation"],
            row["shortwave_radiation"],
            np.zeros(len(time)),
            row["maximum_air_temperature"],
            row["minimum_air_temperature"],
            row["vapour_pressure"],
        ):
            lines.append(f"{day:%Y %m %d} 12\t" + "\t".join(f"{value:.2f}" for value in values))
        forcing.write_text("\n".join(lines))
        flow = text / "usgs_streamflow" / name[:2] / f"{name}_streamflow_qc.txt"
        flow.parent.mkdir(parents=True, exist_ok=True)
        cubic_feet = row["discharge"] * area / 86.4 / 0.3048**3
        flow.write_text("\n".join(f"{name} {day:%Y %m %d} {value:10.4f} A" for day, value in zip(time, cubic_feet)))
    return tmp_path


@pytest.fixture
def both_forms(written, tmp_path):
    """Copies of both forms, to read or to spoil: folder of the netCDF form, folder of the text form."""
    shutil.copytree(written, tmp_path / "copy")
    return tmp_path / "copy/netcdf", tmp_path / "copy/text"


def test_camels_us_is_a_domain_of_lumped_catchments(both_forms):
    domain, table = camels_us.build(both_forms[0], YEARS)
    assert list(domain.unit_ids) == list(domain.place_ids) == IDS
    assert (domain.catchment_weights.toarray() == np.eye(3)).all()
    assert list(domain.places.region.values) == ["01", "01", "17"]
    assert set(camels_us.KRATZERT_2019) | {"latitude", "longitude"} == set(domain.attributes.data_vars)
    assert len(camels_us.KRATZERT_2019) == 27
    assert domain.attributes.slope.values == pytest.approx(0.025)
    assert table.kept.all()


def test_camels_us_units(both_forms):
    forcing = camels_us.build(both_forms[0], YEARS)[0].forcing.isel(unit=0)
    with xr.open_dataset(both_forms[0] / "timeseries.nc", engine="h5netcdf") as file:
        there = file.sel(basin=IDS[0], time=slice(*YEARS))
        np.testing.assert_allclose(
            forcing.shortwave_radiation, there.shortwave_radiation * there.day_length / 24, rtol=1e-5
        )
        np.testing.assert_allclose(forcing.vapour_pressure, there.vapour_pressure / 100, rtol=1e-5)
        mean = (there.minimum_air_temperature + there.maximum_air_temperature) / 2
        np.testing.assert_allclose(forcing.temperature, mean, atol=1e-5)
    assert 1 < forcing.potential_evapotranspiration.mean() < 3


def test_camels_us_areas_that_differ_are_flagged_and_depths_rescaled(both_forms):
    domain, table = camels_us.build(both_forms[0], ATTRIBUTE_YEARS)
    np.testing.assert_allclose(table.area_ratio, RATIO, rtol=1e-6)
    assert list(table.rescaled) == [False, True, True]
    assert list(table.flag.str.contains("area of the forcing files")) == [False, True, True]
    np.testing.assert_allclose(domain.places.drainage_area, AREA)
    plain, unscaled = camels_us.build(both_forms[0], ATTRIBUTE_YEARS, rescale_discharge=False)
    assert not unscaled.rescaled.any()
    np.testing.assert_array_equal(plain.observed.discharge, domain.observed.discharge)
    np.testing.assert_allclose(domain.observed_runoff, plain.observed_runoff * RATIO[:, None], rtol=1e-5)
    with xr.open_dataset(both_forms[0] / "timeseries.nc", engine="h5netcdf") as file:
        np.testing.assert_allclose(plain.observed_runoff, file.discharge, rtol=1e-5)
    assert "2 of 3 catchments" in domain.observed.discharge.attrs["comment"]


def test_camels_us_text_and_netcdf_agree(both_forms):
    netcdf, text = (camels_us.build(folder, YEARS)[0] for folder in both_forms)
    for name in netcdf.forcing.data_vars:
        np.testing.assert_allclose(text.forcing[name], netcdf.forcing[name], rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(text.observed.discharge, netcdf.observed.discharge, rtol=1e-4)
    np.testing.assert_allclose(text.observed_runoff, netcdf.observed_runoff, rtol=1e-4)
    xr.testing.assert_allclose(text.attributes, netcdf.attributes)


def test_camels_us_exchanges_extremes_the_wrong_way_round(both_forms):
    domain, table = camels_us.build(both_forms[0], ATTRIBUTE_YEARS)
    assert (domain.forcing.minimum_temperature <= domain.forcing.maximum_temperature).all()
    assert domain.forcing.minimum_temperature.values[4000, 1] == -1
    assert list(table.days_with_temperatures_exchanged) == [0, 1, 0]
    assert "minimum temperature above maximum" in table.flag[1]


def test_camels_us_benchmark_and_ids(both_forms):
    assert list(camels_us.build(both_forms[0], YEARS, catchments="benchmark")[0].unit_ids) == [IDS[0], IDS[2]]
    domain = camels_us.build(both_forms[0], YEARS, catchments=[IDS[2], IDS[0]])[0]
    assert list(domain.unit_ids) == [IDS[2], IDS[0]]
    np.testing.assert_allclose(domain.places.drainage_area, [800, 100])
    with pytest.raises(DataError, match=r"basins_531.txt: the list .* is missing"):
        camels_us.build(both_forms[1], YEARS, catchments="benchmark")
    with pytest.raises(DataError, match="catchment '1234' is missing"):
        camels_us.build(both_forms[0], YEARS, catchments=["1234"])


@pytest.mark.parametrize("name", ["q_mean", "runoff_ratio", "elev_mean", "dom_land_cover"])
def test_camels_us_refuses_signatures_and_unknown_attributes(both_forms, name):
    with pytest.raises(DataError, match=f"attribute '{name}' is not allowed as an input of networks"):
        camels_us.build(both_forms[0], YEARS, attributes=["elevation", name])


def test_camels_us_attribute_with_a_gap_is_named(both_forms):
    with pytest.raises(DataError, match=f"attribute 'root_depth_50' of catchment '{IDS[1]}' is 'nan'"):
        camels_us.build(both_forms[0], YEARS, attributes=["root_depth_50"])
    domain, _ = camels_us.build(both_forms[0], YEARS, attributes=["root_depth_50"], catchments=[IDS[0], IDS[2]])
    assert set(domain.attributes.data_vars) == {"area", "latitude", "longitude", "root_depth_50"}


def test_camels_us_product_without_extremes_needs_another_method(both_forms):
    text = both_forms[1]
    for path in list((text / "basin_mean_forcing/daymet").rglob("*.txt")):
        moved = text / "basin_mean_forcing/nldas" / path.name.replace("cida", "nldas")
        moved.parent.mkdir(exist_ok=True)
        moved.write_text(path.read_text())
    with pytest.raises(DataError, match=r"nldas.*'hargreaves' needs minimum and maximum"):
        camels_us.build(text, YEARS, product="nldas")
    domain, _ = camels_us.build(text, YEARS, "oudin", product="nldas")
    assert "maximum_temperature" not in domain.forcing
    with pytest.raises(DataError, match="contains the product daymet, not 'nldas'"):
        camels_us.build(both_forms[0], YEARS, "oudin", product="nldas")


@pytest.mark.parametrize(
    "file, old, new, message",
    [
        (
            "basin_mean_forcing/daymet/01/01000001_lump_cida_forcing_leap.txt",
            " 100000000\n",
            " area\n",
            "line 3 is 'area'",
        ),
        (
            "basin_mean_forcing/daymet/01/01000001_lump_cida_forcing_leap.txt",
            "prcp(mm/day)",
            "rain",
            r"prcp\(mm/day\)' is missing",
        ),
        (
            "usgs_streamflow/01/01000001_streamflow_qc.txt",
            "1989 10 02",
            "1989 10 01",
            "'time' repeats after 1989-10-01",
        ),
        (
            "usgs_streamflow/01/01000001_streamflow_qc.txt",
            "A\n",
            "A\n01000001 1989 10 02 -5.0 A\n",
            "'discharge' is -5 at position",
        ),
        ("usgs_streamflow/01/01000001_streamflow_qc.txt", "1989 10 02", "1989 13 02", "invalid dates"),
        ("camels_attributes_v2.0/camels_topo.txt", "area_gages2", "area", "'area_gages2' is missing"),
    ],
)
def test_camels_us_bad_files(both_forms, file, old, new, message):
    path = both_forms[1] / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as error:
        camels_us.build(both_forms[1], YEARS)
    assert str(both_forms[1]) in str(error.value)


def test_camels_us_missing_discharge_and_short_records_are_left_out(both_forms):
    text = both_forms[1]
    (text / "usgs_streamflow/01/01000001_streamflow_qc.txt").unlink()
    path = text / "usgs_streamflow/01/01000002_streamflow_qc.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{line[:19]}  -999.00 M" for line in lines))
    domain, table = camels_us.build(text, YEARS)
    assert list(table.reason) == ["no file of discharge", "fewer than 730 days of discharge", "kept"]
    assert list(domain.unit_ids) == IDS[2:]
    domain, table = camels_us.build(text, YEARS, minimum_days=0)
    assert np.isnan(domain.observed.discharge.sel(place=IDS[1])).all()
    with pytest.raises(DataError, match="none of 3 catchments can be kept"):
        camels_us.build(text, ("2009-01-01", "2012-12-31"))


def test_camels_us_without_the_mean_of_discharge_has_no_area(both_forms):
    path = both_forms[0] / "attributes/camels_hydro.txt"
    lines = path.read_text().splitlines()
    lines[2] = f"{IDS[1]};NA;0.4"
    path.write_text("\n".join(lines))
    domain, table = camels_us.build(both_forms[0], YEARS)
    assert list(domain.unit_ids) == [IDS[0], IDS[2]]
    assert "no attribute q_mean in 1989-10-01 to 2009-09-30, so no area" in table.reason[1]


def test_camels_us_on_disk(both_forms, tmp_path):
    domain, _ = camels_us.build(both_forms[0], YEARS)
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", {})
    again = read_domain(tmp_path / "domain.nc")
    xr.testing.assert_identical(again.forcing, domain.forcing)
    assert list(again.places.region.values) == ["01", "01", "17"]


ERA5_LAND = ("2000-01-01", "2002-12-31")


def caravan_series(seed=0):
    generator = np.random.default_rng(seed)
    time = pd.date_range(*ERA5_LAND, name="date")
    season = -np.cos(2 * np.pi * time.dayofyear.to_numpy() / 365.25)
    mean = 9 + 10 * season
    return pd.DataFrame(
        {
            "total_precipitation_sum": generator.gamma(0.5, 6, len(time)),
            "temperature_2m_mean": mean,
            "temperature_2m_min": mean - 5,
            "temperature_2m_max": mean + 5,
            "dewpoint_temperature_2m_mean": mean - 4,
            "surface_net_solar_radiation_mean": 120 + 80 * season,
            "surface_net_thermal_radiation_mean": -50.0,
            "surface_pressure_mean": 98.0,
            "u_component_of_wind_10m_mean": 1.5,
            "v_component_of_wind_10m_mean": -2.0,
            "potential_evaporation_sum": 12 + 8 * season,
            "streamflow": 1.0 + 0.5 * season,
        },
        index=time,
    )


def write_caravan(folder, source, gauge, form, latitude, area, change=lambda frame: frame, forest=None):
    frame = change(caravan_series())
    path = folder / "timeseries" / form / source / f"{gauge}.{'nc' if form == 'netcdf' else 'csv'}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "netcdf":
        dataset = xr.Dataset.from_dataframe(frame)
        dataset.attrs = {
            "Units": "temperature_2m: 2m air temperature [°C]\nsurface_pressure: Surface pressure [kPa]\n"
            "surface_net_solar_radiation: net solar [W/m2]\nstreamflow: Observed streamflow [mm/d]\n",
            "Timezone": "Europe/Berlin",
        }
        dataset.to_netcdf(path, engine="h5netcdf")
    else:
        frame.to_csv(path)
    attributes = folder / "attributes" / source
    attributes.mkdir(parents=True, exist_ok=True)
    row = {
        "gauge_id": gauge,
        "gauge_name": "A, B",
        "country": "X",
        "gauge_lat": latitude,
        "gauge_lon": 10.0,
        "area": area,
    }
    pd.DataFrame([row]).to_csv(attributes / f"attributes_other_{source}.csv", index=False)
    if forest is not None:
        hydroatlas = pd.DataFrame([{"gauge_id": gauge, "for_pc_sse": forest, "slp_dg_sav": 25, "area": 1.0}])
        hydroatlas.to_csv(attributes / f"attributes_hydroatlas_{source}.csv", index=False)


def fao_56(frame):
    """FAO-56, equation 6, written out."""
    temperature = frame.temperature_2m_mean
    saturation = 0.6108 * np.exp(17.27 * temperature / (temperature + 237.3))
    dew = frame.dewpoint_temperature_2m_mean
    actual = 0.6108 * np.exp(17.27 * dew / (dew + 237.3))
    slope = 4098 * saturation / (temperature + 237.3) ** 2
    psychrometric = 0.665e-3 * frame.surface_pressure_mean
    wind = 2.5 * 4.87 / np.log(67.8 * 10 - 5.42)
    radiation = (frame.surface_net_solar_radiation_mean + frame.surface_net_thermal_radiation_mean) * 0.0864
    numerator = 0.408 * slope * radiation + psychrometric * 900 / (temperature + 273) * wind * (saturation - actual)
    return numerator / (slope + psychrometric * (1 + 0.34 * wind))


@pytest.mark.parametrize("form", ["netcdf", "csv"])
def test_caravan_computes_penman_monteith_where_it_is_lacking(tmp_path, form):
    write_caravan(tmp_path, "hysets", "hysets_1", form, 48.0, 864.0)
    (tmp_path / "licenses/hysets").mkdir(parents=True)
    (tmp_path / "licenses/hysets/license_hysets.md").write_text("terms")
    domain, table = caravan.build(tmp_path, ERA5_LAND)
    expected = np.maximum(fao_56(caravan_series()), 0)
    np.testing.assert_allclose(domain.forcing.potential_evapotranspiration.values[:, 0], expected, rtol=2e-3, atol=2e-3)
    assert "ERA5-Land above 8 mm/day, not used" in table.flag[0]
    assert table.potential_evapotranspiration_is[0] == "computed, penman_monteith"
    assert table.licence[0] == "licenses/hysets/license_hysets.md"
    assert table.time_zone[0] == ("Europe/Berlin" if form == "netcdf" else "local")
    np.testing.assert_allclose(domain.observed.discharge[:, 0], caravan_series().streamflow * 10, rtol=1e-5)
    np.testing.assert_allclose(
        domain.forcing.vapour_pressure.values[:, 0],
        10 * pyet.calc_e0(caravan_series().dewpoint_temperature_2m_mean),
        rtol=1e-5,
    )


def test_caravan_takes_penman_monteith_where_it_is_there(tmp_path):
    def newer(frame):
        frame = frame.rename(columns={"potential_evaporation_sum": "potential_evaporation_sum_ERA5_LAND"})
        return frame.assign(potential_evaporation_sum_FAO_PENMAN_MONTEITH=2.5)

    write_caravan(tmp_path, "camels", "camels_1", "csv", 48.0, 864.0, newer)
    domain, table = caravan.build(tmp_path, ERA5_LAND)
    assert (domain.forcing.potential_evapotranspiration == 2.5).all()
    assert table.potential_evapotranspiration_is[0] == "the file's"
    computed, _ = caravan.build(tmp_path, ERA5_LAND, "hargreaves")
    assert not (computed.forcing.potential_evapotranspiration == 2.5).any()
    with pytest.raises(DataError, match=r"'era5_land' is not one of .*implausible"):
        caravan.build(tmp_path, ERA5_LAND, "era5_land")


def test_caravan_keeps_one_of_each_gauge(tmp_path):
    write_caravan(tmp_path, "grdc", "grdc_1", "csv", 48.001, 830.0)
    write_caravan(tmp_path, "camels", "camels_1", "csv", 48.0, 864.0)
    write_caravan(tmp_path, "lamah", "lamah_1", "csv", 48.002, 1900.0)
    write_caravan(tmp_path, "camelsgb", "camelsgb_1", "csv", 48.1, 864.0)
    domain, table = caravan.build(tmp_path, ERA5_LAND)
    assert set(domain.unit_ids) == {"camels_1", "lamah_1", "camelsgb_1"}
    assert table.set_index("place").duplicate_of["grdc_1"] == "camels_1"
    assert table.set_index("place").reason["grdc_1"] == "the same gauge as camels_1"
    assert len(caravan.build(tmp_path, ERA5_LAND, duplicate_distance=0.05)[0].unit_ids) == 4


def test_duplicates_name_a_gauge_that_is_kept():
    table = pd.DataFrame(
        {"source": ["z", "hysets", "camels"], "gauge_lat": [50.0, 50.005, 50.0], "gauge_lon": 179.9999, "area": 10.0},
        index=["z_1", "h_1", "c_1"],
    )
    found = caravan.find_duplicates(table, 1.0, 0.1)
    assert dict(found) == {"h_1": "c_1", "z_1": "c_1"}


def test_caravan_attributes_and_sources(tmp_path):
    write_caravan(tmp_path, "camels", "camels_1", "csv", 48.0, 864.0, forest=40)
    write_caravan(tmp_path, "hysets", "hysets_1", "csv", 50.0, 864.0, forest=60)
    attributes = caravan.build(tmp_path, ERA5_LAND)[0].attributes
    assert set(attributes.data_vars) == {"area", "latitude", "longitude", "forest_fraction", "slope"}
    np.testing.assert_allclose(attributes.forest_fraction, [0.4, 0.6])
    np.testing.assert_allclose(attributes.slope, 2.5)
    assert list(caravan.build(tmp_path, ERA5_LAND, sources=["hysets"])[0].unit_ids) == ["hysets_1"]
    with pytest.raises(DataError, match="source 'lamah' is missing; available: camels, hysets"):
        caravan.build(tmp_path, ERA5_LAND, sources=["lamah"])
    with pytest.raises(DataError, match="attribute 'ele_mt_sav' is unknown"):
        caravan.build(tmp_path, ERA5_LAND, attributes=["ele_mt_sav"])
    with pytest.raises(DataError, match="attribute 'ele_mt_sav' is missing"):
        caravan.build(tmp_path, ERA5_LAND, attributes=["elevation"])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda frame: frame.drop(columns="streamflow"), "'streamflow' is missing"),
        (lambda frame: frame.assign(streamflow=-1.0), "'streamflow' is -1"),
        (lambda frame: frame.drop(frame.index[5]), "'time' leaves a gap after 2000-01-05"),
    ],
)
def test_caravan_bad_files(tmp_path, change, message):
    write_caravan(tmp_path, "camels", "camels_1", "csv", 48.0, 864.0, change)
    with pytest.raises(DataError, match=f"camels_1.csv: .*{message}"):
        caravan.build(tmp_path, ERA5_LAND)


def own(folder, form, units=None, change=lambda frame: frame):
    """Two catchments in the form for one's own; ``units`` overrides the stated unit of a variable."""
    units = {
        "precipitation": "mm",
        "minimum_temperature": "degC",
        "maximum_temperature": "degC",
        "discharge": "m3/s",
    } | (units or {})
    time = pd.date_range("2000-01-01", "2001-12-31", name="time")
    frame = change(
        pd.DataFrame(
            {"precipitation": 2.54, "minimum_temperature": -3.0, "maximum_temperature": 7.0, "discharge": 0.5}, time
        )
    )
    folder.mkdir()
    (folder / "attributes.csv").write_text(
        "basin,name,region,area [mi2],latitude [degree],longitude [degree],clay [percent]\n"
        "007,Mill,north,16.6796132,50.1,8.2,20\nford,,south,100,50.5,8.0,30\n"
    )
    basins = ["007", "ford"]
    if form == "csv":
        (folder / "timeseries").mkdir()
        for basin in basins:
            frame.rename(columns=lambda c: f"{c} [{units[c]}]" if c in units else c).to_csv(
                folder / f"timeseries/{basin}.csv"
            )
    else:
        dataset = xr.Dataset(
            {
                name: (("time", "basin"), np.stack([column] * 2, 1), {"units": units[name]} if units.get(name) else {})
                for name, column in frame.items()
            },
            coords={"time": frame.index, "basin": basins},
        )
        dataset.to_netcdf(folder / "timeseries.nc", engine="h5netcdf")
    return folder


PERIOD = ("2000-02-01", "2001-11-30")


@pytest.mark.parametrize("form", ["csv", "netcdf"])
def test_own_catchments(tmp_path, form):
    domain, table = own_catchments.build(own(tmp_path / "mine", form), PERIOD, "hargreaves", minimum_days=300)
    assert list(domain.unit_ids) == ["007", "ford"]
    assert domain.name == "mine"
    assert float(domain.places.drainage_area[0]) == pytest.approx(43.2, rel=1e-6)
    assert domain.observed_runoff.values[0] == pytest.approx(1.0, rel=1e-5)
    assert domain.forcing.temperature.values == pytest.approx(2.0)
    assert list(domain.places.region.values) == ["north", "south"]
    assert domain.attributes.clay.attrs["units"] == "percent"
    assert table.runoff_ratio[0] == pytest.approx(1 / 2.54, rel=1e-5)
    assert list(table.flag) == ["", ""]


@pytest.mark.parametrize("form", ["csv", "netcdf"])
def test_own_catchments_converts_units(tmp_path, form):
    units = {
        "precipitation": "inch/day",
        "minimum_temperature": "kelvin",
        "maximum_temperature": "degF",
        "discharge": "mm d-1",
    }

    def american(frame):
        return frame.assign(precipitation=0.1, minimum_temperature=270.15, maximum_temperature=44.6, discharge=1.0)

    one = own_catchments.build(own(tmp_path / "one", form), PERIOD, "hargreaves", minimum_days=300)[0]
    two = own_catchments.build(own(tmp_path / "two", form, units, american), PERIOD, "hargreaves", minimum_days=300)[0]
    xr.testing.assert_allclose(one.forcing, two.forcing, rtol=1e-4)
    assert two.observed_runoff.values == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("form", ["csv", "netcdf"])
@pytest.mark.parametrize(
    "units, change, error, message",
    [
        ({"precipitation": "m3/s"}, lambda f: f, UnitError, "precipitation.*does not convert"),
        ({"discharge": "cubits"}, lambda f: f, UnitError, "discharge.*cubits"),
        ({}, lambda f: f.rename(columns={"precipitation": "rain"}), DataError, "rain.*unknown name"),
        ({}, lambda f: f.drop(columns="discharge"), DataError, "'discharge' is missing"),
        ({}, lambda f: f.drop(columns="precipitation"), DataError, "'precipitation' is missing"),
        ({}, lambda f: f.drop(f.index[100]), DataError, "'time' leaves a gap after 2000-04-09"),
        ({}, lambda f: f.iloc[60:], DataError, "series cover 2000-03-01 to 2001-12-31, but the period is 2000-02-01"),
        ({}, lambda f: f.assign(discharge=-1.0), DataError, "'discharge.* is -1; expected at least 0 m3/s"),
        ({}, lambda f: f.assign(precipitation=1e9), DataError, "'precipitation.* is 1000000000.*at most 2000 mm/day"),
    ],
)
def test_own_catchments_bad_files(tmp_path, form, units, change, error, message):
    folder = own(tmp_path / "mine", form, units | {"rain": "mm"}, change)
    with pytest.raises(error, match=message) as raised:
        own_catchments.build(folder, PERIOD, "hargreaves", minimum_days=300)
    assert str(folder) in str(raised.value)


@pytest.mark.parametrize(
    "old, new, error, message",
    [
        ("area [mi2]", "area [K]", UnitError, "column 'area .K.'.*does not convert"),
        ("area [mi2]", "surface [mi2]", DataError, "column 'area .km2.' is missing"),
        ("clay [percent]", "clay [per cent]", UnitError, "column 'clay .per cent.'"),
        ("ford,,south,100", "007,,south,100", DataError, "line 3: basin '007' appears more than once"),
        ("ford,,south,100", "weir,,south,100", DataError, "weir"),
        (
            "ford,,south,100",
            "ford,,south,-100",
            DataError,
            r"line 3: column 'area \[mi2\]' is -100 \[mi2\], or -258.999 km2; expected at least 1e-06 km2",
        ),
        (
            "8.0,30",
            "8.0,",
            DataError,
            r"attributes.csv, line 3: column 'clay \[percent\]' is empty; every basin needs every attribute",
        ),
    ],
)
def test_own_catchments_bad_table(tmp_path, old, new, error, message):
    path = own(tmp_path / "mine", "csv") / "attributes.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(error, match=message):
        own_catchments.build(path.parent, PERIOD, "hargreaves", minimum_days=300)


def test_own_catchments_say_what_is_lacking(tmp_path):
    with pytest.raises(DataError, match=r"attributes.csv: the file is missing"):
        own_catchments.build(tmp_path, PERIOD)
    folder = own(tmp_path / "mine", "csv")
    with pytest.raises(DataError, match="set potential_evapotranspiration to hargreaves"):
        own_catchments.build(folder, PERIOD)


def test_own_catchments_with_gaps_in_forcing_are_left_out(tmp_path):
    folder = own(tmp_path / "mine", "csv")
    path = folder / "timeseries/ford.csv"
    path.write_text(path.read_text().replace("2000-03-01,2.54", "2000-03-01,"))
    domain, table = own_catchments.build(folder, PERIOD, "oudin", minimum_days=300)
    assert list(domain.unit_ids) == ["007"]
    assert table.reason[1] == "precipitation has 1 days without a value"


def test_more_discharge_than_precipitation_is_flagged(tmp_path):
    folder = own(tmp_path / "mine", "csv", change=lambda frame: frame.assign(discharge=5.0))
    _, table = own_catchments.build(folder, PERIOD, "oudin", minimum_days=300)
    assert list(table.flag.str.contains("more discharge than precipitation")) == [True, False]


def test_the_newcomers_page_names_the_variables():
    page = (Path(__file__).parents[1] / "docs/guides/own_data.md").read_text()
    for name in (*catchments.FORCING, "discharge", *own_catchments.REQUIRED):
        assert f"`{name}`" in page, name


def test_the_verb_builds_own_catchments_and_keeps_the_hashes_of_their_files(tmp_path):
    folder = own(tmp_path / "mine", "csv")
    settings = {"kind": "own_catchments", "folder": str(folder), "period": PERIOD, "minimum_days": "300 days"}
    settings["potential_evapotranspiration"] = "hargreaves"
    output, table = tmp_path / "domain.nc", tmp_path / "gauges.csv"
    outputs = ["--output", str(output), "--table", str(table)]
    main(["step", "domain", "mine", "--dataset", str(folder), "--settings", json.dumps(settings), *outputs])
    assert (
        read_domain(output).place_ids.tolist()
        == pd.read_csv(table, dtype={"place": str}).query("reason == 'kept'").place.tolist()
    )
    files = read_provenance(table)["datasets"]["mine"]["files"]
    assert files["attributes.csv"] == hashlib.sha256((folder / "attributes.csv").read_bytes()).hexdigest()
    assert len(files) == 1 + len(list((folder / "timeseries").glob("*.csv")))


def test_units_as_files_write_them():
    assert catchments.depth_per_day(1.0, "inch", "x") == pytest.approx(25.4)
    assert catchments.depth_per_day(0.24, "m/hour", "x") == pytest.approx(5760)
    assert catchments.volume_per_second(86.4, "mm", 1.0, "x") == pytest.approx(1.0)
    assert catchments.volume_per_second(1000, "l s-1", 3.0, "x") == pytest.approx(1.0)
    with pytest.raises(UnitError, match=r"file, 'q'.*'degC'"):
        catchments.volume_per_second(1.0, "degC", 1.0, "file, 'q'")


def test_settings_are_chosen_by_kind():
    block = settings_of("camels_us").model_validate({"kind": "camels_us", "catchments": ["01013500"]})
    assert isinstance(block, camels_us.CamelsUsSettings)
    assert len(block.attributes) == 27
    assert settings_of("caravan")(duplicate_distance="500 m").duplicate_distance == 0.5
    with pytest.raises(ValidationError, match="folder"):
        settings_of("own_catchments").model_validate({"kind": "own_catchments", "period": ["2000-01-01", "2001-01-01"]})


def test_real_camels_us_few_catchments():
    ids = ["01022500", "02381600", "12048000"]
    domain, table = camels_us.build(real("camels-us-569"), ("1989-10-01", "2009-09-30"), catchments=ids)
    table = table.set_index("place")
    assert table.area_ratio["01022500"] == pytest.approx(1.02454, abs=1e-5)
    assert table.area_ratio["02381600"] == pytest.approx(2.506, abs=1e-3)
    assert list(table.rescaled) == [False, True, False]
    assert table.days_with_temperatures_exchanged["12048000"] > 0
    attributes = pd.read_csv(real("camels-us-569") / "attributes/camels_hydro.txt", sep=";", dtype={"gauge_id": str})
    np.testing.assert_allclose(
        domain.observed_runoff.mean("time"), attributes.set_index("gauge_id").q_mean[ids], rtol=1e-5
    )


def test_real_camels_us_text_and_netcdf_agree(tmp_path):
    for name in ("camels-us-text", "camels-us-569/attributes"):
        for path in real(name).rglob("*.txt"):
            copy = tmp_path / name / path.relative_to(real(name))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    years = ("2000-01-01", "2002-12-31")
    text, table = camels_us.build(tmp_path, years)
    netcdf, recovered = camels_us.build(real("camels-us-569"), years, catchments=list(text.unit_ids))
    np.testing.assert_allclose(recovered.forcing_area_km2, table.forcing_area_km2, rtol=1e-6)
    packing = {"precipitation": 0.005, "shortwave_radiation": 0.025, "vapour_pressure": 0.0011, "day_length": 0.0006}
    for name in text.forcing.data_vars:
        np.testing.assert_allclose(text.forcing[name], netcdf.forcing[name], atol=packing.get(name, 0.006), rtol=0)
    np.testing.assert_allclose(text.observed.discharge, netcdf.observed.discharge, rtol=1e-4)


def test_climate_indices_are_those_published():
    ids = ["01022500", "02381600", "06879650", "11264500", "12048000"]
    domain, _ = camels_us.build(real("camels-us-569"), ATTRIBUTE_YEARS, catchments=ids)
    indices = climate_attributes(domain, ATTRIBUTE_YEARS)
    table = pd.read_csv(real("camels-us-569") / "attributes/camels_clim.txt", sep=";", dtype={"gauge_id": str})
    published = table.set_index("gauge_id").loc[domain.unit_ids]
    for name, (column, scale) in {
        "mean_precipitation": ("p_mean", 1),
        "precipitation_seasonality": ("p_seasonality", 1),
        "high_precipitation_frequency": ("high_prec_freq", 365.25),
        "high_precipitation_duration": ("high_prec_dur", 1),
        "low_precipitation_frequency": ("low_prec_freq", 365.25),
        "low_precipitation_duration": ("low_prec_dur", 1),
    }.items():
        np.testing.assert_allclose(scale * indices[name], published[column], rtol=2e-3, atol=2e-3, err_msg=name)
    # snow and demand were computed from other temperatures and by another method
    np.testing.assert_allclose(indices["snow_share"], published.frac_snow, atol=0.1)


def test_climate_indices_of_made_up_years():
    time = pd.date_range("2001-01-01", "2004-12-31")
    angle = 2 * np.pi * time.dayofyear.to_numpy()[:, None] / 365.25
    temperature = 10 - 12 * np.cos(angle) + np.zeros((1, 3))
    precipitation = np.concatenate([2 - np.cos(angle), 2 + np.cos(angle), np.full_like(angle, 0.1)], axis=1)
    precipitation[100:103, 2] = 50.0
    forcing = xr.Dataset(
        {
            "precipitation": (("time", "unit"), precipitation),
            "temperature": (("time", "unit"), temperature),
            "potential_evapotranspiration": (("time", "unit"), np.full_like(precipitation, 3.0)),
        },
        coords={"time": time},
    )
    indices = climate_attributes(SimpleNamespace(forcing=forcing, step="day"), ("2001-01-01", "2004-12-31"))
    np.testing.assert_allclose(indices["precipitation_seasonality"][:2], [0.5, -0.5], atol=0.01)
    np.testing.assert_allclose(indices["aridity"][:2], 1.5, rtol=2e-3)
    assert indices["high_precipitation_duration"].tolist() == [0, 0, 3]
    assert indices["high_precipitation_frequency"][2] == pytest.approx(3 / len(time))
    assert indices["low_precipitation_duration"][2] == (len(time) - 3) / 2


@pytest.mark.long
def test_real_camels_us_whole():
    domain, table = camels_us.build(real("camels-us-569"), ("1980-10-01", "2010-09-30"))
    assert len(domain.unit_ids) == 569
    assert table.rescaled.sum() == 56
    assert (table.days_with_temperatures_exchanged > 0).sum() == 71
    assert table.days_with_temperatures_exchanged.sum() == 2801
    assert table.flag.str.contains("200 mm/day").sum() == 8
    assert table.region.nunique() == 18
    assert 0.3 < table.runoff_ratio.median() < 0.42
    benchmark, _ = camels_us.build(real("camels-us-569"), ("1989-10-01", "1999-09-30"), catchments="benchmark")
    assert len(benchmark.unit_ids) == 476


def test_real_caravan():
    domain, table = caravan.build(real("caravan-sample"), ("1985-01-01", "2010-12-31"))
    table = table.set_index("place")
    assert table.kept.all()
    assert list(table.flag.str.contains("ERA5-Land")) == [True, True, False]
    assert (table.era5_land_mm_day > 11).sum() == 2
    assert table.potential_evapotranspiration_mm_day.between(1.4, 4.5).all()
    assert table.time_zone["hysets_01075000"] == "America/New_York"
    assert (domain.forcing.vapour_pressure > 0).all()


def test_real_france():
    domain, table = france.build(real("france"), ("1999-01-01", "2018-12-31"))
    assert len(domain.unit_ids) == 19
    row = table.set_index("place").loc["A273011002"]
    assert row["name"] == "La Bruche à Russ [Wisches]"
    assert row.drainage_area_km2 == pytest.approx(224.04)
    assert domain.observed_runoff.sel(place="A273011002").values[:3] == pytest.approx([2.109, 1.990, 2.445], abs=1e-3)
    assert domain.attributes.elevation_10.sel(unit="A273011002") == 444
    assert table.runoff_ratio.between(0.2, 0.7).all()
    assert table.days_with_discharge.sum() == 19 * 7305 - 1212
    computed, _ = france.build(real("france"), ("1999-01-01", "2018-12-31"), "oudin")
    ratio = computed.forcing.potential_evapotranspiration.mean() / domain.forcing.potential_evapotranspiration.mean()
    assert ratio == pytest.approx(0.97, abs=0.02)


def test_france_names_a_file_that_is_not_r_data(tmp_path):
    with pytest.raises(DataError, match=r"no .rda file"):
        france.build(tmp_path, ("1999-01-01", "2018-12-31"))
    (tmp_path / "A1.rda").write_text("not R data")
    with pytest.raises(DataError, match=r"A1.rda: not a catchment of airGRdatasets"):
        france.build(tmp_path, ("1999-01-01", "2018-12-31"))
