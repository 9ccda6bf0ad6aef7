"""The block ``which_prior`` of the configuration: which prior is better, on discharge that a known prior made."""

from typing import Annotated

from pydantic import Field, model_validator

from thalweg.schema import Count, Days, Part, Period, Settings
from thalweg.settings.blocks import ProcessName, Training

PRIORS = {
    "hbv": "HBV 1.1p",
    "gr4j": "GR4J",
    "exp_hydro": "EXP-HYDRO",
    "xinanjiang": "Xinanjiang",
    "sac_sma": "SAC-SMA",
    "prms": "PRMS",
}


class WhichPriorStudy(Settings):
    """Every prior makes discharge, every prior learns it: is the one that made it found?"""

    domain: str = Field("delaware", description="whose forcing and attributes are used, as the means of catchments")
    catchments: Annotated[int, Field(ge=6)] = Field(40, description="drawn from the domain's; all when there are fewer")
    priors: Annotated[list[ProcessName], Field(min_length=2)] = Field(
        list(PRIORS), description="each makes discharge, and each learns that of every other"
    )
    train: Period = Field(("1979-01-01", "1979-12-31"), validate_default=True, description="training period")
    test: Period = Field(("1980-01-01", "1980-12-31"), validate_default=True, description="test period")
    noise: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="standard deviation of the factors, log-normal with mean 1, that discharge is multiplied by"
    )
    range_share: Part = Field(0.7, description="middle part of each parameter's range that the truth spans")
    truth_spin_up: Days = Field(
        "3650 days", validate_default=True, description="days before the record that fill the storages of the truth"
    )
    components: Annotated[int, Field(ge=1, le=16)] = Field(1, description="parallel parameter sets of what learns")
    hidden: Count = Field(64, description="width of the network from attributes to parameters")
    layers: Count = Field(2, description="its hidden layers")
    seeds: Annotated[list[int], Field(min_length=1)] = Field([0], description="of the first weights and windows")
    training: Training = Field(
        Training(steps=150, learning_rate=0.005, window="365 days", spin_up="1460 days", validate_every=25),
        description="the same for every prior",
    )
    bootstrap_samples: Count = Field(2000, description="resamples of blocks of catchments for intervals of medians")

    @model_validator(mode="after")
    def _priors_and_periods_are_apart(self):
        if len(set(self.priors)) < len(self.priors):
            raise ValueError(f"priors: {', '.join(self.priors)} names one of them twice; name each once")
        if self.test[0] <= self.train[1] and self.train[0] <= self.test[1]:
            raise ValueError(
                f"the test period {self.test[0]}..{self.test[1]} overlaps the training period {self.train[0]}..{self.train[1]}"
            )
        return self
