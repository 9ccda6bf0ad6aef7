"""Time the LSTM of the networks on the CPU, with large tensors on the system's small pages and on huge ones.

    python benchmarks/network.py [--repeats 9] [--threads 1] [--sizes 64x96x365 64x6x730]

Prints a table of milliseconds of CPU time and of wall time, median and half the interquartile range of the repeats, of
forward (without gradients, as in the spin-up) and forward with backward (to all weights). ``small`` is torch's default,
``huge`` the setting of thalweg at import (on Linux, where the system allows it); torch reads the setting once, so each has a
separate process. ``products`` are the matrix products of an LSTM alone, by torch.mm in the same order, on huge pages:
not a strict floor, because oneDNN's LSTM multiplies faster than torch.mm on some processors. The sizes are hidden x
units x days; the defaults are those of the default study, and two larger ones.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

INPUTS = 30  # forcings and attributes
KINDS = {"small": "0", "huge": "1", "products": "1"}


def lstm(hidden, units, days):
    """Functions for forward, and forward with backward."""
    import torch

    module, inputs = torch.nn.LSTM(INPUTS, hidden), torch.randn(days, units, INPUTS)

    def forward():
        with torch.no_grad():
            module(inputs)

    def both():
        torch.autograd.grad(module(inputs)[0].sum(), list(module.parameters()))

    return forward, both


def products(hidden, units, days):
    """Likewise, for the matrix products alone."""
    import torch

    inputs, weight = torch.randn(days * units, INPUTS), torch.randn(INPUTS, 4 * hidden)
    recurrent = torch.randn(hidden, 4 * hidden)
    state, states = torch.randn(units, hidden), torch.randn(days * units, hidden)
    gates, gradient = torch.empty(units, 4 * hidden), torch.randn(days * units, 4 * hidden)
    back = recurrent.T.contiguous()
    out = torch.empty(units, hidden)

    def forward():
        torch.mm(inputs, weight)
        for _ in range(days):
            torch.mm(state, recurrent, out=gates)

    def both():
        forward()
        for day in range(days):
            torch.mm(gradient[day * units : (day + 1) * units], back, out=out)
        torch.mm(gradient.T, states)
        torch.mm(gradient.T, inputs)

    return forward, both


def measure(function, repeats):
    """CPU and wall milliseconds of each repeat, after one uncounted call."""
    function()
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        times.append((1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)))
    return times


def child(kind, threads, size, repeats):
    """Print the times of one kind as JSON."""
    import torch

    torch.set_num_threads(threads)
    make = products if kind == "products" else lstm
    print(json.dumps([measure(function, repeats) for function in make(*map(int, size.split("x")))]))


def times(kind, *arguments):
    """Times of one kind, measured in a separate process: arrays (repeat, CPU and wall) of the two passes."""
    environment = os.environ | {"THP_MEM_ALLOC_ENABLE": KINDS[kind]}
    command = [sys.executable, __file__, "--child", kind, *map(str, arguments)]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [np.array(values) for values in json.loads(result.stdout)]


def shown(values):
    """Median and half the interquartile range."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:9.1f} ± {(high - low) / 2:5.1f}"


def main():
    if sys.argv[1:2] == ["--child"]:
        kind, threads, size, repeats = sys.argv[2:]
        return child(kind, int(threads), size, int(repeats))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--sizes", nargs="+", default=["64x96x365", "64x6x730", "64x765x365", "256x100x365"])
    options = parser.parse_args()
    print(
        f"{'size':<12} {'threads':<7} {'pass':<16} {'pages':<9} {'CPU ms':>17} {'wall ms':>17}  CPU of small pages, of products"
    )
    for size in options.sizes:
        for threads in options.threads:
            found = {kind: times(kind, threads, size, options.repeats) for kind in KINDS}
            for number, label in enumerate(("forward", "forward+backward")):
                cpu = {kind: np.median(passes[number][:, 0]) for kind, passes in found.items()}
                for kind, passes in found.items():
                    row = f"{size:<12} {threads:<7} {label:<16} {kind:<9}"
                    row += "".join(f" {shown(passes[number][:, column])}" for column in (0, 1))
                    print(f"{row}  {cpu[kind] / cpu['small']:18.2f}{cpu[kind] / cpu['products']:13.2f}", flush=True)


if __name__ == "__main__":
    main()
