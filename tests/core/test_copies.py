"""A copy of each kind is planted in a test part, in every family, and refused before any training; honest data pass."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from neurocli.config.resolve import resolve
from neurocli.errors import LeakError
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet, Spikes, Split
from neurocli.recordings.adapting import adapted
from neurocli.recordings.copies import copies
from neurocli.testing.planted import KINDS, half_overlapping

FAMILIES = ("cnn-lstm-v2", "eirnn-v2", "elm-v2", "gat-lstm-v3")


@cache
def honest(model: str) -> RecordingSet:
    if model.startswith("cnn"):
        from neurocli_cnn_lstm.simulation.example import small_network

        return small_network(0, runs=4, duration_ms=1000.0)
    if model.startswith("eirnn"):
        from neurocli_eirnn.simulation.example import small_session

        return small_session(0, trials=40)
    if model.startswith("elm"):
        from neurocli_elm.simulation.example import small_cells

        return small_cells(0, duration_ms=2000)
    from neurocli_gat_lstm.simulation.example import small_worms

    return small_worms(0)


def with_copy(model: str, copy: Recording) -> tuple[RecordingSet, Split]:
    """The honest recordings and a copy of the first one, which is trained on, as the only one to test on."""
    recordings = honest(model)
    groups = tuple(recordings.groups)
    several = RecordingSet.of(
        [*(recordings[g] for g in groups), dataclasses.replace(copy, group="planted")],
        meta=recordings.meta,
        truth=recordings.truth,
    )
    return several, Split(groups[:-1], groups[-1:], ("planted",))


def config_of(model: str):
    short = ["data.burn_in_ms=0", "evaluate.context=200"] if model.startswith("cnn") else []
    return resolve(registry().family(model).Config, sets=short).config


@pytest.mark.parametrize("kind", [*KINDS, "half overlapping"])
@pytest.mark.parametrize("model", FAMILIES)
def test_a_planted_copy_is_refused(model: str, kind: str) -> None:
    recordings = honest(model)
    first, second = recordings.groups[:2]
    made = half_overlapping(recordings[first], recordings[second]) if kind == "half overlapping" else None
    planted, split = with_copy(model, made or KINDS[kind](recordings[first]))
    if kind == "half overlapping":  # the other half comes from no training group
        planted = planted.subset([g for g in planted if g != second])
        split = Split(tuple(g for g in split.train if g != second), split.validation, split.test)
    with pytest.raises(LeakError) as refused:
        adapted(registry().family(model), planted, config_of(model), split)
    assert first in refused.value.message and "planted" in refused.value.message
    assert " ms" in refused.value.message and "channel" in refused.value.message


@pytest.mark.parametrize("model", FAMILIES)
def test_honest_recordings_pass(model: str) -> None:
    adapted(registry().family(model), honest(model), config_of(model))
    assert copies(honest(model)) == []


@pytest.mark.parametrize("model", ["cnn-lstm-v2", "elm-v2"])
def test_copied_spikes_are_refused_whatever_the_voltage(model: str) -> None:
    """The input of a simulation alone is a copy: what answers to it is nearly known."""
    recordings = honest(model)
    first = recordings[recordings.groups[0]]
    other = np.random.default_rng(0).normal(-65, 3, first.signal.shape).astype(np.float32)
    planted, split = with_copy(model, dataclasses.replace(first, signal=other))
    with pytest.raises(LeakError, match="spikes of channel"):
        adapted(registry().family(model), planted, config_of(model), split)


@pytest.mark.parametrize("model", ["cnn-lstm-v2", "gat-lstm-v3"])
def test_one_copied_channel_among_honest_ones_is_refused(model: str) -> None:
    recordings = honest(model)
    first, last = recordings[recordings.groups[0]], recordings[recordings.groups[-1]]
    signal = last.signal.copy()
    signal[:, -1] = first.signal[: len(signal), 0]
    planted, split = with_copy(model, dataclasses.replace(last, signal=signal, spikes=None))
    split = Split(split.train, (), split.test)
    with pytest.raises(LeakError, match="hold the same data"):
        adapted(registry().family(model), planted, config_of(model), split)


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("stored", ["float16", "integers with a scale", "other unit"])
def test_copies_in_other_files_and_formats_are_refused(model: str, stored: str, tmp_path) -> None:
    """What another file holds: rounded to float16, to whole numbers of a step, or in another unit, as doubles."""
    recordings = honest(model)
    first = recordings[recordings.groups[0]]
    signal = np.asarray(first.signal, np.float64)
    if stored == "float16":
        signal = signal.astype(np.float16)
    elif stored == "integers with a scale":
        step = np.nanmax(np.abs(signal)) / 30_000
        signal = np.rint(signal / step) * step
    else:  # mV of another gain: in V they would be refused
        signal = signal * (1.1 if first.unit == "mV" else 1e-3)
    path = tmp_path / "other.h5"
    RecordingSet.of([dataclasses.replace(first, signal=signal.astype(np.float32), mask=None)]).save(path)
    again = RecordingSet.open(path)[first.group]
    files = {first.group: first, f"other:{first.group}": dataclasses.replace(again, spikes=None)}
    files |= {g: recordings[g] for g in recordings.groups[1:]}
    assert [(copy.of, copy.group) for copy in copies(files)] == [(first.group, f"other:{first.group}")]


def test_neuro_train_refuses_before_it_makes_a_run(tmp_path, capsys) -> None:
    from neurocli.cli.main import run

    recordings = honest("gat-lstm-v3")
    first = recordings[recordings.groups[0]]
    shorter = KINDS["shortened"](first)  # too much for the same worm, which would be left out
    shifted = dataclasses.replace(shorter, group="planted", labels={**first.labels, "worm": "another"})
    path = tmp_path / "worms.h5"
    several = [*(recordings[g] for g in recordings), shifted]
    RecordingSet.of(several, meta=recordings.meta, truth=recordings.truth).save(path)
    options = ["--data", str(path), "--runs-dir", str(tmp_path / "runs"), "--device", "cpu"]
    assert run(["train", "gat-lstm-v3", *options]) == LeakError.exit_code
    assert "hold the same data" in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*/*/run.json"))


# -- the rule itself -------------------------------------------------------------------------------------------------


def noise(seed: int, steps: int = 1500, channels: int = 3) -> Recording:
    signal = np.random.default_rng(seed).normal(size=(steps, channels)).astype(np.float32)
    return Recording(f"g{seed}", signal, 1.0, "a.u.")


def found(*recordings: Recording) -> list[tuple[str, str]]:
    return [(copy.of, copy.group) for copy in copies({r.group: r for r in recordings})]


def test_what_is_shared_and_where_is_said() -> None:
    first, second = noise(0), noise(1)
    second.signal[200:900, 2] = -0.5 * first.signal[450:1150, 1] + 7
    (copy,) = copies({"g0": first, "g1": second, "g2": noise(2)})
    assert (copy.of, copy.group, copy.of_channel, copy.channel, copy.shift_ms) == ("g0", "g1", "1", "2", 250.0)
    assert 200 <= copy.start_ms < 270 and 830 < copy.stop_ms <= 900


def test_noise_drowns_a_copy_only_when_it_is_as_large_as_the_signal() -> None:
    first = noise(0)
    for size, known in ((0.01, True), (0.1, True), (1.0, False)):
        louder = dataclasses.replace(noise(9), signal=first.signal + size * noise(5).signal)
        assert bool(found(first, louder, noise(1))) == known, size


def test_what_honest_recordings_have_in_common_is_no_copy() -> None:
    """Pauses, clamps, spikes of one shape, a slow drive and an artefact that all channels show."""
    rng = np.random.default_rng(3)
    shape = np.exp(-np.arange(40) / 6) * np.sin(np.arange(40) / 2)
    drive = np.sin(np.arange(1500) / 60)
    recordings = []
    for seed in range(6):
        signal = 0.05 * noise(seed).signal + drive[:, None]
        for channel in range(3):
            for start in rng.integers(0, 1400, 25):
                signal[start : start + 40, channel] += 3 * shape
        signal[300:600] = -70.0
        signal[700:741] += (10 * np.concatenate([[0.0], shape]))[:, None]
        recordings.append(dataclasses.replace(noise(seed), signal=signal.astype(np.float32)))
    assert found(*recordings) == []


def test_silent_missing_and_short_recordings_raise_no_alarm() -> None:
    silent = [Recording(f"s{k}", np.zeros((500, 2), np.float32), 1.0, "a.u.") for k in range(3)]
    missing = [Recording(f"m{k}", np.full((500, 2), np.nan, np.float32), 1.0, "a.u.") for k in range(3)]
    short = [dataclasses.replace(noise(k, steps=5), group=f"k{k}") for k in range(3)]
    assert found(*silent, *missing, *short) == []


def gappy(recording: Recording) -> Recording:
    signal = recording.signal.copy()
    signal[::20] = np.nan
    return dataclasses.replace(recording, signal=signal)


def few_events(seed: int, rate: float = 0.02, channels: int = 9) -> Recording:
    signal = (np.random.default_rng(seed).random((100, channels)) < rate).astype(np.float32)
    return Recording(f"g{seed}", signal, 1.0, "a.u.")


@pytest.mark.parametrize(
    "recording",
    [noise(0, 16, 5), noise(0, 20, 1), gappy(noise(0, 1000, 5)), few_events(0)],
    ids=["16 x 5", "20 x 1", "gaps", "few events"],
)
def test_the_same_bits_are_refused_however_short_gappy_or_sparse(recording: Recording) -> None:
    others = [noise(seed, recording.steps, recording.num_channels) for seed in range(1, 5)]
    assert found(recording, *others, dataclasses.replace(recording, group="again")) == [("g0", "again")]


def test_signals_that_hold_little_may_be_the_same() -> None:
    """Single events, one long event, a clamp and a ramp: chance or the set-up makes such trials equal."""
    same = [few_events(0, rate=0.0) for _ in range(5)]
    same[1].signal[50, 4] = same[1].signal[70, 2] = 1
    same[2].signal[20:60, 3] = 1
    same[3].signal[:] = np.arange(100)[:, None]
    same[4].signal[:] = np.nan
    for one in same:
        assert found(dataclasses.replace(one, group="first"), dataclasses.replace(one, group="second")) == []


def test_sparse_trials_of_chance_raise_no_alarm() -> None:
    """A thousand trials of one channel and few bins: many are the same, and none is a copy."""
    trials = [dataclasses.replace(few_events(k, 0.02, channels=1), group=f"t{k}") for k in range(1000)]
    assert len({trial.fingerprint() for trial in trials}) < 900
    assert found(*trials) == []


def test_honest_event_trains_raise_no_alarm_and_shared_ones_do() -> None:
    def trains(seed: int, regular: bool) -> Recording:
        rng = np.random.default_rng(seed)
        gaps = np.full((20, 60), 25) if regular else rng.geometric(1 / 25, (20, 60))
        step = (rng.integers(0, 25, (20, 1)) + gaps.cumsum(axis=1)).ravel().astype(np.int32)
        channel = np.repeat(np.arange(20, dtype=np.int32), 60)
        order = np.argsort(step, kind="stable")
        return dataclasses.replace(noise(seed), spikes=Spikes(step[order], channel[order], 1.0))

    assert found(*(trains(seed, regular=False) for seed in range(20))) == []
    assert found(*(trains(seed, regular=True) for seed in range(5))) == []
    first, second = trains(0, regular=False), noise(7)
    later = Spikes(first.spikes.step + np.int32(13), (first.spikes.channel * 7) % 20, 1.0)
    (copy,) = copies({"g0": first, "g7": dataclasses.replace(second, spikes=later), "g2": trains(2, regular=False)})
    assert (copy.of, copy.group, copy.what, copy.shift_ms) == ("g0", "g7", "spikes", -13.0)


def test_only_the_sides_of_a_split_are_held_apart() -> None:
    """The same data twice in one part are no leak, in two parts or on two sides of a fold they are."""
    from neurocli.recordings.copies import refuse_copies
    from neurocli.recordings.split import leave_one_out

    recordings = {f"g{k}": noise(k) for k in range(4)} | {"again": dataclasses.replace(noise(0), group="again")}
    refuse_copies(recordings, Split(("g0", "again"), ("g1",), ("g2", "g3")))
    with pytest.raises(LeakError, match=r"g0 .train. and again .validation."):
        refuse_copies(recordings, Split(("g0", "g1"), ("again",), ("g2", "g3")))
    with pytest.raises(LeakError):
        refuse_copies(recordings, leave_one_out(list(recordings), "leave one out"))
    refuse_copies(recordings, Split(*(tuple(recordings),) * 3, leaky=True))


def test_the_cost_grows_with_the_samples_and_not_with_the_pairs() -> None:
    import time

    def seconds(groups: int) -> float:
        recordings = {f"g{k}": noise(k, steps=2000, channels=20) for k in range(groups)}
        started = time.process_time()
        assert copies(recordings) == []
        return time.process_time() - started

    seconds(2)
    assert seconds(32) < 3 * 4 * seconds(8)


@pytest.mark.slow
def test_new_data_are_held_against_the_training_groups_of_a_run(tmp_path, capsys) -> None:
    """A shifted copy of a trial that a run was trained on is not scored as new; other trials are."""
    from neurocli.cli.main import run

    recordings = honest("eirnn-v2")
    recordings.save(tmp_path / "session.h5")
    runs = ["--device", "cpu", "--runs-dir", str(tmp_path / "runs")]
    short = ["--set", "train.epochs=1", "--set", "data.trials=all"]
    assert run(["train", "eirnn-v2", "--data", str(tmp_path / "session.h5"), *short, *runs]) == 0
    from neurocli.runs.folder import RunFolder

    split = RunFolder.find(tmp_path / "runs", "latest").read_info()["split"]["groups"]
    trained, tested = recordings[split["train"][0]], [recordings[group] for group in split["test"]]
    shifted = dataclasses.replace(KINDS["shifted by a sample"](trained), group="again")
    for name, trials in (("new", tested), ("known", [*tested, shifted])):
        RecordingSet.of(trials, meta=recordings.meta, truth=recordings.truth).save(tmp_path / f"{name}.h5")
    capsys.readouterr()
    asked = ["evaluate", "latest", "--runs-dir", str(tmp_path / "runs"), "--data"]
    assert run([*asked, str(tmp_path / "known.h5")]) == LeakError.exit_code
    assert f"{trained.group} (train)" in capsys.readouterr().err
    assert run([*asked, str(tmp_path / "new.h5")]) == 0
