"""Does the model know who connects to whom? Matrices [post, pre] of what one neuron does to another, and their scores.

Besides the model's influence there are two rivals that need no model at all, so that it shows how easy the data are, and
models with the same weights in other places, so that it shows what the weights' places are worth.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.interpretation.pairs import between_neurons, pairs_by_sender
from neurocli.interpretation.random_weights import with_permuted_weights
from neurocli.interpretation.roc import roc_auc
from neurocli.interpretation.shuffling import pairs_exchanged
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm

CORRELATION_LAGS = (1, 2, 3)
LAGS = 2  # a delay of 1.5 ms spreads a spike over the first two 1-ms lags


def influence(
    network: torch.nn.Module, dataset: VoltageData, seed: int, *, windows: int = 24, length: int = 16
) -> NDArray[np.float64]:
    """What an onset of `pre` does to the forecast of `post`, averaged over windows of test runs: [post, pre], summed over lags.

    The derivative by the onset in the structured model; in the published one by the voltage, with the sign turned, since an
    onset is a fall of the voltage. windows and length (samples) are those of the structured model; the published one
    has its own length.
    """
    if isinstance(network, StructuredCnnLstm):
        batch = _windows(dataset, length, windows, seed)
        return network.onset_influence(batch["v"], batch.get("flag"), lags=LAGS).sum(0).numpy().astype(np.float64)
    v = _windows(dataset, dataset.length, min(windows, 16), seed)["v"].requires_grad_(True)
    prediction = network(v)
    matrix = np.zeros((prediction.shape[1], prediction.shape[1]))
    for post in range(prediction.shape[1]):
        (gradient,) = torch.autograd.grad(prediction[:, post].sum(), v, retain_graph=True)
        matrix[post] = -gradient[:, -LAGS:].mean(0).sum(0).numpy()
    return matrix


def _windows(dataset: VoltageData, length: int, count: int, seed: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    groups = dataset.usable("test")
    batches = []
    for group, share in zip(groups, np.array_split(np.arange(count), len(groups)), strict=True):
        steps = dataset.place[group][2]
        origins = np.sort(rng.integers(length, steps - 1, max(1, len(share))))
        batches.append(dataset.contexts(group, origins, length))
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def triggered_change(dataset: VoltageData, groups: list[str]) -> NDArray[np.float64]:
    """Mean change of `post` within a sample, after a spike of `pre`, less that after anybody's spike: [post, pre] in mV.

    Changes from and to a clamped sample are left out; summed over lags.
    """
    total = count = np.zeros((LAGS, 1, 1))
    for group in groups:
        v = dataset.volts(group).astype(np.float64)
        onset, clamped = _onsets(dataset, group)
        free = ~clamped[1:] & ~clamped[:-1]
        change = np.where(free, np.diff(v, axis=0), 0.0)
        lagged = [(change[lag:], free[lag:].astype(np.float64), onset[: len(change) - lag]) for lag in range(LAGS)]
        total = total + np.stack([c.T @ o for c, _, o in lagged])
        count = count + np.stack([f.T @ o for _, f, o in lagged])
    mean = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    return (mean - mean.mean(2, keepdims=True)).sum(0)


def spike_correlation(dataset: VoltageData, groups: list[str]) -> NDArray[np.float64]:
    """Correlation of spikes of `post` with spikes of `pre` one to three samples before, summed: [post, pre]."""
    total = np.zeros((1, 1))
    for group in groups:
        onset, _ = _onsets(dataset, group)
        z = (onset - onset.mean(0)) / np.maximum(onset.std(0), 1e-9)
        total = total + sum(z[lag:].T @ z[:-lag] / (len(z) - lag) for lag in CORRELATION_LAGS)
    return total / len(groups)


def _onsets(dataset: VoltageData, group: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(1 in the first clamped sample after a spike, whether a sample is clamped), both [time, neuron]."""
    clamped = dataset.is_reset(dataset.volts(group))
    onset = np.zeros(clamped.shape)
    onset[1:] = clamped[1:] & ~clamped[:-1]
    return onset, clamped


def scores(
    matrix: NDArray[np.float64], weights: NDArray[np.float64], excitatory: NDArray[np.bool_]
) -> dict[str, float]:
    """AUC for E and for I senders, off the diagonal, and the correlation with the true weights.

    matrix [post, pre]: excitation must come out positive and inhibition negative, so one with the wrong sign scores below one
    half.
    """
    signed = {"E": matrix, "I": -matrix}
    result = {
        f"auc_{sender}": roc_auc(signed[sender][pairs], weights[pairs] != 0)
        for sender, pairs in pairs_by_sender(excitatory).items()
    }
    off_diagonal = between_neurons(len(weights))
    a, b = matrix[off_diagonal], weights[off_diagonal]
    result["correlation"] = float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
    return result


def with_weights_elsewhere(
    network: torch.nn.Module, excitatory: NDArray[np.bool_], rng: np.random.Generator
) -> torch.nn.Module:
    """A copy of a trained model with weights of the trained scale that know nothing of who connects to whom.

    The structured model keeps all but its synapses, which are shuffled among pairs whose sender has the same type. In the
    published one no weight belongs to a pair: the entries of each of its tensors are shuffled.
    """
    if not isinstance(network, StructuredCnnLstm):
        return with_permuted_weights(network, rng)
    shuffled = copy.deepcopy(network)
    raw = shuffled.synapse.raw_weight.data
    raw.copy_(torch.from_numpy(pairs_exchanged(raw.numpy(), excitatory, rng)))
    return shuffled
