"""The configuration of a study: its blocks, the defaults, and what has to agree between blocks.

These models are the one source: they validate a configuration before the workflow is planned, and
:mod:`thalweg.settings.files` writes the JSON schema and the commented default file from them.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from thalweg.registry import load
from thalweg.schema import Count, Days, Settings
from thalweg.settings.blocks import (
    AnalysisName,
    ClimatologyModel,
    EnsembleModel,
    Experiment,
    FigureName,
    Model,
    ProcessModel,
    SequenceModel,
    Training,
)
from thalweg.settings.canopy import CanopyStudy
from thalweg.settings.claims import Claim, MetricName, default_claims
from thalweg.settings.domains import Domains
from thalweg.settings.leaf import LeafStudy
from thalweg.settings.twin import WhichPriorStudy

TRAINED = ("process", "sequence")  # kinds of models that are trained
SAMPLED = {  # training of models of what is sampled in rivers: slow states, and a step in which most days have no sample
    "learning_rate": 0.02,
    "steps": 200,
    "window": "1100 days",
    "spin_up": "730 days",
    "patience": 6,
    "climate_attributes": False,
    "logarithmic_attributes": True,
}


def _domains():
    return {
        "delaware": {},
        "susquehanna": {},
        **{f"cevennes-{name}": {"kind": "cevennes", "catchment": name} for name in ("lez", "cance")},
        "thames": {},
    }


PRIORS = {
    "gr4j": "δGR4J",
    "exp_hydro": "δEXP-HYDRO",
    "xinanjiang": "δXinanjiang",
    "sac_sma": "δSAC-SMA",
    "prms": "δPRMS",
}


def _models():
    return {
        "hbv": ProcessModel(label="δHBV 1.1p", components=8),
        "lstm": SequenceModel(
            label="LSTM",
            dropout=0.2,
            training={"steps": 300, "patience": 5, "window": "365 days", "spin_up": "270 days", "places_per_step": 32},
        ),
        "hbv-river": ProcessModel(label="δHBV 1.1p, routed", components=8, routing="river"),
        "hbv-unrouted": ProcessModel(label="δHBV 1.1p, no routing", components=8, routing="none"),
        "hbv-canopy": ProcessModel(label="δHBV, canopy", components=8, process="hbv_canopy"),
        "hbv-one-set": ProcessModel(
            label="HBV 1.1p, one parameter set", network="none", components=1, training={"learning_rate": 0.05}
        ),
        "climatology": ClimatologyModel(label="Climatology"),
        "ensemble": EnsembleModel(label="mean of LSTM and δHBV", members=["lstm", "hbv"]),
        **{
            name.replace("_", "-"): ProcessModel(label=label, components=8, process=name)
            for name, label in PRIORS.items()
        },
        "hbv-neural": ProcessModel(label="δHBV, recharge by a network", components=8, process="hbv_neural"),
        "stream-temperature": _of_samples("δ heat budget", "stream_temperature", components=2),
        "nitrogen": _of_samples("δ nitrogen", "nitrogen"),
        "concentration-discharge": _of_samples("C-Q curve and season", "concentration_discharge"),
        "air2stream": _of_samples("air2stream", "air2stream"),
        "logistic": _of_samples("logistic air-water curve", "logistic_air_water"),
        "stream-lstm": SequenceModel(
            label="LSTM", hidden=32, dropout=0.2, spatial="distributed", training=dict(SAMPLED)
        ),
        "season": ClimatologyModel(label="seasonal cycle", harmonics=2),
    }


def _of_samples(label, process, components=1):
    """A process of what is sampled: a place is one unit, and there are few places to learn from."""
    return ProcessModel(
        label=label,
        process=process,
        components=components,
        hidden=32,
        layers=1,
        routing="none",
        training=dict(SAMPLED),
    )


def _experiments():
    models = ["hbv", "lstm", "hbv-one-set", "climatology"]
    years = ("1979-01-01", "1980-12-31")
    record = ("1985-10-01", "2020-09-30")
    priors = [*(name.replace("_", "-") for name in PRIORS), "hbv-neural"]
    few = {
        f"gauges-{round(100 * share)}": Experiment(
            kind="ungauged_basins",
            train=years,
            test=years,
            folds=3,
            tested_folds=1,
            training_share=share,
            models=["hbv", "lstm"],
        )
        for share in (0.15, 0.4, 1.0)
    }
    halves = {
        f"{one}-to-{other}": Experiment(
            kind="differential",
            train_on=one,
            train=record,
            test=record,
            validation="none",
            models=["hbv", "lstm"],
            training={"steps": 200, "window": "730 days"},
        )
        for one, other in (("wet", "dry"), ("dry", "wet"))
    }
    return {
        "delaware": {
            "temporal": Experiment(
                kind="temporal",
                train=("1979-01-01", "1979-12-31"),
                test=("1980-01-01", "1980-12-31"),
                models=[*models, "hbv-river", "hbv-unrouted", "hbv-canopy", "ensemble", *priors],
            ),
            "inner": Experiment(
                kind="inner_gauges", train=years, test=years, models=["hbv", "hbv-river", "hbv-unrouted"]
            ),
            "pub": Experiment(kind="ungauged_basins", train=years, test=years, folds=5, models=[*models, "ensemble"]),
            "pur": Experiment(kind="ungauged_regions", train=years, test=years, folds=4, models=[*models, "ensemble"]),
            **few,
        },
        "susquehanna": {
            "temporal": Experiment(
                kind="temporal",
                train=("1985-01-01", "2002-12-31"),
                test=("2003-01-01", "2020-12-31"),
                validation="period",
                models=[*models, "hbv-canopy"],
                training={"steps": 600, "patience": 15, "window": "730 days"},
            ),
            **halves,
            "extremes": Experiment(
                kind="extremes",
                train=record,
                test=record,
                validation="none",
                models=["hbv", "lstm"],
                training={"steps": 200, "window": "730 days"},
            ),
        },
        **_small_experiments(),
        "thames": _sampled_experiments(),
    }


def _small_experiments():
    """Three gauges of one river and one season each: the way from grids to a tested model, more than a test of models."""
    return {
        "cevennes-lez": {
            "temporal": Experiment(
                kind="temporal",
                train=("2012-08-01", "2013-03-31"),
                test=("2013-04-01", "2013-07-31"),
                validation="none",
                minimum_days="60 days",
                models=["hbv", "lstm", "hbv-one-set", "gr4j"],
                training={"steps": 100, "window": "180 days", "spin_up": "120 days"},
            )
        },
        "cevennes-cance": {
            "temporal": Experiment(
                kind="temporal",
                train=("2014-09-15", "2014-11-30"),
                test=("2014-12-01", "2015-01-15"),
                validation="none",
                minimum_days="30 days",
                models=["hbv", "lstm", "hbv-one-set"],
                training={"steps": 100, "window": "30 days", "spin_up": "20 days"},
            )
        },
    }


def _sampled_experiments():
    later = {"kind": "temporal", "train": ("2009-03-01", "2012-02-29"), "test": ("2012-03-01", "2013-02-28")}
    whole = {"train": ("2009-03-01", "2013-02-28"), "test": ("2009-03-01", "2013-02-28")}
    common = {"validation": "period", "validation_share": 0.2, "minimum_values": 20}
    temperature = {
        "variable": "water_temperature",
        "models": ["stream-temperature", "stream-lstm", "air2stream", "logistic", "season"],
        **common,
    }
    concentration = {"training": {"loss": "log_likelihood"}, **later, **common}
    return {
        "temperature": Experiment(label="water temperature, later year", **later, **temperature),
        "temperature-sites": Experiment(
            label="water temperature, held-out sites", kind="ungauged_places", folds=4, **whole, **temperature
        ),
        "nitrate": Experiment(
            label="nitrate, later year",
            variable="nitrate",
            models=["nitrogen", "stream-lstm", "concentration-discharge", "season"],
            **concentration,
        ),
        "organic-carbon": Experiment(
            label="dissolved organic carbon, later year",
            variable="dissolved_organic_carbon",
            models=["concentration-discharge", "stream-lstm", "season"],
            **concentration,
        ),
    }


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
        description="of what is recorded continuously, such as discharge: names in thalweg.metrics.scores",
    )
    minimum_days: Days = Field(
        "300 days", validate_default=True, description="days with both series that a metric needs"
    )
    compared: list[MetricName] = Field(["NSE", "KGE"], description="of these, those with paired tests between models")
    sample_metrics: list[MetricName] = Field(
        ["RMSE", "bias", "NSE", "KGE"], description="of what is sampled, such as temperature and solutes"
    )
    minimum_samples: Count = Field(20, description="samples that a metric needs")
    sample_compared: list[MetricName] = Field(["RMSE", "NSE"], description="of these, those with paired tests")
    bootstrap_samples: Count = Field(2000, description="resamples of blocks of places for intervals of medians")

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
        default_factory=_domains,
        validate_default=True,
        description="where the data are from and how they are read; kind is a file of thalweg/datasets, the domain's name where it is not given; null removes one",
    )
    models: dict[str, Model] = Field(default_factory=_models, description="what is compared; null removes one")
    training: Training = Field(Training(), description="how every model is trained")
    experiments: dict[str, dict[str, Experiment]] = Field(
        default_factory=_experiments,
        description="domain, experiment name: who trains and who is tested; null removes one",
    )
    evaluation: Evaluation = Field(Evaluation(), description="metrics and their uncertainty")
    which_prior: WhichPriorStudy | None = Field(
        WhichPriorStudy(),
        description="which prior is better, on discharge that a known prior made; null leaves it out",
    )
    analyses: list[AnalysisName] = Field(
        [], description="further analyses, package.module:function, each of which declares what it reads"
    )
    figures: list[FigureName] = Field(
        [], description="further figures, package.module:function, each of which declares what it reads"
    )
    claims: dict[str, Claim] = Field(
        default_factory=default_claims,
        description="what is claimed, and the comparison and margin that decide it; null removes one",
    )
    leaf: LeafStudy | None = Field(
        LeafStudy(), description="photosynthesis, learned from curves of gas exchange; null leaves it out"
    )
    canopy: CanopyStudy | None = Field(
        CanopyStudy(), description="the canopy of a flux tower, learned and held against baselines; null leaves it out"
    )

    def training_of(self, model, experiment=None):
        """The training settings of a model: the training block, the model's overrides, then the experiment's.

        Args:
            model: name of the model.
            experiment: the :class:`~thalweg.settings.blocks.Experiment`; None leaves its overrides out.
        """
        overrides = self.models[model].training | (experiment.training if experiment else {})
        return Training.model_validate({**self.training.model_dump(mode="json"), **overrides})

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
        if self.which_prior:
            self._check_domain("which_prior.domain", self.which_prior.domain, "; or set which_prior: null")
            self._check_periods("which_prior", self.which_prior.domain, self.which_prior)
        return self

    def _check_domain(self, where, domain, mend=""):
        if domain not in self.domains:
            raise ValueError(
                f"{where}: there is no such domain as {domain!r}; there are {', '.join(self.domains)}{mend}"
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
                    f"{where}.models: {model!r} has a parameter set for each unit, so it has none for a held-out one; "
                    "use network: attributes"
                )
            lacking = [one for one in getattr(self.models[model], "members", ()) if one not in experiment.models]
            if lacking:
                raise ValueError(f"{where}.models: {model!r} needs its member {lacking[0]!r} in the same experiment")
