"""Davos flux tower (CH-DAV): a subalpine spruce forest at 1639 m, half-hourly 2013-2022, measured values only.

The file is in the wheel of diive (Hörtnagl, doi:10.5281/zenodo.10884017). Its columns ``*_f`` are filled by models of the
same drivers as a canopy's; they are not read. Of the fluxes, ``LE_orig`` and ``NEE_CUT_REF_orig`` are measured values, the
latter with turbulence above the file's reference threshold of friction velocity, and ``QCF_LE`` and ``QCF_NEE`` their quality
(0 best, 1 fair, 2 bad). Times are the middle of each half-hour, one hour ahead of UTC.

Net radiation, sensible heat and soil heat are not in the file, so that the closure of the tower's energy balance cannot be
assessed, nor are wind and friction velocity; net radiation is estimated from the available variables.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError, check_range, require
from thalweg.units import convert

FILE = "diive/configs/exampledata/exampledata_PARQUET_CH-DAV_FP2022.5_2013-2022_ID20230206154316_30MIN.parquet"
LATITUDE, ELEVATION = 46.815, 1639.0  # degrees north, m
HALF_HOUR = pd.Timedelta("30min")
STEFAN_BOLTZMANN = 5.67e-8  # W/m2/K4
FREEZING = 273.15  # K
EMISSIVITY = 0.98  # of the forest
ALBEDO = 0.10  # of an evergreen needleleaf forest

# name here: (column, its unit, unit here, minimum, maximum)
DRIVERS = {
    "air_temperature": ("Tair_orig", "degC", "degC", -40, 45),
    "vapour_pressure_deficit": ("VPD_orig", "hPa", "kPa", 0, 8),
    "shortwave_radiation": ("Rg_orig", "W/m**2", "W/m**2", -20, 1400),
    "longwave_radiation": ("LW_IN", "W/m**2", "W/m**2", 50, 500),
    "light": ("PPFD", "umol/m**2/s", "umol/m**2/s", -20, 2800),
    "pressure": ("PA", "hPa", "kPa", 70, 95),
    "soil_water": ("SWC_FF0_0.15_1", "percent", "dimensionless", 0, 1),
    "precipitation": ("PREC_TOT_T1_25+20_1", "mm", "mm", 0, 50),
}
FLUXES = {
    "latent_heat": ("LE_orig", "QCF_LE", "W/m**2"),
    "net_exchange": ("NEE_CUT_REF_orig", "QCF_NEE", "umol/m**2/s"),
}


def build(folder, max_flag=1, dry_hours=6.0):
    """Read the measurements of the tower.

    Args:
        folder: where the dataset was unpacked.
        max_flag: quality flag (0 or 1) up to which a flux counts as measured.
        dry_hours: hours without precipitation after which leaves count as dry.

    Returns:
        DataFrame by time, half-hourly, NaN where not measured: the names of DRIVERS [degC, kPa, W/m2, umol m-2 s-1, kPa,
        m3/m3, mm]; ``net_radiation`` [W/m2], estimated from both incoming radiations and air temperature; ``latent_heat`` [W/m2]
        and ``net_exchange`` of CO2 [umol m-2 s-1, uptake negative]; ``dry``, bool.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch davos'")
    columns = [column for column, *_ in DRIVERS.values()]
    columns += [column for flux, flag, _ in FLUXES.values() for column in (flux, flag)]
    raw = pd.read_parquet(path)
    require(raw, columns, path)
    return measured(raw[columns], max_flag, dry_hours, path)


def measured(raw, max_flag, dry_hours, source):
    """See :func:`build`; ``raw`` has the columns of the file."""
    irregular = np.flatnonzero(np.diff(raw.index) != HALF_HOUR)
    if len(irregular):
        raise DataError(f"{source}: variable 'TIMESTAMP_MIDDLE' is not half-hourly after {raw.index[irregular[0]]}")
    table = pd.DataFrame(index=raw.index.rename("time"))
    for name, (column, unit, to, low, high) in DRIVERS.items():
        table[name] = convert(raw[column].values, unit, to, what=f"{source}, variable '{column}'")
        check_range(table[name].values, column, source, low, high)
    kelvin = table.air_temperature + FREEZING
    longwave = EMISSIVITY * (table.longwave_radiation - STEFAN_BOLTZMANN * kelvin**4)
    table["net_radiation"] = (1 - ALBEDO) * table.shortwave_radiation + longwave
    for name, (column, flag, _) in FLUXES.items():
        table[name] = raw[column].where(raw[flag] <= max_flag).values
    wet = table.precipitation.gt(0) | table.precipitation.isna()
    table["dry"] = wet.rolling(max(round(dry_hours * 2), 1), min_periods=1).max().eq(0)
    return table
