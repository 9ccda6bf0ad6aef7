"""Scores less published ones of the same catchments, as distributions over gauges."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.evaluation.published import PUBLISHED, read_published
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import WIDTH, legend_below, letter, looks, number, styled

MOST_MODELS = 4
FARTHEST = 0.4  # that the axis of differences reaches to


FIGURE = Declared(
    of="published",
    reads={"skill_csv": "skill", "dataset_folder": "data:published-scores"},
    given={"labels": "drawn_labels", "models": "drawn_trained", "test": "test_period", "ungauged": "is_ungauged"},
    title="published scores",
    caption="Scores minus published ones of the same catchments: the share of gauges with a smaller difference, a curve per "
    "published model. Thin curves are of tests over other years; the table of published scores states what else "
    "differs.",
)


@styled
def draw(skill_csv, dataset_folder, domain, experiment, models, test, ungauged, metric="NSE", labels=None):
    """A panel per model: the share of gauges with a smaller difference than each value, a curve per published model.

    Args:
        skill_csv: skill table.
        dataset_folder: folder of the dataset ``published-scores``.
        domain, experiment: which rows of the skill table.
        models: models drawn, the first four of them.
        test: first and last day of the experiment's test, as text.
        ungauged: whether no tested gauge trained; otherwise the published model of ungauged catchments is left out.
        metric: NSE or KGE.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure. Panels state the median difference of each curve; thin curves are of tests over other years.

    Raises:
        ValueError: when a model has no score at a gauge with a published one.
        DataError: from :func:`thalweg.evaluation.published.read_published`.
    """
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == metric)]
    skill = skill[skill.variable == "discharge"]
    means = skill.groupby(["model", "place"]).value.mean()
    compared = {
        name: published
        for name, published in PUBLISHED.items()
        if metric in published.columns and (ungauged or not published.ungauged)
    }
    look = looks(PUBLISHED, {name: name for name in PUBLISHED})
    names = labels or {}
    shown = models[:MOST_MODELS]
    figure = Figure(figsize=(WIDTH if len(shown) > 1 else 0.6 * WIDTH, 3.6), layout="constrained")
    for position, (axes, model) in enumerate(zip(figure.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown)):
        ours = means.loc[model] if model in means.index.unique("model") else pd.Series(dtype=float)
        notes = []
        for name, published in compared.items():
            difference = (ours - read_published(dataset_folder, name)[metric]).dropna().sort_values()
            if difference.empty:
                raise ValueError(
                    f"{skill_csv}: no gauge of {domain}/{experiment} has both a {metric} of {model!r} and one of {name}"
                )
            same = list(test) == list(map(str, published.test))
            share = np.arange(1, len(difference) + 1) / len(difference)
            style = {"color": look[name].colour, "linestyle": look[name].dashes, "linewidth": 1.5 if same else 0.8}
            axes.plot(difference, share, **style)
            notes.append(Line2D([], [], **style, label=number(difference.median())))
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        axes.axhline(0.5, color="0.8", linewidth=0.6, zorder=0)
        axes.set(xlim=(-FARTHEST, FARTHEST), ylim=(0, 1), xlabel=f"{metric}, ours less theirs")
        axes.grid(True)
        axes.legend(handles=notes, title="median", alignment="left", loc="upper left", handlelength=1.8)
        letter(axes, position, names.get(model, model))
        if position == 0:
            axes.set_ylabel("share of gauges below [dimensionless]")
    legend_below(
        figure,
        [Line2D([], [], color=look[name].colour, linestyle=look[name].dashes, label=name) for name in compared],
    )
    return figure
