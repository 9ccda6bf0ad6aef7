"""thalweg step response: trained models in; what their runoff answers to changed forcing out, and the evidence."""

import json
from pathlib import Path

import torch

from thalweg.analysis.elasticity import respond_all, response_evidence
from thalweg.cli.evidence import add_arguments, read_daily, write
from thalweg.evaluation.blocks import block_labels
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import PhysicsJob


def arguments(parser):
    add_arguments(
        parser,
        "elasticities of every model, seed and gauge",
        domain="netCDF of the domain",
        splits="table of folds; the first is used",
        weights="of trained models, <model>.safetensors each",
    )
    parser.add_argument("--threads", type=int, default=1)


def run(args):
    torch.set_num_threads(args.threads)
    job, domain = settings_from(PhysicsJob, args.settings), read_daily(args.domain)
    table = respond_all(domain, read_splits(args.splits), job, {Path(path).stem: path for path in args.weights})
    rows = response_evidence(table, block_labels(domain.places), job.reference, job.bootstrap_samples)
    write(args, json.loads(args.settings), [args.domain, args.splits, *args.weights], table, rows)
