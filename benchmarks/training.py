"""Seconds of an epoch of the full model, with the shares of network and process, compared with dmg with hydrodl2.

    python benchmarks/training.py [--peers] [--repeats 3] [--threads 1 2] [--output FILE]

The task, the same for both: 100 synthetic catchments, each step a window of 365 days after 365 days of spin-up without
gradient, HBV 1.1p with 16 components and routing, the batch NSE loss, Adam; an epoch is 10 steps over all catchments.
With static parameters, and with three per day. Ours is the package's model: a perceptron on attributes gives static
parameters, an LSTM on forcing and attributes those per day. dmg's (version 1.5.0) is an LSTM over every day with all
parameters as outputs. Both have one hidden layer of 64, without dropout.

The shares are timed alone, forward and backward, on the windows of a step: the network up to the parameters, the
process with its spin-up from given parameters. Ours counts scaling of parameters and routing to the network, theirs to
the process. The rest is the loss, clipping and the optimiser. Compiling is not in the times.

--peers installs both (their licence is for non-commercial use) into a virtual environment in a temporary folder.
"""

import argparse
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from peers.environment import ask, environment
from timing import Report, machine, measure, shown

from thalweg.integrate import integrate
from thalweg.learn import networks
from thalweg.learn.losses.nse_batch import nse_batch
from thalweg.learn.windows import Window
from thalweg.processes.runoff.hbv import hbv

PEERS = ("dmg==1.5.0", "hydrodl2==1.4.0", f"torch=={torch.__version__.split('+')[0]}")
DAILY = ("BETA", "K0", "BETAET")
FORCINGS = hbv().forcing_names
UNITS, COMPONENTS, ATTRIBUTES, HIDDEN = 100, 16, 10, 64
WINDOW, SPIN_UP, STEPS = 365, 365, 10
DAYS = 2 * (WINDOW + SPIN_UP)


def data():
    """Synthetic forcing (time, unit, variable), its scaled form, attributes, and discharge to learn."""
    generator = torch.Generator().manual_seed(0)
    season = torch.sin(torch.arange(DAYS) * 2 * torch.pi / 365)[:, None]
    rain = 15 * torch.rand(DAYS, UNITS, generator=generator) ** 6
    warmth = 8 + 12 * season + 3 * torch.randn(DAYS, UNITS, generator=generator)
    potential = (1.5 + season + 0.2 * torch.randn(DAYS, UNITS, generator=generator)).clamp(min=0)
    forcing = torch.stack([rain, warmth, potential], -1)
    sequence = (forcing - forcing.mean((0, 1))) / forcing.std((0, 1))
    attributes = torch.randn(UNITS, ATTRIBUTES, generator=generator)
    observed = 0.5 * rain + 0.5 * rain.roll(1, 0)
    return {"forcing": forcing, "sequence": sequence, "attributes": attributes, "observed": observed}


@contextmanager
def replaced(function):
    """The model's integrate replaced."""
    networks.integrate = function
    try:
        yield
    finally:
        networks.integrate = integrate


class Ours:
    """Our model on the task, and the calls to time."""

    def __init__(self, inputs, daily, starts):
        torch.manual_seed(0)
        self.inputs, self.starts, self.losses = inputs, starts, []
        self.model = networks.ProcessModel(
            ("discharge",), hbv(), len(FORCINGS), ATTRIBUTES, COMPONENTS, "attributes", HIDDEN, 1, 0.0, daily
        )
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.window = self.draw(starts[0])[0]
        self.marches = []
        with replaced(self._recorded):
            self.model(self.window)

    def draw(self, start):
        """The window that begins on a day, and its observations."""
        end = start + SPIN_UP + WINDOW
        forcing = {name: self.inputs["forcing"][start:end, :, i].contiguous() for i, name in enumerate(FORCINGS)}
        drainage = SimpleNamespace(mean=lambda runoff: runoff)  # every catchment is a gauge
        window = Window(
            forcing, self.inputs["sequence"][start:end], self.inputs["attributes"], SPIN_UP, drainage, known={}
        )
        return window, self.inputs["observed"][start + SPIN_UP : end]

    def epoch(self):
        """Ten steps, as in thalweg.learn.train."""
        deviation = self.inputs["observed"].std(0)
        for start in self.starts:
            window, observed = self.draw(start)
            loss = nse_batch(self.model(window)["discharge"], observed, deviation)
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            self.losses.append(loss.item())

    def _recorded(self, process, forcing, parameters, state, **options):
        def leaf(given):
            return given and {name: v.detach().clone().requires_grad_(v.requires_grad) for name, v in given.items()}

        self.marches.append((process, forcing, leaf(parameters), leaf(state), options, torch.is_grad_enabled()))
        return integrate(process, forcing, parameters, state, **options)

    def process(self):
        """The process alone: the calls of a step, with gradients to the parameters where the step has them."""
        for process, forcing, parameters, state, options, differentiated in self.marches:
            with torch.set_grad_enabled(differentiated):
                fluxes, _ = integrate(process, forcing, parameters, state, **options)
            if differentiated:
                torch.autograd.grad(fluxes["runoff"].sum(), [v for v in parameters.values() if v.requires_grad])

    def network(self):
        """The network alone: a step without a process."""
        seen = []

        def nothing(process, forcing, parameters, state, **options):
            if torch.is_grad_enabled():
                seen.extend(parameters.values())
            return {"runoff": torch.zeros_like(forcing["precipitation"])}, None

        with replaced(nothing):
            runoff = self.model(self.window)["discharge"]
        sum([runoff.sum(), *(values.sum() for values in seen)]).backward()


