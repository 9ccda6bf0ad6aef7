"""thalweg published: scores and published scores in; their comparison gauge by gauge out, and the evidence."""

import json

import pandas as pd

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.evidence import EVIDENCE_COLUMNS
from thalweg.evaluation.published import PublishedJob, compare_published, published_evidence
from thalweg.evaluation.statistics import read_skill
from thalweg.schema import settings_from
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--skill", required=True, help="all scores, CSV")
    parser.add_argument("--published", required=True, help="folder of the dataset published-scores")
    parser.add_argument(
        "--domains", nargs="+", required=True, metavar="NAME=PATH", help="domains, for blocks of gauges"
    )
    parser.add_argument(
        "--settings", required=True, help="experiments, with train, test and ungauged, and bootstrap_samples, as JSON"
    )
    parser.add_argument("--table", required=True, help="comparison, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def run(args):
    job = settings_from(PublishedJob, args.settings)
    domains = dict(text.split("=", 1) for text in args.domains)
    blocks = {name: read_blocks(path) for name, path in domains.items()}
    table = compare_published(read_skill(args.skill), args.published, blocks, job)
    record = provenance(json.loads(args.settings), inputs=[args.skill, *domains.values()])
    write_table(table, args.table, record)
    write_table(pd.DataFrame(published_evidence(table), columns=EVIDENCE_COLUMNS), args.evidence, record)
