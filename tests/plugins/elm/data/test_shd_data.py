"""Spoken digits as samples: bins as published, splits by file and by speaker, batches, pairs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.errors import LeakError
from neurocli.recordings import RecordingSet
from neurocli.recordings.copies import refuse_copies
from neurocli_elm.config import AddingConfig, ShdConfig
from neurocli_elm.data.readers.shd import ShdReader
from neurocli_elm.data.shd_bins import binned, edges, num_bins
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.data.shd_split import NEW_SPEAKERS, PUBLISHED, is_test_file

_spec = importlib.util.spec_from_file_location("shd_files", Path(__file__).parents[1].joinpath("shd_files.py"))
assert _spec is not None and _spec.loader is not None
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("shd")
    files.write(place / "shd_train.h5", files.utterances(0, 6, list(range(6))))
    files.write(place / "shd_test.h5", files.utterances(1, 4, [0, 1, 10, 11]))
    files.write(place / "unknown.h5", files.utterances(2, 3, [0]), speakers=False)
    return place


def read(folder: Path, *names: str) -> RecordingSet:
    return ShdReader().read([folder / f"{name}.h5" for name in names])


def config(*, adding: bool = False, **options: Any) -> ShdConfig:
    shd_config = AddingConfig() if adding else ShdConfig()
    shd_config.data.validation = 0.15
    for name, value in options.items():
        setattr(shd_config.train if name == "batch_size" else shd_config.data, name, value)
    return shd_config


def plain_counts(times: np.ndarray, units: np.ndarray, bin_ms: int) -> np.ndarray:
    """The published binning, spike by spike: [time, unit], one bin more than is kept."""
    step = bin_ms / 1000
    lefts = np.arange(0, 1 + step, step)
    out = np.zeros((len(lefts), 700))
    for time, unit in zip(times, units, strict=True):
        out[max(k for k in range(len(lefts)) if lefts[k] <= float(time)), unit] += 1
    return out[:-1]


def published_batches(labels, batch_size, seed, epochs):
    """The order of the published loader of single digits: one generator, one list that stays shuffled, whole batches alone."""
    rng, index = np.random.default_rng(seed), np.arange(labels)
    for _ in range(epochs):
        rng.shuffle(index)
        actual = [index[batch_size * n : batch_size * (n + 1)].copy() for n in range(labels // batch_size)]
    return actual


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (0, 1), (3, 4)])
def test_utterances_come_in_the_published_order(folder, seed, epoch):
    data = ShdData(read(folder, "shd_train", "shd_test"), config(masked=0.0, batch_size=9))
    numbers = data.utterances("train")
    expected = published_batches(len(numbers), 9, seed, epoch + 1)
    actual = [rows[:, 0] for rows, _ in data.rows("train", seed=seed, epoch=epoch)]
    assert len(actual) == len(expected) == data.steps("train")
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(mine, numbers[theirs])


def test_masks_have_a_generator_of_their_own(folder):
    """With and without them the order is the published one."""
    recordings = read(folder, "shd_train", "shd_test")
    masked, whole = (ShdData(recordings, config(masked=m, batch_size=9)) for m in (0.5, 0.0))
    labels = [[b["label"].tolist() for b in data.batches("train", seed=2, epoch=1)] for data in (masked, whole)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize(
    ("name", "is_test"),
    [
        ("shd_test.h5", True),
        ("shd_test.h5.gz", True),
        ("SHD-Test.h5", True),
        ("test.h5", True),
        ("fastest_speakers.h5", False),
        ("contest.h5", False),
        ("latest_train.h5", False),
        ("shd_train.h5", False),
    ],
)
def test_the_test_file_is_one_that_says_so_in_a_word(name, is_test):
    assert is_test_file(name) == is_test


def test_a_file_whose_name_merely_holds_the_letters_is_no_test_set(tmp_path):
    files.write(tmp_path / "shd_train.h5", files.utterances(0, 3, list(range(6))))
    files.write(tmp_path / "fastest_speakers.h5", files.utterances(1, 3, list(range(6))))
    data = ShdData(read(tmp_path, "shd_train", "fastest_speakers"), config())
    assert data.split.protocol == "by speaker"
    assert {group.split("-")[0] for group in data.split.test} == {"shd_train", "fastest_speakers"}


@pytest.mark.parametrize(
    ("bin_ms", "steps"),
    [(1, 1000), (2, 500), (4, 250), (5, 200), (8, 125), (10, 100), (16, 63), (20, 50), (25, 40), (50, 20)],
)
def test_samples_are_as_long_as_published(bin_ms, steps):
    assert num_bins(bin_ms) == steps == len(edges(bin_ms)) - 1


@pytest.mark.parametrize("bin_ms", [10, 16, 50])
def test_bins_are_the_published_ones(bin_ms):
    rng = np.random.default_rng(bin_ms)
    on_edge = np.arange(0, 1.3, bin_ms / 1000)  # float16 puts these a little to one side or the other
    times = np.concatenate([rng.uniform(0, 1.3, 300), on_edge]).astype(np.float16)
    units = rng.integers(0, 8, len(times)).astype(np.int32)  # few: several spikes in a bin
    place, count = binned(times.astype(np.float32), units, bin_ms)
    actual = np.zeros((num_bins(bin_ms), 700))
    actual[place // 700, place % 700] = count
    np.testing.assert_array_equal(actual, plain_counts(times, units, bin_ms))
    assert actual.max() > 1


def test_the_precision_of_stored_times_decides_the_bin():
    late = np.array([0.29], np.float16).astype(np.float32)  # 0.29003906: above the edge; .57 becomes .56982422: below
    early = np.array([0.57], np.float16).astype(np.float32)
    unit = np.zeros(1, np.int32)
    assert binned(late, unit, 10)[0] // 700 == 29 and binned(early, unit, 10)[0] // 700 == 56


def test_the_published_split_is_by_file(folder):
    data = ShdData(read(folder, "shd_train", "shd_test"), config(validation=0.2, hold_out="utterances"))
    assert data.split.protocol == PUBLISHED and not data.split.leaky
    assert all(group.startswith("shd_test") for group in data.split.test) and len(data.split.test) == 80
    held = np.random.default_rng(0).binomial(1, 0.2, 120).astype(bool)
    assert data.split.validation == tuple(f"shd_train-{k:05d}" for k in np.flatnonzero(held))
    assert len(data.split.train) + len(data.split.validation) == 120


def speakers_of(data: ShdData, part: str) -> set[int | None]:
    return {data.about[group].speaker for group in data.split.groups(part)}


@pytest.mark.parametrize(("seed", "share", "count"), [(0, 0.15, 1), (1, 0.4, 2), (2, 0.9, 2)])
def test_the_epoch_is_chosen_on_speakers_that_no_training_batch_has(folder, seed, share, count):
    recordings = read(folder, "shd_train", "shd_test")
    data = ShdData(recordings, config(split_seed=seed, validation=share, batch_size=9))
    heard, chose = speakers_of(data, "train"), speakers_of(data, "validation")
    assert data.split.protocol == NEW_SPEAKERS and not data.split.leaky
    assert len(chose) == count and not heard & chose and heard | chose == set(range(6))
    assert not chose & {0, 1}  # the test file has these two: others come first
    assert data.split.test == ShdData(recordings, config(hold_out="utterances")).split.test
    names = list(data.about)
    for adding in (False, True):
        dealt = ShdData(recordings, config(split_seed=seed, validation=share, batch_size=9, adding=adding))
        rows = np.concatenate([r for epoch in (0, 1) for r, _ in dealt.rows("train", seed=0, epoch=epoch)])
        assert not {dealt.about[names[n]].speaker for n in rows.ravel()} & chose


def test_speakers_of_the_test_file_choose_only_where_there_are_no_others(tmp_path):
    files.write(tmp_path / "shd_train.h5", files.utterances(0, 4, [0, 1, 2, 3]))
    files.write(tmp_path / "shd_test.h5", files.utterances(1, 4, [0, 1, 2, 3]))
    data = ShdData(read(tmp_path, "shd_train", "shd_test"), config(validation=0.5))
    assert len(speakers_of(data, "validation")) == 2 and data.split.protocol == NEW_SPEAKERS


@pytest.mark.parametrize("known", [True, False])
def test_without_speakers_to_hold_out_utterances_choose(tmp_path, known):
    files.write(tmp_path / "shd_train.h5", files.utterances(0, 3, [7]), speakers=known)
    files.write(tmp_path / "shd_test.h5", files.utterances(1, 2, [0, 1]))
    recordings = read(tmp_path, "shd_train", "shd_test")
    data = ShdData(recordings, config())
    assert data.split == ShdData(recordings, config(hold_out="utterances")).split
    assert data.split.protocol == PUBLISHED and data.split.validation


def test_one_file_is_split_by_speaker(folder):
    data = ShdData(read(folder, "shd_train"), config())
    speakers = [
        {data.about[group].speaker for group in data.split.groups(part)} for part in ("train", "validation", "test")
    ]
    assert data.split.protocol == "by speaker" and all(speakers)
    assert sum(map(len, speakers)) == 6 and len(speakers[2]) >= 3
    assert data.group_name() == "speaker"


def test_unknown_speakers_are_said_to_be(folder):
    data = ShdData(read(folder, "unknown"), config())
    assert data.split.protocol == "by utterance" and data.group_name() == "utterance"
    assert set(data.scored_rows("test")) == set(data.split.test)


def test_a_given_split_is_kept(folder):
    recordings = read(folder, "shd_train", "shd_test")
    first = ShdData(recordings, config(split_seed=3))
    assert ShdData(recordings, config(), first.split).split == first.split


def test_the_same_utterance_in_training_and_test_is_a_leak(folder, tmp_path):
    given = files.utterances(0, 6, list(range(6)))
    files.write(tmp_path / "shd_test.h5", [*files.utterances(1, 1, [0]), given[0]])
    recordings = ShdReader().read([folder / "shd_train.h5", tmp_path / "shd_test.h5"])
    data = ShdData(recordings, config())
    with pytest.raises(LeakError, match=r"shd_train-00000 .* shd_test-00020"):
        refuse_copies(data.recordings, data.split)


def dense(batch: dict[str, torch.Tensor]) -> np.ndarray:
    out = np.zeros((len(batch["label"]), int(batch["num_steps"]), 700))
    np.add.at(out, tuple(batch[name].numpy() for name in ("sample", "step", "channel")), batch["sign"].numpy())
    return out


def test_an_epoch_deals_out_training_utterances_once_in_whole_batches(folder):
    recordings = read(folder, "shd_train")
    data = ShdData(recordings, config(masked=0.0, batch_size=8))
    seen = []
    for rows, _ in data.rows("train", seed=1, epoch=2):
        seen += rows[:, 0].tolist()
        x = dense(data.batch(rows))
        for k, number in enumerate(rows[:, 0]):
            recording = recordings[list(data.about)[number]]
            want = plain_counts(recording.events["spike_s"], recording.events["spike_unit"], 10)
            np.testing.assert_array_equal(x[k], want)
            assert data.batch(rows)["label"][k] == recording.labels["label"]
    numbers = data.utterances("train").tolist()
    assert len(set(seen)) == len(seen) == 8 * data.steps("train") == len(numbers) - len(numbers) % 8
    assert set(seen) <= set(numbers)


def test_batches_depend_on_seed_and_epoch_alone(folder):
    data = ShdData(read(folder, "shd_train"), config(batch_size=8))

    def first(seed: int, epoch: int) -> dict[str, torch.Tensor]:
        return next(iter(data.batches("train", seed=seed, epoch=epoch)))

    again = first(1, 2)
    assert all(torch.equal(values, again[name]) for name, values in first(1, 2).items())
    for other in (first(2, 2), first(1, 3)):
        assert not np.array_equal(dense(other), dense(again))


def test_half_of_the_input_is_left_out_in_training_alone_and_nothing_makes_up_for_it(folder):
    masked, whole = (ShdData(read(folder, "shd_train"), config(masked=m, batch_size=64)) for m in (0.5, 0.0))
    counts, unmasked_counts = (dense(next(iter(data.batches("train", seed=0, epoch=0)))) for data in (masked, whole))
    unmasked = counts[unmasked_counts > 0]
    assert abs((unmasked > 0).mean() - 0.5) < 0.03 and set(
        np.unique(unmasked / unmasked_counts[unmasked_counts > 0])
    ) == {0.0, 1.0}
    assert (counts[unmasked_counts == 0] == 0).all()
    for a, b in zip(
        masked.batches("validation", seed=0, epoch=0), whole.batches("validation", seed=5, epoch=9), strict=True
    ):
        assert torch.equal(a["sign"], b["sign"])


def test_pairs_follow_on_each_other_and_their_digits_add_up(folder):
    data = ShdData(read(folder, "shd_train"), config(masked=0.0, adding=True, adding_batches=7, batch_size=5))
    assert (data.num_steps, data.num_classes, data.steps("train")) == (200, 19, 7)
    single = ShdData(read(folder, "shd_train"), config(masked=0.0))
    numbers, rng = data.utterances("train"), np.random.default_rng(4)
    for _ in range(7):  # the epoch before
        rng.integers(0, len(numbers), 10)
    batches = list(data.batches("train", seed=4, epoch=1))
    assert len(batches) == 7
    for batch in batches:
        drawn = numbers[rng.integers(0, len(numbers), 10)]
        first, second = drawn[:5], drawn[5:]
        assert batch["label"].tolist() == [
            data.label[a] % 10 + data.label[b] % 10 for a, b in zip(first, second, strict=True)
        ]
        halves = [dense(single.batch(half[:, None])) for half in (first, second)]
        np.testing.assert_array_equal(dense(batch), np.concatenate(halves, axis=1))
    labels = torch.cat([batch["label"] for batch in batches])
    assert labels.max() <= 18 and len(labels.unique()) > 5


def test_pairs_that_are_scored_are_of_one_speaker_and_always_the_same(folder):
    recordings = read(folder, "shd_train", "shd_test")
    first, second = (ShdData(recordings, config(adding=True, batch_size=b)).scored_rows("test") for b in (5, 8))
    data = ShdData(recordings, config(adding=True))
    names = list(data.about)
    assert list(first) == ["speaker 0", "speaker 1", "speaker 10", "speaker 11"]
    for group, rows in first.items():
        np.testing.assert_array_equal(rows, second[group])
        assert {f"speaker {data.about[names[n]].speaker}" for n in rows.ravel()} == {group}
