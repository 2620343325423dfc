"""The linear baselines: ridge (soma) and logistic (spike) regression on leaky traces of sums of inputs, with chosen penalties."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.normal_equations import NormalEquations
from neurocli.recordings import Recording
from neurocli_elm.data.windows import soma_target_mv, spike_target

Array = NDArray[np.float64]
Predict = Callable[[Recording], tuple[Array, Array]]
"""Simulation → (spike probability, soma in mV above -67.7), each [time]."""

ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties of the ridge, per step, of features with an sd of one."""
INVERSES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties C of the logistic regression."""
ROWS, CHOOSING_ROWS = 60_000, 20_000
"""Steps that a logistic regression is fitted on: all with an output spike, and others at random with their weight."""
FOLDS = 3
"""Parts of the simulations that are left out in turn to choose penalties."""
TINY = 1e-12
"""Of a share that is 0 or 1."""
_SEED = 0


@dataclass(frozen=True)
class _Gathered:
    """Sums over all steps for the ridge, a sample of the steps for the logistic regression."""

    sums: NormalEquations
    level: float
    x: Array
    spike: NDArray[np.bool_]
    weight: Array


class LinearFilter:
    """group_of: [channel] which sum an input belongs to; taus_ms: time constants of each sum's traces."""

    def __init__(self, group_of: NDArray[np.int64], taus_ms: Sequence[float]) -> None:
        self.group_of, self.taus_ms = group_of, tuple(taus_ms)

    def features(self, recording: Recording) -> Array:
        """[time, feature]: traces with every time constant of every sum."""
        from scipy.signal import lfilter

        sums = summed(recording, self.group_of)
        traces = [lfilter([1 - np.exp(-1 / tau)], [1, -np.exp(-1 / tau)], sums, axis=0) for tau in self.taus_ms]
        return np.concatenate(traces, axis=1)

    def fit(self, train: Sequence[Recording], event: str, first: int) -> Predict:
        """Fitted on all simulations, with the penalties that do best on a third of them after a fit on the others."""
        alpha, inverse = self._chosen(train, event, first)
        gathered = self._gathered(train, event, first, ROWS)
        self._ridge(gathered, alpha)
        self._separate(gathered, inverse)
        return self.predict

    @property
    def values(self) -> dict[str, Array]:
        """What was fitted, as arrays; those with `_` are the scale of the features."""
        return {
            "coefficients": self.coefficients,
            "intercept": np.asarray(self.intercept),
            "spike_coefficients": self.spike_coefficients,
            "spike_intercept": np.asarray(self.spike_intercept),
            "_mean": self.mean,
            "_sd": self.sd,
        }

    def with_values(self, values: Mapping[str, NDArray[Any]]) -> LinearFilter:
        """The filter that `values` were taken from."""
        self.coefficients, self.intercept = values["coefficients"], float(values["intercept"])
        self.spike_coefficients, self.spike_intercept = values["spike_coefficients"], float(values["spike_intercept"])
        self.mean, self.sd = values["_mean"], values["_sd"]
        return self

    def predict(self, recording: Recording) -> tuple[Array, Array]:
        x = self._scaled(recording)
        return self._spike(x), x @ self.coefficients + self.intercept

    def _chosen(self, train: Sequence[Recording], event: str, first: int) -> tuple[float, float]:
        """(ridge's, logistic regression's): each third of the simulations is left out in turn."""
        if len(train) < FOLDS:
            return ALPHAS[1], INVERSES[-1]
        from sklearn.metrics import log_loss

        errors, losses = np.zeros(len(ALPHAS)), np.zeros(len(INVERSES))
        for fold in range(FOLDS):
            tested = train[fold::FOLDS]
            gathered = self._gathered(
                [r for n, r in enumerate(train) if n % FOLDS != fold], event, first, CHOOSING_ROWS
            )
            x = np.concatenate([self._scaled(recording)[first:] for recording in tested])
            soma = np.concatenate([soma_target_mv(recording)[first:] for recording in tested])
            spike = np.concatenate([spike_target(recording, event)[first:] for recording in tested])
            for n, alpha in enumerate(ALPHAS):
                self._ridge(gathered, alpha)
                errors[n] += float(np.sum((x @ self.coefficients + self.intercept - soma) ** 2))
            for n, inverse in enumerate(INVERSES):
                self._separate(gathered, inverse)
                losses[n] += float(log_loss(spike, self._spike(x), labels=[0, 1], normalize=False))
        return ALPHAS[int(errors.argmin())], INVERSES[int(losses.argmin())]

    def _gathered(self, train: Sequence[Recording], event: str, first: int, rows: int) -> _Gathered:
        """Goes through the simulations twice, one at a time: for the scale of the features, then for the sums."""
        size = len(self.taus_ms) * (int(self.group_of.max()) + 1)
        n, level, total, squares = 0, 0.0, np.zeros(size), np.zeros(size)
        for recording in train:
            x = self.features(recording)[first:]
            n, total, squares = n + len(x), total + x.sum(0), squares + (x**2).sum(0)
            level += float(soma_target_mv(recording)[first:].sum())
        level /= n
        self.mean = total / n
        self.sd = np.sqrt(np.maximum(squares / n - self.mean**2, 1e-12))
        sums = NormalEquations(size, 1, intercept=False)  # about the level, of features with a mean of zero
        rng, share = np.random.default_rng(_SEED), min(1.0, rows / n)
        samples: list[tuple[Array, NDArray[np.bool_], Array]] = []
        for recording in train:
            x = self._scaled(recording)[first:]
            sums.add(x, (soma_target_mv(recording)[first:] - level)[:, None])
            spike = spike_target(recording, event)[first:] > 0
            chosen = spike | (rng.random(len(spike)) < share)
            samples.append((x[chosen], spike[chosen], np.where(spike[chosen], 1.0, 1 / share)))
        sampled, spikes, weight = (np.concatenate(column) for column in _columns(samples))
        return _Gathered(sums, level, sampled, spikes.astype(bool), weight)

    def _ridge(self, gathered: _Gathered, alpha: float) -> None:
        self.coefficients = gathered.sums.solve(alpha * gathered.sums.rows, solver="lu")[0][:, 0]
        self.intercept = gathered.level

    def _separate(self, gathered: _Gathered, inverse: float) -> None:
        from sklearn.linear_model import LogisticRegression

        rate = float(gathered.spike.sum() / gathered.sums.rows)
        if gathered.spike.any() and not gathered.spike.all():
            fitted = LogisticRegression(C=inverse, max_iter=200).fit(
                gathered.x, gathered.spike, sample_weight=gathered.weight
            )
            self.spike_coefficients, self.spike_intercept = fitted.coef_[0], float(fitted.intercept_[0])
        else:
            self.spike_coefficients = np.zeros(gathered.x.shape[1])
            self.spike_intercept = float(np.log(max(rate, TINY) / max(1 - rate, TINY)))

    def _scaled(self, recording: Recording) -> Array:
        scaled: Array = (self.features(recording) - self.mean) / self.sd
        return scaled

    def _spike(self, x: Array) -> Array:
        probability: Array = 1 / (1 + np.exp(-(x @ self.spike_coefficients + self.spike_intercept)))
        return probability


def summed(recording: Recording, group_of: NDArray[np.int64]) -> Array:
    """[time, sum] events per step of each group of inputs."""
    assert recording.spikes is not None
    groups = int(group_of.max()) + 1
    flat = recording.spikes.step.astype(np.int64) * groups + group_of[recording.spikes.channel]
    return np.bincount(flat, minlength=recording.steps * groups).reshape(recording.steps, groups).astype(np.float64)


def _columns(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return zip(*rows, strict=True)
