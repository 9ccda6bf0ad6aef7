"""Twin experiment of leaves: learned against true Vcmax25 and soil-water stress exponent of synthetic leaves."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, WIDTH, letter, number, styled

QUANTITIES = {
    "Vcmax25": "V$_{cmax25}$ [µmol m$^{-2}$ s$^{-1}$]",
    "stress_exponent": "B [dimensionless]",
}


FIGURE = Declared(
    of="twin_leaves",
    reads={"leaves_csv": "tables/leaf/synthetic/leaves.csv", "recovery_csv": "tables/leaf/synthetic/recovery.csv"},
    title="twin experiment of leaves",
    caption="Twin experiment of leaves: learned against true Vcmax25 by plant type and soil-water stress exponent B by "
    "soil, from net assimilation with 0, 5 and 10 % noise, at leaves that were held out.",
)


@styled
def draw(leaves_csv, recovery_csv):
    """A row per quantity, a panel per noise: learned against true at held-out leaves, a colour per seed.

    Args:
        leaves_csv: true and learned values, of :func:`thalweg.analysis.leaf.recover`.
        recovery_csv: its R2, which the panels state as ranges over seeds.

    Returns:
        matplotlib Figure.
    """
    leaves, table = pd.read_csv(leaves_csv), pd.read_csv(recovery_csv)
    noises = list(table.noise.unique())
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(len(QUANTITIES), len(noises), squeeze=False, sharex="row", sharey="row")
    position = 0
    for row, (quantity, label) in zip(panels, QUANTITIES.items()):
        for axes, noise in zip(row, noises):
            points = leaves[(leaves.noise == noise) & (leaves.quantity == quantity)]
            for colour, (_, group) in zip(cycle(OKABE_ITO), points.groupby("seed")):
                axes.scatter(group.true, group.learned, s=12, linewidths=0, alpha=0.6, color=colour)
            ends = [points[["true", "learned"]].min().min(), points[["true", "learned"]].max().max()]
            axes.plot(ends, ends, color="0.4", linewidth=0.8, zorder=0)
            r2 = table[(table.noise == noise) & (table.quantity == quantity)].R2
            stated = " to ".join(dict.fromkeys(number(value, 3) for value in (np.min(r2), np.max(r2))))
            axes.text(0.97, 0.05, f"R² {stated}", transform=axes.transAxes, ha="right", fontsize=7)
            axes.set(xlabel=f"true {label}")
            letter(axes, position, f"{100 * noise:g} % noise")
            position += 1
        row[0].set_ylabel(f"learned {label}")
    return figure
