"""thalweg step train: a domain and a split in, weights of every fold and seed and the training log of each model out.

A model is written as soon as it is trained. If one fails, the others are still trained, and the step fails at its end; what
they have learned is in their checkpoints.
"""

import hashlib
import json
import traceback
from pathlib import Path

import torch

from thalweg.basin.domain import read_domain
from thalweg.experiments.code import code_of
from thalweg.experiments.model_file import header_of, write_model
from thalweg.experiments.run import train_experiment
from thalweg.learn.train import TrainingError
from thalweg.metrics.calendar import read_splits
from thalweg.schema import validated
from thalweg.settings.blocks import TrainingJob
from thalweg.storage.locks import exclusive
from thalweg.storage.store import provenance, sidecar, write_json, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds")
    parser.add_argument("--settings", required=True, help="by model: model, training, variables, seeds, ... as JSON")
    parser.add_argument(
        "--checkpoints", required=True, help="folder for checkpoints by model; an interrupted run resumes from it"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--output", required=True, help="folder of <model>.safetensors, weights, and <model>.csv, losses by step"
    )
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)


def run(args):
    torch.set_num_threads(args.threads)
    settings = json.loads(args.settings)
    jobs = {name: validated(TrainingJob, one) for name, one in settings.items()}
    domain, splits = read_domain(args.domain), read_splits(args.splits)
    content = hashlib.sha256(Path(args.domain).read_bytes()).hexdigest()
    failures = {}
    for name, job in jobs.items():
        names = dict(zip(("domain", "experiment"), args.names), model=name)
        record = provenance(settings[name], seed=job.seeds, inputs=[args.domain, args.splits])
        key = [code_of("thalweg.cli.steps.train", job.model_dump(mode="json")), content]
        try:
            _train(domain, splits, job, names, args, key, record)
        except Exception as error:
            if len(jobs) == 1:
                raise
            if not type(error).__module__.startswith("thalweg"):
                traceback.print_exc()
            failures[name] = error
    if failures:
        raise TrainingError("; ".join(f"{name}: {error}" for name, error in failures.items()))


def _train(domain, splits, job, names, args, key, record):
    label, name = "/".join(names.values()), names["model"]
    folder = Path(args.checkpoints) / name
    with exclusive(folder / "running.lock", f"training {label}"):
        tensors, values, log = train_experiment(domain, splits, job, folder, key, label=label)
        for position, (column, value) in enumerate(names.items()):
            log.insert(position, column, value)
        weights = Path(args.output) / f"{name}.safetensors"
        write_table(log, weights.with_suffix(".csv"), record)
        write_model(weights, tensors, header_of(job, domain, splits, values, record["datasets"]))
        write_json(record, sidecar(weights))
