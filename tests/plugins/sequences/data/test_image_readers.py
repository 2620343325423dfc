"""MNIST, CIFAR and Pathfinder: read as published, to the bit; damaged, they are refused with the place."""

from __future__ import annotations

import gzip
import importlib.util
import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli import open_recordings
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_sequences.data.readers.idx import IdxReader
from neurocli_sequences.data.readers.png import read_grey

_spec = importlib.util.spec_from_file_location("published", Path(__file__).parents[1] / "published.py")
assert _spec is not None and _spec.loader is not None
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)


def refused(path: Path | list[Path]) -> DataError:
    """The error of opening and reading all."""
    with pytest.raises(DataError) as caught:
        actual = open_recordings(path)
        for group in actual:
            actual[group]
    assert caught.value.where and caught.value.hint
    return caught.value


# -- IDX -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_images_and_labels_are_those_of_the_files(tmp_path, packed):
    actual = open_recordings(published.mnist(tmp_path / "digits", packed=packed))
    assert len(actual) == 42 and actual.groups[0] == "train-00000" and actual.groups[-1] == "test-00011"
    assert actual.meta["layout"] == {"height": 6, "width": 5, "colours": 1}
    assert actual.meta["kind"] == "images" and actual.meta["classes"] == [str(n) for n in range(10)]
    for part, count in (("train", 30), ("test", 12)):
        pixels, digits = published.images(count, seed=count), published.labels(count)
        for number in range(count):
            recording = actual[f"{part}-{number:05d}"]
            np.testing.assert_array_equal(recording.signal, pixels[number])
            assert recording.signal.dtype == np.uint8 and recording.unit == "grey level" and recording.dt_ms == 1
            assert recording.labels == {"part": part, "class": digits[number]}


def test_names_with_dots_and_one_part_alone_are_read(tmp_path):
    folder = published.mnist(tmp_path / "digits", packed=False)
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(open_recordings(folder)) == 42
    assert open_recordings(sorted(folder.glob("t10k*"))).groups[0] == "test-00000"


def test_what_is_shared_cannot_be_changed_by_one_user(tmp_path):
    recording = open_recordings(published.mnist(tmp_path / "digits"))["train-00000"]
    with pytest.raises(ValueError, match="read-only"):
        recording.signal[0, 0] = 1


def _raw(values: np.ndarray, **kwargs: Any) -> bytes:
    return published.idx(values, **kwargs)


IMAGES, LABELS = published.images(30, seed=30), published.labels(30)
BIG = struct.pack(">4I", 0x803, 2**31, 2**15, 2**15)


