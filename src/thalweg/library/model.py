"""A trained model: loaded from its file, run on any domain, explained."""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from thalweg.analysis.elasticity import CHANGES, STEP, changed
from thalweg.basin.domain import DataError, spatial_domain
from thalweg.basin.observables import observable, observable_at
from thalweg.experiments.model_file import (
    ModelFileError,
    check_attributes,
    check_parameters,
    outside,
    read_model,
    write_model,
)
from thalweg.experiments.models import Setting, model_of, process_of, series_of, task_steps
from thalweg.experiments.trained import PLACES_AT_ONCE
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling, climate_attributes, transferred
from thalweg.learn.windows import Series
from thalweg.library.card import card
from thalweg.metrics import conformal
from thalweg.settings.blocks import TrainingJob
from thalweg.storage import installed

DRIVERS = {
    "wetter": "precipitation",
    "drier": "precipitation",
    "thirstier": "potential_evapotranspiration",
    "less_thirsty": "potential_evapotranspiration",
}  # change of the forcing -> variable


class PredictionWarning(UserWarning):
    """A prediction under conditions that the model has not seen in training."""


@dataclass(frozen=True)
class Model:
    """A trained model with all its members, one for each fold and seed of its training.

    Attributes:
        header: content of the file's header (:mod:`thalweg.experiments.model_file`).
        tensors: weights under ``<fold>/<seed>/``.
        job: :class:`~thalweg.settings.blocks.TrainingJob`.
        source: file or name, for messages.
    """

    header: dict
    tensors: dict = field(repr=False)
    job: TrainingJob
    source: str = "model"

    @classmethod
    def read(cls, path):
        """The model of a file.

        Raises:
            ModelFileError: see :func:`thalweg.experiments.model_file.read_model`.
        """
        tensors, header, job = read_model(path)
        model = cls(header, tensors, job, str(path))
        if job.model.kind == "process":
            check_parameters(header, model.process, path)
        return model

    def save(self, path):
        """Write the model file; a file that exists is replaced only when the new one is complete."""
        write_model(path, self.tensors, self.header)

    def __repr__(self):
        training = self.header["training"]
        what = self.job.model.process if self.job.model.kind == "process" else "LSTM"
        return (
            f"<Model {what}: {', '.join(self.variables)}, {len(self.members)} members, trained at {training['places']} places of "
            f"{training['domain']}, {' to '.join(training['period'])}>"
        )

    @property
    def variables(self):
        """Names of the variables that it predicts, the main one first."""
        return tuple(self.job.variables)

    @property
    def members(self):
        """(fold, seed) of every member."""
        return [(fold, seed) for fold in self.header["scaling"] for seed in self.header["seeds"]]

    @property
    def setting(self):
        """The :class:`~thalweg.experiments.models.Setting` of the training."""
        return Setting.from_dict(self.header["setting"])

    @property
    def process(self):
        """The :class:`~thalweg.processes.Process`; None for a model without one."""
        if self.job.model.kind != "process":
            return None
        return process_of(self.job.model, self.setting, self._scaling(self.members[0][0]).target_mean)

    @property
    def inputs(self):
        """What a domain needs: DataFrame with kind, unit, and the range seen in training, by name."""
        rows = [
            {"name": name, "kind": "computed" if one.get("computed") else kind, **one}
            for kind, names in (
                ("forcing", self.header["inputs"]["forcing"]),
                ("attribute", self.header["inputs"]["attributes"]),
            )
            for name, one in names.items()
            if kind == "attribute" or name in self._forcing_names()
        ]
        return pd.DataFrame(rows)[["name", "kind", "unit", "low", "high"]].set_index("name")

    @property
    def scores(self):
        """Metrics where and when it was not trained: DataFrame by metric; empty if they were not computed."""
        scores = self.header["scores"] or {}
        table = pd.DataFrame({name: one for name, one in scores.items() if isinstance(one, dict)}).T
        return table.rename_axis("metric").rename_axis(scores.get("tested_at"), axis=1)

    def card(self):
        """What the model is, what it was trained on, what it needs and how good it is, as a page of Markdown."""
        return card(self)

    def _forcing_names(self):
        of_network = self._scaling(self.members[0][0]).forcing
        return {*of_network, *(self.process.forcing_names if self.process is not None else ())}

    def predict(self, domain, members=False, levels=(0.9,)):
        """Simulate the variables of the model at every place of a domain, without using any observation.

        The model spins up as in training. Climate indices among its inputs are computed over the years of its training if
        the forcing covers them, otherwise over the whole forcing.

        Args:
            domain: :class:`~thalweg.basin.domain.Domain`; it may be without observations.
            members: whether each member is returned; otherwise their mean.
            levels: probabilities of central intervals, if the model has calibrated ones (``header["intervals"]``).

        Returns:
            Dataset: each variable (place, time), or (member, place, time), in m3/s for discharge and otherwise in the unit of
            training; ``<variable>_lower`` and ``<variable>_upper`` (level, place, time) if the model has intervals; and
            ``inputs_outside`` (place,), the number of inputs outside the range seen in training.

        Raises:
            DataError: the domain lacks an input, has it in another unit, or has another time step.

        Warns:
            PredictionWarning: inputs lie outside the range seen in training, or are of other years.
        """
        seen, scalings = self._prepared(domain)
        shape = (len(self.members), len(domain.place_ids), len(domain.forcing.time))
        simulated = {name: np.full(shape, np.nan, np.float32) for name in self.variables}
        for i, series, trained in self._trained(seen, scalings):
            for some, window, columns in self._windows(series, seen):
                for name, values in trained(window).items():
                    simulated[name][i, some] = values[:, columns].T.numpy()
        for name, values in simulated.items():
            values[:, ~observable_at(seen, name)] = np.nan
        return self._dataset(domain, seen, scalings, simulated, members, levels)

    def fluxes(self, domain, names=None):
        """Fluxes and storages of the process that are never observed in training, at every place of a domain.

        Args:
            domain: as for :meth:`predict`.
            names: of fluxes of the process; None for all.

        Returns:
            Dataset (place, time): means over the members and, for a variable gathered from a catchment, over its units.

        Raises:
            ModelFileError: if the model has no process, or its process has no such flux.
        """
        process = self._with_process("fluxes")
        names = tuple(names or process.flux_names)
        unknown = [name for name in names if name not in process.flux_names]
        if unknown:
            raise ModelFileError(
                f"{self.source}: process {process.name} has no flux {unknown[0]!r}; it has {', '.join(process.flux_names)}"
            )
        seen, scalings = self._prepared(domain)
        total = {name: np.zeros((len(domain.place_ids), len(domain.forcing.time))) for name in names}
        for _, series, trained in self._trained(seen, scalings):
            for some, window, columns in self._windows(series, seen):
                for name, values in trained.fluxes(window, names).items():
                    total[name][some] += self._at_places(window, values)[:, columns].T.numpy()
        known = {flux.name: flux for flux in process.fluxes}
        data = {
            name: (
                ("place", "time"),
                (values / len(self.members)).astype(np.float32),
                {"units": known[name].unit, "long_name": known[name].meaning},
            )
            for name, values in total.items()
        }
        return xr.Dataset(data, coords={"place": domain.place_ids, "time": domain.forcing.time.values})

    def parameters(self, domain):
        """Parameters of the process at every unit of a domain.

        Returns:
            Dataset (member, unit): means over the components of each member, with units, bounds (``low``, ``high``) and whether
            they are ``known`` rather than learned as attributes.
        """
        process = self._with_process("parameters")
        seen, scalings = self._prepared(domain)
        learned = {}
        for i, series, trained in self._trained(seen, scalings):
            static, _ = trained.parameters_of(series.window(0, 1, 0))
            for name, values in static.items():
                learned.setdefault(name, np.full((len(self.members), len(seen.unit_ids)), np.nan))[i] = values.mean(
                    1
                ).numpy()
        known = {p.name: p for p in process.parameters}
        data = {
            name: (
                ("member", "unit"),
                values,
                {
                    "units": known[name].unit,
                    "long_name": known[name].meaning,
                    "low": known[name].low,
                    "high": known[name].high,
                    "known": int(name in self.setting.known),
                },
            )
            for name, values in learned.items()
        }
        return xr.Dataset(data, coords={"unit": seen.unit_ids})

    def elasticity(self, domain):
        """Change of the mean prediction of the main variable, in percent per percent of change of an input.

        Centred differences with the input 5 % up and down in every step; attributes and climate indices stay as they are.

        Returns:
            DataFrame by place: ``precipitation`` and ``potential_evapotranspiration``, those that the forcing has.
        """
        seen, scalings = self._prepared(domain)
        changes = {
            name: change for name, change in CHANGES.items() if name in DRIVERS and DRIVERS[name] in seen.forcing
        }
        mean = {name: np.zeros(len(domain.place_ids)) for name in ("as_is", *changes)}
        for i, series, trained in self._trained(seen, scalings, all_forcing=True):
            scaling = scalings[self.members[i][0]]
            for some, window, columns in self._windows(series, seen):
                for name, total in mean.items():
                    values = trained(changed(window, scaling, CHANGES[name]))[self.variables[0]]
                    total[some] += values[:, columns].double().mean(0).numpy()
        base = np.where(mean["as_is"] > 0, mean["as_is"], np.nan)
        pairs = {"precipitation": ("wetter", "drier"), "potential_evapotranspiration": ("thirstier", "less_thirsty")}
        found = {
            name: (mean[more] - mean[less]) / (2 * STEP * base) for name, (more, less) in pairs.items() if more in mean
        }
        return pd.DataFrame(found, index=pd.Index(domain.place_ids, name="place"))

    def outside(self, domain):
        """Inputs of a domain outside the range seen in training: DataFrame (:func:`thalweg.experiments.model_file.outside`)."""
        seen = spatial_domain(domain, self.job.model)
        check_attributes(self.header, seen)
        scaling = transferred(self._scaling(self.members[0][0]), seen)
        return outside(self.header, seen, self._climate(seen, scaling))

    def _with_process(self, what):
        if self.process is None:
            raise ModelFileError(f"{self.source}: an LSTM has no {what}; load a model with a process")
        return self.process

    def _scaling(self, fold):
        return Scaling(**self.header["scaling"][fold])

    def _prepared(self, domain):
        """The domain in the model's spatial form, checked, and fold -> scaling for it."""
        setting = self.setting
        if domain.step != setting.step:
            raise DataError(
                f"{domain.name}: its time step is a {domain.step}, but the model was trained with a {setting.step}; sum or average "
                f"the forcing to every {setting.step}, or load a model of your time step"
            )
        if getattr(self.job.model, "network", None) == "unit":
            raise ModelFileError(
                f"{self.source}: it has a parameter set for each of its own units and none for others; train it with network: attributes"
            )
        seen = spatial_domain(domain, self.job.model)
        check_attributes(self.header, seen)
        scalings = {fold: transferred(self._scaling(fold), seen) for fold in self.header["scaling"]}
        return seen, scalings

    def _climate(self, domain, scaling):
        return {} if scaling.climate_period is None else climate_attributes(domain, scaling.climate_period)

    def _trained(self, domain, scalings, all_forcing=False):
        """(position, Series, model in evaluation mode) of every member; with all forcing, also that not read by the process."""
        fold_before, series = None, None
        for i, (fold, seed) in enumerate(self.members):
            if fold != fold_before:
                series = series_of(domain, scalings[fold], self.job.model, setting=self.setting)
                if all_forcing:
                    series.forcing = Series(domain, scalings[fold], variables=self.variables).forcing
                fold_before = fold
            trained = model_of(self.job.model, scalings[fold], self.setting).eval()
            trained.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", self.tensors))
            with torch.no_grad():
                yield i, series, trained

    def _windows(self, series, domain):
        """(places, window, columns): some places at a time, over the whole forcing, spun up as in training."""
        places = np.arange(len(domain.place_ids))
        size = len(places) if series.drainage.river is not None else PLACES_AT_ONCE
        spin_up = task_steps(self.job.training.spin_up, domain)
        for start in range(0, len(places), size):
            some = places[start : start + size]
            yield some, *series.window_of(torch.as_tensor(some), 0, series.days, spin_up)

    def _at_places(self, window, values):
        if all(observable(name).gather == "unit" for name in self.variables):
            return window.drainage.gather(self.variables[0], values)
        return window.drainage.mean(values)

    def _dataset(self, domain, seen, scalings, simulated, members, levels):
        coords = {"place": domain.place_ids, "time": domain.forcing.time.values}
        if members:
            coords |= {name: ("member", [m[i] for m in self.members]) for i, name in enumerate(("fold", "seed"))}
        data, found = {}, self._warned(seen, scalings)
        for name, values in simulated.items():
            unit, factor = self.setting.units[name], 1.0
            if observable(name).gather == "routed":
                per_step = np.broadcast_to(domain.millimetres_per_step, values.shape[-1])
                factor, unit = domain.places.drainage_area.values[:, None] / per_step, "m3/s"
            attrs = {"units": unit, "long_name": f"simulated {name.replace('_', ' ')}"}
            mean = values.mean(0)
            data[name] = (
                (("member", "place", "time"), values * factor, attrs)
                if members
                else (("place", "time"), mean * factor, attrs)
            )
            fitted = (self.header["intervals"] or {}).get(name)
            if fitted and levels:
                for end, limit in zip(("lower", "upper"), self._limits(values, fitted, levels)):
                    text = f"{end} limit of the interval of {name.replace('_', ' ')}"
                    data[f"{name}_{end}"] = (
                        ("level", "place", "time"),
                        (limit * factor).astype(np.float32),
                        {"units": unit, "long_name": text},
                    )
                coords["level"] = list(levels)
        count = pd.Series(found).reindex(domain.place_ids, fill_value=0)
        text = "number of inputs outside the range seen in training"
        data["inputs_outside"] = ("place", count.to_numpy(int), {"units": "1", "long_name": text})
        about = {
            "model": self.source,
            "thalweg": self.header["thalweg"],
            "trained_on": self.header["training"]["domain"],
        }
        return xr.Dataset(data, coords=coords, attrs=about)

    def _limits(self, values, fitted, levels):
        """Limits (level, place, time) of calibrated intervals; a member is the mean of a seed's folds, as in the calibration."""
        absent = [level for level in levels if level not in fitted["levels"]]
        if absent:
            there = ", ".join(f"{level:g}" for level in fitted["levels"])
            raise ModelFileError(f"{self.source}: it has no interval of {absent[0]:g}; it has {there}")
        seeds = np.array([seed for _, seed in self.members])
        members = np.stack([values[seeds == seed].mean(0) for seed in self.header["seeds"]])
        chosen = [fitted["levels"].index(level) for level in levels]
        return [limit[chosen] for limit in conformal.intervals(members, fitted)]

    def _warned(self, domain, scalings):
        """Place -> number of its inputs outside the range of training, after a warning about them."""
        fold = self.members[0][0]
        table = outside(self.header, domain, self._climate(domain, scalings[fold]))
        trained = self._scaling(fold)
        if scalings[fold].climate_period != trained.climate_period:
            first, last = (day[:10] for day in trained.climate_period)
            warnings.warn(
                f"{domain.name}: the forcing does not cover {first} to {last}, the years of the model's climate indices; they are "
                "computed from the whole forcing",
                PredictionWarning,
                stacklevel=4,
            )
        if table.empty:
            return {}
        worst = table.groupby("input").unit.nunique().sort_values(ascending=False)
        texts = [f"{name} at {count} of {len(domain.unit_ids)}" for name, count in worst.head(5).items()]
        more = f" and {len(worst) - 5} further inputs" if len(worst) > 5 else ""
        one = table.iloc[0]
        warnings.warn(
            f"{domain.name}: inputs outside the range seen in training: {', '.join(texts)}{more}; for example {one.input} of "
            f"'{one.unit}' is {one.value:.4g} {one.measured_in}, and was {one.low:.4g} to {one.high:.4g}. Model.outside lists them",
            PredictionWarning,
            stacklevel=4,
        )
        units = table.groupby("unit").input.nunique().reindex(domain.unit_ids, fill_value=0).to_numpy()
        at_places = domain.catchment_units.multiply(units).max(1).toarray().ravel().astype(int)
        return dict(zip(domain.place_ids, at_places))


def load(name):
    """A trained model.

    Args:
        name: of a model that comes with the package (``thalweg list weights``), or the path of a model file.

    Returns:
        Model

    Raises:
        NotInstalled: for an unknown name.
        ModelFileError: if the file is missing, damaged, or of a process whose parameters differ here.
    """
    path = installed.weights(name)
    return Model.read(path) if path == Path(name) else replace(Model.read(path), source=str(name))


def predict(model, domain, **options):
    """Simulate with a trained model: :meth:`Model.predict` of a model, its name or its file.

    Args:
        model: :class:`Model`, name or path.
        domain: :class:`~thalweg.basin.domain.Domain`.
        options: of :meth:`Model.predict`.
    """
    return (model if isinstance(model, Model) else load(model)).predict(domain, **options)


def fluxes(model, domain, names=None):
    """Internal fluxes of a trained model: :meth:`Model.fluxes` of a model, its name or its file."""
    return (model if isinstance(model, Model) else load(model)).fluxes(domain, names)
