"""Cost of the Basic Model Interface: milliseconds for a step, against a step within a prediction in one go.

    python benchmarks/bmi.py [--units 100] [--days 1000] [--repeats 5] [--output FILE]

Models of one member, trained for a few steps on a synthetic domain. ``interface`` is update and get_value of discharge, over a fifth of
the days; ``in one go`` is Model.predict divided by the days and the spin-up. ``state`` is save_state and load_state. Medians and half the
interquartile range of CPU times, after a first call that compiles.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from timing import Report, machine, measure, shown

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
KINDS = {
    "HBV, static": {"components": 8},
    "HBV, three dynamic parameters": {"components": 8, "hidden": 64, "dynamic": ["BETA", "K0", "PERC"]},
    "HBV and river": {"components": 8, "routing": "river"},
    "LSTM": {"model": "lstm", "hidden": 64},
}


def row(report, name, keys, options):
    from bmi_case import trained, write_case
    from conftest import make_domain
    from thalweg.library.bmi import BmiThalweg

    domain = make_domain(options.units, options.days, gauges=options.units, geometry="routing" in keys)
    model = trained(domain, seeds=(0,), **keys)
    in_one_go, _ = measure(lambda: model.predict(domain), options.repeats)
    steps = options.days + round(model.job.training.spin_up)
    with tempfile.TemporaryDirectory() as folder:
        path, state = write_case(folder, model, domain), Path(folder, "state.safetensors")
        bmi = BmiThalweg()
        bmi.initialize(str(path))
        discharge = bmi.get_output_var_names()[0]
        values, some = np.empty(options.units), options.days // 5

        def advance():
            bmi.load_state(state)
            for _ in range(some):
                bmi.update()
                bmi.get_value(discharge, values)

        def keep():
            bmi.save_state(state)
            bmi.load_state(state)

        bmi.save_state(state)
        stepped, _ = measure(advance, options.repeats)
        kept, _ = measure(keep, options.repeats)
    interface, together = stepped[:, 0] / some, in_one_go[:, 0] / steps
    report.row(
        name,
        shown(interface),
        f"{np.median(together):.3f}",
        f"{np.median(interface) / np.median(together):.0f}",
        shown(kept[:, 0]),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    report = Report()
    report.text(
        f"{machine()}; torch {torch.__version__}, {torch.get_num_threads()} threads; {options.units} units, {options.repeats} repeats. "
        "Milliseconds of CPU time."
    )
    report.head("model", "a step through the interface", "a step in one go", "ratio", "state written and read")
    for name, keys in KINDS.items():
        row(report, name, keys, options)
    report.save(options.output)


if __name__ == "__main__":
    main()
