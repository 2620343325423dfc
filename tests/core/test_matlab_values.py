"""Structs and cells of MATLAB files beside scipy (v5) and pymatreader (v7.3), and damaged or hostile ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from pymatreader import read_mat

from neurocli.errors import DataError
from neurocli.recordings.matlab import MatValue, holds, open_mat

TREE: dict[str, Any] = {
    "traces": np.arange(12.0).reshape(4, 3),
    "rate": 2.5,
    "title": "worm",
    "flags": np.array([[True, False, True]]),
    "empty": np.zeros((0, 0)),
    "names": ["AVAL", "", "VB02", 17.0],
    "nested": [[np.arange(3.0), "x"], ["y", ["deep"]]],
    "inner": {"a": 1.0, "b": {"c": "end"}},
}


def cells(values: list[Any]) -> np.ndarray:
    """A list as scipy writes a cell array."""
    array = np.empty((1, len(values)), object)
    for number, value in enumerate(values):
        array[0, number] = for_scipy(value)
    return array


def for_scipy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: for_scipy(one) for name, one in value.items()}
    return cells(value) if isinstance(value, list) else value


def put(file: h5py.File, holder: h5py.Group, name: str, value: Any) -> None:
    """A value as MATLAB lays it out in HDF5: axes reversed, cells as references into #refs#."""
    if isinstance(value, dict):
        group = holder.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, one in value.items():
            put(file, group, field, one)
        return
    if isinstance(value, list):
        refs = file.require_group("#refs#")
        data = holder.create_dataset(name, (len(value), 1), dtype=h5py.ref_dtype)
        kind = "cell"
        for number, one in enumerate(value):
            key = f"r{len(refs)}"
            put(file, refs, key, one)
            data[number, 0] = refs[key].ref
    else:
        kind = {str: "char", bool: "logical"}.get(type(value), "double")
        codes = [[ord(letter)] for letter in value] if isinstance(value, str) else np.atleast_2d(value).T
        array = np.array(codes, np.uint16 if kind == "char" else None)
        if array.dtype == bool:
            kind, array = "logical", array.astype(np.uint8)
        empty = not array.size
        data = holder.create_dataset(name, data=np.array([0, 0], np.uint64) if empty else array)
        if empty:
            data.attrs["MATLAB_empty"] = np.uint8(1)
    data.attrs["MATLAB_class"] = np.bytes_(kind)


@pytest.fixture(scope="module", params=["v5", "v5 packed", "v7.3"])
def file(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("values") / "tree.mat"
    if request.param == "v7.3":
        with h5py.File(path, "w", userblock_size=512) as raw:
            put(raw, raw, "WT", TREE)
        content = bytearray(path.read_bytes())
        content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
        path.write_bytes(content)
    else:
        scipy.io.savemat(str(path), {"WT": for_scipy(TREE)}, do_compression="packed" in request.param)
    return path


def plain(value: MatValue) -> Any:
    """A value as Python and numpy know it."""
    if value.kind == "struct":
        return {name: plain(value.field(name)) for name in value.fields}
    if value.kind == "cell":
        return [plain(cell) for cell in value.cells()]
    return value.text() if value.kind == "char" else value.numbers()


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, str):  # an empty text may be stored as an empty array
        return found == expected or (expected == "" and not np.size(found))
    return np.array_equal(np.squeeze(found), np.squeeze(expected))


def test_structs_and_cells_are_read_as_they_were_written(file):
    with open_mat(file) as variables:
        assert set(variables.fields("WT")) == set(TREE)
        value = variables.value("WT")
        assert value.kind == "struct" and value.shape == (1, 1)
        assert same(plain(value), TREE)
        assert value.field("traces").shape == (4, 3) and value.field("flags").kind == "logical"
        assert value.field("names").cells()[2].text() == "VB02"
        assert value.field("nested").cells()[1].cells()[1].cells()[0].where == f"{file}:WT.nested{{2}}{{2}}{{1}}"
    assert holds(file, {"WT"}) and not holds(file, {"WT", "other"})


