"""How the loss falls with what was read, and a text that a model writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.figure import saved_figure
from neurocli.training.devices import device_of
from neurocli_sequences.data.text_dataset import Stretch, TextData
from neurocli_sequences.data.tokens import SPECIALS
from neurocli_sequences.evaluation.text_scores import read

MOST_STRETCHES = 256
WRITTEN, PROMPT = 200, 40
"""Tokens that are written, and those of the test text that they go on from."""
FIGURE_WIDTH, FIGURE_HEIGHT = 5.0, 3.5


def by_place(network: nn.Module, dataset: TextData, figures: Path) -> Exhibit:
    """Bits per token against how many tokens were read before it, from a state of zero at any place of a test text."""
    window = dataset.options.window
    whole = [
        Stretch(group, first, first + 1, first + window + 1)
        for group in dataset.scored("test")
        for first in range(0, len(dataset.tokens(group)) - window, window)
    ] or [Stretch(group, 0, 1, min(window + 1, len(dataset.tokens(group)))) for group in dataset.scored("test")]
    chosen = [whole[k] for k in np.unique(np.linspace(0, len(whole) - 1, MOST_STRETCHES).round().astype(int))]
    steps = max(stretch.stop - stretch.first for stretch in chosen) - 1
    values = np.full((len(chosen), steps), np.nan)
    done = 0
    for rows, scores, _ in read(network, dataset, chosen):
        values[done : done + len(rows), : scores.shape[1]] = -scores[:, :, 0]
        done += len(rows)
    edges = [2**k for k in range(int(np.log2(steps)) + 1)]
    rows_, places, means = [], [], []
    for low, high in zip(edges, [*edges[1:], steps + 1], strict=True):
        part = values[:, low - 1 : high - 1]
        mean, count = float(np.nanmean(part)), int(np.isfinite(part).sum())
        rows_.append([f"{low}" if high == low + 1 else f"{low} to {high - 1}", mean, count])
        places.append(np.sqrt(low * (high - 1)))
        means.append(mean)
    path = figures / "context.png"
    with saved_figure(path, width=FIGURE_WIDTH, height=FIGURE_HEIGHT) as (_, axes):
        axes.plot(places, means, "o-", color="#009E73")
        axes.set(xscale="log", xlabel="tokens read before", ylabel="bits per token")
    note = f"{len(chosen)} stretches of the test texts, each read from a state of zero{dataset.untrained_context()}"
    table = Table(["tokens read", "bits per token", "tokens"], rows_, note)
    title = "How well a token is predicted, by how many were read before it"
    return Exhibit("context", title, table, path, {"first": means[0], "last": means[-1]})


def written(network: nn.Module, dataset: TextData, seed: int) -> Exhibit:
    """A text that the model writes: each token drawn by its probability (temperature 1), after the beginning of a test text."""
    tokens = next((dataset.tokens(g) for g in dataset.scored("test") if len(dataset.tokens(g)) > PROMPT), None)
    if tokens is None:
        tokens = dataset.tokens(dataset.scored("test")[0])
    prompt = [int(token) for token in tokens[: min(PROMPT, len(tokens) - 1)]]
    drawn = drawn_after(network, dataset, prompt, seed)
    rows = [["test text", dataset.vocabulary.decode(prompt)], ["model", dataset.vocabulary.decode(drawn)]]
    note = f"temperature 1, seed {seed}; every token is drawn after at most {dataset.options.window} before it"
    return Exhibit("written", "A text that the model writes", Table(["by", "text"], rows, note))


@torch.no_grad()
def drawn_after(network: nn.Module, dataset: TextData, prompt: list[int], seed: int) -> list[int]:
    """Tokens drawn one after the other. What stands for no text is never drawn."""
    device, generator = device_of(network), torch.Generator().manual_seed(seed)
    tokens = list(prompt)
    for _ in range(WRITTEN):
        x = torch.tensor([tokens[-dataset.options.window :]]).to(device)
        output = network(x)[0, -1].double().cpu()
        output[: len(SPECIALS)] = -torch.inf
        tokens.append(int(torch.multinomial(torch.softmax(output, 0), 1, generator=generator)))
    return tokens[len(prompt) :]
