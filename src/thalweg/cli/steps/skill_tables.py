"""thalweg skill_tables: scores of one domain in; skill against the amount of training data, or against distance, out."""

import json

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.skill_tables import read_distances, skill_by_distance, skill_by_training_data
from thalweg.evaluation.statistics import read_skill
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--skill", required=True, help="all scores, CSV")
    parser.add_argument("--domain", required=True, metavar="NAME=PATH", help="the domain, for blocks of places")
    parser.add_argument("--splits", nargs="*", default=[], metavar="EXPERIMENT=PATH", help="tables of folds")
    parser.add_argument(
        "--settings", required=True, help="models, metric, variable, bootstrap_samples, and sweeps, as JSON"
    )
    parser.add_argument("--training-data", help="skill against the amount of training data (sweeps), CSV")
    parser.add_argument("--distance", help="skill against the distance to places that trained (splits), CSV")


def run(args):
    settings = json.loads(args.settings)
    name, path = args.domain.split("=", 1)
    splits = dict(text.split("=", 1) for text in args.splits)
    skill = read_skill(args.skill)
    skill = skill[(skill.domain == name) & (skill.variable == settings["variable"])]
    shared = {
        "models": settings["models"],
        "metric": settings["metric"],
        "samples": settings["bootstrap_samples"],
        "blocks": {name: read_blocks(path)},
        "source": f"{args.skill}: {name}",
    }
    record = provenance(settings, inputs=[args.skill, path, *splits.values()])
    if args.training_data:
        write_table(skill_by_training_data(skill, settings["sweeps"], **shared), args.training_data, record)
    if args.distance:
        tables = {experiment: read_distances(split) for experiment, split in splits.items()}
        write_table(skill_by_distance(skill, tables, **shared), args.distance, record)
