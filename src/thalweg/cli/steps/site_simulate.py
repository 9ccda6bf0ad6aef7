"""thalweg site_simulate: sites, a split and weights in, what would be sampled on every day out."""

import json

import torch

from thalweg.basin.sites import read_sites
from thalweg.experiments.site_run import simulate_site_experiment, site_climatology
from thalweg.experiments.site_splits import read_site_splits
from thalweg.learn import checkpoint
from thalweg.settings.blocks import settings_from
from thalweg.settings.sites import SiteJob
from thalweg.storage.store import provenance, write_netcdf


def arguments(parser):
    parser.add_argument("--sites", required=True, help="netCDF of the sites")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--settings", required=True, help="model, training, variable, seeds, ... as JSON")
    parser.add_argument("--weights", help="weights, safetensors; none for climatology")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="simulation beside the samples, netCDF")
    parser.add_argument("--parameters", help="learned parameters, netCDF; for a process")
    parser.add_argument("--internals", help="fluxes of the first fold and seed, netCDF; for a process")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(SiteJob, args.settings)
    sites, splits = read_sites(args.sites), read_site_splits(args.splits)
    inputs = [path for path in (args.sites, args.splits, args.weights) if path]
    record = provenance(json.loads(args.settings), seed=job.seeds, inputs=inputs)
    if job.model.kind == "climatology":
        results = site_climatology(sites, splits, job.variable, job.model.harmonics), None, None
    else:
        results = simulate_site_experiment(sites, splits, job, *checkpoint.load(args.weights))
    for result, path in zip(results, (args.output, args.parameters, args.internals), strict=True):
        if path:
            result.attrs.update(zip(("domain", "experiment", "model"), args.names, strict=True))
            write_netcdf(result, path, record)
