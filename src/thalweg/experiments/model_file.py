"""The file of a trained model: its weights, and in the header all that is needed to run it elsewhere.

One safetensors file; nothing in it is executed when it is read. The header is JSON:

========== ==========================================================================================================
format     version of this form
thalweg    version of the package that wrote it
job        :class:`~thalweg.settings.blocks.TrainingJob`: model, training, variables, seeds
setting    :class:`~thalweg.experiments.models.Setting`: time step, units, known parameters
scaling    fold -> :class:`~thalweg.learn.scaling.Scaling`; periods are dates
seeds      of the trainings; weights stand under ``<fold>/<seed>/``
process    name, fingerprint of its code, parameters with units and bounds; null without a process
inputs     forcing and attributes: unit, and the range over the units and the period of training
training   domain, period, number of places and units, datasets with version, licence and citation
started_from  name, hash and training of the model at whose weights it began; null if it began anew
scores     metric -> median, lower and upper quartile, number of places, at places or times that were held out; null if not computed
intervals  fitted by :mod:`thalweg.metrics.conformal`; null if not computed
========== ==========================================================================================================
"""

import hashlib
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import SafetensorError

import thalweg
from thalweg.basin.domain import DataError, spatial_domain
from thalweg.experiments.models import process_of, setting_of
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling, climate_attributes
from thalweg.metrics.calendar import positions
from thalweg.registry import RegistryError, module_of
from thalweg.schema import validated
from thalweg.settings.blocks import TrainingJob
from thalweg.storage import installed
from thalweg.storage.fingerprint import fingerprint
from thalweg.units import convert, parse_unit

FORMAT = 1
MARGIN = 0.01  # of the width of a range: a value so little beyond it counts as inside
FORCING_MARGIN = 0.5  # the same for the extremes of a forcing, which grow with the length of a record
TERMS = ("version", "licence", "citation")
MEANS, DURATIONS = (
    ("mean_precipitation", "mean_potential_evapotranspiration"),
    "_duration",
)  # climate indices with a unit


class ModelFileError(ValueError):
    """A file that is no model, or one that this version cannot run; the message says what differs and what to do."""


class ModelFileWarning(UserWarning):
    """A model that runs, but whose process has changed since it was trained."""


def header_of(job, domain, splits, values, datasets):
    """The header of the models of one experiment.

    Args:
        job: :class:`~thalweg.settings.blocks.TrainingJob`.
        domain: the :class:`~thalweg.basin.domain.Domain` of the training.
        splits: its table.
        values: ``scaling`` by fold and ``seeds``, as returned by :func:`thalweg.experiments.run.train_experiment`.
        datasets: name -> record of the dataset, as in the provenance of the domain.

    Returns:
        dict, ready for JSON.
    """
    seen = spatial_domain(domain, job.model)
    scaling = Scaling(**next(iter(values["scaling"].values())))
    setting = setting_of(job.model, seen, scaling.target_mean)
    trained = splits[splits.train | splits.validation]
    places = sorted(trained.place.unique())
    rows = np.flatnonzero(np.isin(seen.place_ids, places))
    units = np.unique(seen.catchment_units[rows].indices)
    period = [str(trained.train_start.iloc[0]), str(trained.train_end.iloc[0])]
    plain = job.model_dump(mode="json")
    inputs, datasets, start = _inputs(seen, scaling, units, period), dict(datasets), None
    if job.model.start:
        start, plain["model"]["start"] = _start(job.model.start, inputs, datasets), None
    return {
        "format": FORMAT,
        "thalweg": thalweg.__version__,
        "job": plain,
        "setting": setting.to_dict(),
        **values,
        "process": _process(job.model, setting, scaling),
        "inputs": inputs,
        "training": {
            "domain": domain.name,
            "period": period,
            "places": len(places),
            "units": len(units),
            "datasets": {name: {key: one.get(key) for key in TERMS} for name, one in datasets.items()},
        },
        "started_from": start,
        "scores": None,
        "intervals": None,
    }


