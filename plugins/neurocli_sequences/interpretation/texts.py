"""How much of what it has read a model uses: its loss on the same tokens after few and after many others, beside n-grams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_sequences.data.text_dataset import Stretch, TextData
from neurocli_sequences.evaluation.text_baselines import ngram_of, of_order, order_of
from neurocli_sequences.evaluation.text_scores import read

MOST_TOKENS = 1000
GAIN = 0.02
"""Bits by which a longer context must help to count as used."""


def text_exhibits(trained: TrainedModel, network: nn.Module, figures: Path) -> list[Exhibit]:
    """The loss by length of the context, of the trained network, of the untrained one, and of n-grams."""
    dataset = trained.dataset
    assert isinstance(dataset, TextData)
    lengths = [2**k for k in range(int(np.log2(dataset.options.window)) + 1)]
    places = _places(dataset, lengths[-1])
    if not places:
        reason = f"no test text has more than {lengths[-1]} tokens"
        table = Table(["context", "bits per token"], [], reason)
        return [Exhibit("context-used", "How much of what it has read the model uses", table)]
    model = [_network_bits(network, dataset, places, length) for length in lengths]
    control = _network_bits(trained.untrained().to(next(network.parameters()).device), dataset, places, lengths[-1])
    orders = range(1, order_of(dataset) + 2) if dataset.split.train else range(0)
    grams = {order - 1: _ngram_bits(dataset, places, order) for order in orders}
    best = min(model)
    used = next(length for length, value in zip(lengths, model, strict=True) if value <= best + GAIN)
    rows: list[list[Any]] = [[0, None, grams.get(0)]]
    rows += [[n, value, grams.get(n)] for n, value in zip(lengths, model, strict=True)]
    rows += [[n, None, value] for n, value in grams.items() if n and n not in lengths]
    rows.sort(key=lambda row: row[0])
    path = figures / "context_used.png"
    with saved_figure(path, width=5.0, height=3.5) as (_, axes):
        axes.plot(lengths, model, "o-", color="#009E73", label="model")
        known = [n for n in grams if n]
        axes.plot(known, [grams[n] for n in known], "s-", color="0.5", label="n-grams")
        axes.axhline(control, color="0.7", lw=0.8, ls="--", label="untrained")
        axes.set(xscale="log", xlabel="tokens of context", ylabel="bits per token")
        axes.legend(frameon=False, fontsize=8)
    note = f"the same {len(places):,} test tokens in every row; untrained, with all of the context: {control:.2f}{dataset.untrained_context()}"
    table = Table(["context", "model (bits per token)", "n-gram (bits per token)"], rows, note)
    claims = {
        "context_used": used,
        "bits": best,
        "untrained_bits": control,
        "best_ngram_bits": min(grams.values(), default=None),
    }
    return [Exhibit("context-used", "How much of what it has read the model uses", table, path, claims)]


def _places(dataset: TextData, longest: int) -> list[tuple[str, int]]:
    """(group, token) of test tokens with a context of the longest length, evenly chosen."""
    every = [(g, k) for g in dataset.scored("test") for k in range(longest, len(dataset.tokens(g)))]
    if not every:
        return []
    return [every[k] for k in np.unique(np.linspace(0, len(every) - 1, MOST_TOKENS).round().astype(int))]


def _network_bits(network: nn.Module, dataset: TextData, places: list[tuple[str, int]], length: int) -> float:
    stretches = [Stretch(group, token - length, token, token + 1) for group, token in places]
    values = [scores[:, -1, 0] for _, scores, _ in read(network, dataset, stretches)]
    return float(-np.concatenate(values).mean())


def _ngram_bits(dataset: TextData, places: list[tuple[str, int]], order: int) -> float:
    ngram = ngram_of(dataset, of_order(dataset, order))
    log2 = {group: ngram.scores(dataset.tokens(group))[0] for group in dict.fromkeys(g for g, _ in places)}
    return float(-np.mean([log2[group][token] for group, token in places]))
