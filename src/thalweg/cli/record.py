"""thalweg record: a finished study in, a dated copy of its tables and figures and the README's table out."""

from pathlib import Path

import yaml

from thalweg.figures.record import record


def arguments(parser):
    parser.add_argument("--results", default="results/default", help="folder of the study (default: %(default)s)")
    parser.add_argument("--docs", default="docs/default", help="where the copies go (default: %(default)s)")
    parser.add_argument(
        "--readme", default="README.md", help="what it shows of the study is replaced (default: %(default)s)"
    )


def run(args):
    study = yaml.safe_load((Path(args.results) / "config.yaml").read_text())
    labels = {name: model["label"] for name, model in study["models"].items()}
    experiments = {
        (domain, name): experiment["label"]
        for domain, experiments in study["experiments"].items()
        for name, experiment in experiments.items()
    }
    record(args.results, args.docs, args.readme, labels, experiments, study["study"])
