"""Cost of routing: Muskingum-Cunge down random networks, shallow and deep, with gradients.

    python benchmarks/routing.py [--sizes 1000 10000 100000] [--threads 1] [--repeats 3] [--peers] [--output FILE]

240 hourly steps in float32. ``forward`` is without gradients; ``forward+backward`` is with those to lateral inflow,
roughness and section. Every row is measured in a separate process: nanoseconds of CPU and of wall time for a reach
and a step, median and half the interquartile range, and the growth of the peak of memory over what was resident with all
inputs in place. Compiling, once per machine, and sorting the network, once per network, are in a call that is not counted
(above 4 s a call, in the first of three). A million reaches (``--sizes 1000000``) takes 10 GB. ``linear reservoir`` has one
constant parameter, for comparison.

--peers installs river-route and droute into virtual environments in a temporary folder, and times droute on the same
networks up to 10 000 reaches; packages that cannot be installed are listed with the reason.
"""

import argparse
import json
import os
import subprocess
import sys

import numpy as np
import torch
from peers.environment import ask, environment
from timing import Report, machine, measure, peak, resident, shown

STEPS, TIME_STEP = 240, 3600.0
DEPTH = {"shallow": 15, "deep": 200}  # a reach drains to one of the last (reaches / depth) before it
PEERS = {"river-route==2.1.0": None, "droute==0.6.1": "droute_times.py"}
LARGEST_FOR_PEERS = 10_000


def downstream(reaches, shape):
    """Position of the reach below each (reach,); -1 at the outlet, which is the first."""
    generator = np.random.default_rng(0)
    behind = generator.integers(1, max(2, reaches // DEPTH[shape]), reaches - 1)
    return np.concatenate([[-1], np.maximum(0, np.arange(1, reaches) - behind)])


def inputs(reaches):
    """Parameters of reaches over the range of real rivers, and lateral inflow (time, reach), with gradients."""
    generator = torch.Generator().manual_seed(0)

    def uniform(low, high):
        return low + (high - low) * torch.rand(reaches, generator=generator)

    parameters = {
        "roughness": uniform(0.02, 0.15).requires_grad_(),
        "width_coefficient": uniform(5, 40).requires_grad_(),
        "width_exponent": uniform(0.05, 0.9).requires_grad_(),
        "slope": 10 ** uniform(-3.7, -1.5),
        "length": uniform(500, 12000),
    }
    return parameters, (0.5 * torch.rand(STEPS, reaches, generator=generator)).requires_grad_()


def case(reaches, shape, kind, backward, threads, repeats):
    """One row, measured in this process: CPU and wall times, growth of the peak, number of levels."""
    from thalweg.basin.network import River
    from thalweg.integrate import route
    from thalweg.processes.routing.muskingum_cunge import linear_reservoir, muskingum_cunge

    torch.set_num_threads(threads)

    def prepared(reaches):
        down = downstream(reaches, shape)
        river = River(np.arange(reaches), np.where(down < 0, "", down.astype(str)))
        parameters, lateral = inputs(reaches)
        process = muskingum_cunge(TIME_STEP)
        if kind == "linear reservoir":
            process = linear_reservoir(TIME_STEP)
            parameters = {"residence_time": (0.5 * parameters["length"].detach()).requires_grad_()}
        wanted = [lateral, *(value for value in parameters.values() if value.requires_grad)]

        def run():
            if backward:
                torch.autograd.grad(route(process, river, lateral, parameters)[0].sum(), wanted)
            else:
                with torch.no_grad():
                    route(process, river, lateral, parameters)

        return run, river

    prepared(200)[0]()  # compiles, starts threads
    run, river = prepared(reaches)
    before = resident()
    times, _ = measure(run, repeats)
    return {"times": times.tolist(), "memory": peak() - before, "levels": len(river.levels)}


def in_a_process_of_its_own(*arguments):
    """The result of :func:`case`."""
    command = [sys.executable, __file__, "--case", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def row(report, label, shape, levels, reaches, backward, times, memory):
    """A row of the table; ``times`` in milliseconds (repeat, CPU and wall)."""
    each = 1e6 * np.array(times) / (reaches * STEPS)
    label_pass = "forward+backward" if backward else "forward"
    report.row(
        label, reaches, f"{shape}, {levels}", label_pass, shown(each[:, 0]), shown(each[:, 1]), f"{memory / 1e9:.2f}"
    )


def report_peers(report, sizes, repeats):
    """Rows of the installable peers; a line for each other one."""
    skipped = []
    for package, script in PEERS.items():
        try:
            with environment(package) as python:
                if script is None:
                    skipped.append(f"{package}: installs, but this script has no case for it yet")
                    continue
                for reaches in (size for size in sizes if size <= LARGEST_FOR_PEERS):
                    for shape in DEPTH:
                        parameters, lateral = inputs(reaches)
                        request = {name: value.detach().tolist() for name, value in parameters.items()}
                        request |= {"downstream": downstream(reaches, shape).tolist()}
                        request |= {"lateral_inflow": lateral.detach().tolist(), "time_step": TIME_STEP}
                        for backward in (False, True):
                            answer = ask(python, script, request | {"backward": backward, "repeats": repeats})
                            levels = in_levels(reaches, shape)
                            row(report, package, shape, levels, reaches, backward, answer["times"], answer["memory"])
        except RuntimeError as error:
            skipped.append(f"{package}: {reason(str(error))}")
    for line in skipped:
        report.text()
        report.text(f"Skipped, {line}")


def reason(message):
    """The most informative line of an installer's message."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for word in ("fatal:", "ERROR: Could not find", "error"):
        found = [line for line in lines if word.lower() in line.lower()]
        if found:
            return found[0]
    return lines[0]


def in_levels(reaches, shape):
    """Number of levels of a network."""
    depth = np.zeros(reaches, int)
    for here, below in enumerate(downstream(reaches, shape)):
        depth[here] = depth[below] + 1 if below >= 0 else 1
    return depth.max()


def main():
    if sys.argv[1:2] == ["--case"]:
        reaches, shape, kind, backward, threads, repeats = sys.argv[2:]
        return print(json.dumps(case(int(reaches), shape, kind, backward == "True", int(threads), int(repeats))))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000], help="reaches")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--peers", action="store_true", help="install river-route and droute separately and time them too"
    )
    parser.add_argument("--output", help="a file for the table, as Markdown")
    options = parser.parse_args()
    report = Report()
    report.text(f"{machine()}; torch {torch.__version__}; {STEPS} steps, float32, {options.repeats} repeats.")
    report.head("scheme, threads", "reaches", "network, levels", "pass", "CPU ns", "wall ns", "memory GB")
    for reaches in options.sizes:
        for kind in ("Muskingum-Cunge", "linear reservoir"):
            for shape in DEPTH:
                for threads in options.threads:
                    for backward in (False, True):
                        found = in_a_process_of_its_own(reaches, shape, kind, backward, threads, options.repeats)
                        label = f"{kind}, {threads}"
                        row(report, label, shape, found["levels"], reaches, backward, found["times"], found["memory"])
    if options.peers:
        report_peers(report, options.sizes, options.repeats)
    report.save(options.output)


if __name__ == "__main__":
    main()
