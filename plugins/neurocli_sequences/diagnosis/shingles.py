"""How like two texts are: the share of their runs of tokens that they have in common, from a sketch of each text.

Bottom-k sketches: the lowest hashes of the set of runs, by which the Jaccard index of two sets is estimated without bias
(Broder 1997, Compression and Complexity of Sequences; Cohen & Kaplan 2007, PODC).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from neurocli_sequences.data.case_dataset import CaseData

RUN = 5
"""Tokens of a run."""
SKETCH = 64
CANDIDATES = 5
MOST_COMMON = 1000
"""Texts that share a run, above which it does not make them candidates."""
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)


def sketch(tokens: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The lowest 64 hashes of the runs of five tokens of a text, ascending; of a shorter text, of the whole."""
    run = min(RUN, len(tokens))
    runs = np.lib.stride_tricks.sliding_window_view(tokens.astype(np.uint64) + np.uint64(1), run)
    mixed = (runs * _MULTIPLIERS[:run]).sum(1, dtype=np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)  # splitmix64
    return np.unique(mixed)[:SKETCH]


def jaccard(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> float:
    """Share of the runs of two texts that both have, from their sketches."""
    union = np.union1d(first, second)[:SKETCH]
    return float((np.isin(union, first) & np.isin(union, second)).mean())


def nearest_texts(
    dataset: CaseData, cases: NDArray[np.int64], others: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """As `likeness.nearest`, by the runs of tokens that texts share; -1 for a text that shares none."""
    sketches = {int(n): sketch(dataset.sequence(int(n))) for n in np.union1d(cases, others)}
    hashes, index = np.unique(np.concatenate([sketches[int(n)] for n in others]), return_inverse=True)
    owner = np.repeat(np.arange(len(others)), [len(sketches[int(n)]) for n in others])
    table = sparse.csr_matrix((np.ones(len(index), np.int16), (index, owner)), (len(hashes), len(others)))
    best, similarity = np.full(len(cases), -1, np.int64), np.zeros(len(cases))
    for row, case in enumerate(cases):
        own = sketches[int(case)]
        at = np.searchsorted(hashes, own)
        at = at[(at < len(hashes)) & (hashes[np.minimum(at, len(hashes) - 1)] == own)]
        shared = np.concatenate(
            [np.zeros(0, np.int64)]
            + [
                table.indices[table.indptr[k] : table.indptr[k + 1]]
                for k in at
                if table.indptr[k + 1] - table.indptr[k] <= max(MOST_COMMON, len(others) // 10)
            ]
        ).astype(np.int64)
        candidates, count = np.unique(shared, return_counts=True)
        candidates, count = candidates[others[candidates] != case], count[others[candidates] != case]
        for k in candidates[np.argsort(-count, kind="stable")[:CANDIDATES]]:
            like = jaccard(own, sketches[int(others[k])])
            if like > similarity[row]:
                best[row], similarity[row] = others[k], like
    return best, similarity
