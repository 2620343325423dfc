"""Our CNN-LSTM, structured like the network it forecasts.

Synapses (who drives whom, and when a spike arrives) feed one membrane that all neurons share. The next sample
is a mixture of two cases with very different errors: the neuron is at its reset voltage, or it moves freely.
Both cases are trained by their own likelihood, because rare resets would otherwise drown, in the squared error,
what can be learned from the many small movements.
"""

# Tensors that are there only with a reset flag, and weights that torch declares as Tensor | Module.
# mypy: disable-error-code="arg-type,index,union-attr,operator"

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurocli_cnn_lstm.config import V2Model
from neurocli_cnn_lstm.model.layers import (
    EVERY,
    MembraneStage,
    OnsetDetector,
    SynapseStage,
    fold_neurons,
    unfold_neurons,
)

PARTS = ("synapse", "echo", "lstm", "residual")  # what `forward` can leave out
MEMORY_SAMPLES = 8  # how far back everything but the LSTM can see


class Forecast(NamedTuple):
    """The next sample at every step; all fields are ``[batch, time, neuron]``, voltages in z.

    ``mean`` is the forecast; ``free_mean`` and ``free_log_sd`` describe the next sample if it is not at reset;
    ``reset_logit`` is the log-odds that it is; ``spike_logit`` that it is so newly (an onset). ``spike_logit`` is
    None without a reset flag, where nothing says what a reset is.
    """

    mean: Tensor
    spike_logit: Tensor | None
    reset_logit: Tensor
    free_mean: Tensor
    free_log_sd: Tensor


class LstmTrace(NamedTuple):
    """Gates and states of the membrane's LSTM, each ``[batch, time, neuron, hidden]``, in torch's naming."""

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor
    c: Tensor
    h: Tensor


