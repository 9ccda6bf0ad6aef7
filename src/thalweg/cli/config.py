"""thalweg config: print, check and document the configuration."""

import json
from pathlib import Path

import yaml

from thalweg.settings.files import names, read_study, resolved
from thalweg.storage.store import atomic

FOLDER = "config"


def arguments(parser):
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def add(action, text):
        added = actions.add_parser(action.__name__.strip("_"), help=text, description=text)
        added.set_defaults(action=action)
        return added

    show = add(_show, "Print the settings of a study: its file merged with the defaults, with every key.")
    check = add(_check, "Check all studies; an error names file, key, value and the allowed values.")
    docs = add(_docs, "Write the JSON schema of study files and the reference page of all keys.")
    resolve = add(_resolve, "Write settings passed as JSON to a YAML file; called by the workflow.")
    show.add_argument("study", help="name of a study file in the folder studies")
    for action in (show, check):
        action.add_argument("--folder", default=FOLDER, help="folder of config.yaml (default: %(default)s)")
    docs.add_argument("--root", default=".", help="folder of the Snakefile (default: %(default)s)")
    resolve.add_argument("--settings", required=True, help="settings of a whole study, as JSON")
    resolve.add_argument("--output", required=True, help="YAML file")


def run(args):
    args.action(args)


def _show(args):
    print(_yaml(resolved(read_study(args.folder, {"study": args.study}))), end="")


def _check(args):
    for name in names(args.folder):
        study = read_study(args.folder, {"study": name})
        experiments = sum(map(len, study.experiments.values()))
        print(f"{name}: {experiments} experiments, {len(study.models)} models, {len(study.claims)} claims")


def _docs(args):
    from thalweg.settings.reference import PAGE, SCHEMA, page, schema_text

    for path, text in ((SCHEMA, schema_text()), (PAGE, page())):
        with atomic(Path(args.root, path)) as temporary:
            temporary.write_text(text)


def _resolve(args):
    with atomic(args.output) as temporary:
        temporary.write_text(_yaml(json.loads(args.settings)))


def _yaml(values):
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
