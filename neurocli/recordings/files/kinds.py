"""Kinds of files that laboratories have and that no reader takes, told by their first bytes; and what to do with them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_ARRAYS = (
    "load it in Python and make recordings of its arrays: neurocli.recordings.RecordingSet.of(...).save('mine.h5')"
)
_SORT = "this is the voltage of electrodes: sort its spikes, then export them as NWB or as a MATLAB session"
_IMAGES = "these are images: extract the traces of cells first, for one with CaImAn or suite2p, and export those"
_TABLE = "export the table as text, or make recordings of its arrays in Python"
_DOCUMENT = "this is a document: name the file of the data"
_SAVE_AGAIN = "save it from its own program as NWB, as MATLAB v7.3, or as text"


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is, in words, and what to do; empty where nothing better is known than the formats that are read."""

    name: str
    advice: str = ""


_STARTS: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x93NUMPY", Kind("an array of numpy (.npy)", _ARRAYS)),
    (0, b"\x89PNG\r\n", Kind("a PNG image", _DOCUMENT)),
    (0, b"\xff\xd8\xff", Kind("a JPEG image", _DOCUMENT)),
    (0, b"GIF8", Kind("a GIF image", _DOCUMENT)),
    (0, b"II*\0", Kind("a TIFF image or stack", _IMAGES)),
    (0, b"MM\0*", Kind("a TIFF image or stack", _IMAGES)),
    (0, b"II+\0", Kind("a large TIFF stack", _IMAGES)),
    (0, b"\xda\xce\xbe\x0a", Kind("a Nikon ND2 stack", _IMAGES)),
    (8, b"AVI LIST", Kind("an AVI video", _IMAGES)),
    (8, b"WAVE", Kind("a WAV sound")),
    (4, b"ftyp", Kind("an MP4 or MOV video", _IMAGES)),
    (0, b"\x1aE\xdf\xa3", Kind("a Matroska or WebM video", _IMAGES)),
    (0, b"%PDF", Kind("a PDF document", _DOCUMENT)),
    (0, b"{\\rtf", Kind("an RTF document", _DOCUMENT)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an old Excel, Word or Origin file (OLE)", _TABLE)),
    (0, b"PAR1", Kind("a parquet table", _TABLE)),
    (0, b"ARROW1", Kind("an Arrow or Feather table", _TABLE)),
    (0, b"SQLite format 3", Kind("an SQLite database", _TABLE)),
    (0, b"RDX2\n", Kind("an R data file", _TABLE)),
    (0, b"RDX3\n", Kind("an R data file", _TABLE)),
    (0, b"CDF\x01", Kind("a NetCDF-3 file", _ARRAYS)),
    (0, b"CDF\x02", Kind("a NetCDF-3 file", _ARRAYS)),
    (0, b"\x02\x27\x91\xc6", Kind("an Intan recording (.rhd)", _SORT)),
    (0, b"\xac\x27\x91\xd6", Kind("an Intan recording (.rhs)", _SORT)),
    (0, b"######## Neuralynx", Kind("a Neuralynx recording", _SORT)),
    (0, b"header.format = 'Open Ephys", Kind("an Open Ephys recording", _SORT)),
    (0, b"PLEX", Kind("a Plexon recording (.plx)", _SORT)),
    (0, b"NEURALEV", Kind("a Blackrock recording (.nev)", _SORT)),
    (0, b"BREVENTS", Kind("a Blackrock recording (.nev)", _SORT)),
    (0, b"NEURALSG", Kind("a Blackrock recording (.nsx)", _SORT)),
    (0, b"NEURALCD", Kind("a Blackrock recording (.nsx)", _SORT)),
    (0, b"BRSMPGRP", Kind("a Blackrock recording (.nsx)", _SORT)),
    (0, b"ABF ", Kind("an Axon recording (.abf)", _SAVE_AGAIN)),
    (0, b"ABF2", Kind("an Axon recording (.abf)", _SAVE_AGAIN)),
    (0, b"DAT2", Kind("a HEKA recording (.dat)", _SAVE_AGAIN)),
    (0, b"DATA\0\0\0\0", Kind("a HEKA recording (.dat)", _SAVE_AGAIN)),
    (2, b"(C) CED 87", Kind("a Spike2 recording (.smr)", _SAVE_AGAIN)),
    (0, b"S64", Kind("a Spike2 recording (.smrx)", _SAVE_AGAIN)),
    (0, b"\xffBIOSEMI", Kind("a BDF recording", _SAVE_AGAIN)),
    (344, b"n+1\0", Kind("a NIfTI image", _IMAGES)),
    (128, b"DICM", Kind("a DICOM image", _IMAGES)),
    (0, b"\x00\x05\x16\x07", Kind("what macOS writes beside a file on a foreign drive", "name the file without ._")),
    (0, b"\x7fELF", Kind("a program")),
    (0, b"MZ\x90\0", Kind("a Windows program")),
    (0, b"version https://git-lfs", Kind("a pointer of Git LFS, not the file itself", "fetch the file: git lfs pull")),
    (0, b"/annex/objects/", Kind("a pointer of git-annex, not the file itself", "fetch the file: datalad get")),
    (0, b"<!doctype html", Kind("a web page", "download the file itself: a page was saved in its place")),
    (0, b"<html", Kind("a web page", "download the file itself: a page was saved in its place")),
    (0, b"<?xml", Kind("an XML text")),
)
_LONGEST = 360


