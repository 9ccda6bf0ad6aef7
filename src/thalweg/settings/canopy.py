"""The block ``canopy`` of the configuration: the canopy of the Davos flux tower."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from thalweg.schema import Count, Hours, Period, Settings, Share


class DavosSettings(Settings):
    """What counts as measured at the tower."""

    greatest_flag: Literal[0, 1] = Field(1, description="worst quality flag of a flux that counts: 0 best, 1 fair")
    dry_hours: Hours = Field(
        "6 hours", validate_default=True, description="time without rain after which leaves count as dry"
    )


class CanopyStudy(Settings):
    """A canopy learned from latent heat and daytime exchange of CO2 at a flux tower, tested in later years."""

    data: DavosSettings = DavosSettings()
    train: Period = Field(("2013-01-01", "2019-12-31"), validate_default=True, description="training period")
    test: Period = Field(("2020-01-01", "2022-12-31"), validate_default=True, description="test period")
    daylight: Annotated[float, Field(gt=0)] = Field(20.0, description="solar radiation above which it is day, W/m2")
    least_share: Share = Field(0.5, description="half-hours of a day's light that must be measured for its mean")
    seeds: Annotated[list[int], Field(min_length=1)] = Field([0, 1, 2], description="of first values and batches")
    steps: Count = Field(600, description="optimiser steps")
    batch: Count = Field(512, description="half-hours in a step")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.2, description="at the first step")

    @model_validator(mode="after")
    def _test_comes_later(self):
        if self.test[0] <= self.train[1]:
            raise ValueError(f"the test period begins {self.test[0]}, before the training period ends, {self.train[1]}")
        return self
