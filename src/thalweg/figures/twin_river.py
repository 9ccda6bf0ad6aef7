"""Twin experiment of a river: learned against true properties of a synthetic river."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, WIDTH, dot, legend_below, letter, number, stated, styled

QUANTITIES = {
    "roughness": "Manning's n\n[s/m$^{1/3}$]",
    "width_coefficient": "width coefficient p\n[m$^{1-q}$]",
    "width_exponent": "width exponent q\n[dimensionless]",
    "celerity": "celerity in a\nsmall flood [m/s]",
}


FIGURE = Declared(
    of="twin_rivers",
    reads={"table_csv": "tables/twin_river/{domain}.csv", "reaches_csv": "tables/twin_river/{domain}_reaches.csv"},
    title="twin experiment of the river",
    caption="Twin experiment of a river with prescribed runoff and synthetic roughness and cross-sections: learned "
    "against true values, a point per reach; above each panel the median error and Spearman's ρ, over seeds. Section known: only roughness is learned. Discharge identifies the "
    "celerity of waves, not roughness and width separately.",
)


@styled
def draw(reaches_csv, table_csv):
    """A row per variant, a panel per quantity: learned against true, a point per reach, a colour per seed.

    Args:
        reaches_csv: true and learned values, of :func:`thalweg.analysis.twin_river.recover`.
        table_csv: its correlations and errors, which the panels state as ranges over seeds.

    Returns:
        matplotlib Figure.
    """
    reaches, table = pd.read_csv(reaches_csv), pd.read_csv(table_csv)
    variants = list(reaches.variant.unique())
    figure = Figure(figsize=(WIDTH, 2.4 * len(variants) + 0.4), layout="constrained")
    panels = figure.subplots(len(variants), len(QUANTITIES), squeeze=False)
    colours = dict(zip(sorted(reaches.seed.unique()), OKABE_ITO * 3))
    position = 0
    for row, variant in zip(panels, variants):
        for axes, (quantity, label) in zip(row, QUANTITIES.items()):
            points = reaches[(reaches.variant == variant) & (reaches.quantity == quantity)]
            if points.empty:
                axes.set_axis_off()
                axes.text(0.5, 0.5, "prescribed", ha="center", va="center", transform=axes.transAxes)
                continue
            for seed, group in points.groupby("seed"):
                axes.scatter(group.true, group.learned, s=3, linewidths=0, alpha=0.4, color=colours[seed])
            ends = [points[["true", "learned"]].min().min(), points[["true", "learned"]].max().max()]
            axes.plot(ends, ends, color="0.4", linewidth=0.8)
            if quantity != "width_exponent":
                axes.set(xscale="log", yscale="log")
                for axis in (axes.xaxis, axes.yaxis):
                    axis.set_major_locator(LogLocator(subs=(1, 3)))
                    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                    axis.set_minor_locator(NullLocator())
            found = table[(table.variant == variant) & (table.quantity == quantity)]
            error, rank = _range(100 * found.median_relative_error, 1), _range(found.spearman, 2)
            letter(axes, position, variant)
            stated(axes, f"error {error} %\nρ = {rank}")
            axes.set(xlabel=f"true {label}", ylabel="learned")
            position += 1
    legend_below(figure, [dot(f"seed {seed}", colour) for seed, colour in colours.items()])
    return figure


def _range(values, digits):
    """Values over seeds as text: their range, or the only one."""
    ends = dict.fromkeys(number(value, digits) for value in (values.min(), values.max()))
    return " to ".join(ends)
