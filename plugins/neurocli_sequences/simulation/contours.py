"""Contours of dashes that keep clear of one another: the compiled part of Pathfinder.

Linsley, Kim, Veerabadran, Windolf & Serre (2018), "Learning long-range spatial dependencies with horizontal gated recurrent
units", NeurIPS; procedure of github.com/drewlinsley/pathfinder, snakes.py and snakes2.py. Names of the procedure in brackets.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neurocli_sequences.simulation.paddles import DEGREES, LENGTH, MARGIN, REACH, SIDE, SPAN

_PADDING, _SEED_DISTANCE = 1, 7
_DASH_TRIALS, _DISTRACTOR_TRIALS = 3, 5  # the published numbers of retrials, 2 and 4, and the first trial
_TAKEN, _CROSSING, _LEAST_ROOM = 0.3, 1.8, 0.01
TARGET_CONTRAST, CONTRAST = 1.5, 2.0
_NEXT = LENGTH + 2 * MARGIN
_HEAD = LENGTH + MARGIN


@njit(cache=True)
def _moved(row: int, column: int, angle: float, distance: float) -> tuple[int, int]:
    """A point further on, rounded up [translate_coord]."""
    return (
        math.ceil(row + distance * math.sin(angle)),
        math.ceil(column + distance * math.cos(angle)),
    )


@njit(cache=True)
def _inside(row: int, column: int) -> bool:
    return 0 <= row < SIDE and 0 <= column < SIDE


@njit(cache=True)
def _put(image: NDArray[np.float64], stamp: NDArray[np.float64], row: int, column: int, contrast: float) -> None:
    """Lay a stamp around a pixel into an image, the brighter one staying."""
    for i in range(2 * REACH + 1):
        y = row - REACH + i
        if 0 <= y < SIDE:
            for j in range(2 * REACH + 1):
                x = column - REACH + j
                if 0 <= x < SIDE:
                    image[y, x] = max(image[y, x], contrast * stamp[i, j])


@njit(cache=True)
def _crosses(taken: NDArray[np.float64], room: NDArray[np.float64], row: int, column: int) -> bool:
    for i in range(2 * REACH + 1):
        y = row - REACH + i
        if 0 <= y < SIDE:
            for j in range(2 * REACH + 1):
                x = column - REACH + j
                if 0 <= x < SIDE and taken[y, x] + room[i, j] >= _CROSSING:
                    return True
    return False


@njit(cache=True)
def _free_starts(taken: NDArray[np.float64], border: int, kernel: NDArray[np.bool_], starts: NDArray[np.int64]) -> int:
    """Pixels where a dash of this kernel may start, into `starts` [n, 2]; gives how many. Nothing is free in the outer `border`."""
    count = 0
    if not kernel.any():
        return 0
    half = kernel.shape[0] // 2
    first, end = (
        max(border - half, 0),
        min(SIDE - border + half, SIDE),
    )  # further out, all of the kernel is in the border
    for y in range(first, end):
        for x in range(first, end):
            free = True
            for i in range(kernel.shape[0]):
                v = y + i - half
                if v < 0 or v >= SIDE:
                    continue
                for j in range(kernel.shape[1]):
                    u = x + j - half
                    if kernel[i, j] and 0 <= u < SIDE:
                        edge = v < border or v >= SIDE - border or u < border or u >= SIDE - border
                        if edge or taken[v, u] > _TAKEN:
                            free = False
                            break
                if not free:
                    break
            if free:
                starts[count, 0], starts[count, 1] = y, x
                count += 1
    return count


@njit(cache=True)
def _pivot(row: int, column: int, degree: int) -> tuple[int, int, bool]:
    """(the point that the first dash turns around, whether it and the dash's head are in the image)."""
    angle = (degree - 180) * math.pi / 180
    back = angle + math.pi if angle + math.pi < math.pi else angle - math.pi
    y, x = _moved(row, column, angle, LENGTH)
    v, u = _moved(y, x, back, _HEAD)
    return v, u, _inside(y, x) and _inside(v, u)


@njit(cache=True)
def _first(
    rng: np.random.Generator, taken: NDArray[np.float64], border: int, kernels: NDArray[np.bool_], again: bool
) -> tuple[bool, int, int, int, int, int]:
    """Draw the first dash of a contour: (whether it has room, row, column, degree, row and column of its pivot) [seed_snake].

    again: draw another orientation for one that may not begin a contour. For the two paths, which begin anew until they succeed, this
    is the same and faster.
    """
    starts = np.empty((SIDE * SIDE, 2), np.int64)
    for _ in range(_DASH_TRIALS):
        degree = int(rng.random() * DEGREES)
        while again and not kernels[degree].any():
            degree = int(rng.random() * DEGREES)
        count = _free_starts(taken, border, kernels[degree], starts)
        if count == 0:
            return False, 0, 0, 0, 0, 0
        chosen = int(rng.random() * count)
        row, column = starts[chosen, 0], starts[chosen, 1]
        pivot_row, pivot_column, fits = _pivot(row, column, degree)
        if fits:
            return True, row, column, degree, pivot_row, pivot_column
    return False, 0, 0, 0, 0, 0


@njit(cache=True)
def _second(rng: np.random.Generator, row: int, column: int) -> tuple[bool, int, int, int, int, int]:
    """Draw the first dash of the second path, at the seed distance from that of the first [initialize_two_seeds]."""
    for _ in range(_DASH_TRIALS):
        degree = int(rng.random() * DEGREES)
        direction = int(rng.random() * DEGREES) * math.pi / 180
        y = int(np.rint(row + _SEED_DISTANCE * math.sin(direction)))
        x = int(np.rint(column + _SEED_DISTANCE * math.cos(direction)))
        pivot_row, pivot_column, fits = _pivot(y, x, degree)
        if fits:
            return True, y, x, degree, pivot_row, pivot_column
    return False, 0, 0, 0, 0, 0


@njit(cache=True)
def _next(
    rng: np.random.Generator,
    taken: NDArray[np.float64],
    other: NDArray[np.float64],
    rooms: NDArray[np.float64],
    row: int,
    column: int,
    angle: float,
    continuity: float,
) -> tuple[bool, int, int, int, int]:
    """Draw the next dash of a contour: (whether it has room, its pivot, displacement of its head from there) [extend_snake].

    taken: room of all dashes but the last one of each path; other: room of the last one of the other path; row, column, angle:
    pivot and orientation of the last dash.
    """
    row, column = _moved(row, column, angle, _NEXT)
    there = np.zeros((2 * SPAN + 1, 2 * SPAN + 1), np.bool_)
    apart = 360 / (2 * _HEAD * math.pi)  # degrees of an arc as long as one pixel
    for k in range(math.ceil(360 / apart)):
        around = k * apart * math.pi / 180
        y, x = row + _HEAD * math.sin(around), column + _HEAD * math.cos(around)
        if 0 <= y < SIDE and 0 <= x < SIDE:
            there[int(y) - row + SPAN, int(x) - column + SPAN] = True
    weights = np.zeros((2 * SPAN + 1, 2 * SPAN + 1))
    total = 0.0
    for i in range(2 * SPAN + 1):
        for j in range(2 * SPAN + 1):
            if there[i, j]:
                turn = abs(math.atan2(i - SPAN, j - SPAN) - angle)
                turn = min(min(turn, 2 * math.pi - turn) * continuity, 0.5 * math.pi)
                y, x = row + i - SPAN, column + j - SPAN
                nearby = taken[y, x]
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if _inside(v, u):
                        nearby = max(nearby, taken[v, u])
                weights[i, j] = (1 - nearby) * max(math.cos(turn), 0.0) ** 2
                total += weights[i, j]
    if total < 1e-4:
        return False, 0, 0, 0, 0
    for _ in range(_DASH_TRIALS):
        rest = rng.random() * total
        chosen = -1
        for k in range((2 * SPAN + 1) ** 2):
            weight = weights[k // (2 * SPAN + 1), k % (2 * SPAN + 1)]
            if weight > 0:
                chosen = k  # by rounding, the rest may outlast the last one
                rest -= weight
                if rest < 0:
                    break
        down, across = chosen // (2 * SPAN + 1) - SPAN, chosen % (2 * SPAN + 1) - SPAN
        room = rooms[DEGREES + chosen]
        if not _crosses(taken, room, row + down, column + across) and not _crosses(
            other, room, row + down, column + across
        ):
            return True, row, column, down, across
    return False, 0, 0, 0, 0


@njit(cache=True)
def two_paths(
    rng: np.random.Generator,
    lines: NDArray[np.float64],
    rooms: NDArray[np.float64],
    kernels: NDArray[np.bool_],
    count: int,
    continuity: float,
    image: NDArray[np.float64],
    taken: NDArray[np.float64],
    dashes: NDArray[np.int64],
) -> bool:
    """Draw the two paths, dash by dash in turn, into an empty image; gives whether both came to their full length [two_snakes].

    taken: the room that dashes have, is added to; dashes: [2, count, 3] row and column that a dash is drawn from, its orientation.
    """
    image[:] = 0
    taken[:] = 1
    taken[_PADDING : SIDE - _PADDING, _PADDING : SIDE - _PADDING] = 0
    last = np.zeros((2, SIDE, SIDE))  # room of the last dash of each path
    pivots = np.zeros((2, 2), np.int64)
    angles = np.zeros(2)
    for path in range(2):
        if path == 0:
            fits, row, column, degree, y, x = _first(rng, taken, 2 * _SEED_DISTANCE, kernels, True)
        else:
            fits, row, column, degree, y, x = _second(rng, dashes[0, 0, 0], dashes[0, 0, 1])
        if not fits or (path == 1 and _crosses(last[0], rooms[degree], row, column)):
            return False
        pivots[path, 0], pivots[path, 1], angles[path] = y, x, (degree - 180) * math.pi / 180
        dashes[path, 0, 0], dashes[path, 0, 1], dashes[path, 0, 2] = row, column, degree
        _put(last[path], rooms[degree], row, column, 1.0)
    for number in range(1, count):
        for path in range(2):
            fits, row, column, down, across = _next(
                rng, taken, last[1 - path], rooms, pivots[path, 0], pivots[path, 1], angles[path], continuity
            )
            if not fits:
                return False
            pivots[path, 0], pivots[path, 1], angles[path] = row, column, math.atan2(down, across)
            orientation = DEGREES + (down + SPAN) * (2 * SPAN + 1) + across + SPAN
            row, column = row + down, column + across
            dashes[path, number, 0], dashes[path, number, 1], dashes[path, number, 2] = row, column, orientation
            _put(
                taken, rooms[dashes[path, number - 1, 2]], dashes[path, number - 1, 0], dashes[path, number - 1, 1], 1.0
            )
            last[path] = 0
            _put(last[path], rooms[orientation], row, column, 1.0)
    for path in range(2):
        _put(taken, rooms[dashes[path, -1, 2]], dashes[path, -1, 0], dashes[path, -1, 1], 1.0)
        for number in range(count):
            row, column, orientation = dashes[path, number, 0], dashes[path, number, 1], dashes[path, number, 2]
            _put(image, lines[orientation], row, column, TARGET_CONTRAST)
    return True


@njit(cache=True)
def distractors(
    rng: np.random.Generator,
    lines: NDArray[np.float64],
    rooms: NDArray[np.float64],
    kernels: NDArray[np.bool_],
    contours: int,
    count: int,
    continuity: float,
    trials: int,
    image: NDArray[np.float64],
    taken: NDArray[np.float64],
    dashes: NDArray[np.int64],
) -> int:
    """Draw contours of `count` dashes where there is room; gives how many found some [make_many_snakes].

    dashes: [contours, count, 3], as of `two_paths`.
    """
    done = 0
    nothing = np.zeros((SIDE, SIDE))
    for _ in range(contours):
        for _ in range(trials):
            if (taken <= _TAKEN).sum() < _LEAST_ROOM * SIDE * SIDE:
                break
            if _contour(rng, rooms, kernels, count, continuity, taken, nothing, dashes[done]):
                for k in range(count):
                    row, column, orientation = dashes[done, k, 0], dashes[done, k, 1], dashes[done, k, 2]
                    _put(image, lines[orientation], row, column, CONTRAST)
                    _put(taken, rooms[orientation], row, column, 1.0)
                done += 1
                break
    return done


@njit(cache=True)
def _contour(
    rng: np.random.Generator,
    rooms: NDArray[np.float64],
    kernels: NDArray[np.bool_],
    count: int,
    continuity: float,
    taken: NDArray[np.float64],
    nothing: NDArray[np.float64],
    dashes: NDArray[np.int64],
) -> bool:
    """Draw one contour into `dashes` [count, 3]; gives whether it came to its full length [make_snake]."""
    fits, row, column, degree, pivot_row, pivot_column = _first(rng, taken, 1, kernels, False)
    if not fits:
        return False
    angle = (degree - 180) * math.pi / 180
    dashes[0, 0], dashes[0, 1], dashes[0, 2] = row, column, degree
    own = taken.copy()
    for number in range(1, count):
        fits, pivot_row, pivot_column, down, across = _next(
            rng, own, nothing, rooms, pivot_row, pivot_column, angle, continuity
        )
        if not fits:
            return False
        _put(own, rooms[dashes[number - 1, 2]], dashes[number - 1, 0], dashes[number - 1, 1], 1.0)
        angle = math.atan2(down, across)
        dashes[number, 0], dashes[number, 1] = pivot_row + down, pivot_column + across
        dashes[number, 2] = DEGREES + (down + SPAN) * (2 * SPAN + 1) + across + SPAN
    return True
