"""Rates of data and model as arrays [trial, time, neuron], and the small things that every exhibit needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.target import Prediction, Target
from neurocli.training.devices import device_of
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.neuron_types import COLOURS, LOCATION_COLOURS, TYPES
from neurocli_eirnn.data.session import EXCITATORY
from neurocli_eirnn.data.trials import EVENTS

__all__ = [
    "COLOURS",
    "EVENT_NAMES",
    "LOCATION_COLOURS",
    "NO_SIGNAL",
    "SMOOTHING_MS",
    "TYPES",
    "Array",
    "fitted_numbers",
    "letters",
    "mean",
    "median",
    "model_inputs",
    "model_rates",
    "pearson",
    "ratio",
    "stacked",
    "test_rows",
    "used_rows",
    "within",
]

Array = NDArray[np.float64]
SMOOTHING_MS = 50.0
EVENT_NAMES: tuple[str, ...] = tuple(EVENTS)
NO_SIGNAL = 0.1
"""A noise ceiling below this: the neuron's PSTH cannot be told from a constant, and a share of it means nothing."""


def stacked(target: Target, prediction: Prediction) -> tuple[Array, Array]:
    """(data, model), both [trial, time, neuron] in sp/s; the model is NaN where the data are."""
    data = np.stack([np.asarray(target.values[group], np.float64) for group in target.groups])
    model = np.stack([np.asarray(prediction.values[group], np.float64) for group in target.groups])
    return data, np.where(np.isfinite(data), model, np.nan)


@torch.no_grad()
def model_rates(network: nn.Module, dataset: SessionData, rows: NDArray[np.int64]) -> Array:
    """The model's rates [trial, time, neuron] in sp/s on trials `rows`, NaN where the data are."""
    chunks = [network(chunk).cpu().numpy() for chunk in model_inputs(network, dataset, rows).split(256)]
    return within(dataset, rows, np.concatenate(chunks))


def model_inputs(network: nn.Module, dataset: SessionData, rows: NDArray[np.int64]) -> torch.Tensor:
    """Inputs [trial, time, input] where the module is."""
    device = device_of(network)
    return torch.from_numpy(dataset.inputs[rows]).to(device)


def fitted_numbers(network: nn.Module) -> int:
    """How many numbers of a model were fitted: trained ones, and those of a linear path that was fitted before."""
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    before = ("linear_coefficients", "linear_intercept")
    return trained + sum(b.numel() for name, b in network.named_buffers() if name in before)


def within(dataset: SessionData, rows: NDArray[np.int64], rates: NDArray[Any]) -> Array:
    """Rates [trial, time, neuron] of trials `rows` with NaN where the data have it."""
    return np.where(np.isfinite(dataset.rates[rows]), rates, np.nan).astype(np.float64)


def test_rows(dataset: SessionData) -> NDArray[np.int64]:
    return dataset.rows(list(dataset.split.test))


def used_rows(dataset: SessionData) -> NDArray[np.int64]:
    """Rows of all trials that are used: trained on, choosing the epoch, or scored."""
    return np.where(dataset.used)[0]


def letters(neuron_type: NDArray[np.int64]) -> list[str]:
    """E or I per neuron."""
    return ["E" if kind == EXCITATORY else "I" for kind in neuron_type]


def mean(values: Any) -> float:
    """Mean over what is known; NaN where nothing is."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


def median(values: Any) -> float:
    """Median over what is known; NaN where nothing is."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    return float(np.median(values[known])) if known.any() else float("nan")


def ratio(top: Any, bottom: Any) -> Array:
    """top / bottom, NaN where bottom is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def pearson(first: Any, second: Any) -> float:
    """Correlation over the places where both are known; NaN where one does not vary or fewer than three are."""
    first, second = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or first[known].std() < 1e-12 or second[known].std() < 1e-12:
        return float("nan")
    return float(np.corrcoef(first[known], second[known])[0, 1])
