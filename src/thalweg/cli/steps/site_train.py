"""thalweg site_train: sites and a split in, weights of every fold and seed and the training log out."""

import hashlib
import json
from pathlib import Path

import torch

from thalweg.basin.sites import read_sites
from thalweg.experiments.code import code_of
from thalweg.experiments.site_run import train_site_experiment
from thalweg.experiments.site_splits import read_site_splits
from thalweg.learn import checkpoint
from thalweg.settings.blocks import settings_from
from thalweg.settings.sites import SiteJob
from thalweg.storage.store import provenance, sidecar, write_json, write_table


def arguments(parser):
    parser.add_argument("--sites", required=True, help="netCDF of the sites")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--settings", required=True, help="model, training, variable, seeds, ... as JSON")
    parser.add_argument(
        "--checkpoints", required=True, help="folder for checkpoints; an interrupted run resumes from it"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", required=True, help="weights, safetensors")
    parser.add_argument("--log", required=True, help="losses by step, CSV")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(SiteJob, args.settings)
    code = code_of("thalweg.cli.steps.site_train", job.model_dump(mode="json"))
    key = [code, hashlib.sha256(Path(args.sites).read_bytes()).hexdigest()]
    tensors, values, log = train_site_experiment(
        read_sites(args.sites),
        read_site_splits(args.splits),
        job,
        args.checkpoints,
        key,
        label="/".join(args.names),
    )
    record = provenance(json.loads(args.settings), seed=job.seeds, inputs=[args.sites, args.splits])
    for position, (name, value) in enumerate(zip(("domain", "experiment", "model"), args.names, strict=True)):
        log.insert(position, name, value)
    write_table(log, args.log, record)
    checkpoint.save(args.weights, tensors, values)
    write_json(record, sidecar(args.weights))
