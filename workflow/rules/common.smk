"""What all rules share: settings as JSON, and what their figures and tables are called in the report.

Which runs, experiments and models they are about is what :mod:`thalweg.experiments.plan` says of the study. Makes nothing.
"""

from argparse import Namespace

from snakemake.exceptions import WorkflowError

from thalweg.datasets import reader
from thalweg.experiments import plan
from thalweg.experiments.declared import OF, declaration, inputs, outputs, stem
from thalweg.settings.study import TRAINED

RUNS = plan.runs(study)
DOMAINS = plan.domains(study)
LABELS = plan.labels(study)
LIGHT = {"mem": "2GB", "runtime": "30m"}
GPU = 1 if study.device == "cuda" else 0
MAP = f"{DATA}/map/dataset.json"
ESTIMATORS = plan.estimators(study)
LEAVES = study.leaf.kinds if study.leaf else []
BLOCKS = [f"{domain}={RESULTS}/domains/{domain}.nc" for domain in (*DOMAINS, *LEAVES)]  # of near places, for intervals


def as_json(settings):
    """A block of the configuration as JSON: a rule that has it in params reruns when it changes."""
    return json.dumps(settings if isinstance(settings, dict) else settings.model_dump(mode="json"), sort_keys=True)


def run_settings(wildcards):
    """Settings of one model in one experiment, as JSON."""
    return as_json(plan.job(study, wildcards.domain, wildcards.experiment, wildcards.model))


def run_code(step):
    """Fingerprint of a step and of the process and the loss of one model in one experiment."""
    return lambda wildcards: code_of(f"thalweg.cli.steps.{step}", run_settings(wildcards))


def experiment_of(wildcards):
    """The settings of an experiment."""
    return study.experiments[wildcards.domain][wildcards.experiment]


def simulations(models):
    """An input function: the simulations of those models of an experiment that a function of the plan names."""

    def paths(wildcards):
        names = models(study, wildcards.domain, wildcards.experiment)
        return [f"{RESULTS}/simulations/{wildcards.domain}/{wildcards.experiment}/{name}.nc" for name in names]

    return paths


def weights(models):
    """An input function: the weights of those models of an experiment that a function of the plan names."""

    def paths(wildcards):
        names = models(study, wildcards.domain, wildcards.experiment)
        return [f"{RESULTS}/models/{wildcards.domain}/{wildcards.experiment}/{name}.safetensors" for name in names]

    return paths


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


def by_name(paths):
    """Path of each file by its name: that of a model, or of an experiment."""
    return {Path(path).stem: path for path in paths}


def physics_settings(wildcards, models):
    """What the steps response, untrained and attribution are given of some models, as JSON."""
    names = models(study, wildcards.domain, wildcards.experiment)
    return as_json(
        {
            "models": {name: plan.job(study, wildcards.domain, wildcards.experiment, name) for name in names},
            "reference": plan.reference(study, wildcards.domain, wildcards.experiment),
            "minimum_days": round(study.evaluation.minimum_days),
            "bootstrap_samples": study.evaluation.bootstrap_samples,
        }
    )


def physics_code(step, models):
    """Fingerprint of a step and of the processes and losses of the models that it is given."""
    return lambda wildcards: code_of(f"thalweg.cli.steps.{step}", physics_settings(wildcards, models))


def physics_look(wildcards):
    """The models that the figures of physics draw, as many as there are colours, and the labels that decide on these."""
    models = plan.drawn_trained(study, wildcards.domain, wildcards.experiment)
    return {"models": models, "labels": {name: LABELS[name] for name in models}}


def question_settings(wildcards):
    """What the steps trends and peaks are given, as JSON."""
    return as_json(
        {
            "reference": plan.reference(study, wildcards.domain, wildcards.experiment),
            "bootstrap_samples": study.evaluation.bootstrap_samples,
        }
    )


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


def simulated_from(wildcards):
    """What a simulation is made from, which the model's kind decides."""
    run = f"{wildcards.domain}/{wildcards.experiment}"
    model = study.models[wildcards.model]
    if model.kind == "ensemble":
        return {"members": [f"{RESULTS}/simulations/{run}/{member}.nc" for member in model.members]}
    needed = {"domain": f"{RESULTS}/domains/{wildcards.domain}.nc", "splits": f"{RESULTS}/splits/{run}.csv"}
    if model.kind in TRAINED:
        needed["weights"] = f"{RESULTS}/models/{run}/{wildcards.model}.safetensors"
    return needed


def skill_table_settings(models, **more):
    """What the step skill_tables is given, as JSON."""
    return as_json(
        {
            "models": models,
            "metric": study.evaluation.compared[0],
            "variable": "discharge",
            "bootstrap_samples": study.evaluation.bootstrap_samples,
            **more,
        }
    )


def declared_inputs(declared):
    """An input function: what a declared figure or analysis reads."""

    def of_place(wildcards):
        found = inputs(study, declared, tuple(wildcards))
        return {
            name: [f"{RESULTS}/{one}" for one in path] if isinstance(path, list) else f"{RESULTS}/{path}"
            for name, path in found.items()
        }

    return of_place


def declared_arguments(wildcards, input):
    """Keyword arguments of a declared function, as JSON."""
    given = {name: paths if isinstance(paths, str) else by_name(paths) for name, paths in input.items()}
    return json.dumps(given | {f"{name}_name": value for name, value in wildcards.items()}, ensure_ascii=False)


def declared_path(declared, name):
    """The path of one output, with wildcards and without suffix."""
    return Path(stem(name), *(f"{{{part}}}" for part in OF[declared.of]))
