"""Reading the Spiking Heidelberg Digits as published: spikes of 700 cochlear units for each spoken digit.

/spikes/times   float16 [spike] of each utterance, s       /labels          0-9 English, 10-19 German digits
/spikes/units   uint16 [spike] of each utterance, 0-699    /extra/speaker   who speaks, where it is there
Source: Cramer et al. (2020), zenkelab.org/datasets.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, child, look_into, open_hdf5, read_array
from neurocli.recordings.files.lengths import take_lengths
from neurocli.recordings.notes import Note
from neurocli.recordings.plausible import UTTERANCE_S
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_elm.data.readers.shd_gzip import is_packed, named, read_unpacked

META = {"kind": "shd"}
"""The meta of every set of utterances: sets with another cannot be joined to it."""

UNITS, CLASSES = 700, 20
SHOWN_MS = 1000
LONGEST_S = 60.0
"""No utterance lasts so long: such times are in another unit."""

_BLOCK, _ROWS = 128, 8
_EXPANSION, _UTTERANCE = 16.0, 1024
"""Bytes in memory for each byte of a file, whose lists may share their content, and for each utterance beside its spikes."""
_NO_SHD = "these are not the Spiking Heidelberg Digits as published"


@dataclass(frozen=True)
class _Header:
    labels: NDArray[np.int64]
    speakers: NDArray[np.int64] | None


class ShdReader(Reader):
    """Reads `.h5` and `.h5.gz`; the spikes of an utterance are read when it is asked for."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        if is_packed(path):
            return True
        with look_into(path) as file:
            if file is None:
                return False
            try:
                if {"times", "units"} & _names(file, "spikes"):
                    return True
                # Without its spikes it is still one of these, so that what is missing can be named.
                return "labels" in file and ("extra" in file or path.name.lower().startswith("shd_"))
            except Exception:  # whatever h5py makes of a damaged file: reading it says what is wrong
                return False

    def lacks(self, path: Path) -> str | None:
        with look_into(path) as file:
            if file is None:
                return None
            here = {name.lower(): name for name in file}
            if not {"times", "units"} <= {name.lower() for name in [*_names(file, here.get("spikes", "")), *file]}:
                return None
            other = [here[name] for name in ("spikes", "labels") if name in here and here[name] != name]
            if "spikes" not in file:
                spelled = f"there is {', '.join(other)}" if other else "times and units are not in a group spikes"
                return f"the group spikes is missing; {spelled}"
            return f"spikes holds {', '.join(sorted(_names(file, 'spikes')))}, not times and units"

    def read(self, paths: list[Path]) -> RecordingSet:
        """Every utterance of the files, in the order of the files. Raises DataError."""
        loaders: dict[str, Callable[[], Recording]] = {}
        notes: list[Note] = []
        for path in paths:
            header, file = read_unpacked(path, _header) if is_packed(path) else (_header(path), path)
            if header.speakers is None:
                notes.append(_unknown_speakers(path))
            stem = path.name.removesuffix(".gz").removesuffix(".h5")
            for number in range(len(header.labels)):
                group = f"{stem}-{number:05d}"
                if group in loaders:
                    raise DataError(
                        f"two files hold an utterance {group}", where=str(path), hint="rename one of the files"
                    )
                loaders[group] = functools.partial(_utterance, file, path, group, number, header)
        return RecordingSet(loaders, meta=META, sources=[str(path) for path in paths], notes=notes)


def _unknown_speakers(path: Path) -> Note:
    return Note(
        "speakers",
        str(path),
        "the file does not say who speaks (/extra/speaker)",
        "the same voices may be in training and test: bring the file as published, or allow for it",
    )


def _names(file: h5py.File, name: str) -> set[str]:
    """The names in a group of the file itself; none where it is something else."""
    inside = isinstance(file.get(name, getlink=True), h5py.HardLink)
    return set(file[name]) if inside and isinstance(file[name], h5py.Group) else set()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    with memory.reading(file, expansion=_EXPANSION), open_hdf5(file) as opened:
        yield opened


def _header(file: Path) -> _Header:
    """Labels and speakers, and whether the times of the first utterances can be seconds. Raises DataError."""
    with _opened(file) as opened:
        labels = read_array(opened, "labels", ndim=1, kinds="iu")
        memory.take(len(labels) * _UTTERANCE, f"{file}:/labels")
        labels = labels.astype(np.int64)
        spikes = child(opened, "spikes", h5py.Group)
        lengths = {"/labels": len(labels)}
        lists = {}
        for name, kinds, what in (("times", "f", "floating-point"), ("units", "iu", "whole")):
            lists[name] = _ragged(spikes, name, kinds, what)
            lengths[f"/spikes/{name}"] = len(lists[name])
        speakers = None
        if "extra" in opened and "speaker" in child(opened, "extra", h5py.Group):
            speakers = read_array(opened["extra"], "speaker", ndim=1, kinds="iu").astype(np.int64)
            lengths["/extra/speaker"] = len(speakers)
        if len(set(lengths.values())) > 1:
            sizes = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise DataError(f"lists of different lengths: {sizes}", where=str(file), hint=REMAKE)
        wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
        if len(wrong):
            raise DataError(
                f"a label is {labels[wrong[0]]}, not from 0 to {CLASSES - 1}{_from_one(labels, CLASSES)}",
                where=f"{file}:/labels[{wrong[0]}]",
                hint=_NO_SHD,
            )
        last = [times.max() for times in _rows(lists["times"], 0) if len(times) and np.isfinite(times).all()]
        if last:
            UTTERANCE_S.check(float(np.median(last)), f"{file}:/spikes/times", hint="convert the times to seconds")
    return _Header(labels, speakers)


