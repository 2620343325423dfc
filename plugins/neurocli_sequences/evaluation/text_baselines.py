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
_COUNTED = "probability"


def order_of(dataset: TextData) -> int:
    """The order of the n-grams that stand beside a model."""
    return WORDS if dataset.unit == "word" else CHARACTERS


def baselines(dataset: TextData) -> list[Predictor]:
    """Fitted on the training texts; none without them."""
    if not dataset.split.train:
        return []
    return [_of_ngram(dataset, 1, "frequencies"), _of_ngram(dataset, order_of(dataset), f"{order_of(dataset)}-gram")]


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

    def predict(target: Target) -> Prediction:
        ngram = ngram_of(dataset, fit)
        values = {}
        for group in target.groups:
            log2, right = ngram.scores(dataset.tokens(group))
            values[group] = np.stack([log2, right], 1)[1:]
        return Prediction(values)

    about = "of each token" if order == 1 else f"interpolated Kneser-Ney, from the {order - 1} tokens before"
    if sum(len(dataset.tokens(group)) for group in dataset.split.train) > MOST_TOKENS:
        about += f"; fitted on the first {MOST_TOKENS:,} training tokens"
    return Predictor(name, "baseline", predict, about, lambda: fit.cost)
