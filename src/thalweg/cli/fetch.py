"""thalweg fetch: download a dataset of the catalogue to this machine."""

import difflib
import logging
import sys
from pathlib import Path

from thalweg.storage import installed
from thalweg.storage.catalogue import CatalogueError, load_catalogue
from thalweg.storage.fetch import MIRROR, FetchError, fetch


def arguments(parser):
    parser.add_argument("name", nargs="?", help="the dataset's name in the catalogue")
    parser.add_argument("--list", action="store_true", help="list the catalogue and stop")
    parser.add_argument("--catalogue", type=Path, help="by default that of the package")
    parser.add_argument("--into", type=Path, help="the folder to fill (default: data/NAME)")
    parser.add_argument("--mirror", type=Path, help=f"a folder searched first, by hash (default: ${MIRROR})")


def run(args):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        catalogue = load_catalogue(args.catalogue or installed.config("datasets.yaml"))
        if args.list:
            for dataset in catalogue.values():
                print(_line(dataset))
            return
        fetch(_choose(catalogue, args.name), args.into or Path("data") / args.name, mirror=args.mirror)
    except (CatalogueError, FetchError) as error:
        sys.exit(f"thalweg fetch: {error}")


def _line(dataset):
    terms = f"{dataset.version:<10} {dataset.kind:<6} {dataset.size / 1e6:8.1f} MB"
    return f"{dataset.name:<14} {terms}  {dataset.note}\n{'':<14} licence: {dataset.licence}"


def _choose(catalogue, name):
    if name in catalogue:
        return catalogue[name]
    if name is None:
        raise CatalogueError(f"pass the name of a dataset: {', '.join(catalogue)}")
    close = difflib.get_close_matches(name, catalogue, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"available: {', '.join(catalogue)}"
    raise CatalogueError(f"no dataset {name!r} in the catalogue; {hint}")
