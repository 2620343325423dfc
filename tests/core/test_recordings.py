"""The file format: what goes in comes out, the same bytes for the same content, and no harm from a bad file."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet, Spikes


def make(group: str = "run-0", seed: int = 0, unit: str = "mV") -> Recording:
    rng = np.random.default_rng(seed)
    return Recording(
        group=group,
        signal=np.round(rng.normal(-60, 5, (200, 7)), 3).astype(np.float32),
        dt_ms=1.0,
        unit=unit,
        channels=[f"E{k}" for k in range(7)],
        mask=rng.random((200, 7)) > 0.1,
        inputs=rng.normal(size=(200, 2)),
        input_names=["a", "b"],
        spikes=Spikes(np.arange(30, dtype=np.int32), np.arange(30, dtype=np.int32) % 7, 0.1),
        events={"go": np.array([1.5, 2.5])},
        labels={"index": 3, "kind": "x"},
        truth={"rate": rng.random(7)},
    )


def test_round_trip(tmp_path: Path) -> None:
    path, original = tmp_path / "a.h5", make()
    RecordingSet.of([original, make("run-1", 1)], meta={"simulator": "x"}, truth={"w": np.eye(3)}).save(path)
    found = RecordingSet.open(path)
    assert found.groups == ["run-0", "run-1"]
    assert found.meta == {"simulator": "x"}
    np.testing.assert_array_equal(found.truth["w"], np.eye(3))
    back = found["run-0"]
    np.testing.assert_allclose(back.signal, original.signal, atol=5e-4)
    for name in ("mask", "inputs"):
        np.testing.assert_array_equal(getattr(back, name), getattr(original, name))
    assert (back.channels, back.labels, back.input_names, back.unit) == (
        original.channels,
        original.labels,
        ["a", "b"],
        "mV",
    )
    assert back.spikes is not None and original.spikes is not None
    np.testing.assert_array_equal(back.spikes.step, original.spikes.step)
    np.testing.assert_array_equal(back.events["go"], original.events["go"])


def test_millivolts_beyond_the_compact_range_are_kept(tmp_path: Path) -> None:
    wide = make()
    wide.signal = wide.signal * 3 + 120
    RecordingSet.of([wide]).save(tmp_path / "a.h5")
    np.testing.assert_array_equal(RecordingSet.open(tmp_path / "a.h5")["run-0"].signal, wide.signal)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        RecordingSet.of([make(), make("run-1", 1)], meta={"b": 1, "a": 2}).save(tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    RecordingSet.open(tmp_path / "a.h5").save(tmp_path / "c.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()


def test_two_files_with_the_same_names_are_kept_apart(tmp_path: Path) -> None:
    for name, seed in (("a.h5", 0), ("b.h5", 1)):
        RecordingSet.of([make(seed=seed)]).save(tmp_path / name)
    joined = RecordingSet.joined([RecordingSet.open(tmp_path / n) for n in ("a.h5", "b.h5")])
    assert joined.groups == ["a:run-0", "b:run-0"]
    assert joined["b:run-0"].group == "b:run-0"


def test_simulations_of_one_world_with_other_seeds_belong_together(tmp_path: Path) -> None:
    def saved(name: str, seed: int, world: float, **others: float) -> RecordingSet:
        meta = {"simulator": "x", "parameters": {"seed": seed, "g": 4.5, **others}, "simulation": {"first": seed}}
        RecordingSet.of([make(seed=seed)], meta=meta, truth={"w": world * np.eye(3)}).save(tmp_path / name)
        return RecordingSet.open(tmp_path / name)

    first = saved("a.h5", 0, 1.0)
    joined = RecordingSet.joined([first, saved("b.h5", 1, 1.0)])
    assert joined.groups == ["a:run-0", "b:run-0"] and joined.truth
    with pytest.raises(DataError, match=r"making: seed: 0 → 1$"):
        RecordingSet.joined([first, saved("c.h5", 1, 2.0)])  # another world by another seed
    with pytest.raises(DataError, match=r"making: g: 4\.5 → 5\.5; noise: unset → 1$"):
        RecordingSet.joined([first, saved("d.h5", 1, 1.0, g=5.5, noise=1)])


def test_bad_files_are_one_clear_error(tmp_path: Path) -> None:
    good = tmp_path / "good.h5"
    RecordingSet.of([make()]).save(good)
    content = good.read_bytes()
    cases = {
        "missing": None,
        "empty": b"",
        "text": b"hello\n",
        "short": content[:100],
        "half": content[: len(content) // 2],
    }
    for name, data in cases.items():
        path = tmp_path / f"{name}.h5"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            RecordingSet.open(path)["run-0"]
        assert str(path) in str(caught.value.where), name
        assert caught.value.exit_code == 3


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"12345678" * 1000)

    def edited(name: str) -> Path:
        path = tmp_path / f"{name}.h5"
        RecordingSet.of([make()]).save(path)
        return path

    external, link, huge, kind = edited("external"), edited("link"), edited("huge"), edited("kind")
    with h5py.File(external, "r+") as file:
        del file["recordings/run-0/signal"]
        file.create_dataset("recordings/run-0/signal", (100, 8), "f8", external=[(str(secret), 0, 6400)])
    with h5py.File(link, "r+") as file:
        del file["recordings/run-0/signal"]
        file["recordings/run-0/signal"] = h5py.ExternalLink(str(external), "/recordings/run-0/signal")
    with h5py.File(huge, "r+") as file:
        del file["recordings/run-0/signal"]
        file.create_dataset("recordings/run-0/signal", (10**9, 100), "f8", chunks=(1000, 100), compression="gzip")
    with h5py.File(kind, "r+") as file:
        del file["recordings/run-0/signal"]
        file["recordings/run-0/signal"] = np.array([[b"x", b"y"]])
    for path, message in ((external, "another file"), (link, "link"), (huge, "claims"), (kind, "not a number")):
        with pytest.raises(DataError, match=message):
            RecordingSet.open(path)["run-0"]


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    bad = make("run-0", 1)
    with pytest.raises(DataError):
        RecordingSet({"a": lambda: make(), "b": lambda: bad}).save(tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []
