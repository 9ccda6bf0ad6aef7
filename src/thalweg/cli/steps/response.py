"""thalweg response: trained models in; what their runoff answers to changed forcing out, and the evidence."""

import json
from pathlib import Path

import pandas as pd
import torch

from thalweg.analysis.elasticity import respond_all, response_evidence
from thalweg.basin.domain import read_domain
from thalweg.evaluation.blocks import blocks_of
from thalweg.evaluation.evidence import evidence_table
from thalweg.experiments.trained import PhysicsJob
from thalweg.metrics.calendar import read_splits
from thalweg.schema import settings_from
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--splits", required=True, help="table of folds; the first is used")
    parser.add_argument("--weights", nargs="+", required=True, help="of trained models, <model>.safetensors each")
    parser.add_argument("--settings", required=True, help="models, reference, minimum_days, bootstrap_samples as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", required=True, help="elasticities of every model, seed and gauge, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def run(args):
    torch.set_num_threads(args.threads)
    job = settings_from(PhysicsJob, args.settings)
    domain = read_domain(args.domain)
    weights = {Path(path).stem: path for path in args.weights}
    table = respond_all(domain, read_splits(args.splits), job, weights)
    blocks = pd.Series(blocks_of(domain.places), index=domain.place_ids)
    rows = response_evidence(table, blocks, job.reference, job.bootstrap_samples)
    record = provenance(json.loads(args.settings), inputs=[args.domain, args.splits, *args.weights])
    table.insert(0, "domain", args.names[0])
    table.insert(1, "experiment", args.names[1])
    write_table(table, args.table, record)
    write_table(evidence_table(rows, *args.names), args.evidence, record)
