"""How training went: loss on the training and on the validation gauges or days."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from thalweg.experiments.declared import Declared
from thalweg.figures.style import WIDTH, legend_below, letter, looks, styled

COLUMNS = (
    *("domain", "experiment", "model", "fold", "seed", "step"),
    *("training_loss", "validation_loss", "seconds"),
)
MOST_COLUMNS = 4
TICKS = (1, 1.5, 2, 3, 4, 6, 8)  # within a decade; losses often span less than one


FIGURE = Declared(
    of="trained_domains",
    reads={"training_csvs": "training_logs"},
    given={"labels": "labels", "unit": "loss_unit"},
    title="learning curves",
    shown=(),
    caption="Training and validation loss by optimiser step. The weights of the lowest validation loss are used.",
)


@styled
def draw(training_csvs, labels=None, unit="dimensionless"):
    """Two panels per domain and experiment: training loss above, validation loss below; a line per fold and seed.

    Args:
        training_csvs: paths of training logs with the columns of :data:`COLUMNS`; ``seconds`` since the start.
        labels: model -> label, in the study's order.
        unit: of the loss; NSE- and KGE-losses have none.

    Returns:
        matplotlib Figure. A dot is the lowest validation loss of a run, where its parameters are taken from. The legend
        gives the number of runs and the median time of one.

    Raises:
        ValueError: naming the first file and the column that it lacks, or when there is no row.
    """
    log = pd.concat([_read(path) for path in training_csvs], ignore_index=True) if training_csvs else pd.DataFrame()
    if log.empty:
        raise ValueError("there is no training log with a step in it; train a model first")
    look = looks(log.model.unique(), labels)

    groups = list(log.groupby(["domain", "experiment"], sort=False))
    columns = min(len(groups), MOST_COLUMNS)
    blocks = -(-len(groups) // columns)
    width = WIDTH if columns > 1 else 0.55 * WIDTH
    figure = Figure(figsize=(width, 3.6 * blocks + 0.5), layout="constrained")
    panels = figure.subplots(2 * blocks, columns, sharex=True, sharey="row", squeeze=False)
    for position in range(blocks * columns):
        above, below = panels[2 * (position // columns) : 2 * (position // columns) + 2, position % columns]
        if position >= len(groups):
            above.remove()
            below.remove()
            continue
        (domain, experiment), group = groups[position]
        letter(above, position, f"{domain}, {experiment}")
        for (model, _, _), run in group.groupby(["model", "fold", "seed"], sort=False):
            _run(above, below, run.sort_values("step"), look[model].colour)
        above.set_ylabel(f"training loss\n[{unit}]")
        below.set(ylabel=f"validation loss\n[{unit}]", xlabel="optimiser step")
        for axes in (above, below):
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=TICKS))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(True, which="major")
            axes.label_outer()
    handles = [
        Line2D([], [], color=each.colour, marker="o", markersize=3, label=_legend(each.label, log[log.model == model]))
        for model, each in look.items()
    ]
    legend_below(figure, handles)
    return figure


def _read(path):
    log = pd.read_csv(path)
    missing = [column for column in COLUMNS if column not in log]
    if missing:
        raise ValueError(f"{path}: column {missing[0]!r} is missing; a training log has {', '.join(COLUMNS)}")
    return log


def _run(above, below, run, colour):
    above.plot(run.step, run.training_loss, color=colour, linewidth=0.7, alpha=0.6)
    validated = run.dropna(subset="validation_loss")
    if validated.empty:
        return
    below.plot(validated.step, validated.validation_loss, color=colour, linewidth=0.7, alpha=0.6)
    best = validated.loc[validated.validation_loss.idxmin()]
    below.plot(best.step, best.validation_loss, "o", color=colour, markersize=3, markeredgewidth=0)


def _legend(label, log):
    seconds = log.groupby(["domain", "experiment", "fold", "seed"]).seconds.max()
    runs = f"{len(seconds)} runs" if len(seconds) > 1 else "1 run"
    return f"{label} ({runs}, median {seconds.median():.0f} s)"
