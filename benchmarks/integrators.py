"""Compare run times of the fused backend with the reference loop and, with --peers, with hydrodl2; in one run, in float32.

    python benchmarks/integrators.py [--peers] [--scaling] [--repeats 5] [--threads 1 2] [--sizes 100x16x730 531x16x730]
        [--peer-sizes 100x16x730] [--output FILE]

Prints markdown: milliseconds of CPU time and of wall time, median and half the interquartile range of the repeats, for
forward (without gradients) and forward with backward (to all parameters), with static parameters and with three per
day, averaged over components. Then the ratios, 30 years, the distance to the floor of the arithmetic, and rounding.
Compiling, once per machine and kernel, is not in the times: kernels are compiled in a separate cache, and this
time is printed separately.

--peers installs hydrodl2 (whose licence is for non-commercial use) into a virtual environment in a temporary folder,
and times its Hbv and Hbv_1_1p against ours with the same equations: both from the same raw parameters, gradients to
these. Hbv has 12 parameters when all are static and 13 with three per day, as its BETAET exists only per day. At 531
units a pass of theirs takes half a minute, so --peer-sizes omits them. --scaling is in growth.py.
"""

import argparse
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import floor
import growth
import numpy as np
import torch
from peers.environment import ask, environment
from timing import Report, machine, measure, shown

from thalweg.integrate import integrate
from thalweg.processes.runoff.hbv import hbv

DAILY = ("BETA", "K0", "BETAET")
PEERS = ("hydrodl2==1.4.0", f"torch=={torch.__version__.split('+')[0]}", "numpy")
THIRTY_YEARS = 10957
PASSES = ("forward", "forward+backward")


def inputs(process, units, components, days, daily=()):
    """Random forcing (time, unit) and raw parameters, whose sigmoids cover the ranges evenly."""
    generator = torch.Generator().manual_seed(0)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    forcing = {
        "precipitation": uniform(-20, 20, days, units).clamp(min=0),
        "temperature": uniform(-10, 20, days, units),
        "potential_evapotranspiration": uniform(0, 5, days, units),
    }
    raw = {
        p.name: torch.logit(uniform(0.001, 0.999, *((days,) if p.name in daily else ()), units, components))
        for p in process.parameters
    }
    return forcing, raw


def rescaled(process, raw):
    """Raw parameters mapped to their ranges."""
    return {p.name: p.low + (p.high - p.low) * torch.sigmoid(raw[p.name]) for p in process.parameters}


def calls(process, forcing, given, backend, raw=False):
    """pass -> function to time; ``given`` are parameters or raw parameters."""
    leaves = {name: values.detach().clone().requires_grad_() for name, values in given.items()}

    def runoff():
        parameters = rescaled(process, leaves) if raw else leaves
        return integrate(process, forcing, parameters, backend=backend, mean_components=True)[0]["runoff"]

    def forward():
        with torch.no_grad():
            return runoff()

    return dict(zip(PASSES, (forward, lambda: torch.autograd.grad(runoff().sum(), list(leaves.values())))))


class Table:
    """The table of times, and the medians (CPU, wall) by key for the ratios."""

    def __init__(self, report, repeats):
        self.report, self.repeats = report, repeats
        self.medians, self.compiling = {}, {}

    def row(self, key, times):
        """Print the times of a key (threads, size, parameters, pass, backend)."""
        self.medians[key] = np.median(times, axis=0)
        self.report.row(*key, shown(times[:, 0]), shown(times[:, 1]))

    def ours(self, key, functions, backend):
        """Time and print our passes; the first call of a kernel compiles it."""
        for name, function in functions.items():
            times, first = measure(function, self.repeats)
            self.row((*key, name, backend), times)
            if backend != "reference":
                self.compiling.setdefault((key[2], name, backend), first - np.median(times[:, 1]) / 1e3)

    def theirs(self, key, model, daily, python, forcing, raw, flow):
        """Time and print a peer's passes; the largest difference of its flow to ours, as a share of the largest flow."""
        with tempfile.TemporaryDirectory() as folder:
            files = {name: str(Path(folder) / f"{name}.pt") for name in ("inputs", "flow")}
            torch.save({"forcing": torch.stack(list(forcing.values()), -1), "raw": raw}, files["inputs"])
            request = {"model": model, "daily": daily, "threads": key[0], "repeats": self.repeats, **files}
            answer = ask(python, "hydrodl2_times.py", request)
            difference = (torch.load(files["flow"]) - flow).abs().max() / flow.max()
        for name in PASSES:
            self.row((*key, name, model), np.array(answer[name]))
        return float(difference)


