"""Blocks of the configuration that single steps read: their keys, meaning, units and limits.

:mod:`thalweg.settings.study` puts them together. A step is given its own block as JSON.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_serializer, model_validator

from thalweg.registry import load, module_of
from thalweg.schema import Count, Days, Hours, Minutes, Part, Period, Settings


def _named(kind):
    """A name behind which there is something; it is looked up and not imported."""

    def check(name):
        module_of(kind, name)
        return name

    return Annotated[str, AfterValidator(check)]


ProcessName = _named("process")
LossName = _named("loss")


class ProcessModel(Settings):
    """A differentiable model: a process whose parameters a network learns."""

    kind: Literal["process"] = "process"
    label: str = Field(description="name in figures")
    process: ProcessName = Field(
        "hbv",
        description="the prior, a file in thalweg/processes or package.module:function of your own; hbv_implicit is HBV 1.1p by backward Euler, hbv_canopy evaporates through leaves that photosynthesise, hbv_neural has a small network for recharge",
    )
    capillary_rise: bool = Field(True, description="HBV 1.1p (true) or 1.0 (false)")
    integrator: Literal["fused", "reference"] = Field(
        "fused", description="fused: compiled kernels; reference: a slow loop of tensor operations, to check them by"
    )
    components: Annotated[int, Field(ge=1, le=16)] = Field(4, description="parallel parameter sets, averaged")
    network: Literal["attributes", "transformer", "unit", "none"] = Field(
        "attributes",
        description="attributes: a perceptron on unit attributes; transformer: on attributes and the forcing of the training period; unit: a parameter set for each unit, which says nothing of others; none: one parameter set for all units",
    )
    hidden: Count = Field(64, description="width of the network; of a transformer a multiple of 4")
    layers: Count = Field(2, description="hidden layers of the perceptron, or layers of the transformer")
    pretrain_steps: Annotated[int, Field(ge=0)] = Field(
        0,
        description="steps in which the transformer first learns, without discharge, to fill in hidden forcing and attributes of all units; 0 for none",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout in the network")
    dynamic: list[str] = Field([], description="parameters learned per day by an LSTM on forcing and attributes")
    spatial: Literal["distributed", "lumped"] = Field(
        "distributed", description="run on every unit, or on the mean of each gauge's catchment"
    )
    routing: Literal["none", "unit_hydrograph", "river"] = Field(
        "unit_hydrograph",
        description="none: runoff of the units upstream is summed; unit_hydrograph: a learned delay of each unit; river: that delay on the hillslope, then Muskingum-Cunge through the network",
    )
    river_step: Hours = Field("6 hours", validate_default=True, description="time step in the river; a part of a day")
    river_hidden: Count = Field(16, description="width of the network from attributes of reaches to their parameters")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")

    @model_validator(mode="after")
    def _transformer_has_heads(self):
        if self.network == "transformer" and self.hidden % 4:
            raise ValueError(f"hidden is {self.hidden}, but a transformer has 4 heads: its width is a multiple of 4")
        if self.network != "transformer" and self.pretrain_steps:
            raise ValueError(
                f"pretrain_steps is {self.pretrain_steps}, but network is {self.network}: only a transformer is pretrained"
            )
        return self

    @model_validator(mode="after")
    def _river_needs_reaches(self):
        if self.routing == "river":
            if self.spatial == "lumped":
                raise ValueError("routing is river, but spatial is lumped: whole catchments have no reaches")
            if abs(24 / self.river_step - round(24 / self.river_step)) > 1e-6 or self.river_step > 24:
                raise ValueError(f"river_step is {self.river_step:g} hours, which does not divide a day")
        return self


class SequenceModel(Settings):
    """An LSTM from forcing and attributes to what is observed, without a process."""

    kind: Literal["sequence"] = "sequence"
    label: str = Field(description="name in figures")
    hidden: Count = Field(64, description="width of the LSTM")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout before the output")
    spatial: Literal["distributed", "lumped"] = Field("lumped", description="as for a process")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")


class ClimatologyModel(Settings):
    """The mean of the calendar day over the training period, or a seasonal cycle fitted to samples: nothing is learned."""

    kind: Literal["climatology"] = "climatology"
    label: str = Field(description="name in figures")
    smoothing: Days = Field("31 days", validate_default=True, description="running mean over the calendar")
    harmonics: Count | None = Field(
        None,
        description="of a Fourier series fitted by least squares, in the place of the smoothed calendar; null for the calendar",
    )


class EnsembleModel(Settings):
    """The mean of other models' simulations, over their seeds too: nothing is trained."""

    kind: Literal["ensemble"] = "ensemble"
    label: str = Field(description="name in figures")
    members: Annotated[list[str], Field(min_length=1)] = Field(description="names of the models block")


Model = Annotated[ProcessModel | SequenceModel | ClimatologyModel | EnsembleModel, Field(discriminator="kind")]


class Training(Settings):
    """How every model is trained."""

    loss: LossName = Field(
        "nse_batch",
        description="a file in thalweg/learn/losses or package.module:function of your own; nse_batch divides squared errors by each gauge's variance; nse_kge adds each gauge's distance from the best Kling-Gupta efficiency; log_likelihood is that of log-normal errors, with samples below a detection limit as censored",
    )
    optimiser: Literal["adam", "adadelta"] = Field("adam", description="torch optimiser")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.01, description="at the first step")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="cosine falls to 5 % of the rate at the last step"
    )
    steps: Count = Field(150, description="optimiser steps at most")
    window: Days = Field("730 days", validate_default=True, description="days simulated with gradients in a step")
    spin_up: Days = Field(
        "365 days",
        validate_default=True,
        description="days before the window, without gradient or loss; the record's first days are repeated where there are none",
    )
    places_per_step: Count = Field(1000, description="places drawn in a step; all when there are fewer")
    gradient_clip: Annotated[float, Field(gt=0)] = Field(1.0, description="greatest norm of the gradient")
    validate_every: Count = Field(10, description="steps between validations")
    patience: Count = Field(5, description="validations without improvement before training stops")
    checkpoint_every: Minutes = Field("5 minutes", validate_default=True, description="time between checkpoints")
    climate_attributes: bool = Field(
        True,
        description="add nine climate indices of the training period to the attributes",
    )
    logarithmic_attributes: bool = Field(
        False, description="take attributes that span orders of magnitude, such as drainage areas, as logarithms"
    )


