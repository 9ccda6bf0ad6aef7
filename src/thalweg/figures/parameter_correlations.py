"""Learned parameters against attributes: rank correlations and stability over seeds."""

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from thalweg.analysis.parameters import SIGNIFICANT
from thalweg.experiments.declared import Declared
from thalweg.figures.style import TALLEST, WIDTH, letter, styled

CELL = 0.17  # inch
BETWEEN, AROUND = 0.35, 2.55  # inch, of height
COLOURS = "RdBu_r"


FIGURE = Declared(
    of="attributed_in_time",
    reads={"attribution_csv": "table:parameters"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="parameters and attributes",
    caption="Spearman's rank correlation of learned parameters with attributes over units. Dots: beyond the largest "
    "correlation expected by chance among all pairs (p < 0.05). Frames: hypotheses stated beforehand, solid where "
    "confirmed. Bars and circles: intraclass correlation over seeds and folds. The network computes the "
    "parameters from these attributes.",
)


@styled
def draw(attribution_csv, labels=None, models=None):
    """A heat map per model: parameters down, attributes across, and a bar of each parameter's stability at its right.

    Args:
        attribution_csv: table of :func:`thalweg.analysis.parameters.attribute_all`.
        labels: model -> label, in the study's order.
        models: those drawn, of which the first that fit a page are; None for those of the table.

    Returns:
        matplotlib Figure. Colours are Spearman's rho over units; a dot marks those beyond what the largest of all pairs
        reaches by chance (familywise p < 0.05), a frame the pairs with a hypothesis: solid where sign and p are as
        expected, dashed where they are not. Bars are ICC(1) over seeds, circles ICC(1) over folds; they are left out
        where there is one seed and one fold.

    Raises:
        ValueError: when no row is of a model drawn.
    """
    table = pd.read_csv(attribution_csv)
    models = list(table.model.unique()) if models is None else [m for m in models if m in set(table.model)]
    if not models:
        raise ValueError(f"{attribution_csv}: no row is of a model drawn; there are {', '.join(table.model.unique())}")
    heights = {model: table[table.model == model].parameter.nunique() * CELL + BETWEEN for model in models}
    fits = AROUND + np.cumsum(list(heights.values())) <= TALLEST
    models = [model for model, inside in zip(models, fits) if inside] or models[:1]
    tables = [table[table.model == model] for model in models]
    height = AROUND + sum(heights[model] for model in models)
    across = max(rows.attribute.nunique() for rows in tables)
    stable = table[["icc_seeds", "icc_folds"]].notna().any(axis=None)
    figure = Figure(figsize=(max(WIDTH, 2.4 + across * CELL), height), layout="constrained")
    panels = figure.subplots(
        len(models),
        1 + stable,
        squeeze=False,
        gridspec_kw={
            "height_ratios": [heights[model] for model in models],
            "width_ratios": [across, 5][: 1 + stable],
        },
    )
    for position, (row, rows, model) in enumerate(zip(panels, tables, models)):
        _map(row[0], rows)
        if stable:
            _bars(row[1], rows, min(0, table[["icc_seeds", "icc_folds"]].min(axis=None)))
        letter(row[0], position, f"{(labels or {}).get(model, model)}, {rows.units.iloc[0]} units")
        if position < len(models) - 1 and set(rows.attribute) == set(tables[-1].attribute):
            row[0].set_xticklabels([])
    if stable:
        panels[-1, 1].set_xlabel(_label(table))
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), COLOURS),
        ax=panels,
        location="bottom",
        fraction=0.15 / height,
        pad=0.2 / height,
        shrink=0.5,
        aspect=30,
    )
    bar.set_label("Spearman's ρ [dimensionless]; dots: family-wise p < 0.05; frames: hypotheses, solid where confirmed")
    return figure


def _map(axes, rows):
    grid = rows.pivot(index="parameter", columns="attribute", values="correlation")
    grid = grid.loc[rows.parameter.unique(), rows.attribute.unique()]
    axes.imshow(grid, cmap=COLOURS, vmin=-1, vmax=1, aspect="auto")
    place = {name: i for i, name in enumerate(grid.index)}, {name: i for i, name in enumerate(grid.columns)}
    for row in rows.itertuples():
        y, x = place[0][row.parameter], place[1][row.attribute]
        beyond = row.p_familywise < SIGNIFICANT
        if beyond:
            axes.plot(x, y, marker="o", markersize=2, color="black", markeredgewidth=0)
        if row.expected:
            met = beyond and row.correlation * row.expected > 0
            axes.add_patch(_frame(x, y, "-" if met else (0, (2, 1.5))))
    axes.set_xticks(range(len(grid.columns)), [name.replace("_", " ") for name in grid.columns], rotation=90)
    axes.set_yticks(range(len(grid.index)), [name.replace("_", " ") for name in grid.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _frame(x, y, dashes):
    return Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1.0, linestyle=dashes, zorder=3)


def _bars(axes, rows, lowest):
    stability = rows.groupby("parameter", sort=False)[["icc_seeds", "icc_folds"]].first()
    axes.barh(range(len(stability)), stability.icc_seeds, color="0.7", height=0.7)
    axes.plot(stability.icc_folds, range(len(stability)), "o", color="black", markersize=3.5)
    axes.set(xlim=(lowest, 1), ylim=(len(stability) - 0.5, -0.5))
    axes.set_yticks([])
    axes.grid(True, axis="x")


def _label(table):
    """What the bars and circles are, of those that there are."""
    drawn = [name for name in ("seeds", "folds") if table[f"icc_{name}"].notna().any()]
    marks = {"seeds": "bars: seeds", "folds": "circles: folds"}
    return "\n".join(["ICC [dimensionless]", *(marks[name] for name in drawn)])
