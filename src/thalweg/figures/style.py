"""The look that all figures share, and how they are saved.

Figures are made without pyplot: nothing is global, nothing needs a display.
"""

import json
import textwrap
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np

from thalweg.storage.store import atomic

# Okabe & Ito (2008), Color Universal Design: told apart with the common kinds of colour blindness. Yellow comes last.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
OBSERVED = "black"
QUIET = "0.55"  # what is there but not the point: gauges without skill, rivers, notes
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

WIDTH = 7.2  # inch, two columns of a journal page
LETTER_WIDTH = 0.066  # inch, mean of the text in titles and legends
DOTS_PER_INCH = 300

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


def looks(models, labels=None):
    """The look of each model, the same in every figure that is given the same ``labels``.

    Args:
        models: names of models to be drawn.
        labels: name -> label of all models of the study, in the study's order, which decides the colours. Models that
            are not in it follow in alphabetical order under their own name.

    Returns:
        dict: model -> Look, in the study's order.

    Raises:
        ValueError: when there are more models than looks: colours thrice, with other dashes each time.
    """
    labels = dict(labels or {})
    order = [*labels, *sorted(set(models) - set(labels))]
    several = [look for shift in (0, 3, 5) for look in zip(OKABE_ITO, DASHES[shift:] + DASHES[:shift])]
    if len(order) > len(several):
        order = [model for model in order if model in set(models)]
    if len(order) > len(several):
        raise ValueError(
            f"{len(order)} models, but only {len(several)} can be told apart; model {order[len(several)]!r} "
            "is the first without a look of its own: draw fewer models in one figure"
        )
    all_looks = {model: Look(labels.get(model, model), *look) for model, look in zip(order, several)}
    return {model: look for model, look in all_looks.items() if model in set(models)}


def letter(axes, position, text):
    """Give a panel its letter and title, flush left."""
    axes.set_title(f"({chr(ord('a') + position)}) {text}", loc="left")


def number(value, digits=2):
    """A number as figures write it, with a proper minus sign and no negative zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def wrap(text, inches):
    """``text`` broken into lines no wider than ``inches`` at the size of titles."""
    return textwrap.fill(text, max(int(inches / LETTER_WIDTH), 8), break_long_words=False)


def legend_below(figure, handles):
    """One legend for all panels, below them, in as many columns as fit."""
    longest = max(len(handle.get_label()) for handle in handles)
    columns = int(figure.get_figwidth() / (longest * LETTER_WIDTH + 0.5))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(max(columns, 1), len(handles)))


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
    metadata = {
        "png": {"provenance": record, "Software": "thalweg"},
        "pdf": {"Keywords": record, "Creator": "thalweg"},
    }
    written = []
    with matplotlib.rc_context(SETTINGS):
        for suffix, entries in metadata.items():
            file = path.with_name(f"{path.name}.{suffix}")
            with atomic(file) as temporary:
                figure.savefig(temporary, format=suffix, dpi=DOTS_PER_INCH, metadata=entries)
            written.append(file)
    return written
