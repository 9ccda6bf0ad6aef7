"""The operations that a process may use beyond ``+ - * /`` and comparisons.

Each takes tensors (or numbers beside tensors) and, when an integrator traces a step, symbols: an object with a
method ``operation(name, *arguments)`` is asked to record the operation itself.

Subgradients at ties, the same in every backend: ``minimum`` and ``maximum`` pass half of the gradient to each
argument; ``clip`` passes the whole gradient at its bounds; ``where`` passes it to the branch taken.
"""

import torch

TINY = 1e-10


def _dispatch(name, function, *arguments):
    for argument in arguments:
        if not isinstance(argument, (torch.Tensor, float, int, bool)):
            return argument.operation(name, *arguments)
    return function(*arguments)


def _tensors(*arguments):
    like = next(a for a in arguments if isinstance(a, torch.Tensor) and a.is_floating_point())
    return [a if isinstance(a, torch.Tensor) else torch.full((), a, dtype=like.dtype, device=like.device) for a in arguments]


def minimum(a, b):
    """The smaller of two values."""
    return _dispatch("minimum", lambda a, b: torch.minimum(*_tensors(a, b)), a, b)


def maximum(a, b):
    """The larger of two values."""
    return _dispatch("maximum", lambda a, b: torch.maximum(*_tensors(a, b)), a, b)


def clip(x, low, high):
    """``x`` held between two numbers; either may be None."""
    if low is None:
        return _dispatch("clip_high", lambda x, high: torch.clamp(x, max=high), x, high)
    if high is None:
        return _dispatch("clip_low", lambda x, low: torch.clamp(x, min=low), x, low)
    return _dispatch("clip", lambda x, low, high: torch.clamp(x, low, high), x, low, high)


def where(condition, a, b):
    """``a`` where the condition holds, else ``b``; no gradient through the condition."""
    return _dispatch("where", lambda c, a, b: torch.where(c, *_tensors(a, b)), condition, a, b)


def exp(x):
    """The exponential."""
    return _dispatch("exp", torch.exp, x)


def log(x):
    """The natural logarithm."""
    return _dispatch("log", torch.log, x)


def power(x, exponent):
    """``x ** exponent`` for ``x >= 0``, as exp(exponent log(max(x, TINY))): finite gradients at an empty storage."""
    return exp(exponent * log(clip(x, TINY, None)))
