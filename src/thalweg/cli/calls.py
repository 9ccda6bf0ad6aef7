"""Calls of a figure's or an analysis's function, one for each of its places."""

import inspect
import json
import sys
from pathlib import Path

from thalweg.registry import load
from thalweg.storage.store import provenance


def add_arguments(parser, kind, room):
    """Add the arguments of a step that calls a function for each place."""
    parser.add_argument("name", help=f"name of the {kind}: a file of {room}, or package.module:function")
    parser.add_argument(
        "--calls",
        required=True,
        help="a list with output (path without suffix), arguments and place (names of its parts) of each call, as JSON",
    )


def run_all(args, kind, function, write):
    """Call a function for each place and write what it returns; places after a failure are still processed.

    Args:
        args: of :func:`add_arguments`.
        kind: figure or analysis.
        function: name of the function in a module of the package.
        write: function of the returned value, the output and its provenance.

    Raises:
        Exception: the first one raised, after all calls were tried.
    """
    found = load(kind, args.name)
    found = getattr(found, function, found)
    taken, failed = inspect.signature(found).parameters, []
    everything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
    for call in json.loads(args.calls):
        arguments = {name: value for name, value in call["place"].items() if everything or name in taken}
        arguments |= call["arguments"]
        inputs = [path for path in _strings(call["arguments"]) if Path(path).is_file()]
        try:
            write(found(**arguments), call["output"], provenance(arguments, inputs=inputs))
        except Exception as error:
            print(f"{call['output']}: {error}", file=sys.stderr)
            failed.append(error)
    if failed:
        raise failed[0]


def _strings(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
