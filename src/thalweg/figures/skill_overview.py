"""Every model in every experiment: medians of skill, and which models the paired tests do not distinguish from the best."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from thalweg.experiments.declared import Declared
from thalweg.figures.style import LETTER_WIDTH, QUIET, WIDTH, colour_range, number, styled
from thalweg.metrics.scores import METRICS

SIGNIFICANCE = 0.05  # of p-values after Holm's correction
CELL = (0.26, 0.185)  # inch, of the smallest; cells are wider where there is room, up to
WIDEST = 0.5  # inch
COLOURS = ListedColormap(colormaps["YlGnBu"](np.linspace(0, 0.5, 256)))  # light: black text is read on all of them
COLOUR_PERCENTILES = (10, 100)
BEST = {"linestyle": "-", "linewidth": 1.3}
NOT_APART = {"linestyle": (0, (1, 1)), "linewidth": 0.9}


FIGURE = Declared(
    of="overview",
    reads={"summary_csv": "summary", "comparison_csv": "comparison"},
    given={"labels": "labels"},
    title="skill of every model in every experiment",
    caption="Median over gauges of the Nash-Sutcliffe and Kling-Gupta efficiency of every model in every experiment. "
    "Solid frame: best median of the experiment; dotted frame: not distinguished from it by Wilcoxon's "
    "signed-rank test (p >= 0.05 after Holm's correction for all pairs of the experiment). Compare models within "
    "a column; experiments differ in gauges and years. Intervals are in the table of medians.",
)


@styled
def draw(summary_csv, comparison_csv, metrics=("NSE", "KGE"), labels=None):
    """A panel per metric of discharge: a row per model, a column per experiment, a cell with the median.

    Args:
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`.
        comparison_csv: table of :func:`thalweg.evaluation.statistics.compare` with these metrics.
        metrics: of :data:`thalweg.metrics.scores.METRICS`, for which higher is better.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure, at most as wide as a page for up to 18 experiments. A solid frame marks the best median of a
        column, a dotted one a model whose paired test against the best has p of at least 0.05 after Holm's correction,
        or could not be made.

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

    names = [labels.get(model, model) for model in models]
    beside = 0.83 * LETTER_WIDTH * max(map(len, names)) + 0.75
    cell = np.clip((WIDTH - beside) / len(columns), CELL[0], WIDEST)
    experiments = LETTER_WIDTH * max(len(experiment) for _, experiment in columns)
    height = len(metrics) * (CELL[1] * len(models) + 0.6) + experiments + 0.3
    figure = Figure(figsize=(max(beside + cell * len(columns), 0.6 * WIDTH), height), layout="constrained")
    panels = figure.subplots(len(metrics), 1, squeeze=False, sharex=True)[:, 0]
    for position, (axes, metric) in enumerate(zip(panels, metrics, strict=True)):
        rows, tests = summary[summary.metric == metric], comparison[comparison.metric == metric]
        low, high, extend = colour_range(rows["median"].to_numpy(), *COLOUR_PERCENTILES)
        scale = ScalarMappable(Normalize(low, high), COLOURS)
        for column, here in enumerate(columns):
            cells = _at(rows, *here).set_index("model")
            frames = _frames(cells["median"], _at(tests, *here))
            for model, median in cells["median"].items():
                _cell(axes, column, models.index(model), median, frames.get(model), scale)
        _axes(axes, names, columns, cell)
        name = metric.replace("_", " ")
        axes.set_title(f"({chr(ord('a') + position)}) median {name} over gauges", loc="left", pad=16)
        figure.colorbar(scale, ax=axes, label=f"{name} [{METRICS[metric].unit}]", extend=extend, aspect=25, pad=0.01)
    box = {"facecolor": "none", "edgecolor": "black"}
    handles = [
        Rectangle((0, 0), 1, 1, label="best median", **box, **BEST),
        Rectangle(
            (0, 0), 1, 1, label=f"not distinguished from it (paired test, p ≥ {SIGNIFICANCE})", **box, **NOT_APART
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _at(table, domain, experiment):
    return table[(table.domain == domain) & (table.experiment == experiment)]


def _frames(medians, tests):
    """Model -> look of its frame, of one column."""
    if not np.isfinite(medians).any():
        return {}
    best = medians.idxmax()
    pairs = [(row.model, row.reference, row.p_holm) for row in tests.itertuples()]
    apart = {model for a, b, p in pairs if p < SIGNIFICANCE for model, other in ((a, b), (b, a)) if other == best}
    return {model: NOT_APART for model in medians.dropna().index if model not in apart} | {best: BEST}


def _cell(axes, column, row, median, frame, scale):
    middle = {"ha": "center", "va": "center", "fontsize": 6.5}
    if not np.isfinite(median):
        axes.text(column, row, "none", color=QUIET, **middle)
        return
    box = (column - 0.46, row - 0.42), 0.92, 0.84
    axes.add_patch(Rectangle(*box, color=scale.to_rgba(median), linewidth=0))
    if frame:
        axes.add_patch(Rectangle(*box, facecolor="none", edgecolor="black", **frame))
    axes.text(column, row, number(median), fontweight="bold" if frame is BEST else "normal", **middle)


def _axes(axes, names, columns, cell):
    """Names of models and experiments, and a line between domains, whose names stand above or, if too long, below."""
    domains = [domain for domain, _ in columns]
    fits = {domain: LETTER_WIDTH * len(domain) < cell * domains.count(domain) for domain in domains}
    labels = [experiment if fits[domain] else f"{domain}, {experiment}" for domain, experiment in columns]
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(columns)), labels, rotation=90)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for domain, inside in fits.items():
        first = domains.index(domain)
        if inside:
            axes.text(first - 0.45, -0.6, domain, ha="left", va="bottom", fontsize=7, style="italic")
        if first:
            axes.axvline(first - 0.5, color="0.4", linewidth=0.8)
