"""Writing a session as the published .mat export, v7.3 (HDF5) or v5; what is read back is what was written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli import __version__
from neurocli.errors import DataError
from neurocli.runs.atomic import replacing
from neurocli_eirnn.data.readers.matfile import BRAIN_AREAS, EYE
from neurocli_eirnn.data.session import INPUT_NAMES, LOCATIONS, Session

_USER_BLOCK = 512
# No date in it: the same session gives the same bytes.
_HEADER = f"MATLAB 7.3 MAT-file, Platform: Python, Created by: neurocli {__version__} HDF5 schema 1.00 ."
_COMPRESSED_FROM = 1024
_CODES = {name: code for code, name in BRAIN_AREAS.items()}


def write_mat(session: Session, path: Path) -> Path:
    """Write a session as v7.3, atomically: axes reversed, float64, char as uint16, a user block that MATLAB knows.

    Raises StorageError.
    """
    memory = io.BytesIO()  # so that a full disk meets an ordinary write; the file is compressed and small
    with h5py.File(memory, "w", userblock_size=_USER_BLOCK) as file:
        for name, value in _fields(session).items():
            if isinstance(value, str):
                _put_text(file, name, value)
                continue
            if value.dtype == object:
                _put_cells(file, name, value)
                continue
            # MATLAB reads the chunks in order; gzip at its own level keeps the file of the size it would write.
            packing = {"compression": "gzip", "compression_opts": 3} if value.size >= _COMPRESSED_FROM else {}
            variable = file.create_dataset(name, data=np.ascontiguousarray(value.T), **packing)
            variable.attrs["MATLAB_class"] = np.bytes_("double")
    content = bytearray(memory.getvalue())
    content[: len(_user_block())] = _user_block()
    return _put(path, bytes(content))


def _put_text(group: h5py.Group, name: str, text: str) -> h5py.Dataset:
    codes = np.frombuffer(text.encode("utf-16-le"), "<u2").reshape(-1, 1)
    variable = group.create_dataset(name, data=codes)
    variable.attrs["MATLAB_class"], variable.attrs["MATLAB_int_decode"] = np.bytes_("char"), np.int32(2)
    return variable


def _put_cells(file: h5py.File, name: str, texts: NDArray[np.object_]) -> None:
    """A cell array of texts: references to objects in the group that MATLAB keeps them in."""
    kept = file.require_group("#refs#")
    references = [_put_text(kept, f"{name}_{number}", text).ref for number, text in enumerate(texts.ravel())]
    cells = file.create_dataset(name, data=np.array(references, h5py.ref_dtype).reshape(texts.T.shape))
    cells.attrs["MATLAB_class"] = np.bytes_("cell")


def write_mat5(session: Session, path: Path) -> Path:
    """Write a session as v5, atomically. Raises StorageError; DataError where it is too large for this format."""
    import scipy.io

    memory = io.BytesIO()
    try:
        scipy.io.savemat(memory, _fields(session), format="5", do_compression=True)
    except (ValueError, OverflowError, scipy.io.matlab.MatWriteError) as error:
        raise DataError(
            f"the session does not fit a MATLAB v5 file: {error}", where=str(path), hint="write v7.3"
        ) from error
    return _put(path, memory.getvalue())


def _fields(session: Session) -> dict[str, NDArray[Any] | str]:
    """Variables in MATLAB's order and shapes. What the session never had (eye, some labels, durations) is left out."""
    fields: dict[str, Any] = {
        "firing_rates": session.rates.transpose(2, 1, 0),
        "neuron_type": session.neuron_type[:, None],
        "n_trials": [[session.trials]],
        "n_neurons": [[session.neurons]],
        "n_time_bins": [[session.bins]],
        "bin_size_ms": [[session.bin_ms]],
        "time_axis": session.time_ms[None, :],
        "input_target_loc": session.inputs[:, :, LOCATIONS].transpose(2, 1, 0),
    }
    texts: dict[str, NDArray[Any] | str] = {"neuron_ids": _numbers_or_texts(session.neuron_ids)[:, None]}
    for channel, name in enumerate(INPUT_NAMES):
        present = name not in EYE or f"input_{name}" not in session.missing
        if present and not LOCATIONS.start <= channel < LOCATIONS.stop:
            fields[f"input_{name}"] = session.inputs[:, :, channel].T
    if np.isfinite(session.duration_ms).any():
        fields["trial_duration_ms"] = session.duration_ms[:, None]
    codes = [str(_CODES.get(area, area)) for area in session.brain_area]
    areas = _numbers_or_texts(codes if all(code.isdecimal() for code in codes) else session.brain_area)
    if areas.size:
        texts["brain_area"] = areas[:, None]
    for name, values in session.labels.items():
        fields[f"trial_{name}"] = values[:, None]
    arrays = {name: np.asarray(value, np.float64) for name, value in fields.items()}
    texts |= {"session_name": session.name or "session", "pipeline_version": f"neurocli {__version__}"}
    return {**arrays, **texts}


def _numbers_or_texts(names: list[str]) -> NDArray[Any]:
    """[n] numbers where all names are numbers that come back the same, else the names, for a cell array."""
    if all(name.isdecimal() and str(int(float(name))) == name for name in names):
        return np.array([float(name) for name in names])
    return np.array([name or "-" for name in names], object)


def _user_block() -> bytes:
    """116 bytes of text, 8 for a subsystem that is not there, version 2.0, and the mark of the byte order."""
    return _HEADER.encode("ascii").ljust(116)[:116] + bytes(8) + (0x0200).to_bytes(2, "little") + b"IM"


def _put(path: Path, content: bytes) -> Path:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path
