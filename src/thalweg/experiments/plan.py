"""Plan of a study: its runs, their settings, and the experiments and models of each analysis and figure.

A run is ``(domain, experiment, model)``. All functions take a :class:`~thalweg.settings.study.Study` and have no side effects.
"""

from pathlib import Path

from thalweg.basin.observables import observable
from thalweg.datasets import reader
from thalweg.settings.study import TRAINED

MAX_DRAWN = 7  # models in a figure of maps or hydrographs
MAX_COMPARED = 4  # models in a panel
YEAR = 365  # days of a test needed for balances, signatures and maps of parameters
LONG = 9  # years between the first and the last year of a test needed for trends
MAPPED = {  # process -> parameters that are shown as maps
    "hbv": ["BETA", "FC", "K2", "BETAET", "mean_delay"],
    "hbv_canopy": ["BETA", "FC", "K2", "leaf_area_index", "mean_delay"],
}


def runs(study, condition=lambda experiment: True):
    """The runs of the experiments whose settings meet a condition."""
    return [
        (domain, name, model)
        for domain, name in experiments_where(study, condition)
        for model in study.experiments[domain][name].models
    ]


def trainings(study):
    """The runs whose model is trained."""
    return [run for run in runs(study) if study.models[run[-1]].kind in TRAINED]


def experiments_where(study, condition):
    """(domain, experiment) of the experiments whose settings meet a condition."""
    return [
        (domain, name)
        for domain, experiments in study.experiments.items()
        for name, settings in experiments.items()
        if condition(settings)
    ]


def domains(study):
    """Names of the domains with an experiment."""
    return [name for name, experiments in study.experiments.items() if experiments]


def labels(study):
    """Label by name of the model."""
    return {name: model.label for name, model in study.models.items()}


def sampled_labels(study):
    """Label by name of the models of experiments at sampled places, whose colours do not depend on those of discharge."""
    names = {model for domain, name in sampled(study) for model in study.experiments[domain][name].models}
    return {name: label for name, label in labels(study).items() if name in names}


def estimators(study):
    """Names of the estimators that simulate several experiments and models at once: kinds of leaves, and the flux tower."""
    return [*(study.leaf.kinds if study.leaf else ()), *(["davos"] if study.canopy else ())]


def experiments(study):
    """(domain, experiment) of all experiments."""
    return experiments_where(study, lambda settings: True)


def with_some(study, found, models):
    """Those of ``found`` experiments for which ``models(study, domain, experiment)`` is not empty."""
    return [run for run in found if models(study, *run)]


def trained_domains(study):
    """(domain,) of those in which a model is trained."""
    return [(name,) for name in dict.fromkeys(domain for domain, _, _ in trainings(study))]


def claims(study):
    """The claims about the domains and estimators of the study: name -> claim."""
    there = (*domains(study), *estimators(study))
    return {name: one for name, one in study.claims.items() if one.experiment.split("/")[0] in there}


def claims_settings(study):
    """Settings for judging the claims, as plain values."""
    found = {name: claim.model_dump(mode="json") for name, claim in claims(study).items()}
    return {"claims": found, "bootstrap_samples": study.evaluation.bootstrap_samples}


def estimates(study):
    """The jobs that train all models of an estimator at once: stage/estimator."""
    return [f"{'canopy' if name == 'davos' else 'leaf'}/{name}" for name in estimators(study)]


# Data


def folder(study, domain):
    """Folder of a domain's data: that of its dataset, or of the user's files."""
    settings = study.domains[domain]
    return settings.folder if hasattr(settings, "folder") else f"{study.data}/{settings.dataset}"


def files(study, domain):
    """Input of a domain: the record of its dataset, or the user's files."""
    where = folder(study, domain)
    if hasattr(study.domains[domain], "folder"):
        return sorted(str(path) for suffix in ("csv", "nc") for path in Path(where).rglob(f"*.{suffix}"))
    return f"{where}/dataset.json"


def has_network(study, domain):
    """Whether the sampled places of a domain are on one river, according to its reader, before the data are fetched."""
    settings = study.domains[domain]
    stands = getattr(reader(settings.kind), "has_network", None)
    return stands is not None and stands(settings)


