"""thalweg attribution: simulations of processes in; correlations of their parameters with attributes, their stability and the evidence out."""

import json

from thalweg.analysis.parameters import attribute_all
from thalweg.basin.domain import read_domain
from thalweg.evaluation.evidence import evidence_table
from thalweg.experiments.simulation import read_simulation
from thalweg.experiments.trained import PhysicsJob
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument(
        "--simulations",
        nargs="+",
        required=True,
        help="of processes whose parameters are learned from attributes, netCDF",
    )
    parser.add_argument("--settings", required=True, help="models and bootstrap_samples as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--table", required=True, help="correlations of every model, parameter and attribute, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def run(args):
    job = settings_from(PhysicsJob, args.settings)
    parameters = [read_simulation(path, "parameters") for path in args.simulations]
    parameters = {each.attrs["model"]: each for each in parameters}
    table, rows = attribute_all(read_domain(args.domain), read_splits(args.splits), job, parameters)
    record = provenance(json.loads(args.settings), inputs=[args.domain, args.splits, *args.simulations])
    table.insert(0, "domain", args.names[0])
    table.insert(1, "experiment", args.names[1])
    write_table(table, args.table, record)
    write_table(evidence_table(rows, *args.names), args.evidence, record)
