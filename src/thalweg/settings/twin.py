"""The block ``twin_priors``: a twin experiment on the choice of the process."""

from typing import Annotated

from pydantic import Field, model_validator

from thalweg.schema import Count, Days, Part, Period, Settings
from thalweg.settings.blocks import ProcessName, Training


class TwinPriorsStudy(Settings):
    """Twin experiment: each process generates discharge, each is trained on it; is the generating one identified?"""

    domain: str = Field(description="domain whose forcing and attributes are used, as means over catchments")
    catchments: Annotated[int, Field(ge=6)] = Field(
        40, description="number of catchments drawn from the domain; all of them when it has fewer"
    )
    priors: Annotated[list[ProcessName], Field(min_length=2)] = Field(
        description="processes; each generates discharge and is trained on the discharge of each"
    )
    train: Period = Field(description="training period, [first day, last day]")
    test: Period = Field(description="test period, [first day, last day]")
    noise: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="standard deviation of the log-normal factors, of mean 1, that multiply the generated discharge",
    )
    range_share: Part = Field(
        0.7, description="central share of each parameter's range from which true parameters are drawn"
    )
    truth_spin_up: Days = Field(
        "3650 days", validate_default=True, description="simulated time before the record, in which storages fill"
    )
    components: Annotated[int, Field(ge=1, le=16)] = Field(
        1, description="parallel parameter sets of the trained models"
    )
    hidden: Count = Field(64, description="width of the network from attributes to parameters")
    layers: Count = Field(2, description="hidden layers of that network")
    seeds: Annotated[list[int], Field(min_length=1)] = Field([0], description="random seeds; one training for each")
    training: Training = Field(Training(), description="training of all processes; not affected by the block training")
    bootstrap_samples: Count = Field(
        2000, description="bootstrap resamples of blocks of catchments, for intervals of medians"
    )

    @model_validator(mode="after")
    def _priors_and_periods_are_apart(self):
        if len(set(self.priors)) < len(self.priors):
            raise ValueError(f"priors: {', '.join(self.priors)} has a name twice; name each once")
        if self.test[0] <= self.train[1] and self.train[0] <= self.test[1]:
            raise ValueError(
                f"the test period {self.test[0]}..{self.test[1]} overlaps the training period {self.train[0]}..{self.train[1]}"
            )
        return self
