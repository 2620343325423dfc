"""Pickles are read without being executed: equal to Python's own reading where they are plain, an error everywhere else."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings.pickles.machine import LONG
from neurocli.recordings.pickles.unpickle import load, peek
from neurocli.recordings.pickles.values import Array, Stored

_spec = importlib.util.spec_from_file_location("python2", Path(__file__).parents[1] / "plugins/elm/python2.py")
assert _spec is not None and _spec.loader is not None
_python2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_python2)

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def loaded(content: bytes, tmp_path: Path) -> Any:
    path = tmp_path / "some.p"
    path.write_bytes(content)
    return load(path)


def plain(value: Any) -> Any:
    """Arrays read, for comparison."""
    if isinstance(value, Array):
        return value.read()
    if isinstance(value, Stored):
        return value.read()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value


def assert_same(one: Any, other: Any) -> None:
    """Equal in value and, but for numpy's scalars, in kind."""
    if isinstance(other, np.ndarray):
        assert isinstance(one, np.ndarray) and one.shape == other.shape
        assert one.dtype == other.dtype.newbyteorder("=")
        np.testing.assert_array_equal(one, other)
    elif isinstance(other, dict):
        assert type(one) is dict and list(one) == list(other)
        for key in other:
            assert_same(one[key], other[key])
    elif isinstance(other, list | tuple):
        assert type(one) is type(other) and len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(other, np.generic):
        assert one == other.item() and type(one) is type(other.item())
    else:
        assert one == other and type(one) is type(other)


