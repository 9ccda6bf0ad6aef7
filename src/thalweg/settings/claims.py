"""The block ``claims``: each claim in plain words, with the comparison and the margin that decide it.

The margin of a claim is the smallest effect that matters. It is part of the claim and set before there are results.
"""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from thalweg.metrics.scores import METRICS
from thalweg.schema import Settings

Family = Literal[
    "prediction",
    "space",
    "time",
    "extremes",
    "sparse data",
    "untrained variables",
    "parameters",
    "existing models",
    "priors",
    "water quality",
    "ecosystem",
    "questions",
    "uncertainty",
    "foundation",
]
FAMILIES = get_args(Family)
Place = Annotated[str, Field(pattern=r"^[a-z0-9_-]+/[a-z0-9_-]+$")]
Margin = Annotated[float, Field(gt=0)]


def _known(metric):
    if metric not in METRICS:
        raise ValueError(f"there is no such metric; there are {', '.join(METRICS)}")
    return metric


MetricName = Annotated[str, AfterValidator(_known)]


class ClaimSettings(Settings):
    """Keys of every claim."""

    text: str = Field(description="the claim in plain words")
    family: Family = Field(description="what the claim is about; in a study file, the key under which it stands")
    experiment: Place = Field(description="experiment that tests the claim, as domain/experiment")
    model: str = Field(description="model that the claim is about")
    margin: Margin = Field(description="smallest effect that matters, in the unit of the metric or quantity")
    would_change: str = Field(description="evidence that could change the verdict")


class Comparison(ClaimSettings):
    """A claim about two models at the same places."""

    reference: str = Field(description="model that it is compared with")
    metric: MetricName = Field("NSE", description="metric that is compared, a name in thalweg.metrics.scores")
    variable: str | None = Field(
        None, description="variable that is compared, where the experiment has several; null for the first"
    )


class Better(Comparison):
    """The model is better than the reference at the same places."""

    kind: Literal["better"] = "better"


class AsGood(Comparison):
    """The model is at most the margin worse than the reference, at the same places."""

    kind: Literal["as_good"] = "as_good"


class MoreRobust(Comparison):
    """From the baseline to the experiment the model loses less skill than the reference, at the same places."""

    kind: Literal["more_robust"] = "more_robust"
    baseline: Place = Field(
        description="easier experiment of the same domain, from which the loss of skill is counted, as domain/experiment"
    )

    @model_validator(mode="after")
    def _two_experiments_of_one_domain(self):
        if self.baseline == self.experiment or self.baseline.split("/")[0] != self.experiment.split("/")[0]:
            raise ValueError(f"baseline is {self.baseline}; name another experiment of the domain of {self.experiment}")
        return self


class Evidence(ClaimSettings):
    """A quantity estimated by an analysis lies, with its interval, on one side of a threshold, or near 0."""

    kind: Literal["evidence"] = "evidence"
    reference: str = Field("", description="model or data that it is compared with, where the quantity has a reference")
    quantity: str = Field(description="name of the quantity in the tables of evidence")
    above: float | None = Field(None, description="threshold; the claim is supported when the quantity is above it")
    below: float | None = Field(None, description="threshold; the claim is supported when the quantity is below it")
    within: Margin | None = Field(
        None, description="threshold; the claim is supported when the absolute quantity is below it"
    )

    @model_validator(mode="after")
    def _one_threshold(self):
        if len(self.thresholds()) != 1:
            raise ValueError(
                f"above is {self.above}, below is {self.below} and within is {self.within}; give one of the three"
            )
        return self

    def thresholds(self):
        """The thresholds given, by side."""
        sides = {"above": self.above, "below": self.below, "within": self.within}
        return {side: threshold for side, threshold in sides.items() if threshold is not None}


Claim = Annotated[Better | AsGood | MoreRobust | Evidence, Field(discriminator="kind")]


KINDS = {one.model_fields["kind"].default: one for one in (Better, AsGood, MoreRobust, Evidence)}


class ClaimsJob(Settings):
    """Input of the step claims."""

    claims: dict[str, Claim]
    bootstrap_samples: Annotated[int, Field(ge=1)]
