"""thalweg progress: the folder of a study in; how far its trainings are, on the screen."""

from datetime import timedelta

import numpy as np

from thalweg.experiments.progress import RUN, progress


def arguments(parser):
    parser.add_argument("--results", default="results/default", help="folder of the study (default: %(default)s)")


def run(args):
    table = progress(args.results)
    runs = list(table.groupby(list(RUN), sort=False))
    width = max((len("/".join(names)) for names, _ in runs), default=0)
    for names, rows in runs:
        print(f"{'/'.join(names):{width}}  {_state(rows)}")
    left = table.remaining_seconds.sum(skipna=False)
    remaining = "remaining time unknown" if np.isnan(left) else f"about {_time(left)} to go, one job at a time"
    print(
        f"{'all':{width}}  {table.finished.sum()}/{len(table)} trainings, {_time(table.seconds.sum())} spent, {remaining}"
    )


def _state(rows):
    text = f"{rows.finished.sum()}/{len(rows)} trainings"
    if rows.step.any():
        best = rows.best_loss.min()
        text += f", best validation loss {best:.3f}" if np.isfinite(best) else ""
        text += f", {_time(rows.seconds.sum())} spent"
    under_way = rows[~rows.finished & (rows.step > 0)]
    return text + "".join(
        f", fold {row.fold} seed {row.seed} at step {row.step:.0f}/{row.steps}" for row in under_way.itertuples()
    )


def _time(seconds):
    return str(timedelta(seconds=round(seconds)))