def table(report, options, python):
    """The table of times; returns it, and the difference of the peers' flow."""
    times, differences = Table(report, options.repeats), {}
    report.head("threads", "size", "parameters", "pass", "backend", "CPU ms", "wall ms")
    for threads in options.threads:
        torch.set_num_threads(threads)
        for size in options.sizes:
            for daily in ((), DAILY):
                key = (threads, size, f"{len(daily)} daily" if daily else "static")
                process = hbv()
                forcing, raw = inputs(process, *map(int, size.split("x")), daily)
                for backend in ("reference", "fused"):
                    times.ours(key, calls(process, forcing, rescaled(process, raw), backend), backend)
                for model in ("Hbv", "Hbv_1_1p") if python and size in options.peer_sizes else ():
                    process = hbv(
                        capillary_rise=model == "Hbv_1_1p", shaped_evapotranspiration=model != "Hbv" or bool(daily)
                    )
                    forcing, raw = inputs(process, *map(int, size.split("x")), daily)
                    functions = calls(process, forcing, raw, "fused", raw=True)
                    times.ours(key, functions, f"fused as {model}")
                    flow = functions["forward"]()
                    difference = times.theirs(key, model, daily, python, forcing, raw, flow)
                    differences[model] = max(difference, differences.get(model, 0))
    return times, differences


def ratios(report, options, medians):
    """Speed-up of fused, forward with backward."""
    report.text()
    report.text("How many times less time fused takes, forward and backward (targets in brackets):")
    report.head(
        "against",
        "size",
        "parameters",
        *(f"CPU, {n} threads" for n in options.threads),
        *(f"wall, {n} threads" for n in options.threads),
    )
    targets = {("reference", 0): "30", ("reference", 1): "10", ("Hbv", 0): "50", ("Hbv_1_1p", 0): "250"}
    for other in ("reference", "Hbv", "Hbv_1_1p"):
        for number, size in enumerate(options.sizes):
            if not any(key[1] == size and key[-1] == other for key in medians):
                continue
            for parameters in ("static", f"{len(DAILY)} daily"):
                found = []
                for kind in (0, 1):
                    for n in options.threads:
                        key = (n, size, parameters, PASSES[1])
                        ours = medians[*key, "fused" if other == "reference" else f"fused as {other}"]
                        found.append(f"{medians[*key, other][kind] / ours[kind]:.0f}")
                if (other, number) in targets:
                    found[0] += f" [{targets[other, number]}]"
                report.row(other, size, parameters, *found)
    if set(options.threads) >= {1, 2}:
        report.text()
        report.text(
            "Wall time of the reference loop on one thread over fused on two: "
            + ", ".join(
                f"{size} {parameters} {medians[1, size, parameters, PASSES[1], 'reference'][1] / medians[2, size, parameters, PASSES[1], 'fused'][1]:.0f}"
                for size in options.sizes
                for parameters in ("static", f"{len(DAILY)} daily")
            )
            + " (targets 60 and 17, static)."
        )


