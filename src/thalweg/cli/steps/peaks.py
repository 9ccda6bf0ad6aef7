"""thalweg step peaks: simulations of one experiment in; errors of annual flood peaks by return period out, and the evidence."""

import json

import pandas as pd

from thalweg.analysis.flood_peaks import errors_by_class, peak_errors, peak_evidence
from thalweg.cli.evidence import add_arguments, read_daily, write
from thalweg.evaluation.blocks import block_labels
from thalweg.experiments.simulation import read_simulation


def arguments(parser):
    add_arguments(
        parser,
        "errors of every model and class of return period",
        simulations="netCDF of every model's simulation",
        domain="netCDF of the domain, with the whole record of discharge",
    )


def run(args):
    settings, domain = json.loads(args.settings), read_daily(args.domain)
    errors = []
    for path in args.simulations:
        simulation = read_simulation(path)
        errors.append(peak_errors(simulation, domain.observed_runoff).assign(model=simulation.attrs["model"]))
    errors, blocks = pd.concat(errors, ignore_index=True), block_labels(domain.places)
    table = errors_by_class(errors, blocks, settings["bootstrap_samples"])
    rows = peak_evidence(errors, blocks, settings["reference"], settings["bootstrap_samples"])
    write(args, settings, [args.domain, *args.simulations], table, rows)
