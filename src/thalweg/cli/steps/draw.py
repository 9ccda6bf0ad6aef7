"""thalweg step draw: inputs of the figures of a kind in, each figure as PNG and PDF out."""

from thalweg.cli.calls import add_arguments, run_all
from thalweg.figures import style


def arguments(parser):
    add_arguments(parser, "figure", "thalweg.figures")


def run(args):
    run_all(args, "figure", "draw", style.save)
