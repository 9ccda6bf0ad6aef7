"""Leaf Carbon Exchange (LCE): 598 A-Ci curves of 96 species at 12 sites from Costa Rica to Alaska.

The data of N. G. Smith and J. S. Dukes (doi:10.5281/zenodo.826930). ``LCE_data.csv`` has a row per curve with the
authors' own fits of Vcmax, Jmax and Rd at the temperature of measurement, traits and climate;
``LCE_ACi_curves/<aci_id>.csv`` the points.

Treatment of the data, with counts in the table returned by :func:`build`: points whose CO2 is not above zero (C4 curves
measured at the analyser's zero) are left out; conductance is kept as a sample only where CO2 is near ambient, for within a curve
stomata lag behind; missing traits take the mean of the location.
"""

from pathlib import Path
from typing import Literal

import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, check_range
from thalweg.datasets import DATASET
from thalweg.datasets.leaf import ABSORPTANCE, LIGHT, domain_of_curves, read, select
from thalweg.schema import Settings

AMBIENT = (350.0, 450.0)  # umol/mol at the leaf's surface, where conductance is a sample
COLUMNS = {
    "intercellular_co2": "Ci",
    "co2": "CO2S",
    "leaf_temperature": "Tleaf",
    "pressure": "Press",
    "vapour_pressure_deficit": "VPD",
    "assimilation": "Photo",
    "stomatal_conductance": "Cond",
}
NUMBERS = {  # attribute -> column, unit, meaning, minimum and maximum possible value
    "growth_temperature": ("Tavg30", "degC", "mean air temperature of the 30 days before", -30, 45),
    "season_temperature": ("Temperature_gs", "degC", "mean air temperature of the growing season", -30, 45),
    "season_precipitation": ("Precipitation_gs", "mm", "mean monthly precipitation of the growing season", 0, 2000),
    "season_vapour_pressure_deficit": ("VPD_gs", "kPa", "mean of the growing season", 0, 10),
    "season_light": ("PAR_gs", "umol/m**2/s", "mean of the growing season", 0, 2500),
    "moisture_index": ("ai", "dimensionless", "precipitation over potential evapotranspiration", 0, 20),
    "leaf_nitrogen": ("Nper", "percent", "nitrogen in leaf mass", 0, 20),
    "carbon_nitrogen_ratio": ("CN", "dimensionless", "of the leaf", 0, 300),
    "soil_moisture": ("SMper", "percent", "at 0 to 10 cm, by volume", 0, 100),
    "field_capacity": ("FCper", "percent", "of the site's soil, by volume", 0, 100),
}
TRAITS = {  # attribute -> column and the value coded as 1
    "evergreen": ("Phenology", "Evergreen"),
    "tree": ("Stature", "Tree"),
    "needleleaf": ("leaf_shape", "needleleaf"),
    "annual": ("Lifespan", "Annual"),
    "juvenile": ("Juvenile", "Y"),
}
REFERENCES = {  # attribute -> column, unit
    "reference_Vcmax": ("Vcmax", "umol/m**2/s"),
    "reference_Jmax": ("Jmax", "umol/m**2/s"),
    "reference_Rd": ("Rd", "umol/m**2/s"),
    "reference_temperature": ("Tleaf_photo", "degC"),
}
MASS_PER_AREA = 1e4  # g/m2 of one g/cm2


class LeafLceSettings(Settings):
    """598 A-Ci curves of 96 species."""

    kind: Literal["leaf_lce"] = "leaf_lce"
    dataset: str = Field("leaf-lce", description=DATASET)


SETTINGS = LeafLceSettings


def build(folder):
    """The curves.

    Args:
        folder: holds ``LCE_data.csv`` and ``LCE_ACi_curves``.

    Returns:
        (Domain, table): DataFrame of curves with the number of points kept and left out, why, and the traits filled in.

    Raises:
        DataError: the message names file, curve, variable and impossible value.
    """
    folder = Path(folder)
    path = folder / "LCE_data.csv"
    wanted = [column for column, *_ in (*NUMBERS.values(), *TRAITS.values(), *REFERENCES.values())]
    wanted += ["aci_id", "Location", "Lat", "Lon", "Genus", "Species", "Photosynthesis", "LA", "LM"]
    data = read(path, wanted)
    if data.aci_id.duplicated().any():
        raise DataError(f"{path}: curve {data.aci_id[data.aci_id.duplicated()].iloc[0]!r} appears twice; keep one")
    points = pd.concat([_points(folder / "LCE_ACi_curves" / f"{curve}.csv", curve) for curve in data.aci_id])
    points = points.reset_index(drop=True)
    possible = points.assimilation.notna() & (points.intercellular_co2 > 0) & (points.co2 > 0)
    points["stomatal_conductance"] = points.stomatal_conductance.where(points.co2.between(*AMBIENT))
    curves, kept = select(points, possible, folder, "CO2 not above 0, or no values")
    data = data.set_index("aci_id").loc[list(curves)]
    attributes, filled = _attributes(data, path)
    kept["traits_filled"] = kept.curve.map(filled).fillna("")
    return domain_of_curves("leaf_lce", curves, attributes, {"absorbed_light": LIGHT}, folder), kept


def _points(path, curve):
    table = read(path, [*COLUMNS.values(), "Pari"])
    points = {name: table[column] for name, column in COLUMNS.items()}
    return pd.DataFrame({"curve": curve, **points, "absorbed_light": ABSORPTANCE * table.Pari})


def _attributes(data, path):
    numbers = {name: data[column] for name, (column, *_) in NUMBERS.items()}
    numbers["leaf_mass_per_area"] = MASS_PER_AREA * data.LM / data.LA
    units = {name: (unit, text) for name, (_, unit, text, *_) in NUMBERS.items()}
    units["leaf_mass_per_area"] = ("g/m**2", "dry mass of the leaf over its area")
    limits = {name: bounds for name, (*_, low, high) in NUMBERS.items() for bounds in [(low, high)]}
    limits["leaf_mass_per_area"] = (1, 2000)
    filled = {}
    variables = {}
    for name, values in numbers.items():
        check_range(values.values, name, path, *limits[name])
        for curve in values.index[values.isna()]:
            filled[curve] = ", ".join(filter(None, [filled.get(curve), name]))
        values = values.fillna(values.groupby(data.Location).transform("mean"))
        variables[name] = ("unit", values.values, {"units": units[name][0], "long_name": units[name][1]})
    for name, (column, value) in TRAITS.items():
        flag = (data[column].str.lower() == value.lower()).astype(float)
        variables[name] = ("unit", flag.values, {"units": "dimensionless", "long_name": f"1 where {name}, else 0"})
    for name, (column, unit) in REFERENCES.items():
        attrs = {"units": unit, "role": "reference", "long_name": f"{column} as the authors give it"}
        variables[name] = ("unit", data[column].values, attrs)
    plant_type = data.Photosynthesis + " " + data.Stature + " " + data.Phenology + " " + data.leaf_shape
    labels = {
        "species": data.Genus + " " + data.Species,
        "genus": data.Genus,
        "location": data.Location,
        "pathway": data.Photosynthesis,
        "plant_type": plant_type.str.lower(),
    }
    for name, values in labels.items():
        variables[name] = ("unit", values.values.astype(str), {"role": "label"})
    for name, column in (("latitude", "Lat"), ("longitude", "Lon")):
        variables[name] = ("unit", data[column].values, {"units": "degree"})
    return xr.Dataset(variables, coords={"unit": data.index.values}), filled
