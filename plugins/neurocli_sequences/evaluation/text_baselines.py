"""The baselines of texts: how often each token comes, and n-grams."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli_sequences.data.text_dataset import TextData
from neurocli_sequences.evaluation.ngram import NGram, Order, fitted

CHARACTERS, WORDS = 5, 3
"""Orders of the n-grams that stand beside a model."""
MOST_TOKENS = 5_000_000
"""Training tokens that n-grams are fitted on: of more, the first, so that a fit takes less than 1 GB and 100 MB on disk."""
HIGHEST, MOST_NGRAMS = 8, 2_000_000
"""Highest order that is tried on the validation texts, and n-grams beyond which no higher one is."""
_COUNTED = "probability"


def order_of(dataset: TextData) -> int:
    """The order of the n-grams that stand beside a model."""
    return WORDS if dataset.unit == "word" else CHARACTERS


def baselines(dataset: TextData) -> list[Predictor]:
    """Fitted on the training texts; none without them."""
    if not dataset.split.train:
        return []
    order = order_of(dataset)
    made = [_of_ngram(dataset, 1, "frequencies"), _of_ngram(dataset, order, f"{order}-gram")]
    return [*made, _longest(dataset)] if dataset.scored("validation") else made


def of_order(dataset: TextData, order: int) -> Fitted:
    """The n-grams of the training texts, kept as arrays by the names of `Order`'s fields and the order."""

    def fit() -> dict[str, NDArray[np.generic]]:
        texts, room = [], MOST_TOKENS
        for group in dataset.split.train:
            texts.append(dataset.tokens(group)[:room])
            room -= len(texts[-1])
        made = fitted(texts, order, len(dataset.vocabulary), dataset.choices)
        return {
            f"{'' if field.name == _COUNTED else '_'}{field.name}{k}": getattr(of, field.name)
            for k, of in enumerate(made.orders)
            for field in fields(Order)
        }

    return Fitted(f"{order}-gram", dataset, {"order": order, "most": MOST_TOKENS}, fit)


def ngram_of(dataset: TextData, fit: Fitted) -> NGram:
    """The n-grams that a fit holds."""
    values = fit.values
    orders = [
        Order(**{f.name: values[f"{'' if f.name == _COUNTED else '_'}{f.name}{k}"] for f in fields(Order)})
        for k in range(sum(name.startswith(_COUNTED) for name in values))
    ]
    return NGram(orders, len(dataset.vocabulary))


def _of_ngram(dataset: TextData, order: int, name: str) -> Predictor:
    fit = of_order(dataset, order)

    about = "of each token" if order == 1 else f"interpolated Kneser-Ney, from the {order - 1} tokens before"
    if sum(len(dataset.tokens(group)) for group in dataset.split.train) > MOST_TOKENS:
        about += f"; fitted on the first {MOST_TOKENS:,} training tokens"
    return Predictor(name, "baseline", lambda target: _predicted(dataset, fit, target), about, lambda: fit.cost)


def _longest(dataset: TextData) -> Predictor:
    """n-grams of the order, from that of the others on, that the validation texts like best."""
    tried: dict[int, tuple[float, Fitted]] = {}

    def choose() -> Fitted:
        if not tried:
            for order in range(order_of(dataset), HIGHEST + 1):
                fit = of_order(dataset, order)
                ngram = ngram_of(dataset, fit)
                log2 = [ngram.scores(dataset.tokens(group))[0][1:] for group in dataset.scored("validation")]
                tried[order] = float(-np.concatenate(log2).mean()), fit
                worse = order - 1 in tried and tried[order][0] > tried[order - 1][0]
                if worse or sum(len(of.key) for of in ngram.orders) > MOST_NGRAMS:
                    break
        return min(tried.values(), key=lambda pair: pair[0])[1]

    def predict(target: Target) -> Prediction:
        return _predicted(dataset, choose(), target)

    note = f"as the {order_of(dataset)}-gram, of the order up to {HIGHEST} that the validation texts like best"
    return Predictor("longer n-gram", "baseline", predict, note, lambda: choose().cost if tried else None)


def _predicted(dataset: TextData, fit: Fitted, target: Target) -> Prediction:
    ngram = ngram_of(dataset, fit)
    values = {}
    for group in target.groups:
        log2, right = ngram.scores(dataset.tokens(group))
        values[group] = np.stack([log2, right], 1)[1:]
    return Prediction(values)
