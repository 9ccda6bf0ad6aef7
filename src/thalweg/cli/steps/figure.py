"""thalweg figure: tables in, a picture out, as PNG and PDF."""

import json
from pathlib import Path

from thalweg.registry import load
from thalweg.storage.store import provenance


def arguments(parser):
    parser.add_argument("name", help="of the figure: a file of thalweg.figures, or package.module:function")
    parser.add_argument("--arguments", required=True, help="keyword arguments of its function draw, as JSON")
    parser.add_argument("--output", required=True, help="path without suffix")


def run(args):
    settings = json.loads(args.arguments)
    figure = load("figure", args.name)
    figure = getattr(figure, "draw", figure)(**settings)
    inputs = [path for path in _strings(settings) if Path(path).is_file()]
    load("figure", "style").save(figure, args.output, provenance(settings, inputs=inputs))


def _strings(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
