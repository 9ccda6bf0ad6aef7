"""thalweg step simulate: an experiment in, what one model simulates in it out.

The model's kind decides what is needed: domain, split and weights of one that is trained; domain and split of a climatology; the
simulations of its members of an ensemble.
"""

import json

import torch

from thalweg.basin.domain import read_domain
from thalweg.experiments.baselines import climatology
from thalweg.experiments.ensemble import ensemble
from thalweg.experiments.run import simulate_experiment
from thalweg.experiments.simulation import Simulation, read_variables
from thalweg.learn import checkpoint
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import TrainingJob
from thalweg.storage.store import provenance, write_netcdf


def arguments(parser):
    parser.add_argument("--domain", help="netCDF of the domain; none for an ensemble")
    parser.add_argument("--splits", help="table of folds; none for an ensemble")
    parser.add_argument("--weights", help="weights, safetensors; of a model that is trained")
    parser.add_argument("--members", nargs="+", help="simulations of the members, netCDF; of an ensemble")
    parser.add_argument("--settings", required=True, help="model, training, variables, seeds, ... as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="simulation, parameters and internal fluxes, netCDF")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(TrainingJob, args.settings)
    inputs = [path for path in (args.domain, args.splits, args.weights, *(args.members or ())) if path]
    record = provenance(json.loads(args.settings), seed=job.seeds, inputs=inputs)
    names = dict(zip(("domain", "experiment", "model"), args.names, strict=True))
    write_netcdf(_simulation(args, job).to_tree(**names), args.output, record)


def _simulation(args, job):
    if job.model.kind == "ensemble":
        members = [{part.attrs["variable"]: part for part in read_variables(path)} for path in args.members]
        return Simulation({name: ensemble([member[name] for member in members]) for name in members[0]})
    domain, splits = read_domain(args.domain), read_splits(args.splits)
    if job.model.kind == "climatology":
        parts = [climatology(domain, splits, name, job.model).variables for name in job.variables]
        return Simulation({name: part for each in parts for name, part in each.items()})
    return simulate_experiment(domain, splits, job, *checkpoint.load(args.weights))
