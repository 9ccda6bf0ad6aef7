"""thalweg step untrained: trained processes in; their inner fluxes beside what observations say of them out, and the evidence."""

import json
from pathlib import Path

import torch

from thalweg.analysis.internal_fluxes import inner_fluxes_of_all, untrained_evidence
from thalweg.cli.evidence import add_arguments, read_daily, write
from thalweg.evaluation.blocks import block_labels
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import PhysicsJob


def arguments(parser):
    add_arguments(
        parser,
        "inner fluxes of every process, seed and gauge",
        domain="netCDF of the domain",
        splits="table of folds; the first is used",
        weights="of trained processes, <model>.safetensors each",
    )
    parser.add_argument("--threads", type=int, default=1)


def run(args):
    torch.set_num_threads(args.threads)
    job, domain = settings_from(PhysicsJob, args.settings), read_daily(args.domain)
    table = inner_fluxes_of_all(domain, read_splits(args.splits), job, {Path(path).stem: path for path in args.weights})
    rows = untrained_evidence(table, block_labels(domain.places), job.reference, job.bootstrap_samples)
    write(args, json.loads(args.settings), [args.domain, args.splits, *args.weights], table, rows)
