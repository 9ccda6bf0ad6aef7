"""thalweg signatures: simulations of an experiment in; the agreement of simulated and observed signatures over gauges out."""

import json

import pandas as pd

from thalweg.evaluation.signature_table import signature_table
from thalweg.experiments.simulation import read_simulation
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulations", nargs="+", required=True, help="discharge of the models, netCDF")
    parser.add_argument("--settings", required=True, help="minimum_days, as JSON")
    parser.add_argument("--output", required=True, help="rank correlation and medians by model and signature, CSV")


def run(args):
    settings = json.loads(args.settings)
    tables = [signature_table(read_simulation(path), settings["minimum_days"]) for path in args.simulations]
    write_table(pd.concat(tables, ignore_index=True), args.output, provenance(settings, inputs=args.simulations))
