"""Growth of the cost of the compiled kernels with days, units and components, and their memory.

``integrators.py --scaling`` prints both. Memory is measured in a separate process for each case, as the growth of its
peak over what was resident just before a forward and backward pass, all inputs in place.
"""

import json
import subprocess
import sys

import numpy as np
import torch
from timing import measure, peak, resident

from thalweg.integrate import emit_numba, integrate
from thalweg.integrate.fused import Plan
from thalweg.integrate.trace import trace
from thalweg.processes.runoff.hbv import hbv

SERIES = {
    "days": [(100, 16, days) for days in (730, 1460, 2920, 5840, 10957)],
    "units": [(units, 16, 730) for units in (100, 200, 400, 800, 1600)],
    "components": [(100, components, 730) for components in (4, 8, 16, 32, 64)],
}
MEMORY_SIZE = (4000, 16, 3650)
CHECKPOINT_DAYS = (8, 32, 128)


def deviations(sizes, cost):
    """A straight line a + b size through the costs, weighted for relative error.

    Returns:
        (a, b, from_line, from_proportion): the line, and in per cent the largest distance of a cost from it, and from
        the best cost proportional to size.
    """
    sizes, cost = np.array(sizes, float), np.array(cost)
    line = np.stack([np.ones_like(sizes), sizes], axis=1) / cost[:, None]
    a, b = np.linalg.lstsq(line, np.ones_like(cost), rcond=None)[0]
    per_size = cost / sizes
    middle = (per_size.min() + per_size.max()) / 2
    return a, b, 100 * np.abs((a + b * sizes) / cost - 1).max(), 100 * (per_size.max() / middle - 1)


def report_cost(report, make, repeats):
    """Forward and backward of HBV 1.1p with static parameters on one thread, along each size.

    ``make(units, components, days)`` gives the function to time.
    """
    torch.set_num_threads(1)
    report.head("growing", "sizes", "CPU ms", "line through them, ms", "from the line", "from proportion")
    for name, cases in SERIES.items():
        sizes = [case[{"days": 2, "units": 0, "components": 1}[name]] for case in cases]
        cost = [float(np.median(measure(make(*case), repeats)[0][:, 0])) for case in cases]
        a, b, line, proportion = deviations(sizes, cost)
        shown = ", ".join(f"{value:.1f}" for value in cost)
        sizes = ", ".join(map(str, sizes))
        report.row(name, sizes, shown, f"{a:.2f} + {b:.5f} {name}", f"{line:.1f} %", f"{proportion:.1f} %")


def planned(units, components, days, interval, threads):
    """Bytes that a forward and backward pass should take beyond its inputs: static parameters, mean runoff, float32."""
    process = hbv()
    step = trace(process)
    plan, lanes = Plan(("runoff",), frozenset(), True, "float32"), emit_numba.block(components)
    wanted = tuple(("parameter", name) for name in process.parameter_names)
    source = emit_numba.backward(step, plan, lanes, ("runoff",), wanted)
    row = source.split("path = np.empty((interval, ")[1].split(" * LANES")[0]  # numbers kept for a day and lane
    numbers = {
        "flux": days * units,
        "checkpoints": -(-days // interval) * len(process.states) * units * components,
        "gradients": (len(process.parameters) + 2 * len(process.states)) * units * components,
        "path": threads * interval * int(row) * lanes,
    }
    return {name: 4 * number for name, number in numbers.items()}


def report_memory(report, threads):
    """Planned bytes compared with the measured growth of the peak, for some checkpoint intervals."""
    size = "x".join(map(str, MEMORY_SIZE))
    report.text()
    report.text(
        f"Memory of {size} (units x components x days), {threads} threads, in MB: the flux stored, the states of every "
        "so many days, gradients and states, the path between checkpoints, and the measured growth of the peak."
    )
    report.head("checkpoint_days", "flux", "checkpoints", "gradients", "path", "planned", "measured")
    for interval in CHECKPOINT_DAYS:
        parts = planned(*MEMORY_SIZE, interval, threads)
        command = [sys.executable, __file__, *map(str, (*MEMORY_SIZE, interval, threads))]
        measured = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        cells = [f"{value / 1e6:.1f}" for value in (*parts.values(), sum(parts.values()), measured)]
        report.row(interval, *cells)


def growth_of_peak(units, components, days, interval, threads):
    """Bytes by which the peak memory of this process grows in a forward and backward pass."""
    torch.set_num_threads(threads)
    process = hbv()

    def run(units, days):
        forcing = {name: torch.full((days, units), 2.0) for name in process.forcing_names}
        parameters = {
            p.name: torch.full((units, components), (p.low + p.high) / 2, requires_grad=True)
            for p in process.parameters
        }
        seed = torch.ones(days, units)
        before = resident()
        fluxes, _ = integrate(process, forcing, parameters, mean_components=True, checkpoint_days=interval)
        torch.autograd.grad(fluxes["runoff"], list(parameters.values()), seed)
        return peak() - before

    run(64, 200)  # compiles, starts threads
    return run(units, days)


if __name__ == "__main__":
    print(json.dumps(growth_of_peak(*map(int, sys.argv[1:]))))