@pytest.mark.parametrize(
    ("file", "content", "said", "where"),
    [
        ("images", b"\1" + _raw(IMAGES)[1:], "not IDX", "byte 0"),
        ("images", _raw(IMAGES, order="<"), "little-endian", "byte 0"),
        ("images", _raw(IMAGES)[:4] + struct.pack("<3I", *IMAGES.shape) + IMAGES.tobytes(), "little-endian", "byte 0"),
        ("images", _raw(IMAGES.astype(np.float32), code=0x0D), "float32", "byte 2"),
        ("images", _raw(IMAGES)[:-7], "truncated", "byte 909"),
        ("images", _raw(IMAGES)[:9], "within its header", "byte 9"),
        ("images", _raw(IMAGES)[:2], "truncated", "byte 2"),
        ("images", _raw(IMAGES) + b"\0", "longer than its header", "byte 916"),
        ("images", _raw(IMAGES[:, :0]), "there are none", "byte 4"),
        ("images", _raw(LABELS), "1 dimensions, not 3", "byte 3"),
        ("images", _raw(IMAGES[:29]), "29 images and 30 labels", "train-images"),
        ("images", _raw(IMAGES[:, :5]), "6 x 5 and of 5 x 5", "t10k"),
        ("images", BIG, "no such file holds", "byte 4"),
        ("images", None, "images of these labels are missing", "train-labels"),
        ("labels", None, "labels of these images are missing", "train-images"),
        ("labels", _raw(IMAGES), "3 dimensions, not 1", "byte 3"),
        ("labels", _raw(np.where(np.arange(30) == 17, 10, LABELS).astype(np.uint8)), "a label is 10", "label 17"),
        ("labels", _raw(np.arange(30, dtype=np.uint8) % 10 + 1), "counted from 1?", "label 9"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_pair_is_refused_with_its_place(tmp_path, file, content, said, where, packed):
    folder = published.mnist(tmp_path / "digits", packed=packed)
    (path,) = folder.glob(f"train-{file}*")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(gzip.compress(content) if packed else content)
    error = refused(sorted(folder.iterdir()))
    assert said in error.message and where in error.where


def test_a_packed_file_that_is_cut_or_claims_more_than_it_can_hold_is_refused(tmp_path):
    folder = published.mnist(tmp_path / "digits")
    path = folder / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert "truncated" in refused(sorted(folder.iterdir())).message
    path.write_bytes(content[:-6] + b"\0\0" + content[-4:])
    assert "damaged" in refused(sorted(folder.iterdir())).message
    bomb = struct.pack(">4I", 0x803, 200_000, 28, 28) + bytes(200_000 * 28 * 28)
    path.write_bytes(gzip.compress(bomb))
    assert "in a file of" in refused(sorted(folder.iterdir())).message


def test_two_sets_together_and_both_forms_of_a_file_are_refused(tmp_path):
    first, second = published.mnist(tmp_path / "a"), published.mnist(tmp_path / "b", packed=False)
    assert "two files hold the train cases" in refused([*first.iterdir(), *second.iterdir()]).message
    path = first / "train-images-idx3-ubyte"
    path.write_bytes(published.idx(IMAGES))
    assert "same images" in refused(first).message


def test_foreign_files_are_left_to_others(tmp_path):
    for name, content in (("a.bin", b"\0\0\1\0"), ("b", b"\0\0\x08\x02"), ("c.gz", b"\x1f\x8b no"), ("d", b"")):
        (tmp_path / name).write_bytes(content)
    assert not any(IdxReader().can_read(path) for path in [*tmp_path.iterdir(), tmp_path])


# -- CIFAR -----------------------------------------------------------------------------------------------------------


def check_cifar(actual: RecordingSet, version: str, count: int = 4) -> None:
    ten = "-10-" in version
    classes = 10 if ten else 100
    names = ["train"] * 5 + ["test"] if ten else ["train", "test"]
    assert len(actual) == len(names) * count
    assert actual.meta["name"] == ("cifar10" if ten else "cifar100")
    assert actual.meta["classes"] == [f"class{number}" for number in range(classes)]
    assert actual.meta["layout"] == {"height": 32, "width": 32, "colours": 3}
    for number, part in enumerate(names):
        planes = published.cifar_planes(count, number)
        fine, coarse = published.labels(count, classes, number), published.labels(count, 20, number + 50)
        for place in range(count):
            before = number * count if part == "train" else 0
            recording = actual[f"{part}-{before + place:05d}"]
            assert recording.signal.shape == (32, 96) and recording.labels["part"] == part
            assert recording.labels["class"] == fine[place]
            assert ten or recording.labels["coarse"] == coarse[place]
            for colour in range(3):  # colours fastest
                np.testing.assert_array_equal(recording.signal[:, colour::3], planes[place, colour])


@pytest.mark.parametrize("version", published.VERSIONS)
@pytest.mark.parametrize("form", ["folder", "files", "tar.gz", "tar"])
def test_all_four_versions_are_read_packed_and_unpacked(tmp_path, version, form):
    files = published.cifar(version)
    if form.startswith("tar"):
        mode = "w:gz" if form == "tar.gz" else "w"
        name = version.replace("-batches-py", "-python").replace("-batches-bin", "-binary")
        paths = [published.tar(tmp_path / f"{name}.{form}", files, mode=mode, prefix=f"{version}/")]
    else:
        folder = published.folder_of(tmp_path / version, files)
        data = [path for path in folder.iterdir() if "meta" not in path.name and "names" not in path.name]
        paths = [folder] if form == "folder" else sorted(data, reverse=True)
    actual = open_recordings(paths)
    check_cifar(actual, version)
    assert not any(note.is_doubt for note in actual.notes)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("version", published.VERSIONS[:2])
def test_batches_that_python_3_wrote_are_read_too(tmp_path, version, protocol):
    check_cifar(
        open_recordings(published.folder_of(tmp_path / version, published.cifar(version, protocol=protocol))), version
    )


def test_a_renamed_archive_is_known_by_its_content_and_any_other_is_refused(tmp_path):
    files = published.cifar("cifar-10-batches-py")
    published.tar(tmp_path / "mine.tgz", files, prefix="cifar-10-batches-py/")
    check_cifar(open_recordings(tmp_path / "mine.tgz"), "cifar-10-batches-py")
    other = published.tar(tmp_path / "cifar-10-python.tar.gz", files, prefix="other/")
    assert "is packed (tar)" in refused(other).message


def test_missing_batches_are_a_doubt(tmp_path):
    files = published.cifar("cifar-10-batches-py")
    del files["data_batch_3"], files["test_batch"]
    actual = open_recordings(published.folder_of(tmp_path / "cifar-10-batches-py", files))
    (note,) = [note for note in actual.notes if note.is_doubt]
    assert "data_batch_3, test_batch" in note.found and len(actual) == 16


WIDE = published.cifar_planes(4, 0).reshape(4, -1)


@pytest.mark.parametrize(
    ("changes", "said", "where"),
    [
        ({"labels": [0, 1, 2]}, "4 images and 3 labels", "data_batch_1:labels"),
        ({"labels": [0, 1, 10, 2]}, "a label is 10", "image 2"),
        ({"labels": [0, 1, -1, 2]}, "a label is -1", "image 2"),
        ({"labels": [0, 1, 2.0, 2]}, "whole numbers", "labels"),
        ({"labels": None}, "no list labels", "labels"),
        ({"data": None}, "no array", "data_batch_1"),
        ({"data": WIDE[:, :-1]}, "not uint8 [image, 3072]", "data"),
        ({"data": WIDE.astype(np.float32)}, "float32", "data"),
        ({"data": WIDE.reshape(4, 3, 1024)}, "not uint8 [image, 3072]", "data"),
        ({"filenames": [b"a.png"]}, "1 names of files", "filenames"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_batch_is_refused_with_its_place(tmp_path, changes, said, where, packed):
    files = published.cifar("cifar-10-batches-py", **changes)
    if packed:
        path = published.tar(tmp_path / "cifar-10-python.tar.gz", files, prefix="cifar-10-batches-py/")
    else:
        path = published.folder_of(tmp_path / "cifar-10-batches-py", files)
    error = refused(path)
    assert said in error.message and where in error.where and "data_batch_1" in error.where


def test_code_in_a_batch_is_not_executed(tmp_path):
    files = published.cifar("cifar-10-batches-py")
    canary = tmp_path / "canary"
    files["data_batch_1"] = b"\x80\x02cos\nsystem\nq\0X%btouch %bq\1\x85R." % (
        struct.pack("<I", len(str(canary)) + 6),
        str(canary).encode(),
    )
    assert "os" in refused(published.folder_of(tmp_path / "cifar-10-batches-py", files)).message
    assert not canary.exists()


@pytest.mark.parametrize(("version", "record"), [("cifar-10-batches-bin", 3073), ("cifar-100-binary", 3074)])
def test_binary_records_are_held_against_their_length_and_labels(tmp_path, version, record):
    files = published.cifar(version)
    name = next(iter(files))
    cut = {**files, name: files[name][:-5]}
    error = refused(published.folder_of(tmp_path / "cut" / version, cut))
    assert "is the file cut?" in error.message and f"byte {3 * record}" in error.where
    wrong = bytearray(files[name])
    wrong[2 * record] = 100
    error = refused(published.folder_of(tmp_path / "wrong" / version, {**files, name: bytes(wrong)}))
    assert "label is 100" in error.message and "image 2" in error.where


def _with(files: dict[str, bytes], entry: tarfile.TarInfo) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        archive.addfile(entry)
    return memory.getvalue()


def test_links_names_that_lead_out_and_bombs_in_an_archive_are_refused(tmp_path):
    files = published.cifar("cifar-10-batches-py", count=1)
    del files["data_batch_2"]
    path = tmp_path / "cifar-10-python.tar.gz"
    link = tarfile.TarInfo("cifar-10-batches-py/data_batch_2")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path.write_bytes(_with(files, link))
    assert "is a link" in refused(path).message
    for name in ("/cifar-10-batches-py/data_batch_2", "cifar-10-batches-py/../../x"):
        path.write_bytes(_with(files, tarfile.TarInfo(name)))
        assert "leads out of it" in refused(path).message
    bomb = {**files, "data_batch_2": bytes(2**28)}
    published.tar(path, bomb, prefix="cifar-10-batches-py/")
    error = refused(path)
    assert "in a file of" in error.message or "unpack to more" in error.message


def test_a_cut_or_changed_archive_is_refused(tmp_path):
    files = published.cifar("cifar-10-batches-py")
    path = published.tar(tmp_path / "a.tar", files, mode="w", prefix="cifar-10-batches-py/")
    content = path.read_bytes()
    path.write_bytes(content[:30_000])
    assert "truncated" in refused(path).message or "damaged" in refused(path).message
    header = content.index(b"cifar-10-batches-py/data_batch_3")
    path.write_bytes(content[: header + 150] + b"9" + content[header + 151 :])  # its sum
    assert "damaged" in refused(path).message
    packed = gzip.compress(content)
    (tmp_path / "b.tar.gz").write_bytes(packed[:-9])
    assert "truncated" in refused(tmp_path / "b.tar.gz").message
    (tmp_path / "b.tar.gz").write_bytes(packed[:-8] + b"\0\0\0\0" + packed[-4:])
    assert "damaged" in refused(tmp_path / "b.tar.gz").message


# -- Pathfinder ------------------------------------------------------------------------------------------------------


def test_pathfinder_follows_its_metadata(tmp_path):
    actual = open_recordings(published.pathfinder(tmp_path / "curv_contour_length_14"))
    assert len(actual) == 6 and actual.meta["layout"] == {"height": 32, "width": 32, "colours": 1}
    for number, group in enumerate(actual):
        assert group == f"curv_contour_length_14-{number:05d}"
        np.testing.assert_array_equal(actual[group].signal, published.images(1, 32, 32, seed=number)[0])
        assert actual[group].labels == {"class": number % 2, "original": f"imgs/0/sample_{number}.png"}


def test_the_image_that_was_published_empty_is_left_out(tmp_path):
    folder = published.pathfinder(tmp_path / "curv_baseline")
    (folder / "imgs/0/sample_172.png").write_bytes(b"")
    with (folder / "metadata/1.npy").open("a") as file:
        file.write("imgs/0 sample_172.png 172 1 1.0\n")
    actual = open_recordings(folder)
    assert len(actual) == 6 and "without content" in actual.notes[0].found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("imgs/0 sample_9.png 9 1 1.0", "is missing"),
        ("imgs/0 sample_3.png 9 2 1.0", "the label is '2'"),
        ("imgs/0 sample_3.png", "2 words"),
        ("imgs/0 sample_3.png 3 1 1.0", "twice"),
        ("../../etc passwd.png 3 1 1.0", "no image in this folder"),
        ("/etc passwd.png 3 1 1.0", "no image in this folder"),
    ],
)
def test_a_line_of_the_metadata_that_does_not_hold_is_refused(tmp_path, line, said):
    folder = published.pathfinder(tmp_path / "curv_contour_length_14")
    with (folder / "metadata/1.npy").open("a") as file:
        file.write(line + "\n")
    error = refused(folder)
    assert said in error.message and "1.npy, line 4" in error.where


PNG = published.png(published.images(1, 32, 32, seed=2)[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PNG[:-30], "truncated"),
        (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "sum differs"),
        (b"GIF89a" + PNG[6:], "not PNG"),
        (b"", "empty"),
        (published.png(published.images(1, 16, 16)[0]), "16 x 16 pixels among"),
        (published.png(np.zeros((32, 32, 3), np.uint8), colours=2), "not grey"),
        (published.png(np.zeros((32, 4), np.uint8), bits=1), "not grey"),
        (published.png(np.zeros((32, 30), np.uint8))[:24] + PNG[24:], "sum differs"),
    ],
)
def test_a_damaged_image_is_refused_where_it_is_read(tmp_path, content, said):
    folder = published.pathfinder(tmp_path / "curv_contour_length_14")
    (folder / "imgs/0/sample_3.png").write_bytes(content)
    error = refused(folder)
    assert said in error.message and "sample_3.png" in error.where


def test_an_image_that_claims_a_huge_size_is_not_decoded(tmp_path):
    small = np.zeros((4, 4), np.uint8)
    claimed = bytearray(published.png(small))
    claimed[16:24] = struct.pack(">II", 2**20, 2**20)
    import zlib

    claimed[29:33] = struct.pack(">I", zlib.crc32(bytes(claimed[12:29])))
    (tmp_path / "a.png").write_bytes(bytes(claimed))
    with pytest.raises(DataError, match="are the most"):
        read_grey(tmp_path / "a.png")
    claimed[16:24] = struct.pack(">II", 64, 64)
    claimed[29:33] = struct.pack(">I", zlib.crc32(bytes(claimed[12:29])))
    (tmp_path / "a.png").write_bytes(bytes(claimed))
    with pytest.raises(DataError, match="damaged"):
        read_grey(tmp_path / "a.png")
