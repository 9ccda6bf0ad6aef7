"""Distance of the compiled kernels from the limit of the processor.

The floor is the time of the arithmetic alone: the operations in the emitted kernels for a lane (a unit and
component) and day, times the cost of each kind when vectors of independent numbers, all in the first cache, pass
through it. Additions, multiplications, comparisons, selections and so on count as one operation of the same cost.
Loads, stores, the way between days and between units and components, and waiting for a result cost nothing in it, so
no kernel with these operations reaches it. Operations cheaper than the floor's mean (a fused multiply-add,
an operation that the compiler shares) makes it a floor of this arithmetic, not of every possible one.
"""

import re
import time
from collections import Counter

import numpy as np
from numba import njit

from thalweg.integrate import emit_numba, lanes
from thalweg.integrate.fused import Plan
from thalweg.integrate.trace import trace

LANES = 1024  # numbers, 4 kB
CHAIN = 32  # operations in a row on each number
KINDS = ("simple", "divide", "exp", "log")
exp, log = lanes.exp_float32, lanes.log_float32


@njit(error_model="numpy")
def simple(x, a, b, times):
    for _ in range(times):
        for j in range(LANES):
            value = x[j]
            for _ in range(CHAIN // 2):
                value = value * a + b  # two operations: without fast mathematics the compiler does not fuse them
            x[j] = value


@njit(error_model="numpy")
def divide(x, a, b, times):
    for _ in range(times):
        for j in range(LANES):
            x[j] = a / (x[j] / b)


@njit(error_model="numpy")
def exponential(x, a, b, times):
    for _ in range(times):
        for j in range(LANES):
            x[j] = exp(exp(x[j] * a) * b)


@njit(error_model="numpy")
def logarithm(x, a, b, times):
    for _ in range(times):
        for j in range(LANES):
            x[j] = log(log(x[j] + a) + b)


def nanoseconds(times=3000, repeats=9):
    """Measured cost of an operation on one number: kind -> nanoseconds, the median of the repeats."""
    a, b = np.float32(0.75), np.float32(1.5)
    costs = {}
    for kind, function, count in zip(KINDS, (simple, divide, exponential, logarithm), (CHAIN, 2, 2, 2)):
        seconds = []
        for _ in range(repeats + 1):
            x = np.linspace(1, 2, LANES, dtype=np.float32)
            start = time.process_time()
            function(x, a, b, times)
            seconds.append(time.process_time() - start)
        costs[kind] = 1e9 * float(np.median(seconds[1:])) / (times * LANES * count)
    return costs


def operations(source):
    """Operations of an emitted kernel for a lane and day, by kind; the loops over lanes are all counted once."""
    counts = Counter()
    for form in re.findall(r"^ +v\d+ = (.*)$", source, re.MULTILINE):
        if form.startswith(("exp(", "log(")):
            counts[form[:3]] += 1
        elif " / " in form:
            counts["divide"] += 1
        elif not form.startswith("work["):
            counts["simple"] += max(1, form.count("lanes.select"))  # clip is two
    return counts


def of(process, components, costs):
    """Operations and the floor of a process with static parameters, for runoff, to all parameters.

    Returns:
        dict: pass -> (operations by kind, nanoseconds for a lane and day).
    """
    plan, lanes_of_block = Plan(("runoff",), frozenset(), True, "float32"), emit_numba.block(components)
    step = trace(process)
    wanted = tuple(("parameter", name) for name in process.parameter_names)
    forward = operations(emit_numba.forward(step, plan, lanes_of_block))
    both = forward + operations(emit_numba.backward(step, plan, lanes_of_block, ("runoff",), wanted))
    return {
        name: (counts, sum(counts[kind] * costs[kind] for kind in KINDS))
        for name, counts in (("forward", forward), ("forward+backward", both))
    }
