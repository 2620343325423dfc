"""Linear forecasts that any family can be compared with: persistence, and ridge regression on lags.

All of them map a series [time, channel] to forecasts [time, channel]: row t is the forecast of row t + horizon_steps
from the rows up to t. Each horizon has its own direct fit; nothing is iterated. Where lags are missing (the first
order - 1 rows, gaps in the data) the forecast is NaN. The normal equations are summed run by run in float64, so memory
depends on the number of coefficients and not on the length of the data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.normal_equations import NormalEquations

_BLOCK_BYTES = 32 * 2**20  # of one block of the design matrix


def persistence(series: NDArray[np.floating], horizon_steps: int = 1) -> NDArray[np.floating]:
    """The forecast that nothing changes, at any horizon: the series [time, channel] itself."""
    return series


class _LagRidge(ABC):
    """What both regressions share: an order, a penalty, a fit and a forecast."""

    _product: Callable[..., Any]
    intercept: Any = 0.0

    def __init__(self, order: int, alpha: float) -> None:
        if order < 1:
            raise ValueError("order must be at least 1")
        if alpha < 0:
            raise ValueError("alpha must not be below 0")
        self.order, self.alpha = order, alpha
        self.coefficients: NDArray[np.float64] | None = None

    def fit(self, series: Iterable[NDArray[np.floating]], horizon_steps: int) -> Self:
        """Fit on runs of [time, channel]."""
        return self.fit_horizons(series, [horizon_steps])[0]

    @abstractmethod
    def fit_horizons(self, series: Iterable[NDArray[np.floating]], horizons: Sequence[int]) -> list[Self]:
        """One fitted model per horizon, for the price of one: they share rows and lags. The first one is this one."""

    def predict(self, series: NDArray[np.floating]) -> NDArray[np.float64]:
        """series [time, channel] → forecasts [time, channel] of horizon_steps later."""
        if self.coefficients is None:
            raise RuntimeError("fit the model first")
        return _sum_over_lags(series, self.coefficients, self.intercept, self._product)

    def _solved(self, sums: NormalEquations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(coefficients [feature, target], intercept [target])."""
        if sums.rows == 0:
            raise DataError(
                "no run is long enough for the lags and the horizon",
                where="linear baseline",
                hint="use longer runs, or shorter horizons",
            )
        return sums.solve(self.alpha)

    def _each(self, horizons: Sequence[int]) -> list[Self]:
        return [self, *(type(self)(self.order, self.alpha) for _ in horizons[1:])]


class ARRidge(_LagRidge):
    """Autoregression on a channel's own last `order` rows, with one coefficient vector shared by all channels.

    coefficients: [lag], lag 0 first. alpha: weight of the squared coefficients against the *sum* of squared errors; the intercept is
    free. Put the channels on one scale first (z-scores): they share the intercept too. Their number may differ from run to run.
    """

    _product = staticmethod(np.multiply)

    def __init__(self, order: int = 20, alpha: float = 1.0) -> None:
        super().__init__(order, alpha)

    def fit_horizons(self, series: Iterable[NDArray[np.floating]], horizons: Sequence[int]) -> list[Self]:
        sums = NormalEquations(self.order, len(horizons))
        for run in series:
            for channel in range(run.shape[1]):
                for x, y in _blocks(run[:, channel : channel + 1], self.order, horizons):
                    sums.add(x, y)
        coefficients, intercept = self._solved(sums)
        models = self._each(horizons)
        for k, model in enumerate(models):
            model.coefficients, model.intercept = coefficients[:, k], float(intercept[k])
        return models


class VARRidge(_LagRidge):
    """Vector autoregression: the last `order` rows of all channels → all channels, which are the same in all runs.

    coefficients: [lag, source channel, target channel], lag 0 first; see ARRidge for alpha. Rows with a missing value are left out.
    """

    _product = staticmethod(np.matmul)

    def __init__(self, order: int = 1, alpha: float = 1.0) -> None:
        super().__init__(order, alpha)

    def fit_horizons(self, series: Iterable[NDArray[np.floating]], horizons: Sequence[int]) -> list[Self]:
        sums, channels = None, 0
        for run in series:
            if sums is None:
                channels = run.shape[1]
                sums = NormalEquations(self.order * channels, channels * len(horizons))
            if run.shape[1] != channels:
                raise DataError(
                    f"a run has {run.shape[1]} channels, the first one {channels}",
                    where="VAR baseline",
                    hint="leave the odd run out",
                )
            for x, y in _blocks(run, self.order, horizons):
                sums.add(x, y)
        if sums is None:
            raise DataError("there are no data to fit", where="VAR baseline", hint="use data with training groups")
        coefficients, intercept = self._solved(sums)
        models = self._each(horizons)
        for k, model in enumerate(models):
            targets = slice(k * channels, (k + 1) * channels)
            model.coefficients = coefficients[:, targets].reshape(self.order, channels, channels)
            model.intercept = intercept[targets]
        return models


def _sum_over_lags(
    series: NDArray[np.floating], coefficients: NDArray[np.float64], intercept: Any, product: Callable[..., Any]
) -> NDArray[np.float64]:
    """[time, channel]: intercept plus the `product` of every lag of the series with its coefficient; NaN before the first."""
    order = len(coefficients)
    forecast = np.full(series.shape, np.nan)
    rows = len(series) - order + 1
    if rows > 0:
        forecast[order - 1 :] = intercept
        for lag, coefficient in enumerate(coefficients):
            first = order - 1 - lag
            forecast[order - 1 :] += product(series[first : first + rows].astype(np.float64), coefficient)
    return forecast


def _blocks(
    run: NDArray[np.floating], order: int, horizons: Sequence[int]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """run [time, channel] → blocks of (x [row, lag * channel], y [row, horizon * channel]), complete rows only."""
    if min(horizons) < 1:
        raise ValueError("horizon_steps must be at least 1")
    channels, last = run.shape[1], len(run) - max(horizons)
    size = max(1, _BLOCK_BYTES // (8 * order * channels))
    for start in range(order - 1, last, size):
        stop = min(start + size, last)
        x = np.empty((stop - start, order, channels))
        for lag in range(order):
            x[:, lag] = run[start - lag : stop - lag]
        flat = x.reshape(stop - start, -1)
        y = np.concatenate([run[start + h : stop + h] for h in horizons], axis=1).astype(np.float64)
        complete = np.isfinite(flat).all(1) & np.isfinite(y).all(1)
        yield (flat, y) if complete.all() else (flat[complete], y[complete])
