"""thalweg site_loads: sites on a network and a trained model of nitrogen in, the balance of loads at every site out."""

import xarray as xr

from thalweg.analysis.loads import site_loads
from thalweg.basin.sites import read_sites
from thalweg.storage.store import provenance, write_table

LEARNED = ("uptake_velocity", "width_coefficient", "width_exponent")


def arguments(parser):
    parser.add_argument("--sites", required=True, help="netCDF of the sites")
    parser.add_argument("--simulation", required=True, help="netCDF of the simulation of nitrate")
    parser.add_argument("--parameters", required=True, help="netCDF of the learned parameters")
    parser.add_argument("--output", required=True, help="loads, CSV")


def run(args):
    with (
        xr.open_dataset(args.simulation, engine="h5netcdf") as simulation,
        xr.open_dataset(args.parameters, engine="h5netcdf") as parameters,
    ):
        nitrate = simulation.simulated.mean(("fold", "seed")).transpose("time", "site").values
        learned = {name: parameters[name].mean(("fold", "seed")).values for name in LEARNED}
    table = site_loads(read_sites(args.sites), nitrate, learned)
    write_table(table, args.output, provenance(inputs=[args.sites, args.simulation, args.parameters]))
