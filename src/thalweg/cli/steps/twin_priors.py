"""thalweg twin_priors: twin experiment of priors: a domain in, scores of every prior on the discharge of every other out."""

import hashlib
import json
from pathlib import Path

import torch

from thalweg.analysis.twin_priors import run as twin_priors
from thalweg.basin.domain import read_domain
from thalweg.experiments.code import code_of
from thalweg.schema import settings_from
from thalweg.settings.twin import TwinPriorsStudy
from thalweg.storage.locks import exclusive
from thalweg.storage.store import provenance, write_table

TABLES = {
    "scores": "scores of every generator, candidate, seed and catchment, CSV",
    "confusion": "medians and ranks by generator and candidate, CSV",
    "margins": "each generator's own prior compared with the best other, CSV",
    "evidence": "evidence for claims, CSV",
}


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--settings", required=True, help="the block twin_priors of the configuration, as JSON")
    parser.add_argument(
        "--checkpoints", required=True, help="folder for checkpoints; an interrupted run resumes from it"
    )
    parser.add_argument("--threads", type=int, default=1)
    for name, text in TABLES.items():
        parser.add_argument(f"--{name}", required=True, help=text)


def run(args):
    torch.set_num_threads(args.threads)
    settings = settings_from(TwinPriorsStudy, args.settings)
    code = code_of("thalweg.cli.steps.twin_priors", settings.model_dump(mode="json", exclude={"priors"}))
    key = [code, hashlib.sha256(Path(args.domain).read_bytes()).hexdigest()]
    with exclusive(Path(args.checkpoints) / "running.lock", "twin_priors"):
        tables = twin_priors(read_domain(args.domain), settings, args.checkpoints, key)
    record = provenance(json.loads(args.settings), seed=settings.seeds, inputs=[args.domain])
    for name in TABLES:
        write_table(tables[name], getattr(args, name), record)
