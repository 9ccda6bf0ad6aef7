"""thalweg domain: a dataset in, a domain and its table of gauges out."""

from thalweg.domains import delaware, susquehanna
from thalweg.fetch import read_record
from thalweg.store import provenance, write_netcdf, write_table
from thalweg.study.settings import DelawareSettings, SusquehannaSettings, settings_from

BUILDERS = {"delaware": (delaware.build, DelawareSettings), "susquehanna": (susquehanna.build, SusquehannaSettings)}


def arguments(parser):
    parser.add_argument("name", choices=BUILDERS)
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the domain, netCDF")
    parser.add_argument("--table", required=True, help="gauges kept and left out, CSV")


def run(args):
    build, kind = BUILDERS[args.name]
    settings = settings_from(kind, args.settings)
    domain, table = build(args.dataset, **_arguments(settings))
    record = provenance(settings.model_dump(mode="json"), sources={args.name: read_record(args.dataset)})
    write_netcdf(domain.to_tree(), args.output, record)
    write_table(table, args.table, record)


def _arguments(settings):
    """The block's keys as arguments of the builder."""
    values = dict(settings)
    return {**values, "period": tuple(map(str, values["period"])), "minimum_days": round(values["minimum_days"])}
