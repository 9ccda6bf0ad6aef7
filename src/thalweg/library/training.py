"""Training outside a study: a model of the library, or settings of your own, on any domain."""

import hashlib
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from thalweg.basin.observables import observable
from thalweg.evaluation.score import score
from thalweg.experiments.model_file import header_of
from thalweg.experiments.run import fingerprint_of, simulate_experiment, train_experiment
from thalweg.library.model import Model
from thalweg.registry import module_of, names
from thalweg.schema import ConfigError, validated
from thalweg.settings.blocks import ProcessModel, SequenceModel, Training, TrainingJob
from thalweg.settings.files import read
from thalweg.settings.shorthand import full
from thalweg.storage import installed
from thalweg.storage.fingerprint import fingerprint

METRICS = {True: ("NSE", "KGE"), False: ("RMSE", "bias", "NSE")}  # of variables recorded continuously, and of samples
MINIMUM = {True: 300, False: 20}  # values that a metric needs, at most; fewer where a test has fewer
KEPT = (
    "loss",
    "window",
    "spin_up",
    "places_per_step",
    "climate_attributes",
    "logarithmic_attributes",
)  # in training further
KINDS = {"process": ProcessModel, "sequence": SequenceModel}


def train(model, domain, split, *, seeds=(0,), checkpoints=None, device="cpu", **keys):
    """Train a model on every fold of a split with every seed, and score it where and when it was not trained.

    Args:
        model: name of a model (``thalweg list models``), such as ``"hbv"`` or ``"lstm"``; of a process, such as ``"gr4j"`` or
            ``package.module:function``; or, to train further, of a model that comes with the package or of a model file.
        domain: :class:`~thalweg.basin.domain.Domain`.
        split: as returned by :func:`thalweg.split`.
        seeds: one training for each.
        checkpoints: folder in which an interrupted training resumes; None for a temporary one.
        device: ``"cpu"`` or ``"cuda"``.
        keys: of the model and of its training (docs/reference/configuration.md), such as ``dynamic=["BETA"]``, ``steps=300``.

    Returns:
        :class:`~thalweg.library.model.Model` with its scores at the tested places and times.

    Raises:
        ConfigError: for an unknown model or key, or an impossible value.
        DataError: if the domain lacks an input or observations.
        TrainingError: if the loss remains not finite.
    """
    settings, training = settings_of(model, **keys)
    job = TrainingJob(
        model=settings,
        training=training,
        variables=split.attrs.get("variables") or {domain.variables[0]: 1.0},
        seeds=list(seeds),
        validation_share=split.attrs.get("validation_share", 0.0),
        device=device,
    )
    key = [_code(settings, training), fingerprint_of(*map(str, _content(domain)))]
    where = nullcontext(checkpoints) if checkpoints else tempfile.TemporaryDirectory(prefix="thalweg-")
    with where as folder:
        tensors, values, _ = train_experiment(
            domain, split, job, Path(folder), key, label=f"{settings.label} on {domain.name}"
        )
    header = header_of(job, domain, split, values, {})
    simulations = simulate_experiment(domain, split, job, tensors, values).variables
    header["scores"] = scores_of(domain, split, job, simulations)
    return Model(header, tensors, validated(TrainingJob, header["job"]), f"{settings.label} on {domain.name}")


