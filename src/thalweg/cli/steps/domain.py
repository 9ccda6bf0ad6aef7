"""thalweg step domain: a dataset, or a folder of a user's own files, in; a domain and its table of places out."""

import hashlib
import json
from pathlib import Path

from thalweg.datasets import reader
from thalweg.schema import settings_from
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table


def arguments(parser):
    parser.add_argument("name", help="of the domain")
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset, or of your own files")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the domain, netCDF")
    parser.add_argument("--table", required=True, help="places kept and omitted, CSV")


def run(args):
    module = reader(json.loads(args.settings)["kind"])
    settings = settings_from(module.SETTINGS, args.settings)
    values = {name: value for name, value in settings if name not in ("kind", "dataset", "folder")}
    if values.get("period") is not None:
        values["period"] = tuple(map(str, values["period"]))
    domain, table = module.build(args.dataset, **values)
    source = _files(args.dataset) if hasattr(settings, "folder") else read_record(args.dataset)
    record = provenance(settings.model_dump(mode="json"), sources={args.name: source})
    write_netcdf(domain.to_tree(), args.output, record)
    write_table(table, args.table, record)


def _files(folder):
    """Hashes of a user's own files."""
    files = sorted(path for suffix in ("csv", "nc") for path in Path(folder).rglob(f"*.{suffix}"))
    return {"files": {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}}
