"""What the rules of sites share: their settings as JSON, folders, and the lists that the configuration asks for.

Reads the study; makes nothing.
"""

SITES = f"{RESULTS}/sites"
SITE_TABLES = f"{RESULTS}/tables/sites"
SITE_STUDY = study.sites
SITE_RUNS = [
    (domain, experiment, model)
    for domain, experiments in (SITE_STUDY.experiments if SITE_STUDY else {}).items()
    for experiment, settings in experiments.items()
    for model in settings.models
]
SITE_LABELS = {name: model.label for name, model in SITE_STUDY.models.items()} if SITE_STUDY else {}


def site_baselines(domain, names):
    """The models of experiments that are held against the first one of each: regressions, sequences and seasonal cycles."""
    experiments = [SITE_STUDY.experiments[domain][name] for name in names]
    priors = {experiment.models[0] for experiment in experiments}
    return [name for experiment in experiments for name in experiment.models if name not in priors]


def site_folder(domain):
    """Folder of a domain's data."""
    settings = SITE_STUDY.domains[domain]
    return settings.folder if settings.kind == "own-sites" else f"{DATA}/{settings.kind}"


def site_files(wildcards):
    """What a domain of sites is made from: the record of its dataset, or the tables of one's own."""
    folder = site_folder(wildcards.domain)
    if SITE_STUDY.domains[wildcards.domain].kind != "own-sites":
        return f"{folder}/dataset.json"
    names = ("forcing", "attributes", "samples", *(["network"] if has_network(wildcards.domain) else []))
    return [f"{folder}/{name}.csv" for name in names]


def has_network(domain):
    """Whether the sites of a domain stand on one river."""
    settings = SITE_STUDY.domains[domain]
    return settings.kind == "thames" or (settings.kind == "own-sites" and Path(settings.folder, "network.csv").exists())


def sites_of_kind(kind):
    """A wildcard constraint: the models of one kind; a pattern that matches none where there are none."""
    models = SITE_STUDY.models if SITE_STUDY else {}
    return "|".join(name for name, model in models.items() if model.kind == kind) or "(?!)"


def site_experiment(wildcards):
    return SITE_STUDY.experiments[wildcards.domain][wildcards.experiment]


def site_job(wildcards):
    """Settings of one model in one experiment, as JSON."""
    experiment, model = site_experiment(wildcards), SITE_STUDY.models[wildcards.model]
    learned = model.kind != "climatology"
    return as_json(
        {
            "model": model.model_dump(mode="json", exclude={"label", "training"}) | {"label": ""},
            "training": (
                SITE_STUDY.training_of(wildcards.model, experiment).model_dump(mode="json") if learned else None
            ),
            "variable": experiment.variable,
            "seeds": SITE_STUDY.seeds if learned else [0],
            "validation_share": experiment.validation_share,
            "device": study.device,
        }
    )


def site_code(step):
    """Fingerprint of a step and of the process and the loss of one model in one experiment."""
    return lambda wildcards: code_of(f"thalweg.cli.steps.{step}", site_job(wildcards))
