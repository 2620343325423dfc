"""The published losses of eirnn-v1: PSTHs, matched single trials, weights, each divided by its own running mean.

Source: github.com/jamespherman/4factors-rnn-analysis (MIT), after Sourmpis et al. (2023), NeurIPS, "Trial matching". Kept with
its peculiarities: smoothing that is shorter than a bin, a mask that counts durations from the wrong bin, weights that
cancel; each of them is an option.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from neurocli.recordings import Batch
from neurocli_eirnn.config_v1 import V1Loss
from neurocli_eirnn.data.dataset import EYE
from neurocli_eirnn.data.psth import smoothing_matrix
from neurocli_eirnn.model.loss_v2 import correlation
from neurocli_eirnn.model.v1 import PublishedEiRnn

FEWEST = 3
"""Trials that a condition needs for a loss of its own."""
_TINY = 1e-8
_FLAT = 1e-4  # sp/s: a spread across trials below it is rounding
_DECAY = 0.99
_SLOT = {"neuron": 0, "trial": 1, "weights": 2, "eye": 3}


def loss_terms(
    network: PublishedEiRnn, batch: Batch, loss: V1Loss, states: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The weighted terms of a batch, or of `states` [trial, time, unit] in place of those that the network goes through.

    In training mode the module's running means and count of updates move on.
    """
    states = network.states(batch["inputs"]) if states is None else states
    rates, target, mask = network.readout(states), targets(batch), trial_mask(batch, loss)
    progress = curriculum(int(network.updates), loss)
    terms = {"neuron": neuron_term(rates, target, mask, batch, loss, network.bin_ms, progress)}
    if loss.trial:
        terms["trial"] = rates.new_zeros(()) if not progress else trial_term(rates, target, mask, loss, network.bin_ms)
    if loss.weights:
        terms["weights"] = loss.weights * (network.weights.square().mean() + network.input_weights.square().mean())
    if loss.eye:
        missed = (network.eye(states) - batch["inputs"][..., EYE]).square() * mask[..., None]
        terms["eye"] = missed.sum() / (2 * mask.sum()).clamp_min(1)
    scaled = _normalised(network, terms, loss, progress)
    if network.training:
        network.updates += 1
    return scaled


def validation(network: PublishedEiRnn, batch: Batch, loss: V1Loss) -> torch.Tensor:
    """What chooses the epoch: 1 - r of the unsmoothed PSTHs over all bins that have data, the PSTH term, or the whole loss."""
    if loss.choose == "total":
        return torch.stack(list(loss_terms(network, batch, loss).values())).sum()
    rates, target = network(batch["inputs"]), targets(batch)
    if loss.choose == "neuron":
        return neuron_term(rates, target, trial_mask(batch, loss), batch, loss, network.bin_ms, 1.0)
    valid = batch["valid"]
    count = valid.sum(0)
    model, data = ((x * valid).sum(0) / count.clamp_min(1) for x in (rates, target))
    active = (data > 0).any(0)
    r = correlation(model, data, (count > 0).float())[active]
    return 1 - r.mean() if len(r) else rates.sum() * 0 + 1


def curriculum(updates: int, loss: V1Loss) -> float:
    """The share of the single-trial term: 0 while PSTHs are alone, then rising to 1 over `ramp_steps`; 1 without either."""
    since = updates - loss.alone_steps
    if since < 0:
        return 0.0
    return min(1.0, since / loss.ramp_steps) if loss.ramp_steps else 1.0


def targets(batch: Batch) -> torch.Tensor:
    """Recorded rates [trial, time, neuron] in sp/s, 0 where there are none, clipped where the loss asks for it."""
    return batch["rates"].clamp(max=batch["clip"]) if "clip" in batch else batch["rates"]


def trial_mask(batch: Batch, loss: V1Loss) -> torch.Tensor:
    """[trial, time] 1 for bins that count. published: as many bins as the trial's duration has, from the *first* bin, although
    the axis starts before fixation and goes on after the reward; valid: bins that have data.
    """
    if loss.mask == "valid":
        return batch["valid"].amax(2)
    bins = torch.arange(batch["rates"].shape[1], device=batch["rates"].device)
    return (bins < batch["duration_bins"][:, None]).to(batch["rates"])


# -- PSTHs ------------------------------------------------------------------------------------------------------------


def neuron_term(
    rates: torch.Tensor,
    target: torch.Tensor,
    mask: torch.Tensor,
    batch: Batch,
    loss: V1Loss,
    bin_ms: float,
    progress: float,
) -> torch.Tensor:
    """The PSTH loss of all trials, or its mean over conditions with at least three trials."""
    if loss.conditions != "none":
        cell = conditions(batch, merged=loss.conditions == "published")
        by_condition = [
            psth_loss(rates[cell == c], target[cell == c], mask[cell == c], loss, bin_ms, progress)
            for c in cell.unique().tolist()
            if int((cell == c).sum()) >= FEWEST
        ]
        if by_condition:
            return torch.stack(by_condition).mean()
    return psth_loss(rates, target, mask, loss, bin_ms, progress)


def conditions(batch: Batch, merged: bool) -> torch.Tensor:
    """[trial] location x reward x salience as a number. As published, trials without salience count as high (`merged`)."""
    location, reward, salience = batch["conditions"].unbind(1)
    return location * 6 + reward * 3 + ((salience == 2) if merged else salience)