def row(report, key, times, losses):
    """A row of the table; returns the median wall of the epoch."""
    times = {name: np.array(values) / 1e3 for name, values in times.items()}
    wall = {name: np.median(values[:, 1]) for name, values in times.items()}
    shares = [STEPS * wall[name] / wall["epoch"] for name in ("network", "process")]
    shares.append(1 - sum(shares))
    finite = "yes" if np.isfinite(losses).all() and losses[-1] < losses[0] else "no"
    cells = [shown(1e3 * times["epoch"][:, kind]) for kind in (0, 1)]
    report.row(*key, *cells, *(f"{100 * share:.0f} %" for share in shares), finite)
    return wall["epoch"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="install dmg and hydrodl2 separately and time them too")
    parser.add_argument("--peer-python", help="a Python with both installed")
    parser.add_argument("--repeats", type=int, default=5, help="epochs; three of slow ones")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--output", help="file for the markdown")
    options = parser.parse_args()
    report, inputs = Report(), data()
    starts = torch.randint(DAYS - WINDOW - SPIN_UP, (STEPS,), generator=torch.Generator().manual_seed(0)).tolist()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["THALWEG_CACHE"] = str(folder / "kernels")
        python = options.peer_python
        if options.peers and not python:
            try:
                python = stack.enter_context(environment(*PEERS))
            except RuntimeError as error:
                report.text(f"No times of dmg and hydrodl2: {error}")
        torch.save(inputs, folder / "inputs.pt")
        size = f"{UNITS} catchments x {COMPONENTS} components, window {WINDOW} days after {SPIN_UP} of spin-up"
        report.text(f"{machine()}; torch {torch.__version__}; {size}; an epoch is {STEPS} steps.")
        report.head(
            *("threads", "parameters", "model", "epoch CPU ms", "epoch wall ms", "network", "process", "rest"), "learns"
        )
        ratios = []
        for threads in options.threads:
            torch.set_num_threads(threads)
            for daily in ((), DAILY):
                kind = f"{len(daily)} daily" if daily else "static"
                ours = Ours(inputs, daily, starts)
                calls = {"network": ours.network, "process": ours.process, "epoch": ours.epoch}
                times = {name: measure(call, options.repeats)[0] for name, call in calls.items()}
                mine = row(report, (threads, kind, "thalweg"), times, ours.losses)
                if python:
                    request = {"threads": threads, "repeats": options.repeats, "daily": daily, "starts": starts}
                    request |= {"inputs": str(folder / "inputs.pt"), "spin_up": SPIN_UP, "window": WINDOW}
                    answer = ask(python, "dmg_times.py", request | {"components": COMPONENTS, "hidden": HIDDEN})
                    losses = answer.pop("losses")
                    theirs = row(report, (threads, kind, "dmg + hydrodl2"), answer, losses)
                    ratios.append(f"{kind}, {threads} threads {theirs / mine:.0f}")
        if ratios:
            report.text()
            report.text(f"Wall time of an epoch, dmg + hydrodl2 over thalweg: {'; '.join(ratios)}.")
    report.save(options.output)


if __name__ == "__main__":
    main()
