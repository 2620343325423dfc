"""Pathfinder: every label is confirmed by flooding the geometry, drawn again here; dashes and images are the published ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, label
from scipy.stats import ks_2samp

from neurocli_sequences.simulation.paddles import SIDE, circle, smaller, stamps, thin_line
from neurocli_sequences.simulation.parameters import PathfinderConfig
from neurocli_sequences.simulation.pathfinder import PathfinderImage, draw_image

FINER = 8
GAP = 4.6
"""Longest gap between two dashes of a contour in pixels: the published 2, and what rounding to pixels adds."""


def images_of(count: int, **options: object) -> list[PathfinderImage]:
    return [draw_image(PathfinderConfig(**options), np.random.default_rng(seed)) for seed in range(count)]


HARD = images_of(500)
EASY = images_of(200, contour_length=6)


def flooded(dashes: np.ndarray, circles: np.ndarray, gap: float = GAP) -> bool:
    """Whether one flood goes from circle to circle along dashes [dash, 4], and over gaps between their ends up to `gap`.

    It begins and ends where a dash ends in the middle of a circle: other contours may pass by.
    """
    lines = [(dash[:2], dash[2:]) for dash in dashes]
    ends = dashes.reshape(-1, 2)
    away = np.hypot(*(ends[:, None] - ends[None]).transpose(2, 0, 1))
    lines += [(ends[i], ends[j]) for i, j in np.argwhere(away <= gap) if i < j]
    canvas = np.zeros((FINER * SIDE, FINER * SIDE), bool)
    for start, end in lines:
        points = start + np.linspace(0, 1, 8 * FINER)[:, None] * (end - start)
        rows, columns = np.clip(FINER * points, 0, FINER * SIDE - 1).astype(int).T
        canvas[rows, columns] = True
    basins, _ = label(binary_dilation(canvas, iterations=FINER // 3), np.ones((3, 3)))
    touched = []
    for middle in circles:
        tips = (FINER * ends[np.hypot(*(ends - middle).T) < 0.5]).astype(int)
        touched.append({int(basins[row, column]) for row, column in tips})
    return bool(touched[0] & touched[1])


@pytest.mark.parametrize("images", [HARD, EASY], ids=["hard", "easy"])
def test_every_label_is_confirmed_by_a_flood(images: list[PathfinderImage]) -> None:
    for image in images:
        contours = [image.dashes[image.dashes[:, 0] == number, 1:] for number in np.unique(image.dashes[:, 0])]
        reached = [flooded(dashes, image.circles) for dashes in contours]
        assert sum(reached) == image.connected
        # Without bridges no path is one piece, and without its dashes none reaches.
        assert not any(flooded(dashes, image.circles, gap=0) for dashes in contours)
    share = np.mean([image.connected for image in images])
    assert abs(share - 0.5) < 3 / (2 * np.sqrt(len(images)))


def test_circles_lie_at_the_ends_of_paths() -> None:
    for image in HARD:
        first, second = (image.dashes[image.dashes[:, 0] == number, 1:] for number in (0, 1))
        starts, ends = np.array([first[0, :2], second[0, :2]]), np.array([first[-1, 2:], second[-1, 2:]])
        start = np.abs(starts - image.circles[0]).sum(1).argmin()
        end = np.abs(ends - image.circles[1]).sum(1).argmin()
        assert np.allclose(starts[start], image.circles[0]) and np.allclose(ends[end], image.circles[1], atol=1e-4)
        assert (start == end) == image.connected
        assert len(first) == len(second) == 14
        assert np.isclose(np.hypot(*(starts[0] - starts[1])), 7, atol=0.75)


def test_dashes_are_where_the_image_is_bright_and_paths_do_not_cross() -> None:
    for image in HARD[:200]:
        rows, columns = np.ogrid[:SIDE, :SIDE]
        near = np.zeros((SIDE, SIDE), bool)
        for _, row, column, to_row, to_column in image.dashes:
            assert np.isclose(np.hypot(to_row - row, to_column - column), 2, atol=1e-4)
            for part in np.linspace(0, 1, 9):
                near |= (
                    np.hypot(rows - row - part * (to_row - row), columns - column - part * (to_column - column)) < 2.3
                )
            middle = np.rint([(row + to_row) / 2, (column + to_column) / 2]).astype(int)
            around = image.image[max(middle[0] - 1, 0) : middle[0] + 2, max(middle[1] - 1, 0) : middle[1] + 2]
            assert around.max() > 60
        for row, column in image.circles:
            near |= np.hypot(rows - row, columns - column) < 4
            assert image.image[row, column] > 120
        assert image.image[~near].max() <= 8 and image.image.max() == 255
        contour, middles = image.dashes[:, 0], (image.dashes[:, 1:3] + image.dashes[:, 3:]) / 2
        apart = np.hypot(*(middles[:, None] - middles[None]).transpose(2, 0, 1))
        assert apart[contour[:, None] != contour[None]].min() > 0.9


def pillow(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image.astype(np.uint8)).resize((size, size), Image.Resampling.LANCZOS), float)


def test_drawing_is_that_of_pillow() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        start, end = ((int(row), int(column)) for row, column in rng.integers(0, 17, (2, 2)))
        drawn = Image.new("F", (17, 17), "black")
        ImageDraw.Draw(drawn).line([start[::-1], end[::-1]], fill="white", width=1)
        ours = np.zeros((17, 17))
        for row, column in thin_line(start, end):
            ours[row, column] = 255
        assert (ours == np.asarray(drawn)).all(), (start, end)
        assert np.abs(smaller(ours, 9) - pillow(ours, 9)).max() <= 1
    rows, columns = np.ogrid[:64, :64]
    for row, column in ((0, 31), (16, 5), (31, 31)):
        disc_image = 255 * ((rows - 2 * row) ** 2 + (columns - 2 * column) ** 2 <= 9)
        assert np.abs(255 * circle(row, column) - pillow(disc_image, 32)).max() <= 1


def test_the_orientations_that_begin_a_contour() -> None:
    """Those for which OpenCV's dilation of the published code has values everywhere: it gives none where no pixel is looked at."""
    room = stamps().room[:360, :7, :7] == 1
    allowed = []
    for degree, kernel in enumerate(room):
        offsets = np.argwhere(kernel) - 3
        looked_at = [
            any(0 <= y + down < SIDE and 0 <= x + across < SIDE for down, across in offsets)
            for y in range(SIDE)
            for x in range(SIDE)
            if min(y, x, SIDE - 1 - y, SIDE - 1 - x) < 4
        ]
        if all(looked_at):
            allowed.append(degree - 180)
    assert allowed == list(range(-150, -120))  # as OpenCV 5.0 gave
    assert np.flatnonzero(stamps().kernel.any((1, 2))).tolist() == [degree + 180 for degree in allowed]


def test_nothing_but_the_path_tells_the_class() -> None:
    for measure in (lambda i: i.image.mean(), lambda i: len(i.dashes), lambda i: i.image.std()):
        values = [[measure(i) for i in HARD if i.connected == kind] for kind in (False, True)]
        assert ks_2samp(*values).pvalue > 1e-3


def test_an_image_is_a_function_of_its_seed() -> None:
    again = images_of(3)
    assert all((a.image == b.image).all() and a.connected == b.connected for a, b in zip(again, HARD, strict=False))
    assert len({image.image.tobytes() for image in HARD}) == len(HARD)


def test_single_dashes_fill_what_is_left() -> None:
    more = images_of(20, single_dashes=True)
    assert np.mean([len(i.dashes) for i in more]) > np.mean([len(i.dashes) for i in HARD]) + 3
