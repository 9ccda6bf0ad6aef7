"""thalweg trends: simulations of one experiment in; trends of annual flow beside observed ones out, and the evidence."""

import json

import pandas as pd

from thalweg.analysis.trends import flow_trends, trend_evidence
from thalweg.basin.domain import read_domain
from thalweg.evaluation.blocks import blocks_of
from thalweg.evaluation.evidence import evidence_table
from thalweg.experiments.simulation import read_simulation
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulations", nargs="+", required=True, help="netCDF of every model's simulation")
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--settings", required=True, help="reference and bootstrap_samples, as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--table", required=True, help="slopes of every model, gauge and flow, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def run(args):
    settings = json.loads(args.settings)
    domain = read_domain(args.domain)
    tables = []
    for path in args.simulations:
        simulation = read_simulation(path)
        days = domain.forcing.precipitation.sel(time=simulation.time).values
        tables.append(flow_trends(simulation, domain.catchment_weights @ days.T))
        tables[-1].insert(0, "model", simulation.attrs["model"])
    table = pd.concat(tables, ignore_index=True)
    blocks = pd.Series(blocks_of(domain.places), index=domain.place_ids)
    rows = trend_evidence(table, blocks, settings["reference"], settings["bootstrap_samples"])
    record = provenance(settings, inputs=[args.domain, *args.simulations])
    table.insert(0, "domain", args.names[0])
    table.insert(1, "experiment", args.names[1])
    write_table(table, args.table, record)
    write_table(evidence_table(rows, *args.names), args.evidence, record)