def _start(name, inputs, datasets):
    """Where a training began; its datasets and the ranges that it had seen are added to those of the training."""
    path = installed.weights(name)
    before = installed.weights_header(path)
    for kind, names in inputs.items():
        for one, seen in names.items():
            earlier = before["inputs"][kind].get(one)
            if earlier is not None:
                seen["low"], seen["high"] = min(seen["low"], earlier["low"]), max(seen["high"], earlier["high"])
    datasets |= before["training"]["datasets"]
    return {
        "name": Path(name).stem,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "domain": before["training"]["domain"],
        "places": before["training"]["places"],
        "period": before["training"]["period"],
    }


def _process(settings, setting, scaling):
    if settings.kind != "process":
        return None
    process = process_of(settings, setting, scaling.target_mean)
    return {
        "name": settings.process,
        "fingerprint": _code(settings.process),
        "parameters": [[p.name, p.unit, p.low, p.high] for p in process.parameters],
    }


def _code(process):
    """Fingerprint of the equations of a process."""
    return fingerprint(module_of("process", process), within="thalweg.processes")


def _inputs(domain, scaling, units, period):
    """Units and ranges of the inputs at the training units, in the period of training."""
    start, stop = positions(domain.forcing.time.values, *period) if domain.axis == "time" else (0, None)
    forcing = {}
    for name, variable in domain.forcing.data_vars.items():
        values = variable.values[start:stop, units]
        forcing[name] = {"unit": variable.attrs["units"], "low": float(values.min()), "high": float(values.max())}
    climate = {} if scaling.climate_period is None else climate_attributes(domain, scaling.climate_period)
    attributes = {}
    for name in scaling.attributes:
        values = climate[name] if name in climate else domain.attributes[name].values
        unit = _climate_unit(name, domain) if name in climate else domain.attributes[name].attrs["units"]
        low, high = float(values[units].min()), float(values[units].max())
        attributes[name] = {"unit": unit, "low": low, "high": high}
        if name in climate:
            attributes[name]["computed"] = True
    return {"forcing": forcing, "attributes": attributes}


def _climate_unit(name, domain):
    if name in MEANS:
        return "mm/month" if domain.step == "month" else "mm/day"
    return "day" if name.endswith(DURATIONS) else "dimensionless"


def write_model(path, tensors, header):
    """Write a model file, whole or not at all.

    Args:
        path: of the file, ``.safetensors``.
        tensors: weights under ``<fold>/<seed>/``.
        header: as returned by :func:`header_of`.
    """
    checkpoint.save(path, tensors, header)


def read_model(path):
    """Weights and header of a model file, checked against this version of the package.

    Returns:
        (dict, dict, TrainingJob): tensors by name, header, settings.

    Raises:
        ModelFileError: if the file is missing, damaged, no model, of a newer form, or of a process whose parameters differ.

    Warns:
        ModelFileWarning: if the code of the process has changed, but not its parameters.
    """
    path = Path(path)
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file; name a model file or one of the models of the package")
    try:
        tensors, header = checkpoint.load(path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ModelFileError(f"{path}: it is not a model file ({error}); copy it again, or train the model") from error
    if "format" not in header:
        raise ModelFileError(f"{path}: its weights have no settings with them; train the model again to write them")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"{path}: written by thalweg {header['thalweg']} in format {header['format']}; this is thalweg "
            f"{thalweg.__version__}, which reads formats up to {FORMAT}: install the newer version"
        )
    job = validated(TrainingJob, header["job"], str(path))
    if header["process"] is not None:
        _check_process(header, path)
    return tensors, header, job


def _check_process(header, path):
    stored = header["process"]
    try:
        current = _code(stored["name"])
    except RegistryError as error:
        raise ModelFileError(f"{path}: {error}") from error
    if current != stored["fingerprint"]:
        warnings.warn(
            f"{path}: the code of process {stored['name']} has changed since thalweg {header['thalweg']} trained it; "
            "results may differ from those stated in the file",
            ModelFileWarning,
            stacklevel=3,
        )


