"""Texts, reviews, ListOps and pairs of papers: the bytes of the files, with what the files tell of them; damage is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from neurocli import open_recordings
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_sequences.data.readers.listops import value_of
from neurocli_sequences.data.readers.text import TextReader

_spec = importlib.util.spec_from_file_location("published", Path(__file__).parents[1] / "published.py")
assert _spec is not None and _spec.loader is not None
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)


def text_of(recording) -> str:
    assert recording.signal.dtype == np.uint8 and recording.signal.shape[1] == 1 and recording.unit == "byte"
    return recording.signal.tobytes().decode()


def refused(read) -> DataError:
    with pytest.raises(DataError) as caught:
        read()
    assert caught.value.where and caught.value.hint
    return caught.value


# -- texts -----------------------------------------------------------------------------------------------------------


def read(*paths: Path) -> RecordingSet:
    return TextReader().read(list(paths))


def test_a_folder_is_a_recording_a_file_called_by_its_path(tmp_path):
    files = {"b.txt": "zwei Wörter\r\n", "a/c.md": "eins", ".hidden": "no", "train/d": "drei"}
    actual = read(published.folder_of(tmp_path / "texts", {k: v.encode() for k, v in files.items()}))
    assert actual.groups == ["a:c.md", "b.txt", "train:d"] and actual.meta["kind"] == "text"
    assert [text_of(actual[group]) for group in actual] == ["eins", "zwei Wörter\r\n", "drei"]
    assert [actual[group].labels for group in actual] == [{}, {}, {"part": "train"}]


@pytest.mark.parametrize("ending", ["tokens", "raw"])
@pytest.mark.parametrize("form", ["folder", "zip", "files"])
def test_wikitext_has_three_parts(tmp_path, ending, form):
    files = {f"wiki.{part}.{ending}": f" = {part} = \n".encode() for part in ("train", "valid", "test")}
    if form == "zip":
        paths = [published.zipped(tmp_path / "wikitext-2-v1.zip", {f"wikitext-2/{k}": v for k, v in files.items()})]
    else:
        folder = published.folder_of(tmp_path / "wikitext-2", files)
        paths = [folder] if form == "folder" else sorted(folder.iterdir())
    actual = read(*paths)
    parts = {actual[group].labels["part"]: text_of(actual[group]) for group in actual}
    assert parts == {"train": " = train = \n", "validation": " = valid = \n", "test": " = test = \n"}


def test_names_that_only_resemble_a_part_tell_none(tmp_path):
    names = ["the_tempest.txt", "a_test_of_time.txt", "trains.txt", "testament.txt"]
    actual = read(published.folder_of(tmp_path / "plays", dict.fromkeys(names, b"text")))
    assert all(not actual[group].labels for group in actual)


@pytest.mark.parametrize(
    ("content", "said", "where"),
    [
        ("eins\nzwei ü".encode("cp1252"), "not UTF-8", "line 2, byte 10"),
        (b"one\ntwo\0", "zero byte", "line 2, byte 7"),
        ("text".encode("utf-16"), "UTF-16", "line 1"),
        (b" \n\n", "is empty", "a.txt"),
        (b"", "is empty", "a.txt"),
    ],
)
def test_what_is_no_text_is_refused_where_it_was_named_and_left_out_of_a_folder(tmp_path, content, said, where):
    folder = published.folder_of(tmp_path / "texts", {"a.txt": content, "b.txt": b"sound"})
    error = refused(lambda: read(folder / "a.txt"))
    assert said in error.message and where in error.where
    actual = read(folder)
    assert actual.groups == ["b.txt"] and said in actual.notes[0].found and actual.notes[0].is_doubt
    (folder / "b.txt").unlink()
    assert said in refused(lambda: read(folder)).message


def test_the_place_of_a_fault_is_right_wherever_a_long_text_is_divided(tmp_path, monkeypatch):
    from neurocli_sequences.data.readers import utf8

    content = ("aü€😀\n" * 40).encode()
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr(utf8, "_PART", size)
        utf8.check_utf8(content, "here")
        for place in range(0, len(content), 11):
            damaged = content[:place] + b"\xff" + content[place:]
            with pytest.raises(UnicodeDecodeError) as wanted:
                damaged.decode()
            with pytest.raises(DataError) as caught:
                utf8.check_utf8(damaged, "here")
            assert caught.value.where.endswith(f"byte {wanted.value.start}")
        with pytest.raises(DataError):
            utf8.check_utf8(content[:-2], "here")


def test_texts_are_not_looked_for_among_unknown_files(tmp_path):
    (tmp_path / "notes.txt").write_text("a text")
    assert TextReader().can_read(tmp_path / "notes.txt")
    assert "begins with 'a text'" in refused(lambda: open_recordings(tmp_path / "notes.txt")).message


# -- reviews ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_reviews_have_parts_and_classes_in_the_order_of_their_numbers(tmp_path, packed):
    files = published.reviews()
    if packed:
        path = published.tar(tmp_path / "aclImdb_v1.tar.gz", files)
    else:
        path = published.folder_of(tmp_path, files) / "aclImdb"
    actual = read(path)
    assert len(actual) == 12 and actual.meta["classes"] == ["neg", "pos"]
    assert [actual[f"train-{k:05d}"].labels for k in (1, 2, 3)] == [
        {"part": "train", "class": 0, "original": "train/neg/6_2"},
        {"part": "train", "class": 0, "original": "train/neg/12_2"},
        {"part": "train", "class": 1, "original": "train/pos/0_9"},
    ]
    assert text_of(actual["test-00005"]) == "test pos 2: un café agréable<br /><br />"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train/pos/99_3.txt", b"text", "a rating of 3 among the reviews pos"),
        ("test/neg/99_11.txt", b"text", "a rating of 11"),
        ("test/neg/copy of 1_2.txt", b"text", "NUMBER_RATING"),
        ("test/neg/99_2.txt", b"\xff\xfe\x00", "UTF-16"),
        ("test/neg/99_2.txt", b"\n", "empty"),
    ],
)
def test_a_review_that_does_not_hold_is_refused(tmp_path, name, content, said):
    files = {**published.reviews(), f"aclImdb/{name}": content}
    error = refused(lambda: read(published.folder_of(tmp_path, files) / "aclImdb"))
    assert said in error.message and name.rpartition("/")[2] in error.where


def test_a_class_without_reviews_is_refused(tmp_path):
    files = {name: content for name, content in published.reviews().items() if "test/pos" not in name}
    assert "no reviews test/pos" in refused(lambda: read(published.folder_of(tmp_path, files) / "aclImdb")).message


# -- ListOps ---------------------------------------------------------------------------------------------------------


def tsv(folder: Path, text: str | bytes, name: str = "basic_train.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_listops_in_three_parts(tmp_path):
    for part in ("train", "val", "test"):
        tsv(tmp_path, published.listops(), f"basic_{part}.tsv")
    actual = open_recordings(tmp_path)
    assert actual.groups[0] == "train-00000" and actual.groups[-1] == "test-00004" and len(actual) == 15
    assert actual.meta["kind"] == "listops" and len(actual.meta["classes"]) == 10
    for k, (source, target) in enumerate(published.LISTOPS):
        recording = actual[f"validation-{k:05d}"]
        assert text_of(recording) == source and recording.labels == {"part": "validation", "class": target}
    for line_end in ("\r\n",):
        other = open_recordings(tsv(tmp_path, published.listops().replace("\n", line_end)))
        assert text_of(other["train-00004"]) == published.LISTOPS[4][0]


@pytest.mark.parametrize(("source", "target"), published.LISTOPS)
def test_values_by_hand(source, target):
    assert value_of(source) == target


ROWS = published.LISTOPS


@pytest.mark.parametrize(
    ("rows", "said", "where"),
    [
        ([*ROWS, ("[SM 5 6 ]", 10)], "the target is '10'", "line 7"),
        ([*ROWS, ("[SM 5 6 ]", "x")], "the target is 'x'", "line 7"),
        ([*ROWS, ("[SM 5 6 ]", "")], "a field is empty", "line 7, field 2"),
        ([*ROWS, ("", 1)], "a field is empty", "line 7, field 1"),
        ([*ROWS, ("[SM 5\t6 ]", 1)], "3 fields, not 2", "line 7"),
        ([*ROWS, ("[SUM 5 6 ]", 1)], "an expression holds 'U'", "line 7"),
        ([*ROWS, ("[SM 5 6 ü ]", 1)], "an expression holds", "line 7"),
        ([*ROWS, ("[SM 5 6", 1)], "not complete", "line 7"),
        ([*ROWS, ("[SM 5 6 ] 3", 1)], "not complete", "line 7"),
        ([*ROWS, ("[SM 5 6 ]", 2)], "is 1, and the target 2", "line 7"),
        ([], "no cases", "basic_train"),
    ],
)
def test_a_line_of_listops_that_does_not_hold_is_refused(tmp_path, rows, said, where):
    error = refused(lambda: open_recordings(tsv(tmp_path, published.listops(rows))))
    assert said in error.message and where in error.where


def test_targets_of_other_lines_are_noticed(tmp_path):
    targets = [target for _, target in ROWS]
    moved = [(source, target) for (source, _), target in zip(ROWS, targets[1:] + targets[:1], strict=True)]
    assert "and the target" in refused(lambda: open_recordings(tsv(tmp_path, published.listops(moved)))).message


def test_a_file_without_its_header_is_told_so(tmp_path):
    text = published.listops().partition("\n")[2]
    assert "first line is not Source and Target" in refused(lambda: open_recordings(tsv(tmp_path, text))).message


def test_a_cut_file_is_refused_or_doubted(tmp_path):
    text = published.listops()
    assert "1 fields, not 2" in refused(lambda: open_recordings(tsv(tmp_path, text[:-3]))).message
    assert "is the file cut?" in open_recordings(tsv(tmp_path, text[:-1])).notes[0].advice


# -- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_are_both_texts_with_the_length_of_the_first(tmp_path):
    for part in ("train", "eval", "test"):
        tsv(tmp_path, published.pairs(), f"new_aan_pairs.{part}.tsv")
    actual = open_recordings(tmp_path)
    assert len(actual) == 6 and actual.meta["kind"] == "pairs"
    recording = actual["validation-00000"]
    label, first_id, second_id, first, second = published.PAIRS[0]
    assert text_of(recording) == first + second
    assert recording.labels == {
        "part": "validation",
        "class": int(label),
        "first": len(first.encode()),
        "first_id": first_id,
        "second_id": second_id,
    }
    assert recording.labels["first"] > len(first)  # bytes, not letters


def test_labels_may_be_written_as_fractions_and_names_may_be_others(tmp_path):
    rows = [(f"{row[0]}.0", *row[1:]) for row in published.PAIRS]
    actual = open_recordings(tsv(tmp_path, published.pairs(rows), "mine.tsv"))
    assert [actual[group].labels["class"] for group in actual] == [1, 0] and actual.groups[0] == "mine-00000"


@pytest.mark.parametrize(
    ("row", "said", "where"),
    [
        (("2", "a", "b", "one text", "another"), "the label is '2'", "line 3"),
        (("0.5", "a", "b", "one text", "another"), "the label is '0.5'", "line 3"),
        (("1", "a", "b", "one text"), "4 fields, not 5", "line 3"),
        (("1", "a", "b", "one text", "another", "more"), "6 fields, not 5", "line 3"),
        (("1", "a", "b", "", "another"), "a field is empty", "line 3, field 4"),
    ],
)
def test_a_line_of_pairs_that_does_not_hold_is_refused(tmp_path, row, said, where):
    path = tsv(tmp_path, published.pairs([*published.PAIRS, row]), "new_aan_pairs.train.tsv")
    error = refused(lambda: open_recordings(path))
    assert said in error.message and where in error.where


def test_pairs_in_another_encoding_are_refused(tmp_path):
    path = tsv(tmp_path, published.pairs().encode("cp1252"), "new_aan_pairs.train.tsv")
    assert "not UTF-8" in refused(lambda: open_recordings(path)).message


def test_other_tables_are_left_to_others(tmp_path):
    for text in ("0\t1\t2\t3\t4\n", "1\ta\tb\tshort\ttexts\n", "label\tid\tid\ttext\ttext\n"):
        assert "a table of text" in refused(lambda text=text: open_recordings(tsv(tmp_path, text * 3, "t.tsv"))).message
