"""thalweg loads: places on a network and the simulation of a model of nitrogen in, the balance of loads at every place out."""

from thalweg.analysis.loads import loads
from thalweg.basin.domain import read_domain
from thalweg.experiments.simulation import read_simulation
from thalweg.storage.store import provenance, write_table

LEARNED = ("uptake_velocity", "width_coefficient", "width_exponent")


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--simulation", required=True, help="netCDF of the simulation of nitrate")
    parser.add_argument("--output", required=True, help="loads, CSV")


def run(args):
    simulation, parameters = read_simulation(args.simulation), read_simulation(args.simulation, "parameters")
    nitrate = simulation.simulated.mean(("fold", "seed")).transpose("time", "place").values
    learned = {name: parameters[name].mean(("fold", "seed")).values for name in LEARNED}
    table = loads(read_domain(args.domain), nitrate, learned)
    write_table(table, args.output, provenance(inputs=[args.domain, args.simulation]))
