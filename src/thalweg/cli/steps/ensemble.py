"""thalweg ensemble: simulations of the members in, their mean out."""

import xarray as xr

from thalweg.experiments.ensemble import ensemble
from thalweg.storage.store import provenance, write_netcdf


def arguments(parser):
    parser.add_argument("--members", nargs="+", required=True, help="discharge of the members, netCDF")
    parser.add_argument("--output", required=True, help="discharge, netCDF")
    parser.add_argument("--names", nargs=3, metavar=("DOMAIN", "EXPERIMENT", "MODEL"), required=True)


def run(args):
    members = [xr.load_dataset(path, engine="h5netcdf") for path in args.members]
    simulation = ensemble(members)
    simulation.attrs = dict(zip(("domain", "experiment", "model"), args.names, strict=True))
    write_netcdf(simulation, args.output, provenance({}, inputs=args.members))