def test_another_reader_finds_the_same(file):
    """pymatreader reads v5 through scipy, and v7.3 with code of its own."""
    expected = read_mat(str(file))["WT"]
    with open_mat(file) as variables:
        found = variables.value("WT")
        assert np.array_equal(found.field("traces").numbers(), expected["traces"])
        assert found.field("inner").field("b").field("c").text() == expected["inner"]["b"]["c"]
        assert found.field("title").text() == expected["title"]
        assert np.array_equal(found.field("nested").cells()[0].cells()[0].vector(), expected["nested"][0][0])


def test_arrays_of_structs(tmp_path):
    elements = [(np.arange(3.0) + n, f"worm{n}") for n in range(3)]
    v5 = tmp_path / "v5.mat"
    array = np.empty((1, 3), [("x", object), ("name", object)])
    array[0, :] = elements
    scipy.io.savemat(str(v5), {"WT": array})
    v73 = tmp_path / "v73.mat"
    with h5py.File(v73, "w") as raw:
        group, refs = raw.create_group("WT"), raw.create_group("#refs#")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field in ("x", "name"):
            data = group.create_dataset(field, (3, 1), dtype=h5py.ref_dtype)  # without MATLAB_class: no cell array
            for number, element in enumerate(elements):
                put(raw, refs, f"{field}{number}", element[field == "name"])
                data[number, 0] = refs[f"{field}{number}"].ref
    for path in (v5, v73):
        with open_mat(path) as variables:
            value = variables.value("WT")
            assert value.count == 3
            for number, (x, name) in enumerate(elements):
                assert np.array_equal(value.field("x", number).vector(), x)
                assert value.field("name", number).text() == name
            with pytest.raises(DataError, match="missing"):
                value.field("x", 3)


def test_wrong_uses_are_named(file):
    with open_mat(file) as variables:
        value = variables.value("WT")
        for action, message in [
            (lambda: value.numbers(), "struct array in the place of numbers"),
            (lambda: value.field("title").cells(), "char array in the place of a cell array"),
            (lambda: value.field("names").text(), "cell array in the place of a text"),
            (lambda: value.field("traces").field("x"), "double array in the place of a struct"),
            (lambda: value.field("traces").vector(), "4 x 3, not that of a list"),
            (lambda: value.field("tracess"), "tracess is missing"),
        ]:
            with pytest.raises(DataError, match=message) as caught:
                action()
            assert caught.value.where.startswith(f"{file}:WT") and caught.value.hint
    with pytest.raises(DataError, match="missing"), open_mat(file) as variables:
        variables.value("KO")


