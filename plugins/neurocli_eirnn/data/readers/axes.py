"""The axes of a session's arrays: which way round a file has them, told by sizes and, where sizes are equal, by what is in them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = tuple[int, ...]
"""Which of the format's axes each axis of a file is."""

_CLEARLY = 2.0


@dataclass(frozen=True)
class Sizes:
    """What the file declares."""

    trials: int
    neurons: int
    time: int

    def of(self, axes: tuple[Any, ...]) -> tuple[int, ...]:
        """Shape of an array with these axes; an axis is a name or a number."""
        return tuple(axis if isinstance(axis, int) else getattr(self, axis) for axis in axes)


def orders(shape: tuple[int, ...], expected: tuple[int, ...]) -> list[Order]:
    """In which orders of the axes `expected` an array has this shape; axes of length 1 may be anywhere or dropped.

    The given order comes first, its reverse second: these two a whole file may have.
    """
    lengths = [size for size in shape if size != 1]
    if sorted(lengths) != sorted(size for size in expected if size != 1):
        return []
    straight = tuple(range(len(expected)))
    every = sorted(itertools.permutations(straight), key=lambda order: (order != straight, order != straight[::-1]))
    fitting, seen = [], set()
    for order in every:
        long = tuple(axis for axis in order if expected[axis] != 1)
        if long not in seen and [expected[axis] for axis in long] == lengths:
            seen.add(long)
            fitting.append(order)
    return fitting


def arranged(values: NDArray[Any], expected: tuple[int, ...], order: Order) -> NDArray[Any]:
    """An array of a file in the format's order of axes."""
    return values.reshape([expected[axis] for axis in order]).transpose(np.argsort(order))


def in_words(order: Order, axes: tuple[Any, ...]) -> str:
    """`trials x time x neurons`."""
    return " x ".join(str(axes[axis]) for axis in order)


def padding_fits(rates: NDArray[np.floating]) -> bool | None:
    """Whether NaN of rates [neuron, time, trial] is in all neurons alike, and stays to the end of a trial; None without any NaN."""
    missing = np.isnan(rates)
    if not missing.any() or missing.all():
        return None
    everywhere, anywhere = missing.all(axis=0), missing.any(axis=0)
    stays = everywhere[1:] >= everywhere[:-1]
    return bool((everywhere == anywhere).mean() > 0.99 and stays.mean() > 0.99)


def spread(rates: NDArray[np.floating], axis: int) -> float:
    """How much the means along an axis differ, as a share of the mean: neurons differ the most."""
    others = tuple(other for other in range(rates.ndim) if other != axis)
    valid = np.isfinite(rates)
    means = np.where(valid, rates, 0).sum(others, dtype=np.float64) / np.maximum(valid.sum(others), 1)
    return float(means.std() / max(abs(means.mean()), 1e-12))


def is_neuron_axis_doubtful(rates: NDArray[np.floating], ambiguous: list[int]) -> bool:
    """Whether rates [neuron, time, trial] differ clearly more along another axis of the same length than along that of neurons."""
    own = spread(rates, 0)
    return any(spread(rates, axis) > _CLEARLY * own for axis in ambiguous if axis != 0)


def is_time_axis_doubtful(rates: NDArray[np.floating]) -> bool:
    """Whether rates [neuron, time, trial] change less from trial to trial than from bin to bin, all neurons together."""
    population = np.nan_to_num(rates).mean(axis=0, dtype=np.float64)
    return _steps(population, 0) > 1.2 * _steps(population, 1)


def goes_along_second(signal: NDArray[np.floating]) -> bool:
    """Whether a signal [n, n] changes clearly less along its second axis: a task signal goes on and off once a trial."""
    filled = np.nan_to_num(signal.astype(np.float64))
    return _CLEARLY * _steps(filled, 1) < _steps(filled, 0)


def _steps(values: NDArray[np.float64], axis: int) -> float:
    return float(np.abs(np.diff(values, axis=axis)).mean())
