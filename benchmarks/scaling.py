"""Growth of cost: the process model with units and days, the river network with reaches.

    python benchmarks/scaling.py

prints medians of three repeats, in one process on one thread, and the exponent of a power law fitted to each series
(1 is linear).
"""

import resource
import time

import numpy as np
import torch

from thalweg.basin.network import River
from thalweg.integrate import integrate
from thalweg.processes.runoff.hbv import hbv

REPEATS = 3
COMPONENTS = 4


def timed(function):
    """Median CPU seconds of a call."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


def process_step(units, days):
    """Forward and backward of HBV with static parameters."""
    generator = torch.Generator().manual_seed(0)
    process = hbv()
    forcing = {
        "precipitation": 6 * torch.rand(days, units, generator=generator),
        "temperature": 20 * torch.rand(days, units, generator=generator) - 5,
        "potential_evapotranspiration": 3 * torch.rand(days, units, generator=generator),
    }
    parameters = {
        p.name: (p.low + (p.high - p.low) * torch.rand(units, COMPONENTS, generator=generator)).requires_grad_()
        for p in process.parameters
    }

    def call():
        fluxes, _ = integrate(process, forcing, parameters, mean_components=True)
        fluxes["runoff"].sum().backward()

    return call


def network_step(reaches):
    """Topology, accumulation and the upstream matrix of 100 gauges of a random dendritic network."""
    generator = np.random.default_rng(0)
    names = np.arange(reaches).astype(str)
    downstream = np.where(
        np.arange(reaches) > 0, (np.arange(reaches) * generator.random(reaches)).astype(int).astype(str), ""
    )

    def call():
        river = River(names, downstream)
        river.accumulate(np.ones(reaches))
        river.upstream(names[:: max(1, reaches // 100)])

    return call


def report(title, sizes, make):
    """Time a series of sizes; print a row each and the fitted exponent."""
    print(f"\n{title}")
    seconds = []
    for size in sizes:
        call = make(size)
        call()
        seconds.append(timed(call))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{size:>10,}  {seconds[-1]:9.3f} s CPU   peak so far {peak:6.2f} GB")
    exponent = np.polyfit(np.log(sizes[1:]), np.log(seconds[1:]), 1)[0]
    print(f"exponent {exponent:.2f} (without the smallest)")


if __name__ == "__main__":
    torch.set_num_threads(1)
    report(
        "HBV, units (365 days, 4 components), forward and backward",
        [100, 1000, 10_000, 50_000],
        lambda n: process_step(n, 365),
    )
    report(
        "HBV, days (500 units, 4 components), forward and backward",
        [365, 1460, 3650, 14_600],
        lambda n: process_step(500, n),
    )
    report("river network, reaches", [1000, 10_000, 100_000, 1_000_000], network_step)
