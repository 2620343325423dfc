"""What a network does with some test cases: its score of each, and how that changes with every input at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.training.readout import SequenceNetwork
from neurocli_sequences.data.case_dataset import CaseData

Array = NDArray[np.float64]
FEWEST_POINTS, MOST_POINTS = 16, 64
"""Points of the way from the mean input along which gradients are taken: more where they miss much; where gradients explode,
no number of points is enough.
"""
MOST_MISSED = 0.05
"""Share of the difference that attributions may miss before more points are taken."""
MOST_POINT_STEPS = 2_000_000
"""Points times steps of all cases, above which no more points are taken."""
MOST_CASES, MOST_STEPS = 64, 60_000
"""Cases that gradients are taken of, and their steps all together."""
_MOST_AT_ONCE = 16_384
"""Steps of a batch."""


@dataclass(frozen=True)
class Probed:
    """Some cases of a part, of like length one after the other, and whose network is looked at.

    numbers: [case]; lengths: [case]; label: [case] classes, or targets in the network's own unit.
    """

    dataset: CaseData
    part: str
    numbers: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self.dataset.lengths[self.numbers]

    @property
    def classes(self) -> bool:
        return bool(self.dataset.classes)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The true classes [case]; zeros for targets, which have one output."""
        of = self.dataset.label[self.numbers]
        return of.astype(np.int64) if self.classes else np.zeros(len(of), np.int64)

    def batches(self, most: int = _MOST_AT_ONCE) -> list[NDArray[np.int64]]:
        """Rows of cases that are looked at together."""
        size = max(1, most // int(self.lengths.max()))
        return [np.arange(n, min(n + size, len(self.numbers))) for n in range(0, len(self.numbers), size)]


def probed(dataset: CaseData, most: int = MOST_CASES, most_steps: int = MOST_STEPS) -> Probed:
    """Evenly chosen cases of the test part, or of validation or training where there is none."""
    part = next(part for part in ("test", "validation", "train") if len(dataset.numbers(part)))
    numbers = dataset.numbers(part)
    count = int(min(most, max(8, most_steps // max(float(dataset.lengths[numbers].mean()), 1)), len(numbers)))
    chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, count).round().astype(np.int64))]
    return Probed(dataset, part, chosen[np.argsort(dataset.lengths[chosen], kind="stable")])


def inputs_of(network: nn.Module, cases: Probed, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """(what the inner network is given [case, time, input], lengths [case]): z-scores, or vectors of tokens."""
    assert isinstance(network, SequenceNetwork)
    batch = cases.dataset.batch(cases.numbers[rows])
    x = batch["x"]
    if network.embedding is not None and not x.is_floating_point():
        x = network.embedding(x).detach()
    return x, batch["length"]


def scores(outputs: torch.Tensor, labels: torch.Tensor, *, classes: bool, probability: bool = False) -> torch.Tensor:
    """[case] log-probability of a class, or its probability; or the predicted number, in sd of the training targets."""
    if not classes:
        return outputs[:, 0]
    chosen = torch.log_softmax(outputs, 1).gather(1, labels[:, None])[:, 0]
    return chosen.exp() if probability else chosen


def log_odds(outputs: torch.Tensor, labels: torch.Tensor, *, classes: bool) -> torch.Tensor:
    """[case] logarithm of the odds of a class, which does not saturate; or the predicted number."""
    if not classes:
        return outputs[:, 0]
    others = outputs.scatter(1, labels[:, None], -torch.inf)
    return outputs.gather(1, labels[:, None])[:, 0] - torch.logsumexp(others, 1)


def gradient_by_step(network: nn.Module, cases: Probed) -> list[Array]:
    """For each case the norm [step] of the gradient of the score of its true class by the input of that step."""
    norms: list[Array] = []
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        x.requires_grad_()
        with torch.enable_grad():
            score = scores(network(x, length), torch.from_numpy(cases.labels[rows]), classes=cases.classes)
            gradient = torch.autograd.grad(score.sum(), x)[0]
        norm = gradient.norm(dim=2).double().numpy()
        norms += [row[:steps] for row, steps in zip(norm, length.tolist(), strict=True)]
    return norms


def integrated_gradients(network: nn.Module, cases: Probed, labels: NDArray[np.int64]) -> tuple[list[Array], float]:
    """(attributions [step, input] of each case, what they miss of the difference that they should add up to, as its share).

    What each input adds to the log-odds of the classes `labels` [case], or to the predicted number, on the way from the mean of
    the training cases, or from vectors of tokens that are zero (Sundararajan, Taly & Yan 2017, ICML).
    """
    points = FEWEST_POINTS
    best = _along(network, cases, labels, points)
    while best[1] > MOST_MISSED:
        points *= 4
        if points > MOST_POINTS or points * int(cases.lengths.sum()) > MOST_POINT_STEPS:
            break
        best = min(best, _along(network, cases, labels, points), key=lambda tried: tried[1])
    return best


def _along(network: nn.Module, cases: Probed, labels: NDArray[np.int64], points: int) -> tuple[list[Array], float]:
    attributions: list[Array] = []
    missed = total = 0.0
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        label = torch.from_numpy(labels[rows])
        summed = torch.zeros_like(x)
        for k in range(points):
            at = (x * ((k + 0.5) / points)).requires_grad_()
            with torch.enable_grad():
                score = log_odds(network(at, length), label, classes=cases.classes)
                summed += torch.autograd.grad(score.sum(), at)[0]
        with torch.no_grad():
            ends = [log_odds(network(end, length), label, classes=cases.classes) for end in (x, torch.zeros_like(x))]
        attribution = (summed * x / points).double()
        difference = (ends[0] - ends[1]).double()
        missed += float((attribution.sum((1, 2)) - difference).abs().sum())
        total += float(difference.abs().sum())
        attributions += [row[:steps].numpy() for row, steps in zip(attribution, length.tolist(), strict=True)]
    return attributions, missed / max(total, 1e-12)


@torch.no_grad()
def outputs_of(network: nn.Module, cases: Probed) -> torch.Tensor:
    """[case, output]."""
    parts = []
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        parts.append(network(x, length))
    return torch.cat(parts)
