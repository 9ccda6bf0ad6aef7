"""Models, training and experiments: the keys of these blocks, with their meaning, units and limits.

:mod:`thalweg.settings.study` puts them together. A step of the workflow reads its own block, as JSON.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_serializer, model_validator

from thalweg.registry import load, module_of
from thalweg.schema import Count, Days, Hours, Minutes, Part, Period, Settings
from thalweg.storage.installed import weights, weights_header


def _named(kind):
    """The name of something that exists; it is looked up, not imported."""

    def check(name):
        module_of(kind, name)
        return name

    return Annotated[str, AfterValidator(check)]


ProcessName = _named("process")
LossName = _named("loss")


def _of_the_start(cls, values):
    """The settings of a model with those of the file at whose weights its training begins."""
    if not isinstance(values, dict) or not values.get("start"):
        return values
    inherited = weights_header(weights(values["start"]))["job"]["model"]
    if inherited["kind"] != cls.model_fields["kind"].default:
        raise ValueError(
            f"start: {values['start']} is a model of kind {inherited['kind']}; write kind: {inherited['kind']}"
        )
    given = {name: values[name] for name in ("label", "start", "training") if name in values}
    return inherited | {"training": {}} | given


class ProcessModel(Settings):
    """A differentiable model: a process whose parameters a network learns."""

    kind: Literal["process"] = "process"
    label: str = Field(description="name in figures and tables")
    process: ProcessName = Field(
        "hbv",
        description="process (the prior): a file in thalweg/processes, or package.module:function of your own. hbv_implicit is HBV 1.1p solved by backward Euler; hbv_canopy computes transpiration from photosynthesis; hbv_neural computes recharge by a small network",
    )
    capillary_rise: bool = Field(True, description="true for HBV 1.1p, false for HBV 1.0, which has no capillary rise")
    integrator: Literal["fused", "reference"] = Field(
        "fused", description="fused: compiled kernels; reference: a slow loop of tensor operations, for verification"
    )
    components: Annotated[int, Field(ge=1, le=16)] = Field(
        8, description="parallel parameter sets, whose fluxes are averaged"
    )
    network: Literal["attributes", "transformer", "unit", "none"] = Field(
        "attributes",
        description="source of the parameters. attributes: a perceptron on attributes of the unit; transformer: a transformer on these and the forcing of the training period; unit: a free parameter set for each unit, not applicable to held-out places; none: one parameter set for all units",
    )
    hidden: Count = Field(64, description="width of the network; for a transformer, a multiple of 4")
    layers: Count = Field(2, description="hidden layers of the perceptron, or layers of the transformer")
    pretrain_steps: Annotated[int, Field(ge=0)] = Field(
        0,
        description="optimiser steps of pretraining, in which the transformer reconstructs masked forcing and attributes of all units, without discharge; 0 for none",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout rate in the network")
    dynamic: list[str] = Field(
        [], description="parameters that vary daily, computed by an LSTM from forcing and attributes"
    )
    spatial: Literal["distributed", "lumped"] = Field(
        "distributed", description="distributed: run on every unit; lumped: run on the mean over each gauge's catchment"
    )
    routing: Literal["none", "unit_hydrograph", "river"] = Field(
        "unit_hydrograph",
        description="none: sum of the runoff of all units upstream; unit_hydrograph: each unit's runoff is delayed by a gamma distribution with learned parameters; river: this delay on the hillslope, then Muskingum-Cunge routing through the network",
    )
    river_step: Hours = Field(
        "6 hours", validate_default=True, description="time step of the river routing; must divide a day"
    )
    river_hidden: Count = Field(16, description="width of the network from attributes of a reach to its parameters")
    start: str | None = Field(
        None,
        description="model at whose weights the training begins (fine-tuning): the name of one that comes with the package, or the path of a model file; all other keys but label and training are then those of the file",
    )
    training: dict[str, Any] = Field({}, description="keys of the block training that differ for this model")

    _from_file = model_validator(mode="before")(_of_the_start)

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
    label: str = Field(description="name in figures and tables")
    hidden: Count = Field(64, description="width of the LSTM")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout rate before the output layer")
    head: Literal["deterministic", "cmal"] = Field(
        "deterministic",
        description="output layer. deterministic: one value; cmal: a distribution, a countable mixture of asymmetric Laplace distributions (Klotz et al. 2022), trained by the loss of the same name, whose mean is the simulated value and whose quantiles are kept",
    )
    components: Annotated[int, Field(ge=1, le=16)] = Field(3, description="components of the mixture")
    spatial: Literal["distributed", "lumped"] = Field(
        "lumped", description="distributed: run on every unit; lumped: run on the mean over each gauge's catchment"
    )
    start: str | None = Field(
        None,
        description="model at whose weights the training begins (fine-tuning): the name of one that comes with the package, or the path of a model file; all other keys but label and training are then those of the file",
    )
    training: dict[str, Any] = Field({}, description="keys of the block training that differ for this model")

    _from_file = model_validator(mode="before")(_of_the_start)

    @model_validator(mode="after")
    def _mixture_is_of_a_place(self):
        if self.head == "cmal" and self.spatial == "distributed":
            raise ValueError(
                "head is cmal, but spatial is distributed: distributions of units have no mean over a catchment; use spatial: lumped"
            )
        return self


class ClimatologyModel(Settings):
    """Baseline without training: mean of each calendar day over the training period, or a seasonal cycle fitted to samples."""

    kind: Literal["climatology"] = "climatology"
    label: str = Field(description="name in figures and tables")
    smoothing: Days = Field("31 days", validate_default=True, description="width of the running mean over the calendar")
    harmonics: Count | None = Field(
        None,
        description="harmonics of a seasonal cycle fitted by least squares; null for the mean of each calendar day",
    )


class EnsembleModel(Settings):
    """Mean of the simulations of other models, over all their seeds, without training."""

    kind: Literal["ensemble"] = "ensemble"
    label: str = Field(description="name in figures and tables")
    members: Annotated[list[str], Field(min_length=1)] = Field(
        description="names of models; each must be in the same experiment"
    )


TRAINED = ("process", "sequence")  # kinds of models that are trained
Model = Annotated[ProcessModel | SequenceModel | ClimatologyModel | EnsembleModel, Field(discriminator="kind")]


class Training(Settings):
    """Training of all models; a model or an experiment may override single keys."""

    loss: LossName = Field(
        "nse_batch",
        description="loss: a file in thalweg/learn/losses, or package.module:function of your own. nse_batch: squared errors over the variance of each gauge; nse_kge: that plus the distance from a Kling-Gupta efficiency of 1; log_likelihood: log-normal errors, with samples below the detection limit as censored; cmal: likelihood of a mixture, for an LSTM with that head",
    )
    optimiser: Literal["adam", "adadelta"] = Field("adam", description="optimiser of torch")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.01, description="learning rate at the first step")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="cosine: the learning rate falls to 5 % at the last step; constant: it stays"
    )
    steps: Count = Field(150, description="maximum number of optimiser steps")
    window: Days = Field("730 days", validate_default=True, description="simulated time per step with gradients")
    spin_up: Days = Field(
        "365 days",
        validate_default=True,
        description="simulated time before the window, without gradients or loss; where the record begins later, its first days are repeated",
    )
    places_per_step: Count = Field(1000, description="places drawn per step; all when there are fewer")
    gradient_clip: Annotated[float, Field(gt=0)] = Field(1.0, description="maximum norm of the gradient")
    validate_every: Count = Field(10, description="steps between validations")
    patience: Count = Field(5, description="validations without improvement after which training stops")
    checkpoint_every: Minutes = Field("5 minutes", validate_default=True, description="time between checkpoints")
    climate_attributes: bool = Field(
        True,
        description="whether nine climate indices of the training period are added to the attributes",
    )
    logarithmic_attributes: bool = Field(
        False,
        description="whether attributes that span orders of magnitude, such as drainage area, enter as logarithms",
    )


def check_loss(model, training):
    """Raise ValueError unless a model and its loss are both of distributions, or both of values."""
    mixture = getattr(model, "head", "") == "cmal"
    if mixture != (training.loss == "cmal"):
        head = f"a model with head {model.head}" if hasattr(model, "head") else "a model with a process"
        mend = "training: {loss: cmal}" if mixture else "another loss, or a sequence model with head: cmal"
        raise ValueError(f"loss is {training.loss}, which does not fit {head}; use {mend}")


class TrainingJob(Settings):
    """Input of the steps train and simulate: one model of one experiment."""

    model: Model
    training: Training
    variables: dict[str, float] = Field({"discharge": 1.0}, description="weights in the loss")
    seeds: list[int]
    validation_share: Annotated[float, Field(ge=0, lt=1)]
    device: Literal["cpu", "cuda"]

    @model_validator(mode="after")
    def _loss_fits_the_model(self):
        if self.model.kind in TRAINED:
            check_loss(self.model, self.training)
        return self


SplitName = _named("split")
FigureName = _named("figure")
AnalysisName = _named("analysis")


class Split(Settings):
    """Which places and years train a model, and which test it."""

    kind: SplitName = Field(
        description="kind of split: a file in thalweg/experiments/splits, or package.module:function of your own. temporal: same places, other years; ungauged_basins (PUB): random folds of gauges; ungauged_places: random folds of sampled places; ungauged_regions (PUR): folds of neighbouring places; inner_gauges: train at the most downstream gauges, test at those upstream; differential: train on the wetter, drier, colder or warmer half of each gauge's years, test on the other half; extremes: train on years whose largest flood is below a return period, test on the other years; scale: train at catchments in one range of areas, test in another"
    )
    variable: str | dict[str, Annotated[float, Field(gt=0)]] = Field(
        "discharge",
        description="observed variable; or several variables with their weights in the loss, of which the first is the main one",
    )
    train: Period = Field(description="training period, [first day, last day]")
    test: Period = Field(description="test period, [first day, last day]")
    minimum_values: Annotated[int, Field(ge=0)] = Field(
        0, description="observations that a place needs in both the training and the test period"
    )
    folds: Count = Field(1, description="folds of places; 1 unless places are held out")
    tested_folds: Count | None = Field(None, description="number of folds that are run, from the first; null for all")
    options: Any = Field(
        default_factory=dict, description="keys of the kind of split; they may also be written next to the other keys"
    )
    training_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of the training places that is used; smaller shares are subsets of larger ones"
    )
    training_years: Count | None = Field(
        None, description="number of years used, from the end of the training period; null for all"
    )
    validation: Literal["places", "period", "none"] = Field(
        "places",
        description="data for early stopping. places: a share of the training places; period: a share at the end of the training period; none: nothing is held out, and the training loss is monitored",
    )
    validation_share: Part = Field(0.15, description="share of the training data held out for early stopping")

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
    """A split and the models compared on it."""

    label: str = Field("", description="name in figures and tables")
    models: list[str] = Field(description="names of the models that are compared")
    minimum_days: Days | None = Field(
        None,
        description="days with simulation and observation that a metric needs; null for that of the block evaluation",
    )
    training: dict[str, Any] = Field(
        {}, description="keys of the block training that differ for all models of this experiment"
    )
    seeds: Annotated[list[int], Field(min_length=1)] | None = Field(
        None, description="random seeds, one training for each; null for those of the study"
    )


class PhysicsJob(Settings):
    """Settings of the analyses elasticity, internal_fluxes and parameters: the models of one experiment."""

    models: dict[str, TrainingJob]
    reference: str = Field("lstm", description="model that the others are compared with, where it is among them")
    minimum_days: Count = Field(365, description="days of observed discharge that a gauge needs")
    bootstrap_samples: Count = Field(2000, description="resamples and permutations")
