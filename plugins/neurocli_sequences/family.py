"""The reference models of sequences: lstm, gru and linear. They know no task."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.plugin.task import SequenceModel
from neurocli_sequences.config import LinearOptions, RecurrentOptions
from neurocli_sequences.model.linear import Linear
from neurocli_sequences.model.recurrent import Recurrent


class _Recurrent(SequenceModel):
    """A gated recurrent network."""

    Options = RecurrentOptions
    kind: ClassVar[Literal["lstm", "gru"]]

    def build_sequence(
        self,
        options: RecurrentOptions,
        num_inputs: int,
        num_outputs: int,
        *,
        steps: int | None = None,
        delta_t: float = 1.0,
    ) -> Recurrent:
        return Recurrent(self.kind, options, num_inputs, num_outputs)

    def states(self, network: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert isinstance(network, Recurrent)
        return network.states(x)

    def sized(self, options: RecurrentOptions, size: int) -> RecurrentOptions:
        return options.model_copy(update={"hidden": size})


class Lstm(_Recurrent):
    """Long short-term memory."""

    kind = "lstm"


class Gru(_Recurrent):
    """Gated recurrent units."""

    kind = "gru"


class LinearModel(SequenceModel):
    """Leaky sums of the inputs and a linear readout."""

    Options = LinearOptions

    def build_sequence(
        self,
        options: LinearOptions,
        num_inputs: int,
        num_outputs: int,
        *,
        steps: int | None = None,
        delta_t: float = 1.0,
    ) -> Linear:
        return Linear(options, num_inputs, num_outputs, steps)

    def timescales(self, network: nn.Module) -> NDArray[np.float64]:
        tau: Any = network.tau
        return np.asarray(tau.detach().cpu().double().numpy())

    def states(self, network: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert isinstance(network, Linear)
        return {"traces": network.traces(x).flatten(2)}
