"""What a file is that no reader takes, in words: how it is packed, or what its container holds."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import DAMAGE, look_into
from neurocli.recordings.files.text import encoding_of

_MOST_NAMES = 8


@dataclass(frozen=True)
class Packed:
    """One way of packing files: its name, the bytes that it begins with, the program that unpacks it."""

    name: str
    magic: bytes
    program: str

    def command(self, path: Path) -> str:
        """What to type to unpack `path`."""
        return f"{self.program} {shlex.quote(str(path))}"


_PACKED = (
    Packed("gzip", b"\x1f\x8b", "gunzip -k"),
    Packed("bzip2", b"BZh", "bunzip2 -k"),
    Packed("xz", b"\xfd7zXZ\0", "unxz -k"),
    Packed("zstd", b"\x28\xb5\x2f\xfd", "unzstd"),
    Packed("zip", b"PK\x03\x04", "unzip"),
    Packed("7-Zip", b"7z\xbc\xaf\x27\x1c", "7z x"),
    Packed("RAR", b"Rar!\x1a\x07", "unrar x"),
)
_TAR = Packed("tar", b"ustar", "tar xf")


def packed_how(path: Path) -> Packed | None:
    """How a file is packed, by its first bytes; None where it is not."""
    with path.open("rb") as file:
        start = file.read(262)
    if start[257:262] == _TAR.magic:
        return _TAR
    found = next((packed for packed in _PACKED if start.startswith(packed.magic)), None)
    if found is not None and path.name.lower().endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")):
        return _TAR
    return found


def contents_of(path: Path) -> str:
    """`HDF5 with the entries data, labels`, `a MATLAB file with the variables x, y`, `a text that begins with ...`; empty for anything else."""
    from neurocli.recordings.matlab import names_in

    variables = names_in(path)
    if variables is not None:
        return f"a MATLAB file with the variables {_some(variables)}"
    try:
        with look_into(path) as file:
            if file is not None:
                kind = "NWB" if "nwb_version" in file.attrs else "HDF5"
                return f"{kind} with the entries {_some(sorted(file))}"
    except (DataError, *DAMAGE):
        return ""
    encoding = encoding_of(path)
    if encoding is None:
        return ""
    with path.open(encoding=encoding, errors="replace") as text:
        start = " ".join(text.read(200).split())
    return f"a text that begins with {start[:40]!r}" if start.isprintable() else ""


def _some(names: list[str]) -> str:
    if not names:
        return "(none)"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
