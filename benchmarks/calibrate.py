"""Calibration of one catchment by gradients and by differential evolution, of the same process on the same days.

    python benchmarks/calibrate.py [--processes gr4j hbv] [--catchments 4] [--objective NSE] [--times 1 2] [--output FILE]

The catchments are the first of the dataset ``france`` (airGRdatasets): calibrated on 2000 to 2008, after a year of warm-up, and
tested on 2009 to 2018. Ours is ``thalweg.library.calibrate`` as it comes. Differential evolution is SciPy's (Storn & Price 1997),
with a population of ten for each parameter that is simulated in one batch by the same compiled kernel, without gradients; it stops
after as many seconds as ours took, or the given multiples. Compiling is not in the seconds. Simulations are runs of one parameter set
over the record; each of ours has a gradient too.
"""

import argparse
import sys
import time
import warnings

import numpy as np
import torch
from scipy.optimize import differential_evolution
from timing import Report, machine

from thalweg.datasets.france import read_catchment
from thalweg.library.calibrate import calibrate
from thalweg.library.process import process
from thalweg.storage.catalogue import load_catalogue
from thalweg.storage.fetch import fetch

COLUMNS = {
    "Ptot": "precipitation [mm]",
    "Temp": "temperature [degC]",
    "Evap": "potential_evapotranspiration [mm]",
}
PERIODS = {"calibration": ("2000", "2008"), "validation": ("2009", "2018")}
POPULATION = 10  # for each parameter, of differential evolution


def evolved(fit, seconds, seed):
    """Shares within the ranges found by differential evolution in some seconds; number of simulations."""
    task, goal = fit.task, fit.objective
    count = 0

    @torch.no_grad()
    def loss(shares):
        nonlocal count
        count += shares.shape[1] if shares.ndim > 1 else 1
        rows = torch.as_tensor(np.atleast_2d(shares.T), dtype=task.dtype)
        return goal.loss(task.simulate(rows), task.target).nan_to_num(1e6).numpy()

    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = differential_evolution(
            loss,
            [(0.0, 1.0)] * len(task.free),
            popsize=POPULATION,
            maxiter=100_000,
            tol=0,
            rng=seed,
            polish=False,
            vectorized=True,
            updating="deferred",
            callback=lambda *_, **__: time.perf_counter() - began > seconds,
        )
    return found.x, count, time.perf_counter() - began


def scores_of(fit, shares):
    """Scores in both periods of parameters given as shares of their ranges."""
    values = fit.task.parameters_of(torch.tensor(shares[None]))
    run = fit.model.run(fit.forcing, {name: one.item() for name, one in values.items()}, bounds="ignore")
    flow = run[("discharge" if "discharge" in run else "runoff")].to_numpy()
    result = {}
    for period, days in fit.periods.items():
        error = flow[days] - fit.observed[days]
        result[period] = 1 - (error**2).sum() / ((fit.observed[days] - fit.observed[days].mean()) ** 2).sum()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", nargs="+", default=["gr4j", "hbv"])
    parser.add_argument("--catchments", type=int, default=4)
    parser.add_argument("--objective", default="NSE")
    parser.add_argument(
        "--times", type=float, nargs="+", default=[1, 2], help="seconds of evolution, multiples of ours"
    )
    parser.add_argument("--starts", type=int, help="of ours (default: as it comes)")
    parser.add_argument("--steps", type=int, help="of Adam (default: as it comes)")
    parser.add_argument("--refine", type=int, help="evaluations of BFGS (default: as it comes)")
    parser.add_argument("--output", help="Markdown file")
    args = parser.parse_args()
    folder = fetch(load_catalogue("config/datasets.yaml")["france"], "data/france", progress=False)
    settings = {name: value for name in ("starts", "steps", "refine") if (value := getattr(args, name)) is not None}
    report = Report()
    report.text(
        f"{machine()}; torch {torch.__version__}, {torch.get_num_threads()} threads; float64; {args.objective}."
    )
    report.head("process", "catchment", "method", "seconds", "simulations", "NSE, calibration", "NSE, validation")
    collected = {}
    for name in args.processes:
        model, routing = process(name), name != "gr4j"
        for position, path in enumerate(sorted(folder.rglob("*.rda"))[: args.catchments]):
            row, series = read_catchment(path)
            given = {
                "objective": args.objective,
                "unit": "liter/second",
                "area": row["area"],
                "routing": routing,
                **PERIODS,
            }
            forcing = series.rename(columns=COLUMNS)
            if position == 0:
                warm = calibrate(model, forcing, series.Qls, **given, starts=2, steps=1, refine=2)
                evolved(warm, 0.1, 0)
            fit = calibrate(model, forcing, series.Qls, **given, **settings)
            rows = {"gradients": (fit.seconds, fit.evaluations, fit.scores.NSE.to_dict())}
            for times in args.times:
                shares, count, seconds = evolved(fit, times * fit.seconds, 0)
                rows[f"evolution, {times:g} times as long"] = (seconds, count, scores_of(fit, shares))
            for method, (seconds, count, scores) in rows.items():
                values = [f"{scores[period]:.4f}" for period in PERIODS]
                report.row(name, path.stem, method, f"{seconds:.1f}", count, *values)
                collected.setdefault((name, method), []).append((seconds, count, *scores.values()))
    report.head(
        "process", "method", "median seconds", "median simulations", "median NSE, calibration", "median NSE, validation"
    )
    for (name, method), rows in collected.items():
        seconds, count, first, second = np.median(rows, axis=0)
        report.row(name, method, f"{seconds:.1f}", f"{count:.0f}", f"{first:.4f}", f"{second:.4f}")
    report.text()
    report.text(f"Made with `{' '.join(sys.argv[1:])}`.")
    report.save(args.output)


if __name__ == "__main__":
    main()
