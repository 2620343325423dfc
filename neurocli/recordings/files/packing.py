"""Files that are packed: how, and what to type to unpack them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from neurocli.recordings.files.kinds import names_in_zip

_SHOWN = 4


@dataclass(frozen=True)
class Packed:
    """One way of packing files: its name, the bytes that it begins with, the program that unpacks it, the endings that it asks for."""

    name: str
    magic: bytes
    program: str
    endings: tuple[str, ...] = ()
    is_archive: bool = False

    def command(self, path: Path) -> str:
        """What to type to unpack `path`."""
        quoted = shlex.quote(str(path))
        if self.is_archive or path.name.lower().endswith(self.endings):
            return f"{self.program} {quoted}"
        # By its content, under the name of what is in it: the programs refuse names without their ending.
        target = shlex.quote(str(path.with_name(f"{path.stem}-unpacked{path.suffix}")))
        return f"{self.program.split()[0]} -c < {quoted} > {target}"


_PACKED = (
    Packed("gzip", b"\x1f\x8b", "gunzip -k", (".gz",)),
    Packed("bzip2", b"BZh", "bunzip2 -k", (".bz2",)),
    Packed("xz", b"\xfd7zXZ\0", "unxz -k", (".xz",)),
    Packed("zstd", b"\x28\xb5\x2f\xfd", "unzstd", (".zst",)),
    Packed("lz4", b"\x04\x22\x4d\x18", "unlz4", (".lz4",)),
    Packed("compress", b"\x1f\x9d", "uncompress", (".Z", ".z")),
    Packed("zip", b"PK\x03\x04", "unzip", is_archive=True),
    Packed("zip", b"PK\x05\x06", "unzip", is_archive=True),
    Packed("7-Zip", b"7z\xbc\xaf\x27\x1c", "7z x", is_archive=True),
    Packed("RAR", b"Rar!\x1a\x07", "unrar x", is_archive=True),
)
_TAR = Packed("tar", b"ustar", "tar xf", is_archive=True)
_TAR_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


def packed_how(path: Path) -> Packed | None:
    """How a file is packed, by its first bytes; None where it is not."""
    with path.open("rb") as file:
        start = file.read(262)
    if start[257:262] == _TAR.magic:
        return _TAR
    found = next((packed for packed in _PACKED if start.startswith(packed.magic)), None)
    return _TAR if found is not None and path.name.lower().endswith(_TAR_ENDINGS) else found


def holding(path: Path, packed: Packed) -> str:
    """`, with session.mat, notes.txt`: the names in a zip archive; empty for other ways of packing."""
    names = names_in_zip(path) if packed.name == "zip" else []
    names = [name for name in names if not name.startswith("__MACOSX/")]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" with {', '.join(names[:_SHOWN])}{more}" if names else ""
