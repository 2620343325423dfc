"""A few cases to look at: right and wrong ones of different classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_sequences.interpretation.probe import Probed

Array = NDArray[np.float64]
MOST_OF_A_KIND = 4


@dataclass(frozen=True)
class Examples:
    """rows: places among the probed cases; titles: what each is and is taken for; maps, before: [step, input] attributions of the
    trained and of the untrained network.
    """

    rows: list[int]
    titles: list[str]
    maps: list[Array]
    before: list[Array]


def chosen_examples(cases: Probed, outputs: torch.Tensor, maps: list[Array], before: list[Array]) -> Examples:
    """Up to four right and four wrong cases, of different classes; of numbers, evenly chosen ones, from low to high."""
    label = cases.dataset.label[cases.numbers]
    if not cases.classes:
        mean, sd = cases.dataset.scale
        predicted = outputs[:, 0].double().numpy() * sd + mean
        order = np.argsort(label, kind="stable")
        rows = [int(k) for k in order[np.unique(np.linspace(0, len(order) - 1, 2 * MOST_OF_A_KIND).astype(int))]]
        titles = [f"true {label[k]:.3g}\npredicted {predicted[k]:.3g}" for k in rows]
    else:
        names, predicted = cases.dataset.classes, outputs.argmax(1).numpy()
        right = one_of_each(np.flatnonzero(predicted == label), label)
        wrong = one_of_each(np.flatnonzero(predicted != label), label)
        rows = [*right, *wrong]
        titles = [
            f"{_short(names[label[k]])}, right" if predicted[k] == label[k]
            else f"{_short(names[label[k]])},\ntaken for {_short(names[predicted[k]])}"
            for k in rows
        ]  # fmt: skip
    return Examples(rows, titles, [maps[k] for k in rows], [before[k] for k in rows])


def one_of_each(rows: NDArray[np.int64], label: NDArray[np.generic]) -> list[int]:
    """Up to four rows, the first of each class; where there are fewer classes, further rows."""
    first = [int(rows[np.argmax(label[rows] == k)]) for k in np.unique(label[rows])]
    more = [int(k) for k in rows if k not in first]
    return sorted([*first, *more][:MOST_OF_A_KIND], key=lambda k: (label[k], k))


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"
