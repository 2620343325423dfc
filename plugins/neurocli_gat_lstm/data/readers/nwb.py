"""Whole-brain recordings as NWB files: one TimeSeries for each neuron, or one RoiResponseSeries for all.

Scholz et al. (2018) keep `acquisition/Activity_NNNN`, each with its own timestamps, which must agree. Other laboratories
(DANDI) keep a RoiResponseSeries [time, neuron], with names in a column of its table of regions. Of several series of the same
regions the signal is read, dF/F before fluorescence before anything else, and the others are kept beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note, RecordingSet
from neurocli.recordings.files.nwb import look_into_nwb, open_nwb, read_series
from neurocli.recordings.plausible import FRAME_MS
from neurocli.recordings.readers import Reader
from neurocli_gat_lstm.data.readers.nwb_names import names_of
from neurocli_gat_lstm.data.strains import indicator
from neurocli_gat_lstm.data.worm import DFF, Z_SCORE, Worm, measured_unit, split_name, time_first, worm_set

_ACTIVITY = re.compile(r"Activity_(\d+)")
_NEURON = re.compile(r"\s*neuron\s*:\s*(.*\S)\s*", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_REFERENCE = frozenset(
    {
        "reference",
        "ref",
        "red",
        "rfp",
        "tagrfp",
        "mcherry",
        "wcherry",
        "mscarlet",
        "tdtomato",
        "mneptune",
        "bfp",
        "neuropil",
    }
    | {"background", "isosbestic", "control", "segmentation"}
)
_SIGNAL = frozenset({"signal", "gcamp", "green", "calcium", "ratio"})
_PERCENT = frozenset({"%", "percent", "pct", "per cent"})
_PAPER = re.compile(r"([A-Z][A-Za-z-]+) et al\.?,? \(?((?:19|20)\d\d)")
_SAME_TIME_S = 1e-6
_DEEPEST_SERIES = 4


class WormNwbReader(Reader):
    """Reads a worm from each NWB file with pynwb (extra `nwb`). Files with a table of units hold spikes, and are not its own."""

    def can_read(self, path: Path) -> bool:
        try:
            with look_into_nwb(path) as file:
                return file is not None and "units" not in file and (_has_activity(file) or _has_rois(file))
        except (OSError, RuntimeError, KeyError, ValueError):
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set(paths, lambda path: iter([(path.name, partial(read_worm, path))]))

    def lacks(self, path: Path) -> str | None:
        with look_into_nwb(path) as file:
            if file is None or "units" in file:
                return None
            series: list[str] = []
            file.visit(lambda name: series.append(name.rpartition("/")[0]) if name.endswith("/timestamps") else None)
            there = f"; there are the series {', '.join(series[:4])}" if series else ""
            return f"neither acquisition/Activity_NNNN nor a RoiResponseSeries is there{there}"


def read_worm(path: Path) -> Worm:
    """The worm of an NWB file. Raises MissingDependency without pynwb; DataError that names the series."""
    with open_nwb(path) as content:
        single = {name: series_of for name, series_of in content.acquisition.items() if _ACTIVITY.fullmatch(name)}
        read = _activity(path, single) if single else _regions(path, content)
        source, worm = split_name(path.stem)
        texts = _texts(content, list(single.values())[:1])
        paper = next((match for text in texts if (match := _PAPER.search(text))), None)
        return Worm(
            source=f"{paper[1]}{paper[2]}" if paper else source,
            worm=str(content.session_id or content.identifier or worm),
            time_s=read.time_s,
            traces=read.traces,
            names=read.names,
            doubted=read.doubted,
            unit=read.unit,
            where=f"{path}:{read.name}",
            file=path.name,
            indicator=indicator([*read.glows, *texts]),
            step_s=read.step_s,
            series="" if single else read.name,
            others=read.others,
            notes=read.notes,
        )


@dataclass
class _Read:
    """What a file holds: traces and others [time, neuron], time_s [time], names by column."""

    name: str
    traces: NDArray[Any]
    time_s: NDArray[Any]
    names: list[str | None]
    doubted: list[bool]
    unit: str
    glows: list[str]
    step_s: float | None
    others: dict[str, NDArray[Any]]
    notes: list[Note]


def _has_activity(file: h5py.File) -> bool:
    return "acquisition" in file and any(_ACTIVITY.fullmatch(name) for name in file["acquisition"])


def _has_rois(file: h5py.File) -> bool:
    """Whether a series of regions lies anywhere in `processing` or `acquisition`."""

    def search(group: h5py.Group, depth: int) -> bool:
        for name in group:
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                continue
            entry = group[name]
            if not isinstance(entry, h5py.Group):
                continue
            if entry.attrs.get("neurodata_type") in ("RoiResponseSeries", b"RoiResponseSeries"):
                return True
            if depth and search(entry, depth - 1):
                return True
        return False

    return any(name in file and search(file[name], _DEEPEST_SERIES) for name in ("processing", "acquisition"))


def _activity(path: Path, series: dict[str, Any]) -> _Read:
    """One series for each neuron, in the order of their numbers."""
    order = sorted(series, key=lambda name: (int(name.partition("_")[2]), name))
    traces: list[NDArray[np.float32]] = []
    names: list[str | None] = []
    time_s = np.zeros(0)
    for name in order:
        where = f"{path}:acquisition/{name}"
        values, times = _values(series[name], where), _times(series[name], where)
        if values.ndim != 1 or len(values) != len(times):
            raise DataError(f"{len(times)} times do not fit data of the shape {values.shape}", where=where)
        if not traces:
            time_s = times
        elif len(times) != len(time_s) or (np.abs(times - time_s) > _SAME_TIME_S).any():
            raise DataError(
                f"the times are not those of {order[0]}", where=where, hint="all neurons must share one list of times"
            )
        traces.append(values.astype(np.float32))
        match = _NEURON.fullmatch(str(series[name].description or ""))
        names.append(match[1] if match else None)
    stacked = np.stack(traces, axis=1)
    doubted = [False] * len(names)
    return _Read("acquisition", stacked, time_s, names, doubted, measured_unit(stacked), [], None, {}, [])


def _regions(path: Path, content: Any) -> _Read:
    """The signal among the series of regions, with the others of the same regions and times beside it."""
    kind, series, others, notes = _chosen(path, content)
    where = f"{path}:{series.name}"
    traces, time_s = _rois(path, series, notes)
    unit = measured_unit(traces)
    if kind == "DfOverF" and unit != Z_SCORE:
        unit = DFF
        if str(series.unit).strip().lower() in _PERCENT:
            traces = traces / 100
            notes.append(Note("trace-unit", where, f"the series is in {series.unit}, and was divided by 100"))
    named = names_of(content, series, traces.shape[1], where)
    plane = getattr(series.rois.table, "imaging_plane", None)
    rate = float(getattr(plane, "imaging_rate", None) or 0.0)
    beside = {}
    for name, other in others.items():
        values, times = _rois(path, other, [])
        if values.shape == traces.shape and np.allclose(times, time_s, rtol=0, atol=_SAME_TIME_S):
            beside[name] = values
    return _Read(
        name=_name(series, others),
        traces=traces,
        time_s=time_s,
        names=named.names,
        doubted=named.doubted,
        unit=unit,
        glows=_imaging_texts(series),
        step_s=1 / rate if 0 < rate < float("inf") else None,
        others=beside,
        notes=[*notes, *named.notes],
    )


def _chosen(path: Path, content: Any) -> tuple[str, Any, dict[str, Any], list[Note]]:
    """(kind of its container, the series to be read, the others by name, what is said of the choice).

    Raises DataError where several are of other regions: none of them alone is the worm.
    """
    from pynwb.ophys import RoiResponseSeries

    by_kind: dict[str, list[Any]] = {}
    for item in content.objects.values():
        if isinstance(item, RoiResponseSeries):
            kind = getattr(item.parent, "neurodata_type", "")
            by_kind.setdefault(kind if kind in ("DfOverF", "Fluorescence") else "", []).append(item)
    for items in by_kind.values():  # pynwb gives them in any order
        items.sort(key=lambda item: (item.name, item.parent.name))
    every = [item for kind in ("DfOverF", "Fluorescence", "") for item in by_kind.get(kind, [])]
    if not every:
        raise DataError(
            "there is neither Activity_NNNN nor a RoiResponseSeries",
            where=str(path),
            hint="whole-brain calcium is stored as one of the two",
        )
    signals = [item for item in every if not _words(item) & _REFERENCE] or every
    kind = next(
        kind for kind in ("DfOverF", "Fluorescence", "") if any(item in signals for item in by_kind.get(kind, []))
    )
    best = [item for item in by_kind[kind] if item in signals]
    told = [item for item in best if _words(item) & _SIGNAL]
    chosen = (told if len(told) == 1 else best)[0]
    rivals = [item for item in (told or best) if item is not chosen]
    names = [_name(item, every) for item in (chosen, *rivals)]
    if rivals and any(_region(item) != _region(chosen) for item in rivals):
        raise DataError(
            f"there are {len(names)} series of different regions: {', '.join(sorted(names))}",
            where=str(path),
            hint="keep the one to be read in a file of its own",
        )
    others = {_name(item, every): item for item in every if item is not chosen and _region(item) == _region(chosen)}
    notes = []
    if rivals:
        found = f"{len(names)} series can be the signal: {', '.join(names)}; {names[0]} is read"
        notes.append(Note("series", str(path), found, "data.series=NAME chooses another"))
    elif len(every) > 1:
        left = ", ".join(_name(item, every) for item in every if item is not chosen)
        notes.append(
            Note("series", str(path), f"{names[0]} is read as the signal, and not {left} (data.series chooses)")
        )
    return kind, chosen, others, notes


def _words(series: Any) -> set[str]:
    """The words in the names of a series and its container."""
    return {word.lower() for name in (series.name, getattr(series.parent, "name", "")) for word in _WORDS.findall(name)}


def _name(series: Any, every: Any) -> str:
    """The name of a series, with that of its container where another is called the same."""
    names = list(every) if isinstance(every, dict) else [item.name for item in every]
    text = f"{series.parent.name}.{series.name}" if names.count(series.name) > 1 else series.name
    return str(text).replace("/", "_")


def _region(series: Any) -> tuple[Any, ...]:
    """Which rows of which table a series refers to."""
    return id(series.rois.table), tuple(np.asarray(series.rois.data[:]).ravel().tolist())


def _rois(path: Path, series: Any, notes: list[Note]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(traces [time, neuron], time [time]) of a RoiResponseSeries; regions x time is turned, and noted."""
    where = f"{path}:{series.name}"
    values = _values(series, where)
    if values.ndim != 2:
        raise DataError(f"the data have the shape {values.shape}, and are not time x regions", where=where)
    regions = len(series.rois.data)
    steps = values.shape[1] if values.shape[0] == regions != values.shape[1] else values.shape[0]
    time_s = _times(series, where, steps)
    turned = time_first(values, len(time_s), where)
    if turned is not values:
        notes.append(
            Note("axes", where, f"the data are regions x time ({values.shape[0]} x {values.shape[1]}), and were turned")
        )
    return turned, time_s


