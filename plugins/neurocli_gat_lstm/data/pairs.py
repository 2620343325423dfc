"""Whether names sit on the right columns: no two neurons have one trace, and a left neuron goes together with the right one of its pair, and less with others.

Of the named neurons of a worm, the part that a neuron is less correlated with than with the other of its pair: 0.89 to 0.93 in published
worms, 0.58 or more in simulated ones, 0.5 by chance. Labels that are shifted by a column, or are another worm's, have 0.4 to 0.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.words import listed
from neurocli.recordings import Note

FEWEST_PAIRS = 8
LEAST_RANK = 0.55
_FEWEST_FRAMES = 100


def pair_notes(signal: NDArray[np.floating], channels: list[str], where: str) -> list[Note]:
    """A doubt where the left and right neurons of a worm [time, neuron], NaN where there is no number, have nothing in common."""
    column = {name: k for k, name in enumerate(channels) if not name.startswith("unidentified-")}
    place = {name: n for n, name in enumerate(column)}
    pairs = [(n, place[name[:-1] + "R"]) for name, n in place.items() if name[-1] == "L" and name[:-1] + "R" in place]
    if len(pairs) < FEWEST_PAIRS or len(signal) < _FEWEST_FRAMES:
        return []
    with np.errstate(all="ignore"):  # of a neuron without numbers, or without movement, there is no correlation
        values = signal[:, list(column.values())].astype(np.float64)
        finite = np.isfinite(values)
        mean = np.where(finite, values, 0.0).sum(axis=0) / finite.sum(axis=0)
        values = np.where(finite, values - mean, 0.0)
        values /= np.sqrt(np.square(values).sum(axis=0))
    correlation = np.nan_to_num(values.T @ values)
    np.fill_diagonal(correlation, np.inf)
    ends = np.array(pairs)
    one, other = np.concatenate([ends, ends[:, ::-1]]).T
    less = correlation[one] < correlation[one, other][:, None]
    rank = float(less.sum(axis=1).mean() / (len(place) - 2))
    if rank >= LEAST_RANK:
        return []
    found = (
        f"the left and right neurons of {len(pairs)} pairs have no more in common than any two (of the others, {rank:.0%} are less"
        " like a neuron than its partner is; by chance 50%): are the names on other columns?"
    )
    advice = "find out whether names and traces were shifted against each other, or are of different worms"
    return [Note("left-right", where, found, advice)]


def twin_notes(signal: NDArray[np.floating], channels: list[str], where: str) -> list[Note]:
    """Neurons of a worm [time, neuron] with one trace between them; a doubt where one of the two is named, or both."""
    if len(signal) < _FEWEST_FRAMES:
        return []
    first: dict[bytes, int] = {}
    unnamed: list[str] = []
    named: list[str] = []
    for column, trace in enumerate(signal.T):
        finite = trace[np.isfinite(trace)]
        if not finite.size or finite.min() == finite.max():
            continue
        other = first.setdefault(trace.tobytes(), column)
        if other != column:
            are_named = any(not channels[k].startswith("unidentified-") for k in (other, column))
            (named if are_named else unnamed).append(f"{other + 1} and {column + 1}")
    found = "columns with the same trace (counted from 1): {}"
    advice = "find out which of the two neurons it is, and leave the other one out"
    notes = [Note("same-traces", where, found.format(listed(named)), advice)] if named else []
    return notes + ([Note("same-traces", where, found.format(listed(unnamed)))] if unnamed else [])
