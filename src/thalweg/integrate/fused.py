"""The fused backend: the whole time loop in one compiled kernel, with an exact adjoint.

A process is traced once (:mod:`~thalweg.integrate.trace`), kernels are emitted for the inputs at hand and run where
the tensors are: :mod:`~thalweg.integrate.on_cpu` or :mod:`~thalweg.integrate.on_gpu`. Forward stores the requested
fluxes and, when a gradient is wanted, the states of every ``checkpoint_days``-th day.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

import torch
from torch.autograd.function import once_differentiable

from thalweg.integrate.trace import trace

ENGINES = {"cpu": "thalweg.integrate.on_cpu", "cuda": "thalweg.integrate.on_gpu"}

traced = lru_cache(maxsize=64)(trace)


@dataclass(frozen=True)
class Plan:
    """Specialisation of a pair of kernels.

    ``dynamic`` are the daily parameters; ``mean`` averages fluxes over components.
    """

    fluxes: tuple[str, ...]
    dynamic: frozenset[str]
    mean: bool
    dtype: str


def march(process, forcing, parameters, state, fluxes, mean_components=False, checkpoint_days=32, engine=None):
    """See :func:`thalweg.integrate.integrate`; ``engine`` is the module that runs the kernels, if None, that of the device.

    Raises:
        TraceError: if the step contains an operation that cannot be traced.
        ValueError: for tensors on several devices, or on one without kernels, or not all float32 or all float64.
    """
    inputs = {("forcing", name): forcing[name] for name in process.forcing_names}
    inputs |= {("parameter", name): parameters[name] for name in process.parameter_names}
    inputs |= {("state", name): state[name] for name in process.state_names}
    first = next(iter(inputs.values()))
    check(process, inputs, first)
    plan = Plan(
        fluxes=fluxes,
        dynamic=frozenset(name for name in process.parameter_names if parameters[name].ndim == 3),
        mean=mean_components,
        dtype=str(first.dtype).removeprefix("torch."),
    )
    march = _Settings(
        engine=engine or import_module(ENGINES[first.device.type]),
        step=traced(process),
        plan=plan,
        size=(*state[process.state_names[0]].shape, forcing[process.forcing_names[0]].shape[0]),
        checkpoint_days=checkpoint_days,
    )
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs.values()):
        results = _March.apply(march, tuple(inputs), *inputs.values())
    else:
        results, _ = _forward(march, 0, inputs)
    return dict(zip(fluxes, results)), dict(zip(process.state_names, results[len(fluxes) :]))


@dataclass(frozen=True)
class _Settings:
    """Settings of a march; ``size`` is (units, components, days)."""

    engine: object
    step: object
    plan: Plan
    size: tuple[int, int, int]
    checkpoint_days: int


def check(process, inputs, first):
    """Raise ValueError unless all inputs are of the device and dtype of ``first``, and these have kernels."""
    if first.device.type not in ENGINES:
        raise ValueError(
            f"{process.name}: the fused backend has no kernels for {first.device}; integrate with backend='reference'"
        )
    for (kind, name), tensor in inputs.items():
        if tensor.device != first.device:
            raise ValueError(
                f"{process.name}: {kind} {name!r} is on {tensor.device}, others on {first.device}; move all to one device"
            )
        if tensor.dtype != first.dtype or first.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{process.name}: {kind} {name!r} is {tensor.dtype}; the fused backend needs all inputs as float32 or "
                "all as float64"
            )


def _contiguous(inputs):
    return {key: tensor.detach().contiguous() for key, tensor in inputs.items() if key[0] != "state"}


def _own(tensor):
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _forward(march, interval, inputs):
    units, components, days = march.size
    state = [_own(tensor) for (kind, _), tensor in inputs.items() if kind == "state"]
    shape = (days, units) if march.plan.mean else (days, units, components)
    fluxes = [state[0].new_empty(shape) for _ in march.plan.fluxes]
    count = -(-days // interval) if interval else 0
    checkpoints = state[0].new_empty((count, len(state), units * components))
    march.engine.forward(march.step, march.plan, march.size, interval, _contiguous(inputs), state, fluxes, checkpoints)
    return (*fluxes, *state), checkpoints


class _March(torch.autograd.Function):
    @staticmethod
    def forward(ctx, march, keys, *tensors):
        ctx.set_materialize_grads(False)
        interval = min(march.checkpoint_days, march.size[-1])
        results, checkpoints = _forward(march, interval, dict(zip(keys, tensors)))
        ctx.save_for_backward(*tensors, checkpoints)
        ctx.arguments = march, interval, keys
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        march, interval, keys = ctx.arguments
        if all(gradient is None for gradient in gradients):
            return (None,) * (2 + len(keys))
        *tensors, checkpoints = ctx.saved_tensors
        inputs = dict(zip(keys, tensors))
        needed = [key for key, need in zip(keys, ctx.needs_input_grad[2:]) if need]
        fluxes = march.plan.fluxes
        given = {name: g.contiguous() for name, g in zip(fluxes, gradients) if g is not None}
        states = [key for key in keys if key[0] == "state"]
        state = [
            torch.zeros_like(inputs[key], memory_format=torch.contiguous_format) if gradient is None else _own(gradient)
            for key, gradient in zip(states, gradients[len(fluxes) :])
        ]
        found = {
            key: torch.empty_like(inputs[key], memory_format=torch.contiguous_format)
            for key in needed
            if key[0] != "state"
        }
        march.engine.backward(
            march.step, march.plan, march.size, interval, _contiguous(inputs), checkpoints, given, state, found
        )
        found |= dict(zip(states, state))
        return (None,) * 2 + tuple(found[key] if key in needed else None for key in keys)
