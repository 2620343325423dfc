"""The diagnosis of an ELM neuron, untrained or trained: timescales, dead synapses and branches, saturation, gradients, loss terms."""

from __future__ import annotations

import torch

from neurocli.diagnosis.finding import FAIL, WARN, Finding, judged
from neurocli.diagnosis.gradients import GradientCheck
from neurocli.diagnosis.words import information, listed, unless_none
from neurocli.training.devices import device_of
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.diagnosis.flow import lag_findings, saturation_finding
from neurocli_elm.model.loss import loss_terms
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.probe import some_windows

UNTRAINED, TRAINED = "untrained", "trained"
MOST_DEAD = 0.3
LARGEST_SHARE = 0.95
_AT_BOUND = 1e-3
"""Relative distance to a bound within which a timescale is stuck there."""


def neuron_findings(network: ElmNeuron, dataset: SimulationData, config: NeuronioConfig, subject: str) -> list[Finding]:
    """Checks of a network, untrained or trained (subject), on windows of training simulations or of the others."""
    parts = ("train",) if subject == UNTRAINED else ("test", "validation", "train")
    windows = some_windows(dataset, next(part for part in parts if dataset.split.groups(part)))
    return [
        *timescale_findings(network, config.data.window, subject),
        *synapse_findings(network, subject),
        saturation_finding(network, windows, subject),
        *lag_findings(network, windows, subject),
        *_learning(network, dataset, config, "train" if dataset.split.train else "", subject),
    ]


def timescale_findings(network: ElmNeuron, window: int, subject: str) -> list[Finding]:
    """How the timescales cover their range, which are stuck at a bound, and which a window is too short for."""
    options = network.options
    tau = network.tau_m.detach().cpu().double().sort().values
    low, high = options.memory_tau_min, options.tau_max
    learned = options.learn_memory_tau
    quarters = ", ".join(
        f"{value:.3g}" for value in torch.quantile(tau, torch.tensor([0, 0.25, 0.5, 0.75, 1]).double())
    )
    at_low, at_high = int((tau <= low * (1 + _AT_BOUND)).sum()), int((tau >= high * (1 - _AT_BOUND)).sum())
    stuck = max(at_low - 1, 0) + max(at_high - 1, 0)
    kind = "learned" if learned else "fixed"
    value = f"{len(tau)} {kind}: {quarters} ms (minimum, quartiles, maximum), allowed {low:g} to {high:g} ms"
    return [
        information("timescales", subject, value),
        Finding.graded(
            "timescales-at-bounds",
            subject,
            f"{at_low} at {low:g} ms, {at_high} at {high:g} ms",
            "≤ 1 at each bound",
            f"{kind} timescales are stuck at a bound: lower model.memory_tau_min or raise model.memory_tau_max",
            warn=stuck,
        ),
        judged(
            "longest-timescale",
            f"{subject}, ms",
            float(tau[-1]),
            warn=window,
            advice="a timescale beyond the training window (data.window) cannot be learned: lower model.memory_tau_max",
        ),
    ]


def synapse_findings(network: ElmNeuron, subject: str) -> list[Finding]:
    """Synapses whose weight has fallen to zero, branches without a living one, and inputs without a living one."""
    options = network.options
    living = (network.synapse_weights.detach() > 0).cpu()
    mask = network.valid_indices_mask.detach().bool().cpu()
    valid = mask if len(mask) else torch.ones(options.synapses, dtype=torch.bool)
    dead = int((valid & ~living).sum()) / max(int(valid.sum()), 1)
    reaches = network.mlp.linears[0].weight.detach()[:, : options.branches].abs().sum(0).cpu() > 0
    branches = living.view(options.branches, -1).any(1) & reaches
    lost = torch.nonzero(~branches)[:, 0].tolist()
    connected = torch.zeros(options.num_input, dtype=torch.bool)
    connected[network.synapse_channels.cpu()[living]] = True
    unconnected = torch.nonzero(~connected)[:, 0].tolist()
    share = judged(
        "dead-synapses",
        subject,
        dead,
        warn=MOST_DEAD,
        advice="share of synapses with a weight of 0, which get no gradient any more: lower train.learning_rate",
    )
    if not bool(living.any()):
        share = Finding(
            "dead-synapses",
            subject,
            FAIL,
            dead,
            f"≤ {MOST_DEAD:g}",
            "every synapse has a weight of 0: train again with a lower train.learning_rate",
        )
    return [
        share,
        unless_none(
            "dead-branches",
            subject,
            f"{len(lost)} of {options.branches}: {listed(map(str, lost))}" if lost else "",
            verdict=WARN if bool(branches.any()) else FAIL,
            advice="branches without effect, as all their weights are 0: lower model.num_branch, or train again",
        ),
        information(
            "inputs-without-synapse",
            subject,
            f"{len(unconnected)} of {options.num_input}"
            + (f": {listed(map(str, unconnected))}" if unconnected else ""),
        ),
    ]


def _learning(
    network: ElmNeuron, dataset: SimulationData, config: NeuronioConfig, part: str, subject: str
) -> list[Finding]:
    """On a training batch: the share of each term in the loss, and parameters that get no gradient."""
    if not part:
        return []
    device = device_of(network)
    batch = next(iter(dataset.batches(part, seed=config.train.seed, epoch=0)))
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    check = GradientCheck()
    with torch.enable_grad():
        terms = loss_terms(network, batch, config.loss)
        total = torch.stack(list(terms.values())).sum()
        check.add(network.named_parameters(), total)
    values = {name: float(term.detach()) for name, term in terms.items()}
    whole = sum(values.values())
    shares = {name: value / whole if whole else float("nan") for name, value in values.items()}
    largest = max(shares, key=lambda name: shares[name])
    finite = all(value == value and abs(value) < float("inf") for value in (*values.values(), whole))
    advice = f"{largest} makes up nearly all of the loss, and the other term is hardly learned: change loss.spike or loss.soma"
    uneven = not finite or shares[largest] > LARGEST_SHARE
    return [
        Finding.graded(
            "loss-terms",
            subject,
            ", ".join(f"{name} {values[name]:.3g} ({shares[name]:.0%})" for name in values),
            f"≤ {LARGEST_SHARE:.0%} each, finite",
            "not finite: lower train.learning_rate" if not finite else advice,
            warn=uneven,
            fail=not finite,
        ),
        *check.findings(subject),
    ]