def gridded(study):
    """Names of the regridded domains, whose grids a figure shows."""
    return [name for name, settings in study.domains.items() if getattr(reader(settings.kind), "GRIDDED", False)]


# Settings of jobs


def job(study, domain, experiment, model):
    """Settings of a run, as plain values of a :class:`~thalweg.settings.blocks.TrainingJob`."""
    experiment, settings = study.experiments[domain][experiment], study.models[model]
    trained = settings.kind in TRAINED
    return {
        "model": settings.model_dump(mode="json", exclude={"label", "training"}) | {"label": ""},
        "training": study.training_of(model, experiment).model_dump(mode="json") if trained else {},
        "variables": experiment.variables,
        "seeds": (experiment.seeds or study.seeds) if trained else [0],
        "validation_share": 0 if experiment.validation == "none" else experiment.validation_share,
        "device": study.device,
    }


def split_settings(study, domain, experiment):
    """Settings of an experiment's split, as plain values."""
    settings = study.experiments[domain][experiment]
    return settings.model_dump(mode="json", exclude={"models", "training", "seeds", "label", "minimum_days"})


def score_settings(study, experiment=None):
    """Settings for scoring a simulation, as plain values: of variables recorded continuously, and of those that are sampled.

    Args:
        experiment: the :class:`~thalweg.settings.blocks.Experiment`; if None, its own number of days is omitted.
    """
    evaluation = study.evaluation
    return {
        "metrics": evaluation.metrics,
        "minimum_days": round(getattr(experiment, "minimum_days", None) or evaluation.minimum_days),
        "sample_metrics": evaluation.sample_metrics,
        "minimum_samples": evaluation.minimum_samples,
    }


def summary_settings(study):
    """Settings for summarising scores, as plain values."""
    evaluation = study.evaluation
    return {
        "bootstrap_samples": evaluation.bootstrap_samples,
        "compared": evaluation.compared,
        "sample_compared": evaluation.sample_compared,
    }


def loss_unit(study, domain):
    """The unit of the losses of a domain's trainings."""
    losses = {
        study.training_of(model, study.experiments[where][name]).loss
        for where, name, model in trainings(study)
        if where == domain
    }
    return "mm/day" if losses == {"rmse_combination"} else "dimensionless"


def reference(study, domain, experiment):
    """The model without a process that those of an experiment are compared with; empty if there is none."""
    models = study.experiments[domain][experiment].models
    return next((name for name in models if study.models[name].kind == "sequence"), "")


def question_settings(study, domain, experiment):
    """Arguments of an analysis of simulations: the reference model, and the number of resamples."""
    return {
        "reference": reference(study, domain, experiment),
        "bootstrap_samples": study.evaluation.bootstrap_samples,
    }


def interval_settings(study, domain, experiment):
    """Arguments of the analysis of prediction intervals: the members of each ensemble, and which model simulates a distribution."""
    settings = study.experiments[domain][experiment]
    members = {name: getattr(study.models[name], "members", [name]) for name in settings.models}
    return {
        "members": {name: parts for name, parts in members.items() if study.models[name].kind != "climatology"},
        "reference": next(iter(mixtures(study, domain, experiment)), ""),
        "regions": settings.kind == "ungauged_regions",
        "minimum_days": score_settings(study, settings)["minimum_days"],
        "bootstrap_samples": study.evaluation.bootstrap_samples,
    }


def trained_jobs(study, domain, experiment):
    """Arguments of an analysis of the drawn models with weights."""
    return _jobs(study, domain, experiment, drawn_trained)


def process_jobs(study, domain, experiment):
    """Arguments of an analysis of models with a process."""
    return _jobs(study, domain, experiment, processes_of)


def attribute_jobs(study, domain, experiment):
    """Arguments of an analysis of models whose parameters are learned from attributes."""
    return _jobs(study, domain, experiment, with_attributes)


def _jobs(study, domain, experiment, models):
    names = models(study, domain, experiment)
    return {
        "models": {name: job(study, domain, experiment, name) for name in names},
        **question_settings(study, domain, experiment),
        "minimum_days": minimum_days(study),
    }