def settings_of(model, **keys):
    """Settings of a model and of its training.

    Args:
        model: as for ``train``.
        keys: of both that differ from those of the library.

    Returns:
        (ProcessModel or SequenceModel, Training)

    Raises:
        ConfigError: for an unknown name or key, or an impossible value.
    """
    known = library()
    if model in known:
        chosen = known[model]
    elif model in installed.weights_names() or Path(str(model)).suffix == installed.SUFFIX:
        chosen = {"start": str(model), **_inherited(installed.weights_header(installed.weights(model)))}
    elif ":" in model or model in names("process"):
        module_of("process", model)
        chosen = {"kind": "process", "label": model.rpartition(":")[2], "process": model}
    else:
        raise ConfigError(
            f"there is no model {model!r}; there are {', '.join(known)}, the processes {', '.join(names('process'))}, and the "
            f"trained models {', '.join(installed.weights_names()) or '(none)'}"
        )
    kind = KINDS[chosen["kind"]]
    of_model = {name: value for name, value in keys.items() if name in kind.model_fields}
    of_training = {name: value for name, value in keys.items() if name not in of_model}
    unknown = [name for name in of_training if name not in Training.model_fields]
    if unknown:
        raise ConfigError(
            f"unknown key {unknown[0]!r}; a model has {', '.join(sorted(kind.model_fields))}, its training "
            f"{', '.join(sorted(Training.model_fields))}"
        )
    fixed = [name for name in of_model if name != "label"] if "start" in chosen else []
    if fixed:
        raise ConfigError(
            f"{fixed[0]!r} of {model} is that of the file; it cannot be changed in training it further: omit it"
        )
    overrides = {**(chosen.get("training") or {}), **of_training}
    settings = validated(kind, {**chosen, **of_model, "training": {}}, f"model {model}")
    training = validated(Training, {**_defaults()["training"], **overrides}, f"training of {model}")
    return settings, training


def library():
    """Settings of the models that can be trained: name -> mapping."""
    return {name: one for name, one in _defaults()["models"].items() if one.get("kind") in KINDS}


def _defaults():
    return full(read(installed.config("config.yaml")))


def _inherited(header):
    """Kind, label and training of a model that is trained further."""
    job = header["job"]
    return {
        "kind": job["model"]["kind"],
        "label": job["model"]["label"],
        "training": {name: job["training"][name] for name in KEPT},
    }


def scores_of(domain, split, job, simulations):
    """Metrics over the tested places and times: metric -> median, lower and upper quartile, and number of places.

    Args:
        domain, split, job: of the training.
        simulations: variable -> simulation, as :func:`~thalweg.experiments.run.simulate_experiment` returns them.
    """
    first = next(iter(job.variables))
    continuous = observable(first).continuous
    named = simulations[first].assign_attrs(domain=domain.name, experiment="", model="")
    minimum = min(MINIMUM[continuous], int(named.tested.sum("time").max()))
    return summary(score(named, "", METRICS[continuous], minimum), split)


def summary(table, split=None):
    """A table of scores as metric -> median, quartiles and number of places; members of a place are averaged first.

    Args:
        table: as returned by :func:`thalweg.evaluation.score.score`.
        split: of the test, for its kind of held-out data.
    """
    found = {}
    for metric, rows in table.groupby("metric", sort=False):
        values = rows.groupby("place").value.mean().dropna()
        if len(values):
            low, middle, high = np.percentile(values, [25, 50, 75])
            found[metric] = {"median": middle, "lower_quartile": low, "upper_quartile": high, "places": len(values)}
    if split is not None:
        tested = split[split.test]
        seen = tested.train | tested.validation
        found_places = (
            "the places of the training"
            if seen.all()
            else f"{seen.sum()} places of the training and {(~seen).sum()} not in it"
            if seen.any()
            else "held-out places"
        )
        found["tested_at"] = f"{found_places}, {tested.test_start.min()} to {tested.test_end.max()}"
    return found


def _code(settings, training):
    modules = [module_of("loss", training.loss)]
    if settings.kind == "process":
        modules.append(module_of("process", settings.process))
    return fingerprint("thalweg.experiments.run", *modules)


def _content(domain):
    """What a training reads of a domain, for the key of its checkpoints."""
    yield domain.name
    for group in (domain.forcing, domain.attributes, domain.places, domain.observed, domain.network):
        for name, variable in group.variables.items() if group is not None else ():
            values = np.ascontiguousarray(variable.values)
            data = values.astype(str).tobytes() if values.dtype.kind in "OUS" else values.tobytes()
            yield f"{name} {hashlib.sha256(data).hexdigest()}"
