"""The configuration file of a model that is run through the Basic Model Interface (:mod:`thalweg.library.bmi`)."""

from pydantic import Field, model_validator

from thalweg.schema import Days, Settings


class BmiSettings(Settings):
    """Model, domain, member, period and state; paths are relative to the folder of the file."""

    model: str = Field(description="a model that comes with the package, by name, or a model file")
    domain: str | None = Field(
        None, description="domain, a netCDF file that a study has written (results/<study>/domains)"
    )
    catchments: str | None = Field(None, description="instead of domain: a folder of your own catchments")
    potential_evapotranspiration: str | None = Field(
        None, description="of catchments: how it is computed; by default it is given in the series"
    )
    places: list[str] | None = Field(None, description="places to simulate; by default all")
    member: str = Field("mean", description="mean of all members, or <fold>/<seed> of one, such as 0/1")
    start: str | None = Field(
        None, description="first step, such as 2001-01-01; by default the first of the forcing, or the state's"
    )
    end: str | None = Field(
        None,
        description="last step, included; by default the last of the forcing. For steps after the forcing ends every input must be set",
    )
    spin_up: Days | None = Field(None, description="spin-up before the start; by default that of the training")
    state: str | None = Field(None, description="state file to start from, instead of a spin-up")

    @model_validator(mode="after")
    def _one_source(self):
        if (self.domain is None) == (self.catchments is None):
            raise ValueError("give either domain, a netCDF file, or catchments, a folder")
        if self.potential_evapotranspiration is not None and self.catchments is None:
            raise ValueError("potential_evapotranspiration is for catchments; a domain has it")
        return self
