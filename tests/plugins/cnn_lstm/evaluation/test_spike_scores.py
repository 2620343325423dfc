"""Scores of spike probabilities, run by run, against scikit-learn's of all targets at once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from neurocli_cnn_lstm.evaluation.spike_scores import spike_scores


@pytest.mark.parametrize("digits", [1, 2, 7])  # few values: most are shared by targets with and without a spike
def test_scores_are_those_of_all_targets_together(digits: int) -> None:
    rng = np.random.default_rng(digits)
    probability = [rng.beta(0.3, 4, n).astype(np.float32).round(digits) for n in (500, 20_000, 3)]
    spiked = [rng.random(len(p)) < p for p in probability]
    spiked[2][:] = False  # a run without a spike
    scores = spike_scores(lambda: zip(spiked, probability, strict=True))
    came, told = np.concatenate(spiked), np.concatenate(probability)
    assert scores["auroc"] == pytest.approx(roc_auc_score(came, told), rel=1e-13)
    assert scores["average_precision"] == pytest.approx(average_precision_score(came, told), rel=1e-13)
    assert scores["brier"] == pytest.approx(brier_score_loss(came, told.astype(np.float64)), rel=1e-6)  # of float32


@pytest.mark.parametrize("all_alike", [False, True])
def test_there_is_no_score_where_all_targets_are_alike(all_alike: bool) -> None:
    probability = np.linspace(0, 1, 20, dtype=np.float32)
    assert spike_scores(lambda: [(np.full(20, all_alike), probability)]) == {}
