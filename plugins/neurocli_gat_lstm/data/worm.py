"""One recorded worm: what every reader of the family hands over, checked and made into a `Recording`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note, Recording, RecordingSet
from neurocli.recordings.readers import left_out
from neurocli_gat_lstm.data.chosen import SERIES
from neurocli_gat_lstm.data.identity import identify
from neurocli_gat_lstm.data.pairs import pair_notes, twin_notes
from neurocli_gat_lstm.data.plausibility import missing_notes, time_notes, trace_notes

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
    doubted: Sequence[bool] = ()
    """Columns whose label the file rates low; none where it rates none."""
    step_s: float | None = None
    """The time between frames as the file states it beside its times, in s."""
    series: str = ""
    """Which series of the file the traces are, where it holds several of the same neurons and times."""
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The others [time, neuron] by name."""
    notes: list[Note] = field(default_factory=list)
    """What the reader and these checks did and doubt."""

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
        kept = self._frames(time_s, traces)
        time_s, traces = time_s[:kept], traces[:kept]
        if len(time_s) < 2:
            raise self._error(f"{len(time_s)} frames are no recording")
        time_s = self._ascending(time_s.astype(np.float64))
        self.notes += time_notes(time_s, self.where, self.step_s)
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is inf, and masked
            signal = np.ascontiguousarray(traces, dtype=np.float32)
        finite = np.isfinite(signal)
        if not finite.any():
            raise self._error("not one sample of the traces is a number")
        self.notes += trace_notes(signal, self.unit == DFF, self.where)
        self.notes += missing_notes(signal, self.where)
        identity = identify(self.names, self.doubted or [False] * len(self.names), self.where)
        self.notes += identity.notes
        self.notes += pair_notes(signal, identity.channels, self.where) + twin_notes(
            signal, identity.channels, self.where
        )
        events: dict[str, NDArray[Any]] = {"time_s": time_s}
        labels = {name: getattr(self, name) for name in _LABELS}
        if identity.written:
            labels["written"] = identity.written
        if identity.uncertain:
            labels["uncertain"] = identity.uncertain
        if self.others:
            labels["series"] = self.series
            events |= {SERIES + name: values[:kept].astype(np.float32) for name, values in self.others.items()}
        if self.state is not None:
            events["state"] = self._whole_states(len(self.time_s))[:kept]
            if self.states:
                labels["states"] = ",".join(self.states)
        return Recording(
            group=self.group,
            signal=signal,
            dt_ms=float(np.median(np.diff(time_s)) * 1e3),
            unit=self.unit,
            channels=identity.channels,
            mask=None if finite.all() else finite,
            events=events,
            labels=labels,
        )

    def _frames(self, time_s: NDArray[Any], traces: NDArray[Any]) -> int:
        """How many frames there are before padding: frames at the end in which no neuron has a number, or all are 0 and the time is
        none."""
        times = time_s.astype(np.float64)
        empty = ~np.isfinite(traces).any(axis=1)
        no_time = ~np.isfinite(times)
        no_time[1:] |= np.isfinite(times[1:]) & (times[1:] == 0)
        padding = empty | ((traces == 0).all(axis=1) & no_time)
        kept = len(times) - int(np.argmin(padding[::-1])) if not padding.all() else len(times)
        if kept < len(times):
            self.notes.append(
                Note("padding", self.where, f"{len(times) - kept} frames at the end hold nothing, and are left out")
            )
        return kept

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

    def _whole_states(self, steps: int) -> NDArray[np.int64]:
        state = np.asarray(self.state).ravel()
        whole = state.dtype.kind in "biuf" and np.isfinite(state).all() and bool((np.abs(state) < 2**31).all())
        if not whole or state.shape != (steps,) or (state != np.rint(state)).any():
            raise self._error(f"the states are not {steps} whole numbers, one for each frame")
        return state.astype(np.int64)

    def _error(self, message: str, *, hint: str = "correct the file, or leave it out") -> DataError:
        return DataError(message, where=self.where, hint=hint)


_LABELS = ("source", "worm", "indicator", "normalization_method", "smooth_method", "interpolate_method", "file")


Worms = Iterator[tuple[str, Callable[[], Worm]]]
"""The worms of a file: what each is called in it, and how it is read."""


def worm_set(paths: Sequence[Path], worms_of: Callable[[Path], Worms]) -> RecordingSet:
    """The worms of some files as one set; a worm that two files hold alike is taken once.

    What cannot be read is left out and noted; of two different worms of one name, the second gets its file's name too. Raises the
    first error where no worm can be read.
    """
    read, notes, errors = _Read(), [], []
    for path in paths:
        try:
            for name, make in worms_of(path):
                try:
                    worm = make()
                    recording = worm.recording()
                except DataError as error:
                    errors.append(error)
                    notes.append(left_out(name, error, "worm"))
                    continue
                notes += [*worm.notes, *read.add(recording)]
        except DataError as error:
            errors.append(error)
            notes.append(left_out(str(path), error, "file"))
    if errors and not read.by_group:
        raise errors[0]
    return RecordingSet.of(list(read.by_group.values()), meta=META, sources=[str(path) for path in paths], notes=notes)


@dataclass
class _Read:
    """Worms by group as they are read."""

    by_group: dict[str, Recording] = field(default_factory=dict)

    def add(self, recording: Recording) -> list[Note]:
        """Take a worm, unless it is there; with another name where a different one has its name, which is noted."""
        group, file = recording.group, str(recording.labels["file"])
        other = self.by_group.get(group)
        if other is None:
            self.by_group[group] = recording
            return []
        if _alike(other, recording):
            return []
        taken = str(recording.labels["worm"])
        number, name = 2, f"{taken}-{Path(file).stem}"
        while (new := group_name(str(recording.labels["source"]), name)) in self.by_group:
            if _alike(self.by_group[new], recording):
                return []
            number, name = number + 1, f"{taken}-{Path(file).stem}-{number}"
        recording.group, recording.labels["worm"] = new, name
        self.by_group[new] = recording
        found = f"two different worms are called {group}; that of {file} is now {new}"
        where = ", ".join(dict.fromkeys([str(other.labels["file"]), file]))
        return [
            Note(
                "worm-names", where, found, "give each worm a name of its own: source and worm together must be unique"
            )
        ]


def time_first(traces: NDArray[Any], steps: int, where: str) -> NDArray[Any]:
    """Traces as [time, neuron], by the number of times.

    Raises DataError where that fits both axes, or none.
    """
    if traces.ndim != 2:
        raise DataError(
            f"the traces have {traces.ndim} dimensions, not 2", where=where, hint="save them as time x neurons"
        )
    rows, columns = traces.shape
    if rows == columns == steps:
        raise DataError(
            f"there are {steps} times, and as many rows as columns: which of them is time cannot be told",
            where=where,
            hint="leave out one neuron, or the last frame",
        )
    if steps not in (rows, columns):
        raise DataError(
            f"there are {steps} times for traces of {rows} x {columns}",
            where=where,
            hint="correct the times or the traces",
        )
    return traces if rows == steps else traces.T


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
