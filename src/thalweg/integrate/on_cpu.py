"""Running the kernels of :mod:`~thalweg.integrate.emit_numba`: groups of units over as many threads as torch has."""

from functools import lru_cache

from thalweg.integrate import emit_numba
from thalweg.integrate.kernels import compiled, together


@lru_cache(maxsize=256)
def forward_kernel(step, plan, lanes):
    """The compiled :func:`thalweg.integrate.emit_numba.forward`."""
    return compiled(emit_numba.forward(step, plan, lanes), "forward")


@lru_cache(maxsize=256)
def backward_kernel(step, plan, lanes, given, wanted):
    """The compiled :func:`thalweg.integrate.emit_numba.backward`."""
    return compiled(emit_numba.backward(step, plan, lanes, given, wanted), "backward")


def _array(tensor, components):
    """A kernel's view of a tensor: lanes flattened."""
    return (tensor.flatten(-2) if components else tensor).numpy()


def _inputs(inputs):
    return [_array(tensor, kind == "parameter") for (kind, _), tensor in inputs.items()]


def _run(kernel, size, lanes, *arguments):
    groups = -(-size[0] // (lanes // size[1]))
    together(groups, lambda first, last: kernel(first, last, *size, *arguments))


def forward(step, plan, size, interval, inputs, state, fluxes, checkpoints):
    """Fill ``fluxes`` and ``checkpoints``, overwrite ``state``; see :mod:`~thalweg.integrate.fused` for the shapes."""
    lanes = emit_numba.block(size[1])
    _run(
        forward_kernel(step, plan, lanes),
        size,
        lanes,
        interval,
        *_inputs(inputs),
        *(_array(tensor, True) for tensor in state),
        *(_array(tensor, not plan.mean) for tensor in fluxes),
        checkpoints.numpy(),
    )


def backward(step, plan, size, interval, inputs, checkpoints, given, state, found):
    """Fill ``found``, overwrite ``state``, the gradients of the last states, by those of the first."""
    lanes = emit_numba.block(size[1])
    _run(
        backward_kernel(step, plan, lanes, tuple(given), tuple(found)),
        size,
        lanes,
        interval,
        *_inputs(inputs),
        checkpoints.numpy(),
        *(_array(tensor, not plan.mean) for tensor in given.values()),
        *(_array(tensor, True) for tensor in state),
        *(_array(tensor, kind == "parameter") for (kind, _), tensor in found.items()),
    )
