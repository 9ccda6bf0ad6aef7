"""19 French catchments, 1999-2018: a sample of CAMELS-FR that comes with the R package airGRdatasets.

Delaigue et al. (2025, CAMELS-FR, Earth System Science Data 17). Each file of R data holds one catchment: daily precipitation
(Ptot), mean air temperature (Temp), potential evapotranspiration (Evap, by the formula of Oudin) and discharge in l/s (Qls),
with gaps; and hypsometry, the elevations below which 0, 1, ... 100 % of the area lie.
"""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from thalweg.basin.domain import DataError, check_dates, check_range, require
from thalweg.datasets import DATASET
from thalweg.datasets.lumped import (
    MINIMUM_DAYS,
    add_potential_evapotranspiration,
    assemble,
    attribute_dataset,
    forcing_dataset,
    volume_per_second,
)
from thalweg.schema import Days, Period, Settings

SERIES = {"precipitation": "Ptot", "temperature": "Temp", "potential_evapotranspiration": "Evap"}
ELEVATIONS = {
    "lowest_elevation": 0,
    "elevation_10": 10,
    "median_elevation": 50,
    "elevation_90": 90,
    "highest_elevation": 100,
}
ATTRIBUTES = {
    "area": ("area", "km2", "km2", "catchment area"),
    "latitude": ("latitude", "degree", "degree", "latitude of the gauge"),
    "longitude": ("longitude", "degree", "degree", "longitude of the gauge"),
    "elevation": ("elevation", "m", "m", "mean elevation"),
    **{name: (name, "m", "m", f"elevation that {share} % of the area lie below") for name, share in ELEVATIONS.items()},
}


class FranceSettings(Settings):
    """19 French catchments, a sample of CAMELS-FR."""

    kind: Literal["france"] = "france"
    dataset: str = Field("france", description=DATASET)
    period: Period = Field(("1999-01-01", "2018-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["given", "oudin", "hamon"] = Field(
        "given", description="method; given is that of the files; the data have no temperature extremes"
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


SETTINGS = FranceSettings


def build(folder, period, potential_evapotranspiration="given", minimum_days=730):
    """Read the French catchments.

    Args:
        folder: where the ``.rda`` files are.
        period: first and last day.
        potential_evapotranspiration: "given" for that of the files, or a method of :mod:`thalweg.forcing.evapotranspiration`.
        minimum_days: days of discharge that a catchment needs within the period to be kept.

    Returns:
        (Domain, DataFrame): the domain, and the table of all catchments.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    folder = Path(folder)
    paths = sorted(folder.rglob("*.rda"))
    if not paths:
        raise DataError(f"{folder}: no .rda file found; fetch the dataset again with 'thalweg fetch france'")
    time = pd.date_range(*period, name="time")
    forcing = {name: np.full((len(time), len(paths)), np.nan) for name in SERIES}
    discharge = np.full((len(paths), len(time)), np.nan)
    rows, left_out = [], np.full(len(paths), "", dtype=object)
    for position, path in enumerate(paths):
        row, series = read_catchment(path)
        rows.append(row)
        if series.index[0] > time[0] or series.index[-1] < time[-1]:
            left_out[position] = f"series are of {series.index[0].date()} to {series.index[-1].date()} only"
        series = series.reindex(time)
        for name, column in SERIES.items():
            forcing[name][:, position] = series[column]
        discharge[position] = volume_per_second(series.Qls.to_numpy(), "liter/second", row["area"], f"{path}, 'Qls'")
    table = pd.DataFrame(rows).set_index("id")
    how = "as the files give it"
    if potential_evapotranspiration != "given":
        how = potential_evapotranspiration
        add_potential_evapotranspiration(forcing, how, time, table.latitude.to_numpy(), folder)
    meanings = {"potential_evapotranspiration": f"potential evapotranspiration, {how}"}
    return assemble(
        "france",
        forcing_dataset(time, table.index, forcing, folder, meanings),
        attribute_dataset(table, ATTRIBUTES, folder),
        discharge,
        table[["name", "latitude", "longitude"]].assign(drainage_area_km2=table.area),
        minimum_days,
        left_out=left_out,
    )


def read_catchment(path):
    """One file.

    Returns:
        (dict, DataFrame): id, name, latitude, longitude [degree], area [km2] and elevations [m]; and the series by day in the
        units of the file.

    Raises:
        DataError: if the file is not R data of this form, or a value is impossible.
    """
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the class of dates has no constructor: seconds are read
            ((name, content),) = rdata.read_rda(path).items()
        meta, series, hypsometry = content["Meta"], content["TS"], np.asarray(content["Hypso"], dtype=float)
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a catchment of airGRdatasets ({error!r}); expected one list with Meta, TS and Hypso"
        ) from error
    require(series, ["Date", *SERIES.values(), "Qls"], path)
    if len(hypsometry) != 101 or not np.isfinite(hypsometry).all():
        raise DataError(
            f"{path}: variable 'Hypso' has {np.isfinite(hypsometry).sum()} elevations; expected 101, without gaps"
        )
    time = pd.DatetimeIndex(pd.to_datetime(series.Date.to_numpy(float), unit="s"), name="time")
    check_dates(time, path)
    columns = [*SERIES.values(), "Qls"]
    series = pd.DataFrame({column: series[column].to_numpy(float, na_value=np.nan) for column in columns}, index=time)
    for column in ("Ptot", "Evap", "Qls"):
        check_range(series[column].to_numpy(), column, path, low=0)
    row = {
        "id": name,
        "name": str(meta["Name"][0]),
        "latitude": float(meta["Coor"]["Y"][0]),
        "longitude": float(meta["Coor"]["X"][0]),
        "area": float(meta["Area"][0]),
        "elevation": np.trapezoid(hypsometry) / 100,
        **{key: hypsometry[share] for key, share in ELEVATIONS.items()},
    }
    return row, series
