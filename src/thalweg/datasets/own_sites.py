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

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import CENSORED, MILLIMETRES_PER_DAY, DataError, sampled_units
from thalweg.basin.ranges import RANGES
from thalweg.datasets.quantities import read_attributes, read_quantity
from thalweg.datasets.tables import header_of, read_table
from thalweg.datasets.times import daily, read_times
from thalweg.forcing import meteorology
from thalweg.schema import Settings

NAMES = (
    *("air_temperature", "mean_air_temperature", "water_temperature"),
    *("discharge", "mean_discharge", "runoff", "precipitation", "potential_evapotranspiration"),
    *("nitrate", "nitrite", "ammonium", "dissolved_organic_carbon", "dissolved_oxygen"),
    *("chlorophyll", "soluble_reactive_phosphorus", "total_phosphorus"),
    *("latitude", "longitude", "elevation", "length", "slope", "drainage_area"),
    *("shortwave_radiation", "vapour_pressure", "day_length"),
)
CANONICAL = {name: RANGES[name].unit for name in NAMES}
SAME_SAMPLES = 5  # days sampled on which two sites agree, to doubt that they are two


class OwnSitesSettings(Settings):
    """Sites from a folder of your own tables; see docs/guides/own_data.md."""

    kind: Literal["own_sites"] = "own_sites"
    folder: str = Field(description="folder of forcing.csv, attributes.csv, samples.csv and, optionally, network.csv")
    name: str = Field("own", description="name of the domain in tables and figures")
    samples: Literal["needed", "optional"] = Field(
        "needed", description="optional: samples.csv may be missing, for predictions"
    )


SETTINGS = OwnSitesSettings


def has_network(settings):
    """Whether the sites are on one river, for the plan of a study."""
    return Path(settings.folder, "network.csv").exists()


def build(folder, name="own", samples="needed"):
    """Read the sites of a folder of tables.

    Args:
        folder: where ``forcing.csv``, ``attributes.csv``, ``samples.csv`` and optionally ``network.csv`` are.
        name: of the domain.
        samples: "optional" if there may be no ``samples.csv``; the domain then has no observations.

    Returns:
        (Domain, DataFrame): the sites, and the table with a row per site: samples of each variable and how many are censored.

    Raises:
        DataError, UnitError, NetworkError: the message names file, line, column, value and remedy.
    """
    folder = Path(folder)
    paths = {part: folder / f"{part}.csv" for part in ("forcing", "attributes", "samples", "network")}
    _, attributes = read_attributes(paths["attributes"], "site", CANONICAL)
    sites = attributes.unit.values
    forcing, _ = _series(paths["forcing"], "unit", sites)
    _check_every_day(forcing, paths["forcing"])
    if samples == "optional" and not paths["samples"].exists():
        observed, flags = xr.Dataset(coords={"time": forcing.time.values, "place": sites}), {}
    else:
        observed, flags = _series(paths["samples"], "place", sites, forcing.time.values, limits=True)
    network = _network(paths["network"], sites) if paths["network"].exists() else None
    forcing, attributes = _estimated(forcing, attributes, name)
    table = pd.DataFrame({"place": sites, "flag": _doubles(observed)})
    for variable in observed.data_vars:
        table[variable] = observed[variable].notnull().sum("time").values
        table[variable + CENSORED] = flags[variable].sum(0) if variable in flags else 0
    for variable, flag in flags.items():
        observed[variable + CENSORED] = (("time", "place"), flag.astype(np.int8))
    return sampled_units(name, forcing, attributes, observed, network), table


def _series(path, dimension, sites, time=None, limits=False):
    """A table of times and sites as (Dataset (time, dimension), name -> bool array of censored values)."""
    raw = read_table(path, ["time", "site"])
    times = read_times(raw.time, path)
    unknown = ~raw.site.isin(sites)
    if unknown.any():
        line = raw.index[unknown][0]
        raise DataError(f"{path}, line {line}: site '{raw.site[line]}' is not in attributes.csv; add it there")
    days = times.day
    if time is None:
        for site, rows in times.groupby(raw.site):
            daily(rows, path, f"site '{site}'")
        time = pd.date_range(days.min(), days.max(), name="time")
    doubled = pd.DataFrame({"day": days, "site": raw.site}).duplicated()
    if doubled.any():
        line = raw.index[doubled][0]
        raise DataError(
            f"{path}, line {line}: site '{raw.site[line]}' has more than one row for {days[line].date()}; keep one row per day"
        )
    outside = ~days.isin(time)
    if outside.any():
        line = raw.index[outside][0]
        raise DataError(
            f"{path}, line {line}: {days[line].date()} is not a day of forcing.csv; lengthen the forcing or drop the row"
        )
    at = (pd.Index(time).get_indexer(days), pd.Index(sites).get_indexer(raw.site))
    dataset, flags = xr.Dataset(coords={"time": pd.DatetimeIndex(time, name="time"), dimension: sites}), {}
    for column in raw.columns.drop(["time", "site"]):
        name, unit, values, below = read_quantity(raw[column], path, CANONICAL, limits)
        array = np.full((len(time), len(sites)), np.nan)
        array[at] = values
        dataset[name] = (("time", dimension), array, {"units": unit})
        if below.any():
            flags[name] = np.zeros(array.shape, bool)
            flags[name][at] = below
    if not dataset.data_vars:
        raise DataError(f"{path}: no column has a variable; add columns such as 'discharge [m3/s]'")
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


def _doubles(observed):
    """Sites whose samples are those of another: array of texts (place,)."""
    values = np.stack([variable.values for variable in observed.data_vars.values()], axis=-1)
    texts = np.full(values.shape[1], "", dtype=object)
    for one in range(len(texts)):
        there = np.isfinite(values[:, one])
        for other in range(len(texts)):
            same = np.array_equal(values[:, one], values[:, other], equal_nan=True)
            if one != other and there.any(1).sum() >= SAME_SAMPLES and same:
                texts[one] = f"same samples as '{observed.place.values[other]}': one site under two ids?"
    return texts


def _network(path, sites):
    raw = read_table(path, ["site", "downstream"])
    column = next((name for name in raw.columns if header_of(name)[0] == "length"), None)
    if column is None:
        raise DataError(f"{path}: column 'length [m]' is missing; write the length of river to the site downstream")
    wrong = sorted(set(raw.site).symmetric_difference(sites)) + list(raw.site[raw.site.duplicated()])
    if wrong:
        raise DataError(f"{path}: site '{wrong[0]}' must have one row here and one in attributes.csv")
    _, unit, length, _ = read_quantity(raw[column], path, CANONICAL)
    raw = raw.assign(length=length).set_index("site").loc[sites]
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
