"""The command ``thalweg``: verbs for people, and the steps of the workflow, each in a module that is imported when used."""

import argparse
import importlib
import sys

VERBS = {
    "config": "Print, check and document the configuration.",
    "fetch": "Download a dataset of the catalogue, verified and resumable.",
    "record": "Keep a small record of a study in docs/results, and the claims that the README shows.",
    "study": "Run a study, show how far it is and how much is left, or release what a killed run has locked.",
    "step": "Run one step of the workflow; its rules call these.",
}
STEPS = {
    "domain": "Bring a dataset, or your own files, into the canonical form: forcing, attributes, network, places, observed.",
    "split": "Decide which places train, validate and are tested in an experiment.",
    "train": "Train a model on every fold and seed of an experiment.",
    "simulate": "Simulate an experiment with a trained model, a climatology or an ensemble.",
    "score": "Compute the metrics of one simulation at every tested place.",
    "summarise": "Collect scores into medians with intervals and paired tests.",
    "recover": "Learn a river again that is known, because it was made.",
    "leaf": "Learn photosynthesis from curves of gas exchange and hold it against fits and baselines.",
    "canopy": "Learn a canopy from a flux tower and hold it against baselines.",
    "which_prior": "Let every prior learn discharge that every other made: is the one that made it found?",
    "claims": "Give a verdict on every claim, from scores and evidence.",
    "analyse": "Make the tables of an analysis.",
    "draw": "Draw the figures of a kind.",
    "cost": "Tell what each experiment cost in seconds, memory and steps.",
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
    try:
        parsed.run(parsed)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        if type(error).__module__.startswith("thalweg"):
            print(f"thalweg {parsed.name}: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        raise


def _add(parser, verbs, package, arguments):
    """Add a parser for each verb; only the module of the one that is called is imported."""
    group = parser.add_subparsers(metavar="VERB" if package == "thalweg.cli" else "STEP", required=True)
    added = {name: group.add_parser(name, help=text, description=text) for name, text in verbs.items()}
    called = arguments[0] if arguments else None
    if called in added and called != "step":
        module = importlib.import_module(f"{package}.{called}")
        module.arguments(added[called])
        added[called].set_defaults(run=module.run, name=called)
    return added
