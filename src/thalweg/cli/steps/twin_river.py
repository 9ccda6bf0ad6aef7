"""thalweg recover: twin experiment of a river: a domain in, recovered parameters out."""

import json

import torch

from thalweg.analysis.twin_river import recover
from thalweg.basin.domain import read_domain
from thalweg.metrics.calendar import positions
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of a domain with reach geometry")
    parser.add_argument("--settings", required=True, help="period, seeds, steps, hidden and river_step as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", required=True, help="correlations and errors, CSV")
    parser.add_argument("--reaches", required=True, help="true and learned values of every reach, CSV")


def run(args):
    torch.set_num_threads(args.threads)
    settings = json.loads(args.settings)
    domain = read_domain(args.domain)
    days = positions(domain.forcing.time.values, *settings["period"])
    table, reaches = recover(
        domain, days, settings["seeds"], settings["steps"], settings["hidden"], settings["river_step"]
    )
    record = provenance(settings, seed=settings["seeds"], inputs=[args.domain])
    write_table(table, args.table, record)
    write_table(reaches, args.reaches, record)
