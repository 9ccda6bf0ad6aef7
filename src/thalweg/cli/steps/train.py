"""thalweg step train: a domain and a split in, weights of every fold and seed and the training log out."""

import hashlib
import json
from pathlib import Path

import torch

from thalweg.basin.domain import read_domain
from thalweg.experiments.code import code_of
from thalweg.experiments.model_file import header_of, write_model
from thalweg.experiments.run import train_experiment
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import TrainingJob
from thalweg.storage.locks import exclusive
from thalweg.storage.store import provenance, sidecar, write_json, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--settings", required=True, help="model, training, variables, seeds, ... as JSON")
    parser.add_argument(
        "--checkpoints", required=True, help="folder for checkpoints; an interrupted run resumes from it"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", required=True, help="weights, safetensors")
    parser.add_argument("--log", required=True, help="losses by step, CSV")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(TrainingJob, args.settings)
    key = [
        code_of("thalweg.cli.steps.train", job.model_dump(mode="json")),
        hashlib.sha256(Path(args.domain).read_bytes()).hexdigest(),
    ]
    label = "/".join(args.names)
    with exclusive(Path(args.checkpoints) / "running.lock", f"training {label}"):
        domain, splits = read_domain(args.domain), read_splits(args.splits)
        tensors, values, log = train_experiment(domain, splits, job, args.checkpoints, key, label=label)
        record = provenance(json.loads(args.settings), seed=job.seeds, inputs=[args.domain, args.splits])
        for position, (name, value) in enumerate(zip(("domain", "experiment", "model"), args.names, strict=True)):
            log.insert(position, name, value)
        write_table(log, args.log, record)
        write_model(args.weights, tensors, header_of(job, domain, splits, values, record["datasets"]))
        write_json(record, sidecar(args.weights))
