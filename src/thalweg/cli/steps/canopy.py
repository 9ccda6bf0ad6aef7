"""thalweg step canopy: measurements of a flux tower in; simulations of a learned canopy and of baselines out."""

import torch

from thalweg.analysis.canopy import evidence
from thalweg.analysis.canopy import run as learn_canopy
from thalweg.datasets import davos
from thalweg.experiments.simulation import estimates
from thalweg.schema import settings_from
from thalweg.settings.canopy import CanopyStudy
from thalweg.storage.fetch import read_record
from thalweg.storage.store import provenance, write_netcdf, write_table

TABLES = {
    "daily": "means of the days' measured half-hours with light, measured and modelled, CSV",
    "cycle": "means over the hours of the day in summer, measured and modelled, CSV",
    "parameters": "learned parameters, CSV",
    "evidence": "gain of the canopy over baselines, CSV",
}


def arguments(parser):
    parser.add_argument("--dataset", required=True, help="folder of the fetched dataset davos")
    parser.add_argument("--settings", required=True, help="the block canopy of the configuration, as JSON")
    parser.add_argument("--bootstrap-samples", type=int, default=2000, help="resamples of months")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--simulations", required=True, help="simulations of every time scale and model, netCDF")
    for name, text in TABLES.items():
        parser.add_argument(f"--{name}", required=True, help=text)


def run(args):
    torch.set_num_threads(args.threads)
    settings = settings_from(CanopyStudy, args.settings)
    tower = davos.build(args.dataset, settings.data.max_flag, settings.data.dry_hours)
    simulations, tables = learn_canopy(tower, settings)
    tables["evidence"] = evidence(tables["daily"], args.bootstrap_samples)
    record = provenance(
        settings.model_dump(mode="json"), seed=settings.seeds, sources={"davos": read_record(args.dataset)}
    )
    write_netcdf(estimates(simulations), args.simulations, record)
    for name in TABLES:
        write_table(tables[name], getattr(args, name), record)
