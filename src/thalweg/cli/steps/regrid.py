"""thalweg regrid: grids and flow directions in, sub-catchments with their rain out."""

from thalweg.datasets import cevennes
from thalweg.schema import settings_from
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table


def arguments(parser):
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset")
    parser.add_argument("--settings", required=True, help="the domain's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="sub-catchments of both basins, netCDF")
    parser.add_argument("--areas", required=True, help="delineated and stated areas of gauges, CSV")
    parser.add_argument("--volume", required=True, help="rain over catchments by scheme, CSV")


def run(args):
    settings = settings_from(cevennes.SETTINGS, args.settings)
    tree, areas, volumes = cevennes.build(args.dataset, settings.scheme, settings.maximum_subcatchment_area)
    record = provenance(settings.model_dump(mode="json"), sources={"cevennes": read_record(args.dataset)})
    write_netcdf(tree, args.output, record)
    write_table(areas, args.areas, record)
    write_table(volumes, args.volume, record)
    print(areas.to_string(index=False), volumes.to_string(index=False), sep="\n\n")
