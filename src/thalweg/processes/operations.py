"""The operations that a process may use beyond ``+ - * /``, ``**`` with a whole number, comparisons, ``& | ~``.

Each takes tensors (or numbers together with tensors) and, when an integrator traces a step, symbols: an object with a
method ``operation(name, *arguments)`` records the operation itself.

Subgradients at ties, the same in every backend: ``minimum`` and ``maximum`` pass half of the gradient to each
argument; ``clip`` passes the whole gradient at its bounds; ``where`` passes it to the branch taken.
"""

import torch

TINY = 1e-10


def _dispatch(name, function, *arguments):
    for argument in arguments:
        if not isinstance(argument, (torch.Tensor, float, int)):
            if not hasattr(argument, "operation"):
                raise TypeError(f"{name} takes tensors, symbols and numbers, not a {type(argument).__name__}")
            return argument.operation(name, *arguments)
    return function(*arguments)


def _tensors(*arguments):
    like = next((a for a in arguments if isinstance(a, torch.Tensor)), None)
    if like is None:
        raise TypeError(f"{' and '.join(map(repr, arguments))} are both numbers: one must be a tensor")
    return [
        a if isinstance(a, torch.Tensor) else torch.full((), a, dtype=like.dtype, device=like.device) for a in arguments
    ]


def minimum(a, b):
    """The smaller of two values."""
    return _dispatch("minimum", lambda a, b: torch.minimum(*_tensors(a, b)), a, b)


def maximum(a, b):
    """The larger of two values."""
    return _dispatch("maximum", lambda a, b: torch.maximum(*_tensors(a, b)), a, b)


def clip(x, low, high):
    """``x`` limited to two numbers, ``low <= high``; either may be None. For other bounds use minimum and maximum."""
    for bound in (low, high):
        if not (bound is None or isinstance(bound, (float, int))):
            raise TypeError(f"clip takes numbers as bounds, not a {type(bound).__name__}; use minimum or maximum")
    if low is None:
        return _dispatch("clip_high", lambda x, high: torch.clamp(x, max=high), x, high)
    if high is None:
        return _dispatch("clip_low", lambda x, low: torch.clamp(x, min=low), x, low)
    if low > high:
        raise ValueError(f"clip: low {low} is above high {high}")
    return _dispatch("clip", lambda x, low, high: torch.clamp(x, low, high), x, low, high)


def where(condition, a, b):
    """``a`` where the condition holds, else ``b`` (one of them not a number); no gradient through the condition."""
    return _dispatch("where", lambda c, a, b: torch.where(c, *_tensors(a, b)), condition, a, b)


def exp(x):
    """The exponential."""
    return _dispatch("exp", torch.exp, x)


def log(x):
    """The natural logarithm."""
    return _dispatch("log", torch.log, x)


def sqrt(x):
    """The square root; its gradient at 0 is infinite."""
    return _dispatch("sqrt", torch.sqrt, x)


def power(x, exponent):
    """``x ** exponent`` for ``x >= 0``, as exp(exponent log(max(x, TINY))): finite gradients at an empty storage."""
    return exp(exponent * log(clip(x, TINY, None)))
