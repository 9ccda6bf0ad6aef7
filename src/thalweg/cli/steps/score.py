"""thalweg score: one simulation in, its metrics at every tested gauge out."""

import json

import xarray as xr

from thalweg.evaluation.score import score
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulation", required=True, help="netCDF of the simulation")
    parser.add_argument("--study", required=True, help="name of the study, for the table")
    parser.add_argument("--settings", required=True, help="metrics and minimum_days, as JSON")
    parser.add_argument("--output", required=True, help="scores, CSV")


def run(args):
    settings = json.loads(args.settings)
    with xr.open_dataset(args.simulation, engine="h5netcdf") as simulation:
        table = score(simulation.load(), args.study, settings["metrics"], settings["minimum_days"])
    write_table(table, args.output, provenance(settings, inputs=[args.simulation]))
