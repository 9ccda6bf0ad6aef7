"""thalweg river: simulations and skill of models routed through the network in; three tables of the river out."""

import json

import pandas as pd

from thalweg.analysis.river import mass_balance, skill_by_area
from thalweg.analysis.roughness import roughness_by_order
from thalweg.basin.domain import read_domain
from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.simulation import read_simulation
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--simulations", nargs="+", required=True, help="of routed models, netCDF")
    parser.add_argument("--skill", required=True, help="all scores, CSV")
    parser.add_argument("--settings", required=True, help="models compared and bootstrap_samples, as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--mass", required=True, help="the river's water balance, CSV")
    parser.add_argument("--by-area", required=True, help="skill by drainage area, CSV")
    parser.add_argument("--roughness", required=True, help="Manning's n by stream order, CSV")


def run(args):
    settings = json.loads(args.settings)
    domain = read_domain(args.domain)
    skill = read_skill(args.skill)
    here = (skill.domain == args.names[0]) & (skill.experiment == args.names[1])
    skill = skill[here & (skill.variable == "discharge")]
    area = pd.Series(domain.places.drainage_area.values, index=domain.place_ids)
    blocks = {args.names[0]: read_blocks(args.domain)}
    tables = {args.mass: [], args.by_area: [], args.roughness: []}
    for path in args.simulations:
        parameters = read_simulation(path, "parameters")
        routed = parameters.attrs["model"]
        by_area = skill_by_area(skill, area, routed, settings["models"], settings["bootstrap_samples"], blocks)
        by_area.insert(2, "routed", routed)
        tables[args.by_area].append(by_area)
        for name, table in ((args.mass, mass_balance), (args.roughness, lambda p: roughness_by_order(domain, p))):
            rows = table(parameters)
            for position, value in enumerate((*args.names, routed)):
                rows.insert(position, ("domain", "experiment", "model")[position], value)
            tables[name].append(rows)
    record = provenance(settings, inputs=[args.domain, *args.simulations, args.skill])
    for path, parts in tables.items():
        write_table(pd.concat(parts, ignore_index=True), path, record)
