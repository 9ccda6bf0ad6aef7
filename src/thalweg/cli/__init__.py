"""The command ``thalweg``: verbs for users, and the steps of the workflow, each in a module imported on use."""

import argparse
import importlib
import os
import sys
import warnings

VERBS = {
    "list": "List what there is by name: datasets, models, trained weights, processes, losses, metrics, ...",
    "train": "Train a model on your catchments or sites, and write it as one file.",
    "predict": "Simulate with a trained model, where nothing needs to be observed.",
    "evaluate": "Compute metrics of a prediction where there are observations.",
    "explain": "Say what a model thinks of a place: parameters, water balance, fluxes, elasticity.",
    "plot": "Draw a figure of a prediction.",
    "export": "Write a trained model of a study as one file, with its scores and calibrated intervals.",
    "config": "Print, check and document the configuration.",
    "new": "Write a process with its tests, a loss, metric, dataset, split, figure or analysis, to edit.",
    "fetch": "Download a dataset of the catalogue, verified and resumable.",
    "record": "Keep a small record of a study in docs/results, and update the claims of the README.",
    "study": "Run a study, show progress and remaining time, or release the lock of a killed run.",
    "step": "Run one step of the workflow; called by its rules.",
}
DEBUG = "THALWEG_DEBUG"  # variable with which errors that are not of the package show where they came from
STEPS = {
    "domain": "Convert a dataset, or your own files, to the canonical form: forcing, attributes, network, places, observed.",
    "split": "Choose the training, validation and test places of an experiment.",
    "train": "Train a model on every fold and seed of an experiment.",
    "simulate": "Simulate an experiment with a trained model, a climatology or an ensemble.",
    "score": "Compute the metrics of one simulation at every tested place.",
    "summarise": "Collect scores into medians with intervals and paired tests.",
    "twin_river": "Twin experiment: recover the parameters of a synthetic river.",
    "leaf": "Learn photosynthesis from curves of gas exchange and compare it with fits and baselines.",
    "canopy": "Learn a canopy from a flux tower and compare it with baselines.",
    "twin_priors": "Twin experiment: can the generating prior be identified from its discharge?",
    "claims": "Give a verdict on every claim, from scores and evidence.",
    "analyse": "Make the tables of an analysis.",
    "draw": "Draw the figures of a kind.",
    "explorer": "Write the page on which the places of a study can be explored.",
    "cost": "Report run time, memory and optimiser steps of each experiment.",
}


def main(arguments=None):
    """Run the verb named on the command line; expected errors end with one message and exit code 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="thalweg", description="A reproducible study of differentiable global hydrology, step by step."
    )
    verbs = _add(parser, VERBS, "thalweg.cli", arguments)
    _add(verbs["step"], STEPS, "thalweg.cli.steps", arguments[1:] if arguments[:1] == ["step"] else [])
    own = arguments.index("--") if arguments[:1] == ["study"] and "--" in arguments else len(arguments)
    parsed = parser.parse_args(arguments[:own], argparse.Namespace(more=arguments[own + 1 :]))
    warnings.showwarning = _warn
    try:
        parsed.run(parsed)
    except Exception as error:
        own = type(error).__module__.startswith("thalweg")
        if not own and (parsed.verb in STEPS or os.environ.get(DEBUG)):
            raise
        text = (
            str(error)
            if own or isinstance(error, OSError)
            else f"{type(error).__name__}: {error}; {DEBUG}=1 shows where"
        )
        print(f"thalweg {parsed.verb}: {text}", file=sys.stderr)
        raise SystemExit(1) from None


def _warn(message, category, filename, line, file=None, text=None):
    """Warnings of the package as one sentence; others as Python writes them."""
    if category.__module__.startswith("thalweg"):
        print(f"thalweg: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, line, text), end="", file=sys.stderr)


def _add(parser, verbs, package, arguments):
    """Add a parser for each verb; only the module of the called verb is imported."""
    group = parser.add_subparsers(metavar="VERB" if package == "thalweg.cli" else "STEP", required=True)
    added = {name: group.add_parser(name, help=text, description=text) for name, text in verbs.items()}
    called = arguments[0] if arguments else None
    if called in added and called != "step":
        module = importlib.import_module(f"{package}.{called}")
        module.arguments(added[called])
        added[called].set_defaults(run=module.run, verb=called)
    return added
