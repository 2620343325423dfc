"""Gradient-boosted trees as arrays of nodes: fitted by scikit-learn, kept as numbers, and evaluated by a compiled loop.

scikit-learn keeps a fitted ensemble as objects, which only a pickle could store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_LEAF = -1


def fit_trees(x: NDArray[np.float32], y: NDArray[np.float32], **options: Any) -> dict[str, NDArray[Any]]:
    """Fit x [row, feature] → y [row] by squared error; options are those of HistGradientBoostingRegressor.

    Gives `number` [node + 1], the threshold of a split or the value of a leaf, and at the end where the sum starts; `_feature` [node]
    (-1 in a leaf), `_left` and `_right` [node], `_root` [tree].
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # so that the cost is that of the work, and not of threads that wait
        model = HistGradientBoostingRegressor(early_stopping=False, random_state=0, **options).fit(x, y)
    trees, roots, first = [], [], 0
    for (tree,) in model._predictors:  # no public name; a test holds the loop below to `predict`
        roots.append(first)
        trees.append((tree.nodes, first))
        first += len(tree.nodes)
    leaf = np.concatenate([nodes["is_leaf"] for nodes, _ in trees]).astype(bool)

    def joined(field: str) -> NDArray[Any]:
        return np.concatenate([nodes[field] for nodes, _ in trees])

    def child(field: str) -> NDArray[np.int32]:
        return np.concatenate([nodes[field].astype(np.int64) + start for nodes, start in trees]).astype(np.int32)

    number = np.where(leaf, joined("value"), joined("num_threshold"))
    return {
        "number": np.append(number, np.ravel(model._baseline_prediction)[0]),
        "_feature": np.where(leaf, _LEAF, joined("feature_idx").astype(np.int64)).astype(np.int32),
        "_left": child("left"),
        "_right": child("right"),
        "_root": np.array(roots, np.int32),
    }


def predict_trees(arrays: Mapping[str, NDArray[Any]], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ensemble's prediction [row] for x [row, feature]."""
    names = ("number", "_feature", "_left", "_right", "_root")
    return _sum_of_trees(np.ascontiguousarray(x, np.float32), *(arrays[name] for name in names))


@njit(cache=True, nogil=True)
def _sum_of_trees(x, number, feature, left, right, root):
    out = np.empty(len(x), np.float32)
    for row in range(len(x)):
        total = number[-1]
        for tree in root:
            node = tree
            while feature[node] >= 0:
                node = left[node] if x[row, feature[node]] <= number[node] else right[node]
            total += number[node]
        out[row] = total
    return out
