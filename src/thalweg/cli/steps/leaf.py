"""thalweg step leaf: gas exchange of leaves in, simulations, learned parameters and fits of single curves out."""

import json
from pathlib import Path

import torch

from thalweg.analysis.leaf import parameter_skill, recover, run_study
from thalweg.datasets import reader
from thalweg.experiments.simulation import estimates
from thalweg.schema import settings_from
from thalweg.settings.leaf import LEAVES, LeafStudy
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table

SYNTHETIC = "synthetic"


def arguments(parser):
    parser.add_argument(
        "--kind", required=True, choices=[*LEAVES, SYNTHETIC], help="dataset, or synthetic leaves to recover"
    )
    parser.add_argument("--dataset", help="folder of the fetched dataset; none for synthetic leaves")
    parser.add_argument("--settings", required=True, help="the block leaf of the configuration, as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--domain", help="the leaves, netCDF")
    parser.add_argument("--simulations", help="simulations of every experiment and model, netCDF")
    parser.add_argument(
        "--output",
        required=True,
        help="folder of curves.csv, fits.csv, parameters.csv, parameter_skill.csv and points.csv; of recovery.csv and "
        "leaves.csv for synthetic leaves",
    )


def run(args):
    torch.set_num_threads(args.threads)
    settings = settings_from(LeafStudy, args.settings)
    if args.kind == SYNTHETIC:
        record = provenance(json.loads(args.settings), seed=settings.seeds)
        tables = dict(zip(("recovery", "leaves"), recover(settings)))
    else:
        module, builder = LEAVES[args.kind].builder
        domain, curves = getattr(reader(module), builder)(args.dataset)
        sources = {Path(args.dataset).name: read_record(args.dataset)}
        record = provenance(json.loads(args.settings), seed=settings.seeds, sources=sources)
        simulations, tables = run_study(domain, settings)
        write_netcdf(domain.to_tree(), args.domain, record)
        write_netcdf(estimates(simulations), args.simulations, record)
        tables = {"curves": curves} | tables
        tables["parameter_skill"] = parameter_skill(tables["parameters"], settings.bootstrap)
    for name, table in tables.items():
        write_table(table, Path(args.output) / f"{name}.csv", record)
