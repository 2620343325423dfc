"""The published files themselves: counts, sums and sizes as their authors state them, and the time that it takes to open them."""

from __future__ import annotations

import hashlib
import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from neurocli import open_recordings
from neurocli.recordings import RecordingSet
from neurocli_sequences.data.readers.text import TextReader

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set"),
]
DATA = Path(os.environ.get("NEUROCLI_REAL_DATA", "."))


def part(actual: RecordingSet, name: str) -> list:
    return [actual[group] for group in actual if actual[group].labels["part"] == name]


@pytest.mark.parametrize(
    ("name", "first", "sums"),
    [
        # md5 of the published files, unpacked: what is written back from the recordings must have it.
        ("mnist", "5", ("6bbc9ace898e44ae57da46a324031adb", "2646ac647ad5339dbf082846283269ea")),
        ("fashion-mnist", "Ankle boot", ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "8181f5470baa50b63fa0f6fddb340f0a")),
    ],
)
def test_images_are_those_that_were_published(name, first, sums):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    actual = open_recordings(DATA / "vision" / name)
    opened = time.process_time()
    recordings = [actual[group] for group in actual]
    passed = time.process_time()
    assert opened - started < 1.5 and passed - opened < 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 400  # MiB, of 52 in the files
    assert actual.meta["classes"][recordings[0].labels["class"]] == first
    for which, count, md5 in (("train", 60_000, sums[0]), ("test", 10_000, sums[1])):
        pixels = np.stack([recording.signal for recording in recordings if recording.labels["part"] == which])
        header = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in (count, 28, 28))
        assert hashlib.md5(header + pixels.tobytes()).hexdigest() == md5
        classes = np.bincount([r.labels["class"] for r in recordings if r.labels["part"] == which], minlength=10)
        assert classes.sum() == count and classes.min() > 0.08 * count


@pytest.mark.parametrize(
    ("name", "counts", "channels", "steps"),
    [
        ("JapaneseVowels", (270, 370), 12, (7, 29)),
        ("BasicMotions", (40, 40), 6, (100, 100)),
        ("Covid3Month", (140, 61), 1, (84, 84)),
    ],
)
def test_series_have_the_counts_of_the_archives(name, counts, channels, steps):
    actual = open_recordings([DATA / "timeseries" / f"{name}_{which}.ts" for which in ("TRAIN", "TEST")])
    assert (len(part(actual, "train")), len(part(actual, "test"))) == counts
    assert not actual.notes and actual.meta["name"] == name
    recordings = [actual[group] for group in actual]
    assert {recording.num_channels for recording in recordings} == {channels}
    lengths = [recording.steps for recording in recordings]
    assert (min(lengths), max(lengths)) == steps
    # Against numpy's own reading of one line of the file.
    lines = (DATA / "timeseries" / f"{name}_TEST.ts").read_text().partition("@data\n")[2].splitlines()
    *values, target = lines[17].split(":")
    np.testing.assert_array_equal(
        actual["test-00017"].signal,
        np.array([np.fromstring(channel, sep=",") for channel in values]).T.astype(np.float32),
    )
    labels = actual["test-00017"].labels
    if "classes" in actual.meta:
        assert actual.meta["classes"][labels["class"]] == target
    else:
        assert labels["target"] == float(target)


def test_speakers_of_japanese_vowels_have_thirty_utterances_each_to_train_on():
    actual = open_recordings(DATA / "timeseries" / "JapaneseVowels_TRAIN.ts")
    assert np.bincount([actual[group].labels["class"] for group in actual]).tolist() == [30] * 9


def test_twelve_plays():
    folder = DATA / "text" / "shakespeare"
    actual = TextReader().read([folder])
    assert len(actual) == 12 and not actual.notes
    assert sum(actual[group].steps for group in actual) == sum(path.stat().st_size for path in folder.iterdir())
    assert actual["hamlet.txt"].signal.tobytes() == (folder / "hamlet.txt").read_bytes()


def test_a_folder_of_all_series_is_not_mixed_up():
    from neurocli.errors import DataError

    with pytest.raises(DataError, match="other data sets"):
        open_recordings(DATA / "timeseries")
