"""Which prior is found that made the discharge: medians and ranks of every prior on what every prior made."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from thalweg.experiments.declared import Declared
from thalweg.figures.style import QUIET, WIDTH, letter, number, styled

LABELS = {
    "hbv": "HBV 1.1p",
    "gr4j": "GR4J",
    "exp_hydro": "EXP-HYDRO",
    "xinanjiang": "Xinanjiang",
    "sac_sma": "SAC-SMA",
    "prms": "PRMS",
}
PANELS = {
    "NSE": ("discharge (trained), NSE", 3),
    "evapotranspiration_NSE": ("daily evapotranspiration, NSE", 2),
    "evapotranspiration_error": ("mean evapotranspiration, error [mm/year]", 0),
    "baseflow_index_error": ("baseflow index, error", 2),
}


FIGURE = Declared(
    of="twin_priors",
    reads={"confusion_csv": "tables/which_prior/{domain}/confusion.csv"},
    title="twin experiment of priors",
    caption="Every prior generated discharge, and every prior learned it under equal conditions. Cells state medians over "
    "catchments in the test period, shaded by rank, the best in bold; a frame shows the prior that generated the "
    "discharge, grey where another is better. Only discharge was used in training: evapotranspiration and the "
    "baseflow index are compared with the truth. What a process calls baseflow is part of its structure, so its index "
    "also tells structures apart by definition.",
)


@styled
def draw(confusion_csv):
    """A panel per quantity: a row per prior that made the discharge, a column per prior that learned it.

    Args:
        confusion_csv: of :func:`thalweg.analysis.twin_priors.confusion`.

    Returns:
        matplotlib Figure. Cells state the median over catchments and are shaded by rank, the best darkest; the best is
        in bold, and a frame shows the prior that made the discharge, grey where it is not the best.
    """
    table = pd.read_csv(confusion_csv)
    priors = list(table.generator.unique())
    figure = Figure(figsize=(WIDTH, 1.2 + 0.62 * len(priors)), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for position, (axes, (quantity, (title, digits))) in enumerate(zip(panels, PANELS.items())):
        rows = table[table.quantity == quantity]
        medians, ranks = (
            rows.pivot(index="generator", columns="candidate", values=name).loc[priors, priors]
            for name in ("median", "rank")
        )
        image = axes.imshow(ranks, cmap="Blues_r", vmin=0.5, vmax=len(priors) + 0.5, aspect="auto")
        for i, generator in enumerate(priors):
            for j, candidate in enumerate(priors):
                rank = ranks.loc[generator, candidate]
                axes.text(
                    j,
                    i,
                    number(medians.loc[generator, candidate], digits),
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    color="white" if rank < 1 + len(priors) / 3 else "black",
                    fontweight="bold" if rank == 1 else "normal",
                )
            first = ranks.loc[generator, generator] == 1
            frame = Rectangle(
                (i - 0.46, i - 0.46), 0.92, 0.92, fill=False, linewidth=1.6, edgecolor="#D55E00" if first else QUIET
            )
            axes.add_patch(frame)
        labels = [LABELS.get(prior, prior) for prior in priors]
        axes.set_xticks(range(len(priors)), labels, rotation=40, ha="right")
        axes.set_yticks(range(len(priors)), labels)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        letter(axes, position, title)
    for axes in panels[::2]:
        axes.set_ylabel("made by")
    for axes in panels[2:]:
        axes.set_xlabel("learned by")
    bar = figure.colorbar(image, ax=panels, ticks=range(1, len(priors) + 1), shrink=0.5, label="rank [dimensionless]")
    bar.ax.invert_yaxis()
    bar.ax.tick_params(length=0)
    return figure
