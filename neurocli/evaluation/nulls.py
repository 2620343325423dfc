"""A value among those of its null: what chance, with everything else kept, would have given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def permutation_p(value: float, nulls: Iterable[float], higher: bool = True) -> float:
    """One-sided p: (1 + number of nulls at least as good) / (1 + number of nulls); NaN without any, or without a value.

    higher: whether a higher value is the better one. A null without a score counts as at least as good: no p gains from it.
    """
    drawn = np.asarray(list(nulls), np.float64)
    if not np.isfinite(drawn).any() or not np.isfinite(value):
        return float("nan")
    as_good = ~(drawn < value) if higher else ~(drawn > value)
    return float((1 + as_good.sum()) / (1 + drawn.size))


@dataclass(frozen=True)
class NullBand:
    """A value beside its null: mean, 2.5 % and 97.5 % quantiles, permutation p, how many nulls."""

    value: float
    mean: float
    low: float
    high: float
    p: float
    n_nulls: int

    @classmethod
    def of(cls, value: float, nulls: NDArray[np.float64], higher: bool = True) -> NullBand:
        """nulls [null]; those that are not numbers are left out."""
        drawn = np.asarray(nulls, np.float64)
        known = drawn[np.isfinite(drawn)]
        if not known.size:
            return cls(value, *(float("nan"),) * 4, 0)
        low, high = (float(q) for q in np.quantile(known, [0.025, 0.975]))
        return cls(value, float(known.mean()), low, high, permutation_p(value, drawn, higher), drawn.size)
