"""The baselines of spoken digits: the most frequent class, and logistic regressions on spike counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Predictor
from neurocli_elm.data.readers.shd import UNITS
from neurocli_elm.data.shd_bins import num_bins
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.evaluation.shd.targets import from_rows

Array = NDArray[np.float64]
Features = Callable[[NDArray[np.int64]], Array]
"""Samples [sample, utterance] → [sample, feature]."""

TIME_BINS, UNIT_GROUPS = 10, 35
"""Of each utterance: 100 ms by 20 neighbouring units."""

STRENGTH, MOST_ITERATIONS = 0.05, 200
"""Inverse of the regularisation of standardised square roots of counts: a few features for each training sample."""

MOST_SAMPLES = 8192
_CHUNK = 256
SEED = 0


def baselines(dataset: ShdData) -> list[Predictor]:
    """Fitted on the training utterances; none without them."""
    if not dataset.split.train:
        return []
    rows = _training_rows(dataset)
    classes = dataset.classes(rows)
    frequencies = np.bincount(classes, minlength=dataset.num_classes) / len(classes)
    predictors = [
        _predictor(dataset, "most frequent class", lambda samples: np.tile(frequencies, (len(samples), 1)), "")
    ]
    for name, features, note in (
        (
            "spikes of each unit",
            lambda samples: counts(dataset, samples, 1, UNITS),
            f"spike counts of {UNITS} units over the whole sample",
        ),
        (
            "spikes in time and unit",
            lambda samples: counts(dataset, samples, TIME_BINS, UNIT_GROUPS),
            f"spike counts in {TIME_BINS} time bins and {UNIT_GROUPS} groups of units",
        ),
    ):
        prediction = _logistic(features, rows, classes, dataset.num_classes)
        predictors.append(_predictor(dataset, name, prediction, f"logistic regression on {note}"))
    return predictors


def _predictor(dataset: ShdData, name: str, of_rows: Callable[[NDArray[np.int64]], Array], note: str) -> Predictor:
    return Predictor(name, "baseline", lambda target: from_rows(dataset, target, of_rows), note)


def _training_rows(dataset: ShdData) -> NDArray[np.int64]:
    numbers, rng = dataset.utterances("train"), np.random.default_rng(SEED)
    if dataset.adding:
        return rng.choice(numbers, (MOST_SAMPLES, 2))
    return rng.permutation(numbers)[:MOST_SAMPLES, None]


def counts(dataset: ShdData, rows: NDArray[np.int64], time_bins: int, unit_groups: int) -> Array:
    """[sample, feature] spikes in each bin of time of each utterance, by groups of neighbouring units."""
    bins, size = num_bins(dataset.options.bin_ms), dataset.utterances_per_sample * time_bins * unit_groups
    features = np.zeros((len(rows), size))
    for first in range(0, len(rows), _CHUNK):
        chunk = rows[first : first + _CHUNK]
        sample, step, unit, count = dataset.entries(chunk)
        half, within = np.divmod(step, bins)
        time = half * time_bins + within * time_bins // bins
        place = (sample * dataset.utterances_per_sample * time_bins + time) * unit_groups + unit * unit_groups // UNITS
        features[first : first + _CHUNK] = np.bincount(place, count, len(chunk) * size).reshape(len(chunk), size)
    return features


def _logistic(features: Features, rows: NDArray[np.int64], classes: NDArray[np.int64], num_classes: int) -> Any:
    """Probabilities [sample, class] of a regression on square roots of counts, which have a variance of one size."""
    from sklearn.linear_model import LogisticRegression

    x = np.sqrt(features(rows))
    mean, sd = x.mean(0), np.maximum(x.std(0), 1e-6)
    present = np.unique(classes)

    if len(present) < 2:
        only = np.eye(num_classes)[present[0]]
        return lambda samples: np.tile(only, (len(samples), 1))
    fitted = LogisticRegression(C=STRENGTH, max_iter=MOST_ITERATIONS, tol=1e-3).fit((x - mean) / sd, classes)

    def predict(samples: NDArray[np.int64]) -> Array:
        class_probabilities = np.zeros((len(samples), num_classes))
        class_probabilities[:, fitted.classes_] = fitted.predict_proba((np.sqrt(features(samples)) - mean) / sd)
        return class_probabilities

    return predict
