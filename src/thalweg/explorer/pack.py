"""Arrays as text in a page: quantised, compressed by zlib, in base64; ``web/unpack.js`` reads them.

Series are stored as whole numbers of a step. A step of discharge is relative to the value, so that low flow keeps its
shape on a logarithmic axis: with s one thousandth of the largest value of a place,

    code = round(asinh(value / s) / step)

and the error is at most half a step times sqrt(value^2 + s^2). The step of any other variable is a share of the place's range. The
differences between successive codes are small numbers, which zlib compresses to about a byte each. There are two precisions, of
which the coarse one is for large samples.
"""

import base64
import zlib
from typing import NamedTuple

import numpy as np

LOWEST = 1e-3  # of the largest discharge of a place, below which steps become equal


class Precision(NamedTuple):
    """Steps of series.

    Attributes:
        relative: step over the value, of discharge.
        linear: step over the range of a place, of any other variable.
    """

    relative: float
    linear: float


FINE, COARSE = Precision(0.004, 0.0002), Precision(0.02, 0.001)
MANTISSA_BITS = 11  # kept of a number in a table: three significant digits


def pack_series(values, relative, precision):
    """Series of many places as text.

    Args:
        values: array (place, time), NaN where there is no value.
        relative: steps are relative to the value, as for discharge; otherwise equal over the range of a place.
        precision: :class:`Precision`.

    Returns:
        str: base64 of zlib of the offset and scale of every place (float32) and, as low and then high bytes, the differences of
        codes (place, time) in zigzag order plus 1; 0 where there is no value.
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    low, high = _range(values, known)
    offset = np.zeros(len(values)) if relative else low
    scale = LOWEST * np.maximum(np.abs(low), np.abs(high)) if relative else precision.linear * (high - low)
    scale = np.where(scale > 0, scale, 1.0)
    header = np.stack([offset, scale]).astype("<f4")
    offset, scale = header.astype(np.float64)
    steps = (np.where(known, values, 0.0) - offset[:, None]) / scale[:, None]
    codes = np.rint(np.arcsinh(steps) / precision.relative if relative else steps).astype(np.int64)
    differences = _differences(codes, known)
    zigzag = np.where(known, np.where(differences < 0, -2 * differences - 1, 2 * differences) + 1, 0)
    return _text(header.tobytes() + _planes(zigzag.astype("<u2")))


def unpack_series(text, places, step):
    """What a page shows of :func:`pack_series`: array (place, time); ``step`` is the relative one, 0 where steps are equal."""
    data = zlib.decompress(base64.b64decode(text))
    offset, scale = np.frombuffer(data[: 8 * places], "<f4").reshape(2, places, 1).astype(np.float64)
    low, high = np.frombuffer(data[8 * places :], "u1").reshape(2, places, -1).astype(np.int64)
    stored = low + 256 * high
    zigzag = np.maximum(stored - 1, 0)
    codes = np.cumsum(np.where(zigzag % 2, -(zigzag + 1) // 2, zigzag // 2), axis=1)
    values = offset + scale * (np.sinh(step * codes) if step else codes)
    return np.where(stored > 0, values, np.nan)


def pack_numbers(values):
    """A table of numbers as text, rounded to three significant digits: base64 of zlib of the four byte planes of float32."""
    bits = np.asarray(values, dtype="<f4").view("<u4")
    dropped = 23 - MANTISSA_BITS
    rounded = (bits + (1 << (dropped - 1))) >> dropped << dropped
    kept = np.where(np.isfinite(np.asarray(values, dtype="<f4")), rounded, np.uint32(0x7FC00000))
    return _text(_planes(kept.astype("<u4")))


def _range(values, known):
    """Least and greatest known value of every place, 0 where there is none."""
    there = known.any(1)
    low = np.where(there, np.where(known, values, np.inf).min(1, initial=np.inf), 0.0)
    high = np.where(there, np.where(known, values, -np.inf).max(1, initial=-np.inf), 0.0)
    return low, high


def _differences(codes, known):
    """Difference of each known code (place, time) from the last known one before it, of the first one from 0."""
    last = np.maximum.accumulate(np.where(known, np.arange(codes.shape[1]), -1), axis=1)
    before = np.concatenate([np.full((len(codes), 1), -1), last[:, :-1]], axis=1)
    previous = np.take_along_axis(codes, np.maximum(before, 0), axis=1)
    return codes - np.where(before >= 0, previous, 0)


def _planes(numbers):
    """Bytes of whole numbers, the lowest ones first: numbers that are alike are side by side."""
    return numbers.reshape(-1).view("u1").reshape(-1, numbers.dtype.itemsize).T.tobytes()


def _text(data):
    return base64.b64encode(zlib.compress(data, 9)).decode()
