"""Equations that a step must solve: the root of a residual, and its gradient.

``root`` finds x with residual(x) = 0 by Newton's method. One unknown is bracketed: the residual rises through zero
between ``low`` and ``high``, every evaluation narrows the bracket, and a Newton step that would leave it is replaced
by its middle, so a continuous residual is always solved. A few unknowns (backward Euler of coupled storages) are kept
in the box of ``low`` and ``high``, and steps are halved after many iterations. The gradient is that of the implicit
function theorem, dx/dp = -(d residual/dx)^-1 d residual/dp at the root: the iterations are not differentiated.

An iteration is written with the operations of a step, so that tensors and traced symbols go through the same lines.
"""

import torch
from torch.autograd import forward_ad

from thalweg.processes.operations import maximum, minimum, where

ITERATIONS = 100
TOLERANCE = {
    "float32": 1e-5,
    "float64": 1e-10,
}  # of the last Newton step, which is still applied: the remaining error is its square
SPAN_SHARE = 0.01  # the tolerance is relative to abs(x) + this share of high - low
UNDAMPED = 12  # iterations with whole steps when there are several unknowns


def root(residual, guess, low, high):
    """The root of ``residual`` between ``low`` and ``high``.

    Args:
        residual: function of one value to one value, rising through zero; or of n values to a tuple of n, whose
            Jacobian needs no exchange of rows in elimination (as where each store mostly drains itself).
        guess: where to start, a tensor or symbol; or a tuple of n.
        low, high: bounds, tensors, symbols or numbers; or tuples of n. No gradient goes to them or to the guess.

    Returns:
        The root, or a tuple of n; NaN where none was found, for example where the residual does not change its sign.
    """
    if not isinstance(guess, (tuple, list)):
        return root(lambda x: (residual(x),), (guess,), (low,), (high,))[0]
    for value in guess:
        if hasattr(value, "operation"):
            return value.root(residual, guess, low, high)
    return _solve(residual, guess, low, high)


def eliminate(matrix, right):
    """Solve ``matrix @ x = right`` by elimination without exchanging rows; None in the matrix is a zero."""
    size = range(len(right))
    matrix, right = [list(row) for row in matrix], list(right)
    for pivot in size:
        for row in size[pivot + 1 :]:
            if matrix[row][pivot] is None:
                continue
            factor = matrix[row][pivot] / matrix[pivot][pivot]
            right[row] = right[row] - factor * right[pivot]
            for column in size[pivot + 1 :]:
                if matrix[pivot][column] is not None:
                    product = factor * matrix[pivot][column]
                    matrix[row][column] = -product if matrix[row][column] is None else matrix[row][column] - product
    for row in reversed(size):
        for column in size[row + 1 :]:
            if matrix[row][column] is not None:
                right[row] = right[row] - matrix[row][column] * right[column]
        right[row] = right[row] / matrix[row][row]
    return right


def begin(guess, low, high):
    """Values carried by the iterations: each unknown, its bracket and its span, whether done (0 or 1), how many there were."""
    carried = {}
    for i, (x, a, b) in enumerate(zip(guess, low, high)):
        carried |= {f"x{i}": minimum(maximum(x, a), b), f"low{i}": a, f"high{i}": b, f"span{i}": b - a}
    none = 0.0 * carried["span0"]
    return carried | {"done": none, "count": none}


def advance(carried, residuals, jacobian, tolerance):
    """One iteration; values that are done stay as they are."""
    size = range(len(residuals))
    steps = eliminate(jacobian, residuals)
    done = carried["done"] > 0.5
    large = None
    for i, step in enumerate(steps):
        x, span = carried[f"x{i}"], carried[f"span{i}"]
        beyond = maximum(step, -step) > tolerance * (maximum(x, -x) + SPAN_SHARE * span)
        large = beyond if large is None else large | beyond
    after = dict(carried)
    for i in size:
        x, low, high = carried[f"x{i}"], carried[f"low{i}"], carried[f"high{i}"]
        if len(size) == 1:
            low, high = where(residuals[0] < 0.0, x, low), where(residuals[0] > 0.0, x, high)
            new = x - steps[0]
            leaves = large & ((new <= low) | (new >= high))
            new = where(leaves, 0.5 * (low + high), new)
            after |= {"low0": where(done, carried["low0"], low), "high0": where(done, carried["high0"], high)}
        else:
            share = where(large & (carried["count"] >= float(UNDAMPED)), 0.5 + 0.0 * x, 1.0)
            new = x - share * steps[i]
        after[f"x{i}"] = where(done, x, minimum(maximum(new, low), high))
    after["done"] = where(done | ~large, 1.0 + 0.0 * carried["done"], 0.0)
    after["count"] = carried["count"] + 1.0
    return after


def finish(carried, size):
    """The unknowns, NaN where the iterations did not end."""
    return tuple(where(carried["done"] > 0.5, carried[f"x{i}"], float("nan")) for i in range(size))


def _solve(residual, guess, low, high):
    size = len(guess)
    values = torch.broadcast_tensors(*_as_tensors([*guess, *low, *high], guess[0]))
    with torch.no_grad():
        shapes = [value.shape for value in _as_tensors(residual(*values[:size]), guess[0])]
        shape = torch.broadcast_shapes(values[0].shape, *shapes)
        values = [value.detach().expand(shape) for value in values]
        carried = begin(values[:size], values[size : 2 * size], values[2 * size :])
        tolerance = TOLERANCE[str(values[0].dtype).removeprefix("torch.")]
        for _ in range(ITERATIONS):
            residuals, jacobian = _jacobian(residual, [carried[f"x{i}"] for i in range(size)])
            carried = advance(carried, residuals, jacobian, tolerance)
            if bool((carried["done"] > 0.5).all()):
                break
        found = finish(carried, size)
    if not torch.is_grad_enabled():
        return found
    _, jacobian = _jacobian(residual, found)
    residuals = [value - value.detach() for value in _as_tensors(residual(*found), found[0])]
    if not any(value.requires_grad for value in residuals):
        return found
    return tuple(x - step for x, step in zip(found, eliminate(jacobian, residuals)))


def _as_tensors(values, like):
    return [torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in values]


def _jacobian(residual, unknowns):
    """Residuals and their derivatives, value by value: forward mode, so that no graph is built or walked."""
    columns = []
    with torch.no_grad():
        for unknown in range(len(unknowns)):
            with forward_ad.dual_level():
                seeded = list(unknowns)
                seeded[unknown] = forward_ad.make_dual(unknowns[unknown], torch.ones_like(unknowns[unknown]))
                pairs = [forward_ad.unpack_dual(value) for value in residual(*seeded)]
                columns.append([pair.tangent for pair in pairs])
        residuals = [pair.primal for pair in pairs]
    return residuals, [list(row) for row in zip(*columns)]
