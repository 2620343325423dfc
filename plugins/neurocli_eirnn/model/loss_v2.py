"""The loss of eirnn-v2: batch PSTHs against smoothed PSTHs of all training trials, and the likelihood of every trial."""

from __future__ import annotations

import torch

from neurocli.recordings import Batch
from neurocli_eirnn.config import V2Loss
from neurocli_eirnn.data.dataset import LOCATIONS
from neurocli_eirnn.data.psth import smoothing_matrix

_FLOOR = 0.05  # sp/s: below it a ratio of rates says nothing


def loss_terms(rates: torch.Tensor, batch: Batch, loss: V2Loss, bin_ms: float) -> dict[str, torch.Tensor]:
    """Weighted terms of model rates [trial, time, neuron] in sp/s.

    correlation, condition, event: 1 - r between the batch's smoothed trial mean and the target, whole, per location and in
    windows around events; rate and sd: squared log ratios to the target's mean and noise-free standard deviation over time; poisson: negative log likelihood.
    """
    smooth_bins = loss.smoothing_ms / bin_ms
    smooth = _smoother(rates, smooth_bins)
    valid = batch["valid"]
    mean = smooth @ _mean(rates, valid)
    known = batch["psth_valid"] * (valid.sum(0) > 0)
    around = [loss.event * (1 - r).mean() for r in _by_event(rates, batch, smooth_bins)]
    place = [loss.condition * (1 - r).mean() for r in _by_location(rates, batch, smooth)]
    sd, target_sd = _sd(mean, known), batch["sd"]
    signal = target_sd > 0
    ratio = torch.log((_over_time(mean, known) + _FLOOR) / (_over_time(batch["psth"], known) + _FLOOR))
    spread = torch.log((sd + _FLOOR) / (target_sd + _FLOOR))
    zero = rates.sum() * 0
    return {
        "correlation": loss.correlation * (1 - correlation(mean, batch["psth"], known)).mean(),
        "condition": torch.stack(place).mean() if place else zero,
        "event": torch.stack(around).mean() if around else zero,
        "rate": loss.rate * ratio.square().mean(),
        "sd": loss.sd * (spread[signal].square().mean() if signal.any() else zero),
        "poisson": loss.poisson * poisson(rates, batch, bin_ms),
    }


def poisson(rates: torch.Tensor, batch: Batch, bin_ms: float) -> torch.Tensor:
    """Negative log likelihood of the spike counts per valid bin, up to a constant of the data."""
    per_count = bin_ms / 1000
    expected, count, valid = rates * per_count, batch["rates"] * per_count, batch["valid"]
    return ((expected - count * torch.log(expected + 1e-6)) * valid).sum() / valid.sum().clamp_min(1)


def correlation(first: torch.Tensor, second: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Pearson correlation over time [neuron] of [time, neuron], over valid bins."""
    a, b = (_centred(x, valid) for x in (first, second))
    return (a * b).sum(0) / ((a * a).sum(0) * (b * b).sum(0) + 1e-6).sqrt()


def _by_location(rates: torch.Tensor, batch: Batch, smooth: torch.Tensor) -> list[torch.Tensor]:
    correlations = []
    for place in range(LOCATIONS):
        member = batch["location"] == place + 1
        known = batch["condition_psth_valid"][place]
        if int(member.sum()) < 2 or not bool(known.any()):
            continue
        valid = batch["valid"][member]
        mean = smooth @ _mean(rates[member], valid)
        correlations.append(correlation(mean, batch["condition_psth"][place], known * (valid.sum(0) > 0)))
    return correlations


def _by_event(rates: torch.Tensor, batch: Batch, smooth_bins: float) -> list[torch.Tensor]:
    window, steps = batch["event_window"], rates.shape[1]
    correlations = []
    for number, target in enumerate(batch["event_psth"]):
        onset = batch["event_bins"][:, number]
        with_event = onset >= 0
        known = batch["event_psth_valid"][number]
        if int(with_event.sum()) < 2 or not bool(known.any()):
            continue
        bins = onset[with_event, None] + window
        trial = torch.arange(len(bins), device=rates.device)[:, None]
        at = trial, bins.clamp(0, steps - 1)
        valid = batch["valid"][with_event][at] * ((bins >= 0) & (bins < steps))[..., None]
        chosen = rates[with_event][at]
        mean = _smoother(chosen, smooth_bins) @ _mean(chosen, valid)
        correlations.append(correlation(mean, target, known * (valid.sum(0) > 0)))
    return correlations


def _mean(rates: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Trial mean [time, neuron] over valid bins; where a bin has none, over all trials, so that smoothing finds a rate."""
    count = valid.sum(0)
    return torch.where(count > 0, (rates * valid).sum(0) / count.clamp_min(1), rates.mean(0))


def _over_time(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return (values * valid).sum(0) / valid.sum(0).clamp_min(1)


def _centred(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return (values - _over_time(values, valid)) * valid


def _sd(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return (_centred(values, valid).square().sum(0) / valid.sum(0).clamp_min(1) + 1e-8).sqrt()


def _smoother(like: torch.Tensor, sd_bins: float) -> torch.Tensor:
    return torch.as_tensor(smoothing_matrix(like.shape[1], sd_bins)).to(like)
