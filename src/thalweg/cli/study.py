"""thalweg study: run a study with Snakemake, show its progress, release the lock of a killed run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from thalweg.cli import screen
from thalweg.cli.screen import duration
from thalweg.cli.workflow_lock import Locked, release, running
from thalweg.experiments.progress import RUN, progress

ACTIONS = {
    "run": "run the workflow and write the report (default)",
    "progress": "show the progress of its trainings",
    "unlock": "release the lock of a finished run on another machine",
    "report": "only write the report",
}
ELSEWHERE = {"--profile", "--executor", "-e"}
NO_REPORT = {
    "-n",
    "--dry-run",
    "--dryrun",
    "--touch",
    "-t",
    "--until",
    "-U",
    "--omit-from",
    "-O",
}  # no complete output is made
STYLE = Path("workflow/report/style.css")  # of the report


def arguments(parser):
    parser.add_argument("study", help="name of its file in config/studies, or default")
    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="run", help=actions)
    parser.add_argument("--cores", help="number of concurrent jobs (default: the cores of this machine)")
    parser.epilog = (
        "Arguments after -- are passed to Snakemake, as in: thalweg study default -- --profile profiles/slurm"
    )


def run(args):
    results = Path("results") / args.study
    if args.action == "progress":
        _show_trainings(results)
        return
    if not Path("Snakefile").exists():
        raise Locked(f"no Snakefile in {Path.cwd()}; change to the folder of the project")
    if args.action == "unlock":
        release(args.study, force=True)
        return
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    report = ["--report", str(results / "report.html")]
    if STYLE.exists():
        report += ["--report-stylesheet", str(STYLE)]
    if args.action == "report":
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *report, *_of(args.study, args.more)]
        raise SystemExit(subprocess.run(command).returncode)
    began, makes = time.monotonic(), not NO_REPORT.intersection(args.more)
    with running(args.study):
        code = _snakemake(args, results, [*report, "--report-after-run"] if makes else [])
    if makes and code == 0:
        took = duration(time.monotonic() - began)
        print(f"Done in {took}. The report is {results}/report.html; tables and figures are in {results}.")
    raise SystemExit(code)


def _snakemake(args, results, more):
    """Run Snakemake in this process, with its events on the screen; its exit code."""
    from snakemake.cli import main
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_thalweg", screen)
    settings = ["--logger", "thalweg", "--logger-thalweg-results", str(results)]
    cost = sorted(Path("docs/results", args.study).rglob("cost.csv"))
    if cost:
        settings += ["--logger-thalweg-cost", str(cost[0])]
    if args.cores or not ELSEWHERE.intersection(
        args.more
    ):  # on a cluster, its profile sets the number of concurrent jobs
        settings += ["--cores", args.cores or "all"]
    try:
        main([*settings, *more, *_of(args.study, args.more)])
    except SystemExit as end:
        return end.code or 0


def _of(study, words):
    """Arguments of Snakemake that name the study, also with other settings."""
    named = f"study={study}"
    for position, word in enumerate(words):
        if word in ("--config", "-C"):
            return [*words[: position + 1], named, *words[position + 1 :]]
    return [*words, "--config", named]


def _show_trainings(results):
    table = progress(results)
    runs = list(table.groupby(list(RUN), sort=False))
    width = max((len("/".join(names)) for names, _ in runs), default=0)
    for names, rows in runs:
        print(f"{'/'.join(names):{width}}  {_state(rows)}")
    left = table.remaining_seconds.sum(skipna=False)
    remaining = "remaining time unknown" if np.isnan(left) else f"about {duration(left)} left, one job at a time"
    print(
        f"{'all':{width}}  {table.finished.sum()}/{len(table)} trainings, {duration(table.seconds.sum())} spent, {remaining}"
    )


def _state(rows):
    text = f"{rows.finished.sum()}/{len(rows)} trainings"
    if rows.step.any():
        best = rows.best_loss.min()
        text += f", best validation loss {best:.3f}" if np.isfinite(best) else ""
        text += f", {duration(rows.seconds.sum())} spent"
    under_way = rows[~rows.finished & (rows.step > 0)]
    return text + "".join(
        f", fold {row.fold} seed {row.seed} at step {row.step:.0f}/{row.steps}" for row in under_way.itertuples()
    )
