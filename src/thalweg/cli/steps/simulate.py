"""thalweg simulate: a domain, a split and weights in, discharge at the tested gauges out."""

import json

import torch

from thalweg.basin.domain import read_domain
from thalweg.experiments.run import climatology, simulate_experiment
from thalweg.learn import checkpoint
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import TrainingJob
from thalweg.storage.store import provenance, write_netcdf


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--settings", required=True, help="model, training, seeds, ... as JSON")
    parser.add_argument("--weights", help="weights, safetensors; none for climatology")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="discharge, netCDF")
    parser.add_argument("--parameters", help="learned parameters, netCDF; for a process")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(TrainingJob, args.settings)
    domain = read_domain(args.domain)
    splits = read_splits(args.splits)
    inputs = [path for path in (args.domain, args.splits, args.weights) if path]
    record = provenance(json.loads(args.settings), seed=job.seeds, inputs=inputs)
    if job.model.kind == "climatology":
        simulation, parameters = climatology(domain, splits, job.model.smoothing), None
    else:
        simulation, parameters = simulate_experiment(
            domain, splits, job.model, job.training, *checkpoint.load(args.weights)
        )
    simulation.attrs.update(zip(("domain", "experiment", "model"), args.names, strict=True))
    write_netcdf(simulation, args.output, record)
    if args.parameters:
        write_netcdf(parameters, args.parameters, record)
