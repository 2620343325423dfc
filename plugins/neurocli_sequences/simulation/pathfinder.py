"""Pathfinder: are two circles at the ends of one path of dashes, or of two?

Procedure and parameters of Long Range Arena's images of 32 x 32 pixels (Tay et al. 2021; lra_release/pathfinder), made with the
generator of Linsley et al. (2018), see `contours`. Different from that code in one respect: it lays the dashes of both paths in turn,
and does not hold those of one round against one another, nor distractors against the last dash of the first path, so that
paths could touch. Here they cannot, which is what the label says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli_sequences.simulation import contours
from neurocli_sequences.simulation.paddles import DEGREES, LENGTH, SIDE, SPAN, circle, stamps
from neurocli_sequences.simulation.parameters import PathfinderConfig

_SINGLES = 756
"""Dashes of an image with single ones, those of contours among them: int(150 * 123.5 / (7.5 + 13 * margin + 4 * margin²))."""


@dataclass(frozen=True)
class PathfinderImage:
    """One image with its geometry.

    image: uint8 [32, 32]; connected: whether one path joins the circles; circles: [2, 2] row and column of each; dashes: float32
    [dash, 5], contour (0 and 1 the paths, others are distractors), row and column of the start, row and column of the end, in order.
    """

    image: NDArray[np.uint8]
    connected: bool
    circles: NDArray[np.int64]
    dashes: NDArray[np.float32]
    attempts: int
    """How many pairs of paths were begun until one came to its full length."""


def draw_image(config: PathfinderConfig, rng: np.random.Generator) -> PathfinderImage:
    """Draw an image; half of them are connected."""
    shapes = stamps()
    image, taken = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    connected = bool(rng.random() < 0.5)
    paths = np.zeros((2, config.contour_length, 3), np.int64)
    drawing = rng, shapes.line, shapes.room, shapes.kernel
    attempts = 1
    while not contours.two_paths(*drawing, config.contour_length, config.continuity, image, taken, paths):
        attempts += 1
    all_dashes = [paths]
    batches = [(config.distractors, config.distractor_length, 5)]
    if config.single_dashes:
        others = 2 * config.contour_length + config.distractors * config.distractor_length
        batches.append((_SINGLES - others, 1, 3))
    for count, length, trials in batches:
        dashes = np.zeros((count, length, 3), np.int64)
        done = contours.distractors(*drawing, count, length, config.continuity, trials, image, taken, dashes)
        all_dashes.append(dashes[:done])
    first = int(rng.random() < 0.5)
    circles = np.stack([paths[first, 0, :2], paths[first if connected else 1 - first, -1, :2]])
    for row, column in circles.tolist():
        image = np.maximum(image, circle(row, column))
    return PathfinderImage(_levels(image), connected, circles, _ends(all_dashes), attempts)


def _levels(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey levels: the brightest pixel is 255, as images were saved."""
    levels: NDArray[np.uint8] = (image * (255 / image.max()) + 0.5).astype(np.uint8)
    return levels


def _ends(all_dashes: list[NDArray[np.int64]]) -> NDArray[np.float32]:
    """[dash, 5] contour and both ends: the first dash of a contour is drawn onwards, the others back from their heads."""
    rows, contour = [], 0
    for dashes in all_dashes:
        for chain in dashes:
            angle = _angles(chain[:, 2])
            away = chain[:, :2] + LENGTH * np.stack([np.sin(angle), np.cos(angle)], axis=1)
            onwards = np.arange(len(chain))[:, None] == 0
            start, end = np.where(onwards, chain[:, :2], away), np.where(onwards, away, chain[:, :2])
            rows.append(np.column_stack([np.full(len(chain), contour), start, end]))
            contour += 1
    return np.concatenate(rows).astype(np.float32)


def _angles(orientation: NDArray[np.int64]) -> NDArray[np.float64]:
    down, across = np.divmod(orientation - DEGREES, 2 * SPAN + 1)
    back = np.arctan2(-(down - SPAN), -(across - SPAN))
    angle: NDArray[np.float64] = np.where(orientation < DEGREES, (orientation - 180) * np.pi / 180, back)
    return angle
