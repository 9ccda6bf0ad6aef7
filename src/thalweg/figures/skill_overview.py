"""Every model in every experiment at a glance: medians with intervals, and which models are not told apart from the best."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from thalweg.experiments.declared import Declared
from thalweg.figures.style import QUIET, WIDTH, colour_range, number, styled, wrap
from thalweg.metrics.scores import METRICS

SIGNIFICANCE = 0.05  # of p-values after Holm's correction
CELL = (0.64, 0.3)  # inch
LABELS_WIDTH = 1.5  # inch
COLOURS = ListedColormap(colormaps["YlGnBu"](np.linspace(0, 0.5, 256)))  # light: black text is read on all of them
COLOUR_PERCENTILES = (10, 100)
BEST, NOT_APART = "\N{BLACK CIRCLE}", "\N{WHITE CIRCLE}"


FIGURE = Declared(
    of="overview",
    reads={"summary_csv": "summary", "comparison_csv": "comparison"},
    given={"labels": "labels"},
    title="skill of every model in every experiment",
    caption="Median over gauges of the Nash-Sutcliffe and Kling-Gupta efficiency of every model in every experiment, with its "
    "95 % interval by a bootstrap of blocks of neighbouring gauges. A filled circle marks the best median of an "
    "experiment, an empty one a model that does not differ significantly from it (paired signed-rank test with Holm's "
    "correction for all pairs of the experiment). Models are compared within a column; experiments differ in gauges "
    "and years.",
)


@styled
def draw(summary_csv, comparison_csv, metrics=("NSE", "KGE"), labels=None):
    """A panel per metric of discharge: a row per model, a column per experiment, a cell with the median and its interval.

    Args:
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`.
        comparison_csv: table of :func:`thalweg.evaluation.statistics.compare` with these metrics.
        metrics: of :data:`thalweg.metrics.scores.METRICS`, for which higher is better.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure, as wide as its columns need. A filled circle marks the best median of a column, an empty one
        a model whose paired test against the best has p of at least 0.05 after Holm's correction, or could not be made.

    Raises:
        ValueError: when a metric is not in the summary.
    """
    summary, comparison = (pd.read_csv(path) for path in (summary_csv, comparison_csv))
    summary, comparison = (table[table.variable == "discharge"] for table in (summary, comparison))
    for metric in metrics:
        if metric not in set(summary.metric):
            raise ValueError(
                f"{summary_csv}: no row has metric {metric!r}; there are {', '.join(summary.metric.unique())}"
            )
    summary = summary[summary.metric.isin(metrics)]
    labels = dict(labels or {})
    models = [*[model for model in labels if model in set(summary.model)], *sorted(set(summary.model) - set(labels))]
    columns = list(summary[["domain", "experiment"]].drop_duplicates().itertuples(index=False, name=None))

    width = max(LABELS_WIDTH + CELL[0] * len(columns) + 0.9, 0.6 * WIDTH)
    figure = Figure(figsize=(width, len(metrics) * (CELL[1] * len(models) + 1.0) + 0.3), layout="constrained")
    panels = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for position, (axes, metric) in enumerate(zip(panels, metrics, strict=True)):
        rows, tests = summary[summary.metric == metric], comparison[comparison.metric == metric]
        low, high, extend = colour_range(rows["median"].to_numpy(), *COLOUR_PERCENTILES)
        scale = ScalarMappable(Normalize(low, high), COLOURS)
        for column, here in enumerate(columns):
            cells = _at(rows, *here).set_index("model")
            marks = _marks(cells["median"], _at(tests, *here))
            for model, cell in cells.iterrows():
                _cell(axes, column, models.index(model), cell, marks.get(model, ""), scale)
        _frame(axes, [labels.get(model, model) for model in models], columns)
        name = metric.replace("_", " ")
        axes.set_title(f"({chr(ord('a') + position)}) median {name} over gauges, 95 % interval", loc="left", pad=16)
        figure.colorbar(scale, ax=axes, label=f"{name} [{METRICS[metric].unit}]", extend=extend, aspect=25, pad=0.01)
    note = f"{BEST} best median   {NOT_APART} not told apart from it: p of the paired test is at least {SIGNIFICANCE}"
    figure.supxlabel(note, fontsize=7)
    return figure


def _at(table, domain, experiment):
    return table[(table.domain == domain) & (table.experiment == experiment)]


def _marks(medians, tests):
    """Model -> mark, of one column."""
    if not np.isfinite(medians).any():
        return {}
    best = medians.idxmax()
    pairs = [(row.model, row.reference, row.p_holm) for row in tests.itertuples()]
    apart = {model for a, b, p in pairs if p < SIGNIFICANCE for model, other in ((a, b), (b, a)) if other == best}
    return {model: NOT_APART for model in medians.dropna().index if model not in apart} | {best: BEST}


def _cell(axes, column, row, cell, mark, scale):
    middle = {"ha": "center", "va": "center"}
    if not np.isfinite(cell["median"]):
        axes.text(column, row, "no value", fontsize=5.5, color=QUIET, **middle)
        return
    colour = scale.to_rgba(cell["median"])
    axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=colour, linewidth=0))
    text = f"{number(cell['median'], 3)} {mark}".strip()
    axes.text(column, row - 0.16, text, fontsize=7, fontweight="bold" if mark == BEST else "normal", **middle)
    if np.isfinite(cell.low):
        axes.text(column, row + 0.25, f"{number(cell.low)} to {number(cell.high)}", fontsize=5, **middle)


def _frame(axes, names, columns):
    """Names of models and experiments, and a rule between domains, whose names stand above their experiments."""
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), [wrap(name, LABELS_WIDTH) for name in names])
    axes.set_xticks(range(len(columns)), [wrap(experiment, CELL[0]) for _, experiment in columns])
    axes.tick_params(length=0)
    axes.tick_params(axis="x", labelsize=5.5)
    axes.spines[:].set_visible(False)
    domains = [domain for domain, _ in columns]
    for domain in dict.fromkeys(domains):
        first = domains.index(domain)
        axes.text(first - 0.45, -0.6, domain, ha="left", va="bottom", fontsize=7, style="italic")
        if first:
            axes.axvline(first - 0.5, color="0.4", linewidth=0.8)
