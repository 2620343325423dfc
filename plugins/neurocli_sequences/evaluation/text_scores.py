"""Scores of the prediction of a text, and what a network says of one.

A target is [token, 2]: its number, and its characters with what stands before it. A prediction is [token, 2]: log2 of the probability
that the right token was given, and 1 where the most probable one is right: probabilities of all tokens would be too many to keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.metrics import Link, Mask, OfSums, Sums, Values, ratio
from neurocli.training.devices import device_of
from neurocli_sequences.data.text_dataset import NOT_SCORED, Stretch, TextData

MOST_NUMBERS = 2**25
"""Numbers that the outputs of stretches that are read together have at most."""
_MOST_STRETCHES = 64
Array = NDArray[np.float64]


class _OfTokens(OfSums):
    """What is summed over the tokens of a group, divided by the sum of something else."""

    unit = ""

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """[1, 2]."""
        target, prediction = np.asarray(target, np.float64), np.asarray(prediction, np.float64)
        if mask is not None:
            rows = np.broadcast_to(mask, target.shape)[:, 0]
            target, prediction = target[rows], prediction[rows]
        return np.array([[self._of(target), self._sum(prediction)]])

    def of_sums(self, sums: Sums) -> Sums:
        count, total = sums
        return ratio(total, count)

    def _of(self, target: Array) -> float:
        return float(len(target))

    def _sum(self, prediction: Array) -> float:
        return float(-prediction[:, 0].sum())


class BitsPerCharacter(_OfTokens):
    """Bits that a code by the predicted probabilities takes, for each character of the text, whatever the tokens are."""

    name = "bits per character"
    higher = False
    link: Link = "log"

    def _of(self, target: Array) -> float:
        return float(target[:, 1].sum())


class TokenAccuracy(_OfTokens):
    """Share of the tokens that were the most probable one."""

    name = "accuracy"

    def _sum(self, prediction: Array) -> float:
        return float(prediction[:, 1].sum())


class Perplexity(_OfTokens):
    """2 to the power of the bits per token: as many equally probable tokens would be as hard to tell."""

    name = "perplexity"
    higher = False
    link: Link = "log"

    def of_sums(self, sums: Sums) -> Sums:
        return np.asarray(2 ** super().of_sums(sums))


def predicted(network: nn.Module, dataset: TextData, part: str) -> dict[str, Array]:
    """Group → [token, 2] of all tokens of a part but the first of each text, read in stretches (`TextData.stretches`)."""
    values: dict[str, list[Array]] = {group: [] for group in dataset.scored(part)}
    for stretches, rows, y in read(network, dataset, dataset.stretches(part)):
        for stretch, row, wanted in zip(stretches, rows, y, strict=True):
            values[stretch.group].append(row[wanted != NOT_SCORED])
    return {group: np.concatenate(rows) for group, rows in values.items()}


@torch.no_grad()
def read(
    network: nn.Module, dataset: TextData, stretches: list[Stretch]
) -> Iterator[tuple[list[Stretch], Array, NDArray[np.int64]]]:
    """(stretches, [stretch, step, 2] as in a prediction, the tokens that follow), some stretches at a time; NaN where nothing is scored."""
    device = device_of(network)
    together = max(1, min(_MOST_STRETCHES, MOST_NUMBERS // (dataset.options.window * len(dataset.vocabulary))))
    for first in range(0, len(stretches), together):
        rows = stretches[first : first + together]
        x, y = dataset.read(rows)
        output = network(torch.from_numpy(x).to(device))
        right = torch.from_numpy(y).to(device)
        chosen = right.clamp(min=0)[:, :, None]
        log2 = (output.gather(2, chosen)[:, :, 0].double() - output.double().logsumexp(2)) / np.log(2)
        values = torch.stack([log2, (output.argmax(2) == right).double()], 2).cpu().numpy()
        values[y == NOT_SCORED] = np.nan
        yield rows, values, y


def bits(values: Any) -> float:
    """Mean bits of a token, of predictions [..., 2] without those that are not scored."""
    return float(-np.nanmean(np.asarray(values)[..., 0]))
