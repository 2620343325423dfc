"""Which worms of a set of recordings are used: one copy of each, of one frame rate, with a calcium indicator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.chosen import as_chosen
from neurocli_gat_lstm.data.duplicates import Course, copy_of
from neurocli_gat_lstm.data.series import UNIDENTIFIED, WormSeries, series_of

OTHER_RATE = 0.25
"""Frame steps that differ by more than this share are other frame rates."""


def is_control(recording: Recording) -> bool:
    """Whether the worm carries no calcium indicator (GFP): what moves in it is not activity."""
    return recording.labels.get("indicator") == "gfp"


def usable(recordings: RecordingSet, options: DataConfig) -> tuple[dict[str, WormSeries], list[str]]:
    """(group → worm, why others are left out). Raises DataError where nothing is left or two worms have one name.

    A worm without enough neurons that have a signal stops no other: it is left out, and is the error only where none is left.
    """
    worms: dict[str, WormSeries] = {}
    without_signal: DataError | None = None
    left_out: list[str] = []
    courses: list[Course] = []
    keys: dict[tuple[str, str], str] = {}
    controls = controls_in(recordings) if options.controls == "leave-out" else {}
    for group in recordings:
        recording = recordings[group]
        source = str(recording.labels.get("source", ""))
        if options.sources and source not in options.sources:
            continue
        if group in controls:
            left_out.append(f"{group}: {controls[group]}")
            continue
        if options.neurons == "identified" and not _identified(as_chosen(recording, options)):
            left_out.append(f"{group}: no neuron is identified")
            continue
        try:
            worm = series_of(recording, options)
        except DataError as error:
            without_signal = without_signal or error
            left_out.append(f"{group}: {error.message}")
            continue
        course = Course.of(recording)
        copy = copy_of(recordings, course, courses)
        if copy is not None:
            left_out.append(f"{group}: the same worm as {copy.of}")
            continue
        courses.append(course)
        key = (source, str(recording.labels.get("worm", group)))
        if key in keys:
            raise DataError(
                f"two different worms are called {' '.join(key)}: {keys[key]} and {group}",
                where=", ".join(recordings.sources) or "data",
                hint="source and worm together must be unique: rename one",
            )
        keys[key] = group
        worms[group] = worm
    same_rate, odd = _of_one_rate(worms)
    left_out += odd
    if not same_rate:
        if without_signal is not None and len(left_out) == 1:
            raise without_signal
        raise DataError(
            "no worm is left: " + ("; ".join(left_out) or f"none is of {', '.join(options.sources)}"),
            where=", ".join(recordings.sources) or "data",
            hint="data.sources, data.neurons and data.controls choose worms",
        )
    return same_rate, left_out


def scored(recordings: RecordingSet, groups: Sequence[str], options: DataConfig) -> dict[str, WormSeries]:
    """The worms of `groups` as they are, whatever their rate or indicator; without identified neurons all are taken."""
    return {group: _as_it_is(recordings[group], options) for group in groups}


def why_unusable(recording: Recording, options: DataConfig) -> DataError | None:
    """What keeps a worm from being scored: too few of its neurons have a signal. None where nothing does."""
    try:
        _as_it_is(recording, options)
    except DataError as error:
        return error
    return None


def _as_it_is(recording: Recording, options: DataConfig) -> WormSeries:
    identified = _identified(as_chosen(recording, options))
    return series_of(recording, options if identified else options.model_copy(update={"neurons": "all"}))


def controls_in(recordings: RecordingSet) -> dict[str, str]:
    """Worms without a calcium indicator, and copies of them in files that do not say so: group → why."""
    controls = {g: "GFP, no calcium indicator" for g in recordings if is_control(recordings[g])}
    known = [Course.of(recordings[g]) for g in controls]
    for group in recordings if known else ():
        if group in controls or _identified(recordings[group]):
            continue
        copy = copy_of(recordings, Course.of(recordings[group]), known)
        if copy is not None:
            controls[group] = f"the same worm as {copy.of}, GFP, no calcium indicator"
    return controls


def _identified(recording: Recording) -> bool:
    return any(not name.startswith(UNIDENTIFIED) for name in recording.channels or [])


def _of_one_rate(worms: dict[str, WormSeries]) -> tuple[dict[str, WormSeries], list[str]]:
    """The largest number of worms of about one frame step."""
    if not worms:
        return {}, []
    steps = np.array([worm.dt_ms for worm in worms.values()])
    close = np.abs(np.log(steps[:, None] / steps[None, :])) < np.log1p(OTHER_RATE)
    centre = int(close.sum(axis=1).argmax())
    common = float(np.median(steps[close[centre]]))
    same_rate = {g: w for (g, w), near in zip(worms.items(), close[centre], strict=True) if near}
    odd = [
        f"{group}: {worm.dt_ms:.0f} ms per frame, the others {common:.0f} ms (train on it separately, or set data.dt)"
        for group, worm in worms.items()
        if group not in same_rate
    ]
    return same_rate, odd
