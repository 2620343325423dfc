"""Whether names sit on the right columns is told by the traces: pairs go together, and no two neurons are one."""

from __future__ import annotations

import numpy as np

from neurocli_gat_lstm.data.pairs import FEWEST_PAIRS, pair_notes, twin_notes

CLASSES = ("ADA", "AIB", "AVA", "AVB", "AVE", "RIB", "RIM", "RIV", "RMD", "SAA")
NAMES = [f"{kind}{side}" for kind in CLASSES for side in "LR"]


def paired() -> np.ndarray:
    """[time, neuron] of NAMES: the two of a pair share half of their variance."""
    rng = np.random.default_rng(2)
    own, shared = rng.normal(size=(400, len(NAMES))), rng.normal(size=(400, len(CLASSES)))
    return (own + np.repeat(shared, 2, axis=1)).astype(np.float32)


def test_names_that_are_shifted_by_a_column_are_doubted():
    assert pair_notes(paired(), NAMES, "f") == []
    (note,) = pair_notes(paired(), [*NAMES[1:], NAMES[0]], "f")
    assert note.is_doubt and "pairs have no more in common than any two" in note.found


def test_missing_samples_and_neurons_do_not_matter():
    signal = paired()
    signal[:50, 3], signal[:, 8] = np.nan, np.nan
    assert pair_notes(signal, NAMES, "f") == []


def test_of_few_pairs_nothing_is_said():
    few = [name if k < 2 * (FEWEST_PAIRS - 1) else f"unidentified-{k}" for k, name in enumerate(NAMES)]
    assert pair_notes(np.random.default_rng(0).normal(size=(400, len(NAMES))), few, "f") == []


def test_two_neurons_with_one_trace_are_doubted_where_one_is_named():
    signal = paired()
    assert twin_notes(signal, NAMES, "f") == []
    signal[:, 5] = signal[:, 4]
    (note,) = twin_notes(signal, NAMES, "f")
    assert note.is_doubt and "columns with the same trace (counted from 1): 5 and 6" in note.found
    unnamed = [f"unidentified-{k}" if k in (4, 5) else name for k, name in enumerate(NAMES)]
    (note,) = twin_notes(signal, unnamed, "f")
    assert not note.is_doubt


def test_neurons_that_do_not_move_are_no_twins():
    signal = paired()
    signal[:, :2], signal[:, 2:4] = 0.3, np.nan
    assert twin_notes(signal, NAMES, "f") == []
