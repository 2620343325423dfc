"""What gat-lstm-v2 takes from fitted linear paths: coefficients as tensors, and what each horizon's path says beyond a rollout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_gat_lstm.data.linear.path import LinearPath, direct
from neurocli_gat_lstm.data.series import WormSeries


def beyond_rollout(
    paths: dict[int, LinearPath], worm: WormSeries, origins: NDArray[np.int64], horizons: Sequence[int]
) -> dict[int, NDArray[np.float64]]:
    """Horizon → [origin, neuron] forecasts of the path of each horizon, less the rollout of the path of one frame."""
    among = {h: path.among(worm.names) for h, path in paths.items()}
    forecasts, rolled = direct(among, worm.z, origins, horizons), among[1].rolled_out(worm.z, origins, horizons)
    return {h: forecasts[h] - rolled[h] for h in horizons}


def linear_tensors(path: LinearPath, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """own [neuron, lag], level and change [post, pre] of a path for these neurons."""
    among = path.among(names)
    return {name: torch.from_numpy(getattr(among, name).astype(np.float32)) for name in ("own", "level", "change")}
