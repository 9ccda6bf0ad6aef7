"""What all rules share: settings as JSON, and the lists of domains and simulations that the configuration asks for.

Reads the study; makes nothing.
"""

from argparse import Namespace

from snakemake.exceptions import WorkflowError

from thalweg.settings.study import TRAINED
from thalweg.settings.blocks import HELD_OUT

GAUGED = list(study.experiments)
DOMAINS = study.domains.gauged()
RUNS = [
    (domain, experiment, model)
    for domain, experiments in study.experiments.items()
    for experiment, settings in experiments.items()
    for model in settings.models
]
BENCHMARK_TESTS = (["1989-10-01", "1999-09-30"], ["1995-10-01", "2010-09-30"])
LIGHT = {"mem": "2GB", "runtime": "30m"}
GPU = 1 if study.device == "cuda" else 0


def as_json(settings):
    """A block of the configuration as JSON: a rule that has it in params reruns when it changes."""
    return json.dumps(settings if isinstance(settings, dict) else settings.model_dump(mode="json"), sort_keys=True)


def of_kind(kind):
    """A wildcard constraint: the models of one kind; a pattern that matches none where there are none."""
    return "|".join(name for name, model in study.models.items() if model.kind == kind) or "(?!)"


def domain_folder(domain):
    """Folder of a domain's data: of a dataset of the catalogue, or one's own."""
    settings = DOMAINS[domain]
    return settings.folder if hasattr(settings, "folder") else f"{DATA}/{getattr(settings, 'dataset', domain)}"


def domain_files(wildcards):
    """What a domain is made from: the record of its dataset, or one's own files."""
    folder = domain_folder(wildcards.domain)
    if hasattr(DOMAINS[wildcards.domain], "folder"):
        return sorted(str(path) for suffix in ("csv", "nc") for path in Path(folder).rglob(f"*.{suffix}"))
    return f"{folder}/dataset.json"


def run_settings(wildcards):
    """Settings of one model in one experiment, as JSON."""
    experiment = study.experiments[wildcards.domain][wildcards.experiment]
    model = study.models[wildcards.model]
    trained = model.kind in TRAINED
    return as_json(
        {
            "model": model.model_dump(mode="json", exclude={"label", "training"}) | {"label": ""},
            "training": study.training_of(wildcards.model, experiment).model_dump(mode="json") if trained else {},
            "seeds": (experiment.seeds or study.seeds) if trained else [0],
            "validation_share": 0 if experiment.validation == "none" else experiment.validation_share,
            "device": study.device,
        }
    )


def run_code(step):
    """Fingerprint of a step and of the process and the loss of one model in one experiment."""
    return lambda wildcards: code_of(f"thalweg.cli.steps.{step}", run_settings(wildcards))


LABELS = {name: model.label for name, model in study.models.items()}
LOSS_UNIT = "mm/day" if study.training.loss == "rmse_combination" else "dimensionless"
MAPPED = {
    "hbv": ["BETA", "FC", "K2", "BETAET", "mean_delay"],
    "hbv_canopy": ["BETA", "FC", "K2", "leaf_area_index", "mean_delay"],
}
MAP = f"{DATA}/map/dataset.json"


def figure_code(name):
    """Fingerprint of a figure's module and of the verb that draws it."""
    return fingerprint("thalweg.cli.steps.figure", module_of("figure", name), "thalweg.figures.style")


def figure_outputs(path, caption, **labels):
    """PNG, which goes into the report, and PDF."""
    return {
        "png": report(
            f"{RESULTS}/figures/{path}.png", category="Figures", caption=f"../report/{caption}.rst", labels=labels
        ),
        "pdf": f"{RESULTS}/figures/{path}.pdf",
    }


def draw_arguments(**constant):
    """Keyword arguments of a figure's function, as JSON: the rule's named inputs and what is constant."""

    def arguments(wildcards, input):
        given = {}
        for name, value in input.items():
            given[name] = value if isinstance(value, str) else list(value)
        for name in {"map_folder", "dataset_folder"} & set(given):
            given[name] = str(Path(given[name]).parent)
        return json.dumps(given | dict(wildcards) | constant, ensure_ascii=False)

    return arguments


def routed_models(domain, experiment):
    """The models of an experiment that are routed through the river, in its order."""
    models = study.experiments[domain][experiment].models
    return [model for model in models if getattr(study.models[model], "routing", None) == "river"]


def compared_with_river(domain, experiment):
    """The models of an experiment whose parameters are learned from attributes, however they are routed, routed ones first."""
    routed = routed_models(domain, experiment)
    others = [model for model in study.experiments[domain][experiment].models if model not in routed]
    return routed + [model for model in others if getattr(study.models[model], "network", None) == "attributes"]


RIVERS = [
    (domain, experiment)
    for domain, experiments in study.experiments.items()
    for experiment in experiments
    if routed_models(domain, experiment)
]


def drawn(domain, experiment):
    """The first models of an experiment: as many as a figure of maps or hydrographs can hold."""
    return study.experiments[domain][experiment].models[:7]


