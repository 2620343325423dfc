"""Orders of pixels: each visits every pixel once, and is what its definition says, written again and slowly here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocli.errors import ConfigError, UnknownName
from neurocli_sequences.data.orders import ORDERS, inverse, order_of

SIDES = st.integers(1, 33)


def steps_of(order: np.ndarray, width: int) -> np.ndarray:
    """[step] (rows moved, columns moved), without sign."""
    return np.abs(np.diff(np.stack(np.divmod(order, width), 1), axis=0))


@pytest.mark.parametrize("name", ORDERS)
@given(height=SIDES, width=SIDES)
@settings(max_examples=60, deadline=None)
def test_every_pixel_once_and_back(name: str, height: int, width: int) -> None:
    order = order_of(name, height, width)
    assert order.dtype == np.int64 and sorted(order.tolist()) == list(range(height * width))
    image = np.random.default_rng(0).normal(size=height * width)
    assert (image[order][inverse(order)] == image).all()


@pytest.mark.parametrize("name", ["snake", "spiral"])
@given(height=SIDES, width=SIDES)
@settings(max_examples=60, deadline=None)
def test_each_step_is_to_a_neighbour(name: str, height: int, width: int) -> None:
    assert (steps_of(order_of(name, height, width), width).sum(1) == 1).all()


@given(height=SIDES, width=SIDES)
@settings(max_examples=200, deadline=None)
def test_hilbert_steps_to_neighbours_but_for_one_diagonal(height: int, width: int) -> None:
    moves = steps_of(order_of("hilbert", height, width), width)
    diagonal = moves.sum(1) != 1
    long, short = max(height, width), min(height, width)
    assert diagonal.sum() <= (1 if long % 2 and short % 2 == 0 else 0)
    assert (moves[diagonal] == 1).all()


def slow_spiral(height: int, width: int) -> list[int]:
    """Walk on until the next pixel is a wall or was visited; then turn right."""
    seen, row, column, down, right = set(), 0, 0, 0, 1
    path = []
    for _ in range(height * width):
        path.append(row * width + column)
        seen.add((row, column))
        ahead = row + down, column + right
        if ahead in seen or not (0 <= ahead[0] < height and 0 <= ahead[1] < width):
            down, right = right, -down
        row, column = row + down, column + right
    return path


def slow_hilbert(side: int) -> list[tuple[int, int]]:
    """The Hilbert curve of a square of a power of two, by the bits of the step (Warren, Hacker's Delight, chapter 16)."""
    path = []
    for step in range(side * side):
        x = y = 0
        rest, block = step, 1
        while block < side:
            right = 1 & (rest // 2)
            up = 1 & (rest ^ right)
            if not up:
                if right:
                    x, y = block - 1 - x, block - 1 - y
                x, y = y, x
            x, y = x + block * right, y + block * up
            rest //= 4
            block *= 2
        path.append((x, y))
    return path


def slow_gilbert(x: int, y: int, ax: int, ay: int, bx: int, by: int):
    """The recursion of the published description, point by point."""

    def sign(value: int) -> int:
        return (value > 0) - (value < 0)

    w, h = abs(ax + ay), abs(bx + by)
    dax, day, dbx, dby = sign(ax), sign(ay), sign(bx), sign(by)
    if h == 1:
        for _ in range(w):
            yield x, y
            x, y = x + dax, y + day
        return
    if w == 1:
        for _ in range(h):
            yield x, y
            x, y = x + dbx, y + dby
        return
    ax2, ay2, bx2, by2 = ax // 2, ay // 2, bx // 2, by // 2
    if 2 * w > 3 * h:
        if abs(ax2 + ay2) % 2 and w > 2:
            ax2, ay2 = ax2 + dax, ay2 + day
        yield from slow_gilbert(x, y, ax2, ay2, bx, by)
        yield from slow_gilbert(x + ax2, y + ay2, ax - ax2, ay - ay2, bx, by)
        return
    if abs(bx2 + by2) % 2 and h > 2:
        bx2, by2 = bx2 + dbx, by2 + dby
    yield from slow_gilbert(x, y, bx2, by2, ax2, ay2)
    yield from slow_gilbert(x + bx2, y + by2, ax, ay, bx - bx2, by - by2)
    yield from slow_gilbert(
        x + (ax - dax) + (bx2 - dbx), y + (ay - day) + (by2 - dby), -bx2, -by2, -(ax - ax2), -(ay - ay2)
    )


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 8, 17, 33])
@pytest.mark.parametrize("width", [1, 2, 3, 6, 7, 13, 17])
def test_against_slow_walks(height: int, width: int) -> None:
    pixels = [(row, column) for row in range(height) for column in range(width)]
    index = {pixel: row for row, pixel in enumerate(pixels)}
    columns = sorted(pixels, key=lambda pixel: (pixel[1], pixel[0]))
    snake = sorted(pixels, key=lambda pixel: (pixel[0], pixel[1] if pixel[0] % 2 == 0 else -pixel[1]))
    assert order_of("row-major", height, width).tolist() == list(range(height * width))
    assert order_of("column-major", height, width).tolist() == [index[pixel] for pixel in columns]
    assert order_of("snake", height, width).tolist() == [index[pixel] for pixel in snake]
    assert order_of("spiral", height, width).tolist() == slow_spiral(height, width)
    start = (0, 0, width, 0, 0, height) if width >= height else (0, 0, 0, height, width, 0)
    assert order_of("hilbert", height, width).tolist() == [y * width + x for x, y in slow_gilbert(*start)]


@pytest.mark.parametrize("side", [2, 4, 8, 16, 32])
def test_squares_of_a_power_of_two_are_hilbert_curves(side: int) -> None:
    ours = np.stack(np.divmod(order_of("hilbert", side, side), side), 1)
    classic = np.array(slow_hilbert(side))
    # There are two such curves from a corner, mirror images on the diagonal.
    assert (ours == classic).all() or (ours == classic[:, ::-1]).all()


def test_the_permutation_is_fixed_and_far_from_the_image() -> None:
    # Pinned: a model that was trained on one order must find the same one later.
    assert (
        order_of("permuted", 2, 4).tolist() == order_of("permuted", 2, 4, seed=0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    )
    assert order_of("permuted", 28, 28, seed=1).tolist() != order_of("permuted", 28, 28, seed=2).tolist()
    assert (steps_of(order_of("permuted", 28, 28), 28).sum(1) == 1).mean() < 0.02


def test_what_has_no_order_is_refused() -> None:
    with pytest.raises(UnknownName, match="hilbret") as caught:
        order_of("hilbret", 4, 4)
    assert "hilbert" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="0 x 4"):
        order_of("snake", 0, 4)