class StructuredCnnLstm(nn.Module):
    """Forecast the next sample of every neuron at every step, causally.

    ``reset_z``: the reset voltage of each neuron in z, a starting value for training (one number serves all).
    """

    def __init__(
        self,
        num_neurons: int,
        options: V2Model | None = None,
        *,
        reset_z: float | Sequence[float] | Tensor = -2.1,
    ) -> None:
        super().__init__()
        options = options or V2Model()
        self.num_neurons = num_neurons
        self.reset_z = nn.Parameter(torch.as_tensor(reset_z, dtype=torch.float32).expand(num_neurons).clone())
        self.reset_log_sd = nn.Parameter(torch.tensor(math.log(0.2)))  # used only where no flag marks a reset
        self.detector = OnsetDetector()
        arrivals, pooled = options.arrival_channels, options.synapses == "senders"
        self.synapse = SynapseStage(num_neurons, arrivals, options.gate_hidden, pooled)
        self.membrane = MembraneStage(arrivals, options.conv_channels, options.lstm_hidden, options.head_hidden)

    # ---- forecast ---------------------------------------------------------------------------------------------

    def events(self, v: Tensor, flag: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return flag and onset; without a flag both are estimated from falls of ``v``."""
        if flag is None:
            onset = self.detector(v)
            before = torch.zeros_like(onset)
            before[:, 1:] = onset[:, :-1]
            return (onset + before).clamp(max=1), onset
        flag = flag.to(v.dtype)
        onset = torch.zeros_like(flag)
        onset[:, 1:] = flag[:, 1:] * (1 - flag[:, :-1])
        return flag, onset

    def forward(
        self,
        v: Tensor,
        flag: Tensor | None = None,
        *,
        onset: Tensor | None = None,
        ablate: Collection[str] = (),
    ) -> Forecast:
        """Forecast sample t+1 from samples up to t.

        ``v`` and ``flag`` are ``[batch, time, neuron]``. ``onset`` overrides the onsets seen by synapses and
        membrane (to differentiate by them). ``ablate`` names parts to leave out, of `PARTS`.
        """
        unknown = set(ablate) - set(PARTS)
        if unknown:
            raise ValueError(f"cannot ablate {sorted(unknown)}; the parts are {list(PARTS)}")
        at_reset, x = self.membrane_input(v, flag, onset, ablate)
        output, _ = self.membrane(x, use_lstm="lstm" not in ablate)
        if "residual" in ablate:
            v = torch.zeros_like(v)
        return self.mixture(v, None if flag is None else at_reset, output)

    def mixture(self, v: Tensor, flag: Tensor | None, output: Tensor) -> Forecast:
        """Turn the membrane's output into the two cases and their mean; ``v`` is what a free sample moves from."""
        change, reset_logit, free_log_sd = output.unbind(-1)
        reset_logit = reset_logit - 3.0  # about one sample in twenty is at reset: start there
        free_mean = v + change
        p = torch.sigmoid(reset_logit)
        mean = p * self.reset_z + (1 - p) * free_mean
        spike_logit = None
        if flag is not None:  # a neuron at reset stays or leaves, it cannot newly arrive
            spike_logit = torch.where(flag > 0, torch.full_like(reset_logit, -20.0), reset_logit)
        return Forecast(mean, spike_logit, reset_logit, free_mean, free_log_sd.clamp(-4.0, 1.0))

    def membrane_input(
        self,
        v: Tensor,
        flag: Tensor | None,
        onset: Tensor | None = None,
        ablate: Collection[str] = (),
        tail: slice = EVERY,
    ) -> tuple[Tensor, Tensor]:
        """Return the flag ``[batch, time, neuron]`` and what the LSTM receives, the latter at the steps of ``tail`` alone."""
        if v.dim() != 3 or v.shape[2] != self.num_neurons:
            raise ValueError(f"expected [batch, time, {self.num_neurons}], got {list(v.shape)}")
        flag, estimated_onset = self.events(v, flag)
        onset = estimated_onset if onset is None else onset
        drive, own_onsets = self.synapse(v, flag, onset, use_echo="echo" not in ablate, tail=tail)
        if "synapse" in ablate:
            drive = torch.zeros_like(drive)
        return flag, self.membrane.lstm_input(v, flag, onset, torch.cat((drive, own_onsets), dim=-1), tail)

    # ---- looking inside ---------------------------------------------------------------------------------------

    @torch.no_grad()
    def lstm_trace(self, v: Tensor, flag: Tensor | None = None) -> LstmTrace:
        """Run the LSTM step by step with its own weights and return its real gates and states."""
        lstm = self.membrane.lstm
        _, x = self.membrane_input(v, flag)
        folded = fold_neurons(x)
        h = c = folded.new_zeros(folded.shape[1], lstm.hidden_size)
        steps = []
        for sample in folded:
            gates = F.linear(sample, lstm.weight_ih_l0, lstm.bias_ih_l0)
            gates = gates + F.linear(h, lstm.weight_hh_l0, lstm.bias_hh_l0)
            i, f, g, o = gates.chunk(4, dim=1)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            h = o * c.tanh()
            steps.append((i, f, g, o, c, h))
        return LstmTrace(*(unfold_neurons(torch.stack(series), x.shape) for series in zip(*steps, strict=True)))

    def onset_influence(
        self, v: Tensor, flag: Tensor | None = None, lags: int = 3, target: str = "free_mean"
    ) -> Tensor:
        """Return the mean of d prediction_j / d onset_i, ``[lag, post j, pre i]``, at the last step of the windows.

        ``target`` is the `Forecast` field to differentiate. ``free_mean`` follows the sign of a synapse; in ``mean``
        excitation near threshold turns negative, for it makes a reset likelier. Windows in which the target is at
        reset are left out. Exact gradients: one backward pass per neuron, so use few and short windows.
        """
        with torch.no_grad():
            estimated_flag, estimated_onset = self.events(v, flag)
        counted = 1 - estimated_flag[:, -1]
        result = v.new_zeros(lags, self.num_neurons, self.num_neurons)
        onset = estimated_onset.clone().requires_grad_(True)
        last = getattr(self(v, flag, onset=onset), target)[:, -1] * counted
        for j in range(self.num_neurons):
            (grad,) = torch.autograd.grad(last[:, j].sum(), onset, retain_graph=True)
            for lag in range(lags):
                result[lag, j] = grad[:, -1 - lag].sum(0) / counted[:, j].sum().clamp(min=1)
        return result


def forecast_loss(
    network: StructuredCnnLstm, v: Tensor, flag: Tensor | None, burn_in: int = 20, squared_error_weight: float = 2.0
) -> dict[str, Tensor]:
    """Return the named loss terms of windows ``v [batch, time + 1, neuron]``; train on their sum.

    The likelihood of the mixture (reset or not; a free sample as a normal) plus a share of the squared error.
    Without a flag it is unknown which case a sample belongs to, and the likelihood sums over both.
    The first ``burn_in`` steps of a window only fill the LSTM and are not scored.
    """
    forecast = network(v[:, :-1], None if flag is None else flag[:, :-1])
    mean, _, logit, free_mean, log_sd = (None if x is None else x[:, burn_in:] for x in forecast)
    target = v[:, 1:][:, burn_in:]
    free_nll = 0.5 * ((target - free_mean) / log_sd.exp()).square() + log_sd
    terms = {"squared_error": squared_error_weight * F.mse_loss(mean, target)}
    if flag is None:
        sd = network.reset_log_sd.clamp(-3.0, 0.0)
        reset_nll = 0.5 * ((target - network.reset_z) / sd.exp()).square() + sd
        terms["mixture"] = -torch.logaddexp(F.logsigmoid(logit) - reset_nll, F.logsigmoid(-logit) - free_nll).mean()
    else:
        at_reset = flag[:, 1:][:, burn_in:].to(v.dtype)
        terms["reset"] = F.binary_cross_entropy_with_logits(logit, at_reset)
        terms["free"] = ((1 - at_reset) * free_nll).mean()
    return terms
