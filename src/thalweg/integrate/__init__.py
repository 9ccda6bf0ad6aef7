"""Marching a process through time, with exact gradients.

Two backends give the same numbers: ``reference`` is a loop of tensor operations, any process runs in it; ``fused``
traces the step once and runs the whole time loop in one compiled kernel.
"""

from thalweg.integrate.integrate import initial_state, integrate
from thalweg.integrate.trace import TraceError

__all__ = ["TraceError", "initial_state", "integrate"]
