"""thalweg peaks: simulations of one experiment in; errors of annual flood peaks by return period out, and the evidence."""

import json

import pandas as pd

from thalweg.analysis.flood_peaks import errors_by_class, peak_errors, peak_evidence
from thalweg.basin.domain import read_domain
from thalweg.evaluation.blocks import blocks_of
from thalweg.evaluation.evidence import evidence_table
from thalweg.experiments.simulation import read_simulation
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--simulations", nargs="+", required=True, help="netCDF of every model's simulation")
    parser.add_argument("--domain", required=True, help="netCDF of the domain, with the whole record of discharge")
    parser.add_argument("--settings", required=True, help="reference and bootstrap_samples, as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--table", required=True, help="errors of every model and class of return period, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def run(args):
    settings = json.loads(args.settings)
    domain = read_domain(args.domain)
    errors = []
    for path in args.simulations:
        simulation = read_simulation(path)
        errors.append(peak_errors(simulation, domain.observed_runoff).assign(model=simulation.attrs["model"]))
    errors = pd.concat(errors, ignore_index=True)
    blocks = pd.Series(blocks_of(domain.places), index=domain.place_ids)
    table = errors_by_class(errors, blocks, settings["bootstrap_samples"])
    rows = peak_evidence(errors, blocks, settings["reference"], settings["bootstrap_samples"])
    record = provenance(settings, inputs=[args.domain, *args.simulations])
    table.insert(0, "domain", args.names[0])
    table.insert(1, "experiment", args.names[1])
    write_table(table, args.table, record)
    write_table(evidence_table(rows, *args.names), args.evidence, record)
