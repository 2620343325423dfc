"""A world of random walks for the tests of the engine. A module of its own, because workers must import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.errors import DataError
from neurocli.plugin.cards import SimulatorCard
from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator, SimulatorConfig, seed_of

CARD = SimulatorCard("toy", "random walks", "toy_simulator:Toy")


class ToyConfig(SimulatorConfig):
    steps: int = 200
    scale: float = 1.0
    unit: str = "mV"


class Toy(Simulator):
    """Random walks. What it is told by environment variables is no parameter: it must not change the data.

    TOY_LOG: folder in which each simulated index leaves a file per attempt; TOY_SLEEP: seconds per run;
    TOY_FAIL, TOY_DIE: indices, separated by commas, that raise an error or kill their process.
    """

    Config = ToyConfig

    def prepare(self, config: Any, work: Path, say: Any) -> None:
        (work / "ready").write_text(str(config.scale))

    def simulate(self, config: Any, index: int, work: Path) -> Recording:
        assert (work / "ready").read_text() == str(config.scale)
        if "TOY_LOG" in os.environ:
            (Path(os.environ["TOY_LOG"]) / f"{index}-{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(float(os.environ.get("TOY_SLEEP", 0)))
        if str(index) in os.environ.get("TOY_DIE", "").split(","):
            os.kill(os.getpid(), signal.SIGKILL)
        if str(index) in os.environ.get("TOY_FAIL", "").split(","):
            raise DataError("this run diverged", hint="a smaller step")
        rng = np.random.default_rng(seed_of(config.seed, index))
        walk = rng.normal(size=(config.steps, 8)).cumsum(0) * config.scale * 0.1 - 60
        spikes = Spikes(np.arange(5, dtype=np.int32), np.zeros(5, np.int32), 0.1)
        return Recording("any", walk, 0.1, config.unit, spikes=spikes, labels={"index": index}, truth={"end": walk[-1]})

    def truth(self, config: Any) -> dict[str, Any]:
        return {"scale": np.array([config.scale])}

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        return []
