"""Checks of a model before training: does it start at the data's rates, do inputs reach it, do the loss terms pull as they should?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.diagnosis.finding import FAIL, Finding, judged
from neurocli.diagnosis.words import information, listed
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import SessionData, psth
from neurocli_eirnn.diagnosis.neurons import SMOOTHING_MS, mean_rates, silent_neurons
from neurocli_eirnn.diagnosis.weights import unit_finding, weight_findings
from neurocli_eirnn.diagnosis.wording import NEURON
from neurocli_eirnn.model.versions import build, loss_of

SUBJECT = "untrained model"
REGULARISERS = {"weights"}
"""Loss terms that ask nothing of the data."""
_SEED = 0
_TRIALS, _BATCH = 256, 128
LEAST_MODULATION, NO_MODULATION = 0.1, 0.02
LOWEST_SD_RATIO = 0.2
LARGEST_SHARE, SMALLEST_SHARE, LOWEST_COSINE, LARGEST_REGULARISER = 0.9, 0.01, -0.3, 0.1


def untrained_findings(dataset: SessionData, config: EirnnConfig) -> list[Finding]:
    """A model built with a fixed seed, run on the training trials; the caller's random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = build(config, dataset.spec)
        network.eval()
        if network.compiled is None:  # a few passes are not worth the seconds that compiling the recurrence takes
            network.compiled = False
        rows = dataset.rows(dataset.split.train)
        return [
            *rate_findings(network, dataset, rows[:_TRIALS]),
            *input_findings(network, dataset, rows[:_TRIALS], SUBJECT),
            unit_finding(network, dataset.session.neuron_type, SUBJECT),
            *weight_findings(network, SUBJECT),
            *gradient_findings(network, loss_of(network, dataset.batch(rows[:_BATCH]), config).terms),
        ]


@torch.no_grad()
def rates_of(
    network: torch.nn.Module, inputs: NDArray[np.float32], weights: torch.Tensor | None = None
) -> NDArray[np.float32]:
    """Rates [trial, time, neuron] in sp/s for inputs [trial, time, input]; `weights` [post, pre] in place of the learned ones."""
    return np.concatenate([network(chunk, weights).numpy() for chunk in torch.from_numpy(inputs).split(_TRIALS)])


def rate_findings(network: torch.nn.Module, dataset: SessionData, rows: NDArray[np.int64]) -> list[Finding]:
    """Per neuron: the model's mean rate over the data's, and its PSTH's spread over that of the data's signal."""
    observed = dataset.rates[rows]
    model = np.where(np.isfinite(observed), rates_of(network, dataset.inputs[rows]), np.nan)
    active = ~silent_neurons(observed)
    rate = mean_rates(observed)
    ratio = np.where(active, mean_rates(model) / np.where(active, rate, 1.0), 1.0)
    far = np.flatnonzero(~((ratio >= 0.5) & (ratio <= 2)))
    lost = ~((ratio >= 0.1) & (ratio <= 10))
    outliers = listed(
        (f"{dataset.session.neuron_ids[k]}: {ratio[k]:.2g}" for k in far), f"{len(far)} of {len(ratio)}, {NEURON}"
    )
    return [
        Finding.graded(
            "rate-ratio",
            SUBJECT,
            outliers if len(far) else f"{ratio.min():.2f} to {ratio.max():.2f}",
            "0.5 to 2",
            "training must first learn these rates: start from the data's rates, with a gain for each neuron (eirnn-v2)",
            warn=len(far),
            fail=lost.any(),
        ),
        judged(
            "psth-sd-ratio",
            SUBJECT,
            sd_ratio(model, observed, dataset.bin_ms),
            warn=LOWEST_SD_RATIO,
            low=True,
            advice="inputs modulate the PSTHs too little at the start: use larger input weights (model.input_scale)",
        ),
    ]


def sd_ratio(model: NDArray[np.floating], observed: NDArray[np.floating], bin_ms: float) -> float:
    """Spread over time of PSTHs (50 ms), model over the data's without their noise; summed over neurons that have a signal.

    Both [trial, time, neuron] in sp/s. 1 where no neuron has any.
    """
    sd_bins = SMOOTHING_MS / bin_ms
    true = np.sqrt(np.nan_to_num(psth.signal_variance(observed, sd_bins)))
    spread = psth.temporal_sd(psth.smoothed_mean(model, sd_bins), psth.sums(model)[1])
    return float(spread[true > 0].sum() / true[true > 0].sum()) if (true > 0).any() else 1.0


