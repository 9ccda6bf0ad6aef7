"""Leaf gas exchange of one genotype: curves of assimilation over CO2, a light response, stomatal conductance.

The data are the test data of PhoTorch (Lei et al. 2025, doi:10.1007/s11120-025-01136-7). ``dfMAGIC043_lr.csv``
holds eleven A-Ci curves of 160 to 180 points at four temperatures, measured while CO2 rises, so that neighbouring points are
nearly identical, and one light response of six points. ``steadystate_stomatalconductance.csv`` holds fourteen series of
conductance over light, temperature and humidity.

Three things were not measured or are not in the tables: the absorbed share of light (taken as ABSORPTANCE), air pressure (taken
as that of sea level) and, for conductance, CO2 in the chamber (taken as CHAMBER_CO2).
``nonsteadystate_stomatalconductance.csv`` has neither assimilation nor steady stomata and is not used.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, check_complete, check_range, require, sampled_units
from thalweg.datasets import DATASET
from thalweg.schema import Settings

CURVES = "dfMAGIC043_lr.csv"
STOMATA = "steadystate_stomatalconductance.csv"
FOLDER = "photorch/data/tests"
GENOTYPE = "MAGIC043"

ABSORPTANCE = 0.85  # of a leaf for photosynthetically active light, Bonan (2019), doi:10.1017/9781107339217
SEA_LEVEL = 101.325  # kPa
CHAMBER_CO2 = 400.0  # umol/mol
MIN_POINTS = 5

FORCING = {
    "intercellular_co2": ("umol/mol", "CO2 between the cells of the leaf"),
    "co2": ("umol/mol", "CO2 at the leaf's surface"),
    "absorbed_light": ("umol/m**2/s", "photosynthetically active light absorbed by the leaf"),
    "leaf_temperature": ("degC", "temperature of the leaf"),
    "pressure": ("kPa", "air pressure"),
    "vapour_pressure_deficit": ("kPa", "vapour pressure deficit between leaf and air"),
}
OBSERVED = {
    "assimilation": ("umol/m**2/s", "net uptake of CO2"),
    "stomatal_conductance": ("mol/m**2/s", "conductance of stomata to water vapour"),
}
LIMITS = {  # plausible range of a leaf and its chamber; values outside are errors of the file
    "intercellular_co2": (0.0, 3000.0),
    "co2": (0.0, 3000.0),
    "absorbed_light": (0.0, 2500.0),
    "leaf_temperature": (-10.0, 55.0),
    "pressure": (50.0, 110.0),
    "vapour_pressure_deficit": (0.0, 10.0),
    "assimilation": (-25.0, 120.0),
    "stomatal_conductance": (0.0, 5.0),
}
LIGHT = f"incident light times an absorptance of {ABSORPTANCE}"


def read(path, columns):
    """A table with the named columns; DataError if one is missing."""
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing; fetch the dataset again") from None
    require(table, columns, path)
    return table


def domain_of_curves(name, curves, attributes, estimates, source):
    """Curves as units with points instead of days.

    Args:
        name: of the domain.
        curves: curve id -> DataFrame with columns of FORCING and OBSERVED, a row per point in the order of measurement.
        attributes: Dataset (unit,), in the same order.
        estimates: forcing name -> how it was estimated, for variables not measured.
        source: file or folder, for messages.

    Returns:
        Domain: a curve with fewer points than the longest repeats its last one as forcing and has no values there.

    Raises:
        DataError: if a value is outside LIMITS, or forcing has a gap.
    """
    longest = max(len(curve) for curve in curves.values())
    columns = next(iter(curves.values())).columns
    for curve, table in curves.items():
        for column in columns:
            place = f"{source}, curve {curve}"
            if column in FORCING:
                check_complete(table[column].values, column, place)
            check_range(table[column].values, column, place, *LIMITS[column])

    def stacked(column, fill):
        return np.stack(
            [
                np.pad(values, (0, longest - len(values)), "edge" if fill is None else "constant", **(fill or {}))
                for values in (table[column].to_numpy(float) for table in curves.values())
            ],
            axis=1,
        )

    groups = []
    for dimension, described, fill in (("unit", FORCING, None), ("place", OBSERVED, {"constant_values": np.nan})):
        variables = {}
        for column in [column for column in columns if column in described]:
            unit, text = described[column]
            attrs = {"units": unit, "long_name": text}
            if column in estimates:
                attrs["estimate"] = estimates[column]
            variables[column] = (("point", dimension), stacked(column, fill), attrs)
        groups.append(xr.Dataset(variables, coords={"point": np.arange(longest), dimension: list(curves)}))
    forcing, observed = groups
    return sampled_units(name, forcing, attributes.assign_coords(unit=list(curves)), observed)


class LeafSettings(Settings):
    """Gas exchange of leaves of one genotype."""

    kind: Literal["leaf"] = "leaf"
    dataset: str = Field("leaf", description=DATASET)
    measured: Literal["assimilation", "stomatal_conductance"] = Field(
        "assimilation",
        description="measured variable: A-Ci curves, or series of stomatal conductance with assimilation",
    )


SETTINGS = LeafSettings


def build(folder, measured="assimilation"):
    """The curves of assimilation, or the series of :func:`build_stomata`.

    Args:
        folder: of the fetched dataset ``leaf``.
        measured: ``assimilation`` or ``stomatal_conductance``.

    Returns:
        (Domain, table): DataFrame of curves with the number of points kept and left out, and why.

    Raises:
        DataError: the message names file, curve and impossible value.
    """
    if measured == "stomatal_conductance":
        return build_stomata(folder)
    path = Path(folder) / FOLDER / CURVES
    table = read(path, ["CurveID", "Ci", "A", "Qin", "Tleaf"])
    table = pd.DataFrame(
        {
            "curve": [f"curve {number}" for number in table.CurveID],
            "intercellular_co2": table.Ci,
            "absorbed_light": ABSORPTANCE * table.Qin,
            "leaf_temperature": table.Tleaf,
            "pressure": SEA_LEVEL,
            "assimilation": table.A,
        }
    )
    curves, kept = select(table, table.assimilation.notna(), path)
    kinds = ["light response" if len(curve) < 100 else "A-Ci" for curve in curves.values()]
    estimates = {"absorbed_light": LIGHT, "pressure": "that of sea level"}
    return domain_of_curves("leaf", curves, _attributes(curves, kinds), estimates, path), kept


def build_stomata(folder):
    """The series of steady stomatal conductance, with assimilation; see :func:`build`."""
    path = Path(folder) / FOLDER / STOMATA
    table = read(path, ["CurveID", "gsw", "Tleaf", "VPDleaf", "Qin", "A"])
    table = pd.DataFrame(
        {
            "curve": [f"series {number}" for number in table.CurveID],
            "co2": CHAMBER_CO2,
            "absorbed_light": ABSORPTANCE * table.Qin,
            "leaf_temperature": table.Tleaf,
            "pressure": SEA_LEVEL,
            "vapour_pressure_deficit": table.VPDleaf,
            "assimilation": table.A,
            "stomatal_conductance": table.gsw,
        }
    )
    curves, kept = select(table, table.stomatal_conductance > 0, path, "conductance is not above 0")
    estimates = {"co2": f"taken as {CHAMBER_CO2:g} umol/mol", "absorbed_light": LIGHT, "pressure": "that of sea level"}
    kinds = ["stomata"] * len(curves)
    return domain_of_curves("leaf_stomata", curves, _attributes(curves, kinds), estimates, path), kept


def select(table, possible, source, reason="no assimilation"):
    """Curves of at least MIN_POINTS possible points.

    Args:
        table: DataFrame with a column ``curve``.
        possible: bool (row,), rows to keep.
        source, reason: for messages and the table: why the others are dropped.

    Returns:
        (curves, kept): curve id -> DataFrame without ``curve``; DataFrame of curve, points, left_out, reason, used.

    Raises:
        DataError: if no curve is left.
    """
    curves, rows = {}, []
    for curve, group in table.groupby("curve", sort=False):
        good = group[possible.loc[group.index]].drop(columns="curve").reset_index(drop=True)
        left_out, why = len(group) - len(good), reason if len(good) < len(group) else ""
        used = len(good) >= MIN_POINTS
        if used:
            curves[curve] = good
        else:
            why = f"fewer than {MIN_POINTS} points"
        rows.append({"curve": curve, "points": len(good), "left_out": left_out, "reason": why, "used": used})
    if not curves:
        raise DataError(f"{source}: no curve has {MIN_POINTS} points; fetch the dataset again")
    return curves, pd.DataFrame(rows)


def _attributes(curves, kinds):
    mean = [curve.leaf_temperature.mean() for curve in curves.values()]
    label = {"role": "label"}
    return xr.Dataset(
        {
            "mean_leaf_temperature": ("unit", mean, {"units": "degC", "long_name": "mean over the curve"}),
            "kind": ("unit", kinds, label),
            "genotype": ("unit", [GENOTYPE] * len(curves), label),
            "pathway": ("unit", ["C3"] * len(curves), label),
        },
        coords={"unit": list(curves)},
    )
