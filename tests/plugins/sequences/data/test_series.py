"""Time series as `.ts`: read as published; what does not agree with its own header is refused with line and channel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from neurocli import open_recordings
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet

_spec = importlib.util.spec_from_file_location("published", Path(__file__).parents[1] / "published.py")
assert _spec is not None and _spec.loader is not None
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)

CASES = published.series(6)
TEXT = published.ts(CASES)


def write(folder: Path, text: str | bytes = TEXT, name: str = "Toy_TRAIN.ts") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_series_of_unequal_lengths_and_both_parts(tmp_path):
    test = published.series(4, seed=1)
    paths = [write(tmp_path, published.ts(test), "Toy_TEST.ts"), write(tmp_path)]
    actual = open_recordings(paths)
    assert actual.groups == [f"train-{k:05d}" for k in range(6)] + [f"test-{k:05d}" for k in range(4)]
    assert actual.meta == {"kind": "series", "name": "Toy", "step": "step", "classes": ["a", "b"]}
    assert not actual.notes
    for group, (signal, target) in zip(actual, [*CASES, *test], strict=True):
        recording = actual[group]
        np.testing.assert_allclose(recording.signal, signal, rtol=1e-6)
        assert recording.mask is None and recording.dt_ms == 1
        assert recording.labels == {"part": group.split("-")[0], "class": "ab".index(target)}


def test_missing_values_are_masked(tmp_path):
    cases = [(signal.copy(), target) for signal, target in CASES]
    cases[2][0][1, 0] = np.nan
    text = published.ts(cases, published.HEADER.replace("@missing false", "@missing true"))
    for written in (text, text.replace("?", "NaN")):
        actual = open_recordings(write(tmp_path, written))
        np.testing.assert_array_equal(actual["train-00002"].mask, np.isfinite(cases[2][0]))
        assert actual["train-00001"].mask is None and not actual.notes
    actual = open_recordings(write(tmp_path, published.ts(cases)))
    assert "in 1 cases, where the header says that none are" in actual.notes[0].found


def test_regression_has_targets_and_no_classes(tmp_path):
    header = "@problemname Rate\n@timestamps false\n@univariate true\n@equallength true\n@targetlabel true\n@data\n"
    cases = [(np.arange(5.0)[:, None] * k, f"{k / 7!r}") for k in range(1, 4)]
    actual = open_recordings(write(tmp_path, published.ts(cases, header), "Rate_TEST.ts"))
    assert "classes" not in actual.meta and actual.meta["name"] == "Rate"
    assert [actual[group].labels["target"] for group in actual] == [k / 7 for k in range(1, 4)]


def test_a_published_zip_is_read_without_unpacking(tmp_path):
    files = {
        "Toy_TRAIN.ts": TEXT.encode(),
        "Toy_TEST.ts": TEXT.encode(),
        "Toy_TRAIN.arff": b"@relation",
        "Toy.txt": b"x",
    }
    actual = open_recordings(published.zipped(tmp_path / "Toy.zip", files))
    assert len(actual) == 12 and actual["test-00003"].labels == {"part": "test", "class": 1}
    other = published.zipped(tmp_path / "other.zip", {"notes.ts": TEXT.encode()})
    with pytest.raises(DataError, match=r"is packed \(zip\)"):
        open_recordings(other)


def test_the_same_text_in_other_clothes_is_read_to_the_same(tmp_path):
    base = _signals(open_recordings(write(tmp_path)))
    for text in (
        TEXT.replace("\n", "\r\n"),
        "\ufeff" + TEXT,
        TEXT.replace(",", " , "),
        TEXT.replace("@problemName", "@PROBLEMNAME").replace("@dimensions", "@dimension"),
        TEXT.replace("@data\n", "@data\n# a remark\n\n"),
    ):
        assert all(
            np.array_equal(x, y) for x, y in zip(base, _signals(open_recordings(write(tmp_path, text))), strict=True)
        )


def _signals(actual: RecordingSet) -> list[np.ndarray]:
    return [actual[group].signal for group in actual]


LINES = TEXT.splitlines()
EQUAL = published.HEADER.replace("@equalLength false", "@equalLength true")


@pytest.mark.parametrize(
    ("old", "new", "said", "where"),
    [
        ("@dimensions 2", "@dimensions 3", "2 channels, not 3", "line 10"),
        ("@dimensions 2", "@dimensions two", "not a count", "@dimensions"),
        ("@dimensions 2", "@dimensions 0", "not a count", "@dimensions"),
        ("@univariate false", "@univariate true", "univariate and 2 channels", "@dimensions"),
        ("@univariate false", "@univariate", "not true or false", "@univariate"),
        ("@equalLength false", "@equalLength true", "steps, where the header says that all have", "case"),
        ("@equalLength false", "@seriesLength 50", "that all have 50", "case 0"),
        ("@equalLength false", "@equalLength false\n@seriesLength 5", "unequal lengths and 5", "@seriesLength"),
        ("@timeStamps false", "@timeStamps true", "time stamps", "@timeStamps"),
        ("@classLabel true a b", "@classLabel true a c", "class 'b' is not in", "line 11"),
        ("@classLabel true a b", "@classLabel true a", "1 classes", "@classLabel"),
        ("@classLabel true a b", "@classLabel true a b a", "same class twice", "@classLabel"),
        ("@classLabel true a b", "@classLabel false", "neither classes nor targets", "@classLabel"),
        ("@classLabel true a b", "@targetLabel true", "the target is 'a', not a number", "line 10"),
        ("@classLabel true a b", "@classLabel true a b\n@targetLabel true", "both classes", "@classLabel"),
        ("@problemName Toy", "@problemName Toy\n@problemName Toy", "twice", "line 3"),
        ("@missing false", "@absent false", "no name of a header", "line 4"),
        ("@data\n", "", "a case stands before @data", "line 9"),
        (LINES[10], LINES[10].rpartition(":")[0], "class or target missing", "line 11"),
        (LINES[10], LINES[10].rpartition(":")[0] + ":", "class ''", "line 11"),
        (LINES[10], LINES[10].replace(":", ":1.0,", 1), "channels of", "line 11"),
        (LINES[10], "x" + LINES[10], "is not a number", "line 11, channel 0, step 0"),
        (LINES[10], "1_0," + LINES[10], "is not a number", "line 11, channel 0, step 0"),
        (LINES[10], ",".join(["inf", LINES[10].partition(",")[2]]), "not finite", "line 11, channel 0, step 0"),
        (LINES[10], ",".join(["1e39", LINES[10].partition(",")[2]]), "not finite", "line 11, channel 0, step 0"),
        (LINES[10], "(0,1.0),(1,2.0):(0,1.0),(1,2.0):b", "time stamps", "line 11"),
        (LINES[10], "?,?,?:?,?,?:b", "all values of a case are missing", "case 1"),
        (LINES[10], LINES[10] + "\0", "zero byte", "line 11"),
    ],
)
def test_a_header_that_does_not_agree_with_the_content_is_refused(tmp_path, old, new, said, where):
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        open_recordings(path)
    assert said in caught.value.message and where in caught.value.where and path.name in caught.value.where
    assert caught.value.hint


def test_cut_files(tmp_path):
    with pytest.raises(DataError, match="no cases behind @data"):
        open_recordings(write(tmp_path, published.HEADER))
    with pytest.raises(DataError, match="within its header"):
        open_recordings(write(tmp_path, "\n".join(published.HEADER.splitlines()[:6])))
    actual = open_recordings(write(tmp_path, TEXT[:-1]))
    assert "is the file cut?" in actual.notes[0].advice
    with pytest.raises(DataError, match="line 15"):
        raise _error(write(tmp_path, TEXT[:-3]))


def _error(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        open_recordings(path)
    return DataError(f"{caught.value.where} {caught.value.message}")


def test_other_encodings_are_refused_with_the_line(tmp_path):
    for content, said in (
        (TEXT.replace("#A comment", "#Größe").encode("cp1252"), "line 1"),
        (TEXT.replace("Toy", "Größe").encode("cp1252"), "line 2"),
    ):
        with pytest.raises(DataError) as caught:
            open_recordings(write(tmp_path, content))
        assert "not UTF-8" in caught.value.message and said in caught.value.where


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("Toy", "Other"), "other data sets"),
        (TEXT.replace("true a b", "true a b c"), "other classes"),
        (published.ts(published.series(3, channels=3), published.HEADER.replace("ns 2", "ns 3")), "other channels"),
    ],
)
def test_files_of_two_data_sets_are_refused(tmp_path, text, said):
    paths = [write(tmp_path), write(tmp_path, text, "Toy_TEST.ts")]
    with pytest.raises(DataError, match=said):
        open_recordings(paths)


def test_classes_in_another_order_are_the_same_classes(tmp_path):
    other = TEXT.replace("true a b", "true b a")
    actual = open_recordings([write(tmp_path), write(tmp_path, other, "Toy_TEST.ts")])
    assert [actual[f"test-{k:05d}"].labels["class"] for k in range(6)] == [0, 1] * 3


def test_programs_that_are_called_the_same_are_left_alone(tmp_path):
    path = write(tmp_path, "@Component({selector: 'app'})\nexport class App {}\n", "app.ts")
    with pytest.raises(DataError, match="no reader knows this file's format"):
        open_recordings(path)


def test_whole_numbers_are_no_decimal_commas(tmp_path):
    header = published.HEADER.replace("@dimensions 2", "@dimensions 1")
    rng = np.random.default_rng(0)
    whole = [(rng.integers(-50, 200, (6, 1)).astype(float), "ab"[k % 2]) for k in range(8)]
    assert not open_recordings(write(tmp_path, published.ts(whole, header))).notes
    commas = published.ts(published.series(6, channels=1), header).replace(",", "~").replace(".", ",").replace("~", ",")
    actual = open_recordings(write(tmp_path, commas))
    assert "as in -0,316?" in actual.notes[0].found and "line 10" in actual.notes[0].where