@pytest.mark.parametrize("kind", [16, 3, 17], ids=["function", "object", "opaque"])
def test_what_holds_code_is_refused(kind, tmp_path):
    """A function handle, an object of the old kind and one of the new, as a variable and within a struct."""
    path = tmp_path / "code.mat"
    shape = b"" if kind == 17 else np.array([5, 8, 1, 1], "<i4").tobytes()
    flags = np.array([6, 8, kind, 0], "<u4").tobytes()

    def element(name: bytes) -> bytes:
        body = flags + shape + np.array([1, len(name)], "<u4").tobytes() + name.ljust(-(-len(name) // 8) * 8, b"\0")
        return np.array([14, len(body)], "<u4").tobytes() + body

    struct = np.array([6, 8, 2, 0, 5, 8, 1, 1, 1, 8], "<u4").tobytes() + b"WT\0\0\0\0\0\0"
    struct = struct[:-8] + b"WTWTWTWT" + np.array([4 << 16 | 5, 8, 1, 8], "<u4").tobytes() + b"f\0\0\0\0\0\0\0"
    struct += element(b"")
    whole = np.array([14, len(struct)], "<u4").tobytes() + struct
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + element(b"handle") + whole)
    with open_mat(path) as variables:
        assert variables.fields("WTWTWTWT") == ("f",) and variables.fields("handle") == ()
        for value in (variables.value("handle"), variables.value("WTWTWTWT").field("f")):
            for action in (value.numbers, value.text, value.cells, lambda v=value: v.field("x")):
                with pytest.raises(DataError, match=r"never read|only MATLAB"):
                    action()


def test_objects_and_complex_numbers_of_v73_are_refused(tmp_path):
    path = tmp_path / "code.mat"
    with h5py.File(path, "w") as raw:
        raw["handle"] = np.zeros((1, 4), np.uint32)
        raw["handle"].attrs["MATLAB_object_decode"] = np.int32(3)
        raw.create_group("function").attrs["MATLAB_class"] = np.bytes_("function_handle")
        raw["complex"] = np.zeros((1, 4), [("real", "f8"), ("imag", "f8")])
        raw["type"] = np.dtype("f8")
    with open_mat(path) as variables:
        for name in ("handle", "function", "complex"):
            value = variables.value(name)
            for action in (value.numbers, value.text, value.cells, lambda v=value: v.field("x")):
                with pytest.raises(DataError, match=r"never read|only MATLAB|complex numbers"):
                    action()
        with pytest.raises(DataError, match="type"):
            variables.value("type")


@pytest.mark.parametrize("kind", ["null", "nowhere", "link", "circle", "many"])
def test_a_hostile_reference_leads_nowhere(kind, tmp_path):
    path = tmp_path / "refs.mat"
    with h5py.File(path, "w") as raw:
        raw["x"] = np.arange(3.0)
        size = (10**9, 1) if kind == "many" else (1, 1)
        data = raw.create_dataset("c", size, dtype=h5py.ref_dtype, chunks=(1000, 1) if kind == "many" else None)
        if kind == "circle":
            data[0, 0] = data.ref
        elif kind != "null" and kind != "many":
            data[0, 0] = raw["x"].ref
        address = h5py.h5o.get_info(raw["x"].id).addr
        if kind == "link":
            raw["y"] = h5py.ExternalLink("/etc/hostname", "/x")
    if kind == "nowhere":
        content = path.read_bytes()
        at = content.rindex(int(address).to_bytes(8, "little"))
        path.write_bytes(content[:at] + (1234).to_bytes(8, "little") + content[at + 8 :])
    with open_mat(path) as variables:
        if kind == "link":
            with pytest.raises(DataError, match="link"):
                variables.value("y")
            return
        value = variables.value("c")
        with pytest.raises(DataError, match=r"refers to nothing|deep|claims"):
            for _ in range(50):
                value = value.cells()[0]


def test_damage_to_any_byte_is_noticed_or_harmless(tmp_path):
    small = {"a": [np.arange(2.0), "xy"], "b": {"c": 1.0}}
    v5, v73 = tmp_path / "v5.mat", tmp_path / "v73.mat"
    scipy.io.savemat(str(v5), {"WT": for_scipy(small)})
    with h5py.File(v73, "w") as raw:
        put(raw, raw, "WT", small)
    broken_path = tmp_path / "broken.mat"
    random = np.random.default_rng(0)
    refused = 0
    for source, places in ((v5, range(128, v5.stat().st_size, 3)), (v73, random.integers(8, v73.stat().st_size, 25))):
        content = source.read_bytes()
        for at in places:
            for value in (0, 19, 255):
                broken = bytearray(content)
                broken[at] = value
                broken_path.write_bytes(broken)
                try:
                    with open_mat(broken_path) as variables:
                        for name in variables.names:
                            variables.fields(name)
                            plain(variables.value(name))
                except DataError as error:
                    refused += 1
                    assert str(broken_path) in (error.where or "")
    assert refused > 50


def test_a_struct_of_too_much_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "hostile.mat"
    scipy.io.savemat(str(path), {"WT": {"x": np.zeros((7, 11)), "c": cells([1.0, 2.0])}})
    content = path.read_bytes()
    shapes = {(7, 11): (2**31 - 1, 2**31 - 1), (1, 2): (2**31 - 1, 2**31 - 1)}
    for true, false in shapes.items():
        true_bytes, false_bytes = np.array(true, "<i4").tobytes(), np.array(false, "<i4").tobytes()
        assert true_bytes in content
        content = content.replace(true_bytes, false_bytes)
    path.write_bytes(content)
    with open_mat(path) as variables:
        value = variables.value("WT")
        with pytest.raises(DataError, match="damaged"):
            value.field("x").numbers()
        with pytest.raises(DataError, match="claims"):
            value.field("c").cells()
