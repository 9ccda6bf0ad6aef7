"""The claims and their verdicts: those that fail are shown like those that hold."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.evaluation.claims import SYMBOLS, effect_text, gain, read_claims
from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, WIDTH, styled
from thalweg.units import unit_text

COLOURS = {"supported": OKABE_ITO[0], "not supported": OKABE_ITO[1], "undecided": "0.35", "not tested": "0.55"}
MARKERS = {"supported": ("o", 5), "not supported": ("X", 6), "undecided": ("D", 4.2)}  # and size, points
TICKS = (1, 10, 100)
SMALLEST_LIMIT, LARGEST_LIMIT = 5, 100  # of the axis, in margins

# Inch from the left edge.
LONG_UNIT = 4  # letters of a unit that still fits behind an effect
SYMBOL, TEXT, FOREST, EFFECT, METRIC, COUNT = 0.12, 0.24, 3.62, 5.0, WIDTH - 0.32, WIDTH - 0.06
# Inch from the upper edge, or of height.
TITLE, COUNTS, COLUMNS, TOP, BOTTOM = 0.12, 0.38, 0.62, 0.72, 0.55
LINE, GAP, HEADING = 0.105, 0.035, 0.23
LETTER, SMALL_LETTER, BOLD_LETTER = 0.0497, 0.047, 0.081  # inch, mean width at 6.5, 6 and 8 points
GREY = "0.45"


FIGURE = Declared(
    of="claimed",
    reads={"claims_csv": "claims"},
    given={"title": "claims_title"},
    title="claims",
    caption="The claims of the study with verdict, effect and 95 % interval. Each effect is drawn as its distance from "
    "the claim's threshold in units of the smallest effect that matters; right of 0 is as claimed. Blue circles: "
    "supported; orange crosses: not supported; open diamonds: undecided.",
    category="Claims",
)


@styled
def draw(claims_csv, title=""):
    """A row per claim, by family: its verdict, its effect with the interval, and the numbers.

    Effects have different units. Each is drawn as its distance from the claim's threshold towards the claimed side, in
    units of the claim's margin, on an axis that is linear near 0 and logarithmic beyond (inverse hyperbolic sine). Right
    of 0 is what is claimed; right of the dotted line at 1 it also matters.

    Args:
        claims_csv: verdicts of :func:`thalweg.evaluation.claims.judge`.
        title: above the verdicts.

    Returns:
        matplotlib Figure. Verdicts differ in colour and in symbol.

    Raises:
        ValueError: when there is no claim.
    """
    table = read_claims(claims_csv)
    if table.empty:
        raise ValueError(f"{claims_csv}: there is no claim to draw; name some in the study's block claims")
    table[["unit", "reason"]] = table[["unit", "reason"]].fillna("")
    rows = table.to_dict("records")
    for row in rows:
        row["lines"] = _wrapped(row["text"], FOREST - TEXT, LETTER)
        row["note"] = _wrapped(row["reason"], COUNT - EFFECT, SMALL_LETTER)
    headings, end = _place(rows)
    height = end + BOTTOM
    figure = Figure(figsize=(WIDTH, height))

    def write(x, y, text, **look):
        figure.text(x / WIDTH, 1 - y / height, text, **{"va": "center", "fontsize": 6.5, **look})

    _head(write, table.verdict.value_counts(), title)
    axes = figure.add_axes((FOREST / WIDTH, BOTTOM / height, (EFFECT - 0.1 - FOREST) / WIDTH, (end - TOP) / height))
    axes.set(ylim=(end, TOP), yticks=[])
    limit = _axis(axes, rows)
    for family, y in headings.items():
        write(SYMBOL - 0.06, y, family.capitalize(), weight="bold", fontsize=8)
        line = 1 - (y + 0.1) / height
        figure.add_artist(Line2D([0.06 / WIDTH, COUNT / WIDTH], [line, line], color="0.8", linewidth=0.5))
    for row in rows:
        y, colour = row["y"], COLOURS[row["verdict"]]
        tested = row["verdict"] != "not tested"
        write(SYMBOL, y, SYMBOLS[row["verdict"]], color=colour, weight="bold", fontsize=9, ha="center")
        write(TEXT, y, "\n".join(row["lines"]), color="black" if tested else GREY, linespacing=1.1)
        if not tested:
            write(EFFECT, y, "\n".join(row["note"]), color=GREY, fontsize=6, style="italic", linespacing=1.1)
            continue
        _interval(axes, row, limit)
        evidence, unit = row["kind"] == "evidence", unit_text(row["unit"]).replace("dimensionless", "")
        apart = evidence or (len(unit) > LONG_UNIT and unit != "percent")  # the unit stands in the next column
        write(EFFECT, y, effect_text(row | {"unit": "dimensionless"} if apart else row), color=colour)
        measured = unit if evidence else row["metric_or_quantity"] + (f" [{unit}]" if apart and unit else "")
        write(METRIC, y, measured.replace("_", " "), color=GREY, fontsize=5 if apart else 6, ha="right")
        if np.isfinite(row["n"]):
            write(COUNT, y, f"{row['n']:.0f}", color=GREY, fontsize=6, ha="right")
    return figure


def _wrapped(text, inches, letter):
    return textwrap.wrap(text, int(inches / letter), break_on_hyphens=False)


def _place(rows):
    """Give each row its ``y``; returns those of the families' names, and where the rows end. Inch from the top."""
    headings, y = {}, TOP
    for row in rows:
        if row["family"] not in headings:
            headings[row["family"]] = y + HEADING / 2
            y += HEADING
        lines = max(len(row["lines"]), len(row["note"]) if row["verdict"] == "not tested" else 1)
        row["y"] = y + (LINE * lines + GAP) / 2
        y += LINE * lines + GAP
    return headings, y + GAP


