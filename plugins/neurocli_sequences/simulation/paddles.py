"""How a dash and a circle of Pathfinder look: drawn finer, then made smaller by a Lanczos filter, as published."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Height and width of an image in pixels."""
LENGTH, MARGIN, REACH = 2, 1, 4
"""Of a dash: its length; the room around it; how far from its end its stamp reaches (length + thickness, rounded up, + margin)."""
RADIUS = 1.5
_FINER = 2  # pixels of the drawing for each of the image
DEGREES = 360
SPAN = 4  # a dash ends at most this many rows and columns from the point that it turns around


@dataclass(frozen=True)
class Stamps:
    """Dashes of all orientations that can occur, each around its start, brightness 0 to 1.

    line: [orientation, 2 * REACH + 1, 2 * REACH + 1]; room: the same for a dash with its margin; kernel: bool [360, 7, 7],
    where a dash fills its room wholly, without the orientations that may not begin a contour. Orientation k < 360 is k - 180 degrees; others point back along a displacement, see `back_to`.
    """

    line: NDArray[np.float64]
    room: NDArray[np.float64]
    kernel: NDArray[np.bool_]


def back_to(rows: int, columns: int) -> int:
    """The orientation of a dash from a displacement back to where it is counted from; both from -SPAN to SPAN."""
    return DEGREES + (rows + SPAN) * (2 * SPAN + 1) + columns + SPAN


@lru_cache(maxsize=1)
def stamps() -> Stamps:
    """All stamps; 441 orientations."""
    angles = [*(np.arange(-180, 180) * np.pi / 180)]
    for rows in range(-SPAN, SPAN + 1):
        for columns in range(-SPAN, SPAN + 1):
            angle = np.arctan2(rows, columns)
            angles.append(angle + np.pi if angle < 0 else angle - np.pi)
    size, centre = 2 * REACH * _FINER + 1, REACH * _FINER
    fine = np.zeros((len(angles), size, size))
    for number, angle in enumerate(angles):
        head = [int(np.ceil(centre + LENGTH * _FINER * turn)) for turn in (np.sin(angle), np.cos(angle))]
        for row, column in thin_line((centre, centre), (head[0], head[1])):
            fine[number, row, column] = 1
    wide = _dilated(fine, MARGIN * _FINER)
    line, room = (smaller(255 * image, 2 * REACH + 1) / 255 for image in (fine, wide))
    first = LENGTH + MARGIN
    kernel = room[:DEGREES, : 2 * first + 1, : 2 * first + 1] == 1
    return Stamps(line, room, kernel & _may_begin(kernel)[:, None, None])


def _may_begin(kernel: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which orientations begin a contour in the published images: 30 of 360, up and to the left.

    The published kernel is off its centre by a pixel. Where none of it reaches into the image from a corner, OpenCV's dilation gives
    -1.8e308 there, which the published code takes for an image without any room, and draws another orientation.
    """
    half = kernel.shape[1] // 2
    corners = [
        (rows, columns)
        for rows in (slice(half + 1), slice(half, None))
        for columns in (slice(half + 1), slice(half, None))
    ]
    may: NDArray[np.bool_] = np.all([kernel[:, rows, columns].any((1, 2)) for rows, columns in corners], axis=0)
    return may


@lru_cache(maxsize=SIDE * SIDE)
def circle(row: int, column: int) -> NDArray[np.float64]:
    """A circle [SIDE, SIDE] around a pixel, brightness 0 to 1."""
    rows = (np.arange(SIDE * _FINER) - row * _FINER)[:, None]
    columns = np.arange(SIDE * _FINER) - column * _FINER
    inside = rows**2 + columns**2 <= (RADIUS * _FINER) ** 2
    image: NDArray[np.float64] = smaller(255 * inside.astype(np.float64), SIDE) / 255
    return image


def thin_line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels of a line one pixel wide (Bresenham), both ends included."""
    row, column = start
    down, across = abs(end[0] - row), abs(end[1] - column)
    row_step, column_step = (1 if end[0] > row else -1), (1 if end[1] > column else -1)
    steps, minor = max(down, across), min(down, across)
    error, pixels = 2 * minor - steps, []
    for _ in range(steps + 1):
        pixels.append((row, column))
        turn = error >= 0 and minor > 0
        if across > down or turn:
            column += column_step
        if across <= down or turn:
            row += row_step
        error += 2 * minor - (2 * steps if turn else 0)
    return pixels


def smaller(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Images [..., n, n] of levels 0 to 255 as [..., size, size]: a Lanczos filter of three lobes, rounded to levels after each axis."""
    weights = _lanczos(images.shape[-1], size)
    across = np.clip(np.floor(images @ weights.T + 0.5), 0, 255)
    down: NDArray[np.float64] = np.clip(np.floor(weights @ across + 0.5), 0, 255)
    return down


@lru_cache(maxsize=8)
def _lanczos(before: int, after: int) -> NDArray[np.float64]:
    """[after, before] weights, rows sum to 1."""
    scale = before / after
    weights = np.zeros((after, before))
    for target in range(after):
        centre = (target + 0.5) * scale
        first, last = max(int(centre - 3 * scale + 0.5), 0), min(int(centre + 3 * scale + 0.5), before)
        away = (np.arange(first, last) + 0.5 - centre) / scale
        weights[target, first:last] = np.where(np.abs(away) < 3, np.sinc(away) * np.sinc(away / 3), 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _dilated(images: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """[image, n, n], each pixel set where one within `radius` is."""
    out = np.zeros_like(images)
    size = images.shape[-1]
    for down in range(-radius, radius + 1):
        for across in range(-radius, radius + 1):
            if down**2 + across**2 <= radius**2:
                to_rows, from_rows = _overlap(size, down)
                to_columns, from_columns = _overlap(size, across)
                shifted = out[:, to_rows, to_columns]
                np.maximum(shifted, images[:, from_rows, from_columns], out=shifted)
    return out


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))
