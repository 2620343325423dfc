"""Which inputs a prediction rests on, whether training put that there, and whether the prediction needs them.

Controls: the same of the untrained network (Adebayo et al. 2018, NeurIPS: a map that does not change when the weights are random
shows the input, not the model), the size of the input itself, and inputs taken out at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.intervals import mean_estimate, paired_means
from neurocli.interpretation.rank_correlation import spearman
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli_sequences.data.forms import ImageForm
from neurocli_sequences.interpretation.deletion import SHARE, changes, random_changes
from neurocli_sequences.interpretation.examples import Examples, chosen_examples
from neurocli_sequences.interpretation.pictures import draw_images, draw_series
from neurocli_sequences.interpretation.probe import Probed, inputs_of, integrated_gradients, outputs_of
from neurocli_sequences.interpretation.token_pictures import draw_tokens, token_table

Array = NDArray[np.float64]
MOST_MISSED = 0.2
"""Share that attributions may miss of what they should add up to."""
MOST_STEPS_SHOWN = 32
"""Steps up to which each has a row of its own."""
_RANKED = {
    "random": "at random",
    "untrained": "ranked by the untrained network",
    "input_size": "ranked by the size of the input",
}


def saliency_exhibits(network: nn.Module, untrained: nn.Module, cases: Probed, figures: Path) -> list[Exhibit]:
    """Attributions of some examples, and of all cases their controls."""
    outputs = outputs_of(network, cases)
    predicted = outputs.argmax(1).numpy() if cases.classes else np.zeros(len(cases.numbers), np.int64)
    maps, missed = integrated_gradients(network, cases, predicted)
    before, _ = integrated_gradients(untrained, cases, predicted)
    if cases.dataset.form.tokens:  # a token is one input, whatever the size of its vector
        maps, before = ([of.sum(1, keepdims=True) for of in every] for every in (maps, before))
    examples = chosen_examples(cases, outputs, maps, before)
    return [
        example_exhibit(cases, examples, maps, missed, figures),
        control_exhibit(network, untrained, cases, (predicted, maps, before), figures),
    ]


def example_exhibit(cases: Probed, examples: Examples, maps: list[Array], missed: float, figures: Path) -> Exhibit:
    """The attributions of a few cases in the layout of their input, beside those of the untrained network."""
    path = figures / "saliency.png"
    if cases.dataset.form.tokens:
        draw_tokens(cases, examples, path)
        table = token_table(cases, maps)
    else:
        (draw_images if isinstance(cases.dataset.form, ImageForm) else draw_series)(cases, examples, path)
        table = _step_table(cases, maps)
    what = "log-odds of the predicted class" if cases.classes else "predicted number"
    base = "vectors of tokens that are zero" if cases.dataset.form.tokens else "the mean of the training cases"
    much = ", so that their sizes cannot be trusted: gradients along the way explode" if missed > MOST_MISSED else ""
    table.note = (
        f"{table.note}. Attributions: integrated gradients of the {what} from {base}; they miss {missed:.1%} of what they should add up "
        f"to{much}. What the untrained network shows alike was not learned: see the exhibit saliency-controls"
    )
    return Exhibit("saliency", "What single predictions rest on", table, path, {"missed_share": missed})


def _step_table(cases: Probed, maps: list[Array]) -> Table:
    """Share of the attribution at each step, or in tenths of the sequence where there are many steps."""
    steps = int(cases.lengths.max())
    each = not np.ptp(cases.lengths) and steps <= MOST_STEPS_SHOWN
    parts = steps if each else 10
    shares = np.zeros((len(maps), parts))
    for row, of in enumerate(maps):
        by_step = np.abs(of).sum(1)
        # A step of a sequence that has fewer steps than parts lies in several of them.
        edges = np.linspace(0, len(of), parts + 1)
        summed = np.interp(edges, np.arange(len(of) + 1), np.concatenate([[0.0], np.cumsum(by_step)]))
        shares[row] = np.diff(summed) / max(summed[-1], 1e-300)
    names = [k + 1 for k in range(parts)] if each else [f"{10 * k} to {10 * k + 10}" for k in range(parts)]
    rows = [[name, float(share)] for name, share in zip(names, shares.mean(0), strict=True)]
    first = "step" if each else "part of the sequence (%)"
    return Table([first, "share of the attribution"], rows, f"mean over {len(maps)} {cases.part} cases")


def control_exhibit(
    network: nn.Module,
    untrained: nn.Module,
    cases: Probed,
    attributed: tuple[NDArray[np.int64], list[Array], list[Array]],
    figures: Path,
) -> Exhibit:
    """Rank correlation with the untrained network's attributions, and what the true class loses without the inputs ranked first."""
    predicted, maps, before = attributed
    size = _sizes(network, cases)
    like_untrained = mean_estimate(
        np.array([spearman(np.abs(a).ravel(), np.abs(b).ravel()) for a, b in zip(maps, before, strict=True)])
    )
    like_input = mean_estimate(
        np.array([spearman(np.abs(a).ravel(), b.ravel()) for a, b in zip(maps, size, strict=True)])
    )
    ranks, ranks_before = maps, before
    if cases.classes and (predicted != cases.labels).any():
        ranks, _ = integrated_gradients(network, cases, cases.labels)
        ranks_before, _ = integrated_gradients(untrained, cases, cases.labels)
        if cases.dataset.form.tokens:
            ranks, ranks_before = ([of.sum(1, keepdims=True) for of in every] for every in (ranks, ranks_before))
    if not cases.classes:
        ranks, ranks_before = ([np.abs(of) for of in every] for every in (ranks, ranks_before))
    top = changes(network, cases, ranks)
    others = {
        "random": random_changes(network, cases, ranks),
        "untrained": changes(network, cases, ranks_before),
        "input_size": changes(network, cases, size),
    }
    unit = (
        "fall of the probability of the true class"
        if cases.classes
        else "change of the predicted number (sd of the training targets)"
    )
    rows: list[list[Any]] = [["ranked by the attribution", *mean_estimate(top), None, None]]
    claims: dict[str, Any] = {
        "rank_correlation_untrained": like_untrained.value,
        "rank_correlation_untrained_high": like_untrained.high,
        "rank_correlation_input_size": like_input.value,
        "deleted_top": float(top.mean()),
    }
    for name, values in others.items():
        difference = paired_means(top, values)
        rows.append([_RANKED[name], *mean_estimate(values), difference.value, difference.p])
        claims[f"deleted_{name}"] = float(values.mean())
        claims[f"more_than_{name}_low"] = difference.low
        claims[f"more_than_{name}_p"] = difference.p
    note = (
        f"{len(top)} {cases.part} cases, {SHARE:.0%} of the inputs of each taken out. Rank correlation of the size of the attributions with "
        f"that of the untrained network {like_untrained.value:.2f} ({like_untrained.low:.2f} to {like_untrained.high:.2f}), with the size of the "
        f"input {like_input.value:.2f}: where these are high, a map shows the input rather than what was learned. Inputs that are taken out "
        "make cases unlike any in training"
    )
    columns = ["inputs that are taken out", unit, "95 % low", "95 % high", "attribution's less this", "p"]
    return Exhibit(
        "saliency-controls",
        "Whether predictions need what they are attributed to",
        Table(columns, rows, note),
        None,
        claims,
    )


def _sizes(network: nn.Module, cases: Probed) -> list[Array]:
    """How far each input [step, input] is from the baseline of the attributions."""
    sizes: list[Array] = []
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        values = x.abs().double().numpy()
        if cases.dataset.form.tokens:
            values = np.linalg.norm(values, axis=2, keepdims=True)
        sizes += [row[:steps] for row, steps in zip(values, length.tolist(), strict=True)]
    return sizes
