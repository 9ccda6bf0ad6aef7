"""Marching a process through time, with exact gradients.

Two backends give the same numbers: ``reference`` is a loop of tensor operations, any process runs in it; ``fused``
traces the step once and runs the whole time loop in one compiled kernel. ``route`` marches reaches down a river network.
"""

from thalweg.integrate.disaggregate import daily_means, disaggregate
from thalweg.integrate.integrate import initial_state, integrate
from thalweg.integrate.river import route
from thalweg.integrate.trace import TraceError
from thalweg.integrate.upstream import accumulate, state_at_rest

__all__ = [
    "TraceError",
    "accumulate",
    "daily_means",
    "disaggregate",
    "initial_state",
    "integrate",
    "route",
    "state_at_rest",
]
