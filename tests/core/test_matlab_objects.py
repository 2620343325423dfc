"""What a MATLAB file can hold beside plain arrays: objects, sparse matrices, texts of other programs, files of other kinds.

MATLAB alone writes objects; their bytes are laid out here as it lays them out.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from neurocli.errors import DataError
from neurocli.recordings.matlab import NUMERIC, holds, names_in, open_mat
from neurocli.recordings.readers import open_paths

OBJECTS = {
    "string": "cellstr",
    "categorical": "cellstr",
    "table": "table2struct",
    "timetable": "table2struct",
    "datetime": "seconds",
    "duration": "seconds",
    "containers.Map": "keys",
    "lab.Neuron": "plain array",
    "CellType": "plain array",
}
"""Classes, and a word of the advice; the last two are a class and an enumeration of somebody's own."""
REFERENCE = np.array([0xDD000000, 2, 3, 1, 1, 1], np.uint32)
"""What stands in the place of an object's values: a mark, the dimensions, the numbers of the object and of its class."""


# -- version 5, byte by byte ---------------------------------------------------------------------------------------


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    return np.array([kind, len(content)], f"{order}u4").tobytes() + content + b"\0" * (-len(content) % 8)


def array5(name: bytes, number: int, shape: tuple[int, ...], values: bytes, order: str = "<", flags: int = 0) -> bytes:
    head = element(6, np.array([number | flags, 0], f"{order}u4").tobytes(), order)
    head += element(5, np.array(shape, f"{order}i4").tobytes(), order) + element(1, name, order)
    return element(14, head + values, order)


def object5(name: bytes, kind: str, order: str = "<") -> bytes:
    """An object: name, system of classes, class, and the references that lead to its values."""
    reference = array5(b"", 13, (6, 1), element(6, REFERENCE.astype(f"{order}u4").tobytes(), order), order)
    head = element(6, np.array([17, 0], f"{order}u4").tobytes(), order)
    names = element(1, name, order) + element(1, b"MCOS", order) + element(1, kind.encode(), order)
    return element(14, head + names + reference, order)


def struct5(name: bytes, field: bytes, value: bytes, order: str = "<") -> bytes:
    width = np.array([4 << 16 | 5 if order == "<" else 5 << 0 | 4 << 16], f"{order}u4").tobytes()
    fields = width + np.array([8], f"{order}i4").tobytes() + element(1, field.ljust(8, b"\0"), order)
    return array5(name, 2, (1, 1), fields + value, order)


def file5(path: Path, *elements: bytes, order: str = "<", packed: bool = False) -> Path:
    """A file of these elements; the last is MATLAB's store of what the objects hold, which has no name."""
    store = array5(b"", 9, (1, 8), element(2, bytes(range(8)), order), order)
    contents = [*elements, store]
    if packed:
        squeezed = [zlib.compress(content) for content in contents]
        contents = [np.array([15, len(data)], f"{order}u4").tobytes() + data for data in squeezed]
    mark = b"\0\1IM" if order == "<" else b"\1\0MI"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(contents))
    return path


def objects5(path: Path, kind: str, order: str, packed: bool) -> Path:
    """An object as a variable, in a struct, and in a cell of a cell array; and a plain number."""
    cell = array5(b"cells", 1, (1, 1), object5(b"", kind, order), order)
    struct = struct5(b"WT", b"names", object5(b"", kind, order), order)
    number = array5(b"n", 6, (1, 1), element(9, np.array([7.0], f"{order}f8").tobytes(), order), order)
    return file5(path, object5(b"x", kind, order), struct, cell, number, order=order, packed=packed)


# -- version 7.3 -----------------------------------------------------------------------------------------------------


def objects73(path: Path, kind: str, number_type: str) -> Path:
    with h5py.File(path, "w", userblock_size=512) as raw:

        def put(holder: h5py.Group, name: str) -> h5py.Dataset:
            data = holder.create_dataset(name, data=REFERENCE.reshape(-1, 1).astype(number_type))
            data.attrs["MATLAB_class"] = np.bytes_(kind)
            data.attrs["MATLAB_object_decode"] = np.int32(3)
            return data

        refs, subsystem = raw.create_group("#refs#"), raw.create_group("#subsystem#")
        subsystem["MCOS"] = np.zeros((1, 6), "u8")
        put(raw, "x")
        raw.create_group("WT").attrs["MATLAB_class"] = np.bytes_("struct")
        put(raw["WT"], "names")
        cells = raw.create_dataset("cells", (1, 1), dtype=h5py.ref_dtype)
        cells[0, 0] = put(refs, "a").ref
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        raw["n"] = [[7.0]]
        raw["n"].attrs["MATLAB_class"] = np.bytes_("double")
    return with_header(path)


