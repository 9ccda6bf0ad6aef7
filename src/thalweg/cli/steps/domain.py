"""thalweg domain: a dataset in, a domain and its table of gauges out."""

import hashlib
import json
from pathlib import Path

from thalweg.datasets import camels_us, caravan, delaware, france, own_catchments, susquehanna
from thalweg.schema import settings_from
from thalweg.settings.blocks import DelawareSettings, SusquehannaSettings
from thalweg.settings.catchments import (
    CamelsUsSettings,
    CaravanSettings,
    FranceSettings,
    OwnCatchmentsSettings,
)
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table

BUILDERS = {
    "delaware": (delaware.build, DelawareSettings),
    "susquehanna": (susquehanna.build, SusquehannaSettings),
    "camels_us": (camels_us.build, CamelsUsSettings),
    "caravan": (caravan.build, CaravanSettings),
    "france": (france.build, FranceSettings),
    "own_catchments": (own_catchments.build, OwnCatchmentsSettings),
}


def arguments(parser):
    parser.add_argument("name", help="of the domain; the settings' kind says how it is built, where they have one")
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset, or of your own files")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the domain, netCDF")
    parser.add_argument("--table", required=True, help="gauges kept and left out, CSV")


def run(args):
    build, kind = BUILDERS[json.loads(args.settings).get("kind", args.name)]
    settings = settings_from(kind, args.settings)
    domain, table = build(args.dataset, **_arguments(settings))
    source = _files(args.dataset) if kind is OwnCatchmentsSettings else read_record(args.dataset)
    record = provenance(settings.model_dump(mode="json"), sources={args.name: source})
    write_netcdf(domain.to_tree(), args.output, record)
    write_table(table, args.table, record)


def _arguments(settings):
    """The block's keys as arguments of the builder."""
    values = {name: value for name, value in settings if name not in ("kind", "folder", "dataset")}
    return {**values, "period": tuple(map(str, values["period"])), "minimum_days": round(values["minimum_days"])}


def _files(folder):
    """Hashes of one's own files."""
    files = sorted(path for suffix in ("csv", "nc") for path in Path(folder).rglob(f"*.{suffix}"))
    return {"files": {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}}
