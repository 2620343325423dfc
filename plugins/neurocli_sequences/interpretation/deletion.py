"""What the prediction loses without the inputs that an attribution ranks first, against as many inputs at random."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli_sequences.interpretation.probe import Probed, inputs_of, scores

Array = NDArray[np.float64]
SHARE = 0.1
DRAWS = 5


def kept_but(rank: Array, share: float = SHARE) -> NDArray[np.bool_]:
    """Which values of `rank` stay where the largest share of them, at least one, is taken out."""
    count = max(1, round(share * rank.size))
    kept = np.ones(rank.size, bool)
    kept[np.argpartition(-rank.ravel(), count - 1)[:count]] = False
    return kept.reshape(rank.shape)


@torch.no_grad()
def changes(network: nn.Module, cases: Probed, ranks: list[Array]) -> Array:
    """[case] how much the probability of the true class falls, or the predicted number (sd) changes, without the inputs ranked first.

    ranks: [step, input], or [step, 1] where whole steps are taken out. What is taken out becomes the mean of the training cases;
    of a token, its vector becomes zero.
    """
    lost = np.empty(len(cases.numbers))
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        keep = torch.ones_like(x)
        for row, number in enumerate(rows):
            keep[row, : length[row]] *= torch.from_numpy(kept_but(ranks[number])).to(x.dtype)
        label = torch.from_numpy(cases.labels[rows])
        whole, without = (
            scores(network(values, length), label, classes=cases.classes, probability=True).double()
            for values in (x, x * keep)
        )
        lost[rows] = (whole - without if cases.classes else (whole - without).abs()).numpy()
    return lost


def random_changes(network: nn.Module, cases: Probed, ranks: list[Array], seed: int = 0) -> Array:
    """[case] the same without as many inputs at random, mean over five draws."""
    random = np.random.default_rng(seed)
    drawn = [changes(network, cases, [random.random(rank.shape) for rank in ranks]) for _ in range(DRAWS)]
    return np.mean(drawn, axis=0)
