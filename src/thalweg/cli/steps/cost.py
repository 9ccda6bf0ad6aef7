"""thalweg cost: benchmark files and training logs in, the table of run time, memory and steps of each experiment out."""

from pathlib import Path

from thalweg.experiments.cost import cost, stages
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--results", required=True, help="folder of the study")
    parser.add_argument("--runs", nargs="*", default=[], metavar="DOMAIN/EXPERIMENT/MODEL", help="in it")
    parser.add_argument(
        "--estimates", nargs="*", default=[], metavar="KIND/DOMAIN", help="jobs that train all their models together"
    )
    parser.add_argument(
        "--output", required=True, help="seconds, memory and steps by run, experiment and in total, CSV"
    )
    parser.add_argument("--stages", required=True, help="seconds and memory by kind of job, CSV")


def run(args):
    logs = [Path(args.results) / "models" / f"{name}.csv" for name in args.runs]
    record = provenance(
        {"runs": args.runs, "estimates": args.estimates}, inputs=[path for path in logs if path.exists()]
    )
    runs, estimates = ([tuple(name.split("/")) for name in names] for names in (args.runs, args.estimates))
    write_table(cost(args.results, runs, estimates), args.output, record)
    write_table(stages(args.results), args.stages, record)
