"""LSTM (Hochreiter & Schmidhuber 1997) and GRU (Cho et al. 2014) with a linear readout at every step, in torch's own form."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from neurocli_sequences.config import RecurrentOptions

_KINDS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """Inputs [sample, time, input] to outputs [sample, time, output], from a state of zero.

    An LSTM begins by remembering: its forget gates have a bias of 1 (Jozefowicz, Zaremba & Sutskever 2015).
    """

    def __init__(
        self, kind: Literal["lstm", "gru"], options: RecurrentOptions, num_inputs: int, num_outputs: int
    ) -> None:
        super().__init__()
        self.recurrent = _KINDS[kind](num_inputs, options.hidden, options.layers)
        self.readout = nn.Linear(options.hidden, num_outputs)
        if kind == "lstm":
            forget = slice(options.hidden, 2 * options.hidden)
            with torch.no_grad():
                for layer in range(options.layers):
                    getattr(self.recurrent, f"bias_ih_l{layer}")[forget] = 1.0
                    getattr(self.recurrent, f"bias_hh_l{layer}")[forget] = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs [sample, time, output]."""
        out: torch.Tensor = self.readout(self.recurrent(x.transpose(0, 1))[0])
        return out.transpose(0, 1)

    def states(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """cell (of an LSTM) and hidden [sample, time, layer * unit] after each step."""
        state, steps = None, []
        for step in range(x.shape[1]):
            _, state = self.recurrent(x[:, step : step + 1].transpose(0, 1), state)
            steps.append(state if isinstance(state, tuple) else (state,))
        names = ("hidden", "cell") if isinstance(self.recurrent, nn.LSTM) else ("hidden",)
        columns = zip(names, zip(*steps, strict=True), strict=True)
        # Of each step [layer, sample, unit].
        kept = {name: torch.stack(values).permute(2, 0, 1, 3).flatten(2) for name, values in columns}
        return {name: kept[name] for name in ("cell", "hidden") if name in kept}
