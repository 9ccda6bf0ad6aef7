"""The members of a trained model, built again for a domain: one for each fold and seed of its training."""

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from thalweg.basin.domain import DataError, spatial_domain
from thalweg.basin.observables import observable
from thalweg.experiments.model_file import ModelFileError, outside, with_attributes
from thalweg.experiments.models import Setting, model_of, process_of, series_of, task_steps
from thalweg.experiments.trained import PLACES_AT_ONCE
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling, climate_attributes, transferred
from thalweg.learn.windows import Series
from thalweg.settings.blocks import TrainingJob

FEW = 5  # years of forcing, below which climate indices differ much from those of a longer record


class PredictionWarning(UserWarning):
    """A prediction under conditions that the model has not seen in training."""


@dataclass(frozen=True)
class Members:
    """A trained model with all its members.

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
        return process_of(self.job.model, self.setting, self.scaling(self.members[0][0]).target_mean)

    def with_process(self, what):
        if self.process is None:
            raise ModelFileError(f"{self.source}: an LSTM has no {what}; load a model with a process")
        return self.process

    def scaling(self, fold):
        scaling = Scaling(**self.header["scaling"][fold])
        routed = getattr(self.job.model, "routing", None) == "river"
        return scaling if routed else replace(scaling, reach_mean=None, reach_deviation=None)

    def prepared(self, domain):
        """The domain in the model's spatial form, checked, and fold -> scaling for it."""
        setting = self.setting
        if domain.step != setting.step:
            raise DataError(
                f"{domain.name}: its time step is one {domain.step}, but the model was trained with one {setting.step}; sum or average "
                f"the forcing to every {setting.step}, or load a model of your time step"
            )
        if getattr(self.job.model, "network", None) == "unit":
            raise ModelFileError(
                f"{self.source}: it has a parameter set for each of its own units and none for others; train it with network: attributes"
            )
        seen = spatial_domain(domain, self.job.model)
        seen = with_attributes(self.header, seen)
        scalings = {fold: transferred(self.scaling(fold), seen) for fold in self.header["scaling"]}
        return seen, scalings

    def climate(self, domain, scaling):
        return {} if scaling.climate_period is None else climate_attributes(domain, scaling.climate_period)

    def trained_members(self, domain, scalings, all_forcing=False):
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

    def windows(self, series, domain):
        """(places, window, columns): some places at a time, over the whole forcing, spun up as in training."""
        places = np.arange(len(domain.place_ids))
        size = len(places) if series.drainage.river is not None else PLACES_AT_ONCE
        spin_up = task_steps(self.job.training.spin_up, domain)
        for start in range(0, len(places), size):
            some = places[start : start + size]
            yield some, *series.window_of(torch.as_tensor(some), 0, series.days, spin_up)

    def at_places(self, window, values):
        if all(observable(name).gather == "unit" for name in self.variables):
            return window.drainage.gather(self.variables[0], values)
        return window.drainage.mean(values)

    def warned(self, domain, scalings):
        """Place -> number of its inputs outside the range of training, after a warning about them."""
        fold = self.members[0][0]
        table = outside(self.header, domain, self.climate(domain, scalings[fold]))
        trained = self.scaling(fold)
        if scalings[fold].climate_period != trained.climate_period:
            first, last = (day[:10] for day in trained.climate_period)
            years = len(domain.forcing.time) * domain.step_days / 365.25
            few = f"; {FEW} years or more give steadier ones" if years < FEW else ""
            warnings.warn(
                f"{domain.name}: the forcing does not cover {first} to {last}, the years of the model's climate indices; they are "
                f"computed from the whole forcing of {years:.1f} years{few}",
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
