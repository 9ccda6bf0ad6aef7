"""Models built from their settings: new ones for training, and trained ones elsewhere.

What a model takes from the domain that it is trained on is its :class:`~thalweg.learn.scaling.Scaling` and its
:class:`Setting`. Both are kept with the weights, so that the same model is built again for another domain.
"""

from dataclasses import asdict, dataclass
from inspect import signature

from thalweg.basin.domain import DataError
from thalweg.basin.observables import check_flux, observations
from thalweg.learn.networks import MixtureModel, ProcessModel, SequenceModel
from thalweg.learn.river import RiverNetwork
from thalweg.learn.windows import Series, known_parameters
from thalweg.registry import load

SPAN = 30.0  # a learned mean concentration lies within this factor of the mean of the training samples


@dataclass(frozen=True)
class Setting:
    """What a model takes from the domain that it is trained on, besides the scaling of its inputs.

    Attributes:
        domain: name, for messages.
        step, step_days: time step, and its length in days.
        snow_routine: whether the forcing has a temperature.
        units: observed variable -> unit of the flux that it is compared with.
        known: names of parameters that are attributes, and not learned.
        unit_count: number of units.
    """

    domain: str
    step: str
    step_days: float
    snow_routine: bool
    units: dict[str, str]
    known: tuple[str, ...] = ()
    unit_count: int = 0

    def to_dict(self):
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        return cls(**{**values, "known": tuple(values["known"])})


def setting_of(settings, domain, target_mean):
    """The :class:`Setting` of a model on a domain.

    Args:
        settings: of a process or sequence model.
        domain: in the spatial form of the model.
        target_mean: name -> mean of the training observations.

    Raises:
        DataError: if a variable is not observed, or the process does not predict it in its unit.
    """
    units = {name: observations(domain, name).attrs["units"] for name in target_mean}
    snow = "temperature" in domain.forcing
    setting = Setting(domain.name, domain.step, domain.step_days, snow, units, (), len(domain.unit_ids))
    if settings.kind != "process":
        return setting
    process = process_of(settings, setting, target_mean)
    known = tuple(name for name in known_parameters(process, domain) if name not in settings.dynamic)
    return Setting(**{**asdict(setting), "known": known})


def process_of(settings, setting, target_mean):
    """The process named in the model settings, for the time step and the variables of a setting.

    Args:
        settings: :class:`~thalweg.settings.blocks.ProcessModel`.
        setting: the :class:`Setting`.
        target_mean: name -> mean of the training observations, the centre of a learned concentration-discharge curve.

    Raises:
        DataError: if the process does not predict the observed variable, or has another unit.
    """
    variable, mean = next(iter(target_mean.items()))
    offered = {
        "capillary_rise": settings.capillary_rise,
        "time_step": setting.step,
        "snow_routine": setting.snow_routine,
        "variable": variable,
        "unit": setting.units[variable],
        "low": mean / SPAN,
        "high": mean * SPAN,
    }
    factory = load("process", settings.process)
    process = factory(**{name: offered[name] for name in signature(factory).parameters if name in offered})
    for variable in target_mean:
        check_flux(process, variable, setting.units[variable], setting.domain)
    return process


def build_model(settings, scaling, domain):
    """A new model for the settings of a process or sequence model.

    Args:
        settings: of the model.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of its training.
        domain: in the spatial form of the model.
    """
    return model_of(settings, scaling, setting_of(settings, domain, scaling.target_mean))


def model_of(settings, scaling, setting):
    """A new model of a setting; see :func:`build_model`."""
    counts = len(scaling.forcing), len(scaling.attributes)
    variables = tuple(scaling.target_mean)
    if settings.kind == "sequence":
        inputs = (variables, *counts, settings.hidden, settings.dropout, scaling.target_mean)
        if settings.head == "cmal":
            return MixtureModel(*inputs, components=settings.components)
        return SequenceModel(*inputs)
    river = None
    if settings.routing == "river":
        if scaling.reach_mean is None or setting.step == "month":
            raise DataError(
                "routing is river, but the reaches of the domain have no length, slope, width, drainage_area and elevation, or "
                "its step is a month; use routing: unit_hydrograph there"
            )
        river = RiverNetwork(
            len(scaling.reach_mean), settings.river_hidden, settings.river_step, hours=24 * setting.step_days
        )
    return ProcessModel(
        variables,
        process_of(settings, setting, scaling.target_mean),
        *counts,
        settings.components,
        settings.network,
        settings.hidden,
        settings.layers,
        settings.dropout,
        tuple(settings.dynamic),
        settings.integrator,
        known=setting.known,
        units=setting.unit_count,
        patches=scaling.history_patches,
        routing=settings.routing,
        river=river,
    )


def series_of(domain, scaling, settings, places=None, device="cpu", setting=None):
    """A domain in the spatial form of a model, for some places or all.

    Args:
        domain, scaling, settings: as for :func:`build_model`.
        places: positions; None for all.
        device: of the tensors.
        setting: of the model's training, for a domain without observations; None for that of the domain.
    """
    process = None
    if settings.kind == "process":
        setting = setting or setting_of(settings, domain, scaling.target_mean)
        process = process_of(settings, setting, scaling.target_mean)
    return Series(domain, scaling, places, tuple(scaling.target_mean), process, device=device)


def task_steps(days, domain):
    """A number of days as whole steps of a domain."""
    return round(days / domain.step_days)
