"""thalweg step analyse: what a declared analysis reads in, its table out."""

import json

from thalweg.registry import load
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("name", help="of the analysis: a file of thalweg.analysis, or package.module:function")
    parser.add_argument("--arguments", required=True, help="keyword arguments of its function, as JSON")
    parser.add_argument("--output", required=True, help="table, CSV")


def run(args):
    settings = json.loads(args.arguments)
    paths = [path for value in settings.values() for path in (value.values() if isinstance(value, dict) else [value])]
    table = load("analysis", args.name)(**settings)
    write_table(table, args.output, provenance(settings, inputs=[path for path in paths if "/" in path]))
