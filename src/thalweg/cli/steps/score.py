"""thalweg step score: the simulations of an experiment in, the metrics of all their variables at every tested place out."""

import json

import pandas as pd

from thalweg.basin.domain import days_of, step_of
from thalweg.basin.observables import observable
from thalweg.evaluation.score import score
from thalweg.experiments.simulation import read_variables
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulations", nargs="+", required=True, help="simulations of every model, netCDF")
    parser.add_argument("--study", required=True, help="name of the study, for the table")
    parser.add_argument(
        "--settings",
        required=True,
        help="metrics and minimum_days of continuous variables, sample_metrics and minimum_samples of those "
        "sampled, as JSON",
    )
    parser.add_argument("--output", required=True, help="scores, CSV")


def run(args):
    settings = json.loads(args.settings)
    tables = [_score(run, args.study, settings) for path in args.simulations for run in read_variables(path)]
    write_table(pd.concat(tables, ignore_index=True), args.output, provenance(settings, inputs=args.simulations))


def _score(simulation, study, settings):
    if not observable(simulation.attrs["variable"]).continuous:
        return score(simulation, study, settings["sample_metrics"], settings["minimum_samples"])
    steps = round(settings["minimum_days"] / days_of(step_of(simulation.time.values)))
    return score(simulation, study, settings["metrics"], steps)
