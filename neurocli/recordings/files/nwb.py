"""Opening NWB files that others wrote: looked at before pynwb trusts them, with errors that name the file."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, MissingDependency, NeuroError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import look_into, open_hdf5
from neurocli.recordings.files.lengths import take_attribute_lengths, take_lengths

_ELSEWHERE = "the values are kept in another file, which is not followed"
_HINT = "export it again, into one file"


@contextlib.contextmanager
def look_into_nwb(path: Path) -> Iterator[h5py.File | None]:
    """The HDF5 file where `path` is NWB, else None; without pynwb, and cheap. May raise what h5py raises."""
    with look_into(path) as file:
        yield file if file is not None and "nwb_version" in file.attrs else None


@contextlib.contextmanager
def open_nwb(path: Path) -> Iterator[Any]:
    """The content of an NWB file, read by pynwb (extra `nwb`): a `pynwb.NWBFile`, usable within the block.

    Raises MissingDependency without pynwb; DataError where the file is damaged, leads out of itself, has tables that
    claim more than it can hold, or does not follow the standard.
    """
    try:
        import pynwb
    except ImportError:
        raise MissingDependency.package("pynwb", "reading NWB files", extra="nwb") from None
    try:
        with open_hdf5(path) as file:
            _check_content(path, file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pynwb's own remarks on style: what matters here is checked here
                with pynwb.NWBHDF5IO(file=file, mode="r") as io:
                    yield io.read()
    except NeuroError as error:
        error.hint = error.hint or _HINT
        raise
    except Exception as error:  # whatever pynwb makes of a file that does not follow the standard
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"pynwb cannot read the file: {reason}",
            where=str(path),
            hint="export it again, and check it with nwbinspector",
        ) from error


def read_series(values: Any, where: str) -> NDArray[np.float64]:
    """The numbers of a series' data or timestamps, after their type and size have been checked. Raises DataError."""
    if isinstance(values, h5py.Dataset):
        _check_size(values, where)
        if values.dtype.kind not in "biuf":
            raise DataError(f"the values are of type {values.dtype}, not numbers", where=where, hint=_HINT)
        values = values[()]
    return np.asarray(values, np.float64)


def _check_content(path: Path, file: h5py.File) -> None:
    """Refuse what pynwb would trust: links to other files, and tables that claim more than the file can hold."""
    links: list[str] = []
    names: list[str] = []
    # Names only: h5py loses an error that is raised while it visits.
    file.visititems_links(lambda name, link: links.append(name) if isinstance(link, h5py.ExternalLink) else None)
    file.visit(names.append)
    if links:
        raise DataError(_ELSEWHERE, where=f"{path}:/{links[0]}", hint=_HINT)
    for name in ("/", *names):
        entry = file[name]
        _check_types(entry, f"{path}:/{name.lstrip('/')}")
        if isinstance(entry, h5py.Dataset):
            # pynwb reads these whole when it opens a file, and all texts and lists element by element.
            if name.startswith(("units/", "intervals/", "general/")) or entry.shape == ():
                _check_size(entry, f"{path}:/{name}")
            take_lengths(entry, f"{path}:/{name}")


def _check_types(entry: Any, where: str) -> None:
    """Refuse lists of variable length, which NWB does not have: HDF5 crashes where damage has turned a text into one."""
    types = {"": entry.id.get_type()} if isinstance(entry, h5py.Dataset) else {}
    # By their names, since h5py reads whatever is asked for by itself.
    types |= {f"attribute {name}": entry.attrs.get_id(name).get_type() for name in entry.attrs}
    for name in entry.attrs:
        about = (
            h5py.check_string_dtype(entry.attrs.get_id(name).dtype) if _is_known(types[f"attribute {name}"]) else None
        )
        if about is not None and about.length is None:
            take_attribute_lengths(Path(entry.file.filename), name, f"{where}, attribute {name}")
    for what, stored in types.items():
        if not _is_known(stored):
            raise DataError(
                f"{what or 'the entry'} is of a type that NWB does not have: the file is damaged",
                where=where,
                hint=_HINT,
            )


def _is_known(stored: Any) -> bool:
    """Whether HDF5 can be trusted with values of a type."""
    if isinstance(stored, h5py.h5t.TypeVlenID):  # texts are of another type
        return False
    if isinstance(stored, h5py.h5t.TypeArrayID):
        return _is_known(stored.get_super())
    if isinstance(stored, h5py.h5t.TypeCompoundID):
        return all(_is_known(stored.get_member_type(number)) for number in range(stored.get_nmembers()))
    return True


def _check_size(data: h5py.Dataset, where: str) -> None:
    if data.is_virtual or data.external:
        raise DataError(_ELSEWHERE, where=where, hint=_HINT)
    memory.take(int(np.prod(data.shape or (), dtype=object)) * data.dtype.itemsize, where)
