"""Whether a file with one change is read to the same values, refused, or flagged; never read to others in silence.

A property test of a reader writes a valid file, changes one thing (a unit, a type, the order of axes, padding, a name, the
encoding, the packing), and asks `outcome`. `SILENT` is what must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from neurocli.diagnosis import Finding
from neurocli.errors import DataError, MissingDependency
from neurocli.recordings import Recording, RecordingSet

SAME, REFUSED, FLAGGED, SILENT = "same", "refused", "flagged", "silent"
Checks = Callable[[RecordingSet], Iterable[Finding]]


def outcome(base: RecordingSet, read: Callable[[], RecordingSet], checks: Checks) -> str:
    """What became of a changed file. base: what the unchanged one gives; read: reads the changed one; checks: findings of a set.

    FLAGGED asks for a doubt of the reader, or for a check that warns or fails here and not on the base: the same check with
    another value is a symptom that nobody would look at.
    """
    try:
        changed = read()
        recordings = [changed[group] for group in changed]
    except (DataError, MissingDependency) as error:
        assert error.where and error.hint and error.message, f"an error without place or advice: {error!r}"
        return REFUSED
    if same(base, recordings):
        return SAME
    if any(note.is_doubt for note in changed.notes):
        return FLAGGED
    try:
        raised = raised_checks(checks(changed)) - raised_checks(checks(base))
    except DataError:
        return REFUSED
    return FLAGGED if raised else SILENT


def raised_checks(findings: Iterable[Finding]) -> set[str]:
    """Names of the checks that warn or fail."""
    return {finding.check for finding in findings if finding.verdict != "PASS"}


def same(base: RecordingSet, recordings: list[Recording]) -> bool:
    """Whether all that a model may be fitted on is the same, up to the digits that a format keeps; groups may be renamed."""
    if len(base) != len(recordings):
        return False
    return all(_same(base[group], other) for group, other in zip(base, recordings, strict=True))


def _same(first: Recording, second: Recording) -> bool:
    return (
        first.unit == second.unit
        and first.channels == second.channels
        and np.isclose(first.dt_ms, second.dt_ms, rtol=1e-4)
        and _close(first.signal, second.signal)
        and _close(_mask(first), _mask(second))
        and _close(first.inputs, second.inputs)
        and _spikes(first, second)
        and first.events.keys() == second.events.keys()
        and all(_close(first.events[name], second.events[name]) for name in first.events)
        and _labels(first) == _labels(second)
    )


def _mask(recording: Recording) -> Any:
    return np.ones(recording.signal.shape, bool) if recording.mask is None else recording.mask


def _close(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return first is second
    first, second = np.asarray(first), np.asarray(second)
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-4, atol=1e-4, equal_nan=True))


def _spikes(first: Recording, second: Recording) -> bool:
    if first.spikes is None or second.spikes is None:
        return first.spikes is second.spikes
    return _close(first.spikes.time_ms, second.spikes.time_ms) and _close(first.spikes.channel, second.spikes.channel)


def _labels(recording: Recording) -> dict[str, Any]:
    """Labels but for what only says which file it is."""
    return {k: v for k, v in recording.labels.items() if k not in ("file", "index", "source", "worm")}
