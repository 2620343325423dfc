"""What correlation the true rates of some trials would reach with these trials' mean: the expectation, neuron by neuron.

D = P + e: the smoothed mean of the test trials is that of their true rates plus noise. With variances over bins, weighted by
the number of trials of each bin as in every score, E[r] is about sqrt(V(P) / V(D)) = sqrt(1 - noise / V(D)). `noise` is known
from single trials (`bin_noise`, and never more than trials differ by), and V(D) is what sets of as many trials of the session vary by, on average over random sets:
the variance of one set alone would be far from its expectation where trials are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.noise import bin_noise
from neurocli_eirnn.data.psth import Array, smoothing_matrix

SETS = 40
"""Random sets of test trials over which the variance of a mean is averaged."""
_TINY = 1e-12
_LEAST_SHARE = 0.02
"""Share of signal below which its second-order correction is left out: it is one of a ratio of two noises."""

_SURE = 1.0
"""Standard errors by which all that trials differ by must be less than the noise, for the noise to be taken as less."""
_KNEE = 0.5
"""Errors of a share of signal below which its root is continued by the tangent: where the mean of the root of a share with such
an error is nearest to the root of the share."""


@dataclass(frozen=True)
class ExpectedR:
    """value: [neuron] expected r, NaN for neurons silent in the test trials; below zero where the estimate of a signal that is not
    there came out so. without: [test trial, neuron] the same without each test trial in turn."""

    value: NDArray[np.float64]
    without: NDArray[np.float64]


def expected_r(rates: Array, test: NDArray[np.bool_], sd_bins: float, seed: int = 0) -> ExpectedR:
    """Expected r of the true rates of the `test` trials [trial] among rates [trial, time, neuron], NaN beyond a trial's end.

    All trials say how much a mean of so many varies and how large the noise is. What single test trials do to that variance
    gives `without` its pattern; its size is such that a jackknife finds the error of theory: by how much what the true rates
    reach on these very trials may differ from `value`.
    """
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(rates).all(2))
    filled = np.where(valid[..., None], rates, 0.0).astype(np.float64)
    noise = bin_noise(rates)
    smoother = smoothing_matrix(rates.shape[1], sd_bins)
    n, chosen = len(rates), int(test.sum())
    rng = np.random.default_rng(seed)
    members = np.stack([np.isin(np.arange(n), rng.choice(n, chosen, replace=False)) for _ in range(SETS)])
    sets = _sums(filled, valid, members)
    variances, noise_parts = _powers(*sets, noise, smoother)
    observed = variances.mean(0)
    # Whatever the noise is like, it cannot be more than trials differ by.
    of_means = np.minimum(noise_parts.mean(0), _between(filled, valid, sets[1], smoother) * chosen / n)
    total, count = _sums(filled, valid, test[None])
    spread = _Spread.of(count[0], *_sums(filled, valid, np.ones((1, n), bool)), noise, smoother)
    tested_variance = _powers(total, count, noise, smoother)[0][0]
    active = tested_variance > _TINY
    value = np.where(active, spread.expected(observed, of_means), np.nan)
    slope, variance = spread.moves(observed, of_means)
    # Which trials a set happens to hold moves all neurons together; noise moves each one alone.
    together = ((variances - observed) * slope)[:, active].mean(1).var() if active.any() else 0.0
    error = np.sqrt(together + variance[active].sum() / max(active.sum(), 1) ** 2)
    alone = _powers(total - filled[test], count - valid[test], noise, smoother)[0]
    return ExpectedR(value, np.clip(value + _pattern(alone * slope, active, float(error)), -1, 1))


def _pattern(moved: NDArray[np.float64], active: NDArray[np.bool_], error: float) -> NDArray[np.float64]:
    """[trial, neuron] changes by leaving trials out, scaled so that the jackknife of their mean over neurons finds `error`."""
    n = len(moved)
    moved = moved - moved.mean(0)
    jackknife_error = np.sqrt((n - 1) / n * (moved[:, active].mean(1) ** 2).sum()) if active.any() else 0.0
    return moved * (error / jackknife_error if jackknife_error > 0 else 0.0)


def _between(
    filled: NDArray[np.float64], valid: NDArray[np.bool_], counts: NDArray[np.float64], smoother: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[neuron] the most that all trials together can add to the variance over bins of a set's mean: were all their differences
    noise, and a standard error more.

    A level that a trial keeps all along adds nothing where every bin has the same trials: no variance over bins sees it.
    """
    n = len(filled)
    form = np.mean([_quadratic(count, smoother) / _outer(count) for count in counts], axis=0)
    mean = filled.sum(0) / np.maximum(valid.sum(0), 1)[:, None]
    apart = np.where(valid[..., None], filled - mean, 0.0)
    per_trial = np.einsum("ntk,ntk->nk", apart, form @ apart) * n / max(n - 1, 1)
    return per_trial.sum(0) + _SURE * per_trial.std(0) * np.sqrt(n)


