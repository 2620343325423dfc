"""A matrix of weights as a picture: red excites, blue inhibits, white is nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw_weights(
    axis: Any, weights: NDArray[np.float64], limit: float, excitatory: NDArray[np.bool_] | None = None
) -> Any:
    """Draw weights [post, pre] on an axis, with colours up to ±limit; returns the picture, for a colour bar.

    excitatory [unit]: E units are drawn first, then I, with lines between them.
    """
    if excitatory is None:
        return axis.imshow(weights, cmap="RdBu_r", vmin=-limit, vmax=limit)
    order = np.argsort(~excitatory, kind="stable")
    picture = axis.imshow(
        weights[np.ix_(order, order)], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    for line in (axis.axhline, axis.axvline):
        line(int(excitatory.sum()) - 0.5, color="k", lw=0.8)
    return picture
