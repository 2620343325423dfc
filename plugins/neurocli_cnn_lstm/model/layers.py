"""The two stages of the structured CNN-LSTM: synapses between neurons, and the membrane they all share.

Tensors are ``[batch, time, neuron]`` (features, where there are any, come last) and voltages are z-scored per
neuron. A *flag* marks samples at the reset voltage, an *onset* is the first flagged sample after a spike.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Adam moves every parameter by about the learning rate, but a synapse has far less data than a shared weight:
# stored in this unit, it takes smaller steps under the one learning rate of the model.
WEIGHT_UNIT = 0.4
EVERY = slice(None)


def delay(x: Tensor, steps: int) -> Tensor:
    """Return ``x [batch, time, ...]`` as it was ``steps`` samples ago, zero where that is before the start."""
    if steps == 0:
        return x
    shifted = torch.zeros_like(x)
    if steps < x.shape[1]:
        shifted[:, steps:] = x[:, :-steps]
    return shifted


class CausalConv(nn.Module):
    """Convolution over time that never looks ahead, shared by all neurons.

    ``[batch, time, neuron, in] -> [batch, time, neuron, out]``. ``weight [out, in, lag]``: lag 0 is the current sample.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        bound = (in_channels * kernel_size) ** -0.5
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        # Few channels on many short sequences: one matrix product over stacked lags beats nn.Conv1d on a CPU.
        lags = torch.cat([delay(x, k) for k in range(self.kernel_size)], dim=-1)
        return F.linear(lags, self.weight.transpose(1, 2).flatten(1), self.bias)