def minimum_days(study):
    """Minimum days of observations for a score."""
    return round(study.evaluation.minimum_days)


def bootstrap_samples(study):
    """Number of resamples."""
    return study.evaluation.bootstrap_samples


def training_data_settings(study, domain):
    """Settings of the table of skill against the amount of training data."""
    models = shared_models(study, domain, levels_of(study, domain))
    return _skill_table(study, models) | {"sweeps": sweeps(study, domain)}


def distance_settings(study, domain):
    """Settings of the table of skill against the distance to training places."""
    return _skill_table(study, shared_models(study, domain, ungauged(study)[domain]))


def _skill_table(study, models):
    return {
        "models": models,
        "metric": study.evaluation.compared[0],
        "variable": "discharge",
        "bootstrap_samples": study.evaluation.bootstrap_samples,
    }


def published_settings(study):
    """The experiments whose scores are compared with published ones, with their periods."""
    settings = {f"{domain}/{name}": study.experiments[domain][name] for domain, name in published(study)}
    periods = {
        name: {"train": list(map(str, one.train)), "test": list(map(str, one.test)), "ungauged": one.held_out}
        for name, one in settings.items()
    }
    return {"experiments": periods, "bootstrap_samples": study.evaluation.bootstrap_samples}


# Discharge


def of_discharge(experiment):
    """Whether an experiment is about discharge."""
    return experiment.first == "discharge"


def main_experiments(study):
    """Experiments of discharge except those of a series of data amounts, which share one figure."""
    return experiments_where(
        study,
        lambda settings: of_discharge(settings) and settings.training_years is None and settings.training_share == 1,
    )


def main_where(study, condition):
    """The main experiments whose settings meet a condition."""
    return [(domain, name) for domain, name in main_experiments(study) if condition(study.experiments[domain][name])]


def long_tests(study):
    """Later periods long enough for trends."""
    return main_where(
        study,
        lambda settings: settings.kind == "temporal" and settings.test[1].year - settings.test[0].year >= LONG,
    )


def for_a_year(settings):
    """Whether an experiment is tested for at least a year, so that changes of storage are small."""
    return (settings.test[1] - settings.test[0]).days >= YEAR - 1


def first_of_each(found, parts=1):
    """The first of the tuples that agree in their first ``parts``: one for each domain, unless told otherwise."""
    first = {}
    for one in found:
        first.setdefault(one[:parts], one)
    return list(first.values())


def hydrograph_experiments(study):
    """The first main experiment of each domain."""
    return first_of_each(main_experiments(study))


def mapped_experiments(study):
    """Experiments whose skill is shown as maps: of a domain with ungauged tests the first main one and the first ungauged one."""
    tested = ungauged(study)
    return [
        (domain, name)
        for domain, first in hydrograph_experiments(study)
        if domain in tested
        for name in dict.fromkeys((first, tested[domain][0]))
    ]


def later_periods(study):
    """Main experiments at the same gauges in other years."""
    return main_where(study, lambda settings: settings.kind == "temporal" and for_a_year(settings))


def repeated_in_folds(study):
    """Main experiments in which parameters are learned again without some of the gauges."""
    return main_where(study, lambda settings: settings.held_out and settings.tested_folds != 1)


def between_periods(study):
    """Main experiments whose gauges are tested in years that differ from the training years."""
    return main_where(study, lambda settings: settings.kind in ("temporal", "differential") and for_a_year(settings))


def unseen_floods(study):
    """Experiments tested on floods larger than those in training."""
    return experiments_where(study, lambda settings: of_discharge(settings) and settings.kind == "extremes")


def published(study):
    """Main experiments whose scores are compared with published ones of the same catchments and years."""
    return [
        (domain, name)
        for domain, name in main_experiments(study)
        if tuple(map(str, study.experiments[domain][name].test))
        in getattr(reader(study.domains[domain].kind), "PUBLISHED_TESTS", ())
    ]


