"""thalweg domain: a dataset in, a domain and its table of gauges out."""

import json

from thalweg.domains import delaware, susquehanna
from thalweg.fetch import read_record
from thalweg.store import provenance, write_netcdf, write_table

BUILDERS = {"delaware": delaware.build, "susquehanna": susquehanna.build}


def arguments(parser):
    parser.add_argument("name", choices=BUILDERS)
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the domain, netCDF")
    parser.add_argument("--table", required=True, help="gauges kept and left out, CSV")


def run(args):
    settings = json.loads(args.settings)
    domain, table = BUILDERS[args.name](args.dataset, **settings)
    record = provenance(settings, sources={args.name: read_record(args.dataset)})
    write_netcdf(domain.to_tree(), args.output, record)
    write_table(table, args.table, record)
