"""The study's rules and what depends on what."""

import re
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Outline

from thalweg.figures.style import OKABE_ITO, QUIET, styled

NODE = re.compile(r'^\s*(\d+)\s*\[\s*label\s*=\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
EDGE = re.compile(r"^\s*(\d+)\s*->\s*(\d+)", re.MULTILINE)
SWEEPS = 100  # passes over the layers; order and heights settle in fewer
STRAIGHTNESS = (1, 2, 8)  # pull between two rules, a rule and an arrow that passes, two passing points of an arrow
LETTER = 0.068  # inch, width of a letter of a box
ROW, BOX, GAP = 0.3, 0.2, 0.4  # inch: distance of rows, height of a box, width between layers
ROUND = 0.05  # inch, radius of a box's corners


@styled
def draw(rulegraph_path, leave_out=("all",)):
    """Draw the output of ``snakemake --rulegraph`` (DOT), from data on the left to results on the right.

    Args:
        rulegraph_path: the output, saved as a file.
        leave_out: rules that are not drawn, such as the target that only collects.

    Returns:
        matplotlib Figure. Rules stand as far left as what they need allows; rules without inputs and rules that nothing
        needs are set apart by colour.

    Raises:
        ValueError: when the file has no rule, or the rules depend on each other in a circle.
    """
    labels, edges = parse(Path(rulegraph_path).read_text(), rulegraph_path)
    edges = {(a, b) for a, b in edges if a != b and labels[a] not in leave_out and labels[b] not in leave_out}
    labels = {node: label for node, label in labels.items() if label not in leave_out}
    layers, links = _layers(labels, edges, rulegraph_path)

    widths = [
        LETTER * max((len(labels[node]) for node in layer if node in labels), default=0) + 0.2 for layer in layers
    ]
    left = np.concatenate([[0], np.cumsum(np.array(widths) + GAP)])[: len(layers)]
    height = ROW * (max(map(len, layers)) - 1)
    place = {}
    for layer, x in zip(layers, left):
        for row, node in enumerate(layer):
            place[node] = x, (row - (len(layer) - 1) / 2) * ROW
    place = _straightened(layers, links, place)

    extent = left[-1] + widths[-1], max(height, max(abs(y) for _, y in place.values()) * 2)
    figure = Figure(figsize=(extent[0] + 0.2, extent[1] + BOX + 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.1, extent[0] + 0.1), ylim=(-(extent[1] + BOX) / 2 - 0.1, (extent[1] + BOX) / 2 + 0.1))
    axes.set_axis_off()
    width_of = {node: width for layer, width in zip(layers, widths) for node in layer}
    for chain in links:
        axes.add_patch(_arrow([place[node] for node in chain], [width_of[node] for node in chain]))
    needed, needing = {a for a, _ in edges}, {b for _, b in edges}
    for node, label in labels.items():
        x, y = place[node]
        colour = OKABE_ITO[4] if node not in needing else OKABE_ITO[2] if node not in needed else QUIET
        axes.text(
            x + width_of[node] / 2,
            y,
            label,
            ha="center",
            va="center",
            fontsize=7,
            zorder=4,
        )
        box = FancyBboxPatch(
            (x + ROUND, y - BOX / 2 + ROUND),
            width_of[node] - 2 * ROUND,
            BOX - 2 * ROUND,
            boxstyle=f"round,pad={ROUND}",
            facecolor="white",
            edgecolor=colour,
            linewidth=1.2,
            zorder=3,
        )
        axes.add_patch(box)
    return figure


def parse(text, source="rule graph"):
    """Rules and dependencies of a DOT text.

    Returns:
        (dict, set): id -> rule name; pairs (id needed, id that needs it).

    Raises:
        ValueError: when there is no rule, or an edge names one that is not there.
    """
    labels = {node: label.split("\\n")[0] for node, label in NODE.findall(text)}
    edges = set(EDGE.findall(text))
    if not labels:
        raise ValueError(f"{source}: there is no rule in it; save the output of 'snakemake --rulegraph' there")
    for edge in edges:
        for node in edge:
            if node not in labels:
                raise ValueError(f"{source}: edge {' -> '.join(edge)} names node {node}, which has no label")
    return labels, edges


def _layers(labels, edges, source):
    """Nodes by their longest path from a rule without inputs, each layer ordered so that few arrows cross.

    An arrow over several layers gets a nameless node in each layer that it passes.

    Returns:
        (list of lists of nodes, list of chains of nodes from the needed to the needing rule).
    """
    needs = {node: {a for a, b in edges if b == node} for node in labels}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(labels[node] for node in error.args[1])
        raise ValueError(f"{source}: the rules depend on each other in a circle: {circle}") from error
    depth = {}
    for node in order:
        depth[node] = max((depth[each] + 1 for each in needs[node]), default=0)
    layers = [[node for node in order if depth[node] == level] for level in range(max(depth.values()) + 1)]
    chains = []
    for a, b in sorted(edges):
        passed = [(a, b, level) for level in range(depth[a] + 1, depth[b])]
        for node in passed:
            layers[node[2]].append(node)
        chains.append([a, *passed, b])

    neighbours = {}
    for chain in chains:
        for a, b in pairwise(chain):
            neighbours.setdefault(b, ([], []))[0].append(a)
            neighbours.setdefault(a, ([], []))[1].append(b)
    for sweep in range(SWEEPS):
        side = sweep % 2
        for layer in layers if side == 0 else reversed(layers):
            row = {node: position for each in layers for position, node in enumerate(each)}

            def middle(node, side=side, row=row):
                beside = neighbours.get(node, ([], []))[side]
                return np.mean([row[each] for each in beside]) if beside else row[node]

            layer.sort(key=middle)
    return layers, chains


def _straightened(layers, chains, place):
    """Move nodes up or down towards their neighbours, keeping the order and the distance of rows in each layer."""
    from scipy.optimize import isotonic_regression

    place_of_arrow = {node for chain in chains for node in chain[1:-1]}
    beside = {}
    for chain in chains:
        for a, b in pairwise(chain):
            pull = STRAIGHTNESS[(a in place_of_arrow) + (b in place_of_arrow)]
            beside.setdefault(a, []).append((b, pull))
            beside.setdefault(b, []).append((a, pull))
    height = {node: y for node, (_, y) in place.items()}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            ties = [beside.get(node, [(node, 1)]) for node in layer]
            weights = np.array([sum(pull for _, pull in tie) for tie in ties], dtype=float)
            wanted = np.array([sum(height[node] * pull for node, pull in tie) for tie in ties]) / weights
            rows = np.arange(len(layer)) * ROW
            # The nearest heights (least squares) that keep the order and the distance: isotonic regression.
            settled = isotonic_regression(wanted - rows, weights=weights).x + rows
            height.update(zip(layer, settled))
    middle = (min(height.values()) + max(height.values())) / 2
    return {node: (x, height[node] - middle) for node, (x, _) in place.items()}


def _arrow(points, widths):
    """A smooth arrow from the right side of the first box, through the nameless nodes, to the left side of the last."""
    corners = [(points[0][0] + widths[0], points[0][1])]
    for (x, y), width in zip(points[1:-1], widths[1:-1]):
        corners += [(x, y), (x + width, y)]
    corners.append(points[-1])
    vertices, codes = [corners[0]], [Outline.MOVETO]
    for index, (start, end) in enumerate(pairwise(corners)):
        if index % 2 == 0:  # between layers
            half = (start[0] + end[0]) / 2
            vertices += [(half, start[1]), (half, end[1]), end]
            codes += [Outline.CURVE4] * 3
        else:  # through a layer
            vertices.append(end)
            codes.append(Outline.LINETO)
    return FancyArrowPatch(
        path=Outline(vertices, codes),
        arrowstyle="-|>",
        mutation_scale=6,
        color="0.6",
        linewidth=0.7,
        zorder=1,
        shrinkA=0,
        shrinkB=0,
    )
