"""The dataset adapter: splits before windows, statistics of training runs, and the published protocol for what it is."""

import numpy as np
import pytest

from neurocli.config import resolve
from neurocli.config.resolve import read_preset
from neurocli.errors import DataError, LeakError
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.adapting import adapted as audited
from neurocli.recordings.windows import Window, count_seen_targets
from neurocli_cnn_lstm.data.dataset import published_starts
from neurocli_cnn_lstm.simulation.example import small_network


@pytest.fixture(scope="module")
def recordings() -> RecordingSet:
    return small_network(0, runs=6, duration_ms=1500.0)


def adapted(recordings: RecordingSet, *sets: str, model: str = "cnn-lstm-v2"):  # type: ignore[no-untyped-def]
    family = registry().family(model)
    return family.adapt(recordings, resolve(family.Config, sets=sets).config)


def test_the_published_protocol_has_30657_windows_and_leaks() -> None:
    parts = published_starts(460_000)
    assert [len(parts[p]) for p in ("train", "validation", "test")] == [21_459, 4_598, 4_600]
    windows = {p: [Window("all", int(s), int(s) + 150, int(s) + 150) for s in starts] for p, starts in parts.items()}
    assert count_seen_targets(windows["train"], windows["test"]) == 4_600
    crossing = sum((s // 9200) != ((s + 150) // 9200) for starts in parts.values() for s in starts)
    assert crossing == 490


def test_statistics_come_from_training_runs(recordings: RecordingSet) -> None:
    data = adapted(recordings)
    train = np.concatenate([data.volts(g) for g in data.split.train]).astype(np.float64)
    np.testing.assert_allclose(data.normalisation.mean, train.mean(0), atol=1e-5)
    np.testing.assert_allclose(data.normalisation.sd, train.std(0), rtol=1e-5)
    assert set(data.normalisation.fitted_on) == set(data.split.train)


def test_a_published_split_is_marked(recordings: RecordingSet) -> None:
    data = adapted(recordings, "data.split=published", model="cnn-lstm-v1")
    assert data.split.leaky and data.split.protocol == "published"
    assert data.samples == {"joined": 6 * 700}
    span = 151
    batch = next(data.batches("validation", seed=0, epoch=0))["v"].numpy()
    joined = data.normalisation.z(np.concatenate([data.volts(g) for g in recordings]))
    starts = published_starts(len(joined))["validation"][: len(batch)]
    np.testing.assert_array_equal(batch, np.stack([joined[s : s + span] for s in starts]))
    assert any(s // 700 != (s + span) // 700 for s in starts)  # a window that straddles two runs


def test_a_published_split_can_be_scored(recordings: RecordingSet) -> None:
    """Its windows straddle runs, linear baselines do not: they must have their lags at every origin."""
    data = adapted(recordings, "data.split=published", model="cnn-lstm-v1")
    family = registry().family("cnn-lstm-v1")
    config = family.Config()
    [target] = family.targets(data, config)
    assert sum(map(len, target.origins.values())) > 10
    for predictor in family.baselines(data, config):
        prediction = predictor.predict(target)
        assert prediction is not None
        assert all(np.isfinite(values).all() for values in prediction.values.values()), predictor.name


def test_batches_are_a_function_of_seed_and_epoch(recordings: RecordingSet) -> None:
    data = adapted(recordings, "train.steps_per_epoch=5")

    def first(seed: int, epoch: int) -> np.ndarray:
        return np.concatenate([b["v"].numpy().ravel() for b in data.batches("train", seed=seed, epoch=epoch)])

    np.testing.assert_array_equal(first(0, 1), first(0, 1))
    assert not np.array_equal(first(0, 1), first(0, 2))
    assert not np.array_equal(first(0, 1), first(1, 1))


def test_training_batches_hold_training_samples_only(recordings: RecordingSet) -> None:
    data = adapted(recordings)
    rows = {tuple(row) for g in data.split.train for row in data.normalisation.z(data.volts(g))[:, :3].tolist()}
    for batch in data.batches("train", seed=0, epoch=0):
        for window in batch["v"].numpy():
            assert {tuple(row) for row in window[:, :3].tolist()} <= rows


def test_the_flag_marks_the_clamp_and_is_off_for_other_data(recordings: RecordingSet) -> None:
    data = adapted(recordings)
    share = np.mean([batch["flag"].numpy().mean() for batch in data.batches("train", seed=0, epoch=0)])
    assert 0.045 < share < 0.07
    plain = RecordingSet({g: (lambda g=g: recordings[g]) for g in recordings}, meta={})
    assert "flag" not in next(adapted(plain).batches("train", seed=0, epoch=0))
    with pytest.raises(DataError, match="not simulated"):
        adapted(plain, "data.reset_flag=on")


def test_added_noise_is_seeded_and_in_the_targets(recordings: RecordingSet) -> None:
    one, two = adapted(recordings, "data.noise_mv=0.2"), adapted(recordings, "data.noise_mv=0.2")
    clean = adapted(recordings)
    for group in recordings:
        np.testing.assert_array_equal(one.volts(group), two.volts(group))
        assert np.std(one.volts(group) - clean.volts(group)) == pytest.approx(0.2, rel=0.02)


def test_the_same_run_twice_is_a_leak(recordings: RecordingSet) -> None:
    groups = recordings.groups
    twins = {g: (lambda g=g: recordings[g]) for g in groups[:3]} | {
        f"copy-{k}": (lambda k=k: recordings[groups[k]]) for k in range(3)
    }
    family = registry().family("cnn-lstm-v2")
    with pytest.raises(LeakError, match="copy-"):
        audited(family, RecordingSet(twins, meta=recordings.meta), family.Config())


def test_bad_voltages_are_named() -> None:
    def with_signal(change) -> RecordingSet:  # type: ignore[no-untyped-def]
        sets = []
        for k in range(4):
            signal = np.random.default_rng(k).normal(-60, 5, (1500, 5))
            sets.append(Recording(f"run-{k}", change(signal) if k == 2 else signal, 1.0, "mV"))
        return RecordingSet.of(sets)

    def nan(signal: np.ndarray) -> np.ndarray:
        signal[900, 3] = np.nan
        return signal

    for change, message in (
        (nan, "not a number"),
        (lambda s: s[:, :4], "differ in neurons"),
        (lambda s: s[:900], "samples are left"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            adapted(with_signal(change))
        assert "run-2" in str(caught.value.where)


def test_the_published_preset_is_the_published_recipe() -> None:
    family = registry().family("cnn-lstm-v1")
    config = resolve(family.Config, preset=read_preset(family.presets, "published")).config
    train = config.train
    assert (train.optimizer, train.learning_rate, train.weight_decay, train.batch_size, train.gradient_clip) == (
        "adam",
        3e-3,
        1e-4,
        32,
        1.0,
    )
    assert (train.warmup, train.warmup_start, train.plateau_factor, train.plateau_patience, train.minimum_rate) == (
        5,
        5e-6,
        0.7,
        3,
        1e-5,
    )
    assert (train.patience, train.epochs, config.stride, config.data.split, config.data.noise_mv) == (
        20,
        200,
        15,
        "published",
        0.2,
    )


def test_the_oracle_is_called_what_it_is(recordings: RecordingSet) -> None:
    family = registry().family("cnn-lstm")
    data = adapted(recordings)
    assert any("oracle" in note and "upper bound" in note for note in family.notes(data, family.Config()))
    plain = RecordingSet({g: (lambda g=g: recordings[g]) for g in recordings}, meta={})
    assert not any("oracle" in note for note in family.notes(adapted(plain), family.Config()))
