"""thalweg step trends: simulations of one experiment in; trends of annual flow beside observed ones out, and the evidence."""

import json

import pandas as pd

from thalweg.analysis.trends import flow_trends, trend_evidence
from thalweg.cli.evidence import add_arguments, read_daily, write
from thalweg.evaluation.blocks import block_labels
from thalweg.experiments.simulation import read_simulation


def arguments(parser):
    add_arguments(
        parser,
        "slopes of every model, gauge and flow",
        simulations="netCDF of every model's simulation",
        domain="netCDF of the domain",
    )


def run(args):
    settings, domain = json.loads(args.settings), read_daily(args.domain)
    tables = []
    for path in args.simulations:
        simulation = read_simulation(path)
        days = domain.forcing.precipitation.sel(time=simulation.time).values
        tables.append(flow_trends(simulation, domain.catchment_weights @ days.T))
        tables[-1].insert(0, "model", simulation.attrs["model"])
    table = pd.concat(tables, ignore_index=True)
    rows = trend_evidence(table, block_labels(domain.places), settings["reference"], settings["bootstrap_samples"])
    write(args, settings, [args.domain, *args.simulations], table, rows)
