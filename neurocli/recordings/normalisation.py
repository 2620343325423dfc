"""Z-scores per channel, with statistics of the training groups only; the way back is always there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError


@dataclass(frozen=True)
class Normalisation:
    """mean and sd per channel [channel], in the recording's unit, and the groups they were fitted on."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    fitted_on: tuple[str, ...]

    @classmethod
    def fit(cls, signals: Iterable[tuple[str, NDArray[Any]]]) -> Normalisation:
        """Fit on (group, signal [time, channel]) pairs. Raises DataError for a channel that never changes."""
        count, total, squares, groups = 0, np.zeros(1), np.zeros(1), []
        for group, signal in signals:
            values = signal.astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(0), squares + (values**2).sum(0)
            groups.append(group)
        if count == 0:
            raise DataError(
                "there are no training data to take mean and standard deviation from",
                where="normalisation",
                hint="use more groups",
            )
        mean = total / count
        sd = np.sqrt(np.maximum(squares / count - mean**2, 0))
        constant = np.flatnonzero(sd < 1e-9 * np.maximum(np.abs(mean), 1))
        if constant.size:
            raise DataError(
                f"{constant.size} channels never change in the training groups (first: {constant[0]})",
                where="normalisation",
                hint="leave them out, or use longer recordings",
            )
        return cls(mean, sd, tuple(groups))

    def z(self, signal: NDArray[Any]) -> NDArray[np.float32]:
        """signal [..., channel] in its unit → z-scores."""
        return ((signal - self.mean) / self.sd).astype(np.float32)

    def restore(self, z: NDArray[Any]) -> NDArray[np.float32]:
        """z-scores [..., channel] → the recording's unit."""
        return (z * self.sd + self.mean).astype(np.float32)

    def as_dict(self) -> dict[str, Any]:
        return {"mean": self.mean.tolist(), "sd": self.sd.tolist(), "fitted_on": list(self.fitted_on)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Normalisation:
        return cls(np.array(values["mean"]), np.array(values["sd"]), tuple(values["fitted_on"]))