def ungauged(study):
    """Domain -> experiments whose every gauge is tested by models that were not trained there."""
    found = {}
    for domain, name in main_where(study, lambda settings: settings.held_out and not settings.tested_folds):
        found.setdefault(domain, []).append(name)
    return found


def held_out(study):
    """Experiments of discharge at gauges that no model was trained at."""
    return experiments_where(study, lambda settings: of_discharge(settings) and settings.held_out)


def with_intervals(study):
    """Of these, those whose prediction intervals are drawn: in each domain the first with a model of a distribution, or else the first."""
    found = sorted(held_out(study), key=lambda run: not mixtures(study, *run))
    return sorted(first_of_each(found), key=held_out(study).index)


def attributed_discharge(study):
    """Experiments of discharge whose parameters are compared with attributes: in later years, and in folds."""
    return with_some(study, [*later_periods(study), *repeated_in_folds(study)], with_attributes)


def attributed_in_time(study):
    """Of these, those in later years."""
    return with_some(study, later_periods(study), with_attributes)


def attributed(study):
    """Experiments whose parameters are compared with attributes."""
    sampled_runs = [(domain, name) for domain, name, _ in described_by_attributes(study)]
    return list(dict.fromkeys([*attributed_discharge(study), *sampled_runs]))


def sparse(study):
    """Experiments that differ only in their amount of training data: (domain, ``share`` or ``years``) -> {experiment: level}."""
    return {
        (domain, name): levels
        for domain in domains(study)
        for name, option in (("share", "training_share"), ("years", "training_years"))
        if len(set((levels := _levels(study, domain, option)).values())) > 1
    }


def sweeps(study, domain):
    """The series of a domain: ``share`` or ``years`` -> {experiment: level}."""
    return {name: levels for (where, name), levels in sparse(study).items() if where == domain}


def levels_of(study, domain):
    """The experiments of the series of a domain."""
    return [name for levels in sweeps(study, domain).values() for name in levels]


def _levels(study, domain, option):
    """The experiments of discharge whose splits differ only in ``option``, the one with most levels: experiment -> level."""
    groups = {}
    for name, settings in study.experiments[domain].items():
        if of_discharge(settings):
            others = settings.model_dump_json(exclude={option, "label", "models", "training", "seeds", "minimum_days"})
            record = round((settings.train[1] - settings.train[0]).days / 365.25)
            groups.setdefault(others, {})[name] = getattr(settings, option) or record
    return max(groups.values(), key=lambda levels: len(set(levels.values())), default={})


# Arguments of figures


def shown(study):
    """(domain, experiment, models) for which distributions of skill are drawn."""
    return [[*run, leading(study, *run)] for run in main_experiments(study)]


def first_model(study, domain, experiment):
    """The first model of an experiment."""
    return study.experiments[domain][experiment].models[0]


def first_variable(study, domain, experiment):
    """The variable that an experiment is about."""
    return study.experiments[domain][experiment].first


def panels(study, domain, variable):
    """The experiments about a variable shown in a figure, each with its label."""
    return {name: {"label": settings.label or name} for name, settings in about(study, domain, variable).items()}


def baselines_about(study, domain, variable):
    """The models of the experiments about a variable that are compared with the first one of each."""
    return baselines(study, domain, about(study, domain, variable))


def catchment(study, domain):
    """The catchment of a gridded domain."""
    return study.domains[domain].catchment


def claims_title(study):
    """Title of the figure of claims."""
    return f"Claims of the study {study.study} and their verdicts"


# Models of an experiment


def models_of(study, domain, experiment):
    """The models that an experiment compares."""
    return study.experiments[domain][experiment].models


def drawn(study, domain, experiment):
    """The first models of an experiment: as many as fit in a figure of maps or hydrographs."""
    return study.experiments[domain][experiment].models[:MAX_DRAWN]


