"""thalweg step score: one simulation in, the metrics of all its variables at every tested place out."""

import json

import pandas as pd

from thalweg.basin.domain import days_of, step_of
from thalweg.basin.observables import observable
from thalweg.evaluation.score import score
from thalweg.experiments.simulation import read_variables
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulation", required=True, help="netCDF of the simulation")
    parser.add_argument("--study", required=True, help="name of the study, for the table")
    parser.add_argument(
        "--settings",
        required=True,
        help="metrics and minimum_days of what is recorded continuously, sample_metrics and minimum_samples of what is "
        "sampled, as JSON",
    )
    parser.add_argument("--output", required=True, help="scores, CSV")


def run(args):
    settings = json.loads(args.settings)
    tables = []
    for simulation in read_variables(args.simulation):
        if observable(simulation.attrs["variable"]).continuous:
            steps = round(settings["minimum_days"] / days_of(step_of(simulation.time.values)))
            tables.append(score(simulation, args.study, settings["metrics"], steps))
        else:
            tables.append(score(simulation, args.study, settings["sample_metrics"], settings["minimum_samples"]))
    write_table(pd.concat(tables, ignore_index=True), args.output, provenance(settings, inputs=[args.simulation]))
