"""The block ``sites`` of the configuration: water quality and temperature, learned where something is sampled."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from thalweg.settings.blocks import Count, Part, Period, ProcessName, Settings, Training
from thalweg.settings.site_datasets import OwnSitesSettings, StreamTemperatureSettings, ThamesSettings

SiteDomain = Annotated[ThamesSettings | StreamTemperatureSettings | OwnSitesSettings, Field(discriminator="kind")]


class SiteProcessModel(Settings):
    """A differentiable model: a process of a site whose parameters are learned."""

    kind: Literal["process"] = "process"
    label: str = Field(description="name in figures")
    process: ProcessName = Field(
        description="the prior, a file in thalweg/processes/water_quality or package.module:function of your own"
    )
    integrator: Literal["fused", "reference"] = Field("fused", description="compiled kernels, or a slow loop")
    components: Annotated[int, Field(ge=1, le=16)] = Field(1, description="parallel parameter sets, averaged")
    network: Literal["attributes", "site", "none"] = Field(
        "attributes",
        description="attributes: a perceptron on site attributes; site: a parameter set for each site, which says nothing of others; none: one set for all",
    )
    hidden: Count = Field(32, description="width of the network")
    layers: Count = Field(1, description="hidden layers of the perceptron")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout in the network")
    dynamic: list[str] = Field([], description="parameters learned per day by an LSTM on forcing and attributes")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")


class SiteSequenceModel(Settings):
    """An LSTM from forcing and attributes of a site to what is sampled there."""

    kind: Literal["sequence"] = "sequence"
    label: str = Field(description="name in figures")
    hidden: Count = Field(32, description="width of the LSTM")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="dropout before the output")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this model")


class SiteClimatologyModel(Settings):
    """The seasonal cycle of the training samples, of the site or, where it is held out, of the others."""

    kind: Literal["climatology"] = "climatology"
    label: str = Field(description="name in figures")
    harmonics: Count = Field(2, description="of the year, fitted by least squares")


SiteModelSettings = Annotated[SiteProcessModel | SiteSequenceModel | SiteClimatologyModel, Field(discriminator="kind")]


class SiteSplit(Settings):
    """Which samples train and which are tested."""

    kind: Literal["temporal", "sites_out"] = Field(
        description="temporal: same sites, later samples; sites_out: random folds of sites"
    )
    variable: str = Field(description="what was sampled")
    train: Period = Field(description="training period")
    test: Period = Field(description="test period")
    folds: Count = Field(1, description="folds of sites; 1 for a temporal experiment")
    validation: Literal["sites", "period"] = Field(
        "period", description="early stopping on a share of the training sites, or of the end of the training period"
    )
    validation_share: Part = Field(0.2, description="share held out from training for early stopping")
    minimum_samples: Count = Field(20, description="in the training and in the test period, for a site to take part")

    @model_validator(mode="after")
    def _folds_fit_the_kind(self):
        if (self.kind == "temporal") != (self.folds == 1):
            raise ValueError(
                f"folds is {self.folds}: an experiment of kind temporal has 1, of kind sites_out 2 or more"
            )
        if self.kind == "temporal" and self.test[0] <= self.train[1] and self.train[0] <= self.test[1]:
            raise ValueError(f"test {self.test[0]}..{self.test[1]} overlaps train {self.train[0]}..{self.train[1]}")
        return self


class SiteExperiment(SiteSplit):
    """A split and the models that are compared on it."""

    label: str = Field(description="name in figures")
    models: list[str] = Field(description="names of sites.models")
    training: dict[str, Any] = Field({}, description="overrides of the training block for this experiment")


class SiteJob(Settings):
    """What training and simulating are given: one model of one experiment."""

    model: SiteModelSettings
    training: Training | None
    variable: str
    seeds: list[int]
    validation_share: Part
    device: Literal["cpu", "cuda"]


def _domains():
    return {"thames": ThamesSettings()}


def _models():
    return {
        "stream-temperature": SiteProcessModel(label="δ heat budget", process="stream_temperature", components=2),
        "nitrogen": SiteProcessModel(label="δ nitrogen", process="nitrogen"),
        "concentration-discharge": SiteProcessModel(
            label="C-Q curve and season", process="concentration_discharge", network="attributes"
        ),
        "lstm": SiteSequenceModel(label="LSTM"),
        "air2stream": SiteProcessModel(label="air2stream", process="air2stream"),
        "logistic": SiteProcessModel(label="logistic air-water curve", process="logistic_air_water"),
        "climatology": SiteClimatologyModel(label="seasonal cycle"),
    }


def _training():
    return Training(
        learning_rate=0.02, steps=200, window="1100 days", spin_up="730 days", patience=6, climate_attributes=False
    )


def _experiments():
    years = {"train": ("2009-03-01", "2012-02-29"), "test": ("2012-03-01", "2013-02-28")}
    whole = {"train": ("2009-03-01", "2013-02-28"), "test": ("2009-03-01", "2013-02-28")}
    temperature = ["stream-temperature", "lstm", "air2stream", "logistic", "climatology"]
    logarithmic = {"loss": "log_likelihood"}
    return {
        "thames": {
            "temperature": SiteExperiment(
                kind="temporal",
                label="water temperature, later year",
                variable="water_temperature",
                models=temperature,
                **years,
            ),
            "temperature-sites": SiteExperiment(
                kind="sites_out",
                label="water temperature, held-out sites",
                variable="water_temperature",
                folds=4,
                models=temperature,
                **whole,
            ),
            "nitrate": SiteExperiment(
                kind="temporal",
                label="nitrate, later year",
                variable="nitrate",
                models=["nitrogen", "lstm", "concentration-discharge", "climatology"],
                training=logarithmic,
                **years,
            ),
            "organic-carbon": SiteExperiment(
                kind="temporal",
                label="dissolved organic carbon, later year",
                variable="dissolved_organic_carbon",
                models=["concentration-discharge", "lstm", "climatology"],
                training=logarithmic,
                **years,
            ),
        }
    }


class SiteEvaluation(Settings):
    """Metrics of sampled sites and their uncertainty."""

    metrics: list[str] = Field(["RMSE", "bias", "NSE", "KGE"], description="names in thalweg.metrics.scores")
    minimum_samples: Count = Field(20, description="samples that a metric needs")


class Sites(Settings):
    """Where something is sampled, which priors and baselines are compared there, and how."""

    domains: dict[str, SiteDomain] = Field(default_factory=_domains, description="data; null removes one")
    models: dict[str, SiteModelSettings] = Field(default_factory=_models, description="what is compared")
    seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0, 1, 2], description="every model is trained once per seed"
    )
    training: Training = Field(default_factory=_training, description="how every model is trained")
    experiments: dict[str, dict[str, SiteExperiment]] = Field(
        default_factory=_experiments, description="domain, experiment name: which samples train and which are tested"
    )
    evaluation: SiteEvaluation = Field(SiteEvaluation(), description="metrics")

    def training_of(self, model, experiment):
        """Training settings of a model in an experiment: the block, the model's overrides, then the experiment's."""
        overrides = self.models[model].training | experiment.training
        return Training.model_validate({**self.training.model_dump(mode="json"), **overrides})

    @model_validator(mode="after")
    def _names_and_periods_agree(self):
        for domain, experiments in self.experiments.items():
            if domain not in self.domains:
                raise ValueError(f"experiments.{domain}: there is no such domain; there are {', '.join(self.domains)}")
            covered = getattr(self.domains[domain], "period", None)
            for name, experiment in experiments.items():
                where = f"experiments.{domain}.{name}"
                for part in ("train", "test"):
                    first, last = getattr(experiment, part)
                    if covered and (first < covered[0] or last > covered[1]):
                        raise ValueError(
                            f"{where}.{part}: {first}..{last} is not within the data, domains.{domain}.period "
                            f"{covered[0]}..{covered[1]}"
                        )
                for model in experiment.models:
                    if model not in self.models:
                        raise ValueError(f"{where}.models: {model!r} is not among {', '.join(self.models)}")
                    settings = self.models[model]
                    if settings.kind == "climatology":
                        continue
                    if getattr(settings, "network", "") == "site" and experiment.kind == "sites_out":
                        raise ValueError(
                            f"{where}.models: {model!r} has a parameter set for each site, so it has none for a held-out one; "
                            "use network: attributes"
                        )
                    try:
                        self.training_of(model, experiment)
                    except ValueError as error:
                        raise ValueError(f"{where}.training: {error}") from error
        return self
