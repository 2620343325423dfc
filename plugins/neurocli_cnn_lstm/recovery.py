"""Does the model know who connects to whom? Its influence matrix is held against the true weights, with controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from neurocli_cnn_lstm.data import VoltageData

LAGS = 2  # a delay of 1.5 ms spreads a spike over the first two 1-ms lags
WINDOWS, LENGTH = 24, 16


def influence_v2(module: Any, data: VoltageData, seed: int) -> NDArray[np.float64]:
    """d prediction_post / d onset_pre [lag, post, pre], averaged over test windows."""
    batch = _windows(data, LENGTH, WINDOWS, seed)
    return module.onset_influence(batch["v"], batch.get("flag"), lags=LAGS).numpy().astype(np.float64)


def influence_v1(module: Any, data: VoltageData, seed: int) -> NDArray[np.float64]:
    """d prediction_post / d voltage_pre [lag, post, pre]; the sign is turned, since an onset is a fall of the voltage."""
    v = _windows(data, data.length, 16, seed)["v"].requires_grad_(True)
    prediction = module(v)
    found = np.zeros((LAGS, prediction.shape[1], prediction.shape[1]))
    for post in range(prediction.shape[1]):
        (gradient,) = torch.autograd.grad(prediction[:, post].sum(), v, retain_graph=True)
        for lag in range(LAGS):
            found[lag, post] = -gradient[:, -1 - lag].mean(0).numpy()
    return found


def _windows(data: VoltageData, length: int, count: int, seed: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    groups = [g for g in data.split.test if g in data.place]
    parts = []
    for group, share in zip(groups, np.array_split(np.arange(count), len(groups)), strict=True):
        steps = data.place[group][2]
        origins = np.sort(rng.integers(length, steps - 1, max(1, len(share))))
        parts.append(data.contexts(group, origins, length))
    return {key: torch.cat([p[key] for p in parts]) for key in parts[0]}


def scores(
    influence: NDArray[np.float64], weights: NDArray[np.float64], excitatory: NDArray[np.bool_]
) -> dict[str, float]:
    """AUC for E and for I senders, off the diagonal, and the correlation with the true weights.

    influence [lag, post, pre] is summed over lags; excitation must come out positive and inhibition negative, so a
    matrix with the wrong sign scores below one half.
    """
    matrix = influence.sum(0)
    off = ~np.eye(len(weights), dtype=bool)
    found: dict[str, float] = {}
    for name, senders, sign in (("E", excitatory, 1), ("I", ~excitatory, -1)):
        chosen = off & senders[None, :]
        truth = weights[chosen] != 0
        found[f"auc_{name}"] = (
            float(roc_auc_score(truth, sign * matrix[chosen])) if 0 < truth.mean() < 1 else float("nan")
        )
    a, b = matrix[off], weights[off]
    found["correlation"] = float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
    return found


def permuted(influence: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The same matrix with neurons renamed within E and within I alike: what chance gives."""
    order = np.random.default_rng(seed).permutation(influence.shape[1])
    return influence[:, order][:, :, order]