def kind_of(path: Path) -> Kind | None:
    """What a file is by its first bytes; None for what is not listed here. Cheap. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for at, magic, kind in _STARTS:
        if start[at : at + len(magic)] == magic or (at == 0 and magic.startswith(b"<") and text.startswith(magic)):
            return kind
    if start.startswith(b"0       ") and len(start) > 256 and b"\n" not in start[:256]:
        return Kind("an EDF recording", _SAVE_AGAIN)
    return _serialised(start)


def _serialised(start: bytes) -> Kind | None:
    if len(start) > 2 and start[0] == 0x80 and 2 <= start[1] <= 5:
        return Kind("a Python pickle", _ARRAYS)
    if start[:4] in (b"(dp0", b"(lp0") or start.startswith((b"ccopy_reg\n", b"cnumpy", b"(dp1\n", b"(lp1\n")):
        return Kind("a Python pickle", _ARRAYS)
    if len(start) > 10 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**27 and b'"dtype"' in start:
        return Kind("weights in safetensors, not data", "name the file of the data")
    return None


def kind_of_zip(path: Path) -> Kind | None:
    """What a file that is zip inside really is: arrays of numpy, a workbook, weights of torch; None for a mere archive."""
    names = names_in_zip(path)
    if not names:
        return None
    if all(name.endswith(".npy") for name in names):
        arrays = ", ".join(name.removesuffix(".npy") for name in names[:8])
        return Kind(f"arrays of numpy (.npz): {arrays}" + (" ..." if len(names) > 8 else ""), _ARRAYS)
    for beginning, kind in (
        ("xl/", Kind("an Excel workbook", _TABLE)),
        ("word/", Kind("a Word document", _DOCUMENT)),
        ("ppt/", Kind("a PowerPoint presentation", _DOCUMENT)),
        ("META-INF/MANIFEST.MF", Kind("a Java program")),
    ):
        if _any_begins(names, beginning):
            return kind
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return Kind("weights or tensors of torch (.pt)", _ARRAYS)
    if "mimetype" in names and "content.xml" in names:
        return Kind("an OpenDocument table or text", _TABLE)
    if any(name.endswith((".zarray", ".zgroup", "zarr.json")) for name in names):
        return Kind("a zarr store", _ARRAYS)
    return None


def names_in_zip(path: Path) -> list[str]:
    """The files in a zip archive, none where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _any_begins(names: Iterable[str], beginning: str) -> bool:
    return any(name.startswith(beginning) for name in names)
