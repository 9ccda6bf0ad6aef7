"""Running the kernels of :mod:`~thalweg.integrate.emit_triton` on a CUDA device, or in Triton's interpreter."""

from functools import lru_cache

import torch

from thalweg.integrate import emit_triton
from thalweg.integrate.kernels import compiled

TILE = 32  # lanes of a program, one for a thread: few, so that a thousand catchments fill the device
WARPS = 1


@lru_cache(maxsize=256)
def _forward_kernel(step, plan):
    return compiled(emit_triton.forward(step, plan), "forward")


@lru_cache(maxsize=256)
def _backward_kernel(step, plan, given, wanted):
    return compiled(emit_triton.backward(step, plan, given, wanted), "backward")


def tile(components):
    """(UNITS, COMPONENTS) of a program."""
    columns = 1 << (components - 1).bit_length()
    return max(1, TILE // columns), columns


def _launch(kernel, size, interval, *tensors):
    units, columns = tile(size[1])
    with torch.cuda.device_of(tensors[0]):  # Triton launches on the current device
        kernel[(-(-size[0] // units),)](*tensors, *size, interval, UNITS=units, COMPONENTS=columns, num_warps=WARPS)


def forward(step, plan, size, interval, inputs, state, fluxes, checkpoints):
    """As :func:`thalweg.integrate.on_cpu.forward`."""
    _launch(_forward_kernel(step, plan), size, interval, *inputs.values(), *state, *fluxes, checkpoints)


def backward(step, plan, size, interval, inputs, checkpoints, given, state, found):
    """As :func:`thalweg.integrate.on_cpu.backward`."""
    kernel = _backward_kernel(step, plan, tuple(given), tuple(found))
    path = checkpoints.new_empty((interval, emit_triton.kept(step), size[0] * size[1]))
    gradients = [*given.values(), *state, *found.values()]
    _launch(kernel, size, interval, *inputs.values(), checkpoints, *gradients, path)
