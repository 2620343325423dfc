"""How like two cases are, whatever their brightness or scale: images that may be shifted by a pixel, and series of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.forms import ImageForm

CANDIDATES = 15
MOST_PAIRS = 20_000_000
"""Pairs of images up to which candidates are looked for among shifted images as well."""
SIDE = 10
"""Pixels along a side of the small images among which candidates are looked for."""
BLUR = 14
"""Standard deviations of the blur along a side, of one pixel at least."""
STEPS, MOST_VALUES = 32, 128
"""Steps to which a series is brought, and values that it is then projected to where they are more."""
_CHUNK = 512

Vectors = NDArray[np.float32]
Of = Callable[[NDArray[np.int64]], Vectors]
SHIFTS = [(0, 0)] + [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


def nearest(
    dataset: CaseData, cases: NDArray[np.int64], others: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(the most similar of the others [case], its similarity [case]) to each case but itself; 1: the same but for scale."""
    image = isinstance(dataset.form, ImageForm)
    coarse = coarse_images(dataset) if image else resampled(dataset)
    ways = [coarse]
    if image and len(cases) * len(others) <= MOST_PAIRS:
        ways = [coarse_images(dataset, by) for by in SHIFTS]
    candidates = candidates_of(ways, coarse, cases, others)
    similarity = np.empty(candidates.shape)
    for first in range(0, len(cases), _CHUNK):
        rows = slice(first, first + _CHUNK)
        similarity[rows] = _similarity(dataset, coarse, cases[rows], candidates[rows])
    similarity[candidates == cases[:, None]] = -1.0
    best = similarity.argmax(1)
    every = np.arange(len(cases))
    return candidates[every, best], similarity[every, best]


def candidates_of(
    ways: Sequence[Of], coarse: Of, cases: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The nearest few of the others [case, candidate], the case itself possibly among them.

    ways: coarse vectors of the cases, of which the nearest to an other counts; coarse: those of the others.
    """
    count = min(CANDIDATES + 1, len(others))
    vectors = torch.from_numpy(_by_chunk(coarse, others)).T
    chosen = []
    for first in range(0, len(cases), _CHUNK):
        rows = cases[first : first + _CHUNK]
        like = torch.from_numpy(ways[0](rows)) @ vectors
        for way in ways[1:]:
            like = torch.maximum(like, torch.from_numpy(way(rows)) @ vectors)
        chosen.append(like.topk(count, dim=1).indices.numpy())
    return others[np.concatenate(chosen)]


def images_of(dataset: CaseData, numbers: NDArray[np.int64]) -> Vectors:
    """Grey images [case, height, width] in their original layout."""
    assert isinstance(dataset.form, ImageForm)
    sequences = np.stack([dataset.sequence(int(n)) for n in numbers])
    return np.nan_to_num(dataset.form.image.to_image(sequences).mean(-1, dtype=np.float32), posinf=0, neginf=0)


def shifted(images: Vectors, down: int, right: int) -> Vectors:
    """Images [case, height, width] moved by some pixels; 0 comes in."""
    out = np.zeros_like(images)
    height, width = images.shape[1:]
    out[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return out


def unit(values: NDArray[np.floating]) -> Vectors:
    """Vectors [case, value] without their mean, of length 1; 0 where they are constant."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(norm > 1e-6, flat / np.maximum(norm, 1e-6), 0), np.float32)


def coarse_images(dataset: CaseData, by: tuple[int, int] = (0, 0)) -> Of:
    """Blurred and small images, moved by some pixels: a shift by a pixel hardly changes a large one."""
    from scipy.ndimage import gaussian_filter

    def of(numbers: NDArray[np.int64]) -> Vectors:
        images = shifted(images_of(dataset, numbers), *by)
        blur = max(1.0, max(images.shape[1:]) / BLUR)
        blurred = gaussian_filter(images, (0, blur, blur), mode="nearest")
        height, width = blurred.shape[1:]
        if max(height, width) > SIDE:
            small = torch.nn.functional.adaptive_avg_pool2d(
                torch.from_numpy(blurred), (min(height, SIDE), min(width, SIDE))
            )
            blurred = small.numpy()
        return unit(blurred)

    return of


def resampled(dataset: CaseData) -> Of:
    """Series brought to one number of steps, each input without its mean; projected at random where these are many values."""
    width = STEPS * dataset.form.inputs
    projection = None
    if width > MOST_VALUES:
        random = np.random.default_rng(0)
        projection = random.normal(size=(width, MOST_VALUES)).astype(np.float32)

    def one(number: int) -> Vectors:
        x = np.asarray(dataset.sequence(number), np.float32)
        places = np.linspace(0, len(x) - 1, STEPS)
        columns = [np.interp(places, np.arange(len(x)), np.nan_to_num(column, nan=_mean(column))) for column in x.T]
        rows = np.stack(columns).astype(np.float32)
        if dataset.normalisation is not None:
            rows /= dataset.normalisation.sd[:, None].astype(np.float32)
        return rows - rows.mean(1, keepdims=True)

    def of(numbers: NDArray[np.int64]) -> Vectors:
        vectors = unit(np.stack([one(int(n)) for n in numbers]))
        return vectors if projection is None else unit(vectors @ projection)

    return of


def _mean(column: Vectors) -> float:
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else 0.0


def _by_chunk(coarse: Of, numbers: NDArray[np.int64]) -> Vectors:
    return np.concatenate([coarse(numbers[n : n + 2048]) for n in range(0, len(numbers), 2048)])


def _similarity(
    dataset: CaseData, coarse: Of, cases: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Largest correlation [case, candidate] over shifts of an image by up to one pixel; of series, as they are."""
    if not isinstance(dataset.form, ImageForm):
        return np.einsum("cv,ckv->ck", coarse(cases), coarse(candidates.ravel()).reshape(*candidates.shape, -1))
    images = images_of(dataset, cases)
    others = unit(images_of(dataset, candidates.ravel())).reshape(*candidates.shape, -1)
    return np.max([np.einsum("cv,ckv->ck", unit(shifted(images, *by)), others) for by in SHIFTS], axis=0)
