"""The configuration of a study: its blocks, and what must agree between them.

These models are the one source of keys, types, units and meaning: they validate a configuration before the workflow is
planned, and :mod:`thalweg.settings.reference` writes the JSON schema and the page of all keys from them.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from thalweg.registry import load
from thalweg.schema import Count, Days, Settings
from thalweg.settings.blocks import (
    TRAINED,
    AnalysisName,
    Experiment,
    FigureName,
    Model,
    Training,
    check_loss,
)
from thalweg.settings.canopy import CanopyStudy
from thalweg.settings.claims import Claim, MetricName
from thalweg.settings.domains import Domains
from thalweg.settings.leaf import LeafStudy
from thalweg.settings.twin import TwinPriorsStudy


class Evaluation(Settings):
    """Metrics and their uncertainty."""

    metrics: list[MetricName] = Field(
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
        description="metrics of variables recorded daily, such as discharge: names in thalweg.metrics.scores, or package.module:function of your own",
    )
    minimum_days: Days = Field(
        "300 days", validate_default=True, description="days with simulation and observation that a metric needs"
    )
    compared: list[MetricName] = Field(
        ["NSE", "KGE"], description="those of metrics that are compared between models by paired tests"
    )
    sample_metrics: list[MetricName] = Field(
        ["RMSE", "bias", "NSE", "KGE"],
        description="metrics of sampled variables, such as water temperature and solutes",
    )
    minimum_samples: Count = Field(20, description="samples that a metric needs")
    sample_compared: list[MetricName] = Field(
        ["RMSE", "NSE"], description="those of sample_metrics that are compared between models by paired tests"
    )
    bootstrap_samples: Count = Field(
        2000, description="bootstrap resamples of blocks of places, for intervals of medians"
    )

    @model_validator(mode="after")
    def _compared_is_computed(self):
        for compared, metrics in (("compared", "metrics"), ("sample_compared", "sample_metrics")):
            missing = [name for name in getattr(self, compared) if name not in getattr(self, metrics)]
            if missing:
                raise ValueError(
                    f"{compared}: {missing[0]} is not among {metrics}; compute it too, or do not compare it"
                )
        return self


class Study(Settings):
    """A study: everything that the workflow reads."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        "default", description="name; results are written to results/<study>"
    )
    data: str = Field("data", description="folder of downloaded data, shared by all studies")
    mirror: str | None = Field(
        None,
        description="folder searched, by hash, before a file is downloaded; the environment variable THALWEG_MIRROR does the same",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="device on which models are trained")
    threads: Count = Field(1, description="threads of one training; several trainings run in parallel")
    seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0, 1, 2], description="random seeds; every model is trained once for each"
    )
    domains: Domains = Field(
        {},
        description="datasets of the study; kind is a file in thalweg/datasets, by default the name of the domain",
    )
    models: dict[str, Model] = Field({}, description="models; the resolved study holds those that its experiments use")
    training: Training = Field(Training(), description="training of all models")
    experiments: dict[str, dict[str, Experiment]] = Field(
        {}, description="experiments by domain and name: what is trained on what, and tested where"
    )
    evaluation: Evaluation = Field(Evaluation(), description="metrics and their uncertainty")
    twin_priors: TwinPriorsStudy | None = Field(
        None, description="twin experiment on the choice of the process; null for none"
    )
    analyses: list[AnalysisName] = Field(
        [], description="further analyses, package.module:function, each with its own declaration"
    )
    figures: list[FigureName] = Field(
        [], description="further figures, package.module:function, each with its own declaration"
    )
    claims: dict[str, Claim] = Field({}, description="claims by family and name, and the test that decides each")
    leaf: LeafStudy | None = Field(None, description="photosynthesis learned from gas exchange; null for none")
    canopy: CanopyStudy | None = Field(None, description="the canopy of a flux tower; null for none")

    def training_of(self, model, experiment=None):
        """The training settings of a model: the training block, the model's overrides, then the experiment's.

        Args:
            model: name of the model.
            experiment: the :class:`~thalweg.settings.blocks.Experiment`; None leaves its overrides out.
        """
        overrides = self.models[model].training | (experiment.training if experiment else {})
        training = Training.model_validate({**self.training.model_dump(mode="json"), **overrides})
        check_loss(self.models[model], training)
        return training

    @model_validator(mode="after")
    def _names_and_periods_agree(self):
        for name, model in self.models.items():
            if model.kind in TRAINED:
                try:
                    self.training_of(name)
                except ValueError as error:
                    raise ValueError(f"models.{name}.training: {error}") from error
            for member in getattr(model, "members", ()):
                if member not in self.models or self.models[member].kind == "ensemble":
                    raise ValueError(f"models.{name}.members: {member!r} is not a model, or is itself an ensemble")
        for domain, experiments in self.experiments.items():
            self._check_domain(f"experiments.{domain}", domain)
            for name, experiment in experiments.items():
                self._check_experiment(f"experiments.{domain}.{name}", domain, experiment)
        if self.twin_priors:
            self._check_domain("twin_priors.domain", self.twin_priors.domain, "; or set twin_priors: null")
            self._check_periods("twin_priors", self.twin_priors.domain, self.twin_priors)
        return self

    def _check_domain(self, where, domain, mend=""):
        if domain not in self.domains:
            raise ValueError(
                f"{where}: there is no domain {domain!r}; there are {', '.join(self.domains) or 'none'}{mend}"
            )

    def _check_periods(self, where, domain, experiment):
        days = getattr(self.domains[domain], "period", None)
        for part in ("train", "test") if days else ():
            first, last = getattr(experiment, part)
            if first < days[0] or last > days[1]:
                raise ValueError(
                    f"{where}.{part}: {first}..{last} is not within the data, whose domain has the period {days[0]}..{days[1]}"
                )

    def _check_experiment(self, where, domain, experiment):
        self._check_periods(where, domain, experiment)
        for model in experiment.models:
            if model not in self.models:
                raise ValueError(f"{where}.models: {model!r} is not among the models: {', '.join(self.models)}")
            if self.models[model].kind in TRAINED:
                try:
                    self.training_of(model, experiment)
                except ValueError as error:
                    raise ValueError(f"{where}.training: {error}") from error
            if getattr(self.models[model], "network", "") == "unit" and load("split", experiment.kind).places != "same":
                raise ValueError(
                    f"{where}.models: {model!r} has a parameter set for each unit, and none for a held-out one; "
                    "use network: attributes"
                )
            lacking = [one for one in getattr(self.models[model], "members", ()) if one not in experiment.models]
            if lacking:
                raise ValueError(f"{where}.models: {model!r} needs its member {lacking[0]!r} in the same experiment")
