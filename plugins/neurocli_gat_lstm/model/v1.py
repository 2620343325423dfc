"""gat-lstm-v1: the published architecture, with every edge where the connectome has it.

Three graph attention layers embed each time step, an LSTM with shared weights follows each neuron, a small network adds to the
last value. Every step is embedded once, however many windows it belongs to, and one pass of the LSTM forecasts after every step.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import SnapshotGATConv

WIDTHS, HEADS = (64, 128, 256), (4, 4, 2)
LSTM_WIDTH, LSTM_LAYERS, LSTM_DROPOUT = 256, 2, 0.2
HEAD_WIDTH, HEAD_DROPOUT = 128, 0.1

State = tuple[torch.Tensor, torch.Tensor]


class PlannedGatLstm(nn.Module):
    """Forecasts of each neuron's next value from the signals [batch, time, node] so far.

    edge_dim: features of an edge, 2 (gap junctions, chemical synapses) or 3 (and distance). learned_skips: a linear map around
    each attention layer. Everywhere `present` is bool [batch, node]: an absent neuron gives no attention to others, what its
    signal holds changes nothing, and its forecasts are 0.
    """

    def __init__(self, edge_dim: int = 2, *, learned_skips: bool = False) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            SnapshotGATConv(before, width // heads, heads, edge_dim, residual=learned_skips)
            for before, width, heads in zip((1, *WIDTHS), WIDTHS, HEADS, strict=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in WIDTHS)
        self.lstm = nn.LSTM(WIDTHS[-1], LSTM_WIDTH, LSTM_LAYERS, dropout=LSTM_DROPOUT)
        last = nn.Linear(HEAD_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.Linear(LSTM_WIDTH, HEAD_WIDTH), nn.ReLU(), nn.Dropout(HEAD_DROPOUT), last)

    def forward(self, x: torch.Tensor, graph: GraphTensors, present: torch.Tensor) -> torch.Tensor:
        """Forecasts of the next step [batch, node] from the whole window [batch, time, node]."""
        return self._forecast_windows(_by_time(x, present), graph, present, only_last=True)[0][-1]

    def forward_all(self, x: torch.Tensor, graph: GraphTensors, present: torch.Tensor) -> torch.Tensor:
        """Forecasts [batch, time, node] after every step: the one at t has seen x[:, : t + 1] and means t + 1."""
        return self._forecast_windows(_by_time(x, present), graph, present)[0].transpose(0, 1)

    def forward_windows(
        self, series: torch.Tensor, graph: GraphTensors, present: torch.Tensor, *, window: int, stride: int
    ) -> torch.Tensor:
        """Forecasts [window, node] of the step after each window of one series [time, node]; present: [node].

        Equal to `forward` on the windows one by one, yet each time step is embedded once.
        """
        series = series.masked_fill(~present, 0)
        embedding = self.embed(series, graph, present)
        windows = embedding.unfold(0, window, stride).permute(3, 0, 1, 2)  # [time in window, window, node, feature]
        last = series[window - 1 :: stride]
        change, _ = self._change(windows, present.expand(windows.shape[1:3]), only_last=True)
        return last + change[0]

    def rollout(self, x: torch.Tensor, graph: GraphTensors, present: torch.Tensor, steps: int) -> torch.Tensor:
        """Forecasts [batch, step, node] of the `steps` after the window [batch, time, node], each fed back as the next input.

        The LSTM carries its state on: equal to `forward` on the window and all forecasts so far.
        """
        forecast, state = self._forecast_windows(_by_time(x, present), graph, present, only_last=True)
        forecasts = [forecast]
        while len(forecasts) < steps:
            forecast, state = self._forecast_windows(forecast, graph, present, state)
            forecasts.append(forecast)
        return torch.cat(forecasts).transpose(0, 1)

    def embed(self, x: torch.Tensor, graph: GraphTensors, present: torch.Tensor) -> torch.Tensor:
        """Each snapshot [..., node] after graph attention, [..., node, feature]; present is broadcast to the snapshots."""
        incoming = graph.incoming(x.shape[-1])
        everyone = None if bool(present.all()) else present
        features = x[..., None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            attended = conv(features, graph.edge_index, graph.edge_attr, everyone, incoming)
            features = functional.relu_(norm(attended))
        return features

    def _forecast_windows(
        self,
        x: torch.Tensor,
        graph: GraphTensors,
        present: torch.Tensor,
        state: State | None = None,
        *,
        only_last: bool = False,
    ) -> tuple[torch.Tensor, State]:
        """Forecasts [time or 1, batch, node] from signals [time, batch, node] that follow on `state`, and the state after."""
        change, state = self._change(self.embed(x, graph, present), present, state, only_last=only_last)
        return (x[-1:] if only_last else x) + change, state

    def _change(
        self, embedding: torch.Tensor, present: torch.Tensor, state: State | None = None, *, only_last: bool = False
    ) -> tuple[torch.Tensor, State]:
        """Forecast less the last value [time or 1, batch, node] from embeddings [time, batch, node, feature].

        Only neurons that are present cost time; `state` belongs to them, in order.
        """
        rows = embedding.flatten(1, 2)
        neurons = present.flatten().nonzero()[:, 0]
        if len(neurons) < rows.shape[1]:
            rows = rows[:, neurons]
        hidden, state = self.lstm(rows, state)
        change = self.head(hidden[-1:] if only_last else hidden)[..., 0]
        whole = change.new_zeros(len(change), present.numel()).index_copy(1, neurons, change)
        return whole.unflatten(1, present.shape), state


def _by_time(x: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """[batch, time, node] → [time, batch, node], absent neurons at 0."""
    return x.masked_fill(~present[:, None], 0).transpose(0, 1).contiguous()
