"""The course of training: loss on the training and on the validation gauges or days."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, lines_of, looks, styled, wrap

COLUMNS = (
    *("domain", "experiment", "model", "fold", "seed", "step"),
    *("training_loss", "validation_loss", "seconds"),
)
LOSSES = {"training_loss": "training loss", "validation_loss": "validation loss"}
MOST_COLUMNS, MOST_EXPERIMENTS = 3, 9  # on a page
NARROW = 3  # largest over smallest loss below which ticks are evenly spaced
TICKS = {10: (1, 1.5, 2, 3, 4, 6, 8), 100: (1, 3), float("inf"): (1,)}  # within a decade, up to that ratio of losses


FIGURE = Declared(
    of="trained_domains",
    reads={"training_csvs": "training_logs"},
    given={"labels": "labels", "unit": "loss_unit"},
    title="learning curves",
    shown=(),
    caption="Training and validation loss by optimiser step: mean over folds and seeds, and their range. The weights of "
    "the lowest validation loss are used. At most four models and nine experiments are shown; an experiment "
    "logged at one step only is left out.",
)


@styled
def draw(training_csvs, labels=None, unit="dimensionless"):
    """Two panels per domain and experiment: training loss above, validation loss below; a line per model.

    Args:
        training_csvs: paths of training logs with the columns of :data:`COLUMNS`; of each experiment the first four models
            are drawn.
        labels: model -> label, in the study's order.
        unit: of the loss; NSE- and KGE-losses have none.

    Returns:
        matplotlib Figure of the first nine experiments whose losses were logged at two steps or more. A line is the mean
        over folds and seeds, the band behind it their range.

    Raises:
        ValueError: naming the first file and the column that it lacks, or when there is no row.
    """
    log = pd.concat([_read(path) for path in training_csvs], ignore_index=True) if training_csvs else pd.DataFrame()
    if log.empty:
        raise ValueError("there is no training log with a step in it; train a model first")
    groups = list(log.groupby(["domain", "experiment"], sort=False))
    groups = ([each for each in groups if each[1].step.nunique() > 1] or groups)[:MOST_EXPERIMENTS]
    drawn = {place: list(group.model.unique()[:MOST_LINES]) for place, group in groups}
    look = looks([model for models in drawn.values() for model in models], labels)

    columns = min(len(groups), MOST_COLUMNS)
    blocks = -(-len(groups) // columns)
    width = WIDTH if columns > 1 else 0.55 * WIDTH
    figure = Figure(figsize=(width, 2.9 * blocks + 0.4), layout="constrained")
    panels = figure.subplots(2 * blocks, columns, squeeze=False)
    for position in range(blocks * columns):
        pair = panels[2 * (position // columns) : 2 * (position // columns) + 2, position % columns]
        if position >= len(groups):
            for axes in pair:
                axes.remove()
            continue
        place, group = groups[position]
        letter(pair[0], position, wrap(", ".join(place), (width - 0.6) / columns - 0.3))
        for axes, loss in zip(pair, LOSSES):
            for model in drawn[place]:
                _line(axes, group[group.model == model].dropna(subset=loss).groupby("step")[loss], look[model])
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(MaxNLocator(4) if high < NARROW * low else _ticks(high / low))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.set_xlim(0, 1.02 * group.step.max())
            axes.grid(True, which="major")
            if position % columns == 0:
                axes.set_ylabel(f"{LOSSES[loss]}\n[{unit}]")
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel("optimiser step")
    figure.align_ylabels(panels[:, 0])
    legend_below(figure, lines_of(look))
    return figure


def _read(path):
    log = pd.read_csv(path)
    missing = [column for column in COLUMNS if column not in log]
    if missing:
        raise ValueError(f"{path}: column {missing[0]!r} is missing; a training log has {', '.join(COLUMNS)}")
    return log


def _ticks(ratio):
    """Ticks of a logarithmic axis that are few enough to be read, by the ratio of its ends."""
    return LogLocator(subs=next(ticks for most, ticks in TICKS.items() if ratio <= most))


def _line(axes, runs, look):
    """Mean and range of a loss by step (grouped); a mark where there is only one step."""
    if len(runs) == 0:
        return
    mean, low, high = runs.mean(), runs.min(), runs.max()
    axes.fill_between(mean.index, low, high, color=look.colour, alpha=0.2, linewidth=0)
    marker = look.marker if len(mean) == 1 else ""
    axes.plot(mean.index, mean, color=look.colour, linestyle=look.dashes, marker=marker, markersize=3.5)
