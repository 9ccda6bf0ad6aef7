"""Shared by all rules: settings as JSON, paths, and the labels of outputs in the report. Creates no files.

The runs, experiments and models of a job are chosen by :mod:`thalweg.experiments.plan`.
"""

from thalweg.experiments import plan, register
from thalweg.experiments.priority import training_seconds
from thalweg.settings.study import TRAINED

RUNS = plan.runs(study)
EXPERIMENTS = plan.experiments(study)
ESTIMATORS = plan.estimators(study)
FIRST = 10**6  # priority of data, which all else waits for; that of trainings is their seconds, of other jobs 0
LIGHT = {"mem": "2GB", "runtime": "30m"}
GPU = 1 if study.device == "cuda" else 0
BLOCKS = [f"{name}={RESULTS}/domains/{name}.nc" for name in (*plan.domains(study), *plan.leaf_kinds(study))]
DOMAIN_FILES = [block.split("=")[1] for block in BLOCKS]  # their blocks of nearby places are resampled for intervals
SCORES = [f"{RESULTS}/scores/{'/'.join(parts)}.csv" for parts in (*EXPERIMENTS, *zip(ESTIMATORS))]
CAPTION = "../report/caption.rst"
config["captions"] = yaml.safe_load((BASE / "workflow/report/captions.yaml").read_text())


def as_json(settings):
    """A block of the configuration as JSON: a rule with it in params reruns when it changes."""
    return json.dumps(settings if isinstance(settings, dict) else settings.model_dump(mode="json"), sort_keys=True)


def jobs_of(domain, experiment):
    """Settings of all models of an experiment: name -> plain values."""
    return {name: plan.job(study, domain, experiment, name) for name in plan.models_of(study, domain, experiment)}


def run_settings(wildcards):
    """Settings of one model in one experiment, as JSON by its name."""
    run = wildcards.domain, wildcards.experiment, wildcards.model
    return as_json({wildcards.model: plan.job(study, *run)})


def table(path, title, category, **labels):
    """A table shown in the report, with the caption of its rule."""
    return report(f"{RESULTS}/{path}.csv", category=category, caption=CAPTION, labels={"table": title, **labels})


def reported(path, job, place, end):
    """An output of a figure or an analysis, shown in the report unless it is intermediate or a diagnostic."""
    if end not in job.declared.shown:
        return path
    title = f"{job.declared.title}, {end}" if end else job.declared.title
    place = {"domain": "all"} | place
    labels = {job.kind: title, "domain": place.pop("domain"), "subject": ", ".join(place.values()) or "all"}
    return report(path, category=job.declared.category, caption=CAPTION, labels=labels)
