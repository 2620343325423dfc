"""Forecasts beyond the next sample: the mean over sampled paths of the structured CNN-LSTM.

A mean over K independent paths misses the expectation by variance / K, which at 5 ms needs hundreds of paths. Two things
make a few dozen enough, and leave the expectation what it is:

* the last step is not drawn: the mean runs over the conditional means of the last sample, given the path before it
  (Rao-Blackwell);
* paths share their random numbers evenly. Seen alone every path is an independent draw of the model; seen together, the K
  numbers of a neuron and step are spread over 0..1, the paths sorted by where the neuron is (array-RQMC: L'Ecuyer,
  Lecot and Tuffin 2008, Operations Research 56:958). So the share of paths that spike is right, among those near
  threshold as among those far from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurocli_cnn_lstm.model.v2 import MEMORY_SAMPLES, Forecast, StructuredCnnLstm

DEAD_SAMPLES = 2  # samples at reset after a spike: 2 ms of refractoriness at 1 ms per sample
_GOLDEN = 0.6180339887498949
_LAST = slice(-1, None)


class Rollout(NamedTuple):
    """What `rollout` gives: ``mean [batch, step, neuron]`` and the drawn ``paths [sample, batch, step - 1, neuron]``, in z."""

    mean: Tensor
    paths: Tensor


@torch.no_grad()
def rollout(
    network: StructuredCnnLstm,
    v: Tensor,
    flag: Tensor | None,
    steps: int,
    samples: int = 64,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Forecast ``steps`` samples ahead of the end of ``v [batch, time, neuron]``.

    With a flag ``samples`` paths are drawn: a reset by its probability, held for the dead time, else a free move with its
    noise. Without one the mean is iterated as one path, which flattens out. Give some 20 samples of context, as in training.
    """
    stochastic, batch = flag is not None, v.shape[0]
    samples = samples if stochastic else 1
    at_reset, x = network.membrane_input(v, flag)
    output, state = network.membrane(x)
    forecast = network.mixture(v[:, -1:], at_reset[:, -1:] if stochastic else None, output[:, -1:])
    forecast = Forecast(*(None if field is None else field.repeat(samples, 1, 1) for field in forecast))  # type: ignore[arg-type]
    state = tuple(part.repeat(1, samples, 1) for part in state)
    v = v[:, -MEMORY_SAMPLES:].repeat(samples, 1, 1)
    if flag is not None:
        flag = flag[:, -MEMORY_SAMPLES:].to(v.dtype).repeat(samples, 1, 1)
    means, drawn = [], []
    for step in range(steps):
        means.append(forecast.mean.unflatten(0, (samples, batch)).mean(0))
        if step == steps - 1:
            break
        following = forecast.mean
        if flag is not None:
            # Where the neuron is, and where it came from if two paths are at reset.
            place = (v[:, -1] + 0.01 * v[:, -2]).unflatten(0, (samples, batch))
            following, reset = _draw(network, forecast, flag, _evenly(place, generator).flatten(0, 1)[:, None])
            flag = torch.cat((flag, reset), dim=1)[:, -MEMORY_SAMPLES:]
        drawn.append(following)
        v = torch.cat((v, following), dim=1)[:, -MEMORY_SAMPLES:]
        at_reset, x = network.membrane_input(v, flag, tail=_LAST)
        output, state = network.membrane(x, state)
        forecast = network.mixture(v[:, -1:], at_reset[:, -1:] if stochastic else None, output)
    paths = torch.cat([v[:, :0], *drawn], dim=1).unflatten(0, (samples, batch))
    return Rollout(torch.cat(means, dim=1), paths)


def _evenly(place: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform numbers like ``place [sample, ...]``: independent over all but samples, where paths of like place get unlike ones.

    A lattice of the golden ratio over the rank of each path, shifted as a whole by a uniform number. Equal places, as in the
    first step, are ranked at random: the paths of one neuron must not go in step with those of another.
    """
    options: dict[str, Any] = {"generator": generator, "dtype": place.dtype}  # of the CPU: the same on every device
    rank = (place + 1e-5 * torch.rand(place.shape, **options).to(place.device)).argsort(0).argsort(0)
    shift = torch.rand(place.shape[1:], **options).to(place.device)
    return (rank * _GOLDEN + shift).frac()


def _draw(network: StructuredCnnLstm, forecast: Forecast, flag: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """The next sample and its flag, both ``[path, 1, neuron]``: below the chance of a reset, else a quantile of the free move."""
    assert forecast.spike_logit is not None
    chance = forecast.spike_logit.sigmoid()
    fired = uniform < chance
    rescaled = ((uniform - chance) / (1 - chance)).clamp(1e-6, 1 - 1e-6)
    free = forecast.free_mean + forecast.free_log_sd.exp() * torch.special.ndtri(rescaled)
    recent = flag[:, -DEAD_SAMPLES:]
    still_held = (recent[:, -1:] > 0) & (recent.sum(1, keepdim=True) < DEAD_SAMPLES)  # the dead time is not over
    reset = fired | still_held
    return torch.where(reset, network.reset_z.expand_as(free), free), reset.to(free.dtype)
