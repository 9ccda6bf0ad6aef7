"""The look that all figures share, and how they are saved.

Figures are made without pyplot: nothing is global, nothing needs a display.
"""

import io
import json
import textwrap
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D
from PIL import Image, PngImagePlugin

from thalweg.storage.store import atomic

# Okabe & Ito (2008), Color Universal Design, which readers with the common kinds of colour blindness can distinguish. The
# last is wine of Tol (2021) instead of yellow, which is too light for lines and points on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255")
OBSERVED = "black"
QUIET = "0.55"  # context: gauges without skill, rivers, notes
WATER, LAND = "#DCE9F2", "#F6F4EF"
DASHES = (
    "-",
    (0, (5, 1.2)),
    (0, (1.2, 1.2)),
    (0, (5, 1.2, 1.2, 1.2)),
    (0, (8, 2)),
    (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2)),
    (0, (2, 2)),
)
MOST_LINES = 4  # models in a panel

WIDTH = 7.2  # inch, two columns of a journal page
TALLEST = 9.3  # inch, a page below which a caption fits
LETTER_WIDTH = 0.066  # inch, mean of the text in titles and legends
DOTS_PER_INCH = 200
PALETTE = 256  # colours of a PNG
DENSE_POINTS, DENSE_VERTICES = 600, 1500  # of an artist, above which it is an image within a PDF
DENSE_DOTS_PER_INCH = 300  # of that image

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "figure.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
}

styled = matplotlib.rc_context(SETTINGS)


class Look(NamedTuple):
    """How one model appears in every figure."""

    label: str
    colour: str
    dashes: object
    marker: str = "o"


def looks(models, labels=None):
    """The look of each model, the same in every figure that is given the same ``labels``.

    Args:
        models: names of models to be drawn.
        labels: name -> label of all models of the study, in the study's order, which decides the colours. Models that
            are not in it follow in alphabetical order under their own name. Where there are more than 28, the looks
            start again, and a model whose look is already taken has the next free one.

    Returns:
        dict: model -> Look, in the study's order.

    Raises:
        ValueError: when there are more models than looks: each colour as it is and darker, both again with other dashes and markers.
    """
    labels = dict(labels or {})
    order = [*labels, *sorted(set(models) - set(labels))]
    drawn = [model for model in order if model in set(models)]
    several = [
        (darker(colour, share), dashes, marker)
        for shift, marker, share in ((0, "o", 0), (3, "^", 0.45), (5, "s", 0), (1, "D", 0.45))
        for colour, dashes in zip(OKABE_ITO, DASHES[shift:] + DASHES[:shift])
    ]
    if len(drawn) > len(several):
        raise ValueError(
            f"{len(drawn)} models, but only {len(several)} can be distinguished; model {drawn[len(several)]!r} "
            "is the first without a look of its own: draw fewer models in one figure"
        )
    taken = {}
    for model in drawn:
        own = order.index(model) % len(several)
        free = next(i % len(several) for i in range(own, own + len(several)) if i % len(several) not in taken.values())
        taken[model] = free
    return {model: Look(labels.get(model, model), *several[position]) for model, position in taken.items()}


def darker(colour, share):
    """A colour mixed with a share of black."""
    return to_hex((1 - share) * np.array(to_rgb(colour)))


def letter(axes, position, text):
    """Give a panel its letter and title, flush left."""
    axes.set_title(f"({chr(ord('a') + position)}) {text}", loc="left")


