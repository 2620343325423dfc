"""Every format that is read: its small file, what reads it, and the command that is given it."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """name: of the format, and of the folder of its files; file: the one that is changed; given: the one that is read, if
    another; all: what is given to `neuro diagnose`, with the sound files beside it; model: for which; unpack, pack: where the
    changes are made inside of a packed file; count: of mutants."""

    name: str
    file: str
    model: str = ""
    given: str = ""
    all: str = ""
    count: int = 500
    is_text: bool = False
    unpack: Callable[[bytes], bytes] | None = None
    pack: Callable[[bytes, bytes], bytes] | None = None
    """(packed original, changed inside) → packed."""


def _gzipped(_: bytes, inside: bytes) -> bytes:
    return gzip.compress(inside, 1)


def _first_member(content: bytes) -> bytes:
    """The pickle in an archive of torch."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])


def _with_member(content: bytes, inside: bytes) -> bytes:
    """The archive with another pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for number, name in enumerate(source.namelist()):
            target.writestr(name, inside if number == 0 else source.read(name))
    return out.getvalue()


FORMATS = (
    Format("ours", "small.h5", "cnn-lstm"),
    Format("voltages", "run_0_voltages.dat", "cnn-lstm", all="*voltages.dat", is_text=True),
    Format("spikes", "run_0_spikes.dat", "cnn-lstm", "run_0_voltages.dat", all="*voltages.dat", is_text=True),
    Format("session-v5", "session.mat", "eirnn"),
    Format("session-v73", "session.mat", "eirnn"),
    Format("session-nwb", "session.nwb", "eirnn"),
    Format("worm-v5", "Lab_w0.mat", "gat-lstm", all="*"),
    Format("worm-v73", "Lab_w0.mat", "gat-lstm", all="*"),
    Format("worm-json", "worm0.json", "gat-lstm", all="*", is_text=True),
    Format("worm-h5", "worm0.h5", "gat-lstm", all="*"),
    Format("worm-nwb", "worm0.nwb", "gat-lstm", all="*"),
    Format("worm-parquet", "worms.parquet", "gat-lstm"),
    Format("neuronio", "sim__0.p", "elm"),
    Format("shd", "shd_train.h5", "elm"),
    Format("shd-gz", "shd_train.h5.gz", "elm"),
    Format("shd-gz-inside", "shd_train.h5.gz", "elm", unpack=gzip.decompress, pack=_gzipped),
    Format("connectome-csv", "edges.csv", "connectome", is_text=True),
    Format("connectome-graphml", "edges.graphml", "connectome", is_text=True),
    Format("checkpoint", "state.pt", "checkpoint"),
    Format("checkpoint-inside", "state.pt", "checkpoint", unpack=_first_member, pack=_with_member),
)
