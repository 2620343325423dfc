"""The area under the ROC curve with permuted labels: who is a member is left to chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from neurocli.evaluation.nulls import NullBand
from neurocli.interpretation.roc import roc_auc, roc_auc_of_ranks

LABELLINGS = 999
"""How often labels are permuted."""


def roc_auc_label_null(
    values: NDArray[np.float64], member: NDArray[np.bool_], units: NDArray[np.int64], seed: int = 0
) -> NullBand:
    """`roc_auc` of values [sample] among those where membership is permuted within each unit [sample].

    Each unit keeps its number of members; one whose samples are all members, or none, stays as it is. NaN without nulls
    where there is no area.
    """
    value = roc_auc(values, member)
    if not np.isfinite(value):
        return NullBand.of(value, np.empty(0))
    by_unit = np.argsort(units, kind="stable")
    ranks, labels, unit = rankdata(values)[by_unit, None], member[by_unit], units[by_unit]
    rng = np.random.default_rng(seed)
    areas = np.empty(LABELLINGS)
    for draw in range(LABELLINGS):
        within = np.lexsort((rng.random(len(unit)), unit))
        areas[draw] = roc_auc_of_ranks(ranks, labels[within][None])[0, 0]
    return NullBand.of(value, areas)
