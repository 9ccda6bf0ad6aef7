"""What a study claims: each claim in plain words, with the comparison and the margin that decide it.

The margin of a claim is the least effect that matters. It is part of the claim, chosen before there are results.
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
    """What every claim has."""

    text: str = Field(description="the claim in plain words")
    family: Family = Field(description="what it is about; claims are told by family")
    experiment: Place = Field(description="domain/experiment")
    model: str = Field(description="of whom something is claimed")
    margin: Margin = Field(description="least effect that matters, in the unit of the effect")
    would_change: str = Field(description="what would change the verdict")


class Comparison(ClaimSettings):
    """A claim about two models at the same places."""

    reference: str = Field(description="the other model")
    metric: MetricName = Field("NSE", description="name in thalweg.metrics.scores")
    variable: str | None = Field(
        None, description="what both predict, where the experiment has several variables; null for the first"
    )


class Better(Comparison):
    """A model is better than another at the same places."""

    kind: Literal["better"] = "better"


class AsGood(Comparison):
    """A model is no worse than another by the margin, at the same places."""

    kind: Literal["as_good"] = "as_good"


class MoreRobust(Comparison):
    """From the baseline to the experiment a model loses less than another, at the same places."""

    kind: Literal["more_robust"] = "more_robust"
    baseline: Place = Field(description="domain/experiment that the loss is counted from")

    @model_validator(mode="after")
    def _two_experiments_of_one_domain(self):
        if self.baseline == self.experiment or self.baseline.split("/")[0] != self.experiment.split("/")[0]:
            raise ValueError(f"baseline is {self.baseline}; name another experiment of the domain of {self.experiment}")
        return self


class Evidence(ClaimSettings):
    """A number that another analysis found, with its interval, lies on one side of a threshold, or near 0."""

    kind: Literal["evidence"] = "evidence"
    reference: str = Field("", description="the other model, where the quantity has one")
    quantity: str = Field(description="name in the tables of evidence")
    above: float | None = Field(None, description="supported when the effect is above it")
    below: float | None = Field(None, description="supported when the effect is below it")
    within: Margin | None = Field(None, description="supported when the effect is nearer to 0 than this")

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


class ClaimsJob(Settings):
    """What the verb claims is given."""

    claims: dict[str, Claim]
    bootstrap_samples: Annotated[int, Field(ge=1)]


def default_claims():
    """The claims of the default study, by name."""
    two_years = "more than the two years of data that the Delaware has"
    one_river = "more gauges: the Susquehanna has six, on one river"
    near = "regions that differ more than the quarters of one basin do"
    pair = {"model": "hbv", "reference": "lstm", "margin": 0.01}
    priors = {
        "gr4j": "GR4J with snow",
        "exp-hydro": "EXP-HYDRO",
        "xinanjiang": "Xinanjiang",
        "sac-sma": "SAC-SMA",
        "prms": "a PRMS-like process",
    }
    untrained = {"family": "untrained variables", "experiment": "delaware/temporal", "model": "hbv"}
    later_river = {"family": "water quality", "metric": "RMSE", "margin": 0.05}  # degC, mg/l
    temperature = {"experiment": "thames/temperature", "model": "stream-temperature", **later_river}
    elsewhere = {"experiment": "thames/temperature-sites", "model": "stream-temperature", **later_river}
    nitrate = {"experiment": "thames/nitrate", "model": "nitrogen", **later_river}
    measured = "air temperature and radiation measured at the river: here they are of one place and estimated"
    few_sites = "more rivers: 21 sites of one basin hardly show what shade, width and groundwater do"
    tower = {"experiment": "davos/days", "model": "canopy", "family": "ecosystem"}
    flux = "more towers: one canopy of spruce tells little of others, and its energy balance cannot be closed"
    leaf = {
        "experiment": "leaf/points",
        "family": "ecosystem",
        "metric": "RMSE",
        "margin": 0.5,
    }  # umol m-2 s-1, as a measurement errs
    few_leaves = "more genotypes: these are a dozen curves of one"
    question = {"family": "questions", "experiment": "delaware/temporal", "model": "hbv"}
    return {
        "later-year": AsGood(
            text="In a later year δHBV predicts about as well as an LSTM",
            family="prediction",
            experiment="delaware/temporal",
            model="hbv",
            reference="lstm",
            margin=0.02,
            would_change="an LSTM tuned for one year of training, or more years",
        ),
        "later-years": AsGood(
            text="After 18 years of training δHBV predicts as well as an LSTM",
            family="prediction",
            experiment="susquehanna/temporal",
            model="hbv",
            reference="lstm",
            margin=0.02,
            would_change=one_river,
        ),
        "learned-parameters": Better(
            text="Parameters learned from attributes predict better than one set",
            family="prediction",
            experiment="delaware/temporal",
            model="hbv",
            reference="hbv-one-set",
            margin=0.01,
            would_change=two_years,
        ),
        "routed": Better(
            text="Routing through the river predicts better than the land's delays",
            family="prediction",
            experiment="delaware/temporal",
            model="hbv-river",
            reference="hbv",
            margin=0.01,
            would_change="hourly discharge, which sees what a river does within a day",
        ),
        "ungauged-basins": Better(
            text="At ungauged basins δHBV predicts better than an LSTM",
            family="space",
            experiment="delaware/pub",
            **pair,
            would_change="more gauges that are not nested, of more than one climate",
        ),
        "ungauged-regions": Better(
            text="In ungauged regions δHBV predicts better than an LSTM",
            family="space",
            experiment="delaware/pur",
            **pair,
            would_change=near,
        ),
        "regions-cost-less": MoreRobust(
            text="From ungauged basins to ungauged regions δHBV loses less",
            family="space",
            experiment="delaware/pur",
            baseline="delaware/pub",
            **pair,
            would_change=near,
        ),
        "ensemble": Better(
            text="In ungauged regions LSTM and δHBV averaged beat the LSTM",
            family="space",
            experiment="delaware/pur",
            model="ensemble",
            reference="lstm",
            margin=0.01,
            would_change="an ensemble of as many LSTMs as the control",
        ),
        "attributes-carry": Better(
            text="In ungauged regions learned parameters beat one set for all",
            family="space",
            experiment="delaware/pur",
            model="hbv",
            reference="hbv-one-set",
            margin=0.01,
            would_change="more gauges, from which the effects of attributes could be told apart",
        ),
        "upstream": Better(
            text="Trained downstream, routing predicts better upstream",
            family="space",
            experiment="delaware/inner",
            model="hbv-river",
            reference="hbv-unrouted",
            margin=0.01,
            would_change="delays of the land held to what hillslopes can hold back",
        ),
        "wet-to-dry": Better(
            text="Trained in wet years, δHBV predicts dry ones better",
            family="time",
            experiment="susquehanna/wet-to-dry",
            **pair,
            would_change=one_river,
        ),
        "dry-to-wet": Better(
            text="Trained in dry years, δHBV predicts wet ones better",
            family="time",
            experiment="susquehanna/dry-to-wet",
            **pair,
            would_change=one_river,
        ),
        "wet-year-to-dry-year": Better(
            text="Trained in one wet year, δHBV predicts a dry one better",
            family="time",
            experiment="delaware/temporal",
            **pair,
            would_change="an LSTM tuned for one year of training, or more years",
        ),
        "unseen-floods": Better(
            text="In years of unseen floods δHBV predicts better than an LSTM",
            family="extremes",
            experiment="susquehanna/extremes",
            **pair,
            would_change=one_river,
        ),
        "highest-flows": Better(
            text="The volume of the highest flows is less wrong than an LSTM's",
            family="extremes",
            experiment="delaware/temporal",
            model="hbv",
            reference="lstm",
            metric="FHV",
            margin=2.0,
            would_change="a loss that weighs floods, and longer tests: the highest 2 % are seven days",
        ),
        "few-gauges": Better(
            text="Trained at few gauges, δHBV beats an LSTM at the others",
            family="sparse data",
            experiment="delaware/gauges-15",
            **pair,
            would_change="other draws of the few gauges: which of them train is one more choice",
        ),
        "fewer-gauges-cost-less": MoreRobust(
            text="From all gauges to few δHBV loses less than an LSTM",
            family="sparse data",
            experiment="delaware/gauges-15",
            baseline="delaware/gauges-100",
            **pair,
            would_change="other draws of the few gauges: which of them train is one more choice",
        ),
        "baseflow": Evidence(
            text="Untrained, its baseflow ranks catchments as filtered flow does",
            **untrained,
            quantity="baseflow_index_rank_correlation",
            above=0.5,
            margin=0.05,
            would_change="tracers, or a map of baseflow that does not come from discharge",
        ),
        "evapotranspiration": Evidence(
            text="Untrained, its evapotranspiration closes the balance to a tenth",
            **untrained,
            quantity="evapotranspiration_bias_share",
            within=0.1,
            margin=0.02,
            would_change=two_years,
        ),
        "parameters-stable-seeds": Evidence(
            text="Other first weights lead to the same maps of most parameters",
            family="parameters",
            experiment="delaware/temporal",
            model="hbv",
            quantity="parameter_stability_seeds",
            above=0.75,  # good reliability, by Koo & Li (2016, doi:10.1016/j.jcm.2016.02.012)
            margin=0.05,
            would_change="fewer parameters, or observations of more than discharge",
        ),
        "parameters-stable-folds": Evidence(
            text="Without some of the gauges most parameters have the same maps",
            family="parameters",
            experiment="delaware/pub",
            model="hbv",
            quantity="parameter_stability_folds",
            above=0.75,
            margin=0.05,
            would_change="folds that share fewer gauges, and other first weights in each: all begin alike",
        ),
        "canopy": Better(
            text="Evaporation through leaves beats a factor on the potential rate",
            family="priors",
            experiment="delaware/temporal",
            model="hbv-canopy",
            reference="hbv",
            metric="KGE",
            margin=0.01,
            would_change="measured radiation and humidity in the place of estimates",
        ),
        "generator-found": Evidence(
            text="Of discharge that a known process made, that process is found",
            family="priors",
            experiment="delaware/which_prior",
            model="own_prior",
            reference="others",
            quantity="generator_ranked_first",
            above=0.167,
            margin=0.1,
            would_change="more data: two years of discharge with noise of 5 %",
        ),
        **{
            f"hbv-over-{name}": Better(
                text=f"HBV is a better prior than {process}",
                family="priors",
                experiment="delaware/temporal",
                model="hbv",
                reference=name,
                margin=0.01,
                would_change="training settings chosen for the other process: all have those of HBV",
            )
            for name, process in priors.items()
        },
        "heat-budget-over-air2stream": Better(
            text="In a later year the heat budget predicts better than air2stream",
            **temperature,
            reference="air2stream",
            would_change=measured,
        ),
        "heat-budget-over-logistic": Better(
            text="In a later year the heat budget predicts better than a logistic curve",
            **temperature,
            reference="logistic",
            would_change=measured,
        ),
        "heat-budget-over-lstm": Better(
            text="In a later year the heat budget predicts better than an LSTM",
            **temperature,
            reference="stream-lstm",
            would_change=measured,
        ),
        "heat-budget-elsewhere-over-lstm": Better(
            text="At held-out sites the heat budget predicts better than an LSTM",
            **elsewhere,
            reference="stream-lstm",
            would_change=few_sites,
        ),
        "heat-budget-elsewhere-over-logistic": Better(
            text="At held-out sites the heat budget predicts better than a logistic curve",
            **elsewhere,
            reference="logistic",
            would_change=few_sites,
        ),
        "nitrate-later-year": AsGood(
            text="In a later year the nitrogen process predicts as well as an LSTM",
            **nitrate,
            reference="stream-lstm",
            would_change="fertiliser and sewage of each year, which no forcing here holds",
        ),
        "nitrate-over-curve": Better(
            text="In a later year the nitrogen process predicts better than a C-Q curve",
            **nitrate,
            reference="concentration-discharge",
            would_change="fertiliser and sewage of each year, which no forcing here holds",
        ),
        "carbon-curve": AsGood(
            text="A C-Q curve predicts dissolved organic carbon as well as an LSTM",
            family="water quality",
            experiment="thames/organic-carbon",
            model="concentration-discharge",
            reference="stream-lstm",
            metric="RMSE",
            margin=0.1,  # mg/l: what laboratories differ by
            would_change="samples of floods: weekly ones miss most of them",
        ),
        # Claims about leaves and the canopy stand here once their skill is in the same table.
        "elasticity": Evidence(
            text="Elasticities of its runoff sum to one, as a balance asks",
            **question,
            quantity="elasticity_sum_deviation",
            below=0.1,
            margin=0.02,
            would_change="changes of storage over the test period taken out",
        ),
        "signs": Evidence(
            text="Its runoff falls with evaporative demand nearly everywhere",
            **question,
            quantity="sign_violations",
            below=0.05,
            margin=0.01,
            would_change="only an error in the process: its equations leave no other sign",
        ),
        "leaf-shared": Better(
            text="Within leaves' curves, a network with an offset for each curve beats one parameter set for all",
            model="network",
            reference="one_set",
            **leaf,
            would_change=few_leaves,
        ),
        "leaf-fits": AsGood(
            text="Within leaves' curves, a network with an offset for each predicts as well as fits of single curves",
            model="network",
            reference="least_squares",
            **leaf,
            would_change=few_leaves,
        ),
        "leaf-held-out": Better(
            text="Of whole curves held out, a network through photosynthesis predicts assimilation better than ridge regression",
            model="network",
            reference="ridge",
            **(leaf | {"experiment": "leaf/curves"}),
            would_change="attributes that differ between curves: here it is the leaf's temperature alone",
        ),
        "canopy-latent-heat": Evidence(
            text="In later years the canopy predicts daily latent heat better than climatology",
            **tower,
            reference="climatology",
            quantity="latent_heat_rmse_gain",
            above=0.0,
            margin=1.0,
            would_change=flux,
        ),
        "canopy-priestley-taylor": Evidence(
            text="In later years the canopy predicts daily latent heat better than a fitted Priestley-Taylor equation",
            **tower,
            reference="priestley-taylor",
            quantity="latent_heat_rmse_gain",
            above=0.0,
            margin=1.0,
            would_change=flux,
        ),
        "canopy-carbon": Evidence(
            text="In later years the canopy predicts daily net exchange of CO2 better than climatology",
            **tower,
            reference="climatology",
            quantity="net_exchange_rmse_gain",
            above=0.0,
            margin=0.1,
            would_change=flux,
        ),
    }
