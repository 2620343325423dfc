"""What scores of edges reach where there is nothing to find: other labels, other names, other weights."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from neurocli.evaluation.nulls import permutation_p
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.moments import Moments
from neurocli_gat_lstm.data.series import WormSeries

Array = NDArray[np.float64]
LABELS = 999
"""How often labels are dealt out anew."""
NAMELESS, MOST_WORMS = 9, 8
"""How often a linear path is fitted to worms without names, and to how many of them."""


@dataclass(frozen=True)
class Nulls:
    """mean, low, high: mean and 2.5 and 97.5 % of areas under the null; p: permutation p of what was found; n: how many."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def label_nulls(size: Array, member: NDArray[np.bool_], units: NDArray[np.int64], seed: int = 0) -> Nulls:
    """Areas of values [edge] where membership is dealt out anew within each unit [edge]: each neuron keeps its number.

    A unit whose edges are all members, or none, stays as it is.
    """
    inside, outside = int(member.sum()), int((~member).sum())
    if not inside or not outside:
        return Nulls(*(float("nan"),) * 4, 0)
    rng = np.random.default_rng(seed)
    ranks = stats.rankdata(size)
    by_unit = np.argsort(units, kind="stable")
    labels, unit = member[by_unit], units[by_unit]
    ranks = ranks[by_unit]
    areas = np.empty(LABELS)
    for draw in range(LABELS):
        order = np.lexsort((rng.random(len(unit)), unit))
        areas[draw] = (ranks[labels[order]].sum() - inside * (inside + 1) / 2) / (inside * outside)
    value = float((ranks[labels].sum() - inside * (inside + 1) / 2) / (inside * outside))
    low, high = np.quantile(areas, [0.025, 0.975])
    return Nulls(float(areas.mean()), float(low), float(high), permutation_p(value, areas), LABELS)


def nameless_paths(data: WormData, seed: int = 0) -> list[Array]:
    """[draw] coefficients [name + 1, name + 1] [post, pre] of one frame's path, fitted to worms whose names are dealt out anew.

    What is common to worms is gone with the names, and all else stays. The penalty is that of the first fold.
    """
    worms = [data.worms[group] for group in data.split.train if group in data.worms][:MOST_WORMS]
    allowed, penalty = data.linear_pairs, data.linear(0).penalty[1]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(NAMELESS):
        each = [Moments.of(_renamed(worm, rng), data.names, allowed, data.lags, (1,)) for worm in worms]
        total = reduce(add, each)
        path = total.path(total.solve(penalty), total.shared(), 1)
        found.append(np.pad(path.level + path.change, ((0, 1), (0, 1))))
    return found


def _renamed(worm: WormSeries, rng: np.random.Generator) -> WormSeries:
    return replace(worm, names=tuple(worm.names[k] for k in rng.permutation(len(worm.names))))


def scrambled(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The module with the weights of every tensor dealt out anew: random, of the trained scale. Buffers stay."""
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other.eval()
