"""Inside the LSTM: its gates around a reset, the memory of its hidden state, the dimensions it uses."""

# Tensors that are there only with a reset flag, and weights that torch declares as Tensor | Module.
# mypy: disable-error-code="arg-type,index,union-attr,operator"

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_cnn_lstm.model.v1 import PublishedCnnLstm
from neurocli_cnn_lstm.model.v2 import LstmTrace

_NAMES = {"i": "input", "f": "forget", "o": "output"}
_AROUND = range(-3, 8)


@torch.no_grad()
def layer_trace(lstm: torch.nn.LSTM, x: torch.Tensor) -> LstmTrace:
    """Gates and states [batch, time, 1, hidden] of the first layer of an LSTM, computed with its own weights.

    x: [batch, time, feature].
    """
    h = c = x.new_zeros(len(x), lstm.hidden_size)
    series = []
    for t in range(x.shape[1]):
        gates = F.linear(x[:, t], lstm.weight_ih_l0, lstm.bias_ih_l0) + F.linear(h, lstm.weight_hh_l0, lstm.bias_hh_l0)
        i, f, g, o = gates.chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        series.append((i, f, g, o, c, h))
    return LstmTrace(*(torch.stack(s, dim=1)[:, :, None] for s in zip(*series, strict=True)))


@torch.no_grad()
def gate_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """Gates averaged over hidden units, by time from a reset; autocorrelation and principal components of the hidden state."""
    dataset: Any = trained.dataset
    network: Any = trained.network
    group = dataset.split.test[0]
    length = trained.config.model.window if isinstance(network, PublishedCnnLstm) else 200
    origins = np.linspace(length, dataset.place[group][2] - 1, 6).astype(np.int64)
    batch = dataset.contexts(group, origins, length)
    if isinstance(network, PublishedCnnLstm):
        # The input of the LSTM is what the convolutions make of the voltages.
        trace = layer_trace(network.lstm, batch["v"] + network.cnn(batch["v"]))
    else:
        trace = network.lstm_trace(batch["v"], batch.get("flag"))
    warm = 20
    hidden = trace.h[:, warm:].permute(0, 2, 1, 3).flatten(0, 1)[:400].double().numpy()
    correlation = _autocorrelation(hidden)
    variance = _components(hidden)
    around = _around_resets(trace, batch, dataset, per_neuron=not isinstance(network, PublishedCnnLstm))
    path = figures / "gates.png"
    with saved_figure(path, ncols=3, width=11, height=3.2) as (_, axes):
        for key, values in around.items():
            axes[0].plot(np.array(list(_AROUND)) * dataset.dt_ms, values, "o-", ms=3, label=_NAMES[key])
        axes[0].set(xlabel="time from a reset (ms)", ylabel="mean activation", title="gates")
        axes[0].legend()
        axes[1].plot(np.arange(len(correlation)) * dataset.dt_ms, correlation)
        axes[1].set(xlabel="lag (ms)", title="autocorrelation of the hidden state")
        axes[2].plot(np.arange(1, len(variance) + 1), np.cumsum(variance), "o-")
        axes[2].set(
            xlabel="principal components",
            ylabel="share of variance",
            ylim=(0, 1.02),
            title="dimensions of the hidden state",
        )
    rows = [[t * dataset.dt_ms, *(float(around[k][n]) for k in _NAMES)] for n, t in enumerate(_AROUND)]
    below = np.flatnonzero(correlation < np.exp(-1))
    claims = {
        "hidden_memory_ms": float(below[0] * dataset.dt_ms) if below.size else None,
        "components_for_90_percent": int(np.searchsorted(np.cumsum(variance), 0.9) + 1),
        "hidden_units": int(hidden.shape[2]),
    }
    return Exhibit(
        "gates",
        "Mean activation of the LSTM's gates around a reset",
        Table(
            ["time from reset (ms)", *(f"{name} gate" for name in _NAMES.values())],
            rows,
            "means over units; 0 is the first sample at reset",
        ),
        path,
        claims,
    )


def _autocorrelation(hidden: NDArray[Any], lags: int = 60) -> NDArray[np.float64]:
    centred = hidden - hidden.mean((0, 1))
    power = (centred**2).mean()
    steps = centred.shape[1]
    return np.array([(centred[:, : steps - k] * centred[:, k:]).mean() / power for k in range(min(lags, steps // 2))])


def _components(hidden: NDArray[Any]) -> NDArray[np.float64]:
    flat = hidden.reshape(-1, hidden.shape[-1])
    values = np.linalg.eigvalsh(np.cov(flat[:: max(1, len(flat) // 20_000)].T))[::-1]
    return np.maximum(values, 0) / max(values.sum(), 1e-12)


def _around_resets(trace: LstmTrace, batch: Any, dataset: Any, *, per_neuron: bool) -> dict[str, NDArray[np.float64]]:
    volts = dataset.normalisation.restore(batch["v"].numpy())
    reset = dataset.is_reset(volts)
    onset = np.zeros_like(reset)
    onset[:, 1:] = reset[:, 1:] & ~reset[:, :-1]
    where = np.argwhere(onset)
    steps = onset.shape[1]
    where = where[(where[:, 1] + _AROUND[0] >= 0) & (where[:, 1] + _AROUND[-1] < steps)]
    around = {}
    for key in _NAMES:
        gate = getattr(trace, key).mean(-1).numpy()
        column = where[:, 2] if per_neuron else np.zeros(len(where), int)
        around[key] = np.array(
            [gate[where[:, 0], where[:, 1] + t, column].mean() if len(where) else np.nan for t in _AROUND]
        )
    return around
