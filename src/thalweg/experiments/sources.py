"""Paths of the inputs of figures and analyses: the outputs of the workflow by name."""

from pathlib import Path

from thalweg.experiments import plan

FOLDER = "dataset.json"  # the record of a dataset, which represents its folder


def results(study):
    """The folder of a study's results."""
    return f"results/{study.study}"


def _simulations(study, place, models):
    names = getattr(plan, models)(study, place["domain"], place["experiment"])
    return {name: f"simulations/{place['domain']}/{place['experiment']}/{name}.nc" for name in names}


def _weights(study, place, models):
    names = getattr(plan, models)(study, place["domain"], place["experiment"])
    return {name: f"models/{place['domain']}/{place['experiment']}/{name}.safetensors" for name in names}


def _logs(study, place, _):
    runs = [run for run in plan.trainings(study) if run[0] == place["domain"]]
    return [f"models/{'/'.join(run)}.csv" for run in runs]


def _splits(study, place, experiments):
    names = getattr(plan, experiments)(study)[place["domain"]]
    return {name: f"splits/{place['domain']}/{name}.csv" for name in names}


def _domains(study, place, runs):
    names = dict(getattr(plan, runs)(study))
    return {name: f"domains/{name}.nc" for name in names}


SOURCES = {  # name -> template of a path, or function of the study, the place and an argument; below the study's results
    "skill": "tables/skill.csv",
    "summary": "tables/summary.csv",
    "comparison": "tables/comparison.csv",
    "claims": "tables/claims.csv",
    "domain": "domains/{domain}.nc",
    "split": "splits/{domain}/{experiment}.csv",
    "simulation": "simulations/{domain}/{experiment}/{model}.nc",
    "simulations": _simulations,
    "weights": _weights,
    "training_logs": _logs,
    "splits": _splits,
    "domains": _domains,
}
DATA = {  # name -> function of the study, the place and an argument: a dataset's record, or a user's files
    "dataset": lambda study, place, _: plan.files(study, place["domain"]),
    "data": lambda study, place, name: f"{study.data}/{name}/{FOLDER}",
}


def find(study, place, source):
    """Path or paths of a source.

    Args:
        study: Study.
        place: name of a part -> its value.
        source: a key of :data:`SOURCES` or :data:`DATA`, after a colon with its argument, or a template of a path.

    Returns:
        A path, or a list or dict of paths, from the folder of the workflow.
    """
    name, _, argument = source.partition(":")
    if name in DATA:
        return DATA[name](study, place, argument)
    found = SOURCES.get(name, source)
    if callable(found):
        found = found(study, place, argument or "models_of")
    if isinstance(found, dict):
        return {key: f"{results(study)}/{path}" for key, path in found.items()}
    if isinstance(found, list):
        return [f"{results(study)}/{path}" for path in found]
    return f"{results(study)}/{found.format(**place)}"


def paths(found):
    """All paths of what :func:`find` returns, a list."""
    if isinstance(found, str):
        return [found]
    return list(found.values()) if isinstance(found, dict) else list(found)


def given(found):
    """The value passed to a function: for a dataset its folder."""
    return str(Path(found).parent) if isinstance(found, str) and Path(found).name == FOLDER else found