def thirty_years(report, repeats):
    """30 years of 100 units on one thread: time, and the loss of accuracy by float32."""
    torch.set_num_threads(1)
    process = hbv()
    forcing, raw = inputs(process, 100, 16, THIRTY_YEARS)
    parameters = rescaled(process, raw)
    single = calls(process, forcing, parameters, "fused")
    both = {name: shown(measure(function, repeats)[0][:, 0]) for name, function in single.items()}
    report.text()
    report.text(
        f"30 years ({THIRTY_YEARS} days) of 100 units x 16, one thread, CPU ms: "
        + ", ".join(f"{n} {t}" for n, t in both.items())
        + "."
    )
    wide = [{name: values.double() for name, values in given.items()} for given in (forcing, parameters)]
    double = calls(process, *wide, "fused")
    narrow, exact = single["forward"]().double(), double["forward"]()
    discharge = ((narrow - exact).norm() / exact.norm()).item()
    error = [((a.double() - b).norm() / b.norm()).item() for a, b in zip(single[PASSES[1]](), double[PASSES[1]]())]
    names = process.parameter_names
    report.text(
        f"Over these, float32 differs from float64 (norm of the difference over norm) by {discharge:.1e} in discharge; in "
        f"gradients by {np.median(error):.1e} in the median over parameters, {max(error):.1e} at worst ({names[int(np.argmax(error))]})."
    )


def distance(report, repeats, size):
    """The measured time compared with the floor of the arithmetic."""
    torch.set_num_threads(1)
    units, components, days = map(int, size.split("x"))
    process = hbv()
    forcing, raw = inputs(process, units, components, days)
    costs = floor.nanoseconds()
    functions = calls(process, forcing, rescaled(process, raw), "fused")
    report.text()
    report.text(
        f"The floor of the arithmetic (floor.py), {size}, static, one thread. Measured cost of an operation on a lane, "
        "nanoseconds: " + ", ".join(f"{kind} {cost:.4f}" for kind, cost in costs.items()) + "."
    )
    report.head(
        "pass", *(f"{kind} operations" for kind in floor.KINDS), "floor ms", "measured CPU ms", "floor / measured"
    )
    for name, (counts, lane_day) in floor.of(process, components, costs).items():
        floor_time = lane_day * units * components * days / 1e6
        times = measure(functions[name], repeats)[0][:, 0]
        share = f"{100 * floor_time / np.median(times):.0f} %"
        report.row(name, *(counts[kind] for kind in floor.KINDS), f"{floor_time:.1f}", shown(times), share)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peers", action="store_true", help="install hydrodl2 separately and time it too (takes minutes)"
    )
    parser.add_argument(
        "--peer-sizes", nargs="+", default=["100x16x730"], help="the sizes for the peers, among --sizes"
    )
    parser.add_argument("--peer-python", help="with --peers: a Python with hydrodl2 installed")
    parser.add_argument("--scaling", action="store_true", help="growth with days, units and components; memory")
    parser.add_argument("--repeats", type=int, default=5, help="of each call; three of calls over 4 s")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sizes", nargs="+", default=["100x16x730", "531x16x730"], help="units x components x days")
    parser.add_argument("--output", help="file for the markdown")
    options = parser.parse_args()
    report = Report()
    with ExitStack() as stack:
        os.environ["THALWEG_CACHE"] = stack.enter_context(tempfile.TemporaryDirectory())
        python = options.peer_python
        if options.peers and not python:
            python = stack.enter_context(environment(*PEERS))
        report.text(f"{machine()}; torch {torch.__version__}; float32; HBV 1.1p; sizes are units x components x days.")
        times, differences = table(report, options, python)
        ratios(report, options, times.medians)
        for model, difference in differences.items():
            report.text(f"Flow of {model} and of ours differ by at most {difference:.1e} of the largest flow.")
        compiling = ", ".join(
            f"{backend} {kind} {name} {s:.1f}" for (kind, name, backend), s in times.compiling.items()
        )
        report.text()
        report.text(f"First calls took longer by these seconds, for compiling: {compiling}.")
        distance(report, options.repeats, options.sizes[0])
        thirty_years(report, options.repeats)
        if options.scaling:

            def make(*size):
                process = hbv()
                forcing, raw = inputs(process, *size)
                return calls(process, forcing, rescaled(process, raw), "fused")[PASSES[1]]

            growth.report_cost(report, make, options.repeats)
            growth.report_memory(report, max(options.threads))
    report.save(options.output)


if __name__ == "__main__":
    main()