def experiments_where(condition):
    """(domain, experiment) of the experiments whose settings meet a condition."""
    return [
        (domain, name)
        for domain, experiments in study.experiments.items()
        for name, settings in experiments.items()
        if condition(settings)
    ]


# Experiments but those of a series from little to much data, which one figure shows together
MAIN = experiments_where(lambda settings: settings.training_years is None and settings.training_share == 1)


def sparse_levels(domain, option):
    """The experiments of a domain whose splits differ in nothing but ``option``, of most levels: experiment -> level."""
    groups = {}
    for name, settings in study.experiments[domain].items():
        others = settings.model_dump_json(exclude={option, "models", "training", "seeds"})
        record = round((settings.train[1] - settings.train[0]).days / 365.25)
        groups.setdefault(others, {})[name] = getattr(settings, option) or record
    return max(groups.values(), key=lambda levels: len(set(levels.values())))


# Experiments that differ only in how much they train on: (domain, share or years) -> {experiment: level}
SPARSE = {
    (domain, name): levels
    for domain in study.experiments
    for name, option in (("share", "training_share"), ("years", "training_years"))
    if len(set((levels := sparse_levels(domain, option)).values())) > 1
}


def ungauged(domain):
    """Experiments of a domain whose every gauge is tested by models that were not trained there."""
    return [
        name
        for name, settings in study.experiments[domain].items()
        if settings.kind in HELD_OUT and (domain, name) in MAIN and not settings.tested_folds
    ]


UNGAUGED = {domain: ungauged(domain) for domain in study.experiments if ungauged(domain)}


def shared_models(domain, experiments):
    """The models that all of these experiments compare, in the study's order."""
    there = [study.experiments[domain][name].models for name in experiments]
    return [model for model in study.models if all(model in models for models in there)]


PEAKS = experiments_where(lambda settings: settings.kind == "extremes")
# Experiments whose scores stand beside published ones of the same catchments and years
PUBLISHED = [
    (domain, name)
    for domain, name in experiments_where(lambda settings: list(map(str, settings.test)) in BENCHMARK_TESTS)
    if getattr(DOMAINS[domain], "kind", None) == "camels_us" and (domain, name) in MAIN
]


PHYSICS = [run for run in MAIN if run in experiments_where(lambda settings: settings.kind == "temporal")]
# where parameters were learned again without some of the gauges
REPEATED = [
    run
    for run in MAIN
    if run in experiments_where(lambda settings: settings.kind in HELD_OUT and settings.tested_folds != 1)
]
TRENDS = [
    (domain, name)
    for domain, name in PHYSICS
    if study.experiments[domain][name].test[1].year - study.experiments[domain][name].test[0].year >= 9
]


def asked(domain, experiment, what="weights"):
    """The models of an experiment with a process, or parameters learned from attributes; or weights, of those drawn."""
    models = {name: study.models[name] for name in study.experiments[domain][experiment].models}
    if what == "process":
        return [name for name, model in models.items() if model.kind == "process"]
    if what == "attributes":
        return [name for name, model in models.items() if getattr(model, "network", None) == "attributes"]
    return [name for name in drawn(domain, experiment) if models[name].kind in TRAINED]


def physics_settings(wildcards, models):
    """What the verbs response, untrained and attribution are given of some models, as JSON."""
    return as_json(
        {
            "models": {
                name: json.loads(run_settings(Namespace(**dict(wildcards) | {"model": name}))) for name in models
            },
            "reference": "lstm",
            "minimum_days": round(study.evaluation.minimum_days),
            "bootstrap_samples": study.evaluation.bootstrap_samples,
        }
    )


def physics_code(step, what="weights"):
    """Fingerprint of a step and of the processes and losses of the models that it is given."""
    return lambda wildcards: code_of(
        f"thalweg.cli.steps.{step}",
        physics_settings(wildcards, asked(wildcards.domain, wildcards.experiment, what)),
    )


def physics_look(wildcards):
    """The models that the figures of physics draw, as many as there are colours, and the labels that decide on these."""
    models = asked(wildcards.domain, wildcards.experiment)
    return {"models": models, "labels": {name: LABELS[name] for name in models}}


def physics_table(name, title):
    """A table of what models answer, which goes into the report."""
    return report(
        f"{RESULTS}/tables/physics/{{domain}}/{{experiment}}/{name}.csv",
        category="Physics",
        caption=f"../report/physics_{name}.rst",
        labels={"domain": "{domain}", "table": f"{title}, {{experiment}}"},
    )


def river_table(name, title):
    """A table of the river, which goes into the report."""
    return report(
        f"{RESULTS}/tables/river/{{domain}}/{{experiment}}/{name}.csv",
        category="River",
        caption=f"../report/river_{name}.rst",
        labels={"domain": "{domain}", "table": f"{title}, {{experiment}}"},
    )


def leaf_table(kind, name, title):
    """A table of leaves, which goes into the report."""
    return report(
        f"{RESULTS}/tables/leaf/{kind}/{name}.csv",
        category="Leaf",
        caption=f"../report/leaf_{name}.rst",
        labels={"dataset": kind, "table": title},
    )
