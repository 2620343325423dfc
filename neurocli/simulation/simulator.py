"""What a simulator supplies. The engine does the rest: seeds, workers, shards, journal, resume, the final file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurocli.config.sections import Section
from neurocli.plugin.cards import SimulatorCard
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.presets import presets_folder
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet


class SimulatorConfig(Section):
    """Options of a simulator: families subclass it. `seed` seeds everything that differs from group to group."""

    seed: int = 0


class Simulator(ABC):
    """A world with known truth: one call makes one group (a run, a worm, a session, a cell).

    The same (config, index) must give the same recording, whatever else is simulated, in whichever process.
    """

    Config: ClassVar[type[SimulatorConfig]] = SimulatorConfig
    Formats: ClassVar[Mapping[str, str]] = {}
    """Further output formats: name → what it is; see `export`."""
    quick: ClassVar[bool] = False
    """Whether a run takes less time than writing it: such runs are made in this process as the file is written, without shards."""

    def __init__(self, card: SimulatorCard) -> None:
        self.card = card

    @property
    def presets(self) -> Path:
        """The folder of the simulator's presets: `presets/<simulator>/` in its package."""
        return presets_folder(self, self.card.name)

    def prepare(self, config: Any, work: Path, say: Callable[[str], None]) -> None:  # noqa: B027
        """What is done once before any group (compiling). `work` is kept between calls with the same parameters."""

    @abstractmethod
    def simulate(self, config: Any, index: int, work: Path) -> Recording:
        """Simulate group number `index`; runs in a worker process."""

    def truth(self, config: Any) -> Mapping[str, NDArray[Any]]:
        """Known arrays that all groups share (a fixed network's weights)."""
        return {}

    def meta(self, config: Any) -> Mapping[str, Any]:
        """What the file says of its recordings beside how they were made: their kind, names of classes, a layout. JSON values."""
        return {}

    def group_name(self, config: Any, index: int) -> str:
        return f"run-{index:04d}"

    def identity(self, config: Any) -> dict[str, Any]:
        """The parameters that decide what a group contains; two plans with the same identity may share groups."""
        return config.model_dump(mode="json")

    @abstractmethod
    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        """Tables (and figures, written into `figures`) that say what was simulated."""

    def export(self, recordings: RecordingSet, format: str, folder: Path) -> list[Path]:
        """Write the groups in one of `Formats`; gives the files."""
        raise AssertionError(f"{self.card.name} names the format {format} and does not write it")


def seed_of(seed: int, index: int, stream: int = 0) -> int:
    """A 32-bit seed for group `index`, independent of all others; `stream` separates uses within a group."""
    return int(np.random.SeedSequence(seed, spawn_key=(index, stream)).generate_state(1)[0])
