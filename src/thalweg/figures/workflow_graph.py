"""The stages of the study and what each passes on."""

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, WIDTH, styled

COLOURS = (5, 5, 2, 3, 4, 0)  # of OKABE_ITO, by column
LINE, PADDING, ROUND = 0.115, 0.08, 0.05  # inch: height of a line, room around the text of a box, radius of its corners
BETWEEN, GAP = 0.2, 0.16  # inch, between columns and between rows
MARGIN = 0.05  # inch

FIGURE = Declared(
    of="study",
    reads={},
    given={"stages": "stages"},
    title="the workflow",
    caption="Stages of the study, from data on the left to verdicts and figures on the right. Models are trained on each "
    "domain separately, and not every test is made on every domain: the file of the study states which.",
)


@styled
def draw(stages):
    """A box for each stage, a column for each step from data to results, arrows between them.

    Args:
        stages: boxes with their column and row, and arrows, of :func:`thalweg.experiments.stages.stages`.

    Returns:
        matplotlib Figure. Rows without a box are left out.

    Raises:
        ValueError: when an arrow names a stage that is not there.
    """
    boxes = stages["boxes"]
    columns = max(box["column"] for box in boxes) + 1
    width = (WIDTH - 2 * MARGIN - BETWEEN * (columns - 1)) / columns
    rows = {row: max(_height(box) for box in boxes if box["row"] == row) for row in sorted({b["row"] for b in boxes})}
    height = sum(rows.values()) + GAP * (len(rows) - 1)
    figure = Figure(figsize=(WIDTH, height + 2 * MARGIN))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-MARGIN, WIDTH - MARGIN), ylim=(-MARGIN, height + MARGIN))
    axes.axis("off")
    middle, top = {}, height
    for row, tall in rows.items():
        middle[row] = top - tall / 2
        top -= tall + GAP
    place = {box["name"]: (box["column"] * (width + BETWEEN), middle[box["row"]]) for box in boxes}
    for box in boxes:
        left, centre = place[box["name"]]
        _box(axes, box, left, centre - _height(box) / 2, _height(box), width, OKABE_ITO[COLOURS[box["column"]]])
    for start, end in stages["arrows"]:
        if not {start, end} <= set(place):
            raise ValueError(f"an arrow leads from {start!r} to {end!r}, but the stages are {', '.join(place)}")
        tail = (place[start][0] + width, place[start][1])
        arrow = FancyArrowPatch(
            tail, place[end], arrowstyle="-|>", mutation_scale=6, color="0.35", linewidth=0.7, shrinkA=0, shrinkB=0
        )
        axes.add_patch(arrow)
    return figure


def _height(box):
    return LINE * (1 + len(box["lines"])) + 2 * PADDING


def _box(axes, box, left, bottom, height, width, colour):
    shape = FancyBboxPatch(
        (left + ROUND, bottom + ROUND),
        width - 2 * ROUND,
        height - 2 * ROUND,
        boxstyle=f"round,pad={ROUND}",
        facecolor=(*_mixed(colour), 1),
        edgecolor=colour,
        linewidth=0.9,
    )
    axes.add_patch(shape)
    top = bottom + height - PADDING
    axes.text(left + width / 2, top, box["title"], ha="center", va="top", fontsize=6.2, weight="bold")
    for number, line in enumerate(box["lines"]):
        axes.text(left + width / 2, top - LINE * (number + 1.05), line, ha="center", va="top", fontsize=5.8)


def _mixed(colour):
    """A colour mixed with white."""
    return tuple(1 - 0.15 * (1 - int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