def psth_loss(
    rates: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, loss: V1Loss, bin_ms: float, progress: float = 1.0
) -> torch.Tensor:
    """The loss of one PSTH: zscore (squared difference in z over time), correlation (with scale and variance) or poisson."""
    # The published correlation loss divides masked sums by the number of all trials.
    by_all = loss.mask == "published" and loss.neuron != "zscore"
    count = mask.sum(0)
    weights = mask / (len(mask) if by_all else count.clamp_min(1))
    model, data = (torch.einsum("nt,ntk->tk", weights, x) for x in (rates, target))
    if loss.mask == "valid":
        model, data = model[count > 0], data[count > 0]
    model, data = (_smooth(x, loss.neuron_smoothing_ms, loss, bin_ms) for x in (model, data))
    if loss.neuron == "zscore":
        return (_zscore(model) - _zscore(data)).square().mean()
    if loss.neuron == "poisson":
        model = model.clamp_min(_TINY)
        return (model - data * torch.log(model + _TINY)).mean()
    scale = loss.scale + (1 - progress) * (loss.scale_alone - loss.scale)
    variance = loss.variance + (1 - progress) * (loss.variance_alone - loss.variance)
    return correlation_loss(model, data, scale, variance)


def correlation_loss(model: torch.Tensor, data: torch.Tensor, scale: float, variance: float) -> torch.Tensor:
    """Mean of 1 - r over neurons of PSTHs [time, neuron], plus squared differences of grand mean and of temporal variance."""
    a, b = (x - x.mean(0) for x in (model, data))
    norms = [x.square().sum(0).sqrt().clamp_min(1e-6) for x in (a, b)]
    r = ((a * b).sum(0) / (norms[0] * norms[1])).clamp(-1, 1)
    off_scale = (model.mean() - data.mean()).square() / data.var().clamp_min(1e-6)
    spread = data.var(0).mean()
    off_spread = (model.var(0).mean() - spread).square() / (spread.square() + 1e-6)
    return (1 - r).mean() + scale * off_scale + variance * off_spread


# -- single trials ----------------------------------------------------------------------------------------------------


def trial_term(
    rates: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, loss: V1Loss, bin_ms: float
) -> torch.Tensor:
    """Distance between the population means of the model's trials and of the recorded ones, under the best matching."""
    model, data = (
        _smooth((x.mean(2) * mask).t(), loss.trial_smoothing_ms, loss, bin_ms).t().contiguous() for x in (rates, target)
    )
    distances = poisson_distances(model, data) if loss.distance == "poisson" else euclidean_distances(model, data)
    if loss.matching == "softmin":
        return (functional.softmax(-distances / loss.temperature, 1) * distances).sum(1).mean()
    return (sinkhorn(distances, loss.temperature, loss.sinkhorn_steps) * distances).sum() / len(distances)


def euclidean_distances(model: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """[trial, trial] of trajectories [trial, time], each bin in z across trials."""
    return torch.cdist(_zscore(model), _zscore(data))


def poisson_distances(model: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """[trial, trial] Poisson divergence d log(d / m) - d + m of trajectories [trial, time] in sp/s, mean over time."""
    m, d = model.clamp_min(_TINY), data.clamp_min(_TINY)
    data_term = (d * torch.log(d + _TINY) - d).mean(1)
    return data_term + m.mean(1, keepdim=True) - torch.log(m + _TINY) @ d.t() / m.shape[1]


def sinkhorn(distances: torch.Tensor, temperature: float, steps: int) -> torch.Tensor:
    """Transport plan [trial, trial] of Sinkhorn's iteration in logarithms: columns sum to 1, rows nearly."""
    kernel = -distances / temperature
    u, v = kernel.new_zeros(len(kernel)), kernel.new_zeros(kernel.shape[1])
    for _ in range(steps):
        u = -torch.logsumexp(kernel + v, 1)
        v = -torch.logsumexp(kernel + u[:, None], 0)
    return torch.exp(kernel + u[:, None] + v)


# -- shared -----------------------------------------------------------------------------------------------------------


def _zscore(values: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit sd over the first axis.

    Published: divided by sd + 1e-8. The model's first bin is the same in every trial, and that would turn its rounding into
    distances; here a spread without meaning gives 0.
    """
    sd = values.std(0)
    flat = sd < _FLAT
    return torch.where(flat, torch.zeros_like(values), (values - values.mean(0)) / torch.where(flat, 1.0, sd + _TINY))


def _smooth(values: torch.Tensor, ms: float, loss: V1Loss, bin_ms: float) -> torch.Tensor:
    """Gaussian smoothing over the first axis. published: a kernel of int(ms / bin) bins, nothing below two; gaussian: sd in ms."""
    bins = ms / bin_ms if loss.smoothing == "gaussian" else (int(ms / bin_ms) / 4 if ms >= 2 * bin_ms else 0.0)
    if not bins:
        return values
    return torch.as_tensor(smoothing_matrix(len(values), bins)).to(values) @ values


def _normalised(
    network: PublishedEiRnn, terms: dict[str, torch.Tensor], loss: V1Loss, progress: float
) -> dict[str, torch.Tensor]:
    """Weighted terms over their running means.

    all: trials are weighted before, so that their weight cancels; losses: PSTHs and trials only, and weighted after.
    """
    trial = loss.trial * progress
    before = {"trial": trial} if loss.normalise == "all" else {}
    after = {"eye": loss.eye} if loss.normalise == "all" else {"eye": loss.eye, "trial": trial}
    divided = {"all": tuple(_SLOT), "losses": ("neuron", "trial"), "none": ()}[loss.normalise]
    scaled = {}
    for name, term in terms.items():
        term = before.get(name, 1.0) * term
        if name in divided:
            mean = network.running_loss[_SLOT[name]]
            if network.training:
                mean.mul_(_DECAY).add_((1 - _DECAY) * term.detach())
            term = term / (mean.clone() + _TINY)
        scaled[name] = after.get(name, 1.0) * term
    return scaled