def with_header(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("container", ["v5", "v5 packed", "v5 big-endian", "v7.3 uint32", "v7.3 uint64"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_named_and_never_read_as_numbers(kind, container, tmp_path):
    path = tmp_path / "x.mat"
    if "v5" in container:
        objects5(path, kind, ">" if "big" in container else "<", "packed" in container)
    else:
        objects73(path, kind, container[-6:])
    assert names_in(path) == ["WT", "cells", "n", "x"] and holds(path, {"x", "n"})
    with open_mat(path) as variables:
        assert variables.kind("x") == kind and kind not in NUMERIC and variables.fields("x") == ()
        assert variables.numbers("n").item() == 7.0 and variables.kind("n") == "double"
        actions = [lambda method=method: method("x") for method in (variables.shape, variables.numbers, variables.text)]
        for place, value in {
            "x": variables.value("x"),
            "WT.names": variables.value("WT").field("names"),
            "cells{1}": variables.value("cells").cells()[0],
        }.items():
            assert value.kind == kind and not value.is_numeric and value.fields == ()
            actions += [value.numbers, value.text, value.texts, value.cells, value.vector]
            actions.append(lambda value=value: value.field("a"))
            with pytest.raises(DataError, match=re.escape(f"the variable {place} is a MATLAB")) as caught:
                value.numbers()
            assert kind in caught.value.message and OBJECTS[kind] in caught.value.hint
        for action in actions:
            with pytest.raises(DataError, match="only MATLAB can read"):
                action()
        with pytest.raises(DataError, match="only MATLAB can read"):
            variables.value("cells").texts()


def test_an_object_that_claims_the_class_of_numbers_is_still_an_object(tmp_path):
    file5(tmp_path / "v5.mat", object5(b"x", "double"))
    objects73(tmp_path / "v73.mat", "double", "uint32")
    for name in ("v5.mat", "v73.mat"):
        with open_mat(tmp_path / name) as variables:
            assert variables.kind("x") == "object"
            with pytest.raises(DataError, match="only MATLAB"):
                variables.numbers("x")


def test_an_object_without_its_mark_is_known_by_its_class(tmp_path):
    """A program that copies a file may keep one attribute and lose the other."""
    path = objects73(tmp_path / "x.mat", "string", "uint64")
    with h5py.File(path, "r+") as raw:
        del raw["x"].attrs["MATLAB_object_decode"]
    with open_mat(path) as variables, pytest.raises(DataError, match="string array"):
        variables.numbers("x")


def test_function_handles_and_old_objects(tmp_path):
    handle = array5(b"f", 16, (1, 1), struct5(b"", b"code", array5(b"", 4, (1, 1), element(4, b"x\0"))))
    old = array5(b"o", 3, (1, 1), element(1, b"inline"))
    with open_mat(file5(tmp_path / "v5.mat", handle, old)) as variables:
        assert (variables.kind("f"), variables.kind("o")) == ("function_handle", "inline")
        for name, message in (("f", "function handle"), ("o", "inline")):
            with pytest.raises(DataError, match=message):
                variables.value(name).field("code")


# -- sparse and complex ----------------------------------------------------------------------------------------------


def sparse73(path: Path, matrix: scipy.sparse.csc_matrix, kind: str = "double") -> Path:
    with h5py.File(path, "w", userblock_size=512) as raw:
        group = raw.create_group("S")
        group.attrs["MATLAB_sparse"], group.attrs["MATLAB_class"] = np.uint64(matrix.shape[0]), np.bytes_(kind)
        group["jc"] = matrix.indptr.astype("u8")
        if matrix.nnz:
            group["data"] = matrix.data.astype("u1" if kind == "logical" else "f8")
            group["ir"] = matrix.indices.astype("u8")
    return with_header(path)


@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("container", ["v5", "v7.3"])
def test_a_sparse_matrix_is_read_as_the_full_one(container, density, tmp_path):
    matrix = scipy.sparse.random(13, 7, density, format="csc", random_state=0)
    matrix.sort_indices()
    for logical in (False, True):
        stored = matrix.astype(bool) if logical else matrix
        path = tmp_path / "s.mat"
        if container == "v5":
            scipy.io.savemat(str(path), {"S": stored, "WT": {"S": stored}})
        else:
            sparse73(path, stored, "logical" if logical else "double")
        with open_mat(path) as variables:
            assert variables.shape("S") == (13, 7)
            assert variables.kind("S") == ("logical" if logical else "double")
            assert np.array_equal(variables.numbers("S"), stored.toarray())
            if container == "v5":
                assert np.array_equal(variables.value("WT").field("S").numbers(), stored.toarray())


@pytest.mark.parametrize("container", ["v5", "v7.3"])
def test_a_sparse_matrix_that_is_too_large_or_damaged_is_refused(container, tmp_path):
    path = tmp_path / "s.mat"
    huge = scipy.sparse.csc_matrix(([1.0], ([5], [3])), shape=(10**9, 1000))
    scipy.io.savemat(str(path), {"S": huge}) if container == "v5" else sparse73(path, huge)
    with open_mat(path) as variables, pytest.raises(DataError, match=r"too large as a full one.* claims") as caught:
        variables.numbers("S")
    assert "full" in caught.value.hint
    for change in ("row", "start", "count"):
        matrix = scipy.sparse.csc_matrix(np.eye(4))
        if change == "row":
            matrix.indices[2] = 9
        else:
            matrix.indptr[2 if change == "start" else 4] = 50
        if container == "v5":
            rows, starts, values = (np.asarray(part) for part in (matrix.indices, matrix.indptr, matrix.data))
            content = element(5, rows.astype("<i4").tobytes()) + element(5, starts.astype("<i4").tobytes())
            file5(path, array5(b"S", 5, (4, 4), content + element(9, values.tobytes())))
        else:
            sparse73(path, matrix)
        with open_mat(path) as variables, pytest.raises(DataError, match="sparse matrix are damaged"):
            variables.numbers("S")


def test_complex_numbers_are_refused_with_what_to_do(tmp_path):
    scipy.io.savemat(str(tmp_path / "v5.mat"), {"z": np.array([1 + 2j, 3])})
    with h5py.File(tmp_path / "v73.mat", "w") as raw:
        raw["z"] = np.zeros((1, 4), [("real", "f8"), ("imag", "f8")])
    for name in ("v5.mat", "v73.mat"):
        with open_mat(tmp_path / name) as variables, pytest.raises(DataError, match="z holds complex") as caught:
            variables.numbers("z")
        assert "real(x)" in caught.value.hint


# -- numbers and texts -----------------------------------------------------------------------------------------------


def test_whole_numbers_keep_their_value_or_are_damage(tmp_path):
    """A number that is stored in a wider type than its class, and does not fit there, would become another."""
    largest = np.array([[2**63 - 1, -(2**63)]], "i8")
    scipy.io.savemat(str(tmp_path / "i8.mat"), {"x": largest, "u": np.array([[2**64 - 1]], "u8")})
    with open_mat(tmp_path / "i8.mat") as variables:
        assert variables.numbers("x").tolist() == largest.tolist() and variables.numbers("u").item() == 2**64 - 1
    for number, stored, values in (
        (9, 6, np.array([300], "<u4")),
        (8, 2, np.array([200], "u1")),
        (12, 9, np.array([1.5])),
    ):
        path = file5(tmp_path / "x.mat", array5(b"x", number, (1, 1), element(stored, values.tobytes())))
        with open_mat(path) as variables, pytest.raises(DataError, match="damaged"):
            variables.numbers("x")


def test_a_variable_that_is_there_twice_is_refused(tmp_path):
    x = array5(b"x", 6, (1, 1), element(9, np.array([7.0]).tobytes()))
    with pytest.raises(DataError, match="twice"), open_mat(file5(tmp_path / "x.mat", x, x)):
        pass


TEXTS = ["AVAL", "RIS", "神経", "ñandú", ""]


def test_texts_of_every_encoding(tmp_path):
    units = "神経-ñ".encode("utf-16-le")
    many = [array5(b"a", 4, (1, 4), element(4, units)), array5(b"b", 4, (1, 4), element(17, units))]
    many.append(array5(b"c", 4, (1, 4), element(16, "神経-ñ".encode())))
    # Octave: the bytes of UTF-8, each as a character.
    octave = "ñandú".encode()
    many.append(array5(b"d", 4, (1, len(octave)), element(4, np.frombuffer(octave, "u1").astype("<u2").tobytes())))
    many.append(array5(b"e", 4, (1, 6), element(4, "AVAL\0\0".encode("utf-16-le"))))
    with open_mat(file5(tmp_path / "t.mat", *many)) as variables:
        assert [variables.text(name) for name in "abcde"] == ["神経-ñ"] * 3 + ["ñandú", "AVAL"]


@pytest.mark.parametrize("form", ["cellstr", "matrix"])
@pytest.mark.parametrize("container", ["v5", "v7.3"])
def test_lists_of_texts(container, form, tmp_path):
    path, width = tmp_path / "t.mat", max(map(len, TEXTS))
    rows = np.array([list(text.ljust(width)) for text in TEXTS])
    if container == "v5":
        values = np.array(TEXTS, object) if form == "cellstr" else np.array([text.ljust(width) for text in TEXTS])
        scipy.io.savemat(str(path), {"names": values})
    else:
        with h5py.File(path, "w") as raw:
            refs = raw.create_group("#refs#")
            codes = np.vectorize(ord)(rows).astype("u2")
            if form == "matrix":
                raw["names"] = codes.T
            else:
                raw.create_dataset("names", (1, len(TEXTS)), dtype=h5py.ref_dtype)
                for number, text in enumerate(TEXTS):
                    data = refs.create_dataset(f"r{number}", data=codes[number, : len(text), None] if text else [0, 0])
                    data.attrs["MATLAB_class"] = np.bytes_("char" if text else "canonical empty")
                    if not text:
                        data.attrs["MATLAB_empty"] = np.uint8(1)
                    raw["names"][0, number] = data.ref
            raw["names"].attrs["MATLAB_class"] = np.bytes_("cell" if form == "cellstr" else "char")
    with open_mat(path) as variables:
        assert variables.texts("names") == TEXTS and variables.value("names").texts() == TEXTS
        if form == "matrix":
            with pytest.raises(DataError, match="several rows"):
                variables.text("names")


def test_texts_as_other_programs_put_them_in_hdf5(tmp_path):
    path = tmp_path / "t.mat"
    with h5py.File(path, "w") as raw:
        raw["plain"], raw["fixed"] = "神経", np.bytes_("AVAL")
        for name, dtype in (("wide", "u4"), ("bytes", "u1")):
            codes = [ord(c) for c in "ñ神"] if dtype == "u4" else list("ñ神".encode())
            raw[name] = np.array(codes, dtype)[:, None]
            raw[name].attrs["MATLAB_class"] = np.bytes_("char")
        raw["half"] = np.ones((2, 1), "f2")
    with open_mat(path) as variables:
        assert [variables.text(name) for name in ("plain", "fixed", "wide", "bytes")] == ["神経", "AVAL", "ñ神", "ñ神"]
        assert variables.numbers("half").tolist() == [[1.0, 1.0]] and variables.kind("plain") == "char"


# -- files of other kinds --------------------------------------------------------------------------------------------


def test_older_files_and_those_of_octave_are_refused_by_name(tmp_path):
    scipy.io.savemat(str(tmp_path / "v4.mat"), {"firing_rates": np.eye(3)}, format="4")
    big = np.array([1000, 2, 1, 0, 2], ">i4").tobytes() + b"x\0" + np.ones(2).tobytes()
    (tmp_path / "big.mat").write_bytes(big)
    (tmp_path / "text.mat").write_text("# Created by Octave 8.4.0, Mon Jan 1\n# name: x\n# type: scalar\n1\n")
    (tmp_path / "binary.mat").write_bytes(b"Octave-1-L\0" + bytes(40))
    with h5py.File(tmp_path / "hdf5.mat", "w") as raw:
        group = raw.create_group("firing_rates")
        group.attrs["OCTAVE_NEW_FORMAT"] = np.uint8(1)
        group["type"], group["value"] = np.bytes_("matrix"), np.eye(3)
    for name, message, advice in (
        ("v4.mat", "MATLAB version 4", "-v7"),
        ("big.mat", "MATLAB version 4", "-v7"),
        ("text.mat", "Octave's own text format", "save -v7"),
        ("binary.mat", "Octave's own binary format", "save -v7"),
        ("hdf5.mat", "Octave's own HDF5 format", "save -v7"),
    ):
        for action in (lambda path: open_mat(path).__enter__(), lambda path: open_paths([path], [])):
            with pytest.raises(DataError, match=message) as caught:
                action(tmp_path / name)
            assert advice in caught.value.hint and name in caught.value.where


def test_what_octave_saves_with_v7_is_read(tmp_path):
    """Its header names Octave, and its texts are UTF-16 or bytes."""
    path = file5(tmp_path / "x.mat", array5(b"x", 6, (2, 1), element(9, np.array([1.0, 2.0]).tobytes())))
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 5.0 MAT-file, written by Octave 8.4.0".ljust(124) + content[124:])
    with open_mat(path) as variables:
        assert variables.numbers("x").tolist() == [[1.0], [2.0]]
