"""Blocks of the configuration that build the domains of sampled sites: their keys, meaning, units and limits."""

from typing import Literal

from pydantic import Field

from thalweg.schema import Count, Period, Settings


class ThamesSettings(Settings):
    """The Thames and its tributaries: weekly samples at 21 sites."""

    kind: Literal["thames"] = "thames"
    period: Period = Field(
        ("2008-01-01", "2013-02-28"),
        validate_default=True,
        description="first and last day used; samples begin in March 2009, the time before is for states to settle",
    )
    minimum_samples: Count = Field(50, description="days sampled that a site needs to be kept")


class StreamTemperatureSettings(Settings):
    """Water temperature at 410 sites of the United States, daily."""

    kind: Literal["stream-temperature"] = "stream-temperature"
    period: Period = Field(("2016-10-01", "2020-09-30"), validate_default=True, description="first and last day used")
    discharge: Literal["observed", "withheld"] = Field(
        "observed",
        description="withheld: constant in time, estimated from attributes; nothing comes from the site's own gauge",
    )


class OwnSitesSettings(Settings):
    """Sites from a folder of your own tables; see docs/own_sites.md."""

    kind: Literal["own-sites"] = "own-sites"
    folder: str = Field(description="where forcing.csv, attributes.csv, samples.csv and perhaps network.csv are")
    name: str = Field("own", description="of the domain, in tables and figures")