class OnsetDetector(nn.Module):
    """Where no clamp marks a reset, find onsets as sudden falls of the signal: a learned soft threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = CausalConv(1, 1, 3)
        with torch.no_grad():  # a fall by more than 1.7 sd within one sample
            self.conv.weight.copy_(torch.tensor([[[-6.0, 6.0, 0.0]]]))
            self.conv.bias.fill_(-10.0)

    def forward(self, v: Tensor) -> Tensor:
        onset = torch.sigmoid(self.conv(v[..., None])[..., 0])
        first = torch.zeros_like(onset)
        first[:, 1:] = onset[:, 1:]  # the first sample has no past to fall from
        return first


class SynapseStage(nn.Module):
    """Turn the onsets of all neurons into the drive that reaches each of them within the next sample.

    One matrix ``weight [post, pre]`` holds who drives whom. When a spike arrives is finer than the sampling: with a
    conduction delay of 1.5 samples, a spike of the early half of its sample arrives in the next one, a spike of
    the late half one sample later. Gates (one set per *channel*) estimate that fraction,
    * at lag 0 from the voltage of the sending neuron before its spike (near threshold means early), by a convolution;
    * at lag 1 also from its *echo*: the surprise, in the voltages of its targets, that an early arrival has left.

    ``pooled`` gives each sender one weight for all targets: the right model where every run has its own connectivity,
    of which only the sender's type carries over to a new run.
    """

    def __init__(self, num_neurons: int, channels: int = 2, gate_hidden: int = 16, pooled: bool = False) -> None:
        super().__init__()
        self.num_neurons = num_neurons
        self.channels = channels
        self.raw_weight = nn.Parameter(torch.zeros(1 if pooled else num_neurons, num_neurons))
        self.release_conv = CausalConv(1, gate_hidden, 3)
        self.release_drive = nn.Parameter(torch.zeros(gate_hidden))
        self.release_out = nn.Linear(gate_hidden, channels)
        self.echo_in = nn.Linear(5, gate_hidden)
        self.echo_out = nn.Linear(gate_hidden, channels)
        # A leaky integrator, v' = leak * v + rest + gain * drive: what a target would do without the echo.
        self.leak = nn.Parameter(torch.tensor(0.9))
        self.rest = nn.Parameter(torch.tensor(0.0))
        self.gain = nn.Parameter(torch.tensor(1.0))

    @property
    def weight(self) -> Tensor:
        """Effective synaptic weights ``[post, pre]``, signed, up to a common factor that the head undoes."""
        return WEIGHT_UNIT * self.raw_weight.expand(self.num_neurons, -1)

    def forward(
        self, v: Tensor, flag: Tensor, onset: Tensor, use_echo: bool = True, tail: slice = EVERY
    ) -> tuple[Tensor, Tensor]:
        """Return the drive ``[batch, time, neuron, channel]`` and each neuron's own gated onsets, twice as many.

        ``tail``: the steps to return, all by default; a sampled path needs its last one alone.
        """
        weight = self.weight
        onset_1 = delay(onset, 1)
        from_voltage = self.release_conv(v[..., None])
        early = torch.sigmoid(self.release_out(torch.tanh(from_voltage)))[..., 0]
        guess = F.linear(onset * early + onset_1 * (1 - delay(early, 1)), weight)

        echo = self._echo(v, flag, guess, weight) if use_echo else torch.zeros_like(v)
        strength = (weight.square().sum(0) + 1e-4).sqrt().expand_as(v)  # how loud this neuron's echo can be
        evidence = torch.stack((delay(v, 2), delay(v, 3), echo, strength, delay(guess, 2)), dim=-1)[:, tail]
        late = torch.sigmoid(self.echo_out(torch.tanh(self.echo_in(evidence))))
        with_drive = from_voltage[:, tail] + delay(guess, 1)[:, tail, :, None] * self.release_drive
        early = torch.sigmoid(self.release_out(torch.tanh(with_drive)))

        own_early, own_late = onset[:, tail, :, None] * early, onset_1[:, tail, :, None] * late
        arriving = own_early + own_late
        drive = torch.stack([F.linear(arriving[..., k], weight) for k in range(self.channels)], dim=-1)
        return drive, torch.cat((own_late, own_early), dim=-1)

    def _echo(self, v: Tensor, flag: Tensor, guess: Tensor, weight: Tensor) -> Tensor:
        """Project what the targets did beyond expectation back onto the senders, by the transposed weights."""
        free = (1 - flag) * (1 - delay(flag, 1))  # a clamped neuron hears nothing
        expected = self.leak * v + self.rest + self.gain * guess
        surprise = ((v - delay(expected, 1)) * free).clamp(-1.5, 1.5)  # a reset is no synaptic event
        return (surprise @ weight) / (weight.square().sum(0) + 0.02)


class MembraneStage(nn.Module):
    """One nonlinear membrane for all neurons: a causal convolution, an LSTM and a small head.

    Neurons are folded into the batch, so that every neuron trains the same nonlinearity. Besides passing through the
    LSTM and the head, the drive is added to the voltage as it is, which is what a synapse does to a free membrane.
    Without this path some trainings end with all weights of the opposite sign, undone by the head.
    """

    def __init__(self, drives: int, conv_channels: int = 8, lstm_hidden: int = 16, head_hidden: int = 32) -> None:
        super().__init__()
        self.drives = slice(conv_channels, conv_channels + drives)  # where they lie in the LSTM's input
        side_channels = 3 * drives  # each drive, and a neuron's own late and early onsets
        self.conv = CausalConv(3, conv_channels, 3)  # of voltage, flag and onset
        self.lstm = nn.LSTM(conv_channels + side_channels, lstm_hidden)
        features = conv_channels + side_channels + lstm_hidden
        self.head = nn.Sequential(
            nn.Linear(features, head_hidden),
            nn.SiLU(),
            nn.Linear(head_hidden, head_hidden),
            nn.SiLU(),
            nn.Linear(head_hidden, 3),
        )

    def lstm_input(self, v: Tensor, flag: Tensor, onset: Tensor, side: Tensor, tail: slice = EVERY) -> Tensor:
        """Return what the LSTM receives, ``[batch, time, neuron, feature]``, at the steps of ``tail`` (those of ``side``)."""
        return torch.cat((self.conv(torch.stack((v, flag, onset), dim=-1))[:, tail], side), dim=-1)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None, use_lstm: bool = True
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Map the LSTM's input to ``[batch, time, neuron, 3]``: change of v, reset logit, log sd of a free sample.

        Also return the LSTM's state after the last step, to go on from.
        """
        if use_lstm:
            folded, state = self.lstm(fold_neurons(x), state)
            hidden = unfold_neurons(folded, x.shape)
        else:
            hidden = x.new_zeros(*x.shape[:3], self.lstm.hidden_size)
        output = self.head(torch.cat((x, hidden), dim=-1))
        direct = F.pad(x[..., self.drives].mean(-1, keepdim=True), (0, output.shape[-1] - 1))
        return output + direct, state


def fold_neurons(x: Tensor) -> Tensor:
    """``[batch, time, neuron, feature] -> [time, batch * neuron, feature]``, the layout of ``nn.LSTM``."""
    return x.transpose(0, 1).flatten(1, 2)


def unfold_neurons(y: Tensor, shape: torch.Size) -> Tensor:
    """Undo `fold_neurons`; ``shape`` begins with batch, time, neuron."""
    return y.unflatten(1, (shape[0], shape[2])).transpose(0, 1)
