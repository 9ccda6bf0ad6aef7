"""The configuration: what may be set, its meaning, its unit and its default.

These models are the one source: they validate a configuration before the workflow is planned, and
:mod:`thalweg.study.config_files` writes the JSON schema and the commented default file from them.
"""

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from thalweg.units import parse_quantity


def _quantity(unit, minimum=None):
    def check(value):
        if minimum is not None and value < minimum:
            raise ValueError(f"must be at least {minimum:g} {unit}")
        return value

    return Annotated[
        float,
        BeforeValidator(partial(parse_quantity, to=unit)),
        AfterValidator(check),
        PlainSerializer(lambda value: f"{value:g} {unit}"),
        WithJsonSchema({"type": "string", "description": f"a quantity with a unit of the dimension of '{unit}'"}),
    ]


Days = _quantity("days", 1)
Minutes = _quantity("minutes", 0)
Area = _quantity("km2", 0)
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def _period(value):
    first, last = value
    if last < first:
        raise ValueError(f"ends on {last} before it begins on {first}; write [first day, last day]")
    return value


Period = Annotated[
    tuple[date, date],
    AfterValidator(_period),
    PlainSerializer(lambda value: [str(value[0]), str(value[1])]),
]


class Settings(BaseModel):
    """A block of the configuration; unknown keys fail."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DelawareSettings(Settings):
    """The Delaware River Basin."""

    period: Period = Field(("1979-01-01", "1980-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["hargreaves", "oudin", "hamon"] = Field(
        "hargreaves", description="method, by pyet; hargreaves uses the daily temperature range"
    )
    minimum_days: Days = Field("700 days", validate_default=True, description="discharge that a gauge needs to be kept")
    area_tolerance: Share = Field(0.2, description="greatest relative error of the network's area at a gauge")


class SusquehannaSettings(Settings):
    """The Susquehanna River Basin."""

    period: Period = Field(("1984-01-01", "2020-12-31"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["oudin", "hamon"] = Field(
        "oudin", description="method, by pyet; the data have no temperature extremes"
    )
    minimum_days: Days = Field(
        "3650 days", validate_default=True, description="discharge that a gauge needs to be kept"
    )


class CevennesSettings(Settings):
    """The Cance and Lez catchments: rain grids to catchments."""

    scheme: Literal["conservative", "bilinear", "nearest"] = Field(
        "conservative", description="regridding; conservative keeps the volume of rain"
    )
    maximum_subcatchment_area: Area = Field(
        "50 km2", validate_default=True, description="larger sub-catchments between gauges are split"
    )


class Domains(Settings):
    """Where the data are from and how they are read; null leaves a domain out."""

    delaware: DelawareSettings | None = DelawareSettings()
    susquehanna: SusquehannaSettings | None = SusquehannaSettings()
    cevennes: CevennesSettings | None = CevennesSettings()


class ProcessModel(Settings):
    """A differentiable model: a process whose parameters a network learns."""

    kind: Literal["process"] = "process"
    label: str = Field(description="name in figures")
    process: Literal["hbv"] = Field("hbv", description="the prior")
    capillary_rise: bool = Field(True, description="HBV 1.1p (true) or 1.0 (false)")
    components: Annotated[int, Field(ge=1, le=16)] = Field(4, description="parallel parameter sets, averaged")
    network: Literal["attributes", "none"] = Field(
        "attributes",
        description="attributes: a perceptron on unit attributes; none: one parameter set for all units",
    )
    hidden: Count = Field(64, description="width of the network")
    layers: Count = Field(2, description="hidden layers of the perceptron")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout in the network")
    dynamic: list[str] = Field([], description="parameters learned per day by an LSTM on forcing and attributes")
    spatial: Literal["distributed", "lumped"] = Field(
        "distributed", description="run on every unit, or on the mean of each gauge's catchment"
    )
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")


class SequenceModel(Settings):
    """An LSTM from forcing and attributes to runoff, without a process."""

    kind: Literal["sequence"] = "sequence"
    label: str = Field(description="name in figures")
    hidden: Count = Field(64, description="width of the LSTM")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout before the output")
    spatial: Literal["distributed", "lumped"] = Field("lumped", description="as for a process")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")


class ClimatologyModel(Settings):
    """Mean discharge of the calendar day over the training period and gauges: nothing is learned."""

    kind: Literal["climatology"] = "climatology"
    label: str = Field(description="name in figures")
    smoothing: Days = Field("31 days", validate_default=True, description="running mean over the calendar")


Model = Annotated[ProcessModel | SequenceModel | ClimatologyModel, Field(discriminator="kind")]


class Training(Settings):
    """How every model is trained."""

    loss: Literal["nse_batch", "rmse_combination", "kge"] = Field(
        "nse_batch", description="nse_batch divides squared errors by each gauge's variance"
    )
    optimiser: Literal["adam", "adadelta"] = Field("adam", description="torch optimiser")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.01, description="at the first step")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="cosine falls to 5 % of the rate at the last step"
    )
    steps: Count = Field(100, description="optimiser steps at most")
    window: Days = Field("730 days", validate_default=True, description="days simulated with gradients in a step")
    spin_up: Days = Field(
        "365 days",
        validate_default=True,
        description="days before the window, without gradient or loss; the record's first days are repeated where there are none",
    )
    gauges_per_step: Count = Field(1000, description="gauges drawn in a step; all when there are fewer")
    gradient_clip: Annotated[float, Field(gt=0)] = Field(1.0, description="greatest norm of the gradient")
    validate_every: Count = Field(10, description="steps between validations")
    patience: Count = Field(5, description="validations without improvement before training stops")
    checkpoint_every: Minutes = Field("5 minutes", validate_default=True, description="time between checkpoints")
    climate_attributes: bool = Field(
        True,
        description="add mean precipitation, aridity and snow share of the training period to the attributes",
    )


class TrainingJob(Settings):
    """What the verbs train and simulate are given: one model of one experiment."""

    model: Model
    training: Training
    seeds: list[int]
    validation_share: Share
    device: Literal["cpu", "cuda"]


class Experiment(Settings):
    """Who trains and who is tested."""

    kind: Literal["temporal", "ungauged_basins", "ungauged_regions"] = Field(
        description="temporal: same gauges, other years; ungauged_basins (PUB): random folds of gauges; ungauged_regions (PUR): folds of near gauges"
    )
    train: Period = Field(description="training period")
    test: Period = Field(description="test period")
    folds: Count = Field(1, description="folds of gauges; 1 for a temporal experiment")
    validation: Literal["gauges", "period"] = Field(
        "gauges",
        description="early stopping on a share of the training gauges, or of the end of the training period",
    )
    validation_share: Share = Field(0.15, description="share held out from training for early stopping")
    models: list[str] = Field(description="names of the models block")

    @model_validator(mode="after")
    def _folds_fit_the_kind(self):
        if self.kind == "temporal":
            if self.folds != 1:
                raise ValueError(f"folds is {self.folds}, but a temporal experiment has 1")
            if self.test[0] <= self.train[1] and self.train[0] <= self.test[1]:
                raise ValueError(
                    f"the test period {self.test[0]}..{self.test[1]} overlaps the training period {self.train[0]}..{self.train[1]}"
                )
        elif self.folds < 2:
            raise ValueError("folds is 1, but held-out gauges need at least 2")
        return self


def _models():
    return {
        "hbv": ProcessModel(label="δHBV 1.1p, parameters by network"),
        "lstm": SequenceModel(label="LSTM", training={"learning_rate": 0.005, "steps": 150}),
        "hbv-one-set": ProcessModel(
            label="HBV 1.1p, one parameter set",
            network="none",
            components=1,
            training={"learning_rate": 0.05},
        ),
        "climatology": ClimatologyModel(label="Climatology"),
    }


def _experiments():
    models = ["hbv", "lstm", "hbv-one-set", "climatology"]
    years = ("1979-01-01", "1980-12-31")
    return {
        "delaware": {
            "temporal": Experiment(
                kind="temporal",
                train=("1979-01-01", "1979-12-31"),
                test=("1980-01-01", "1980-12-31"),
                models=models,
            ),
            "pub": Experiment(kind="ungauged_basins", train=years, test=years, folds=5, models=models),
            "pur": Experiment(kind="ungauged_regions", train=years, test=years, folds=4, models=models),
        },
        "susquehanna": {
            "temporal": Experiment(
                kind="temporal",
                train=("1985-01-01", "2002-12-31"),
                test=("2003-01-01", "2020-12-31"),
                validation="period",
                models=models,
            )
        },
    }


class Evaluation(Settings):
    """Metrics and their uncertainty."""

    metrics: list[str] = Field(
        [
            "NSE",
            "KGE",
            "KGE_2012",
            "FHV",
            "FLV_linear",
            "FLV_log",
            "PBIAS",
            "RMSE_low",
            "RMSE_high",
            "peak_timing",
        ],
        description="names in thalweg.study.metrics",
    )
    minimum_days: Days = Field(
        "300 days", validate_default=True, description="days with both series that a metric needs"
    )
    bootstrap_samples: Count = Field(2000, description="resamples of gauges for intervals of medians")


class Study(Settings):
    """A study: everything that the workflow reads."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        "default", description="name; results go to results/<study>"
    )
    data: str = Field("data", description="folder for downloaded data, shared by all studies")
    mirror: str | None = Field(
        None, description="folder looked in first for downloads, by hash; THALWEG_MIRROR does the same"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where models are trained")
    threads: Count = Field(1, description="threads of one training job; jobs run side by side")
    seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0, 1, 2], description="every model is trained once per seed"
    )
    domains: Domains = Field(
        Domains(), description="where the data are from and how they are read; null leaves one out"
    )
    models: dict[str, Model] = Field(default_factory=_models, description="what is compared; null removes one")
    training: Training = Field(Training(), description="how every model is trained")
    experiments: dict[str, dict[str, Experiment]] = Field(
        default_factory=_experiments,
        description="domain, experiment name: who trains and who is tested; null removes one",
    )
    evaluation: Evaluation = Field(Evaluation(), description="metrics and their uncertainty")

    def training_of(self, model):
        """The training settings of a model: the training block with the model's own overrides."""
        return Training.model_validate({**self.training.model_dump(mode="json"), **self.models[model].training})

    @model_validator(mode="after")
    def _names_and_periods_agree(self):
        for name, model in self.models.items():
            if model.kind != "climatology":
                try:
                    self.training_of(name)
                except ValueError as error:
                    raise ValueError(f"models.{name}.training: {error}") from error
        for domain, experiments in self.experiments.items():
            settings = getattr(self.domains, domain, None)
            if settings is None or not hasattr(settings, "period"):
                raise ValueError(
                    f"experiments.{domain}: there is no such domain with gauges; there are {[n for n, d in self.domains if hasattr(d, 'period')]}"
                )
            for name, experiment in experiments.items():
                where = f"experiments.{domain}.{name}"
                for part in ("train", "test"):
                    first, last = getattr(experiment, part)
                    if first < settings.period[0] or last > settings.period[1]:
                        raise ValueError(
                            f"{where}.{part}: {first}..{last} is not within the data, domains.{domain}.period "
                            f"{settings.period[0]}..{settings.period[1]}"
                        )
                for model in experiment.models:
                    if model not in self.models:
                        raise ValueError(f"{where}.models: {model!r} is not among the models: {', '.join(self.models)}")
        return self
