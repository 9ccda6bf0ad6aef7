"""The fused backend: the whole time loop in one compiled kernel, with an exact adjoint.

A process is traced once (:mod:`~thalweg.integrate.trace`), the kernels are emitted for the inputs at hand
(:mod:`~thalweg.integrate.emit_numba`), compiled and kept on disk (:mod:`~thalweg.integrate.kernels`). Forward stores
the fluxes asked for and, when a gradient is wanted, the states of every ``checkpoint_days``-th day.
"""

from functools import lru_cache

import torch
from torch.autograd.function import once_differentiable

from thalweg.integrate import emit_numba
from thalweg.integrate.kernels import compiled, run
from thalweg.integrate.trace import trace

_trace = lru_cache(maxsize=64)(trace)


@lru_cache(maxsize=256)
def _forward_kernel(process, plan):
    source = emit_numba.forward(_trace(process), plan)
    return compiled(source, "forward")


@lru_cache(maxsize=256)
def _backward_kernel(process, plan, given, wanted):
    source = emit_numba.backward(_trace(process), plan, given, wanted)
    return compiled(source, "backward")


def march(process, forcing, parameters, state, fluxes, mean_components=False, checkpoint_days=32):
    """See :func:`thalweg.integrate.integrate`.

    Raises:
        TraceError: where the step does something that cannot be traced.
        ValueError: for tensors that are not on the CPU, or not all float32 or all float64.
    """
    inputs = {("forcing", name): forcing[name] for name in process.forcing_names}
    inputs |= {("parameter", name): parameters[name] for name in process.parameter_names}
    inputs |= {("state", name): state[name] for name in process.state_names}
    _check(process, inputs)
    units, components = state[process.state_names[0]].shape
    dtype = next(iter(inputs.values())).dtype
    plan = emit_numba.Plan(
        fluxes=fluxes,
        dynamic=frozenset(name for name in process.parameter_names if parameters[name].ndim == 3),
        mean=mean_components,
        dtype=str(dtype).removeprefix("torch."),
        lanes=emit_numba.block(components),
    )
    size = (units, components, forcing[process.forcing_names[0]].shape[0])
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs.values()):
        interval = min(checkpoint_days, size[-1])
        results = _March.apply(process, plan, size, interval, tuple(inputs), *inputs.values())
    else:
        results, _ = _forward(process, plan, size, 0, inputs)
    return dict(zip(fluxes, results)), dict(zip(process.state_names, results[len(fluxes) :]))


def _check(process, inputs):
    expected = next(iter(inputs.values())).dtype
    for (kind, name), tensor in inputs.items():
        if tensor.device.type != "cpu":
            raise ValueError(
                f"{process.name}: {kind} {name!r} is on {tensor.device}; the fused backend runs on the CPU, "
                "integrate with backend='reference' there"
            )
        if tensor.dtype != expected or expected not in (torch.float32, torch.float64):
            raise ValueError(
                f"{process.name}: {kind} {name!r} is {tensor.dtype}; the fused backend takes all inputs as float32 or "
                "all as float64"
            )


def _array(tensor, components):
    """A kernel's view of a tensor: lanes flattened, contiguous."""
    tensor = tensor.detach().contiguous()
    return (tensor.flatten(-2) if components else tensor).numpy()


def _kernel_inputs(inputs):
    return [_array(tensor, kind == "parameter") for (kind, _), tensor in inputs.items() if kind != "state"]


def _items(plan, size):
    units, components, _ = size
    return -(-units // (plan.lanes // components))


def _forward(process, plan, size, interval, inputs):
    units, components, days = size
    state = [
        t.detach().clone(memory_format=torch.contiguous_format) for (kind, _), t in inputs.items() if kind == "state"
    ]
    like = state[0]
    shape = (days, units) if plan.mean else (days, units, components)
    fluxes = [like.new_empty(shape) for _ in plan.fluxes]
    count = -(-days // interval) if interval else 0
    checkpoints = like.new_empty((count, len(state), units * components))
    run(
        _forward_kernel(process, plan),
        _items(plan, size),
        torch.get_num_threads(),
        *size,
        interval,
        *_kernel_inputs(inputs),
        *(_array(tensor, True) for tensor in state),
        *(_array(tensor, not plan.mean) for tensor in fluxes),
        checkpoints.numpy(),
    )
    return (*fluxes, *state), checkpoints


class _March(torch.autograd.Function):
    @staticmethod
    def forward(ctx, process, plan, size, interval, keys, *tensors):
        ctx.set_materialize_grads(False)
        results, checkpoints = _forward(process, plan, size, interval, dict(zip(keys, tensors)))
        ctx.save_for_backward(*tensors, checkpoints)
        ctx.arguments = process, plan, size, interval, keys
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        process, plan, size, interval, keys = ctx.arguments
        if all(gradient is None for gradient in gradients):
            return (None,) * (5 + len(keys))
        *tensors, checkpoints = ctx.saved_tensors
        inputs = dict(zip(keys, tensors))
        needed = [key for key, need in zip(keys, ctx.needs_input_grad[5:]) if need]
        wanted = tuple(key for key in needed if key[0] != "state")
        given = tuple(name for name, gradient in zip(plan.fluxes, gradients) if gradient is not None)
        state = {
            ("state", name): torch.zeros_like(inputs["state", name], memory_format=torch.contiguous_format)
            if gradient is None
            else gradient.clone(memory_format=torch.contiguous_format)
            for name, gradient in zip(process.state_names, gradients[len(plan.fluxes) :])
        }
        found = {key: torch.empty_like(inputs[key], memory_format=torch.contiguous_format) for key in wanted}
        run(
            _backward_kernel(process, plan, given, wanted),
            _items(plan, size),
            torch.get_num_threads(),
            *size,
            interval,
            *_kernel_inputs(inputs),
            checkpoints.numpy(),
            *(_array(gradient, not plan.mean) for gradient in gradients[: len(plan.fluxes)] if gradient is not None),
            *(_array(tensor, True) for tensor in state.values()),
            *(_array(found[key], key[0] == "parameter") for key in wanted),
        )
        found |= state
        return (None,) * 5 + tuple(found[key] if key in needed else None for key in keys)
