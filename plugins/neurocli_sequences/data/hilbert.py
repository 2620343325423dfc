"""A Hilbert curve through any rectangle: the generalised curve of Jakub Červený (`gilbert`, 2018, github.com/jakubcerveny/gilbert)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Vector = tuple[int, int]


def hilbert(height: int, width: int) -> NDArray[np.int64]:
    """The pixels [height * width], counted in rows, as the curve visits them, from the top left corner on.

    The curve goes along the longer side. Every step is to a pixel beside the last one, except that where the longer side
    is odd and the shorter one even there is one diagonal step, which no such curve can avoid. A square of a power of two is a Hilbert curve.
    """
    along, across = ((0, width), (height, 0)) if width >= height else ((height, 0), (0, width))
    visited: list[NDArray[np.int64]] = []
    waiting: list[tuple[_Vector, _Vector, _Vector]] = [((0, 0), along, across)]
    while waiting:  # a stack in the place of recursion: the last one is the next one
        corner, along, across = waiting.pop()
        blocks = _divided(corner, along, across)
        if blocks:
            waiting.extend(reversed(blocks))
        else:
            visited.append(_line(corner, along, across, width))
    return np.concatenate(visited)


def _divided(corner: _Vector, along: _Vector, across: _Vector) -> list[tuple[_Vector, _Vector, _Vector]]:
    """The blocks (corner, side along the way, side across it) that a block is divided into, in order; none for a line of pixels."""
    length, breadth = abs(sum(along)), abs(sum(across))
    if min(length, breadth) == 1:
        return []
    forward, sideways = _unit(along), _unit(across)
    half_along, half_across = _half(along), _half(across)
    if 2 * length > 3 * breadth:  # a long block: two halves, one after the other
        if abs(sum(half_along)) % 2 and length > 2:  # an even half lets the curve leave on the side where it entered
            half_along = _add(half_along, forward)
        return [
            (corner, half_along, across),
            (_add(corner, half_along), _subtract(along, half_along), across),
        ]
    if abs(sum(half_across)) % 2 and breadth > 2:
        half_across = _add(half_across, sideways)
    far = _add(_add(corner, _subtract(along, forward)), _subtract(half_across, sideways))
    return [  # up, along, down
        (corner, half_across, half_along),
        (_add(corner, half_across), along, _subtract(across, half_across)),
        (far, _subtract((0, 0), half_across), _subtract(half_along, along)),
    ]


def _line(corner: _Vector, along: _Vector, across: _Vector, width: int) -> NDArray[np.int64]:
    length, breadth = abs(sum(along)), abs(sum(across))
    row, column = _unit(along) if breadth == 1 else _unit(across)
    step = np.arange(length if breadth == 1 else breadth, dtype=np.int64)
    return (corner[0] + row * step) * width + corner[1] + column * step


def _unit(side: _Vector) -> _Vector:
    return int(np.sign(side[0])), int(np.sign(side[1]))


def _half(side: _Vector) -> _Vector:
    return side[0] // 2, side[1] // 2


def _add(first: _Vector, second: _Vector) -> _Vector:
    return first[0] + second[0], first[1] + second[1]


def _subtract(first: _Vector, second: _Vector) -> _Vector:
    return first[0] - second[0], first[1] - second[1]