def leading(study, domain, experiment):
    """The four models of an experiment that a panel compares: the first process, the sequence model, the first of one parameter
    set for all and the ensemble, or else the climatology; others in the order of the experiment where there are fewer."""
    names = study.experiments[domain][experiment].models
    wanted = (
        lambda model: model.kind == "process",
        lambda model: model.kind == "sequence",
        lambda model: getattr(model, "network", None) == "none",
        lambda model: model.kind == "ensemble",
        lambda model: model.kind == "climatology",
    )
    found = [next((name for name in names if is_wanted(study.models[name])), None) for is_wanted in wanted]
    return [name for name in dict.fromkeys([*found, *names]) if name is not None][:MAX_COMPARED]


def compared_intervals(study, domain, experiment):
    """The models whose prediction intervals a figure compares: the first process, LSTM, LSTM with a distribution and ensemble."""
    names, found = study.experiments[domain][experiment].models, mixtures(study, domain, experiment)
    kinds = {name: "mixture" if name in found else study.models[name].kind for name in names}
    first = {kind: name for name, kind in reversed(kinds.items())}
    return [first[kind] for kind in ("process", "sequence", "mixture", "ensemble") if kind in first]


def drawn_trained(study, domain, experiment):
    """The drawn models with weights."""
    return [name for name in drawn(study, domain, experiment) if study.models[name].kind in TRAINED]


def processes_of(study, domain, experiment):
    """The models of an experiment with a process."""
    return [name for name in study.experiments[domain][experiment].models if study.models[name].kind == "process"]


def mixtures(study, domain, experiment):
    """The models of an experiment that simulate a distribution."""
    names = study.experiments[domain][experiment].models
    return [name for name in names if getattr(study.models[name], "head", "") == "cmal"]


def with_attributes(study, domain, experiment):
    """The models of an experiment whose parameters are learned from attributes."""
    models = study.experiments[domain][experiment].models
    return [name for name in models if getattr(study.models[name], "network", None) == "attributes"]


def shared_models(study, domain, experiments):
    """The models common to all of these experiments, in the study's order."""
    there = [study.experiments[domain][name].models for name in experiments]
    return [model for model in study.models if all(model in models for models in there)]


def routed_models(study, domain, experiment):
    """The models of an experiment that are routed through the river, in its order."""
    models = study.experiments[domain][experiment].models
    return [name for name in models if getattr(study.models[name], "routing", None) == "river"]


def compared_with_river(study, domain, experiment):
    """The models of an experiment whose parameters are learned from attributes, with any routing, routed ones first."""
    routed = routed_models(study, domain, experiment)
    return routed + [name for name in with_attributes(study, domain, experiment) if name not in routed]


def rivers(study):
    """Experiments of discharge with a model that is routed through the river."""
    return [run for run in experiments_where(study, of_discharge) if routed_models(study, *run)]


def routed(study):
    """Runs of models that are routed through the river."""
    return [(*run, model) for run in rivers(study) for model in routed_models(study, *run)]


def twin_rivers(study):
    """(domain,) of those with a twin experiment of a river: those with a model that is routed through one."""
    return [(domain,) for domain in sorted({domain for domain, _ in rivers(study)})]


def twin_river_settings(study, domain):
    """Settings of the twin experiment of a river: those of the first model that is routed through one."""
    settings = next(model for model in study.models.values() if getattr(model, "routing", None) == "river")
    return {
        "period": study.domains[domain].model_dump(mode="json")["period"],
        "seeds": study.seeds,
        "steps": min(study.training.steps, 100),
        "hidden": settings.river_hidden,
        "river_step": settings.river_step,
    }


def compared_processes(study, domain, experiment):
    """The models of an experiment that differ only in their process: parameters from attributes, constant in time."""
    return [
        name
        for name in with_attributes(study, domain, experiment)
        if study.models[name].routing == "unit_hydrograph" and not study.models[name].dynamic
    ]


def ranked_processes(study):
    """Experiments of discharge that compare at least three processes."""
    return [
        run
        for run in experiments_where(study, of_discharge)
        if len({study.models[name].process for name in compared_processes(study, *run)}) > 2
    ]


def mapped(study):
    """The run of each domain in later years whose parameters are shown as maps: of its first such experiment and model."""
    found = [
        (domain, name, model)
        for domain, name in later_periods(study)
        for model in with_attributes(study, domain, name)
        if study.models[model].routing == "unit_hydrograph" and study.models[model].process in MAPPED
    ]
    return first_of_each(found)


