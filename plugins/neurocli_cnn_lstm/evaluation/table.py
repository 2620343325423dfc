"""The one-dimensional table: a neuron's own last voltage → the mean of what followed.

At most 180 numbers, fitted in one pass, and above the published network: the baseline that a forecast must beat. It
sees what a linear model cannot, that a neuron near threshold is about to fall back to rest.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError


class TableForecast:
    """Forecast of v by the conditional mean in its own last bin, pooled over neurons and runs.

    bin_mv: width of a bin; bins are centred on rest_mv, so that the clamped samples fill a bin of their own.
    flags: one table for each of (clamped now?, clamped in the previous sample?) instead of one for all. A sample counts
    as clamped within clamp_mv of rest_mv: an artefact of simulators, which recordings do not have.
    """

    def __init__(
        self, bin_mv: float = 0.25, flags: bool = False, rest_mv: float = -70.0, clamp_mv: float = 0.05
    ) -> None:
        if bin_mv <= 0:
            raise ValueError("bin_mv must be above 0")
        self.bin_mv, self.flags, self.rest_mv, self.clamp_mv = bin_mv, flags, rest_mv, clamp_mv
        self.values: NDArray[np.float64] | None = None
        """[table, bin] mV; the tables are free, clamped now, clamped before, clamped in both."""
        self.first_bin = 0

    @property
    def parameters(self) -> int:
        """How many numbers the tables hold."""
        return 0 if self.values is None else self.values.size

    def fit(self, voltages: Iterable[NDArray[np.floating]], horizon_steps: int) -> TableForecast:
        """Fit on runs of voltage [time, neuron] in mV, for the voltage `horizon_steps` samples later."""
        if horizon_steps < 1:
            raise ValueError("horizon_steps must be at least 1")
        counts = [counted for voltage in voltages if (counted := self._count(voltage, horizon_steps)) is not None]
        if not counts:
            raise DataError(
                "no run is longer than the horizon",
                where="table baseline",
                hint="use longer runs, or lower evaluate.horizons_ms",
            )
        first = min(low for low, _, _ in counts)
        bins = max(low + count.shape[1] for low, _, count in counts) - first
        total, count = np.zeros((2, counts[0][1].shape[0], bins))
        for low, part_total, part_count in counts:
            place = slice(low - first, low - first + part_count.shape[1])
            total[:, place] += part_total
            count[:, place] += part_count
        pooled = _filled(total.sum(0), count.sum(0), None)
        self.values = np.stack([_filled(t, c, pooled) for t, c in zip(total, count, strict=True)])
        self.first_bin = first
        return self

    def predict(self, voltage: NDArray[np.floating]) -> NDArray[np.float64]:
        """voltage [time, neuron] in mV → forecast [time, neuron] in mV of the fitted horizon later; NaN stays NaN."""
        if self.values is None:
            raise RuntimeError("fit the table first")
        finite = np.isfinite(voltage)
        bins = self._bins(np.where(finite, voltage, self.rest_mv)) - self.first_bin
        forecast = self.values[self._tables(voltage), np.clip(bins, 0, self.values.shape[1] - 1)]
        return np.where(finite, forecast, np.nan)

    def _bins(self, voltage: NDArray[np.floating]) -> NDArray[np.int64]:
        """Number of each sample's bin, counted from rest_mv."""
        return np.rint((voltage.astype(np.float64) - self.rest_mv) / self.bin_mv).astype(np.int64)

    def _tables(self, voltage: NDArray[np.floating]) -> NDArray[np.int64]:
        """Which table each sample of voltage [time, neuron] is read from; the first counts as not clamped before."""
        if not self.flags:
            return np.zeros(voltage.shape, np.int64)
        clamped = (np.abs(voltage - self.rest_mv) < self.clamp_mv).astype(np.int64)
        clamped[1:] += 2 * (clamped[:-1] & 1)
        return clamped

    def _count(
        self, voltage: NDArray[np.floating], horizon: int
    ) -> tuple[int, NDArray[np.floating], NDArray[np.integer]] | None:
        """One run → (first bin, sum of targets [table, bin], number of them [table, bin]); None if it is too short."""
        now, later = voltage[:-horizon], voltage[horizon:]
        finite = np.isfinite(now) & np.isfinite(later)
        if not finite.any():
            return None
        bins, which = self._bins(now[finite]), self._tables(voltage)[:-horizon][finite]
        low, width, tables = int(bins.min()), int(np.ptp(bins)) + 1, 4 if self.flags else 1
        cell = which * width + bins - low
        total = np.bincount(cell, later[finite].astype(np.float64), tables * width).astype(np.float64)
        count = np.bincount(cell, minlength=tables * width)
        return low, total.reshape(tables, width), count.reshape(tables, width)


def _filled(
    total: NDArray[np.float64], count: NDArray[np.float64], fallback: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Means [bin] of the bins with data, and straight lines between them; a table without any data is the fallback."""
    full = np.flatnonzero(count)
    if not full.size:
        assert fallback is not None
        return fallback
    return np.interp(np.arange(count.size), full, total[full] / count[full])
