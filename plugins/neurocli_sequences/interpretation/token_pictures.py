"""Attributions of texts: shaded tokens, and the tokens that most speak for a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Table
from neurocli.report.figure import saved_figure
from neurocli_sequences.data.forms import TokenForm
from neurocli_sequences.interpretation.examples import Examples
from neurocli_sequences.interpretation.probe import Probed

Array = NDArray[np.float64]
MOST_TOKENS = 20
_COLUMNS, _LINES = 110, 7
"""Characters of a line of a shaded text, and its most lines."""
_FEWEST_COLUMNS = 64
_LINE_INCHES, _COLUMN_INCHES = 0.19, 0.058


def token_table(cases: Probed, maps: list[Array]) -> Table:
    """The tokens with the largest mean attribution by size; those that come in one case only are left to the end."""
    form = cases.dataset.form
    assert isinstance(form, TokenForm)
    total, size, count, texts = (np.zeros(form.inputs) for _ in range(4))
    for of, number in zip(maps, cases.numbers, strict=True):
        tokens = cases.dataset.sequence(int(number))
        total += np.bincount(tokens, of[:, 0], form.inputs)
        size += np.bincount(tokens, np.abs(of[:, 0]), form.inputs)
        count += np.bincount(tokens, minlength=form.inputs)
        texts[np.unique(tokens)] += 1
    mean = size / np.maximum(count, 1)
    order = np.lexsort((-mean, texts < 2))
    order = order[count[order] > 0][:MOST_TOKENS]
    rows: list[list[Any]] = [
        [shown(form.vocabulary.tokens[k]), float(mean[k]), float(total[k] / count[k]), int(count[k]), int(texts[k])]
        for k in order
    ]
    columns = ["token", "mean size of its attribution", "mean attribution", "times", "texts"]
    return Table(columns, rows, f"the tokens with the largest attributions in {len(maps)} {cases.part} cases")


def draw_tokens(cases: Probed, examples: Examples, path: Path) -> None:
    """Texts whose tokens are shaded by their attribution, in the trained and in the untrained network."""
    form = cases.dataset.form
    assert isinstance(form, TokenForm)
    picked = list(dict.fromkeys([0, len(examples.rows) // 2, len(examples.rows) - 1, 1]))[: min(4, len(examples.rows))]
    between = "" if form.vocabulary.unit in ("character", "byte") else " "
    blocks = []
    for k in sorted(picked):
        tokens = [
            shown(form.vocabulary.tokens[t]) for t in cases.dataset.sequence(int(cases.numbers[examples.rows[k]]))
        ]
        title = examples.titles[k].replace("\n", " ")
        for name, of in (("trained", examples.maps[k]), ("untrained", examples.before[k])):
            blocks.append((f"{title}: {name}", laid_out(tokens, of[:, 0] / _limit(of), between)))
    lines = sum(max((line for line, *_ in words), default=0) + 2.6 for _, words in blocks)
    red, blue = ("speaks for the prediction", "against it") if cases.classes else ("raises the prediction", "lowers it")
    legend = f"red: {red}, blue: {blue}; white: no effect"
    used = max((column + len(word) for _, words in blocks for _, column, word, _ in words), default=0)
    columns = max(used, _FEWEST_COLUMNS)
    with saved_figure(path, width=columns * _COLUMN_INCHES + 0.2, height=lines * _LINE_INCHES + 0.3) as (_, axis):
        axis.set(xlim=(0, columns), ylim=(lines, 0))
        axis.axis("off")
        top = 0.0
        for title, words in blocks:
            axis.text(0, top + 0.8, title, fontsize=7, weight="bold", va="center")
            for line, column, word, strength in words:
                y = top + 1.8 + line
                axis.add_patch(_shade(column, y, len(word), strength))
                axis.text(column, y, word, fontsize=6.5, family="monospace", va="center", parse_math=False)
            top += max((line for line, *_ in words), default=0) + 2.6
        axis.set_title(legend, fontsize=7, loc="left")


def laid_out(tokens: list[str], values: Array, between: str) -> list[tuple[int, int, str, float]]:
    """(line, column, token, value) of each token that has room; the last ends with an ellipsis where there are more."""
    placed: list[tuple[int, int, str, float]] = []
    line = column = 0
    for token, value in zip(tokens, values, strict=True):
        token = token[:_COLUMNS]
        if column + len(token) > _COLUMNS:
            line, column = line + 1, 0
        if line >= _LINES:
            placed.append((_LINES, 0, "…", 0.0))
            break
        placed.append((line, column, token, float(value)))
        column += len(token) + len(between)
    return placed


def shown(token: str) -> str:
    """A token as it can be printed: blanks and ends of lines by signs of their own."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "→") or "∅"


def _shade(column: int, y: float, width: int, strength: float) -> Any:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colour = colormaps["RdBu_r"](0.5 + 0.35 * float(np.clip(strength, -1, 1)))
    return Rectangle((column, y - 0.45), width, 0.9, facecolor=colour, lw=0)


def _limit(values: Array) -> float:
    return max(float(np.quantile(np.abs(values), 0.98)), 1e-300)
