"""Time the reference loop and the fused backend side by side, on HBV 1.1p in float32.

    python benchmarks/integrators.py [--repeats 5] [--threads 1] [--sizes 100x16x730 765x4x365]

Prints a table of milliseconds of CPU time and of wall time, median and half the interquartile range of the repeats,
for forward (without gradients) and forward with backward (to all parameters), with static parameters and with three
per day; fluxes are averaged over components. Compiling, once per machine and kernel, is not in the times and is
printed beside them.
"""

import argparse
import time

import numpy as np
import torch

from thalweg.integrate import integrate
from thalweg.processes import hbv

DYNAMIC = ("BETA", "K0", "BETAET")


def inputs(process, units, components, days, dynamic):
    """Random forcing (time, unit) and parameters over their whole ranges, with gradients."""
    generator = torch.Generator().manual_seed(0)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    forcing = {
        "precipitation": uniform(-20, 20, days, units).clamp(min=0),
        "temperature": uniform(-10, 20, days, units),
        "potential_evapotranspiration": uniform(0, 5, days, units),
    }
    parameters = {
        p.name: uniform(p.low, p.high, *((days,) if p.name in dynamic else ()), units, components).requires_grad_()
        for p in process.parameters
    }
    return forcing, parameters


def measure(function, repeats):
    """CPU and wall milliseconds of each repeat, after one call that is not counted; and that call's seconds."""
    start = time.perf_counter()
    function()
    first = time.perf_counter() - start
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return 1e3 * np.array(times), first


def shown(values):
    """Median and half the interquartile range."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:9.1f} ± {(high - low) / 2:5.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", default=["100x16x730", "765x4x365"], help="units x components x days")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    process = hbv()
    print(f"torch {torch.__version__}, {options.threads} threads, {options.repeats} repeats")
    print(f"{'size':<12} {'parameters':<10} {'pass':<16} {'backend':<9} {'CPU ms':>17} {'wall ms':>17}  first call s")
    for size in options.sizes:
        units, components, days = map(int, size.split("x"))
        for dynamic in ((), DYNAMIC):
            forcing, parameters = inputs(process, units, components, days, dynamic)

            def runoff(backend, forcing=forcing, parameters=parameters):
                return integrate(process, forcing, parameters, backend=backend, mean_components=True)[0]["runoff"]

            def forward(backend, runoff=runoff):
                with torch.no_grad():
                    runoff(backend)

            def both(backend, runoff=runoff, parameters=parameters):
                torch.autograd.grad(runoff(backend).sum(), list(parameters.values()))

            for label, function in (("forward", forward), ("forward+backward", both)):
                medians = {}
                for backend in ("reference", "fused"):
                    times, first = measure(lambda: function(backend), options.repeats)  # noqa: B023
                    medians[backend] = np.median(times[:, 0])
                    kind = f"{len(dynamic)} daily" if dynamic else "static"
                    row = f"{size:<12} {kind:<10} {label:<16} {backend:<9} {shown(times[:, 0])} {shown(times[:, 1])}"
                    ratio = f"  CPU ratio {medians['reference'] / medians['fused']:.0f}" if backend == "fused" else ""
                    print(f"{row}  {first:12.1f}{ratio}", flush=True)


if __name__ == "__main__":
    main()