def number(value, digits=2):
    """A number as figures write it, with a proper minus sign and no negative zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def effect_of(evidence, model, quantity):
    """What a table of evidence states of a model alone: dict with effect and n, which are NaN where it has no row."""
    rows = evidence[(evidence.model == model) & (evidence.quantity == quantity) & (evidence.reference == "")]
    return rows.iloc[0].to_dict() if len(rows) else {"effect": np.nan, "n": np.nan}


def median_of(summary, domain, experiment, model, metric, variable="discharge"):
    """The median over places that a table of :func:`thalweg.evaluation.statistics.summarise` states; NaN where it has none."""
    wanted = {"domain": domain, "experiment": experiment, "variable": variable, "model": model, "metric": metric}
    rows = summary[np.logical_and.reduce([summary[name] == value for name, value in wanted.items()])]
    return rows["median"].iloc[0] if len(rows) else np.nan


def wrap(text, inches):
    """``text`` broken into lines no wider than ``inches`` at the size of titles."""
    return textwrap.fill(text, max(int(inches / LETTER_WIDTH), 8), break_long_words=False)


def lines_of(look):
    """Legend entries of models that are drawn as lines."""
    return [Line2D([], [], color=each.colour, linestyle=each.dashes, label=each.label) for each in look.values()]


def dot(label, colour, marker="o"):
    """Legend entry of points."""
    return Line2D([], [], linestyle="", marker=marker, markersize=4, markeredgewidth=0, color=colour, label=label)


def dots_of(look):
    """Legend entries of models that are drawn as points."""
    return [dot(each.label, each.colour, each.marker) for each in look.values()]


def note(axes, text, height=0.97, anchor="top"):
    """Numbers in the left corner of a panel, above the data."""
    box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
    axes.text(0.03, height, text, transform=axes.transAxes, va=anchor, fontsize=6.5, zorder=5, bbox=box)


def stated(axes, text):
    """Numbers above a panel, where they hide no data: below its letter and title, where it has them."""
    axes.set_title("\n".join(filter(None, [axes.get_title(loc="left"), text])), loc="left")


def statement(axes, handles, title="", loc="upper left"):
    """A small legend within a panel, above the data, that states a number of each model."""
    return axes.legend(
        handles=handles,
        title=title,
        alignment="left",
        loc=loc,
        frameon=True,
        edgecolor="none",
        framealpha=0.75,
        handlelength=1.8,
        handletextpad=0.4,
        labelspacing=0.3,
        borderaxespad=0.3,
    )


def skill_above(axes, title, look, values, digits=2):
    """The skill of each model above a panel, at its right end, beside the model's line.

    Args:
        title: name of the metric.
        values: model -> number; NaN where there is none.
    """
    lines = [
        Line2D(
            [],
            [],
            color=each.colour,
            linestyle=each.dashes,
            label=number(values[model], digits) if np.isfinite(values[model]) else "none",
        )
        for model, each in look.items()
    ]
    axes.legend(
        handles=[Line2D([], [], linestyle="", label=title), *lines],
        loc="lower right",
        bbox_to_anchor=(1.005, 0.98),
        ncols=len(lines) + 1,
        handlelength=1.6,
        columnspacing=0.9,
        handletextpad=0.4,
        borderpad=0,
        borderaxespad=0.2,
    )


def dates(axes, first, last):
    """Dates below a panel, from the first to the last."""
    locator = AutoDateLocator(maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, offset_formats=["", *["%Y"] * 5]))
    axes.set_xlim(first, last)


def legend_below(figure, handles):
    """One legend for all panels, below them, in as many columns as fit."""
    names = [len(handle.get_label()) for handle in handles]

    def width(columns):
        return sum(LETTER_WIDTH * max(group) + 0.6 for group in np.array_split(names, columns))

    columns = next((each for each in range(len(names), 1, -1) if width(each) < figure.get_figwidth()), 1)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def colour_range(values, low=2, high=98):
    """Percentiles between which a colour scale runs, and which ends values lie beyond (matplotlib's ``extend``).

    Args:
        values: any shape; NaN does not count.

    Returns:
        (float, float, str): never equal, so that a constant field can be drawn.
    """
    known = np.asarray(values)[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 1.0, "neither"
    first, last = np.percentile(known, [low, high])
    if first == last:
        margin = abs(first) * 0.05 or 0.5
        first, last = first - margin, last + margin
    below, above = known.min() < first, known.max() > last
    return first, last, {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]


def save(figure, path, provenance):
    """Write a figure as PNG and PDF, each whole or not at all, with its provenance inside.

    The PNG carries the record as text chunk ``provenance``, the PDF as its keywords.

    Args:
        figure: matplotlib Figure.
        path: file name without suffix.
        provenance: record of :func:`thalweg.storage.store.provenance`.

    Returns:
        list of Path: the files written.
    """
    record = json.dumps(provenance, default=str)
    path = Path(path)
    png, pdf = (path.with_name(f"{path.name}.{suffix}") for suffix in ("png", "pdf"))
    with matplotlib.rc_context(SETTINGS):
        with atomic(png) as temporary:
            _write_png(figure, temporary, {"provenance": record, "Software": "thalweg"})
        _rasterise(figure)
        with atomic(pdf) as temporary:
            metadata = {"Keywords": record, "Creator": "thalweg"}
            figure.savefig(temporary, format="pdf", dpi=DENSE_DOTS_PER_INCH, metadata=metadata)
    return [png, pdf]


def _write_png(figure, path, texts):
    """A PNG of at most ``PALETTE`` colours, each the mean of those that it stands for: a third of the size of one of all."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    full = Image.open(drawn).convert("RGB")
    image = full.quantize(PALETTE, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    index, pixels = np.asarray(image).ravel(), np.asarray(full).reshape(-1, 3)
    count = np.maximum(np.bincount(index, minlength=PALETTE), 1)
    palette = [np.bincount(index, band, PALETTE) / count for band in pixels.T]
    image.putpalette(np.rint(np.stack(palette, axis=1)).astype(int).ravel().tolist())
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    image.save(path, "png", optimize=True, pnginfo=chunks, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))


def _rasterise(figure):
    """Make images of dense lines and points, which would make a PDF large and slow; axes and text stay vectors."""
    for artist in figure.findobj(lambda each: isinstance(each, (Collection, Line2D))):
        if isinstance(artist, Line2D):
            points, vertices = 0, len(artist.get_xdata(orig=False))
        else:
            points, vertices = len(artist.get_offsets()), sum(len(shape.vertices) for shape in artist.get_paths())
        if points > DENSE_POINTS or vertices > DENSE_VERTICES:
            artist.set_rasterized(True)
