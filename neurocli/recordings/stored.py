"""What a recording in a file of ours must be for its numbers to mean what they say: checked as it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import REMAKE, attribute
from neurocli.recordings.plausible import fault_of, misread_voltage
from neurocli.recordings.recording import Recording

MV_SCALE, MV_OFFSET = 1e-3, -70.0
"""Text files of membrane voltage carry three decimals; so do we, around a usual resting potential."""

ENTRIES = ("signal", "mask", "inputs", "spikes", "events", "truth")
ATTRIBUTES = ("dt_ms", "unit", "labels", "channels", "input_names")
_FLOATING = ("mV", "dF/F0")
_UNITS = ("mV", "dF/F0", "sp/s", "spikes/ms")
_ALIKE = {
    "v": "mV",
    "uv": "mV",
    "µv": "mV",
    "μv": "mV",
    "millivolt": "mV",
    "hz": "sp/s",
    "1/s": "sp/s",
    "spikes/s": "sp/s",
    "df/f": "dF/F0",
    "%": "dF/F0",
    "spikes/s/ms": "spikes/ms",
    **{unit.lower(): unit for unit in _UNITS},
}
"""Units that are another way of writing one that is known, or another unit of the same quantity."""
_ENOUGH, _EARLY = 20, 2e-3


def scaled(data: h5py.Dataset, stored: NDArray[Any], unit: str) -> NDArray[Any]:
    """The signal [time, channel] in its unit. Raises DataError where what is stored cannot be in that unit."""
    where = f"{data.file.filename}:{data.name}"
    if "scale" in data.attrs or "offset" in data.attrs:
        scale, offset = attribute(data, "scale", float), attribute(data, "offset", float)
        if not np.isfinite([scale, offset]).all():
            raise DataError(f"scale {scale} and offset {offset} are not numbers", where=where, hint=REMAKE)
        if (
            stored.dtype.kind != "i"
            or unit != "mV"
            or not np.allclose([scale, offset], [MV_SCALE, MV_OFFSET], rtol=1e-9)
        ):
            raise DataError(
                f"scale {scale:g} and offset {offset:g} of values of type {stored.dtype} in {unit}",
                where=where,
                hint=f"whole numbers have a scale of {MV_SCALE:g} and an offset of {MV_OFFSET:g} mV: store others as floating-point ones",
            )
        return np.asarray((stored * scale + offset).astype(np.float32))
    if stored.dtype.kind != "f" and unit in _FLOATING:
        raise DataError(
            f"whole numbers of {unit} without scale and offset", where=where, hint="store floating-point numbers"
        )
    fault = misread_voltage(stored) if unit == "mV" else None
    if unit == "sp/s" and stored.size and np.nanmin(stored) < 0:
        fault = "a rate is negative"
    if fault is not None:
        raise DataError(fault, where=where, hint="correct the values or the unit of the recording")
    return stored


def checked_unit(unit: str, where: str) -> str:
    """The unit. Raises DataError for one that nearly is one that we know, and would be taken for another."""
    meant = _ALIKE.get(unit.strip().lower())
    if meant is not None and unit != meant:
        raise DataError(
            f"the unit is {unit!r}: values in {meant} are known as {meant!r}",
            where=where,
            hint=f"convert the values to {meant}, and write the unit so",
        )
    return unit


def check_mask(mask: NDArray[Any], where: str) -> NDArray[np.bool_]:
    """A mask [time, channel]. Raises DataError where it has values other than 0 and 1."""
    if mask.dtype.kind != "b" and not ((mask == 0) | (mask == 1)).all():
        raise DataError("a mask has values other than 0 and 1", where=where, hint="store whether each value is valid")
    return mask.astype(bool)


def check_names(here: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise DataError where a name nearly is one that would be looked for, and would be passed over in silence."""
    by_form = {_form(name): name for name in known}
    for name in here:
        meant = by_form.get(_form(name))
        if meant is not None and name != meant:
            raise DataError(f"there is {name!r} in the place of {meant!r}", where=where, hint=f"rename it to {meant}")


def check_together(recording: Recording, where: str) -> None:
    """Raise DataError where the step, the spikes and the names of a recording do not go together."""
    fault = fault_of(recording) or _spikes_fault(recording)
    inputs, names = recording.inputs, recording.input_names
    if names is not None and (inputs is None or inputs.shape[1] != len(names)):
        fault = f"{len(names)} names for {0 if inputs is None else inputs.shape[1]} inputs"
    if fault is not None:
        raise DataError(fault, where=where, hint="correct the step or the unit of the recording")


def _spikes_fault(recording: Recording) -> str | None:
    """What speaks against the times of the spikes: they lie beyond the signal, or all in its first instant."""
    spikes = recording.spikes
    if spikes is None or not spikes.step.size:
        return None
    last_ms, length_ms = float(spikes.step.max()) * spikes.dt_ms, recording.steps * recording.dt_ms
    if last_ms >= length_ms + recording.dt_ms:
        return f"a spike is at {last_ms:.6g} ms, and the signal lasts {length_ms:.6g} ms: is a step in another unit?"
    if spikes.step.size >= _ENOUGH and int(spikes.step.max()) > 0 and last_ms < _EARLY * length_ms:
        return f"all {spikes.step.size} spikes lie within {last_ms:.3g} of {length_ms:.6g} ms: is their step in s?"
    return None


def _form(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