def everything() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shared = [np.int64(7), np.int64(7)]
    return {
        "none": None,
        "truth": [True, False],
        "whole": [0, 1, 255, 256, 65535, 65536, -1, -129, 2**31, -(2**31) - 1, 2**62, 2**80, -(2**80)],
        "real": [0.0, -1.5, 1e300, float("inf")],
        "text": ["", "a", "é", "中文", "\U0001f600", "line\nbreak", 'quote"\\'],
        "bytes": [b"", b"abc", bytes(range(256))],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "nested": {"a": {"b": [{"c": (1, [2])}]}, 3: "three", 2.5: []},
        "long list": list(range(2500)),
        "shared": [shared, shared],
        "arrays": [
            rng.normal(size=20).astype(np.float16),
            rng.normal(size=(3, 4)).astype(np.float32),
            np.asfortranarray(rng.normal(size=(3, 4))),
            rng.normal(size=(6, 4))[::2, ::2],
            rng.integers(0, 100, 10),
            rng.integers(0, 100, 10).astype(">i4"),
            np.array([True, False]),
            np.array(["ab", "c"]),
            np.array([b"ab", b"c"]),
            np.array(1.5),
            np.zeros(0),
            np.zeros((0, 3), np.int8),
            rng.normal(size=3000),
        ],
        "scalars": [np.float64(1.5), np.float32(2.5), np.int32(-3), np.uint8(200), np.bool_(True)],
        "spikes": {np.int64(k): [np.int64(t) for t in rng.integers(0, 6000, 40)] for k in range(30)},
        "large": [np.int64(2**40), np.int64(-5), np.int64(128), np.int64(0x8080), np.int64(0)],
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_is_read_as_python_reads_it(protocol, tmp_path):
    content = pickle.dumps(everything(), protocol)
    assert_same(plain(loaded(content, tmp_path)), pickle.loads(content))


def test_python_2_is_read_as_python_reads_it(tmp_path):
    values = {name: value for name, value in everything().items() if name not in ("none", "bytes", "tuples", "shared")}
    values["text"] = ["", "a", "é"]
    values["nested"] = {"a": {"b": [{"c": []}]}}
    values["whole"] = [0, 255, 256, -1, 2**31 - 1]
    values["arrays"] = [np.ascontiguousarray(value) for value in values["arrays"] if value.ndim in (1, 2)]
    values["arrays"] = [value for value in values["arrays"] if value.dtype.kind in "biuf"]
    buffer = io.BytesIO()
    _python2.Python2Pickler(buffer).dump(values)
    expected = pickle.loads(buffer.getvalue(), encoding="latin1")
    assert_same(plain(loaded(buffer.getvalue(), tmp_path)), expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_integer_inside_a_run_may_be_used_again_elsewhere(protocol, tmp_path):
    shared = np.int64(4711)
    value = {
        "a": [np.int64(1), np.int64(2), shared, np.int64(3)],
        "b": [shared, np.int64(5)],
        "c": [1.5, "text", shared],
    }
    assert plain(loaded(pickle.dumps(value, protocol), tmp_path)) == {
        "a": [1, 2, 4711, 3],
        "b": [4711, 5],
        "c": [1.5, "text", 4711],
    }


def test_bytes_as_keys_become_texts(tmp_path):
    assert loaded(pickle.dumps({b"Params": 1}, 4), tmp_path) == {"Params": 1}


def test_long_arrays_stay_in_the_file(tmp_path):
    array = np.arange(LONG)
    actual = loaded(pickle.dumps(array, 2), tmp_path)
    assert isinstance(actual.stored, Stored)
    np.testing.assert_array_equal(actual.read(), array)


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Plain:
    """An instance with a state."""

    def __init__(self) -> None:
        self.x = 1


def hostile(canary: Path) -> dict[str, Any]:
    """Values whose pickle does something when Python loads it: writes the file `canary`, in most cases."""
    command = f"touch {canary}"
    np.save(canary.with_name("objects.npy"), np.array([Calls(os.system, command)], object), allow_pickle=True)
    return {
        "system": Calls(os.system, command),
        "eval": Calls(eval, f"open({str(canary)!r}, 'w').close()"),
        "exec": Calls(exec, f"open({str(canary)!r}, 'w').close()"),
        "open": Calls(open, str(canary), "w"),
        "partial": Calls(functools.partial, os.system, command),
        "getattr": Calls(getattr, Plain, "__init__"),
        "numpy.load": Calls(np.load, str(canary.with_name("objects.npy")), None, True),
        "bytearray of a size": Calls(bytearray, 2**40),
        "bytes of a size": Calls(bytes, 2**40),
        "encode with another codec": Calls(__import__("_codecs").encode, "x", "unicode_escape"),
        "instance": Plain(),
        "set": {1, 2},
        "frozenset": frozenset([1]),
        "complex": 1j,
        "objects": np.array([Calls(os.system, command)], object),
        "fields": np.zeros(2, [("a", "f4"), ("b", "i4")]),
        "dates": np.array(["2020-01-01"], "M8[D]"),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_executed(protocol, tmp_path):
    canary = tmp_path / "canary"
    for name, value in hostile(canary).items():
        for content in (value, {"Params": {"a": [np.int64(1), value]}}):
            with pytest.raises(DataError) as caught:
                loaded(pickle.dumps(content, protocol), tmp_path)
            assert not canary.exists(), name
            assert "byte" in caught.value.where, name


def test_the_canary_would_have_sung(tmp_path):
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(hostile(canary)["system"]))
    assert canary.exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"\x80\x02cposix\nsystem\nq\x00U\x04trueq\x01\x85q\x02Rq\x03.", "posix.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"\x80\x02c__builtin__\ngetattr\n.", "__builtin__.getattr"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncbuiltins\nlist\nK\x00\x85U\x01b\x87R.", "builtins.list"),
    ],
)
def test_the_name_that_is_asked_for_is_told(content, named, tmp_path):
    with pytest.raises(DataError, match=named):
        loaded(content, tmp_path)


