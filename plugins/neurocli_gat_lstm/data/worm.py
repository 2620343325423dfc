"""One recorded worm: what every reader of the family hands over, checked and made into a `Recording`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_gat_lstm.graph.names import canonical, is_neuron

META = {"kind": "worm"}
"""The meta of every set of worms: sets with another cannot be joined to it."""

DFF, Z_SCORE, ARBITRARY = "dF/F0", "z-score", "a.u."
GCAMP, GFP, UNKNOWN = "gcamp", "gfp", "unknown"
STANDARD = "standard"
"""The published word for z-scores over the whole recording."""


@dataclass
class Worm:
    """Traces of one worm at the rate and in the unit of its file.

    source, worm: the key; `worm` alone is unique only within a source. time_s: [time], ascending. traces: [time, neuron].
    names: one for each column, as the file spells it; None or what is no name for a neuron that was not identified.
    state: [time] behaviour as a whole number. where: file and place, for errors.
    """

    source: str
    worm: str
    time_s: NDArray[Any]
    traces: NDArray[Any]
    names: Sequence[str | None]
    unit: str
    where: str
    file: str
    indicator: str = UNKNOWN
    normalization_method: str = UNKNOWN
    smooth_method: str = UNKNOWN
    interpolate_method: str = UNKNOWN
    state: NDArray[Any] | None = None
    states: Sequence[str] = ()
    """What the numbers in `state` mean, where the file says it."""

    @property
    def group(self) -> str:
        """Its name in a set of recordings."""
        return group_name(self.source, self.worm)

    def recording(self) -> Recording:
        """The worm as a recording. Raises DataError where time, traces, names and states do not fit together."""
        traces, time_s = np.asarray(self.traces), np.asarray(self.time_s)
        if traces.ndim != 2 or traces.shape[1] == 0:
            raise self._error(f"the traces have the shape {traces.shape}, and not time x neurons")
        if time_s.shape != traces.shape[:1] or len(self.names) != traces.shape[1]:
            raise self._error(
                f"{len(time_s.ravel())} times and {len(self.names)} names do not fit traces of the shape {traces.shape}"
            )
        if len(time_s) < 2:
            raise self._error(f"{len(time_s)} frames are no recording")
        time_s = self._ascending(time_s.astype(np.float64))
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is inf, and masked
            signal = np.ascontiguousarray(traces, dtype=np.float32)
        finite = np.isfinite(signal)
        if not finite.any():
            raise self._error("not one sample of the traces is a number")
        events: dict[str, NDArray[Any]] = {"time_s": time_s}
        labels = {name: getattr(self, name) for name in _LABELS}
        if self.state is not None:
            events["state"] = self._whole_states(len(time_s))
            if self.states:
                labels["states"] = ",".join(self.states)
        return Recording(
            group=self.group,
            signal=signal,
            dt_ms=float(np.median(np.diff(time_s)) * 1e3),
            unit=self.unit,
            channels=self._channels(),
            mask=None if finite.all() else finite,
            events=events,
            labels=labels,
        )

    def _ascending(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        wrong = ~np.isfinite(time_s)
        wrong[1:] |= ~(np.diff(time_s) > 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            before = f" after {time_s[row - 1]:g} s" if row else ""
            raise self._error(
                f"the time of row {row} (counted from 0) is {time_s[row]:g} s{before}",
                hint="times must ascend; correct or cut the recording",
            )
        return time_s

    def _channels(self) -> list[str]:
        """Names by column. Raises DataError where two columns are the same neuron.

        A text that is no neuron's, as the class AVA, stays where it is unique; where it is not, it identifies nobody.
        """
        known = [canonical(raw) if raw else None for raw in self.names]
        columns: dict[str, int] = {}
        channels = []
        for column, name in enumerate(known, start=1):
            if name is None or (not is_neuron(name) and known.count(name) > 1):
                channels.append(f"unidentified-{column}")
                continue
            first = columns.setdefault(name, column)
            if first != column:
                raise self._error(
                    f"columns {first} and {column} (counted from 1) are both the neuron {name}",
                    hint="keep one of them, or remove the name of the other",
                )
            channels.append(name)
        return channels

    def _whole_states(self, steps: int) -> NDArray[np.int64]:
        state = np.asarray(self.state).ravel()
        whole = state.dtype.kind in "biuf" and np.isfinite(state).all() and bool((np.abs(state) < 2**31).all())
        if not whole or state.shape != (steps,) or (state != np.rint(state)).any():
            raise self._error(f"the states are not {steps} whole numbers, one for each frame")
        return state.astype(np.int64)

    def _error(self, message: str, *, hint: str = "correct the file, or leave it out") -> DataError:
        return DataError(message, where=self.where, hint=hint)


_LABELS = ("source", "worm", "indicator", "normalization_method", "smooth_method", "interpolate_method", "file")


def worm_set(recordings: Iterable[Recording], paths: Sequence[Path]) -> RecordingSet:
    """The worms of some files as one set; a worm that two files hold alike is taken once.

    Raises DataError where two different worms have one name.
    """
    by_group: dict[str, Recording] = {}
    for recording in recordings:
        other = by_group.setdefault(recording.group, recording)
        if other is not recording and not _alike(other, recording):
            files = dict.fromkeys([str(other.labels["file"]), str(recording.labels["file"])])
            raise DataError(
                f"two different worms are called {recording.group}",
                where=", ".join(files),
                hint="source and worm together must be unique: rename one",
            )
    return RecordingSet.of(list(by_group.values()), meta=META, sources=[str(path) for path in paths])


def group_name(source: str, worm: str) -> str:
    """`Kato2015-worm0`: what a worm is called in a set; characters that a path cannot have become "_"."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{source}-{worm}")


def split_name(text: str) -> tuple[str, str]:
    """(source, worm) of "Kato2015_worm0"; a name without a number behind its last "_" is a source with one worm."""
    source, _, worm = text.rpartition("_")
    return (source, worm) if source and any(character.isdigit() for character in worm) else (text, "worm0")


def measured_unit(traces: NDArray[Any]) -> str:
    """z-score where every neuron has mean 0 and standard deviation 1, else arbitrary; for files that state no unit."""
    values = np.where(np.isfinite(traces), traces, np.nan).astype(np.float64)
    values = values[:, np.isfinite(values).any(axis=0)]
    if not values.size:
        return ARBITRARY
    scored = (np.abs(np.nanmean(values, axis=0)) < 0.01) & (np.abs(np.nanstd(values, axis=0) - 1) < 0.01)
    return Z_SCORE if scored.all() else ARBITRARY


def _alike(first: Recording, second: Recording) -> bool:
    """The same values but for how many decimals a format keeps."""
    return (
        first.channels == second.channels
        and first.signal.shape == second.signal.shape
        and bool(
            np.allclose(first.signal, second.signal, rtol=1e-5, atol=1e-5, equal_nan=True)
            and np.allclose(first.events["time_s"], second.events["time_s"], atol=1e-3)
        )
    )
