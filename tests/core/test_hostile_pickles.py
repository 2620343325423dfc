"""Pickles that grow: what their values take in memory is counted before it is taken, whatever makes them grow."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from neurocli.errors import DataError
from neurocli.recordings.pickles.unpickle import load, peek

MANY = 800_000
_ENCODE = b"c_codecs\nencode\nq\0X" + struct.pack("<I", 1000) + b"a" * 1000 + b"q\x01X\x06\0\0\0latin1q\x02("
_TEXTS = (
    b"cnumpy.core.multiarray\nscalar\nq\0cnumpy\ndtype\nX\x05\0\0\0S9999K\0K\x01\x87R(K\x03X\x01\0\0\0|NNN"
    b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbq\x01B" + struct.pack("<I", 9999) + b"a" * 9999 + b"q\x02("
)


def _forms() -> bytes:
    """300,000 runs of one number, each written in another way."""
    put, get = (lambda n, op=op: op + struct.pack("<I", n) for op in (b"r", b"j"))
    start = b"cnumpy.core.multiarray\nscalar\n" + b"".join(put(k) for k in range(1000))
    start += b"cnumpy\ndtype\nX\x02\0\0\0i8K\0K\x01\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    start += b"".join(put(k + 1000) for k in range(1000)) + b"("
    return start + b"".join(
        get(k % 1000) + get(1000 + k // 1000) + b"U\x08" + b"\1" * 8 + b"\x86R" for k in range(60_000)
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "lists": lambda: b"]" * MANY,
    "marks": lambda: b"(" * MANY,
    "dicts": lambda: b"}" * MANY,
    "dicts with an entry": lambda: b"}K\x01Ns" * (MANY // 5),
    "remembered lists": lambda: b"]\x94" * (MANY // 2),
    "tuples in tuples": lambda: b")" + b"\x85" * MANY,
    "a text encoded again and again": lambda: _ENCODE + b"h\0h\x01h\x02\x86R" * (MANY // 8),
    "a text of numpy again and again": lambda: _TEXTS + b"h\0h\x01h\x02\x86R" * (MANY // 8),
    "bytes as keys": lambda: b"C\xc8" + b"a" * 200 + b"q\0(" + b"}h\0Ns" * (MANY // 5),
    "the same entry": lambda: b"]q\0(" + b"2" * 3 * MANY + b"e",
    "runs of many forms": _forms,
    "laughs": lambda: b"]" + b"2\x86" * 60 + b"X\x01\0\0\0a\x93",
    "a deep name": lambda: b")" + b"\x85" * 100_000 + b"X\x01\0\0\0a\x93",
    "whole numbers of one hash": lambda: (
        b"}("
        + b"".join(b"\x8a\x0b" + (k * (2**61 - 1)).to_bytes(11, "little") + b"N" for k in range(1, 100_000))
        + b"u"
    ),
    "a number of 2 GB": lambda: b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\1",
    "many digits": lambda: b"L" + b"9" * 1_000_000 + b"L\n",
    "a frame of 4 EB": lambda: b"\x95" + struct.pack("<Q", 2**62) + b"]",
    "bytes of 4 EB": lambda: b"\x8e" + struct.pack("<Q", 2**62),
    "a line": lambda: b"V" + b"a" * MANY * 10 + b"\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", [load, lambda path: peek(path, "Results", before="listOfSingleSimulationDicts")])
def test_a_pickle_that_grows_is_stopped(name, read, tmp_path):
    path = tmp_path / "some.p"
    path.write_bytes(b"\x80\x02" + HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 250e6
    finally:
        tracemalloc.stop()
    assert str(path) in caught.value.where and caught.value.hint


@pytest.mark.parametrize(
    "value",
    [
        {k: float(k) for k in range(40_000)},
        [[] for _ in range(100_000)],
        {str(k): [k, k + 0.5] for k in range(30_000)},
        list(range(70_000, 270_000)),
    ],
    ids=["numbers", "lists", "dicts", "large numbers"],
)
@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_in_any_number_are_read(value, protocol, tmp_path):
    path = Path(tmp_path / "some.p")
    path.write_bytes(pickle.dumps(value, protocol))
    assert load(path) == value
