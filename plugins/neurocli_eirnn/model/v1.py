"""eirnn-v1: the published E-I network, with its peculiarities as options.

x[t] = (1 - a) x[t-1] + a (W softplus(x[t-1]) + W_in e(u[t])) + s sqrt(a) noise,  rate[t] = max(0, c softplus(x[t-1]) + b)

Source: github.com/jamespherman/4factors-rnn-analysis (MIT), the code where it differs from its documents; after Song, Yang &
Wang (2016), PLoS Comput. Biol. 12:e1004792. With 8 excitatory and 6 inhibitory neurons the three published stages have 1,370
(first), 1,372 (fixed: one output scale and baseline) and 5,878 (final: attention input, learned start) parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from neurocli_eirnn.config_v1 import V1Config, V1Model
from neurocli_eirnn.data.session import EXCITATORY
from neurocli_eirnn.model.recurrence import COMPILED, leaky_scan

_HEAD = 4  # query, key and value of a token
_LAGS = (1, 2, 3)
_TERMS = 4
"""Terms of the loss that have a running mean: neuron, trial, weights, eye."""
_INHIBITORY_ALPHA, _INHIBITORY_TAU = (
    1.5,
    0.7,
)  # where learned time constants of inhibitory units start, relative to the others
_TAU_SPAN_MS = 87.5


def population(excitatory: int, inhibitory: int, ratio: float | None, total: int | None) -> tuple[int, int]:
    """(excitatory units, inhibitory units) for so many recorded neurons.

    Units are added to the type that falls short of `ratio` to 1, or until there are `total` in that ratio; never fewer
    than recorded. Without a ratio every unit is a recorded neuron.
    """
    if ratio is None:
        return excitatory, inhibitory
    if total is not None:
        n_e = max(round(total * ratio / (ratio + 1)), excitatory)
        return n_e, max(total - n_e, inhibitory)
    if excitatory >= ratio * inhibitory:
        return excitatory, max(math.ceil(excitatory / ratio), inhibitory)
    return max(math.ceil(inhibitory * ratio), excitatory), inhibitory


def unit_map(neuron_type: list[int], n_e: int, by_type: bool) -> list[int]:
    """The unit of each recorded neuron, units being in the order [excitatory, inhibitory].

    As published, neuron k is unit k: where interneurons come early in the file they sit on excitatory units. `by_type` puts
    every neuron on a unit of its own type.
    """
    if not by_type:
        return list(range(len(neuron_type)))
    free = {True: iter(range(n_e)), False: iter(range(n_e, n_e + len(neuron_type)))}
    return [next(free[kind == EXCITATORY]) for kind in neuron_type]


class Embedding(nn.Module):
    """What the network is given in place of its inputs: [trial, time, input] to [trial, time, size], never negative but by lags.

    kind: attention (every input a token; softmax(q k' / 2) v, then linear and ReLU), linear, random (fixed), mlp, groups (task,
    eye and stimulus inputs apart), lags (copies 1 to 3 bins late), gru.
    """

    projection: torch.Tensor

    def __init__(self, kind: str, num_inputs: int, size: int) -> None:
        super().__init__()
        self.kind = kind
        self.size = num_inputs * (1 + len(_LAGS)) if kind == "lags" else size
        self.groups = [range(7), range(7, 9), range(9, num_inputs)]
        if kind == "attention":
            self.tokens = nn.Linear(1, 3 * _HEAD)
            self.out = nn.Linear(num_inputs * _HEAD, size)
        elif kind == "linear":
            self.out = nn.Linear(num_inputs, size)
        elif kind == "random":
            self.register_buffer("projection", torch.randn(num_inputs, size) / math.sqrt(num_inputs))
        elif kind == "mlp":
            middle = (num_inputs + size) // 2
            self.middle, self.out = nn.Linear(num_inputs, middle), nn.Linear(middle, size)
        elif kind == "groups":
            sizes = [size // 3, size // 3, size - 2 * (size // 3)]
            self.parts = nn.ModuleList(nn.Linear(len(g), n) for g, n in zip(self.groups, sizes, strict=True))
        elif kind == "gru":
            self.gru, self.out = nn.GRU(num_inputs, size, batch_first=True), nn.Linear(size, size)
        elif kind != "lags":
            raise ValueError(f"unknown embedding {kind!r}")

    @property
    def at_once(self) -> bool:
        """Whether a bin's embedding depends on that bin alone."""
        return self.kind not in ("lags", "gru")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.kind == "lags":
            late = [functional.pad(inputs, (0, 0, lag, 0))[:, : inputs.shape[1]] for lag in _LAGS]
            return torch.cat((inputs, *late), -1)
        if self.kind == "groups":
            return functional.relu(
                torch.cat([layer(inputs[..., list(g)]) for layer, g in zip(self.parts, self.groups, strict=True)], -1)
            )
        if self.kind == "random":
            return functional.relu(inputs @ self.projection)
        if self.kind == "attention":
            query, key, value = self.tokens(inputs[..., None]).chunk(3, -1)
            weights = functional.softmax(query @ key.transpose(-1, -2) / math.sqrt(_HEAD), -1)
            inputs = (weights @ value).flatten(-2)
        elif self.kind == "mlp":
            inputs = functional.relu(self.middle(inputs))
        elif self.kind == "gru":
            inputs = self.gru(inputs)[0]
        return functional.relu(self.out(inputs))


class PublishedEiRnn(nn.Module):
    """Units in the order [excitatory, inhibitory]; `unit_of_neuron` [neuron] says which of them a recorded neuron is.

    neuron_type: 1 or 2 per recorded neuron. time_constant: fixed (a = bin / tau, above 1 where tau is shorter than a bin, as
    published), alpha (a = sigmoid, one for all), alpha-population, alpha-neuron, tau-population or tau-neuron (tau from one
    bin up). `running_loss` and `updates` belong to the loss: they are kept here so that a checkpoint holds them.
    """

    unit_of_neuron: torch.Tensor
    sign: torch.Tensor
    off_diagonal: torch.Tensor
    running_loss: torch.Tensor
    updates: torch.Tensor
    fixed_alpha: torch.Tensor

    def __init__(
        self,
        neuron_type: list[int],
        num_inputs: int,
        options: V1Model,
        *,
        bin_ms: float = 25.0,
    ) -> None:
        super().__init__()
        recorded_e = sum(kind == EXCITATORY for kind in neuron_type)
        self.n_e, self.n_i = population(recorded_e, len(neuron_type) - recorded_e, options.ratio, options.target_total)
        self.units = self.n_e + self.n_i
        self.bypass_dale = options.bypass_dale
        self.noise, self.noise_at_evaluation = options.noise, options.noise_at_evaluation
        self.output_scale, self.output_lag = options.output_scale, options.output_lag
        self.time_constant, self.bin_ms = options.time_constant, bin_ms
        self.compiled = COMPILED[options.compiled]
        self.register_buffer("unit_of_neuron", torch.tensor(unit_map(neuron_type, self.n_e, options.map_by_type)))
        self.register_buffer("sign", torch.cat((torch.ones(self.n_e), -torch.ones(self.n_i))))
        self.register_buffer("off_diagonal", 1 - torch.eye(self.units))
        self.register_buffer("running_loss", torch.ones(_TERMS))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

        kind = options.embedding
        self.embedding = None if kind == "none" else Embedding(kind, num_inputs, options.embedding_size)
        width = num_inputs if self.embedding is None else self.embedding.size
        self.rank = options.rank
        if options.rank is None:
            self.v = nn.Parameter(self._start_weights(options.spectral_radius))
        else:
            scale = options.spectral_radius / options.rank
            self.left, self.right = (nn.Parameter(scale * torch.randn(self.units, options.rank)) for _ in range(2))
        low, high = options.input_low, options.input_high
        self.input_weights = nn.Parameter(low + (high - low) * torch.rand(self.units, width))
        self.eye_weights = nn.Parameter(0.2 * torch.rand(2, self.n_e) - 0.1)
        self.eye_bias = nn.Parameter(torch.zeros(2))
        if options.output_scale:
            self.scale, self.baseline = nn.Parameter(torch.tensor(10.0)), nn.Parameter(torch.tensor(0.5))
        if options.learned_start:
            self.start = nn.Parameter(torch.full((self.units,), options.start))
        else:
            self.register_buffer("start", torch.zeros(self.units))
        self._start_time_constants(options.tau_ms)

    def _start_weights(self, radius: float) -> torch.Tensor:
        """V [post, pre]: gamma(2, 0.05), inhibition scaled row by row to balance excitation, then to the spectral radius."""
        if self.bypass_dale:
            v = torch.randn(self.units, self.units) / math.sqrt(self.units) * self.off_diagonal
            return v * radius / torch.linalg.eigvals(v.double()).abs().max().float()
        v = torch.distributions.Gamma(2.0, 1 / 0.05).sample((self.units, self.units)) * self.off_diagonal
        if self.n_i:
            v[:, self.n_e :] *= v[:, : self.n_e].sum(1, keepdim=True) / (v[:, self.n_e :].sum(1, keepdim=True) + 1e-8)
        return v * radius / torch.linalg.eigvals((v * self.sign).double()).abs().max().float()

    def _start_time_constants(self, tau_ms: float) -> None:
        kind, _, scope = self.time_constant.partition("-")
        alpha = self.bin_ms / tau_ms
        if kind == "fixed":
            self.register_buffer("fixed_alpha", torch.full((self.units,), alpha), persistent=False)
            return
        if kind == "alpha":
            both = torch.logit(torch.tensor([alpha, min(0.95, alpha * _INHIBITORY_ALPHA)]).clamp(0.01, 0.99))
        else:
            above = (torch.tensor([tau_ms, tau_ms * _INHIBITORY_TAU]) - self.bin_ms) / _TAU_SPAN_MS
            both = torch.log(torch.expm1(above.clamp(0.01, 10.0)))
        start = {"": both[:1], "population": both, "neuron": self._per_unit(both)}[scope]
        self.time_raw = nn.Parameter(start.clone())

    def _per_unit(self, both: torch.Tensor) -> torch.Tensor:
        """[unit] from the values of all [1], of both populations [2] or of each unit."""
        if len(both) == 2:
            return torch.cat((both[:1].expand(self.n_e), both[1:].expand(self.n_i)))
        return both.expand(self.units)

    @property
    def weights(self) -> torch.Tensor:
        """Recurrent weights [post, pre]: |V| with the sign of the presynaptic unit, or V itself where Dale's law is bypassed."""
        v = self.v if self.rank is None else self.left @ self.right.t()
        return (v if self.bypass_dale else v.abs() * self.sign) * self.off_diagonal

    @property
    def alpha(self) -> torch.Tensor:
        """Bin over time constant [unit]."""
        if self.time_constant == "fixed":
            return self.fixed_alpha
        if self.time_constant.startswith("alpha"):
            return self._per_unit(torch.sigmoid(self.time_raw))
        return self._per_unit(self.bin_ms / (self.bin_ms + functional.softplus(self.time_raw) * _TAU_SPAN_MS))

    def drive(self, inputs: torch.Tensor) -> torch.Tensor:
        """Input to each unit [trial, time, unit], without noise."""
        if self.embedding is None:
            return inputs @ self.input_weights.t()
        if not self.embedding.at_once or inputs.requires_grad:
            return self.embedding(inputs) @ self.input_weights.t()
        # Task inputs are on or off, so a session has few different bins: each of them is embedded once.
        rows, index = distinct(inputs.flatten(0, -2))
        driven = self.embedding(rows) @ self.input_weights.t()
        return (driven if index is None else driven[index]).unflatten(0, inputs.shape[:-1])

    def states(self, inputs: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """x [trial, time, unit] of all units, hidden ones too; `weights` in place of the learned ones, for ablations."""
        drive, alpha = self.drive(inputs), self.alpha
        if self.noise and (self.training or self.noise_at_evaluation):
            if self.training:
                sample = torch.randn_like(drive)
            else:  # a stream of its own, so that one target has one prediction, on whichever device
                generator = torch.Generator().manual_seed(0)
                sample = torch.randn(drive.shape, generator=generator, dtype=drive.dtype).to(drive.device)
            # The scan multiplies its drive by a: divided by it, the noise arrives as s sqrt(mean a).
            drive = drive + self.noise * alpha.mean().sqrt() / alpha * sample
        w = self.weights if weights is None else weights
        return leaky_scan(drive, w, alpha, self.start, compiled=self.compiled)

    def readout(self, states: torch.Tensor) -> torch.Tensor:
        """Rates [trial, time, neuron] in sp/s of states [trial, time, unit]; as published, those of the bin before."""
        return self._rates(states)[..., self.unit_of_neuron]

    def eye(self, states: torch.Tensor) -> torch.Tensor:
        """Eye position [trial, time, 2] in z, read from the excitatory units."""
        return self._rates(states)[..., : self.n_e] @ self.eye_weights.t() + self.eye_bias

    def _rates(self, states: torch.Tensor) -> torch.Tensor:
        if self.output_lag:
            states = torch.cat((self.start.expand(len(states), 1, -1), states[:, :-1]), 1)
        rates = functional.softplus(states)
        return (self.scale * rates + self.baseline).clamp_min(0) if self.output_scale else rates

    def forward(self, inputs: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Rates [trial, time, neuron] in sp/s of the recorded neurons; inputs [trial, time, input], weights as for `states`."""
        return self.readout(self.states(inputs, weights))


def distinct(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(different rows, number of each row's copy among them) of rows [n, k]; (rows, None) where few are equal.

    Rows are compared by their products with numbers that are linearly independent over the integers, then checked.
    """
    factors = torch.cos(torch.arange(1, rows.shape[1] + 1, dtype=torch.float64)).to(rows.device)
    keys, index = torch.unique(rows.double() @ factors, return_inverse=True)
    if 2 * len(keys) > len(rows):
        return rows, None
    different = rows.new_empty((len(keys), rows.shape[1]))
    different[index] = rows
    return (different, index) if torch.equal(different[index], rows) else (rows, None)


def build_v1(config: V1Config, spec: dict[str, Any]) -> PublishedEiRnn:
    """An untrained model for a session of that `spec`."""
    return PublishedEiRnn(spec["neuron_type"], spec["num_inputs"], config.model, bin_ms=spec["bin_ms"])
