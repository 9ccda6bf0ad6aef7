"""thalweg step attribution: simulations of processes in; correlations of their parameters with attributes, their stability and the evidence out."""

import json

from thalweg.analysis.parameters import attribute_all
from thalweg.basin.domain import read_domain
from thalweg.cli.evidence import add_arguments, write
from thalweg.experiments.simulation import read_simulation
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import PhysicsJob


def arguments(parser):
    add_arguments(
        parser,
        "correlations of every model, parameter and attribute",
        domain="netCDF of the domain",
        splits="table of folds",
        simulations="of processes whose parameters are learned from attributes, netCDF",
    )


def run(args):
    job = settings_from(PhysicsJob, args.settings)
    parameters = [read_simulation(path, "parameters") for path in args.simulations]
    parameters = {each.attrs["model"]: each for each in parameters}
    table, rows = attribute_all(read_domain(args.domain), read_splits(args.splits), job, parameters)
    write(args, json.loads(args.settings), [args.domain, args.splits, *args.simulations], table, rows)