def check_parameters(header, process, path):
    """Raise ModelFileError, naming what differs, if a process has other parameters than in training."""
    stored = {name: rest for name, *rest in header["process"]["parameters"]}
    present = {p.name: [p.unit, p.low, p.high] for p in process.parameters}
    differing = [name for name in {**stored, **present} if stored.get(name) != present.get(name)]
    if differing:
        name = differing[0]
        raise ModelFileError(
            f"{path}: parameter {name!r} of process {header['process']['name']} was {_bounds(stored.get(name))} in training "
            f"and is {_bounds(present.get(name))} here ({len(differing)} parameters differ); use thalweg {header['thalweg']}, "
            "or train the model again"
        )


def _bounds(values):
    if values is None:
        return "absent"
    unit, low, high = values
    return f"between {low:g} and {high:g} {unit}"


def outside(header, domain, climate):
    """Inputs of a domain outside the range seen in training.

    Args:
        header: of the model.
        domain: in the spatial form of the model.
        climate: name -> climate index (unit,), computed as for the model's inputs.

    Returns:
        DataFrame with a row per input (an attribute, or the lowest or highest value of a forcing) and unit that drains to a place: input, unit of the domain, value, low, high,
        measured_in (unit of measurement), and beyond, the distance from the range in widths of it; the farthest first.
    """
    rows, used = [], np.zeros(len(domain.unit_ids), bool)
    used[np.unique(domain.catchment_units.indices)] = True
    ranges = []
    for name, seen in header["inputs"]["attributes"].items():
        values = climate[name] if name in climate else domain.attributes[name].values
        ranges.append((name, seen, np.asarray(values, float), MARGIN))
    for name, seen in header["inputs"]["forcing"].items():
        if name in domain.forcing:
            series = domain.forcing[name].values
            ranges.append((f"lowest {name}", seen, series.min(0), FORCING_MARGIN))
            ranges.append((f"highest {name}", seen, series.max(0), FORCING_MARGIN))
    for name, seen, values, margin in ranges:
        beyond = np.maximum(seen["low"] - values, values - seen["high"]) / ((seen["high"] - seen["low"]) or 1.0)
        for i in np.flatnonzero(used & (beyond > margin)):
            rows.append((name, domain.unit_ids[i], values[i], seen["low"], seen["high"], seen["unit"], beyond[i]))
    columns = ["input", "unit", "value", "low", "high", "measured_in", "beyond"]
    return pd.DataFrame(rows, columns=columns).sort_values("beyond", ascending=False, ignore_index=True)


def with_attributes(header, domain):
    """The domain with the attributes that a model needs, in its units.

    Raises:
        DataError: the message names the first attribute that is missing.
        UnitError: if one has a unit of another dimension.
    """
    needed = {name: one["unit"] for name, one in header["inputs"]["attributes"].items() if not one.get("computed")}
    lacking = [name for name in needed if name not in domain.attributes]
    if lacking:
        others = f" (and {', '.join(lacking[1:])})" if len(lacking) > 1 else ""
        raise DataError(
            f"{domain.name}/attributes: the model needs '{lacking[0]}' in {needed[lacking[0]]}{others}; there are "
            f"{', '.join(domain.attributes.data_vars)}: add it for every catchment, or use a model that needs fewer attributes"
        )
    attributes = domain.attributes
    for name, unit in needed.items():
        stated = attributes[name].attrs["units"]
        if parse_unit(stated) != parse_unit(unit):
            values = convert(attributes[name].values, stated, unit, f"{domain.name}/attributes, '{name}'")
            attributes = attributes.assign({name: ("unit", values, attributes[name].attrs | {"units": unit})})
    return replace(domain, attributes=attributes)