def input_findings(
    network: torch.nn.Module, dataset: SessionData, rows: NDArray[np.int64], subject: str
) -> list[Finding]:
    """What the task inputs change, and whether ten times the inputs are survived."""
    inputs = dataset.inputs[rows]
    actual, silence = rates_of(network, inputs), rates_of(network, np.zeros_like(inputs[:1]))
    with np.errstate(invalid="ignore", over="ignore"):
        tenfold = rates_of(network, 10 * inputs)
        change = np.abs(actual - silence).mean((0, 1), dtype=np.float64) / np.maximum(
            actual.mean((0, 1), dtype=np.float64), 1e-9
        )
    finite = bool(np.isfinite(tenfold).all())
    return [
        judged(
            "input-modulation",
            subject,
            float(change.mean()),
            warn=LEAST_MODULATION,
            fail=NO_MODULATION,
            low=True,
            advice="rates hardly depend on the task: use larger input weights, or look for constant channels",
        ),
        Finding.graded(
            "tenfold-input",
            subject,
            f"at most {tenfold.max():.4g} sp/s" if finite else "not finite",
            "finite",
            "activity explodes: lower the spectral radius or the input weights",
            fail=not finite,
        ),
        information(
            "mean-rate",
            subject,
            f"{actual.mean():.3g} sp/s, without inputs {silence.mean():.3g}, with ten times the inputs {np.nan_to_num(tenfold).mean():.3g}",
        ),
    ]


def gradient_findings(network: torch.nn.Module, terms: Mapping[str, torch.Tensor]) -> list[Finding]:
    """Share of each loss term's gradient, and their directions, at the start of training.

    Not after it: where a loss is lowest its terms' gradients cancel, so that they point against each other by necessity.
    """
    gradients = {name: _gradient(term, network) for name, term in terms.items()}
    norms = {name: float(g.norm()) for name, g in gradients.items()}
    broken = [name for name, norm in norms.items() if not np.isfinite(norm)]
    if broken:
        advice = (
            "these loss terms cannot be trained on: look for NaN in the data, or for a division by zero in the loss"
        )
        return [Finding("gradient-share", SUBJECT, FAIL, f"NaN in {', '.join(broken)}", "finite", advice)]
    weighted = {name: norm for name, norm in norms.items() if norm > 0}
    regular = REGULARISERS & set(weighted)
    fitted = {name: norm for name, norm in weighted.items() if name not in regular}
    total = max(sum(fitted.values()), 1e-30)
    shares = {name: norm / total for name, norm in fitted.items()}
    odd = [
        name for name, share in shares.items() if (share > LARGEST_SHARE and len(shares) > 1) or share < SMALLEST_SHARE
    ]
    findings = [
        Finding.graded(
            "gradient-share",
            SUBJECT,
            ", ".join(f"{name} {share:.1%}" for name, share in shares.items()),
            f"{SMALLEST_SHARE:.0%} to {LARGEST_SHARE:.0%} each",
            f"one loss term dominates, or contributes nothing: change the weight of {', '.join(odd)}",
            warn=odd,
        )
    ]
    pairs = {
        (a, b): float(gradients[a] @ gradients[b]) / (norms[a] * norms[b]) for a, b in itertools.combinations(fitted, 2)
    }
    if pairs:
        (a, b), cosine = min(pairs.items(), key=lambda item: item[1])
        advice = f"the loss terms {a} and {b} pull in opposite directions: lower the weight of one"
        opposed = cosine < LOWEST_COSINE
        value = f"lowest {cosine:.2f} ({a}, {b})"
        threshold = f"≥ {LOWEST_COSINE:g}"
        findings.append(Finding.graded("gradient-cosine", SUBJECT, value, threshold, advice, warn=opposed))
    if regular:
        ratio = sum(weighted[name] for name in regular) / total
        advice = "the regulariser determines the weights more than the data do: lower its weight (loss.weights)"
        findings.append(judged("regulariser-over-data", SUBJECT, ratio, warn=LARGEST_REGULARISER, advice=advice))
    return findings


def _gradient(term: torch.Tensor, network: torch.nn.Module) -> torch.Tensor:
    """The gradient of a term with respect to all parameters, as one vector."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if not term.requires_grad:
        return torch.zeros(sum(p.numel() for p in parameters))
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, gradients, strict=True)]
    )
