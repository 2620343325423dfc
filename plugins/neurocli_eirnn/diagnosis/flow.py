"""How much of the loss's gradient reaches the first bin of a trial: backpropagation by hand, from states alone."""

from __future__ import annotations

import math

import torch

from neurocli.diagnosis.finding import Finding
from neurocli.recordings import Batch
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.model.versions import EirnnNetwork, loss_of

VANISHED, EXPLODED = 1e-6, 1e3


def flow_finding(network: EirnnNetwork, batch: Batch, config: EirnnConfig, subject: str) -> Finding:
    """|dL/dx| at the first over that at the last valid bin, median over trials."""
    gradients = state_gradients(network, batch, config)
    valid = batch["valid"].amax(2) > 0
    steps = valid.shape[1]
    last = steps - 1 - valid.flip(1).float().argmax(1)
    norms = gradients.norm(dim=2)
    rows = torch.arange(len(norms))
    first, final = norms[:, 0], norms[rows, last]
    ratio = float((first / final.clamp_min(1e-30))[final > 0].median()) if bool((final > 0).any()) else float("nan")
    fine = VANISHED <= ratio <= EXPLODED
    advice = (
        "early inputs hardly reach the loss: widen the range of the initial alpha"
        if ratio < VANISHED
        else "the loss has no finite gradient at the end of trials: look for NaN, or for bins that it leaves out (loss.mask of eirnn-v1)"
        if not math.isfinite(ratio)
        else "the gradient grows backwards in time: lower model.spectral_radius or train.gradient_clip"
    )
    return Finding.graded(
        "gradient-first-over-last", subject, ratio, f"{VANISHED:g} to {EXPLODED:g}", advice, warn=not fine
    )


def state_gradients(network: EirnnNetwork, batch: Batch, config: EirnnConfig) -> torch.Tensor:
    """dL/dx [trial, time, unit], what the later bins owe to each state included.

    x[t] depends on x[t-1] by (1 - a) + a W diag(sigmoid(x[t-1])), so that no graph over time is needed.
    """
    with torch.no_grad():
        states = network.states(batch["inputs"])
    leaf = states.clone().requires_grad_()
    (direct,) = torch.autograd.grad(loss_of(network, batch, config, leaf).total, leaf)
    alpha, slope = network.alpha.detach(), torch.sigmoid(states)
    weights = (network.weights * alpha.reshape(-1, 1)).detach()
    gradient = direct[:, -1]
    backwards = [gradient]
    for t in range(states.shape[1] - 2, -1, -1):
        gradient = direct[:, t] + (1 - alpha) * gradient + (gradient @ weights) * slope[:, t]
        backwards.append(gradient)
    return torch.stack(backwards[::-1], 1)
