"""Blocks of the configuration for datasets of lumped catchments; ``kind`` says which of them a block is."""

from typing import Annotated, Literal

from pydantic import Field

from thalweg.datasets.camels_us import KRATZERT_2019
from thalweg.schema import Days, Period, Settings, Share, quantity

Distance = quantity("km", 0)
Temperatures = Literal["hargreaves", "oudin", "hamon"]
DATASET = "name in config/datasets.yaml"
MINIMUM_DAYS = "discharge that a catchment needs within the period to be kept"


class CamelsUsSettings(Settings):
    """CAMELS-US: catchments of the contiguous United States."""

    kind: Literal["camels_us"] = "camels_us"
    dataset: str = Field("camels-us", description=DATASET)
    period: Period = Field(("1980-10-01", "2010-09-30"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Temperatures = Field(
        "hargreaves", description="method, by pyet; hargreaves uses the daily temperature range, which only daymet has"
    )
    attributes: list[str] = Field(
        list(KRATZERT_2019),
        description="what networks see of a catchment; the default are the 27 of Kratzert et al. (2019), those of climate being of 1989-2009",
    )
    catchments: Literal["all", "benchmark"] | list[str] = Field(
        "all", description="all, benchmark (those of the list of 531 that are there), or ids"
    )
    product: Literal["daymet", "nldas", "maurer"] = Field(
        "daymet", description="forcing; the netCDF form has daymet only"
    )
    rescale_discharge: bool = Field(
        True,
        description="relate depths of discharge to the stated area (the water balance) or to that of the forcing files (published benchmarks)",
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


class CaravanSettings(Settings):
    """Caravan and its extensions: catchments of the world with ERA5-Land forcing."""

    kind: Literal["caravan"] = "caravan"
    dataset: str = Field("caravan-sample", description=DATASET)
    period: Period = Field(("1981-10-01", "2020-09-30"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["penman_monteith", "hargreaves", "oudin", "hamon"] = Field(
        "penman_monteith",
        description="penman_monteith is the files' own, computed from their radiation, humidity and wind where it is lacking; that of ERA5-Land is implausible and never used",
    )
    attributes: list[str] | None = Field(
        None, description="what networks see of a catchment, of HydroATLAS; null for all that the tables hold"
    )
    sources: Literal["all"] | list[str] = Field("all", description="all, or names such as camels, hysets")
    duplicate_distance: Distance = Field(
        "1 km", validate_default=True, description="gauges of two sources that are nearer and of like area are one"
    )
    duplicate_area: Share = Field(0.1, description="greatest relative difference of the areas of such gauges")
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


class FranceSettings(Settings):
    """19 French catchments, a sample of CAMELS-FR."""

    kind: Literal["france"] = "france"
    dataset: str = Field("france", description=DATASET)
    period: Period = Field(("1999-01-01", "2018-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["given", "oudin", "hamon"] = Field(
        "given", description="given is the files' own; the data have no temperature extremes"
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


class OwnCatchmentsSettings(Settings):
    """Catchments of your own, from plain files with units (docs/own_catchments.md)."""

    kind: Literal["own_catchments"] = "own_catchments"
    folder: str = Field(description="where attributes.csv and the series lie")
    period: Period = Field(description="first and last day used")
    potential_evapotranspiration: Literal["given"] | Temperatures = Field(
        "given", description="given is that of the series; hargreaves needs the daily temperature extremes"
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


Catchments = Annotated[
    CamelsUsSettings | CaravanSettings | FranceSettings | OwnCatchmentsSettings, Field(discriminator="kind")
]
