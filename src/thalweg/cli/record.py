"""thalweg record: make a small record of a finished study's tables and pictures, and update the claims of the README."""

from pathlib import Path

from thalweg.figures.record import record


def arguments(parser):
    parser.add_argument("--results", default="results/default", help="folder of the study (default: %(default)s)")
    parser.add_argument("--docs", help="folder of the record (default: docs/results and the study's name)")
    parser.add_argument(
        "--readme", default="README.md", help="its claims are updated if it shows this study (default: %(default)s)"
    )


def run(args):
    record(args.results, args.docs or Path("docs/results") / Path(args.results).name, args.readme)
