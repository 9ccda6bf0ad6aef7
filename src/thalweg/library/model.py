"""A trained model: loaded from its file, run on any domain, explained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.analysis.elasticity import CHANGES, STEP, changed
from thalweg.basin.domain import spatial_domain
from thalweg.basin.observables import observable_at
from thalweg.experiments.model_file import (
    ModelFileError,
    check_parameters,
    outside,
    read_model,
    with_attributes,
    write_model,
)
from thalweg.learn.scaling import transferred
from thalweg.library.card import card
from thalweg.library.members import Members
from thalweg.library.prediction import dataset_of
from thalweg.storage import installed

DRIVERS = {
    "wetter": "precipitation",
    "drier": "precipitation",
    "thirstier": "potential_evapotranspiration",
    "less_thirsty": "potential_evapotranspiration",
}  # change of the forcing -> variable


@dataclass(frozen=True)
class Model(Members):
    """A trained model with all its members, one for each fold and seed of its training.

    Attributes:
        header: content of the file's header (:mod:`thalweg.experiments.model_file`).
        tensors: weights under ``<fold>/<seed>/``.
        job: :class:`~thalweg.settings.blocks.TrainingJob`.
        source: file or name, for messages.
    """

    @classmethod
    def read(cls, path, source=None):
        """The model of a file.

        Args:
            path: of the file.
            source: its name in messages and predictions; by default the path.

        Raises:
            ModelFileError: see :func:`thalweg.experiments.model_file.read_model`.
        """
        tensors, header, job = read_model(path)
        model = cls(header, tensors, job, str(source or path))
        if job.model.kind == "process":
            check_parameters(header, model.process, path)
        return model

    def save(self, path):
        """Write the model file; a file that exists is replaced only when the new one is complete."""
        write_model(path, self.tensors, self.header)

    def __repr__(self):
        return f"<Model {self.description}>"

    @property
    def description(self):
        """The model in a line: process, variables, members, training."""
        training, count = self.header["training"], len(self.members)
        what = self.job.model.process if self.job.model.kind == "process" else "LSTM"
        return (
            f"{what}: {', '.join(self.variables)}, {count} member{'' if count == 1 else 's'}, trained at {training['places']} places of "
            f"{training['domain']}, {' to '.join(training['period'])}"
        )

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
        of_network = self.scaling(self.members[0][0]).forcing
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
        seen, scalings = self.prepared(domain)
        shape = (len(self.members), len(domain.place_ids), len(domain.forcing.time))
        simulated = {name: np.full(shape, np.nan, np.float32) for name in self.variables}
        for i, series, trained in self.trained_members(seen, scalings):
            for some, window, columns in self.windows(series, seen):
                for name, values in trained(window).items():
                    simulated[name][i, some] = values[:, columns].T.numpy()
        for name, values in simulated.items():
            values[:, ~observable_at(seen, name)] = np.nan
        return dataset_of(self, domain, simulated, self.warned(seen, scalings), members, levels)

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
        process = self.with_process("fluxes")
        names = tuple(names or process.flux_names)
        unknown = [name for name in names if name not in process.flux_names]
        if unknown:
            raise ModelFileError(
                f"{self.source}: process {process.name} has no flux {unknown[0]!r}; it has {', '.join(process.flux_names)}"
            )
        seen, scalings = self.prepared(domain)
        total = {name: np.zeros((len(domain.place_ids), len(domain.forcing.time))) for name in names}
        for _, series, trained in self.trained_members(seen, scalings):
            for some, window, columns in self.windows(series, seen):
                for name, values in trained.fluxes(window, names).items():
                    total[name][some] += self.at_places(window, values)[:, columns].T.numpy()
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
        process = self.with_process("parameters")
        seen, scalings = self.prepared(domain)
        learned = {}
        for i, series, trained in self.trained_members(seen, scalings):
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
        seen, scalings = self.prepared(domain)
        changes = {
            name: change for name, change in CHANGES.items() if name in DRIVERS and DRIVERS[name] in seen.forcing
        }
        mean = {name: np.zeros(len(domain.place_ids)) for name in ("as_is", *changes)}
        for i, series, trained in self.trained_members(seen, scalings, all_forcing=True):
            scaling = scalings[self.members[i][0]]
            for some, window, columns in self.windows(series, seen):
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
        seen = with_attributes(self.header, seen)
        scaling = transferred(self.scaling(self.members[0][0]), seen)
        return outside(self.header, seen, self.climate(seen, scaling))


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
    return Model.read(installed.weights(name), name)


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
