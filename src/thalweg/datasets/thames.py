"""River Thames and its tributaries, 2009-2013: weekly samples of temperature and solutes at 21 places.

Samples: the Thames Initiative (Bowes et al. 2018, doi:10.5194/essd-10-1637-2018), as distributed with an example of
WSIMOD. Daily discharge of four rivers and catchment rainfall: UK National River Flow Archive.

Forcing is never computed from the samples. Discharge is measured by a gauge at four sites; elsewhere
the days measured are extended by the gauges (:mod:`thalweg.datasets.discharge_records`). Air temperature is the node ``1823-land``
of the example's ``example_override_data``. Two series next to it must not be used as forcing: ``oxford_land`` temperature in
``timeseries_data`` is the mean of river temperatures, and the daily concentrations there are the samples, filled in.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import (
    CENSORED,
    MILLIMETRES_PER_DAY,
    DataError,
    check_complete,
    check_dates,
    check_range,
    require,
    sampled_units,
)
from thalweg.basin.network import River
from thalweg.datasets import DATASET
from thalweg.datasets.discharge_records import base_flow_index, extend, flashiness
from thalweg.datasets.tables import read_numbers
from thalweg.forcing import meteorology
from thalweg.schema import Count, Period, Settings

FOLDER = "wsimod-0.8.1/docs/demo/data"
SAMPLES = "raw/CEHThamesInitiative_WaterQualityData_2009-2013.csv"
AIR = "processed/example_override_data.csv.gz"
AIR_NODE = "1823-land"
SITE, DATE, DISCHARGE = "Site", "Sampling date (dd/mm/yyyy)", "Mean daily river discharge (m3 s-1)"
LATITUDE = 51.7  # degrees north, of the estimates from date and latitude: one place, as the air temperature is
SETTLING = pd.Timedelta(days=1000)  # of discharge before the first day, for the slow means of the record extension

# Catchment areas, km2, from the station pages of the National River Flow Archive: the files have none.
GAUGES = {"39008": 1616.2, "39021": 551.7, "39034": 430.0, "39140": 290.1}

NITROGEN = {"NO3": 14.007 / 62.004, "NO2": 14.007 / 46.005, "NH4": 14.007 / 18.039}  # mass of N in the mass of the ion

# name: (header without repeated blanks, unit, factor to it, plausible range in it)
VARIABLES = {
    "water_temperature": ("Water temperature (C)", "degC", 1.0, (-0.5, 32.0)),
    "nitrate": ("Dissolved nitrate (mg l-1-NO3)", "mg/l", NITROGEN["NO3"], (0.0, 50.0)),
    "nitrite": ("Dissolved nitrite (mg l-1-NO2)", "mg/l", NITROGEN["NO2"], (0.0, 2.0)),
    "ammonium": ("Ammonium (mg l-1-NH4)", "mg/l", NITROGEN["NH4"], (0.0, 20.0)),
    "total_dissolved_nitrogen": ("Total dissolved nitrogen (mg l-1-N)", "mg/l", 1.0, (0.1, 60.0)),
    "dissolved_organic_carbon": ("Dissolved organic carbon (mg l-1)", "mg/l", 1.0, (0.1, 50.0)),
    "soluble_reactive_phosphorus": ("Soluble reactive phosphorus (ug l-1-P)", "ug/l", 1.0, (0.0, 5000.0)),
    "total_phosphorus": ("Total phosphorus (ug l-1-P)", "ug/l", 1.0, (0.0, 5000.0)),
    "chlorophyll": ("Chlorophyll-a (ug l-1)", "ug/l", 1.0, (0.0, 500.0)),
    "suspended_solids": ("Suspended solids (mg l-1)", "mg/l", 1.0, (0.0, 1000.0)),
    "dissolved_silicon": ("Dissolved silicon (mg l-1-Si)", "mg/l", 1.0, (0.0, 20.0)),
    "chloride": ("Dissolved chloride (mg l-1)", "mg/l", 1.0, (1.0, 500.0)),
}
AS_NITROGEN = ("nitrate", "nitrite", "ammonium")


@dataclass(frozen=True)
class Place:
    """A site from the map: river, next site downstream and river kilometres to it, surroundings.

    Lengths are rounded to the kilometre, latitude and longitude (degrees) to about a kilometre, elevation (m) to about ten
    metres. ``gauge`` is the station of the archive that measures its discharge.
    """

    site: str
    river: str
    downstream: str
    length: float
    latitude: float
    longitude: float
    elevation: float
    gauge: str | None = None


# A tributary drains to the next site of the Thames below the place where it joins: the Windrush just below Newbridge;
# the Evenlode below Swinford; the Ray into the Cherwell below Hampton Poyle; the Enborne into the Kennet below Woolhampton.
PLACES = {
    "River Thames at Hannington Wick": Place(
        "thames_hannington_wick", "Thames", "thames_newbridge", 36, 51.66, -1.75, 76
    ),
    "River Coln at Whelford": Place("coln_whelford", "Coln", "thames_newbridge", 33, 51.69, -1.75, 77),
    "River Cole at Lynt Bridge": Place("cole_lynt_bridge", "Cole", "thames_newbridge", 28, 51.68, -1.69, 72),
    "River Leach at Mill Lane,Lechlade": Place("leach_lechlade", "Leach", "thames_newbridge", 27, 51.70, -1.67, 73),
    "River Thames at Newbridge": Place("thames_newbridge", "Thames", "thames_swinford", 13, 51.71, -1.42, 64),
    "River Windrush at Newbridge": Place("windrush_newbridge", "Windrush", "thames_swinford", 14, 51.71, -1.42, 65),
    "River Thames at Swinford": Place(
        "thames_swinford", "Thames", "thames_wallingford", 46, 51.775, -1.36, 60, "39008"
    ),
    "River Evenlode at Cassington Mill": Place(
        "evenlode_cassington", "Evenlode", "thames_wallingford", 46, 51.79, -1.35, 61, "39034"
    ),
    "River Cherwell at Hampton Poyle": Place(
        "cherwell_hampton_poyle", "Cherwell", "thames_wallingford", 53, 51.83, -1.28, 62, "39021"
    ),
    "River Ray at Islip": Place("ray_islip", "Ray", "thames_wallingford", 50, 51.82, -1.24, 59, "39140"),
    "River Ock at Abingdon": Place("ock_abingdon", "Ock", "thames_wallingford", 22, 51.67, -1.29, 51),
    "River Thame at Wheatley": Place("thame_wheatley", "Thame", "thames_wallingford", 30, 51.74, -1.12, 54),
    "River Thames at Wallingford": Place("thames_wallingford", "Thames", "thames_sonning", 31, 51.60, -1.12, 44),
    "River Pang at Tidmarsh": Place("pang_tidmarsh", "Pang", "thames_sonning", 17, 51.47, -1.09, 43),
    "River Kennet at Woolhampton": Place("kennet_woolhampton", "Kennet", "thames_sonning", 24, 51.40, -1.18, 58),
    "River Enborne at Brimpton": Place("enborne_brimpton", "Enborne", "thames_sonning", 25, 51.38, -1.19, 60),
    "River Thames at Sonning": Place("thames_sonning", "Thames", "thames_runnymede", 53, 51.48, -0.91, 35),
    "River Lodden at Charvil": Place("loddon_charvil", "Loddon", "thames_runnymede", 51, 51.48, -0.88, 35),
    "River Wye at Bourne End": Place("wye_bourne_end", "Wye", "thames_runnymede", 25, 51.58, -0.71, 28),
    "The Cut at Paley Street": Place("cut_paley_street", "The Cut", "thames_runnymede", 25, 51.48, -0.75, 29),
    "River Thames at Runnymede": Place("thames_runnymede", "Thames", "", 0, 51.44, -0.56, 16),
    "Jubilee River at Pocock's Bridge": Place(
        "jubilee_pococks_bridge", "Jubilee", "thames_runnymede", 8, 51.50, -0.60, 18
    ),
}

LEFT_OUT = {
    "jubilee_pococks_bridge": "flood-relief channel of the Thames; the discharge stated is that of the Thames at Runnymede",
}


class ThamesSettings(Settings):
    """The Thames and its tributaries: weekly samples at 21 sites."""

    kind: Literal["thames"] = "thames"
    dataset: str = Field("thames", description=DATASET)
    period: Period = Field(
        ("2008-01-01", "2013-02-28"),
        validate_default=True,
        description="first and last day used; samples begin in March 2009, after a spin-up",
    )
    minimum_samples: Count = Field(50, description="sampled days that a site needs")


SETTINGS = ThamesSettings


def has_network(settings):
    """Whether the sites are on one river, for the plan of a study."""
    return True


def build(folder, period, minimum_samples=50):
    """Read the Thames sites.

    Args:
        folder: where the dataset was unpacked.
        period: first and last day; samples begin in March 2009, the time before is a spin-up.
        minimum_samples: days sampled that a site needs within the period to be kept.

    Returns:
        (Domain, DataFrame): the sites, and the table with a row per site of the dataset: whether it was kept and why, how its
        discharge was derived and its skill, samples of each variable, and excluded values.

    Raises:
        DataError, UnitError: the message names file, line, column and first offending value.
    """
    folder = Path(folder) / FOLDER
    first, last = (pd.Timestamp(day) for day in period)
    time = pd.date_range(first, last, name="time")
    table, odd = _samples(folder / SAMPLES)
    table = table[(table.time >= first) & (table.time <= last)]
    gauges = pd.DataFrame(
        {
            station: _archive_series(folder / f"raw/{station}_gdf.csv", "m3/s", first - SETTLING, last)
            for station in GAUGES
        }
    )
    check_range(gauges.values, "Gauged Daily Flow", folder / "raw", low=1e-6)

    rows, daily = [], {}
    for name, place in PLACES.items():
        sampled = table[table.site == place.site]
        row = {"place": place.site, "name": name, "kept": True, "reason": "", "days_sampled": len(sampled)}
        if place.site in LEFT_OUT:
            row.update(kept=False, reason=LEFT_OUT[place.site])
        elif len(sampled) < minimum_samples:
            row.update(kept=False, reason=f"fewer than {minimum_samples} days sampled")
        else:
            measured = sampled.set_index("time").discharge.dropna()
            daily[place.site], how = _discharge(place, measured, gauges)
            row.update(how)
        row.update({variable: int(sampled[variable].notna().sum()) for variable in VARIABLES})
        row["values_set_aside"] = "; ".join(odd.get(place.site, []))
        rows.append(row)
    described = pd.DataFrame(rows)
    kept = described.place[described.kept].tolist()
    if not kept:
        raise DataError(
            f"{folder / SAMPLES}: no site has {minimum_samples} days sampled between {first.date()} and {last.date()}; "
            "lengthen the period or lower minimum_samples"
        )
    places = {place.site: place for place in PLACES.values()}
    places = [places[site] for site in kept]

    discharge = pd.DataFrame(daily).loc[first:last, kept]
    area = _areas(places, discharge, gauges.loc[first:last])
    network = _network(places)
    forcing = _forcing(folder, time, kept, discharge, area)
    attributes = _attributes(places, forcing, area, network, described.set_index("place").loc[kept])
    return sampled_units("thames", forcing, attributes, _observed(table, time, kept), network), described


def _samples(path):
    """The sample table: a row per site and day, in canonical units; and excluded values, site -> list of texts."""
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch thames'")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    raw.columns = [" ".join(name.split()) for name in raw.columns]
    raw.index += 2  # the line of the file
    raw = raw[(raw != "").any(axis=1)]
    require(raw, [SITE, DATE, DISCHARGE, *(column for column, *_ in VARIABLES.values())], path)
    unknown = raw[~raw[SITE].isin(PLACES)]
    if len(unknown):
        raise DataError(
            f"{path}, line {unknown.index[0]}: column '{SITE}' is '{unknown[SITE].iloc[0]}', which is not in the "
            f"network; expected one of {', '.join(PLACES)}"
        )
    table = pd.DataFrame({"site": raw[SITE].map(lambda name: PLACES[name].site)})
    table["time"] = pd.to_datetime(raw[DATE], format="%d/%m/%Y", errors="coerce")
    if table.time.isna().any():
        line = table.index[table.time.isna()][0]
        raise DataError(f"{path}, line {line}: column '{DATE}' is '{raw[DATE][line]}'; expected a date like 03/03/2009")
    doubled = table.duplicated(["site", "time"])
    if doubled.any():
        line = table.index[doubled][0]
        raise DataError(
            f"{path}, line {line}: {raw[SITE][line]} was sampled on {raw[DATE][line]} more than once; keep one row"
        )
    table["discharge"], _ = read_numbers(raw[DISCHARGE], path)
    check_range(table.discharge, DISCHARGE, path, low=1e-6)
    odd = {}
    for name, (column, _, factor, (low, high)) in VARIABLES.items():
        values, below = read_numbers(raw[column], path, limits=True)
        # A concentration of 0 was rounded down: it lies below the resolution of the column.
        zero = (values == 0) & (name != "water_temperature")
        values[zero] = values[values > 0].min()
        values = values * factor
        wrong = (values < low) | (values > high)
        for line in np.flatnonzero(wrong):
            odd.setdefault(table.site.iloc[line], []).append(
                f"{name} {values[line]:g} on {table.time.iloc[line].date()}"
            )
        table[name] = np.where(wrong, np.nan, values)
        table[name + CENSORED] = (below | zero) & ~wrong
    return table, odd


def _archive_series(path, unit, first, last):
    """A daily series of the National River Flow Archive: rows of names and values, then rows of date, value and a flag."""
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch thames'")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    start = next((i for i, row in enumerate(rows) if row and row[0][:1].isdigit()), len(rows))
    stated = {",".join(row[:2]): row[2] for row in rows[:start] if len(row) > 2}
    if stated.get("dataType,units") != unit:
        raise DataError(f"{path}: 'dataType,units' is {stated.get('dataType,units')!r}; expected {unit!r}")
    if stated.get("station,id") != path.name[:5]:
        raise DataError(f"{path}: 'station,id' is {stated.get('station,id')!r}; expected {path.name[:5]!r}")
    column = pd.Series([row[1] for row in rows[start:]], range(start + 1, len(rows) + 1), name="value")
    values, _ = read_numbers(column, path)
    series = pd.Series(values, pd.DatetimeIndex([row[0] for row in rows[start:]], name="time"))
    check_dates(series.index, path)
    series = series.reindex(pd.date_range(first, last, name="time"))
    if series.isna().any():
        raise DataError(
            f"{path}: no value on {series.index[series.isna()][0].date()}; the period needs every day from "
            f"{first.date()} to {last.date()}: choose a period within {rows[start][0]}..{rows[-1][0]}"
        )
    return series


def _discharge(place, measured, gauges):
    """Daily discharge of a site and its derivation."""
    if place.gauge is not None:
        daily = gauges[place.gauge]
        logarithm, at = np.log(measured), daily.reindex(measured.index)
        return daily, {
            "discharge_source": f"gauge {place.gauge}",
            "discharge_days_used": 0,
            "discharge_r2": 1 - ((np.log(at) - logarithm) ** 2).sum() / ((logarithm - logarithm.mean()) ** 2).sum(),
            "discharge_nse": 1 - ((at - measured) ** 2).sum() / ((measured - measured.mean()) ** 2).sum(),
            "discharge_set_aside": "",
        }
    extension = extend(measured, gauges)
    return extension.daily, {
        "discharge_source": "days measured, extended by gauges " + ", ".join(gauges),
        "discharge_days_used": extension.used,
        "discharge_carried": extension.carried,
        "discharge_r2": extension.r2,
        "discharge_nse": extension.nse,
        "discharge_set_aside": "; ".join(f"{v:g} on {day.date()}" for day, v in extension.set_aside.items()),
    }


def _areas(places, discharge, gauges):
    """Drainage areas, km2: of the archive at a gauge, else the area that would yield the mean discharge."""
    runoff = gauges.mean().sum() / sum(GAUGES.values())
    effective = discharge.mean() / runoff
    return np.array([GAUGES.get(place.gauge, effective[place.site]) for place in places])


def _forcing(folder, time, kept, discharge, area):
    path = folder / AIR
    if not path.exists():
        raise DataError(f"{path}: the file is missing; fetch the dataset again with 'thalweg fetch thames'")
    nodes = pd.read_csv(path, parse_dates=["time"])
    require(nodes, ["node", "variable", "time", "value"], path)
    nodes = nodes[(nodes.node == AIR_NODE) & (nodes.variable == "temperature")]
    air = nodes.set_index("time").value.reindex(time)
    check_complete(air.values, f"{AIR_NODE} temperature", path)
    check_range(air.values, f"{AIR_NODE} temperature", path, low=-40, high=50)
    rain = _archive_series(folder / "raw/39008_cdr.csv", "mm", time[0], time[-1])
    check_range(rain.values, "Catchment Daily Rainfall", folder / "raw/39008_cdr.csv", low=0)
    one = np.ones((1, len(kept)))
    air, rain = air.values[:, None] * one, rain.values[:, None] * one
    dims = ("time", "unit")
    everywhere = "the same for all sites"
    latitude, elevation = np.full(len(kept), LATITUDE), np.full(len(kept), 60.0)
    depression = meteorology.DEW_POINT_DEPRESSION
    return xr.Dataset(
        {
            "air_temperature": (
                dims,
                air,
                {
                    "units": "degC",
                    "long_name": "mean air temperature",
                    "estimate": f"{everywhere}: node {AIR_NODE} of the dataset, whose place and unit it does not state",
                },
            ),
            "discharge": (
                dims,
                discharge.values,
                {"units": "m3/s", "long_name": "discharge", "estimate": "see the attribute discharge_source"},
            ),
            "runoff": (
                dims,
                discharge.values * MILLIMETRES_PER_DAY / area,
                {"units": "mm/day", "long_name": "discharge per drainage area", "estimate": "see drainage_area"},
            ),
            "precipitation": (
                dims,
                rain,
                {
                    "units": "mm/day",
                    "long_name": "precipitation",
                    "estimate": f"{everywhere}: catchment of the Thames at Eynsham",
                },
            ),
            "vapour_pressure": (
                dims,
                meteorology.saturation_vapour_pressure(air - depression),
                {
                    "units": "hPa",
                    "long_name": "vapour pressure",
                    "estimate": f"saturated at {depression} K below the mean air temperature",
                },
            ),
            **meteorology.estimates(time, latitude, elevation, air, rain, source="thames"),
        },
        coords={"time": time, "unit": kept},
    )


def _network(places):
    """The network of the sites kept: one that drains to a site left out drains to the next one below."""
    every, kept = {place.site: place for place in PLACES.values()}, {place.site for place in places}
    downstream, length = [], []
    for place in places:
        target, distance = place.downstream, place.length
        while target and target not in kept:
            target, distance = every[target].downstream, distance + every[target].length
        downstream.append(target)
        length.append(1e3 * distance if target else np.nan)
    return xr.Dataset(
        {
            "downstream": ("unit", np.array(downstream, dtype=str)),
            "length": (
                "unit",
                np.array(length),
                {
                    "units": "m",
                    "long_name": "length of river to the next site",
                    "estimate": "from maps, rounded to the kilometre",
                },
            ),
        },
        coords={"unit": [place.site for place in places]},
    )


def _attributes(places, forcing, area, network, table):
    discharge = forcing.discharge.values.T
    river = River([place.site for place in places], network.downstream.values, "thames")
    outlet = np.zeros(len(places))
    for level in river.levels[-2::-1]:
        outlet[level] = outlet[river.downstream[level]] + network.length.values[level] / 1e3
    map_ = "approximate, from the name of the place"
    numbers = {
        "mean_discharge": (discharge.mean(1), "m3/s", "mean discharge of the period", "see discharge_source"),
        "drainage_area": (
            area,
            "km2",
            "drainage area",
            "of the archive at a gauge, else mean discharge over the mean runoff of the four gauged catchments: an "
            "effective area",
        ),
        "base_flow_index": (
            [base_flow_index(series) for series in discharge],
            "dimensionless",
            "base flow as a share of discharge",
            "by smoothed minima of the daily discharge",
        ),
        "flashiness": (
            [flashiness(series) for series in discharge],
            "dimensionless",
            "Richards-Baker index",
            "from the daily discharge",
        ),
        "mean_air_temperature": (
            forcing.air_temperature.mean("time").values,
            "degC",
            "mean air temperature of the period",
            forcing.air_temperature.attrs["estimate"],
        ),
        "elevation": ([place.elevation for place in places], "m", "elevation", map_ + ", within about 10 m"),
        "distance_to_outlet": (outlet, "km", "length of river to the last site", "from maps, rounded to the kilometre"),
        "latitude": ([place.latitude for place in places], "degree", "latitude", map_),
        "longitude": ([place.longitude for place in places], "degree", "longitude", map_),
    }
    labels = {
        "name": table["name"],
        "river": [place.river for place in places],
        "discharge_source": table.discharge_source
        + table.discharge_r2.map(": R2 of the logarithm {:.2f}".format)
        + table.discharge_nse.map(", NSE {:.2f} on the days measured".format)
        + np.where(table.discharge_days_used > 0, ", each left out in turn", ""),
    }
    return xr.Dataset(
        {
            **{
                name: ("unit", np.asarray(values, float), {"units": unit, "long_name": meaning, "estimate": how})
                for name, (values, unit, meaning, how) in numbers.items()
            },
            **{name: ("unit", np.asarray(values, str), {"role": "label"}) for name, values in labels.items()},
        },
        coords={"unit": [place.site for place in places]},
    )


def _observed(table, time, kept):
    dataset = xr.Dataset(coords={"time": time, "place": kept})
    for name, (column, unit, *_) in VARIABLES.items():
        wide = table.pivot(index="time", columns="site", values=name).reindex(index=time, columns=kept)
        if wide.isna().all(axis=None):
            continue
        meaning = f"{name.replace('_', ' ')}{', as N' if name in AS_NITROGEN else ''}"
        dataset[name] = (("time", "place"), wide.values, {"units": unit, "long_name": meaning, "header": column})
        below = table.pivot(index="time", columns="site", values=name + CENSORED).reindex(index=time, columns=kept)
        if below.eq(True).any(axis=None):
            dataset[name + CENSORED] = (("time", "place"), below.eq(True).values.astype(np.int8))
    return dataset
