"""thalweg config: the default configuration and its schema, written from the code or checked against it."""

import json
from pathlib import Path

import yaml

from thalweg.settings.files import ConfigError, default_text, schema_text
from thalweg.storage.store import atomic


def arguments(parser):
    parser.add_argument("--write", action="store_true", help="write the files; without it they are only compared")
    parser.add_argument("--resolve", help="a whole configuration as JSON, to be written to --output as YAML")
    parser.add_argument("--output", help="where the resolved configuration goes")
    parser.add_argument("--root", default=".", help="folder of the Snakefile")


def run(args):
    if args.resolve:
        with atomic(args.output) as temporary:
            temporary.write_text(yaml.safe_dump(json.loads(args.resolve), sort_keys=False, allow_unicode=True))
        return
    root = Path(args.root)
    files = {root / "config/config.yaml": default_text(), root / "workflow/schemas/config.schema.json": schema_text()}
    for path, text in files.items():
        if args.write:
            with atomic(path) as temporary:
                temporary.write_text(text)
        elif not path.exists() or path.read_text() != text:
            raise ConfigError(f"{path}: differs from src/thalweg/settings/study.py; run 'thalweg config --write'")
