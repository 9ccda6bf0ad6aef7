"""thalweg regrid: grids and flow directions in, sub-catchments with their rain out."""

import json

from thalweg.domains import cevennes
from thalweg.fetch import read_record
from thalweg.regrid import SCHEMES
from thalweg.store import provenance, write_netcdf, write_table
from thalweg.units import parse_quantity


def arguments(parser):
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset")
    parser.add_argument("--settings", required=True, help="scheme and maximum_subcatchment_area, as JSON")
    parser.add_argument("--scheme", choices=SCHEMES, help="in place of the one in the settings")
    parser.add_argument("--output", required=True, help="sub-catchments of both basins, netCDF")
    parser.add_argument("--areas", required=True, help="delineated and stated areas of gauges, CSV")
    parser.add_argument("--volume", required=True, help="rain over catchments by scheme, CSV")


def run(args):
    settings = json.loads(args.settings) | ({"scheme": args.scheme} if args.scheme else {})
    largest = parse_quantity(settings["maximum_subcatchment_area"], to="km2")
    tree, areas, volumes = cevennes.build(args.dataset, settings["scheme"], largest)
    record = provenance(settings, sources={"cevennes": read_record(args.dataset)})
    write_netcdf(tree, args.output, record)
    write_table(areas, args.areas, record)
    write_table(volumes, args.volume, record)
    print(areas.to_string(index=False), volumes.to_string(index=False), sep="\n\n")
