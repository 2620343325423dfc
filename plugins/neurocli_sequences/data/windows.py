"""Long series in pieces: several steps as one (chunks), and windows at regular starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError


def chunks(series: NDArray[Any], size: int) -> tuple[NDArray[Any], int]:
    """(sequences [case, ceil(steps / size), size * channels], how many steps the last one was filled with zeros).

    series: [case, steps, channels]. Raises ConfigError for a size below 1; DataError for another shape.
    """
    _check_size(size, "chunk size")
    cases, steps, channels = _shape(series)
    filled = -steps % size
    whole = np.pad(series, [(0, 0), (0, filled), (0, 0)]) if filled else series
    return whole.reshape(cases, (steps + filled) // size, size * channels), filled


def unchunked(sequence: NDArray[Any], size: int, filled: int = 0) -> NDArray[Any]:
    """The series [case, steps, channels] behind `chunks`, without the steps that the last chunk was filled with."""
    _check_size(size, "chunk size")
    cases, count, width = _shape(sequence)
    if width % size or not 0 <= filled < size:
        raise DataError(
            f"{width} channels and {filled} filled steps are not of chunks of {size}",
            where="chunks",
            hint="name the size that the chunks were made with",
        )
    return sequence.reshape(cases, count * size, width // size)[:, : count * size - filled]


def window_starts(steps: int, size: int, stride: int) -> NDArray[np.int64]:
    """The first steps of the windows that fit: 0, stride, 2 * stride, ...

    Raises ConfigError for a size or stride below 1; DataError where not one window fits.
    """
    _check_size(size, "window size")
    _check_size(stride, "window stride")
    if size > steps:
        raise DataError(
            f"a window of {size} steps does not fit into {steps}", where="window size", hint="take a shorter window"
        )
    return np.arange(0, steps - size + 1, stride, dtype=np.int64)


def windows(sequence: NDArray[Any], size: int, stride: int) -> NDArray[Any]:
    """Windows [window, size, channels] of one sequence [steps, channels]: a read-only view, which copies nothing."""
    if sequence.ndim != 2:
        raise DataError(f"a sequence is [steps, channels], this one has shape {sequence.shape}", where="sequence")
    window_starts(len(sequence), size, stride)
    return sliding_window_view(sequence, size, axis=0)[::stride].swapaxes(1, 2)


def _check_size(size: int, what: str) -> None:
    if size < 1:
        raise ConfigError(f"the {what} must be at least 1, not {size}", where=what, hint="take 1 or more")


def _shape(series: NDArray[Any]) -> tuple[int, int, int]:
    if series.ndim != 3:
        raise DataError(f"series are [case, steps, channels], these have shape {series.shape}", where="series")
    return series.shape
