"""The baselines of cases: the most frequent class or the mean, and a logistic or ridge regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.evaluation.features import features, in_words

STRENGTHS = (1e-2, 1e-1)
"""Inverse of the regularisation of a logistic regression on z-scores; that with the lower log loss on the validation cases is taken."""
PENALTIES = tuple(np.logspace(-2, 5, 15))
MOST_ITERATIONS = 100
MOST_CASES = 60_000

Values = dict[str, NDArray[Any]]
Fit = Callable[[], Values]
OfNumbers = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def baselines(dataset: CaseData) -> list[Predictor]:
    """Fitted on the training cases; none without them."""
    if not dataset.split.train:
        return []
    if dataset.classes:
        return [_constant(dataset, "most frequent class"), _regression(dataset, "logistic regression", _logistic)]
    return [_constant(dataset, "mean of the training"), _regression(dataset, "ridge regression", _ridge)]


def as_prediction(dataset: CaseData, target: Target, of_numbers: OfNumbers) -> Prediction:
    """The prediction of what gives values [case, output] of cases by their numbers."""
    numbers = np.array([dataset.number[group] for group in target.groups], np.int64)
    values = of_numbers(numbers)
    return Prediction({group: values[n : n + 1] for n, group in enumerate(target.groups)})


def _constant(dataset: CaseData, name: str) -> Predictor:
    labels = dataset.label[dataset.numbers("train")]
    constant = (
        np.bincount(labels, minlength=len(dataset.classes)) / len(labels)
        if dataset.classes
        else np.array([labels.mean()])
    )
    return Predictor(
        name, "baseline", lambda target: as_prediction(dataset, target, lambda n: np.tile(constant, (len(n), 1))), ""
    )


def _regression(dataset: CaseData, name: str, kind: Callable[[CaseData], Values]) -> Predictor:
    fitted = Fitted(
        name, dataset, {"classes": len(dataset.classes), "inputs": dataset.form.inputs}, lambda: kind(dataset)
    )

    def of_numbers(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        values = fitted.values
        chunks = np.array_split(numbers, max(1, len(numbers) // 2048))
        scores = np.concatenate(
            [_scaled(values, features(dataset, chunk)) @ values["weight"] + values["bias"] for chunk in chunks]
        )
        if not dataset.classes:
            return np.asarray(scores, np.float64)
        return np.asarray(softmax(scores.astype(np.float64), axis=1))

    return Predictor(
        name,
        "baseline",
        lambda target: as_prediction(dataset, target, of_numbers),
        f"on {in_words(dataset)}",
        lambda: fitted.cost,
    )


def _scaled(values: Values, x: NDArray[Any]) -> NDArray[Any]:
    return (x - values["_mean"]) / values["_sd"]


def _training(dataset: CaseData) -> tuple[NDArray[Any], NDArray[Any], Values]:
    numbers = dataset.numbers("train")
    if len(numbers) > MOST_CASES:
        numbers = np.random.default_rng(0).choice(numbers, MOST_CASES, replace=False)
    x = features(dataset, numbers)
    scale = {"_mean": x.mean(0), "_sd": np.maximum(x.std(0), 1e-2)}
    return _scaled(scale, x), dataset.label[numbers], scale


def _logistic(dataset: CaseData) -> Values:
    """weight [feature, class], bias [class] of the strength that the validation cases like best."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    x, label, scale = _training(dataset)
    held = dataset.numbers("validation")
    held_x, held_label = _scaled(scale, features(dataset, held)), dataset.label[held]
    best: tuple[float, Values] | None = None
    for strength in STRENGTHS:
        fitted = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, tol=1e-3).fit(x, label)
        weight, bias = _by_class(fitted, len(dataset.classes))
        loss = log_loss(held_label, softmax(held_x @ weight + bias, axis=1), labels=np.arange(len(dataset.classes)))
        if best is None or loss < best[0]:
            best = loss, {"weight": weight, "bias": bias, **scale}
    assert best is not None
    return best[1]


def _by_class(fitted: Any, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """weight [feature, class], bias [class] of a fit, which has one column for two classes, and none for a class that it never saw."""
    weight, bias = np.zeros((fitted.coef_.shape[1], classes)), np.full(classes, -30.0)
    if len(fitted.classes_) == 2 and len(fitted.coef_) == 1:
        weight[:, fitted.classes_] = np.stack([-fitted.coef_[0] / 2, fitted.coef_[0] / 2], 1)
        bias[fitted.classes_] = [-fitted.intercept_[0] / 2, fitted.intercept_[0] / 2]
    else:
        weight[:, fitted.classes_], bias[fitted.classes_] = fitted.coef_.T, fitted.intercept_
    return weight, bias


def _ridge(dataset: CaseData) -> Values:
    """weight [feature, 1], bias [1]; the penalty by leaving out each training case in turn."""
    from sklearn.linear_model import RidgeCV

    x, target, scale = _training(dataset)
    fitted = RidgeCV(alphas=PENALTIES).fit(x, target)
    return {"weight": fitted.coef_[:, None], "bias": np.array([fitted.intercept_]), **scale}
