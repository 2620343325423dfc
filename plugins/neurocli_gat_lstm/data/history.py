"""What gat-lstm-v3 sees of each neuron in each frame: its value, how it came there, and where linear paths say that it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.data.linear.path import LinearPath, direct
from neurocli_gat_lstm.data.series import WormSeries


def forecast_changes(paths: Mapping[int, LinearPath], worm: WormSeries, horizons: Sequence[int]) -> NDArray[np.float64]:
    """[time, neuron, horizon] the change that the linear path of each horizon forecasts after every frame."""
    frames = np.arange(worm.frames)
    forecasts = direct({h: paths[h].among(worm.names) for h in horizons}, worm.z, frames, horizons)
    return np.stack([forecasts[h] - worm.z for h in horizons], axis=-1)


def inputs_of(
    paths: Mapping[int, LinearPath], worm: WormSeries, horizons: Sequence[int], look_back: Sequence[int]
) -> NDArray[np.float32]:
    """[time, neuron, input]: the value, its changes since each of `look_back` frames ago, the changes that paths forecast.

    All in the units of their frame. Changes that reach before the first frame are those since it.
    """
    z, frames = worm.z, np.arange(worm.frames)
    changes = [z - z[np.maximum(frames - back, 0)] for back in look_back]
    linear = forecast_changes(paths, worm, horizons).astype(np.float32)
    return np.concatenate([np.stack([z, *changes], axis=-1), linear], axis=-1)


def input_count(horizons: Sequence[int], look_back: Sequence[int]) -> int:
    """How many inputs a neuron has."""
    return 1 + len(look_back) + len(horizons)
