"""Whole-brain recordings as NWB files: one TimeSeries for each neuron, or one RoiResponseSeries for all.

Scholz et al. (2018) keep `acquisition/Activity_NNNN`, each with its own timestamps, which must agree. Other laboratories
(DANDI) keep a RoiResponseSeries [time, neuron], with names in a column of its table of regions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.nwb import look_into_nwb, open_nwb, read_series
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_gat_lstm.data.strains import indicator
from neurocli_gat_lstm.data.worm import DFF, Worm, measured_unit, split_name, worm_set

_ACTIVITY = re.compile(r"Activity_(\d+)")
_NEURON = re.compile(r"\s*neuron\s*:\s*(.*\S)\s*", re.IGNORECASE)
_NAME_COLUMNS = ("neuron_name", "neuron_names", "neuron", "ID_labels", "id_labels", "labels", "label", "name", "names")
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
        return worm_set((read_worm(path).recording() for path in paths), paths)


def read_worm(path: Path) -> Worm:
    """The worm of an NWB file. Raises MissingDependency without pynwb; DataError that names the series."""
    with open_nwb(path) as content:
        single = {name: series_of for name, series_of in content.acquisition.items() if _ACTIVITY.fullmatch(name)}
        if single:
            traces, time_s, names = _activity(path, single)
            unit, glows = measured_unit(traces), []
        else:
            kind, series = _roi_series(path, content)
            traces, time_s, names = _rois(path, series)
            unit = DFF if kind == "DfOverF" else measured_unit(traces)
            glows = _imaging_texts(series)
        source, worm = split_name(path.stem)
        texts = _texts(content, list(single.values())[:1])
        paper = next((match for text in texts if (match := _PAPER.search(text))), None)
        return Worm(
            source=f"{paper[1]}{paper[2]}" if paper else source,
            worm=str(content.session_id or content.identifier or worm),
            time_s=time_s,
            traces=traces,
            names=names,
            unit=unit,
            where=f"{path}:{'acquisition' if single else series.name}",
            file=path.name,
            indicator=indicator([*glows, *texts]),
        )


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


def _activity(path: Path, series: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any], list[str | None]]:
    """(traces [time, neuron], time [time], names) of one series for each neuron, in the order of their numbers."""
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
    return np.stack(traces, axis=1), time_s, names


def _roi_series(path: Path, content: Any) -> tuple[str, Any]:
    """(kind of its container, series): dF/F before fluorescence before anything else. Raises DataError where two compete."""
    from pynwb.ophys import RoiResponseSeries

    by_kind: dict[str, list[Any]] = {}
    for item in content.objects.values():
        if isinstance(item, RoiResponseSeries):
            kind = getattr(item.parent, "neurodata_type", "")
            by_kind.setdefault(kind if kind in ("DfOverF", "Fluorescence") else "", []).append(item)
    for kind in ("DfOverF", "Fluorescence", ""):
        if kind in by_kind:
            if len(by_kind[kind]) > 1:
                names = ", ".join(sorted(item.name for item in by_kind[kind]))
                raise DataError(
                    f"there are {len(by_kind[kind])} series of regions: {names}",
                    where=str(path),
                    hint="keep the one to be read in a file of its own",
                )
            return kind, by_kind[kind][0]
    raise DataError(
        "there is neither Activity_NNNN nor a RoiResponseSeries",
        where=str(path),
        hint="whole-brain calcium is stored as one of the two",
    )


def _rois(path: Path, series: Any) -> tuple[NDArray[Any], NDArray[Any], list[str | None]]:
    """(traces [time, neuron], time [time], names) of a RoiResponseSeries."""
    where = f"{path}:{series.name}"
    values = _values(series, where)
    if values.ndim != 2:
        raise DataError(f"the data have the shape {values.shape}, and are not time x regions", where=where)
    return values, _times(series, where, len(values)), _region_names(series, values.shape[1])


def _region_names(series: Any, neurons: int) -> list[str | None]:
    """Names out of the table of regions, of the rows that the series refers to."""
    region = series.rois
    table = region.table
    column = next((name for name in _NAME_COLUMNS if name in table.colnames), None)
    rows = np.asarray(region.data[:]).ravel()
    if column is None or len(rows) != neurons or (rows < 0).any() or (rows >= len(table)).any():
        return [None] * neurons
    values = table[column].data
    texts = [values[int(row)] for row in rows]
    return [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in texts]


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
