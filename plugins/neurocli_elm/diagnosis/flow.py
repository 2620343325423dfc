"""What flows through a neuron: how often memory updates saturate, and how far back gradients reach."""

from __future__ import annotations

import torch

from neurocli.diagnosis.finding import Finding, judged
from neurocli.training.devices import device_of
from neurocli_elm.data.windows import Windows
from neurocli_elm.model.mlp import SATURATED
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import OUTPUT_NAMES

MOST_SATURATED, ALL_SATURATED = 0.2, 0.8
VANISHED = 1e-6
LAGS_MS = (0, 1, 3, 10, 30, 100, 300)


@torch.no_grad()
def saturation_finding(network: ElmNeuron, windows: Windows, subject: str) -> Finding:
    """Share of memory updates at which the tangent is flat, over windows, steps and units."""
    share = float((memory_updates(network, windows).abs() > SATURATED).double().mean())
    return judged(
        "saturated-memory",
        subject,
        share,
        warn=MOST_SATURATED,
        fail=ALL_SATURATED,
        advice=f"share of memory updates beyond {SATURATED}, where the gradient vanishes: lower train.learning_rate",
    )


@torch.no_grad()
def memory_updates(network: ElmNeuron, windows: Windows) -> torch.Tensor:
    """d [sample, time, memory], told from the memory before and after: m = k m + gain d."""
    device = device_of(network)
    memory = network.forward_states(windows.input_events().to(device)).memory.cpu().double()
    k, gain = (part.cpu().double() for part in network.memory_decay())
    before = torch.cat((torch.zeros_like(memory[:, :1]), memory[:, :-1]), 1)
    return (memory - k * before) / gain


def lag_findings(network: ElmNeuron, windows: Windows, subject: str) -> list[Finding]:
    """|dy[T] / dx[T - lag]| of both outputs at the end of the windows, against the largest over all lags."""
    return [
        _lag_finding(name, curve, subject)
        for name, curve in zip(OUTPUT_NAMES, input_gradients(network, windows), strict=False)
    ]


def input_gradients(network: ElmNeuron, windows: Windows) -> list[torch.Tensor]:
    """For each output, norm over inputs [lag], the mean over windows; lag 0 is the step of the output."""
    device = device_of(network)
    x = torch.from_numpy(windows.dense()).to(device).requires_grad_()
    with torch.enable_grad():
        last = network(x)[:, -1]
        gradients = [torch.autograd.grad(last[:, o].sum(), x, retain_graph=True)[0] for o in range(last.shape[1])]
    return [gradient.norm(dim=2).mean(0).flip(0).cpu().double() for gradient in gradients]


def _lag_finding(name: str, curve: torch.Tensor, subject: str) -> Finding:
    last = len(curve) - 1
    lags = [*(lag for lag in LAGS_MS if lag < last), last]
    largest = float(curve.max())
    finite = bool(curve.isfinite().all())
    smallest = float(curve[lags].min()) / largest if largest > 0 else 0.0
    text = ", ".join(f"{lag} ms {float(curve[lag]) / largest if largest > 0 else 0.0:.2g}" for lag in lags)
    vanished = smallest < VANISHED
    if not finite:
        advice = "gradients are not finite: lower train.learning_rate"
    else:
        advice = "the output does not depend on input that far back: raise model.memory_tau_max, or lower data.window"
    return Finding.graded(
        f"gradient-against-lag-{name}",
        subject,
        text,
        f"≥ {VANISHED:g} of the largest",
        advice,
        warn=vanished,
        fail=not finite,
    )
