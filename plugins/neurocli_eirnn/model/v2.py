"""eirnn-v2: a rate network under Dale's law in which every recorded neuron is a unit of its own type.

x[t] = (1 - a) x[t-1] + a (W softplus(x[t-1]) + W_in u[t] + b),  rate = gain softplus(x) + baseline

W = |V| sign, the sign that of the presynaptic unit and the diagonal zero: Dale's law holds whatever the optimiser does. After
Song, Yang & Wang (2016), PLoS Comput. Biol. 12:e1004792, with hidden units beside the recorded ones.

Beside the network stands a linear path: what a ridge regression on functions of the task says of each neuron, fitted before and fixed.
The model's rates are a mean of both, of fixed weight. Each is fitted to the data by itself, so that their errors differ and partly cancel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from neurocli_eirnn.config import V2Config, V2Model
from neurocli_eirnn.data.session import EXCITATORY
from neurocli_eirnn.model import event_time
from neurocli_eirnn.model.recurrence import COMPILED, leaky_scan

EYE = event_time.EYE


class DaleRnn(nn.Module):
    """Units in the order [excitatory, inhibitory], recorded before hidden within each.

    neuron_type: 1 or 2 per recorded neuron; mean_rate: sp/s per neuron, where the gains start. `unit_of_neuron` [neuron] maps a
    recorded neuron to its unit; `sign` [unit] is +1 or -1. silent_inputs: how many of the last inputs start without weight, so
    that only what the data ask for is learned of them. Until `set_linear` the model's rates are the network's.
    """

    unit_of_neuron: torch.Tensor
    sign: torch.Tensor
    off_diagonal: torch.Tensor
    linear_coefficients: torch.Tensor
    linear_intercept: torch.Tensor
    linear_weight: torch.Tensor

    def __init__(
        self,
        neuron_type: list[int],
        num_inputs: int,
        mean_rate: list[float],
        options: V2Model,
        *,
        bin_ms: float = 25.0,
        silent_inputs: int = 0,
    ) -> None:
        super().__init__()
        types = torch.tensor(neuron_type)
        excitatory = types == EXCITATORY
        n_e = int(excitatory.sum()) + options.hidden_excitatory
        n_i = int((~excitatory).sum()) + options.hidden_inhibitory
        units = n_e + n_i
        unit = torch.empty(len(types), dtype=torch.long)
        unit[excitatory] = torch.arange(int(excitatory.sum()))
        unit[~excitatory] = n_e + torch.arange(int((~excitatory).sum()))
        self.register_buffer("unit_of_neuron", unit)
        self.register_buffer("sign", torch.cat((torch.ones(n_e), -torch.ones(n_i))))
        self.register_buffer("off_diagonal", 1 - torch.eye(units))
        self.bin_ms = bin_ms
        self.compiled = COMPILED[options.compiled]
        self.bypass_dale = options.bypass_dale
        self.linear_path = options.linear_weight > 0
        self.wanted_weight = options.linear_weight

        v = torch.distributions.Gamma(2.0, 20.0).sample((units, units))
        v[:, n_e:] *= n_e / max(n_i, 1)  # excitation and inhibition of a unit start in balance
        radius = torch.linalg.eigvals(v * self.sign * self.off_diagonal).abs().max()
        self.v = nn.Parameter(v * options.spectral_radius / radius * (self.sign if options.bypass_dale else 1.0))
        self.input_weights = nn.Parameter((2 * torch.rand(units, 2 * num_inputs) - 1) * options.input_scale)
        with torch.no_grad():
            self.input_weights.view(units, 2, num_inputs)[..., num_inputs - silent_inputs :] = 0
        self.return_weights = nn.Parameter(torch.zeros(units, EYE.stop - EYE.start))
        self.bias = nn.Parameter(torch.zeros(units))
        low, high = math.log(options.alpha_low), math.log(options.alpha_high)
        self.alpha_logit = nn.Parameter(torch.logit(torch.exp(low + (high - low) * torch.rand(units))))
        self.start = nn.Parameter(options.start_sd * torch.randn(units))
        self.log_gain = nn.Parameter(torch.log(torch.tensor(mean_rate).clamp_min(0.1) / math.log(2)))
        self.baseline_raw = nn.Parameter(torch.full((len(types),), -3.0))
        if self.linear_path:
            self.register_buffer("linear_coefficients", torch.zeros(event_time.count(num_inputs), len(types)))
            self.register_buffer("linear_intercept", torch.zeros(len(types)))
            self.register_buffer("linear_weight", torch.zeros(()))

    @property
    def weights(self) -> torch.Tensor:
        """Recurrent weights [post, pre]: no column has both signs, unless Dale's law is bypassed; no unit drives itself."""
        if self.bypass_dale:
            return self.v * self.off_diagonal
        return self.v.abs() * self.sign * self.off_diagonal

    @property
    def alpha(self) -> torch.Tensor:
        """Bin over time constant [unit], in (0, 1)."""
        return torch.sigmoid(self.alpha_logit)

    @property
    def gain(self) -> torch.Tensor:
        """sp/s per unit of softplus(x) [neuron]."""
        return self.log_gain.exp()

    @property
    def baseline(self) -> torch.Tensor:
        """sp/s [neuron], above zero."""
        return functional.softplus(self.baseline_raw)

    def drive(self, inputs: torch.Tensor) -> torch.Tensor:
        """Input to each unit [trial, time, unit]: task inputs, their onsets and the eye's returns, in one product for all times."""
        change = inputs - functional.pad(inputs, (0, 0, 1, 0))[:, :-1]
        weights = torch.cat((self.input_weights, self.return_weights), 1)
        seen = torch.cat((inputs, functional.relu(change), functional.relu(-change[..., EYE])), -1)
        return seen @ weights.t() + self.bias

    def linear_rates(self, inputs: torch.Tensor) -> torch.Tensor:
        """Rates [trial, time, neuron] in sp/s of the linear path alone, none below zero; inputs [trial, time, input]."""
        rates = event_time.weighted(inputs, self.linear_coefficients, self.bin_ms) + self.linear_intercept
        return rates.clamp_min(0)

    def network_rates(self, inputs: torch.Tensor) -> torch.Tensor:
        """Rates [trial, time, neuron] in sp/s of the network alone, which are what it is trained on."""
        return self.readout(self.states(inputs))

    def with_linear(self, rates: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The mean of the network's rates [trial, time, neuron] and the linear path's for the same inputs."""
        return torch.lerp(rates, self.linear_rates(inputs), self.linear_weight) if self.linear_path else rates

    def set_linear(self, coefficients: torch.Tensor, intercept: torch.Tensor) -> None:
        """Give the linear path its coefficients [function, neuron] and intercept [neuron] in sp/s, and its weight."""
        self.linear_coefficients.copy_(coefficients)
        self.linear_intercept.copy_(intercept)
        self.linear_weight.fill_(self.wanted_weight)

    def states(self, inputs: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """x [trial, time, unit] of all units, hidden ones too; `weights` in place of the learned ones, for ablations."""
        w = self.weights if weights is None else weights
        return leaky_scan(self.drive(inputs), w, self.alpha, self.start, compiled=self.compiled)

    def readout(self, states: torch.Tensor) -> torch.Tensor:
        """Rates [..., neuron] in sp/s of states [..., unit]."""
        return self.gain * functional.softplus(states[..., self.unit_of_neuron]) + self.baseline

    def forward(self, inputs: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Rates [trial, time, neuron] in sp/s of the recorded neurons; inputs [trial, time, input], weights as for `states`."""
        return self.with_linear(self.readout(self.states(inputs, weights)), inputs)


def build_v2(config: V2Config, spec: dict[str, Any]) -> DaleRnn:
    """An untrained model for a session of that `spec`."""
    sizes = spec["neuron_type"], spec["num_inputs"], spec["mean_rate"]
    return DaleRnn(*sizes, config.model, bin_ms=spec["bin_ms"], silent_inputs=int(config.data.reward_cue))
