"""The block ``canopy``: the canopy of the Davos flux tower."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from thalweg.schema import Count, Hours, Period, Settings, Share


class DavosSettings(Settings):
    """Quality control of the flux tower's data."""

    max_flag: Literal[0, 1] = Field(1, description="worst quality flag of the fluxes used: 0 best, 1 fair")
    dry_hours: Hours = Field(
        "6 hours", validate_default=True, description="time without rain after which leaves count as dry"
    )


class CanopyStudy(Settings):
    """A canopy trained on latent heat and daytime CO2 exchange of a flux tower, and tested in later years."""

    data: DavosSettings = Field(DavosSettings(), description="quality control of the data")
    train: Period = Field(description="training period, [first day, last day]")
    test: Period = Field(description="test period, [first day, last day]")
    daylight: Annotated[float, Field(gt=0)] = Field(
        20.0, description="solar radiation above which a half-hour counts as day, W/m2"
    )
    min_share: Share = Field(0.5, description="share of a day's light that must be measured for a daily mean")
    seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0, 1, 2], description="random seeds of initial values and batches; one training for each"
    )
    steps: Count = Field(600, description="optimiser steps")
    batch: Count = Field(512, description="half-hours per step")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.2, description="learning rate at the first step")

    @model_validator(mode="after")
    def _test_comes_later(self):
        if self.test[0] <= self.train[1]:
            raise ValueError(f"the test period begins {self.test[0]}, before the training period ends, {self.train[1]}")
        return self
