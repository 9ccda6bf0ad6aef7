"""thalweg step draw: what the figures of a kind read in, a picture of each out, as PNG and PDF."""

from thalweg.cli.calls import add_arguments, run_all
from thalweg.figures import style


def arguments(parser):
    add_arguments(parser, "figure", "thalweg.figures")


def run(args):
    run_all(args, "figure", "draw", style.save)
