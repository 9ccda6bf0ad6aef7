"""thalweg step simulate: an experiment in, simulations of each of its models out.

The inputs depend on the kind of model: domain, split and weights of one that is trained; domain and split of a climatology; the
earlier simulations of its members, of an ensemble.
"""

import json
from pathlib import Path

import torch

from thalweg.basin.domain import read_domain
from thalweg.experiments.baselines import climatology
from thalweg.experiments.ensemble import ensemble
from thalweg.experiments.run import simulate_experiment
from thalweg.experiments.simulation import Simulation, read_variables
from thalweg.learn import checkpoint
from thalweg.metrics.calendar import read_splits
from thalweg.schema import validated
from thalweg.settings.blocks import TrainingJob
from thalweg.storage.store import provenance, write_netcdf


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--weights", nargs="*", default=[], help="weights of trained models, <model>.safetensors each")
    parser.add_argument("--settings", required=True, help="by model: model, training, variables, seeds, ... as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="folder of <model>.nc: simulation, parameters, internal fluxes")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    settings = json.loads(args.settings)
    jobs = {name: validated(TrainingJob, one) for name, one in settings.items()}
    weights = {Path(path).stem: path for path in args.weights}
    domain, splits = read_domain(args.domain), read_splits(args.splits)
    for name in sorted(jobs, key=lambda name: _rank(name, jobs)):
        job, members = jobs[name], []
        if job.model.kind == "ensemble":
            members = [f"{args.output}/{member}.nc" for member in job.model.members]
            simulation = _ensemble(members)
        elif job.model.kind == "climatology":
            parts = [climatology(domain, splits, variable, job.model).variables for variable in job.variables]
            simulation = Simulation({variable: part for each in parts for variable, part in each.items()})
        else:
            simulation = simulate_experiment(domain, splits, job, *checkpoint.load(weights[name]))
        inputs = members or [path for path in (args.domain, args.splits, weights.get(name)) if path]
        record = provenance(settings[name], seed=job.seeds, inputs=inputs)
        names = dict(zip(("domain", "experiment"), args.names)) | {"model": name}
        write_netcdf(simulation.to_tree(**names), f"{args.output}/{name}.nc", record)


def _ensemble(paths):
    members = [{part.attrs["variable"]: part for part in read_variables(path)} for path in paths]
    return Simulation({name: ensemble([member[name] for member in members]) for name in members[0]})


def _rank(name, jobs):
    """Members before their ensembles."""
    model = jobs[name].model
    return 1 + max(_rank(member, jobs) for member in model.members) if model.kind == "ensemble" else 0
