"""The simulators through the engine: what a file says, the same bytes however it came about, and what a user is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import ConfigError, UsageError
from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.engine import make_shard, simulate
from neurocli.simulation.simulator import Simulator
from neurocli_sequences import neurocli_register_simulators
from neurocli_sequences.simulation.listops import TOKENS, evaluate
from neurocli_sequences.simulation.listops_simulator import ListOpsSimulator
from neurocli_sequences.simulation.parameters import ListOpsConfig, PathfinderConfig
from neurocli_sequences.simulation.pathfinder_simulator import PathfinderSimulator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))


def card_of(name: str) -> SimulatorCard:
    return next(card for card in neurocli_register_simulators() if card.name == name)


def both() -> list[tuple[Simulator, object]]:
    return [
        (ListOpsSimulator(card_of("listops")), ListOpsConfig(max_length=60)),
        (PathfinderSimulator(card_of("pathfinder")), PathfinderConfig(contour_length=6)),
    ]


def test_what_a_listops_file_says(tmp_path: Path) -> None:
    simulator, config = both()[0]
    recordings = simulate(simulator, config, runs=40, out=tmp_path / "l.h5")
    assert recordings.meta["kind"] == "listops" and recordings.meta["classes"] == [*"0123456789"]
    assert recordings.meta["simulator"] == "listops" and recordings.meta["parameters"]["max_length"] == 60
    assert recordings.groups[:2] == ["listops-000000", "listops-000001"]
    texts = set()
    for recording in recordings.values():
        assert recording.signal.dtype == np.uint8 and recording.signal.shape[1] == 1
        assert recording.unit == "byte" and recording.dt_ms == 1.0
        words = recording.signal[:, 0].tobytes().decode("ascii").split(" ")
        tokens = np.array([TOKENS.index(word) for word in words], np.uint8)
        value, depth = evaluate(tokens)
        assert recording.labels == {"class": value, "depth": depth, "length": len(words)}
        assert 10 < len(words) < 60
        texts.add(tuple(words))
    assert len(texts) == 40


def test_what_a_pathfinder_file_says(tmp_path: Path) -> None:
    simulator, config = both()[1]
    recordings = simulate(simulator, config, runs=30, out=tmp_path / "p.h5")
    assert recordings.meta["kind"] == "images" and recordings.meta["classes"] == ["apart", "connected"]
    assert recordings.meta["layout"] == {"height": 32, "width": 32, "colours": 1}
    assert recordings.groups[0] == "pathfinder-000000"
    assert {recording.labels["class"] for recording in recordings.values()} == {0, 1}
    for recording in recordings.values():
        assert recording.signal.shape == (32, 32) and recording.signal.dtype == np.uint8
        assert recording.unit == "grey level" and recording.truth["circles"].shape == (2, 2)
        assert len(recording.truth["dashes"]) == recording.labels["dashes"]


@pytest.mark.parametrize("which", [0, 1])
def test_the_same_bytes_in_steps_and_the_same_runs_anywhere(which: int, tmp_path: Path) -> None:
    simulator, config = both()[which]
    told: list[tuple[int, int, str]] = []
    simulate(simulator, config, runs=12, out=tmp_path / "a.h5", progress=lambda *news: told.append(news))
    simulate(simulator, config, runs=5, out=tmp_path / "b.h5")
    simulate(simulator, config, runs=12, out=tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert [news[0] for news in told] == list(range(13)) and not list(tmp_path.glob("*.parts"))
    late = simulate(simulator, config, runs=2, first=10, out=tmp_path / "c.h5")
    all_runs = RecordingSet.open(tmp_path / "a.h5")
    assert [r.whole() for r in late.values()] == [all_runs[group].whole() for group in late]
    make_shard(simulator, config, 3, tmp_path, tmp_path / "shard.h5")  # as a worker of a cluster does it
    (shard,) = RecordingSet.open(tmp_path / "shard.h5").values()
    assert shard.whole() == all_runs[all_runs.groups[3]].whole()


@pytest.mark.parametrize("which", [0, 1])
def test_summary(which: int, tmp_path: Path) -> None:
    simulator, config = both()[which]
    recordings = simulate(simulator, config, runs=20, out=tmp_path / "a.h5")
    (exhibit,) = simulator.summary(recordings, tmp_path)
    assert exhibit.figure is not None and exhibit.figure.exists()
    counts = np.array([row[1] for row in exhibit.table.rows])
    labels = np.array([recording.labels["class"] for recording in recordings.values()])
    assert (counts == np.bincount(labels, minlength=len(counts))).all()
    assert simulator.summary(recordings.subset(recordings.groups[:1]), None)[0].figure is None


def test_presets_are_options(tmp_path: Path) -> None:
    import tomllib

    for simulator, config in both():
        paths = sorted(simulator.presets.glob("*.toml"))
        assert paths
        for path in paths:
            options = type(config)(**tomllib.loads(path.read_text(encoding="utf-8")))
            simulator.simulate(options, 0, tmp_path)


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    simulator, _ = both()[0]
    with pytest.raises(ConfigError, match="only 10 different"):
        simulate(simulator, ListOpsConfig(min_length=0, max_length=2), runs=11, out=tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists() and not list(tmp_path.glob(".*"))
    simulate(simulator, ListOpsConfig(), runs=2, out=tmp_path / "b.h5")
    with pytest.raises(UsageError, match="other parameters: max_args"):
        simulate(simulator, ListOpsConfig(max_args=5), runs=2, out=tmp_path / "b.h5")
    with pytest.raises(ValueError, match="at least 2 below"):
        ListOpsConfig(min_length=100, max_length=100)
