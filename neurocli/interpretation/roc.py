"""Area under the ROC curve: how well a score tells members from others. By ranks, so that a tie counts one half."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from neurocli.evaluation.intervals import Estimate, interval_from_left_out

Array = NDArray[np.float64]
FEWEST_UNITS = 5
"""Units that an interval by leaving one out needs."""
FEWEST_OF_EITHER = 10
"""Members, and others, that an area needs for an interval."""


def roc_auc(values: Array, member: NDArray[np.bool_]) -> float:
    """Area of values [sample] for membership [sample]; NaN where all are members, or none."""
    return float(roc_auc_of_ranks(rankdata(values)[:, None], member[None])[0, 0])


def roc_auc_of_ranks(ranks: Array, member: NDArray[np.bool_]) -> Array:
    """[way, column] areas of ranks [sample, column] (ties share their mean rank) for memberships [way, sample]."""
    inside = member.sum(1, keepdims=True).astype(np.float64)
    pairs = inside * (member.shape[1] - inside)
    above = member.astype(np.float64) @ ranks - inside * (inside + 1) / 2
    return np.divide(above, pairs, out=np.full(above.shape, np.nan), where=pairs > 0)


def roc_auc_over_units(values: Array, member: NDArray[np.bool_], units: NDArray[np.int64]) -> Estimate:
    """`roc_auc` with its 95 % interval over units [sample], by the jackknife.

    There is none for fewer than five units, and for fewer than ten members or others.
    """
    value = roc_auc(values, member)
    names, unit = np.unique(units, return_inverse=True)
    few = min(int(member.sum()), int((~member).sum())) < FEWEST_OF_EITHER
    if not np.isfinite(value) or len(names) < FEWEST_UNITS or few:
        return Estimate(value, np.nan, np.nan)
    # What members of one unit win against the others of another, from which the area without each unit follows.
    others, their_unit = values[~member], unit[~member]
    won = np.zeros((len(names), len(names)))
    for name in np.unique(unit[member]):
        own = np.sort(values[member & (unit == name)])
        above = len(own) - (np.searchsorted(own, others, "left") + np.searchsorted(own, others, "right")) / 2
        won[name] = np.bincount(their_unit, weights=above, minlength=len(names))
    inside, outside = (np.bincount(unit[chosen], minlength=len(names)) for chosen in (member, ~member))
    left = won.sum() - won.sum(0) - won.sum(1) + np.diag(won)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = left / ((inside.sum() - inside) * (outside.sum() - outside))
    weights = (inside + outside).astype(np.float64)
    return Estimate(value, *interval_from_left_out(value, without, link="logit", weights=weights))
