"""Sites from a user's own tables: any sampled variable, by its name and unit.

A folder holds three tables as CSV, and a fourth if the sites are on one river:

================ =============================================================================================
``forcing.csv``    time, site, ``name [unit]``, ...: every day of every site, without gaps
``attributes.csv`` site, ``name [unit]``, ...; a column without a unit is a label, which no network sees
``samples.csv``    time, site, ``name [unit]``, ...: the days sampled; empty where nothing was, ``<0.1`` below 0.1
``network.csv``    site, downstream (empty at the outlet), ``length [m]`` of river to there
================ =============================================================================================

Names of ``CANONICAL`` are converted to its units, others keep theirs. Missing variables that can be estimated are added and
marked as estimates: see :func:`thalweg.forcing.meteorology.estimates`.
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import CENSORED, MILLIMETRES_PER_DAY, DataError, require, sampled_units
from thalweg.datasets.sample_tables import read_numbers
from thalweg.forcing import meteorology
from thalweg.schema import Settings
from thalweg.units import convert

CANONICAL = {
    **dict.fromkeys(("air_temperature", "mean_air_temperature", "water_temperature"), "degC"),
    **dict.fromkeys(("discharge", "mean_discharge"), "m3/s"),
    **dict.fromkeys(("runoff", "precipitation", "potential_evapotranspiration"), "mm/day"),
    **dict.fromkeys(("nitrate", "nitrite", "ammonium", "dissolved_organic_carbon", "dissolved_oxygen"), "mg/l"),
    **dict.fromkeys(("chlorophyll", "soluble_reactive_phosphorus", "total_phosphorus"), "ug/l"),
    **dict.fromkeys(("latitude", "longitude"), "degree"),
    **dict.fromkeys(("elevation", "length"), "m"),
    "shortwave_radiation": "W/m**2",
    "vapour_pressure": "hPa",
    "day_length": "hour",
    "slope": "dimensionless",
    "drainage_area": "km2",
}
SIGNED = {"degC", "degree", "m"}  # units here of names whose values may be below 0
HEADER = re.compile(r"(?P<name>.+?)\s*\[(?P<unit>.*)\]")


class OwnSitesSettings(Settings):
    """Sites from a folder of your own tables; see docs/guides/own_data.md."""

    kind: Literal["own_sites"] = "own_sites"
    folder: str = Field(description="folder of forcing.csv, attributes.csv, samples.csv and, optionally, network.csv")
    name: str = Field("own", description="name of the domain in tables and figures")


SETTINGS = OwnSitesSettings


def has_network(settings):
    """Whether the sites are on one river, for the plan of a study."""
    return Path(settings.folder, "network.csv").exists()


def build(folder, name="own"):
    """Read the sites of a folder of tables.

    Args:
        folder: where ``forcing.csv``, ``attributes.csv``, ``samples.csv`` and optionally ``network.csv`` are.
        name: of the domain.

    Returns:
        (Domain, DataFrame): the sites, and the table with a row per site: samples of each variable and how many are censored.

    Raises:
        DataError, UnitError, NetworkError: the message names file, line, column, value and remedy.
    """
    folder = Path(folder)
    paths = {part: folder / f"{part}.csv" for part in ("forcing", "attributes", "samples", "network")}
    attributes = _attributes(paths["attributes"])
    sites = attributes.unit.values
    forcing, _ = _series(paths["forcing"], "unit", sites)
    _check_every_day(forcing, paths["forcing"])
    observed, flags = _series(paths["samples"], "place", sites, forcing.time.values, limits=True)
    network = _network(paths["network"], sites) if paths["network"].exists() else None
    forcing, attributes = _estimated(forcing, attributes, name)
    table = pd.DataFrame({"place": sites})
    for variable in observed.data_vars:
        table[variable] = observed[variable].notnull().sum("time").values
        table[variable + CENSORED] = flags[variable].sum(0) if variable in flags else 0
    for variable, flag in flags.items():
        observed[variable + CENSORED] = (("time", "place"), flag.astype(np.int8))
    return sampled_units(name, forcing, attributes, observed, network), table


def _read(path, columns):
    if not path.exists():
        raise DataError(
            f"{path}: the file is missing; write a table with the columns {', '.join(columns)}, 'name [unit]'"
        )
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: {str(error).strip()}; separate columns by commas, and use a decimal point") from None
    raw.columns = raw.columns.str.strip()
    raw.index += 2  # the line of the file
    raw = raw[(raw != "").any(axis=1)]
    require(raw, columns, path)
    if raw.empty:
        raise DataError(f"{path}: the table has no rows; write one for each {' and '.join(columns)}")
    return raw


def _quantity(column, path, limits=False):
    """A column as (name, unit here, values, censored)."""
    match = HEADER.fullmatch(column.name)
    if match is None:
        raise DataError(
            f"{path}: column '{column.name}' has no unit; write '{column.name} [unit]', as in 'discharge [m3/s]'"
        )
    name, unit = match["name"], match["unit"]
    values, below = read_numbers(column, path, limits=limits)
    to = CANONICAL.get(name, unit)
    values = convert(values, unit, to, what=f"{path}, column '{column.name}'")
    negative = np.flatnonzero(values < 0)
    if name in CANONICAL and to not in SIGNED and len(negative):
        line = column.index[negative[0]]
        raise DataError(
            f"{path}, line {line}: column '{column.name}' is {column[line]}, below 0; correct it, or leave it empty"
            + (" or write '<' and the detection limit" if limits else "")
        )
    return name, to, values, below


def _attributes(path):
    raw = _read(path, ["site"])
    doubled = raw.site.duplicated()
    if doubled.any():
        line = raw.index[doubled][0]
        raise DataError(f"{path}, line {line}: site '{raw.site[line]}' appears more than once; keep one row")
    dataset = xr.Dataset(coords={"unit": raw.site.to_numpy(dtype=str)})
    for column in raw.columns.drop("site"):
        if HEADER.fullmatch(column) is None:
            dataset[column] = ("unit", raw[column].to_numpy(dtype=str), {"role": "label"})
            continue
        name, unit, values, _ = _quantity(raw[column], path)
        if np.isnan(values).any():
            line = raw.index[np.isnan(values)][0]
            raise DataError(f"{path}, line {line}: column '{column}' is empty; every site needs every attribute")
        dataset[name] = ("unit", values, {"units": unit})
    return dataset


def _series(path, dimension, sites, time=None, limits=False):
    """A table of times and sites as (Dataset (time, dimension), name -> bool array of censored values)."""
    raw = _read(path, ["time", "site"])
    days = pd.to_datetime(raw.time, format="ISO8601", errors="coerce").dt.normalize()
    if days.isna().any():
        line = raw.index[days.isna()][0]
        raise DataError(f"{path}, line {line}: column 'time' is '{raw.time[line]}'; expected a date like 2012-05-31")
    unknown = ~raw.site.isin(sites)
    if unknown.any():
        line = raw.index[unknown][0]
        raise DataError(f"{path}, line {line}: site '{raw.site[line]}' is not in attributes.csv; add it there")
    doubled = pd.DataFrame({"day": days, "site": raw.site}).duplicated()
    if doubled.any():
        line = raw.index[doubled][0]
        raise DataError(
            f"{path}, line {line}: site '{raw.site[line]}' has more than one row for {days[line].date()}; keep one row per day"
        )
    if time is None:
        time = pd.date_range(days.min(), days.max(), name="time")
    outside = ~days.isin(time)
    if outside.any():
        line = raw.index[outside][0]
        raise DataError(
            f"{path}, line {line}: {days[line].date()} is not a day of forcing.csv; lengthen the forcing or drop the row"
        )
    at = (pd.Index(time).get_indexer(days), pd.Index(sites).get_indexer(raw.site))
    dataset, flags = xr.Dataset(coords={"time": pd.DatetimeIndex(time, name="time"), dimension: sites}), {}
    for column in raw.columns.drop(["time", "site"]):
        name, unit, values, below = _quantity(raw[column], path, limits)
        array = np.full((len(time), len(sites)), np.nan)
        array[at] = values
        dataset[name] = (("time", dimension), array, {"units": unit})
        if below.any():
            flags[name] = np.zeros(array.shape, bool)
            flags[name][at] = below
    return dataset, flags


def _check_every_day(forcing, path):
    for name, variable in forcing.data_vars.items():
        gaps = np.argwhere(variable.isnull().values)
        if len(gaps):
            day, site = pd.Timestamp(forcing.time.values[gaps[0, 0]]).date(), forcing.unit.values[gaps[0, 1]]
            raise DataError(
                f"{path}: '{name}' of site '{site}' is missing on {day}, and {len(gaps) - 1} more; every site needs "
                "every day between the first and the last: fill the gap"
            )


def _network(path, sites):
    raw = _read(path, ["site", "downstream"]).set_index("site")
    column = next((name for name in raw.columns if name.startswith("length")), None)
    if column is None:
        raise DataError(f"{path}: column 'length [m]' is missing; write the length of river to the site downstream")
    wrong = set(raw.index).symmetric_difference(sites)
    if wrong or raw.index.duplicated().any():
        site = next(iter(sorted(wrong)), None) or raw.index[raw.index.duplicated()][0]
        raise DataError(f"{path}: site '{site}' must have one row here and one in attributes.csv")
    _, unit, length, _ = _quantity(raw[column], path)
    raw = raw.assign(length=length).loc[sites]
    return xr.Dataset(
        {
            "downstream": ("unit", raw.downstream.to_numpy(dtype=str)),
            "length": ("unit", raw.length.to_numpy(float), {"units": unit}),
        },
        coords={"unit": sites},
    )


def _estimated(forcing, attributes, source):
    """Forcing and attributes with estimates of missing variables."""
    added, described = {}, {}
    if "air_temperature" in forcing:
        air = forcing.air_temperature.values
        depression = meteorology.DEW_POINT_DEPRESSION
        added["vapour_pressure"] = (
            ("time", "unit"),
            meteorology.saturation_vapour_pressure(air - depression),
            {"units": "hPa", "estimate": f"saturated at {depression} K below the mean air temperature"},
        )
        described["mean_air_temperature"] = ("unit", air.mean(0), {"units": "degC"})
        if {"latitude", "elevation"} <= set(attributes.data_vars):
            place = attributes.latitude.values, attributes.elevation.values
            rain = forcing.precipitation.values if "precipitation" in forcing else None
            added.update(meteorology.estimates(forcing.time.values, *place, air, rain, source=source))
    if "discharge" in forcing:
        described["mean_discharge"] = ("unit", forcing.discharge.values.mean(0), {"units": "m3/s"})
        if "drainage_area" in attributes:
            runoff = forcing.discharge.values * MILLIMETRES_PER_DAY / attributes.drainage_area.values
            added["runoff"] = (("time", "unit"), runoff, {"units": "mm/day"})
    return (
        forcing.assign({name: value for name, value in added.items() if name not in forcing}),
        attributes.assign({name: value for name, value in described.items() if name not in attributes}),
    )
