"""Delaware River Basin, 1979-1980, from the test data of pywatershed (CC0).

765 hydrologic response units and 456 reaches of the US National Hydrologic Model, daily precipitation and temperature
extremes, and daily discharge of 168 gauges of the US Geological Survey. Where a minimum temperature exceeds the maximum, the two
are exchanged, as in the other datasets.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sparse
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, Domain, check_complete, check_dates, check_range, require
from thalweg.basin.network import River
from thalweg.datasets import DATASET
from thalweg.datasets.lumped import ordered_extremes
from thalweg.forcing import evapotranspiration
from thalweg.forcing.energy import canopy_forcing
from thalweg.schema import Days, Period, Settings, Share
from thalweg.units import convert

FOLDER = "pywatershed/data/drb_2yr"

# name here: (file, variable, unit here, meaning). Elevation's unit is the flag elev_units = 1 (metres) of
# myparam.param. Parameters marked "national model" may have been tuned to discharge by the model's authors.
ATTRIBUTES = {
    "area": ("parameters_dis_both.nc", "hru_area", "km2", "area of the unit"),
    "latitude": ("parameters_dis_both.nc", "hru_lat", "degree", "latitude of the unit's centroid"),
    "longitude": ("parameters_dis_both.nc", "hru_lon", "degree", "longitude of the unit's centroid"),
    "elevation": ("parameters_dis_both.nc", "hru_elev", "m", "mean elevation"),
    "slope": ("parameters_dis_both.nc", "hru_slope", "dimensionless", "mean slope, rise over run"),
    "summer_cover_density": (
        "parameters_PRMSCanopy.nc",
        "covden_sum",
        "dimensionless",
        "vegetation cover in summer",
    ),
    "winter_cover_density": (
        "parameters_PRMSCanopy.nc",
        "covden_win",
        "dimensionless",
        "vegetation cover in winter",
    ),
    "rain_interception_capacity": (
        "parameters_PRMSCanopy.nc",
        "srain_intcp",
        "mm",
        "canopy storage of summer rain",
    ),
    "radiation_transmission": (
        "parameters_PRMSSnow.nc",
        "rad_trncf",
        "dimensionless",
        "shortwave passing the winter canopy",
    ),
    "impervious_fraction": (
        "parameters_PRMSRunoff.nc",
        "hru_percent_imperv",
        "dimensionless",
        "impervious share of the area",
    ),
    "depression_fraction": (
        "parameters_PRMSRunoff.nc",
        "dprst_frac",
        "dimensionless",
        "share with surface depressions",
    ),
    "soil_type": (
        "parameters_PRMSSoilzone.nc",
        "soil_type",
        "dimensionless",
        "soil texture: 1 sand, 2 loam, 3 clay",
    ),
    "soil_water_capacity": (
        "parameters_PRMSSoilzone.nc",
        "soil_moist_max",
        "mm",
        "soil water capacity, national model",
    ),
    "groundwater_coefficient": (
        "parameters_PRMSGroundwater.nc",
        "gwflow_coef",
        "1/day",
        "groundwater recession, national model",
    ),
}

COVER_TYPES = {"bare_soil": 0, "grass": 1, "shrub": 2, "forest": 3}

NETWORK = {
    "length": ("parameters_dis_both.nc", "seg_length", "m", "length of the reach"),
    "slope": ("parameters_dis_both.nc", "seg_slope", "dimensionless", "slope of the reach, rise over run"),
    "width": ("parameters_dis_both.nc", "seg_width", "m", "width of the river"),
    "bankfull_depth": ("parameters_dis_both.nc", "seg_depth", "m", "depth at bankfull"),
    "elevation": ("parameters_dis_both.nc", "seg_elev", "m", "elevation of the reach's midpoint"),
    "manning_n": ("parameters_PRMSChannel.nc", "mann_n", "s/m**(1/3)", "Manning roughness, national model"),
}

# Unit attributes of the files that are not machine-readable, and their meaning.
STATED = {"hru_elev": "m"}


class DelawareSettings(Settings):
    """The Delaware River Basin."""

    kind: Literal["delaware"] = "delaware"
    dataset: str = Field("delaware", description=DATASET)
    period: Period = Field(("1979-01-01", "1980-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["hargreaves", "oudin", "hamon"] = Field(
        "hargreaves", description="method, computed by pyet; hargreaves uses the daily temperature range"
    )
    minimum_days: Days = Field("700 days", validate_default=True, description="observed discharge that a gauge needs")
    area_tolerance: Share = Field(0.2, description="maximum relative error of the network's area at a gauge")


SETTINGS = DelawareSettings


def build(folder, period, potential_evapotranspiration="hargreaves", minimum_days=700, area_tolerance=0.2):
    """Read the Delaware domain.

    Args:
        folder: where the dataset was unpacked.
        period: first and last day.
        potential_evapotranspiration: method of :mod:`thalweg.forcing.evapotranspiration`.
        minimum_days: days of discharge that a gauge needs within the period to be kept.
        area_tolerance: maximum relative difference between the area accumulated over the network at the gauge's
            reach and the stated area of the gauge.

    Returns:
        (Domain, DataFrame): the domain with the gauges kept, and the table of all gauges with the reason for each.

    Raises:
        DataError, UnitError, NetworkError: the message names file, variable and first offending value.
    """
    folder = Path(folder) / FOLDER
    files = _Files(folder)
    dates = slice(*period)

    units = files.read("parameters_dis_both.nc", "nhm_id").values.astype(int).astype(str)
    attributes = xr.Dataset(coords={"unit": units})
    for name, (file, variable, unit, meaning) in ATTRIBUTES.items():
        attributes[name] = (
            "unit",
            files.converted(file, variable, unit),
            {"units": unit, "long_name": meaning},
        )
        check_complete(attributes[name].values, variable, folder / file)
    aspect = np.deg2rad(files.converted("parameters_dis_both.nc", "hru_aspect", "degree"))
    attributes["northness"] = (
        "unit",
        np.cos(aspect),
        {"units": "dimensionless", "long_name": "cosine of the aspect"},
    )
    attributes["eastness"] = (
        "unit",
        np.sin(aspect),
        {"units": "dimensionless", "long_name": "sine of the aspect"},
    )
    cover = files.read("parameters_PRMSCanopy.nc", "cov_type").values
    check_range(cover, "cov_type", folder / "parameters_PRMSCanopy.nc", low=0, high=4)
    for name, code in COVER_TYPES.items():
        chosen = (cover >= code) if name == "forest" else (cover == code)
        attributes[name] = (
            "unit",
            chosen.astype(float),
            {"units": "dimensionless", "long_name": f"cover is {name.replace('_', ' ')}"},
        )

    forcing = _forcing(files, units, dates, attributes, potential_evapotranspiration)
    network = _network(files, units, attributes)
    places, observed, table = _gauges(files, dates, network, attributes, minimum_days, area_tolerance)
    return Domain("delaware", forcing, attributes, network, places, observed), table


class _Files:
    def __init__(self, folder):
        self.folder = folder
        self.open = {}

    def read(self, file, variable):
        if file not in self.open:
            path = self.folder / file
            if not path.exists():
                raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch delaware'")
            with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as dataset:
                self.open[file] = dataset.load()
        require(self.open[file], [variable], self.folder / file)
        return self.open[file][variable]

    def converted(self, file, variable, unit):
        array = self.read(file, variable)
        stated = STATED.get(variable, array.attrs.get("units", ""))
        return convert(array.values, stated, unit, what=f"{self.folder / file}, variable '{variable}'")


def _forcing(files, units, dates, attributes, method):
    latitude, elevation = attributes.latitude.values, attributes.elevation.values
    series = {}
    for variable, unit in {"prcp": "mm", "tmin": "degC", "tmax": "degC"}.items():
        file = f"{variable}.nc"
        array = files.read(file, variable)
        check_dates(array.time.values, files.folder / file)
        values = files.converted(file, variable, unit)
        frame = pd.DataFrame(values, index=pd.DatetimeIndex(array.time), columns=array.nhm_id.values.astype(str))
        absent = [unit_id for unit_id in units if unit_id not in frame.columns]
        if absent:
            raise DataError(f"{files.folder / file}: unit '{absent[0]}' has no {variable}; every unit needs forcing")
        series[variable] = frame.loc[dates, list(units)]
        check_complete(series[variable].values, variable, files.folder / file)
        if series[variable].empty:
            raise DataError(
                f"{files.folder / file}: no day between {dates.start} and {dates.stop}; available: {frame.index[0].date()} to {frame.index[-1].date()}"
            )
    check_range(series["prcp"].values, "prcp", files.folder / "prcp.nc", low=0)
    minimum, maximum, _ = ordered_extremes(series["tmin"].values, series["tmax"].values)
    mean = (minimum + maximum) / 2
    time = series["prcp"].index
    potential = evapotranspiration.potential_evapotranspiration(
        method, time, latitude, mean, minimum, maximum, source="delaware"
    )
    dims = ("time", "unit")
    return xr.Dataset(
        {
            "precipitation": (dims, series["prcp"].values, {"units": "mm/day", "long_name": "precipitation"}),
            "temperature": (
                dims,
                mean,
                {"units": "degC", "long_name": "mean of the daily extremes of air temperature"},
            ),
            "minimum_temperature": (
                dims,
                minimum,
                {"units": "degC", "long_name": "minimum air temperature"},
            ),
            "maximum_temperature": (
                dims,
                maximum,
                {"units": "degC", "long_name": "maximum air temperature"},
            ),
            "potential_evapotranspiration": (
                dims,
                potential,
                {"units": "mm/day", "long_name": f"potential evapotranspiration, {method}"},
            ),
            **canopy_forcing(time, latitude, elevation, minimum, maximum),
        },
        coords={"time": time, "unit": units},
    )


def _network(files, units, attributes):
    file = "parameters_dis_both.nc"
    reaches = files.read(file, "nhm_seg").values.astype(int).astype(str)
    position = files.read(file, "tosegment").values.astype(int)
    check_range(position, "tosegment", files.folder / file, low=0, high=len(reaches))
    downstream = np.where(position == 0, "", reaches[np.maximum(position, 1) - 1])
    segment = files.read("parameters_PRMSChannel.nc", "hru_segment").values.astype(int)
    check_range(segment, "hru_segment", files.folder / "parameters_PRMSChannel.nc", low=0, high=len(reaches))
    river = River(reaches, downstream, files.folder / file)

    network = xr.Dataset(coords={"reach": reaches, "unit": units})
    network["downstream"] = ("reach", downstream, {"long_name": "reach downstream, empty at an outlet"})
    drained = segment > 0  # a few units on the coast drain to no reach
    unit_reach = np.where(drained, reaches[np.maximum(segment, 1) - 1], "")
    network["unit_reach"] = (
        "unit",
        unit_reach,
        {"long_name": "reach that the unit drains to, empty for none"},
    )
    for name, (source, variable, unit, meaning) in NETWORK.items():
        network[name] = (
            "reach",
            files.converted(source, variable, unit),
            {"units": unit, "long_name": meaning},
        )

    def total(values):
        return np.bincount(segment[drained] - 1, values[drained], len(reaches))

    area = total(attributes.area.values)
    network["drainage_area"] = (
        "reach",
        river.accumulate(area),
        {"units": "km2", "long_name": "area drained at the reach's end"},
    )
    for name in ("latitude", "longitude"):
        local = total(attributes.area.values * attributes[name].values)
        place = np.where(area > 0, local / np.where(area > 0, area, 1), np.nan)
        network[name] = (
            "reach",
            _fill_from_neighbours(place, river),
            {"units": "degree", "long_name": f"{name} of the reach, the centroid of its units"},
        )
    return network


def _fill_from_neighbours(place, river):
    """Assign to reaches without units the mean coordinates of their neighbours."""
    links = [(here, there) for here, there in enumerate(river.downstream) if there >= 0]
    rows, columns = np.array(links + [(b, a) for a, b in links]).T
    adjacency = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(place),) * 2)
    while np.isnan(place).any():
        known = ~np.isnan(place)
        count = adjacency @ known.astype(float)
        fillable = ~known & (count > 0)
        if not fillable.any():
            raise DataError(
                f"{river.source}: reach '{river.reach[~known][0]}' and its neighbours have no units, so no coordinates"
            )
        place = np.where(fillable, (adjacency @ np.nan_to_num(place)) / np.maximum(count, 1), place)
    return place


def _gauges(files, dates, network, attributes, minimum_days, area_tolerance):
    file = "drb_2yr_gage_poi_obs.nc"
    discharge = files.read(file, "discharge")
    check_dates(discharge.time.values, files.folder / file)
    ids = discharge.poi_id.values.astype(str)
    flow = pd.DataFrame(
        files.converted(file, "discharge", "m3/s"), index=ids, columns=pd.DatetimeIndex(discharge.time)
    ).loc[:, dates]
    check_range(flow.values, "discharge", files.folder / file, low=0)

    segment = pd.Series(
        files.read("parameters_dis_both.nc", "poi_gage_segment").values.astype(int),
        index=files.read("parameters_dis_both.nc", "poi_gage_id").values.astype(str),
    )
    absent = [name for name in ids if name not in segment.index]
    if absent:
        raise DataError(f"{files.folder / file}: gauge '{absent[0]}' is on no reach of parameters_dis_both.nc")
    reach = network.reach.values[segment.loc[ids].values - 1]
    area = network.drainage_area.sel(reach=reach).values
    stated = files.converted(file, "drainage_area", "km2")
    days = flow.notna().sum(axis=1).values
    difference = area / stated - 1

    table = pd.DataFrame(
        {
            "place": ids,
            "name": files.read(file, "poi_name").values.astype(str),
            "reach": reach,
            "latitude": files.converted(file, "latitude", "degree"),
            "longitude": files.converted(file, "longitude", "degree"),
            "stated_area_km2": stated,
            "network_area_km2": area,
            "area_difference": difference,
            "days_with_discharge": days,
        }
    )
    table["kept"] = (days >= minimum_days) & (np.abs(difference) <= area_tolerance)
    table["reason"] = np.select(
        [days == 0, days < minimum_days, ~(np.abs(difference) <= area_tolerance)],
        [
            "no discharge in the period",
            f"fewer than {minimum_days:g} days of discharge",
            f"network area differs from the stated area by more than {area_tolerance:.0%}",
        ],
        "kept",
    )
    kept = table[table.kept]
    if kept.empty:
        raise DataError(
            f"{files.folder / file}: no gauge has {minimum_days:g} days of discharge and an area within {area_tolerance:.0%}; relax minimum_days or area_tolerance"
        )
    places = xr.Dataset(
        {
            "name": ("place", kept["name"].values),
            "reach": ("place", kept.reach.values.astype(str)),
            "latitude": ("place", kept.latitude.values, {"units": "degree"}),
            "longitude": ("place", kept.longitude.values, {"units": "degree"}),
            "drainage_area": (
                "place",
                kept.stated_area_km2.values,
                {"units": "km2", "long_name": "drainage area that the gauge states"},
            ),
        },
        coords={"place": kept.place.values.astype(str)},
    )
    observed = xr.Dataset(
        {
            "discharge": (
                ("time", "place"),
                flow.loc[kept.place].values.T,
                {"units": "m3/s", "long_name": "observed discharge"},
            )
        },
        coords={"time": flow.columns, "place": places.place.values},
    )
    return places, observed, table