def _values(series: Any, where: str) -> NDArray[np.float64]:
    """The data in the unit that the series states."""
    values = read_series(series.data, where)
    conversion, offset = float(series.conversion or 1.0), float(getattr(series, "offset", 0.0) or 0.0)
    return values if (conversion, offset) == (1.0, 0.0) else values * conversion + offset


def _times(series: Any, where: str, steps: int | None = None) -> NDArray[np.float64]:
    """[time] in seconds: the timestamps, or multiples of the rate's inverse."""
    if series.timestamps is not None:
        return read_series(series.timestamps, f"{where}/timestamps").ravel()
    rate = float(series.rate or 0.0)
    if not 0 < rate < float("inf"):
        raise DataError("there are neither timestamps nor a rate", where=where)
    if not FRAME_MS.holds(1e3 / rate):
        likely = [unit for unit, ms in FRAME_MS.inverse.items() if FRAME_MS.holds(ms / rate)]
        likely += [
            f"{unit} per frame" for unit, ms in {"ms": 1.0, **FRAME_MS.others}.items() if FRAME_MS.holds(ms * rate)
        ]
        question = f": is it in {' or '.join(likely)}?" if likely else ""
        raise DataError(
            f"the rate is {rate:.4g} frames per second, a frame every {1e3 / rate:.4g} ms{question}",
            where=where,
            hint="the rate of a series is in Hz: correct it",
        )
    steps = int(series.data.shape[0]) if steps is None else steps
    return float(series.starting_time or 0.0) + np.arange(steps) / rate


def _texts(content: Any, series: list[Any]) -> list[str]:
    """What the file says of the animal, the most telling first."""
    subject = content.subject
    about = [] if subject is None else [subject.strain, subject.genotype, subject.description]
    about += [content.session_description, content.experiment_description, content.notes, content.identifier]
    about += [entry.comments for entry in series]
    return [str(text) for text in about if text]


def _imaging_texts(series: Any) -> list[str]:
    """The indicator as the imaging plane names it."""
    plane = getattr(series.rois.table, "imaging_plane", None)
    return [str(plane.indicator)] if plane is not None and plane.indicator else []
