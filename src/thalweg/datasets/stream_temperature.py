"""Stream temperature at 410 sites of the United States, daily from October 2016 to September 2020.

Wade, Kelleher and Hannah (2023, doi:10.1016/j.jhydrol.2023.129821): water temperature and discharge of the US Geological
Survey, air temperature of PRISM, attributes of GAGES-II (Falcone 2011). Two of the dataset's tables must not be attributes here:
``STmax`` and ``thermalsensitivity`` are computed from the water temperatures to be predicted. ``MedianQMonth``
is not read either; it is computed from discharge, and discharge must be withholdable. Precipitation is not in the dataset.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import (
    MILLIMETRES_PER_DAY,
    DataError,
    check_complete,
    check_dates,
    check_range,
    require,
    sampled_units,
)
from thalweg.datasets import DATASET
from thalweg.datasets.discharge_records import relate
from thalweg.datasets.tables import read_numbers
from thalweg.forcing import meteorology
from thalweg.schema import Period, Settings
from thalweg.units import convert

WATER = "data_download/StreamTemperature/ST_2016_2020.csv"
AIR = "data_download/AirTemperature/PRISM_tmean_2016_2020.csv"
DISCHARGE = "data_download/Discharge/Discharge_2016_2020.csv"
NUMBERS = "data_download/StreamTemperature/sitelist_2016_2020.csv"
PLACES = "data_download/AirTemperature/sites_getprism.csv"
LAND = "data_raw/gagesII_RF_2016_2020_subset.csv"
DAMS = "data_raw/RF_2016_2020_Dams.csv"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

SHORT_GAP = 14  # days of discharge that are interpolated; longer gaps are filled from the most similar site
NO_DAM, FAR = -999, 1000.0  # the dataset's code for no dam upstream, and the distance (km) used for it

# name: (column, its unit, unit here, meaning); the units are those of the GAGES-II documentation.
ATTRIBUTES = {
    "drainage_area": ("DRAIN_SQKM", "km2", "km2", "drainage area"),
    "mean_precipitation": ("PPTAVG_SITE", "cm/year", "mm/day", "mean precipitation at the site"),
    "relative_humidity": ("RH_SITE", "percent", "dimensionless", "mean relative humidity at the site"),
    "snow_share": ("SNOW_PCT_PRECIP", "percent", "dimensionless", "snow as a share of precipitation"),
    "precipitation_seasonality": ("PRECIP_SEAS_IND", "", "dimensionless", "seasonality of precipitation, 0 to 1"),
    "base_flow_index": ("BFI_AVE", "percent", "dimensionless", "base flow as a share of discharge, from a map"),
    "reservoir_storage": ("STOR_NID_2009", "megaliter/kilometer**2", "mm", "storage of dams per drainage area"),
    "forest_share": ("FORESTNLCD06", "percent", "dimensionless", "share of forest in the catchment"),
    "cultivated_share": ("PLANTNLCD06", "percent", "dimensionless", "share of planted and cultivated land"),
    "wetland_share": ("WETLANDSNLCD06", "percent", "dimensionless", "share of wetland"),
    "riparian_forest_share": (
        "MAINS100_FOREST",
        "percent",
        "dimensionless",
        "share of forest within 100 m of the main stem",
    ),
    "impervious_share": ("IMPNLCD06", "percent", "dimensionless", "share of impervious land"),
    "available_water_capacity": ("AWCAVE", "", "dimensionless", "available water capacity of the soil"),
    "soil_permeability": ("PERMAVE", "inch/hour", "mm/hour", "permeability of the soil"),
    "water_table_depth": ("WTDEPAVE", "foot", "m", "depth to the seasonally high water table"),
    "soil_thickness": ("ROCKDEPAVE", "inch", "m", "thickness of the soil"),
    "elevation": ("ELEV_MEAN_M_BASIN", "m", "m", "mean elevation of the catchment"),
    "basin_slope": ("SLOPE_PCT", "percent", "dimensionless", "mean slope of the catchment's land, not of the river"),
    "aspect_northness": ("ASPECT_NORTHNESS", "", "dimensionless", "cosine of the catchment's mean aspect"),
    "aspect_eastness": ("ASPECT_EASTNESS", "", "dimensionless", "sine of the catchment's mean aspect"),
}
ESTIMATES = {"elevation": "the dataset does not state the elevation of the site"}


class StreamTemperatureSettings(Settings):
    """Water temperature at 410 sites of the United States, daily."""

    kind: Literal["stream_temperature"] = "stream_temperature"
    dataset: str = Field("stream-temperature", description=DATASET)
    period: Period = Field(("2016-10-01", "2020-09-30"), validate_default=True, description="first and last day used")
    discharge: Literal["observed", "withheld"] = Field(
        "observed",
        description="observed: that of the site's gauge; withheld: constant in time, estimated from attributes, without data of the site's gauge",
    )


SETTINGS = StreamTemperatureSettings


def build(folder, period, discharge="observed"):
    """Read the stream temperature sites.

    Args:
        folder: folder of the fetched dataset.
        period: first and last day within 2016-10-01..2020-09-30.
        discharge: ``observed``, or ``withheld``: then discharge and runoff are constant in time and estimated from attributes,
            and nothing comes from a gauge.

    Returns:
        (Domain, DataFrame): the sites, and the table with a row per site of the dataset: whether it was kept and why, share of
        days without discharge and how they were filled, days with water temperature.

    Raises:
        DataError, UnitError: the message names file, line, column and first offending value.
    """
    folder = Path(folder)
    dates = slice(*(pd.Timestamp(day) for day in period))
    water, air, flow = (_series(folder / file, dates) for file in (WATER, AIR, DISCHARGE))
    for file, frame in ((AIR, air), (DISCHARGE, flow)):
        if not frame.columns.equals(water.columns) or not frame.index.equals(water.index):
            raise DataError(f"{folder / file}: its sites or days are not those of {WATER}; fetch the dataset again")
    check_range(water.values, "water temperature", folder / WATER, low=-1, high=45)
    check_range(air.values, "air temperature", folder / AIR, low=-60, high=60)
    check_complete(air.values, "air temperature", folder / AIR)
    air = _calendar_days(air)
    land = _table(folder / LAND, "Site", [column for column, *_ in ATTRIBUTES.values()])

    table = pd.DataFrame({"place": water.columns}, index=water.columns)
    negative, described = (flow < 0).any(), water.columns.isin(land.index)
    table["kept"] = ~negative & described & water.notna().any()
    table["reason"] = np.select(
        [negative, ~described, ~water.notna().any()],
        ["tidal: negative discharge", f"no row in {LAND}", "no water temperature in the period"],
        "",
    )
    table["days_with_water_temperature"] = water.notna().sum()
    table["discharge_missing_share"] = flow.isna().mean()
    kept = table.index[table.kept]
    filled, how = _without_gaps(flow[kept])
    table["discharge_filled"] = how.reindex(table.index, fill_value="")

    attributes = _attributes(folder, land.loc[kept])
    forcing = _forcing(air[kept], attributes)
    area = attributes.drainage_area.values
    if discharge == "withheld":
        potential = forcing.potential_evapotranspiration.mean("time").values
        runoff = mean_runoff(attributes.mean_precipitation.values, potential) * np.ones((len(air), 1))
        estimate = {
            "estimate": "constant, from mean precipitation and mean potential evapotranspiration (Turc-Pike); observed "
            "discharge is withheld"
        }
    else:
        runoff, estimate = filled.values * MILLIMETRES_PER_DAY / area, {}
    attrs = {"units": "m3/s", "long_name": "discharge", **estimate}
    forcing["discharge"] = (("time", "unit"), runoff * area / MILLIMETRES_PER_DAY, attrs)
    forcing["runoff"] = (("time", "unit"), runoff, {**attrs, "units": "mm/day"})
    attributes["mean_discharge"] = ("unit", forcing.discharge.mean("time").values, attrs)
    meaning = {"units": "degC", "long_name": "water temperature, daily mean"}
    observed = xr.Dataset(
        {"water_temperature": (("time", "place"), water[kept].values, meaning)},
        coords={"time": forcing.time, "place": forcing.unit.values},
    )
    return sampled_units("stream-temperature", forcing, attributes, observed), table.reset_index(drop=True)


def mean_runoff(precipitation, potential_evapotranspiration):
    """Mean runoff by the water balance of Turc and Pike (Pike 1964, doi:10.1016/0022-1694(64)90022-8), in their unit.

    Args:
        precipitation, potential_evapotranspiration: long means, arrays of one shape and unit, above 0.
    """
    return precipitation - precipitation / np.sqrt(1 + (precipitation / potential_evapotranspiration) ** 2)


def _read(path, header="infer"):
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch stream-temperature'")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, header=header)
    frame.index += 1 if header is None else 2  # the line of the file
    return frame


def _series(path, dates):
    """A table of days by sites, of one variable: DataFrame (time, site)."""
    raw = _read(path)
    require(raw, ["Date", "MonYr"], path)
    time = pd.to_datetime(raw.Date, format="%m/%d/%Y", errors="coerce")
    if time.isna().any():
        line = time.index[time.isna()][0]
        raise DataError(f"{path}, line {line}: column 'Date' is '{raw.Date[line]}'; expected a date like 10/1/2016")
    check_dates(time, path)
    values = {site: read_numbers(raw[site], path)[0] for site in raw.columns.drop(["Date", "MonYr"])}
    frame = pd.DataFrame(values, index=pd.DatetimeIndex(time, name="time"))
    if dates.start < frame.index[0] or dates.stop > frame.index[-1]:
        raise DataError(
            f"{path}: the period {dates.start.date()}..{dates.stop.date()} is not within the data's "
            f"{frame.index[0].date()}..{frame.index[-1].date()}; choose a period within"
        )
    frame = frame.loc[dates]
    unit, to = ("cfs", "m3/s") if path.name.startswith("Discharge") else ("degC", "degC")
    return pd.DataFrame(convert(frame.values, unit, to, what=str(path)), frame.index, frame.columns)


def _table(path, index, columns):
    raw = _read(path)
    require(raw, [index, *columns], path)
    values = {column: read_numbers(raw[column], path)[0] for column in raw.columns.drop(index)}
    return pd.DataFrame(values, index=raw[index].to_numpy())


def _without_gaps(flow):
    """Discharge without gaps, and a Series of descriptions of the gap filling."""
    filled, how = flow.copy(), pd.Series("", flow.columns)
    for site in flow.columns[flow.isna().any()]:
        gap = flow[site].isna()
        lengths = gap.groupby((~gap).cumsum()).transform("sum")
        short = gap & (lengths <= SHORT_GAP)
        filled.loc[short, site] = flow[site].interpolate(limit_direction="both")[short]
        how[site] = f"{short.sum()} days interpolated" if short.any() else ""
    complete = filled.dropna(axis=1)
    for site in filled.columns[filled.isna().any()]:
        days = filled[site].isna().sum()
        filled[site], related = relate(filled[site], complete)
        how[site] = "; ".join(filter(None, [how[site], f"{days} days from site {related}"]))
    return filled, how


def _attributes(folder, land):
    attributes = xr.Dataset(coords={"unit": land.index.to_numpy(dtype=str)})
    for name, (column, unit, to, meaning) in ATTRIBUTES.items():
        values = convert(land[column].values, unit, to, what=f"{folder / LAND}, column '{column}'")
        check_complete(values, column, folder / LAND)
        attrs = {"units": to, "long_name": meaning}
        if name in ESTIMATES:
            attrs["estimate"] = ESTIMATES[name]
        attributes[name] = ("unit", values, attrs)
    normals = land[[f"{month}_TMP7100_DEGC" for month in MONTHS]].values
    check_complete(normals, "monthly air temperature", folder / LAND)
    for name, values, meaning in (
        ("mean_air_temperature", normals.mean(1), "mean air temperature, 1971-2000"),
        ("air_temperature_range", normals.max(1) - normals.min(1), "warmest minus coldest month, 1971-2000"),
    ):
        attributes[name] = ("unit", values, {"units": "degC", "long_name": meaning})
    dams = _table(folder / DAMS, "ID", ["RAW_DIS_NEAREST_DAM", "RAW_DIS_NEAREST_MAJ_DAM"]).reindex(land.index)
    for name, column in (("dam", "RAW_DIS_NEAREST_DAM"), ("major_dam", "RAW_DIS_NEAREST_MAJ_DAM")):
        check_complete(dams[column].values, column, folder / DAMS)
        there = (dams[column] != NO_DAM).values
        check_range(dams[column].values[there], column, folder / DAMS, low=0)
        distance = np.where(there, dams[column].values, FAR)
        what = name.replace("_", " ")
        attributes[f"{name}_upstream"] = (
            "unit",
            there.astype(float),
            {"units": "dimensionless", "long_name": f"whether there is a {what} upstream"},
        )
        attributes[f"{name}_distance_logarithm"] = (
            "unit",
            np.log1p(distance),
            {
                "units": "dimensionless",
                "long_name": f"logarithm of 1 + km to the nearest {what} upstream; of {1 + FAR:g} where there is none",
            },
        )
    numbers = _read(folder / NUMBERS)
    require(numbers, ["ID", "site"], folder / NUMBERS)
    number = numbers.set_index("ID").site.reindex(land.index)
    places = _read(folder / PLACES, header=None)
    place = pd.DataFrame(
        {
            "latitude": read_numbers(places[0].rename("latitude"), folder / PLACES)[0],
            "longitude": read_numbers(places[1].rename("longitude"), folder / PLACES)[0],
        },
        index=places[2],
    ).reindex(number.values)
    for name, (low, high) in {"latitude": (-90, 90), "longitude": (-180, 180)}.items():
        check_complete(place[name].values, name, folder / PLACES)
        check_range(place[name].values, name, folder / PLACES, low=low, high=high)
        attributes[name] = ("unit", place[name].values, {"units": "degree", "long_name": f"{name} of the site"})
    attributes["station"] = ("unit", number.str.strip("'").values.astype(str), {"role": "label"})
    return attributes


def _calendar_days(air):
    """Air temperature (time, site) of calendar days from PRISM's, which end at 12:00 UTC of the day they are dated.

    The warm hours of a day are in the value dated a day later: the mean of both is taken; the last day keeps its own value.
    """
    return (air + air.shift(-1).fillna(air.iloc[[-1]])) / 2


def _forcing(air, attributes):
    dims, latitude, elevation = ("time", "unit"), attributes.latitude.values, attributes.elevation.values
    vapour = attributes.relative_humidity.values * meteorology.saturation_vapour_pressure(air.values)
    return xr.Dataset(
        {
            "air_temperature": (
                dims,
                air.values,
                {
                    "units": "degC",
                    "long_name": "mean air temperature, PRISM",
                    "estimate": "mean of PRISM's days that end at 12:00 UTC of this day and of the next",
                },
            ),
            "vapour_pressure": (
                dims,
                vapour,
                {
                    "units": "hPa",
                    "long_name": "vapour pressure",
                    "estimate": "mean relative humidity of the site times saturation at the mean air temperature",
                },
            ),
            **meteorology.estimates(air.index, latitude, elevation, air.values, source="stream-temperature"),
        },
        coords={"time": air.index, "unit": attributes.unit},
    )