class TrainingJob(Settings):
    """What the steps train and simulate are given: one model of one experiment."""

    model: Model
    training: Training
    variables: dict[str, float] = Field({"discharge": 1.0}, description="weights in the loss")
    seeds: list[int]
    validation_share: Annotated[float, Field(ge=0, lt=1)]
    device: Literal["cpu", "cuda"]


SplitName = _named("split")
FigureName = _named("figure")
AnalysisName = _named("analysis")


class Split(Settings):
    """Who trains and who is tested."""

    kind: SplitName = Field(
        description="a file of thalweg/experiments/splits, or package.module:function. temporal: same places, other years; ungauged_basins (PUB): random folds of gauges; ungauged_places: the same, of sampled places; ungauged_regions (PUR): folds of near places; inner_gauges: train at the last gauges downstream, test at those upstream of them; differential: train on the wetter, drier, colder or warmer half of each gauge's years, test on the other; extremes: train on the years whose greatest flood is below a return period, test on those above; scale: train at catchments of some areas, test at others"
    )
    variable: str | dict[str, Annotated[float, Field(gt=0)]] = Field(
        "discharge",
        description="what is observed; or several variables with their weights in the loss, the first being the main one",
    )
    train: Period = Field(description="training period")
    test: Period = Field(description="test period")
    minimum_values: Annotated[int, Field(ge=0)] = Field(
        0, description="observations in the training and in the test period that a place needs to take part"
    )
    folds: Count = Field(1, description="folds of places; 1 unless places are held out")
    tested_folds: Count | None = Field(None, description="only the first so many folds are run; null for all")
    options: Any = Field(
        default_factory=dict, description="keys that the kind of split reads; they may stand beside the others"
    )
    training_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of the training places that are used: nested random subsets"
    )
    training_years: Count | None = Field(
        None, description="only the last so many years of the training period are used; null for all"
    )
    validation: Literal["places", "period", "none"] = Field(
        "places",
        description="early stopping on a share of the training places, or of the end of the training period; none holds nothing out and watches the training itself",
    )
    validation_share: Part = Field(0.15, description="share held out from training for early stopping")

    @model_validator(mode="before")
    @classmethod
    def _keys_of_the_kind(cls, values):
        """Gather the keys that the kind of split reads, wherever they stand, and check them."""
        if not isinstance(values, dict) or "kind" not in values:
            return values
        keys = load("split", values["kind"]).options
        given = dict(values.get("options") or {})
        given |= {name: values[name] for name in keys.model_fields if name in values}
        rest = {name: value for name, value in values.items() if name not in (*keys.model_fields, "options")}
        return rest | {"options": keys.model_validate(given)}

    @field_serializer("options")
    def _plain(self, options):
        return options.model_dump(mode="json")

    @property
    def variables(self):
        """Weights in the loss by variable."""
        return {self.variable: 1.0} if isinstance(self.variable, str) else self.variable

    @property
    def first(self):
        """The main variable."""
        return next(iter(self.variables))

    @property
    def held_out(self):
        """Whether every place is tested by models that were not trained there, in folds."""
        return load("split", self.kind).places == "held_out"

    @model_validator(mode="after")
    def _folds_fit_the_kind(self):
        if not self.held_out and self.folds != 1:
            raise ValueError(f"folds is {self.folds}, but an experiment of kind {self.kind} has 1")
        if self.held_out and self.folds < 2:
            raise ValueError("folds is 1, but held-out places need at least 2")
        if self.tested_folds and self.tested_folds > self.folds:
            raise ValueError(f"tested_folds is {self.tested_folds}, but there are {self.folds} folds")
        if hasattr(self.options, "check"):
            self.options.check(self)
        if load("split", self.kind).one_period and self.train != self.test:
            raise ValueError(
                f"a split of kind {self.kind} divides the years of one period: train and test must be equal"
            )
        if self.kind == "temporal" and self.test[0] <= self.train[1] and self.train[0] <= self.test[1]:
            raise ValueError(
                f"the test period {self.test[0]}..{self.test[1]} overlaps the training period {self.train[0]}..{self.train[1]}"
            )
        return self


class Experiment(Split):
    """A split and the models that are compared on it."""

    label: str = Field("", description="name in figures")
    models: list[str] = Field(description="names of the models block")
    minimum_days: Days | None = Field(
        None, description="days with both series that a metric needs; null for that of the evaluation"
    )
    training: dict[str, Any] = Field(
        {}, description="overrides of the training block for all models of this experiment"
    )
    seeds: Annotated[list[int], Field(min_length=1)] | None = Field(
        None, description="every model of this experiment is trained once per seed; null for those of the study"
    )


class PhysicsJob(Settings):
    """Settings of the steps response, untrained and attribution: the models of one experiment."""

    models: dict[str, TrainingJob]
    reference: str = Field("lstm", description="model that the others are compared with, where it is among them")
    minimum_days: Count = Field(365, description="days of observed discharge that a gauge needs")
    bootstrap_samples: Count = Field(2000, description="resamples and permutations")