def mapped_parameters(study, model):
    """The parameters of a model that are shown as maps."""
    settings = study.models[model]
    return [name for name in MAPPED[settings.process] if name not in settings.dynamic]


# Sampled places


def of_samples(experiment):
    """Whether an experiment is about a variable that is sampled irregularly."""
    return not observable(experiment.first).continuous


def sampled(study):
    """Experiments at sampled places."""
    return experiments_where(study, of_samples)


def first_sampled(study):
    """The first experiment about each variable that is sampled in a domain."""
    found = [(domain, study.experiments[domain][name].first, name) for domain, name in sampled(study)]
    return [(domain, name) for domain, _, name in first_of_each(found, parts=2)]


def sampled_variables(study):
    """(domain, variable) of the experiments at sampled places, each once."""
    return list(dict.fromkeys((domain, study.experiments[domain][name].first) for domain, name in sampled(study)))


def about(study, domain, variable):
    """Experiments of a domain about a variable: name -> settings."""
    return {name: settings for name, settings in study.experiments[domain].items() if settings.first == variable}


def baselines(study, domain, experiments):
    """The models of experiments with which the first one of each is compared: regressions, sequences and seasonal cycles."""
    settings = [study.experiments[domain][name] for name in experiments]
    first = {experiment.models[0] for experiment in settings}
    return [name for experiment in settings for name in experiment.models if name not in first]


def later_samples(study):
    """Runs of a process in a later period at sampled places."""
    return [
        (domain, name, model)
        for domain, name in sampled(study)
        if study.experiments[domain][name].kind == "temporal"
        for model in processes_of(study, domain, name)
    ]


def described_by_attributes(study):
    """Of these, those of an experiment's first model if its parameters are learned from attributes."""
    return [
        (domain, name, model)
        for domain, name, model in later_samples(study)
        if study.models[model].network == "attributes" and model == study.experiments[domain][name].models[0]
    ]


def heat_budgets(study):
    """Of these, those whose process is a budget of heat."""
    return [run for run in later_samples(study) if study.models[run[-1]].process == "stream_temperature"]


def load_balances(study):
    """Of these, those of nitrate on a network, whose process includes uptake in the river."""
    return [
        (domain, name, model)
        for domain, name, model in later_samples(study)
        if has_network(study, domain)
        and study.models[model].process == "nitrogen"
        and study.experiments[domain][name].first == "nitrate"
    ]


def on_networks(study):
    """Experiments at sampled places on one river."""
    return [(domain, name) for domain, name in sampled(study) if has_network(study, domain)]


# Leaves

LEAVES = {  # kind of leaves -> dataset, and the attribute on the axis of its parameters, label and held-out group
    "leaf": ("leaf", ("mean_leaf_temperature", "leaf temperature [°C]", "curves")),
    "leaf_stomata": ("leaf", None),
    "leaf_lce": ("leaf-lce", ("growth_temperature", "growth temperature [°C]", "species")),
}


def leaf_kinds(study):
    """Kinds of leaves in a study."""
    return list(study.leaf.kinds) if study.leaf else []


def leaf_dataset(study, kind):
    """The record of the dataset of a kind of leaves."""
    return f"{study.data}/{LEAVES[kind][0]}/dataset.json"


def leaf_curves(study):
    """(kind,) of those whose curves are drawn."""
    return [(kind,) for kind in leaf_kinds(study) if LEAVES[kind][1]]


def leaf_parameters(study):
    """(kind,) of those whose parameters are drawn, because whole curves were held out."""
    return [(kind,) for (kind,) in leaf_curves(study) if LEAVES[kind][1][2] in study.leaf.held_out]


def leaf_attribute(study, kind):
    """The attribute on the axis of leaf parameters."""
    return LEAVES[kind][1][0]


def leaf_attribute_label(study, kind):
    """Its label."""
    return LEAVES[kind][1][1]


def leaf_experiment(study, kind):
    """The held-out group for predicted parameters."""
    return LEAVES[kind][1][2]
