"""What a linear path recovers from worms in which the names of the neurons are permuted."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.moments import Moments
from neurocli_gat_lstm.data.series import WormSeries

Array = NDArray[np.float64]
NAMELESS, MOST_WORMS = 9, 8
"""How often a linear path is fitted to worms with permuted names, and to how many of them."""


def nameless_paths(data: WormData, seed: int = 0) -> list[Array]:
    """[draw] coefficients [name + 1, name + 1] [post, pre] of one frame's path, fitted to worms with permuted names.

    What is common to worms is gone with the names, and all else stays. The penalty is that of the first fold.
    """
    worms = [data.worms[group] for group in data.split.train if group in data.worms][:MOST_WORMS]
    allowed, penalty = data.linear_pairs, data.linear(0).penalty[1]
    rng = np.random.default_rng(seed)
    paths = []
    for _ in range(NAMELESS):
        moments = [Moments.of(_renamed(worm, rng), data.names, allowed, data.lags, (1,)) for worm in worms]
        total = reduce(add, moments)
        path = total.path(total.solve(penalty), total.shared(), 1)
        paths.append(np.pad(path.level + path.change, ((0, 1), (0, 1))))
    return paths


def _renamed(worm: WormSeries, rng: np.random.Generator) -> WormSeries:
    return replace(worm, names=tuple(worm.names[k] for k in rng.permutation(len(worm.names))))
