"""Ridge regression from sums of products, block by block: memory depends on the number of coefficients and not of the rows.

The sums are additive: those without a part of the rows, which leaving it out asks for, are a difference or a sum of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import add, sub
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Solver = Literal["lstsq", "lu", "cholesky"]
"""lstsq: the smallest solution of equations that have many, as with constant or duplicate features and no penalty; lu: the usual one;
cholesky: for many small equations, by lstsq where they are not positive definite."""


class NormalEquations:
    """Sums over rows of x'x, x'y and y², and of x and y where the intercept is free, in float64.

    rows: their number, or the sum of their weights; xx [feature, feature]; xy [feature, target]; yy, y [target]; x [feature].
    """

    def __init__(self, features: int, targets: int, *, intercept: bool = True) -> None:
        self.intercept, self.rows = intercept, 0.0
        self.xx, self.xy, self.yy = np.zeros((features, features)), np.zeros((features, targets)), np.zeros(targets)
        self.x, self.y = np.zeros(features), np.zeros(targets)

    def add(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        weight: Array | None = None,
        *,
        at: NDArray[np.intp] | None = None,
    ) -> None:
        """Add rows x [row, feature], y [row, target], which count by weight [row]; products have the precision of what is given.

        at: which features the columns of x are, where they are not all; the others are zero in these rows.
        """
        weighted = x if weight is None else x * weight[:, None]
        among: Any = slice(None) if at is None else at
        self.rows += len(x) if weight is None else float(weight.sum())
        self.xx[among if at is None else np.ix_(at, at)] += x.T @ weighted
        self.xy[among] += weighted.T @ y
        # einsum: a sum along few columns takes five times as long.
        self.yy += (
            np.einsum("rt,rt->t", y, y, dtype=np.float64) if weight is None else weight @ np.square(y, dtype=np.float64)
        )
        if self.intercept:
            self.x[among] += weighted.sum(0)
            self.y += y.sum(0) if weight is None else weight @ y

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return self._joined(add, other)

    def __sub__(self, other: NormalEquations) -> NormalEquations:
        """The sums without the rows of `other`, which are among them."""
        return self._joined(sub, other)

    def of_features(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> NormalEquations:
        """The equations of some features alone."""
        pairs = np.ix_(chosen, chosen)
        return self._with(self.rows, self.xx[pairs], self.xy[chosen], self.yy, self.x[chosen], self.y)

    def last_as_intercept(self) -> NormalEquations:
        """The equations without their last feature, a column of ones, whose coefficient becomes the free intercept."""
        ones = self.xx[-1]
        sums = float(ones[-1]), self.xx[:-1, :-1], self.xy[:-1], self.yy, ones[:-1], self.xy[-1]
        return self._with(*sums, intercept=True)

    def solve(
        self, penalty: float | Array, *, towards: Array | None = None, solver: Solver = "lstsq"
    ) -> tuple[Array, Array]:
        """(coefficients [feature, target], intercept [target]) of least squared error plus penalised squares.

        penalty: of squared coefficients against the *sum* of squared errors, one or [feature]; towards: [feature, target], from where
        coefficients are counted, zero by default. The intercept is not penalised; it is zero where it is not free.
        """
        square, product = self._centred()
        if towards is not None:
            product = product + (penalty * towards.T).T
        square.flat[:: len(square) + 1] += penalty
        return self._with_intercept(_solved(square, product, solver))

    def path(self, penalties: Iterable[float]) -> Iterator[tuple[Array, Array]]:
        """What `solve` gives for one penalty after another, from one decomposition."""
        square, product = self._centred()
        values, vectors = np.linalg.eigh(square)
        along = vectors.T @ product
        for penalty in penalties:
            yield self._with_intercept(vectors @ (along / (np.maximum(values, 0)[:, None] + penalty)))

    def explained(self, coefficients: Array, intercept: Array | float = 0.0) -> Array:
        """[target] what coefficients of whatever rows take away from the sum of squares of y on these; an intercept wants a free one."""
        taken: Array = (2 * self.xy * coefficients - coefficients * (self.xx @ coefficients)).sum(axis=0)
        if self.intercept:
            taken += intercept * (2 * (self.y - self.x @ coefficients) - intercept * self.rows)
        return taken

    def squared_error(self, coefficients: Array, intercept: Array | float = 0.0) -> Array:
        """[target] sum of squared errors on these rows, of coefficients of whatever rows."""
        return self.yy - self.explained(coefficients, intercept)

    @property
    def _sums(self) -> tuple[Any, ...]:
        return self.rows, self.xx, self.xy, self.yy, self.x, self.y

    def _joined(self, how: Callable[[Any, Any], Any], other: NormalEquations) -> NormalEquations:
        return self._with(*map(how, self._sums, other._sums))

    def _with(self, *sums: Any, intercept: bool | None = None) -> NormalEquations:
        equations = object.__new__(NormalEquations)
        equations.intercept = self.intercept if intercept is None else intercept
        equations.rows, equations.xx, equations.xy, equations.yy, equations.x, equations.y = sums
        return equations

    def _centred(self) -> tuple[Array, Array]:
        """x'x, to be written to, and x'y; about the means where the intercept is free, which equals fitting it."""
        if not self.intercept:
            return self.xx.copy(), self.xy
        rows = max(self.rows, 1)
        x, y = self.x / rows, self.y / rows
        return self.xx - rows * np.outer(x, x), self.xy - rows * np.outer(x, y)

    def _with_intercept(self, coefficients: Array) -> tuple[Array, Array]:
        if not self.intercept:
            return coefficients, np.zeros(coefficients.shape[1])
        rows = max(self.rows, 1)
        return coefficients, self.y / rows - self.x / rows @ coefficients


def _solved(square: Array, product: Array, solver: Solver) -> Array:
    if solver == "lu":
        return np.asarray(np.linalg.solve(square, product), np.float64)
    if solver == "cholesky":
        from scipy.linalg import lapack

        # LAPACK itself: checks around it would take three times as long as systems of a few dozen features.
        _, solved, failed = lapack.dposv(square, product)
        if not failed:
            return np.asarray(solved, np.float64)
    return np.asarray(np.linalg.lstsq(square, product, rcond=None)[0], np.float64)