def _head(write, counts, title):
    """The title, how many claims have each verdict, and the names of the columns."""
    write(SYMBOL - 0.06, TITLE, title, weight="bold", fontsize=9)
    x = SYMBOL - 0.06
    for verdict, symbol in SYMBOLS.items():
        text = f"{symbol} {counts.get(verdict, 0)} {verdict}"
        write(x, COUNTS, text, color=COLOURS[verdict], weight="bold", fontsize=8)
        x += BOLD_LETTER * len(text) + 0.15
    names = {"color": GREY, "fontsize": 6}
    middle = (FOREST + EFFECT - 0.1) / 2
    write(middle - 0.06, COLUMNS, "\N{LEFTWARDS ARROW} contrary", ha="right", **names)
    write(middle + 0.06, COLUMNS, "as claimed \N{RIGHTWARDS ARROW}", **names)
    write(EFFECT, COLUMNS, "effect (95 % interval)", **names)
    write(METRIC, COLUMNS, "metric", ha="right", **names)
    write(COUNT, COLUMNS, "n", ha="right", **names)


def _axis(axes, rows):
    """The axis of all claims, in margins from the threshold; returns its limit."""
    gains = [np.array(gain(row)) / row["margin"] for row in rows if row["verdict"] != "not tested"]
    reach = np.nanmax(np.abs(gains)) if gains else 0
    limit = float(np.clip(1.15 * reach, SMALLEST_LIMIT, LARGEST_LIMIT))
    ticks = np.array([tick for tick in TICKS if limit / 30 < tick <= limit])
    axes.set_xscale("asinh", linear_width=1)
    axes.set_xlim(-limit, limit)
    axes.set_xticks([*-ticks[::-1], 0, *ticks])
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    for side, verdict in ((limit, "supported"), (-limit, "not supported")):
        axes.axvspan(0, side, color=COLOURS[verdict], alpha=0.07, linewidth=0)
    axes.axvline(0, color="black", linewidth=0.7)
    axes.axvline(1, color="0.5", linewidth=0.6, linestyle=(0, (2, 2)))
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("distance from the threshold,\nin units of the smallest effect that matters", fontsize=6.5)
    return limit


def _interval(axes, row, limit):
    effect, low, high = np.array(gain(row)) / row["margin"]
    colour, (marker, size) = COLOURS[row["verdict"]], MARKERS[row["verdict"]]
    axes.plot(np.clip([low, high], -limit, limit), [row["y"]] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
    for beyond, place, arrow in ((low < -limit, -limit, "<"), (high > limit, limit, ">")):
        if beyond:
            axes.plot(place, row["y"], arrow, color=colour, markersize=3.5, clip_on=False)
    face = "white" if row["verdict"] == "undecided" else colour
    if abs(effect) <= limit:
        axes.plot(effect, row["y"], marker, color=colour, markerfacecolor=face, markersize=size, zorder=3)
