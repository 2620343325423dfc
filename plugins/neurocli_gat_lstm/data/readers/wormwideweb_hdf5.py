"""WormWideWeb recordings in the authors' HDF5 (Atanas, Kim et al., Cell 186:4134, 2023).

gcamp/trace_array_original, gcamp/trace_array (z-scored), timing/timestamp_confocal in s, and neuron_names where somebody put them
there. Which axis is time shows from the timestamps.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import h5py
import numpy as np

from neurocli.errors import DataError
from neurocli.recordings import Note, RecordingSet
from neurocli.recordings.files.hdf5 import child, look_into, open_hdf5, read_array
from neurocli.recordings.files.lengths import take_lengths
from neurocli.recordings.readers import Reader
from neurocli_gat_lstm.data.readers.spelling import found, missing
from neurocli_gat_lstm.data.readers.wormwideweb import HINT, scored, source_of, worm_of
from neurocli_gat_lstm.data.worm import GCAMP, GFP, STANDARD, Z_SCORE, Worm, time_first, worm_set

_ORIGINAL, _SCORED = "trace_array_original", "trace_array"
_STAMPS = "timestamp_confocal"


class WormWideWebHdf5Reader(Reader):
    """Reads a worm from each HDF5 file."""

    def can_read(self, path: Path) -> bool:
        try:
            with look_into(path) as file:
                return file is not None and _traces(file) is not None
        except (OSError, RuntimeError, KeyError, ValueError):
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set(paths, lambda path: iter([(path.name, partial(read_hdf5, path))]))

    def lacks(self, path: Path) -> str | None:
        with look_into(path) as file:
            if file is None or "nwb_version" in file.attrs:
                return None
            names: list[str] = []
            file.visit(names.append)
            known = [name for name in names if name.rpartition("/")[2].casefold() in (_ORIGINAL, _SCORED, _STAMPS)]
            if not known:
                return None
            return f"{', '.join(known[:4])} is there; {missing(f'gcamp/{_SCORED}', names)}"


def read_hdf5(path: Path) -> Worm:
    """The worm of an HDF5 file. Raises DataError that names the file and the dataset."""
    with open_hdf5(path) as file:
        group, key = _traces(file) or ("gcamp", _SCORED)
        original = key.casefold() == _ORIGINAL
        where = f"{path}:/{group}/{key}"
        traces = read_array(child(file, group, h5py.Group), key, ndim=2)
        timing = child(file, found("timing", file) or "timing", h5py.Group)
        stamps = found(_STAMPS, timing) or _STAMPS
        time_s = read_array(timing, stamps)
        if time_s.size != max(time_s.shape, default=0):
            raise DataError(
                f"the times have the shape {time_s.shape}", where=f"{path}:{timing.name}/{stamps}", hint=HINT
            )
        named = found("neuron_names", file)
        names = [None] * min(traces.shape) if named is None else _stored_names(file, named)
        traces = time_first(traces, time_s.size, where)
        if named is None:
            names = [None] * traces.shape[1]
        elif len(names) != traces.shape[1]:
            raise DataError(
                f"there are {len(names)} names for {traces.shape[1]} neurons", where=f"{path}:/{named}", hint=HINT
            )
    unit, notes = scored(traces, original, where)
    other = [name for name in (group, key, stamps, named) if name is not None and name != name.lower()]
    if other:
        notes.append(Note("spelling", str(path), f"entries in another case are read: {', '.join(other)}"))
    return Worm(
        source=source_of(path),
        worm=worm_of(path),
        time_s=time_s.ravel(),
        traces=traces,
        names=names,
        where=where,
        file=path.name,
        indicator=GFP if "gfp" in path.stem.lower() else GCAMP,
        unit=unit,
        normalization_method=STANDARD if unit == Z_SCORE else "none",
        notes=notes,
    )


def _traces(file: h5py.File) -> tuple[str, str] | None:
    """(the group, the traces in it: the original ones before the z-scored), in whatever case."""
    group = found("gcamp", file)
    if group is None or file.get(group, getclass=True, getlink=True) is not h5py.HardLink:
        return None
    gcamp = file[group]
    name = (found(_ORIGINAL, gcamp) or found(_SCORED, gcamp)) if isinstance(gcamp, h5py.Group) else None
    return (group, name) if name else None


def _stored_names(file: h5py.File, name: str) -> list[str | None]:
    """Texts of fixed or variable length, or one row of characters for each neuron."""
    data = child(file, name, h5py.Dataset)
    where = f"{file.filename}:/{name}"
    if data.dtype.kind == "S":
        texts = np.char.decode(read_array(file, name, kinds="S"), errors="replace").astype(object)
    elif h5py.check_string_dtype(data.dtype) is not None and not data.is_virtual and not data.external:
        take_lengths(data, where)
        texts = np.asarray(data.asstr(errors="replace")[()], object)
    else:
        raise DataError(f"the names are of type {data.dtype}, not texts", where=where, hint=HINT)
    if texts.ndim == 2 and 1 in texts.shape:
        texts = texts.ravel()
    if texts.ndim == 2 and all(len(letter) <= 1 for letter in texts.ravel()):
        texts = np.array(["".join(row) for row in texts], object)
    if texts.ndim != 1:
        raise DataError(f"there are names of the shape {data.shape}", where=where, hint="one name for each neuron")
    return [str(text) for text in texts]