def _outer(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a form of means is to be divided by to be one of sums over trials."""
    return np.outer(np.maximum(count, 1), np.maximum(count, 1))


def _sums(
    filled: NDArray[np.float64], valid: NDArray[np.bool_], members: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(sum of rates [set, time, neuron], number of trials [set, time]) of sets `members` [set, trial]."""
    chosen = members.astype(np.float64)
    return np.asarray(np.tensordot(chosen, filled, axes=1), np.float64), chosen @ valid


def _powers(
    total: NDArray[np.float64], count: NDArray[np.float64], noise: NDArray[np.float64], smoother: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variance over bins of the smoothed mean, how much of it is noise on average), each [set, neuron].

    total [set, time, neuron] and count [set, time] are sums over trials; noise [time, neuron] is that of a single trial.
    """
    reach = count @ smoother.T
    share = count / np.maximum(count.sum(1, keepdims=True), _TINY)
    scale = np.where(reach > _TINY, 1 / np.maximum(reach, _TINY), 0.0)
    smooth = (smoother @ total) * scale[..., None]
    mean = np.einsum("st,stk->sk", share, smooth)
    variance = np.einsum("st,stk->sk", share, (smooth - mean[:, None]) ** 2)
    # Smoothed mean = sum over bins of `passed` x the rates' sum; each bin's sum has `count` times the noise of a trial.
    within = (share * scale**2) @ smoother**2 - ((share * scale) @ smoother) ** 2
    return variance, (within * count) @ noise


@dataclass(frozen=True)
class _Spread:
    """Second moments of the variances of means, per neuron: what the expectation of a root of a ratio needs.

    signal: variance of V(D) through the product of signal and noise, of the test trials; noise_alone: through the noise alone;
    every: the variance of V(D), of a mean of all trials.
    """

    signal: NDArray[np.float64]
    noise_alone: NDArray[np.float64]
    every: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        tested: NDArray[np.float64],
        total: NDArray[np.float64],
        count: NDArray[np.float64],
        noise: NDArray[np.float64],
        smoother: NDArray[np.float64],
    ) -> _Spread:
        """tested: [time] number of test trials; total [1, time, neuron], count [1, time]: sums over all trials."""
        number = count[0]
        mean = total[0] / np.maximum(number, 1)[:, None]
        of_all = np.where(number[:, None] > 0, noise / np.maximum(number, 1)[:, None], 0.0)
        moments = []
        for trials in (tested, number):
            form = _quadratic(trials, smoother)
            of_mean = np.where(trials[:, None] > 0, noise / np.maximum(trials, 1)[:, None], 0.0)
            noise_alone = 2 * np.einsum("tk,ts,sk->k", of_mean, form**2, of_mean, optimize=True)
            # The mean of all trials stands for the signal; what its own noise adds is taken off.
            added = np.einsum("tk,ts,sk->k", of_mean, form**2, of_all, optimize=True)
            signal = np.maximum((of_mean * (form @ mean) ** 2).sum(0) - added, 0.0)
            moments.append((signal, noise_alone))
        (signal, noise_alone), (signal_all, noise_alone_all) = moments
        return cls(signal, noise_alone, 4 * signal_all + noise_alone_all)

    def expected(self, observed: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """[neuron] expected r, of the variance of means and of the noise in it, to second order."""
        safe, share, at = self._signal_share(observed, noise)
        # The root of what is left above zero would be too large on average where there is no signal: from about
        # an error downwards the root goes on as its tangent.
        root = np.where(share > at, np.sqrt(np.maximum(share, 0.0)), (at + share) / (2 * np.sqrt(at)))
        # r = (V(P) + c) / sqrt(V(P) V(D)), with c the product of signal and noise, which is in V(D) twice.
        of_signal = np.maximum(share, _LEAST_SHARE) * safe
        second = -self.signal / (of_signal * safe) + 0.375 * (4 * self.signal + self.noise_alone) / safe**2
        expectation = root * (1 + np.where(share > _LEAST_SHARE, second, 0.0))
        return np.where(observed > _TINY, np.clip(expectation, -1, 1), 0.0)

    def moves(
        self, observed: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """([neuron] change of expected r with V(D), [neuron] variance by noise of what is reached less what is expected)."""
        safe, share, at = self._signal_share(observed, noise)
        r = np.sqrt(np.maximum(share, at))
        slope = np.where(observed > _TINY, noise / safe**2 / (2 * r), 0.0)
        # The product of signal and noise has the noise's degrees of freedom: noise_alone = 2 noise^2 / their number.
        product = r**2 * safe * self.noise_alone / (2 * np.maximum(noise, _TINY))
        reached = (r / (2 * safe)) ** 2 * self.noise_alone + ((noise / safe) / (safe * r)) ** 2 * product
        return slope, np.where(observed > _TINY, reached + slope**2 * self.every, 0.0)

    def _signal_share(
        self, observed: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(V(D), the share of it that is signal, the share below which its root is continued), each [neuron]."""
        safe = np.maximum(observed, _TINY)
        error = (noise / safe) * np.sqrt(self.every) / safe
        return safe, 1 - noise / safe, np.maximum(_KNEE * error, _TINY)


def _quadratic(count: NDArray[np.float64], smoother: NDArray[np.float64]) -> NDArray[np.float64]:
    """[time, time] form whose value at a mean [time] is its variance over bins, smoothed and weighted by `count` [time]."""
    passed = smoother * count
    reach = passed.sum(1, keepdims=True)
    passed = np.where(reach > _TINY, passed / np.maximum(reach, _TINY), 0.0)
    share = count / max(count.sum(), _TINY)
    mean = share @ passed
    return (passed.T * share) @ passed - np.outer(mean, mean)
