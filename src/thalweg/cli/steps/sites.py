"""thalweg sites: a dataset, or a folder of tables of one's own, in; sites with forcing, attributes and samples out."""

import hashlib
import json
from pathlib import Path

from thalweg.datasets import own_sites, stream_temperature, thames
from thalweg.settings.blocks import settings_from
from thalweg.settings.site_datasets import OwnSitesSettings, StreamTemperatureSettings, ThamesSettings
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table

KINDS = {
    "thames": (thames.build, ThamesSettings),
    "stream-temperature": (stream_temperature.build, StreamTemperatureSettings),
    "own-sites": (own_sites.build, OwnSitesSettings),
}


def arguments(parser):
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset, or of tables of one's own")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the sites, netCDF")
    parser.add_argument("--table", required=True, help="sites kept and left out, CSV")


def run(args):
    build, kind = KINDS[json.loads(args.settings)["kind"]]
    settings = settings_from(kind, args.settings)
    values = {name: value for name, value in settings if name not in ("kind", "folder")}
    if "period" in values:
        values["period"] = tuple(map(str, values["period"]))
    sites, table = build(args.dataset, **values)
    if settings.kind == "own-sites":
        files = sorted(Path(args.dataset).glob("*.csv"))
        source = {"files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}}
    else:
        source = read_record(args.dataset)
    record = provenance(settings.model_dump(mode="json"), sources={sites.name: source})
    write_netcdf(sites.to_tree(), args.output, record)
    write_table(table, args.table, record)
