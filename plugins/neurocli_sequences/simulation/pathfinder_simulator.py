"""The simulator `pathfinder`: one run is one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator, seed_of
from neurocli_sequences.simulation.parameters import PathfinderConfig

_SIDE = 32


class PathfinderSimulator(Simulator):
    """Images of two paths of dashes; the label is whether one of them joins the two circles."""

    Config = PathfinderConfig
    quick = True

    def meta(self, config: PathfinderConfig) -> Mapping[str, Any]:
        layout = {"height": _SIDE, "width": _SIDE, "colours": 1}
        return {"kind": "images", "layout": layout, "classes": ["apart", "connected"]}

    def group_name(self, config: PathfinderConfig, index: int) -> str:
        return f"pathfinder-{index:06d}"

    def prepare(self, config: PathfinderConfig, work: Path, say: Callable[[str], None]) -> None:
        """Compile once: the workers find it."""
        self.simulate(config, 0, work)

    def simulate(self, config: PathfinderConfig, index: int, work: Path) -> Recording:
        """Image number `index`. signal: uint8 [32, 32]; labels: class, 1 where connected, and how many dashes there are.

        truth: dashes, float32 [dash, 5]: number of the contour (0 and 1 the two paths, more for distractors), row and column of the
        start, row and column of the end; circles, int64 [2, 2]: row and column of each.
        """
        from neurocli_sequences.simulation.pathfinder import draw_image

        drawn = draw_image(config, np.random.default_rng(seed_of(config.seed, index)))
        return Recording(
            group=self.group_name(config, index),
            signal=drawn.image,
            dt_ms=1.0,
            unit="grey level",
            labels={"class": int(drawn.connected), "dashes": len(drawn.dashes)},
            truth={"dashes": drawn.dashes, "circles": drawn.circles},
        )

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_sequences.simulation.summary import summarise_pathfinder

        return summarise_pathfinder(recordings, figures)
