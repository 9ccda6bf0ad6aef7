"""Blocks of several narrow levels: a wavefront over level and time.

One level may be a few reaches, and a block computes whole vectors of them. Levels that share a block march together when
each is a window of time behind the one above: its inflow has been computed in the window before. A call of the kernel
takes every lane through its own window of ``length`` steps; windows before the start and after the end of a lane's series
are empty, and change neither its state nor any gradient.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

CALL = 40  # overhead of a call, in steps of a block


@dataclass(frozen=True)
class Piece:
    """``count`` windows of ``length`` steps from the step ``start``, through ``depth`` levels."""

    start: int
    length: int
    count: int
    depth: int

    @property
    def calls(self):
        """Calls of the kernel."""
        return self.count + self.depth - 1

    def cost(self):
        """Run time, in steps."""
        return self.calls * (self.length + CALL)

    def windows(self, call, behind):
        """First step of each lane's window, -1 for none; whether it is the lane's first; and its last."""
        window = call - behind
        inside = (window >= 0) & (window < self.count)
        return np.where(inside, self.start + window * self.length, -1), window == 0, window == self.count - 1


@lru_cache(maxsize=1024)
def pieces(steps, depth):
    """Pieces that cover all steps, at minimum cost: equal windows and one for the remainder."""
    best = None
    for length in {*range(1, min(steps, int(4 * (CALL * steps) ** 0.5)) + 1), steps}:
        count, left = divmod(steps, length)
        found = [Piece(0, length, count, depth)]
        if left:
            found.append(Piece(count * length, left, 1, depth))
        cost = sum(piece.cost() for piece in found)
        if best is None or cost < best[0]:
            best = cost, found
    return best[1]


def rows(steps, depth, interval):
    """Number of checkpoints of a stack."""
    return sum(piece.calls * -(-piece.length // interval) for piece in pieces(steps, depth))


@njit(cache=True, nogil=True)
def _take(block, width, starts, series, window):
    """window (step, lane) from a series (block, time, lane)."""
    for step in range(window.shape[0]):
        for lane in range(width):
            window[step, lane] = series[block, starts[lane] + step, lane] if starts[lane] >= 0 else 0


@njit(cache=True, nogil=True)
def _give(block, width, starts, window, series):
    """The reverse of _take."""
    for step in range(window.shape[0]):
        for lane in range(width):
            if starts[lane] >= 0:
                series[block, starts[lane] + step, lane] = window[step, lane]


@njit(cache=True, nogil=True)
def _take_above(block, width, starts, first, above, discharge, window):
    """window = sum of the discharge of the places above."""
    lanes = window.shape[1]
    for step in range(window.shape[0]):
        for lane in range(width):
            total = discharge.dtype.type(0)
            if starts[lane] >= 0:
                place = block * lanes + lane
                for k in range(first[place], first[place + 1]):
                    total += discharge[above[k] // lanes, starts[lane] + step, above[k] % lanes]
            window[step, lane] = total


@njit(cache=True, nogil=True)
def _add_below(block, width, starts, below, inflow, window):
    """Adjoint of _take_above: add the gradient of the inflow below."""
    lanes = window.shape[1]
    for step in range(window.shape[0]):
        for lane in range(width):
            place = below[block * lanes + lane]
            if place >= 0 and starts[lane] >= 0:
                window[step, lane] += inflow[place // lanes, starts[lane] + step, place % lanes]


def forward(blocks, block, width, kernel, interval, lateral, inflow, discharge, parameters, states, checkpoints, order):
    """March one stack; series are (block, time, lane), ``states`` (state, lane) are overwritten by the last ones.

    ``order`` sorts (inflow, lateral inflow) as the kernel takes them.
    """
    steps, lanes, real = lateral.shape[1], lateral.shape[2], lateral.dtype
    behind, depth, row = blocks.below_top[block], int(blocks.depth[block]), 0
    now = states.copy()
    for piece in pieces(steps, depth):
        into, beside, out = np.zeros((3, piece.length, lanes), real)
        kept = -(-piece.length // interval) if interval else 0
        for call in range(piece.calls):
            starts, begins, ends = piece.windows(call, behind)
            now[:, begins] = states[:, begins]
            _take(block, width, starts, lateral, beside)
            _take_above(block, width, starts, *blocks.above, discharge, into)
            forcing = order(into, beside)
            kernel(
                0, 1, width, 1, piece.length, interval, *forcing, *parameters, *now, out, checkpoints[row : row + kept]
            )  # fmt: skip
            _give(block, width, starts, into, inflow)
            _give(block, width, starts, out, discharge)
            states[:, ends] = now[:, ends]
            row += kept


def backward(
    blocks, block, width, kernel, interval, lateral, inflow, gradient, parameters, states, checkpoints, order, found
):
    """The adjoint: ``states`` are gradients, the last ones' in and the first ones' out.

    ``found`` is a list of arrays that the kernel fills: (block, time, lane), the first of them for inflow; or (block,
    lane), which are zero and added to.
    """
    steps, lanes, real = lateral.shape[1], lateral.shape[2], lateral.dtype
    behind, depth, row = blocks.below_top[block], int(blocks.depth[block]), len(checkpoints)
    now = np.zeros_like(states)
    for piece in reversed(pieces(steps, depth)):
        into, beside, out = np.zeros((3, piece.length, lanes), real)
        part = [np.zeros((piece.length, lanes) if value.ndim == 3 else lanes, real) for value in found]
        kept = -(-piece.length // interval)
        for call in reversed(range(piece.calls)):
            starts, begins, ends = piece.windows(call, behind)
            row -= kept
            now[:, ends] = states[:, ends]
            _take(block, width, starts, lateral, beside)
            _take(block, width, starts, inflow, into)
            _take(block, width, starts, gradient, out)
            _add_below(block, width, starts, blocks.below, found[0], out)
            forcing = order(into, beside)
            kernel(
                0, 1, width, 1, piece.length, interval, *forcing, *parameters, checkpoints[row : row + kept], out, *now,
                *part,
            )  # fmt: skip
            for value, share in zip(found, part):
                if value.ndim == 3:
                    _give(block, width, starts, share, value)
                else:
                    value[block] += np.where(starts >= 0, share, 0)  # an empty window may give NaN: 0 times infinity
            states[:, begins] = now[:, begins]
            now[:, begins] = 0
