"""What all rules share: settings as JSON, and the lists of domains and simulations that the configuration asks for.

Reads the study; writes results/<study>/config.yaml.
"""

from snakemake.exceptions import WorkflowError

GAUGED = list(study.experiments)
RUNS = [
    (domain, experiment, model)
    for domain, experiments in study.experiments.items()
    for experiment, settings in experiments.items()
    for model in settings.models
]
GPU = 1 if study.device == "cuda" else 0


def as_json(settings):
    """A block of the configuration as JSON: a rule that has it in params reruns when it changes."""
    return json.dumps(settings if isinstance(settings, dict) else settings.model_dump(mode="json"), sort_keys=True)


def of_kind(kind):
    """A wildcard constraint: the models of one kind; a pattern that matches none where there are none."""
    return "|".join(name for name, model in study.models.items() if model.kind == kind) or "(?!)"


def run_settings(wildcards):
    """Settings of one model in one experiment, as JSON."""
    experiment = study.experiments[wildcards.domain][wildcards.experiment]
    model = study.models[wildcards.model]
    return as_json(
        {
            "model": model.model_dump(mode="json", exclude={"label", "training"}) | {"label": ""},
            "training": study.training_of(wildcards.model).model_dump(mode="json") if model.kind != "climatology" else {},
            "seeds": study.seeds if model.kind != "climatology" else [0],
            "validation_share": experiment.validation_share,
            "device": study.device,
        }
    )


rule configuration:
    message:
        "Writing the resolved configuration"
    output:
        f"{RESULTS}/config.yaml",
    params:
        settings=as_json(resolved(study)),
        code=fingerprint("thalweg.cli.config"),
    log:
        f"{RESULTS}/logs/configuration.log",
    shell:
        "thalweg config --resolve {params.settings:q} --output {output} > {log} 2>&1"