def _from_one(values: NDArray[Any], count: int) -> str:
    """A question, where numbers go from 1 to `count`."""
    return ": are they counted from 1?" if len(values) and values.min() >= 1 and values.max() == count else ""


def _ragged(spikes: h5py.Group, name: str, kinds: str, what: str) -> h5py.Dataset:
    """A dataset [utterance] of lists of numbers of a kind. Raises DataError for anything else."""
    entry = child(spikes, name, h5py.Dataset)
    base = h5py.check_vlen_dtype(entry.dtype)
    inside = not (entry.is_virtual or entry.external)
    if not inside or entry.ndim != 1 or not isinstance(base, np.dtype) or base.kind not in kinds:
        raise DataError(
            f"the entry is not a list of {what} numbers for each utterance, kept in this file",
            where=f"{spikes.file.filename}:{entry.name}",
            hint=_NO_SHD,
        )
    take_lengths(entry, f"{spikes.file.filename}:{entry.name}")
    return entry


def _utterance(file: Path, path: Path, group: str, number: int, header: _Header) -> Recording:
    with named(file, path):
        times, units = (block[number % _BLOCK] for block in _block(file, number // _BLOCK))
    with np.errstate(over="ignore"):  # what is too large is named as such
        seconds = np.asarray(times, np.float32)
    _check(seconds, units, path, number)
    labels: dict[str, Any] = {"label": int(header.labels[number]), "file": path.name}
    if header.speakers is not None:
        labels["speaker"] = int(header.speakers[number])
    return Recording(
        group=group,
        signal=population_counts(seconds),
        dt_ms=1.0,
        unit="spikes/ms",
        channels=["all units"],
        events={"spike_s": seconds, "spike_unit": units.astype(np.int32)},
        labels=labels,
    )


def population_counts(seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """[1000, 1] spikes of all units together in each ms of the first second: what tells utterances apart at a glance.

    Recordings are known by their signal: were it the label, all utterances of a digit would be taken for copies.
    """
    step = (seconds.astype(np.float64) * 1000).astype(np.int64)
    return np.bincount(step[step < SHOWN_MS], minlength=SHOWN_MS).astype(np.float32)[:, None]


def _check(seconds: NDArray[np.float32], units: NDArray[Any], path: Path, number: int) -> None:
    times_at, units_at = (f"{path}:/spikes/{name}[{number}]" for name in ("times", "units"))
    if len(seconds) != len(units):
        raise DataError(f"{len(seconds)} times for {len(units)} units", where=times_at, hint=REMAKE)
    wrong = np.flatnonzero(~((seconds >= 0) & (seconds <= LONGEST_S)))
    if len(wrong):
        hint = f"times are seconds from 0 to {LONGEST_S:g}: repair the file, or leave it out"
        unit = " (is it in ms?)" if LONGEST_S < seconds[wrong[0]] <= 1000 * LONGEST_S else ""
        raise DataError(
            f"a spike time is {seconds[wrong[0]]:g} s{unit}", where=f"{times_at}, spike {wrong[0]}", hint=hint
        )
    filled = len(seconds) - 1 - int(np.flatnonzero((seconds != 0) | (units != 0)).max(initial=-1))
    if filled > 1 and seconds.max() > 0:
        raise DataError(
            f"the last {filled} spikes are of unit 0 at 0 s: the lists are padded with zeros",
            where=times_at,
            hint="store each utterance with as many spikes as it has",
        )
    wrong = np.flatnonzero((units.astype(np.int64) < 0) | (units.astype(np.int64) >= UNITS))
    if len(wrong):
        raise DataError(
            f"a unit is {units[wrong[0]]}, not from 0 to {UNITS - 1}{_from_one(units, UNITS)}",
            where=f"{units_at}, spike {wrong[0]}",
            hint=_NO_SHD,
        )


def _block(file: Path, block: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Times and units of a block of utterances, kept until another is asked for: they are asked for in order."""
    about = file.stat() if file.is_file() else None
    key = (file, about.st_mtime_ns, about.st_size, block) if about else None
    arrays = _KEPT.get(key)
    if arrays is None:
        _KEPT.clear()
        with _opened(file) as opened:
            spikes = child(opened, "spikes", h5py.Group)
            arrays = _rows(spikes["times"], block), _rows(spikes["units"], block)
        _KEPT[key] = arrays
    return arrays


def _rows(lists: h5py.Dataset, block: int) -> list[NDArray[Any]]:
    """The lists of a block, a few at a time: nothing says how long they are, and many may share what is stored once."""
    rows: list[NDArray[Any]] = []
    end = min((block + 1) * _BLOCK, len(lists))
    for first in range(block * _BLOCK, end, _ROWS):
        some = list(lists[first : min(first + _ROWS, end)])
        memory.take(sum(row.nbytes for row in some), f"{lists.file.filename}:{lists.name}")
        rows += some
    return rows


_KEPT: dict[Any, tuple[list[NDArray[Any]], list[NDArray[Any]]]] = {}
