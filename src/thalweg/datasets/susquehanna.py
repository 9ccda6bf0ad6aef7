"""Susquehanna River Basin, 1984-2020, from a tutorial of HydroCNHS (BSD-3).

18 sub-basins (HUC8) with Daymet precipitation and mean temperature, and daily discharge of six nested gauges of the US
Geological Survey. Precipitation is in centimetres; the file's own potential evapotranspiration (350-450 mm a
year) is implausibly low for the region and is not used: it is computed from temperature instead.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, Domain, check_complete, check_dates, check_range, require
from thalweg.basin.network import River
from thalweg.datasets import DATASET
from thalweg.forcing import evapotranspiration
from thalweg.forcing.energy import canopy_forcing
from thalweg.schema import Days, Period, Settings
from thalweg.units import convert

FOLDER = "hydrocnhs-1.2.0/tutorials/Tutorial_3-Sediment_Routing/Data"
PRECIPITATION = ("daymet_srb_hu8_d_prcp_cm_1984_2021.csv", "cm")
TEMPERATURE = ("daymet_srb_hu8_d_tavg_degC_1984_2021.csv", "degC")
DISCHARGE = ("usgs_Q_D_cms_1985_2021.csv", "m3/s")
UNITS = "SRB_HU8.csv"
LAND = "agt_shp_info.csv"

# Missing from the data but needed for the energy of a canopy: the daily range of temperature, as measured over the Delaware River
# Basin next to it in 1979 and 1980 on days without and with rain, and the elevation, which has little effect.
WET_DAY = 1.0  # mm
DRY_RANGE, WET_RANGE = 11.6, 10.7  # K
ELEVATION = 400.0  # m
RANGE_ESTIMATE = (
    f"; extremes of temperature: mean plus and minus half of {DRY_RANGE} K, of {WET_RANGE} K on days with more than "
    f"{WET_DAY:g} mm, the mean ranges of the Delaware River Basin"
)

# The dataset has no topology: derived from the hydrologic unit codes (rivers meet as the sub-basins' names say).
DOWNSTREAM = {
    "Sb1_1": "Sb1_2",  # Tioga -> Chemung
    "Sb1_2": "Sb3_1",
    "Sb2_1": "Sb2_3",  # Chenango -> Owego-Wappasening
    "Sb2_2": "Sb2_3",
    "Sb2_3": "Sb3_1",
    "Sb3_1": "Sb3_2",  # Tunkhannock -> Lackawanna
    "Sb3_2": "Sb6_1",
    "Sb4_1": "Sb4_4",  # upper West Branch -> middle West Branch
    "Sb4_2": "Sb4_4",  # Sinnemahoning
    "Sb4_3": "Sb4_6",  # Bald Eagle -> lower West Branch
    "Sb4_4": "Sb4_6",
    "Sb4_5": "Sb4_6",  # Pine Creek
    "Sb4_6": "Sb6_1",
    "Sb5_1": "Sb5_3",  # Raystown -> lower Juniata
    "Sb5_2": "Sb5_3",
    "Sb5_3": "Sb6_2",
    "Sb6_1": "Sb6_2",
    "Sb6_2": "",
}

LAND_ATTRIBUTES = {
    "slope_length_factor": (
        "Value_LS",
        "slope length and steepness factor (LS) of the universal soil loss equation",
    ),
    "soil_erodibility": (
        "Value_K",
        "soil erodibility factor (K) of the universal soil loss equation, US customary units",
    ),
    "cultivated_fraction": ("cul%", "share of cultivated land"),
    "pasture_fraction": ("pas%", "share of pasture"),
}


class SusquehannaSettings(Settings):
    """The Susquehanna River Basin."""

    kind: Literal["susquehanna"] = "susquehanna"
    dataset: str = Field("susquehanna", description=DATASET)
    period: Period = Field(("1984-01-01", "2020-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["oudin", "hamon"] = Field(
        "oudin", description="method, computed by pyet; the data have no temperature extremes"
    )
    minimum_days: Days = Field("3650 days", validate_default=True, description="observed discharge that a gauge needs")


SETTINGS = SusquehannaSettings


def build(folder, period, potential_evapotranspiration="oudin", minimum_days=700):
    """Read the Susquehanna domain.

    Args:
        folder: where the dataset was unpacked.
        period: first and last day.
        potential_evapotranspiration: method of :mod:`thalweg.forcing.evapotranspiration`; the data have no temperature extremes.
        minimum_days: days of discharge that a gauge needs within the period to be kept.

    Returns:
        (Domain, DataFrame): the domain, and the table of gauges. The gauges' drainage area is the accumulated area of
        their sub-basins: the dataset reports none.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    folder = Path(folder) / FOLDER
    dates = slice(*period)
    table = _table(folder / UNITS, "ID")
    require(table, ["area_ha", "central_la", "central_lo"], folder / UNITS)
    units = table.index.to_numpy(dtype=str)
    area = convert(table.area_ha.values, "hectare", "km2", what=f"{folder / UNITS}, variable 'area_ha'")
    absent = [unit for unit in units if unit not in DOWNSTREAM]
    if absent:
        raise DataError(
            f"{folder / UNITS}: sub-basin '{absent[0]}' is not in the network; expected {', '.join(DOWNSTREAM)}"
        )

    attributes = xr.Dataset(
        {
            "area": ("unit", area, {"units": "km2", "long_name": "area of the sub-basin"}),
            "latitude": (
                "unit",
                table.central_la.values,
                {"units": "degree", "long_name": "latitude of the centre"},
            ),
            "longitude": (
                "unit",
                table.central_lo.values,
                {"units": "degree", "long_name": "longitude of the centre"},
            ),
        },
        coords={"unit": units},
    )
    land = _table(folder / LAND, "Agt_ID")
    require(land, ["ID", "area_ha", *(column for column, _ in LAND_ATTRIBUTES.values())], folder / LAND)
    for name, (column, meaning) in LAND_ATTRIBUTES.items():
        weighted = (land[column] * land.area_ha).groupby(land.ID).sum() / land.area_ha.groupby(land.ID).sum()
        attributes[name] = (
            "unit",
            weighted.reindex(units).values,
            {"units": "dimensionless", "long_name": meaning},
        )
        check_complete(attributes[name].values, column, folder / LAND)

    precipitation = _series(folder, *PRECIPITATION, "mm", dates, units)
    temperature = _series(folder, *TEMPERATURE, "degC", dates, units)
    check_range(precipitation.values, "precipitation", folder / PRECIPITATION[0], low=0)
    for values, (file, _) in ((precipitation, PRECIPITATION), (temperature, TEMPERATURE)):
        check_complete(values.values, "daily values", folder / file)
    potential = evapotranspiration.potential_evapotranspiration(
        potential_evapotranspiration,
        precipitation.index,
        attributes.latitude.values,
        temperature.values,
        source="susquehanna",
    )
    half_range = np.where(precipitation.values > WET_DAY, WET_RANGE, DRY_RANGE) / 2
    energy = canopy_forcing(
        precipitation.index,
        attributes.latitude.values,
        np.full(len(units), ELEVATION),
        temperature.values - half_range,
        temperature.values + half_range,
        RANGE_ESTIMATE,
    )
    dims = ("time", "unit")
    forcing = xr.Dataset(
        {
            "precipitation": (dims, precipitation.values, {"units": "mm/day", "long_name": "precipitation"}),
            "temperature": (dims, temperature.values, {"units": "degC", "long_name": "mean air temperature"}),
            "potential_evapotranspiration": (
                dims,
                potential,
                {"units": "mm/day", "long_name": f"potential evapotranspiration, {potential_evapotranspiration}"},
            ),
            **energy,
        },
        coords={"time": precipitation.index, "unit": units},
    )

    river = River(units, [DOWNSTREAM[unit] for unit in units], folder / UNITS)
    drainage = river.accumulate(area)
    network = xr.Dataset(
        {
            "downstream": ("reach", [DOWNSTREAM[unit] for unit in units]),
            "unit_reach": ("unit", units),
            "drainage_area": (
                "reach",
                drainage,
                {"units": "km2", "long_name": "area drained at the reach's end"},
            ),
            "latitude": ("reach", attributes.latitude.values, {"units": "degree"}),
            "longitude": ("reach", attributes.longitude.values, {"units": "degree"}),
        },
        coords={"reach": units, "unit": units},
    )

    header = pd.read_csv(folder / DISCHARGE[0], nrows=0).columns[1:].to_numpy(dtype=str)
    flow = _series(folder, *DISCHARGE, "m3/s", dates, header).reindex(precipitation.index)
    check_range(flow.values, "discharge", folder / DISCHARGE[0], low=0)
    position = river.positions(header)
    days = flow.notna().sum().values
    gauge_table = pd.DataFrame(
        {
            "place": header,
            "name": table["name"].loc[header].values,
            "reach": header,
            "network_area_km2": drainage[position],
            "days_with_discharge": days,
            "kept": days >= minimum_days,
            "reason": np.where(days >= minimum_days, "kept", f"fewer than {minimum_days:g} days of discharge"),
        }
    )
    kept = gauge_table.kept.values
    places = xr.Dataset(
        {
            "name": ("place", gauge_table["name"].values[kept].astype(str)),
            "reach": ("place", header[kept]),
            "latitude": ("place", attributes.latitude.values[position][kept], {"units": "degree"}),
            "longitude": ("place", attributes.longitude.values[position][kept], {"units": "degree"}),
            "drainage_area": (
                "place",
                drainage[position][kept],
                {"units": "km2", "long_name": "accumulated area"},
            ),
        },
        coords={"place": header[kept]},
    )
    observed = xr.Dataset(
        {
            "discharge": (
                ("time", "place"),
                flow.values[:, kept],
                {"units": "m3/s", "long_name": "observed discharge"},
            )
        },
        coords={"time": precipitation.index, "place": header[kept]},
    )
    return Domain("susquehanna", forcing, attributes, network, places, observed), gauge_table


def _table(path, index):
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch susquehanna'")
    frame = pd.read_csv(path)
    require(frame, [index], path)
    return frame.set_index(index)


def _series(folder, file, unit, to, dates, columns):
    path = folder / file
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch susquehanna'")
    frame = pd.read_csv(path, index_col=0, parse_dates=True).rename_axis("time")
    check_dates(frame.index, path)
    require(frame, columns, path)
    frame = frame.loc[dates, list(columns)]
    if frame.empty:
        raise DataError(f"{path}: no day between {dates.start} and {dates.stop}")
    return pd.DataFrame(convert(frame.values, unit, to, what=str(path)), frame.index, frame.columns)