ODD = {
    "persistent id": b"Pid\n.",
    "binary persistent id": b"K\x01Q.",
    "extension": b"\x82\x01.",
    "buffer outside": b"\x80\x05\x97.",
    "new object": b"\x80\x02c_codecs\nencode\n)\x81.",
    "protocol of the future": b"\x80\x09N.",
    "unknown operation": b"\xff.",
    "stop without a value": b".",
    "two values": b"NN.",
    "open mark": b"(N.",
    "pop from nothing": b"0.",
    "no mark": b"e.",
    "append to a number": b"K\x01K\x02a.",
    "entry of a list": b"]K\x01K\x02s.",
    "odd entries": b"}(K\x01u.",
    "list as a key": b"}]K\x01s.",
    "tuple as a key": b"}K\x01\x85K\x01s.",
    "state of a number": b"K\x01Nb.",
    "state that is none": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87RK\x01b.",
    "call of a number": b"K\x01)R.",
    "call without a tuple": b"cnumpy\ndtype\nU\x02f8R.",
    "never remembered": b"h\x05.",
    "negative length": b"T\xff\xff\xff\xffabc.",
    "not a number": b"Ixyz\n.",
    "a number without end": b"L" + b"9" * 100_000 + b"L\n.",
    "a long number": b"\x8b" + struct.pack("<i", 10**6) + b"\x01" * 10**6 + b".",
    "text that is none": b"X\x02\0\0\0\xff\xff.",
    "text without quotes": b"Sabc\n.",
    "type of no size": b"cnumpy\ndtype\nU\x02S0\x85R.",
    "type that is code": b"cnumpy\ndtype\nU\x08f8,(2,)Oq\x85R.",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_plain_pickle_is_an_error_with_its_byte(name, tmp_path):
    with pytest.raises(DataError) as caught:
        loaded(ODD[name], tmp_path)
    assert "byte" in caught.value.where


def reconstructed(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape
        + b"cnumpy\ndtype\nU" + bytes([len(dtype)]) + dtype + b"\x85R\x89" + data + b"tb."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "dtype", "data"),
    [
        (b"\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85", b"f8", b"U\x08abcdefgh"),
        (b"J\xff\xff\xff\xff\x85", b"f8", b"U\x08abcdefgh"),
        (b"K\x02\x85", b"f8", b"U\x08abcdefgh"),
        (b"K\x01\x85", b"O8", b"]"),
        (b"K\x01\x85", b"f8", b"K\x07"),
        (b"U\x01a\x85", b"f8", b"U\x08abcdefgh"),
        (b"K\x08", b"u1", b"U\x08abcdefgh"),
    ],
)
def test_sizes_are_held_against_the_file(shape, dtype, data, tmp_path):
    np.testing.assert_array_equal(
        loaded(reconstructed(b"K\x01\x85", b"f8", b"U\x08abcdefgh"), tmp_path).read(), np.frombuffer(b"abcdefgh")
    )
    with pytest.raises(DataError):
        loaded(reconstructed(shape, dtype, data), tmp_path)


@pytest.mark.parametrize("code", [b"\x8e", b"\x8d", b"\x96"])
def test_a_length_beyond_the_file_takes_no_memory(code, tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="truncated"):
            loaded(code + struct.pack("<Q", 2**50) + b"abc", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_bombs_of_references_stay_small(tmp_path):
    """Lists that hold the one before twice: 2^60 elements for whoever walks them. And depth beyond any stack."""
    bomb = b"]q\x000" + b"".join(b"](h%ch%ceq%c0" % (n, n, n + 1) for n in range(60)) + b"h%c." % 60
    began = time.process_time()
    actual = loaded(bomb, tmp_path)
    assert actual[0] is actual[1] and time.process_time() - began < 1
    deep = loaded(b"]" + b"\x85" * 300_000 + b".", tmp_path)
    assert len(deep) == 1
    with pytest.raises(DataError):
        loaded(b"(" * 300_000, tmp_path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_truncated_pickle_is_an_error_wherever_it_ends(protocol, tmp_path):
    content = pickle.dumps({"a": [np.int64(k) for k in range(5)], "b": np.arange(4.0), "c": ["text", 1.5]}, protocol)
    assert plain(loaded(content, tmp_path))["a"] == [0, 1, 2, 3, 4]
    for end in range(1, len(content)):
        with pytest.raises(DataError):
            loaded(content[:end], tmp_path)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_damaged_pickle_is_an_error_or_a_value(protocol, tmp_path):
    rng = np.random.default_rng(protocol)
    content = pickle.dumps({"a": [np.int64(k) for k in range(5)], "b": np.arange(4.0), "c": ["text", 1.5]}, protocol)
    for _ in range(400):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            loaded(bytes(damaged), tmp_path)
        except DataError:
            continue


def test_peek_reads_no_further_than_it_must(tmp_path):
    content = pickle.dumps({"Params": {"n": 3}, "Results": {"list": [1, 2]}}, 2)
    path = tmp_path / "cut.p"
    path.write_bytes(content[: content.index(b"list") + 4])
    assert peek(path, "Params", before="list") == {"n": 3}
    other = tmp_path / "other.p"
    other.write_bytes(pickle.dumps({"Results": {"list": [1, 2]}, "Params": {"n": 3}}, 2))
    assert peek(other, "Params", before="list") is None
    assert load(other)["Params"] == {"n": 3}


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "empty.p").write_bytes(b"")
    for name in ("empty.p", "missing.p", "."):
        with pytest.raises(DataError):
            load(tmp_path / name)
