"""thalweg step summarise: scores in; the table of all scores, its summary and the paired tests out."""

import json

import pandas as pd

from thalweg.basin.observables import observable
from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.statistics import compare, summarise
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--scores", nargs="+", required=True, help="tables of thalweg score")
    parser.add_argument("--domains", nargs="*", default=[], metavar="NAME=PATH", help="domains, for blocks of places")
    parser.add_argument(
        "--settings",
        required=True,
        help="compared (metrics of continuous variables), sample_compared and bootstrap_samples, as JSON",
    )
    parser.add_argument("--skill", required=True, help="all scores, CSV")
    parser.add_argument("--summary", required=True, help="medians and intervals, CSV")
    parser.add_argument("--comparison", required=True, help="paired tests between models, CSV")


def run(args):
    settings = json.loads(args.settings)
    skill = pd.concat([pd.read_csv(path, dtype={"place": str}) for path in args.scores], ignore_index=True)
    domains = dict(text.split("=", 1) for text in args.domains)
    blocks = {name: read_blocks(path) for name, path in domains.items()} or None
    record = provenance(settings, inputs=[*args.scores, *domains.values()])
    samples = settings["bootstrap_samples"]
    write_table(skill, args.skill, record)
    write_table(summarise(skill, samples, blocks=blocks), args.summary, record)
    continuous = skill.variable.map(lambda name: observable(name).continuous).astype(bool)
    tests = [
        compare(rows, metric, samples, blocks=blocks)
        for rows, metrics in ((skill[continuous], "compared"), (skill[~continuous], "sample_compared"))
        for metric in settings[metrics]
        if metric in set(rows.metric)
    ]
    write_table(pd.concat(tests, ignore_index=True), args.comparison, record)
