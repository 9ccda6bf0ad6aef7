"""Differences from published scores of the same catchments, as distributions over gauges."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.evaluation.published import PUBLISHED, read_published
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, looks, number, statement, styled, wrap

FARTHEST = 0.4  # that the axis of differences reaches to
BETTER_KNOWN = {"published LSTM, ungauged": "published LSTM"}  # where the first is compared the second is left out


FIGURE = Declared(
    of="published",
    reads={"skill_csv": "skill", "dataset_folder": "data:published-scores", "published_csv": "table:published"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="published scores",
    caption="Difference from published scores of the same catchments: the share of gauges with a smaller difference. Thin "
    "lines: tests over other years. The table of published scores lists the other differences.",
)


@styled
def draw(skill_csv, dataset_folder, published_csv, domain, experiment, models, metric="NSE", labels=None):
    """A panel per model: the share of gauges with a smaller difference than each value, a curve per published model.

    Args:
        skill_csv: skill table.
        dataset_folder: folder of the dataset ``published-scores``.
        published_csv: table of :func:`thalweg.evaluation.published.compare_published`, which says with which published
            models the experiment is compared, and has the median differences.
        domain, experiment: which rows of both tables.
        models: models drawn, the first four of them.
        metric: NSE or KGE.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure. Panels state the median difference of each curve; thin curves are of tests over other years.

    Raises:
        ValueError: when a model is compared with no published one.
        DataError: from :func:`thalweg.evaluation.published.read_published`.
    """
    skill, table = (
        _of(each, domain, experiment, metric) for each in (read_skill(skill_csv), pd.read_csv(published_csv))
    )
    means = skill[skill.variable == "discharge"].groupby(["model", "place"]).value.mean()
    look = looks(PUBLISHED, {name: name for name in PUBLISHED})
    shown = list(models)[:MOST_LINES]
    figure = Figure(figsize=(WIDTH if len(shown) > 1 else 0.6 * WIDTH, 3.4), layout="constrained")
    compared = []
    for position, (axes, model) in enumerate(zip(figure.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown)):
        rows = table[table.model == model]
        rows = rows[~rows.reference.isin([BETTER_KNOWN[name] for name in rows.reference if name in BETTER_KNOWN])]
        if rows.empty:
            raise ValueError(f"{published_csv}: no {metric} of {model!r} in {domain}/{experiment} is compared")
        stated = []
        for row in rows.itertuples():
            difference = (means.loc[model] - read_published(dataset_folder, row.reference)[metric]).dropna()
            share = np.arange(1, len(difference) + 1) / len(difference)
            each = look[row.reference]
            style = {"color": each.colour, "linestyle": each.dashes, "linewidth": 1.5 if row.same_years else 0.8}
            axes.plot(np.sort(difference), share, **style)
            stated.append(Line2D([], [], **style, label=number(row.median_difference)))
        compared += [name for name in rows.reference if name not in compared]
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        axes.axhline(0.5, color="0.8", linewidth=0.6, zorder=0)
        axes.set(xlim=(-FARTHEST, FARTHEST), ylim=(0, 1), xlabel=f"difference of {metric}\n[dimensionless]")
        axes.grid(True)
        statement(axes, stated, "median")
        letter(axes, position, wrap((labels or {}).get(model, model), (WIDTH - 0.6) / len(shown) - 0.3))
        if position == 0:
            axes.set_ylabel("share of gauges [dimensionless]")
    legend_below(
        figure,
        [Line2D([], [], color=look[name].colour, linestyle=look[name].dashes, label=name) for name in compared],
    )
    return figure


def _of(table, domain, experiment, metric):
    return table[(table.domain == domain) & (table.experiment == experiment) & (table.metric == metric)]
