"""The simulator `listops`: one run is one expression, as a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator
from neurocli_sequences.simulation.parameters import ListOpsConfig


class ListOpsSimulator(Simulator):
    """Expressions of nested lists, none of them twice; the label is the value."""

    Config = ListOpsConfig
    quick = True

    def meta(self, config: ListOpsConfig) -> Mapping[str, Any]:
        return {"kind": "listops", "classes": [str(digit) for digit in range(10)]}

    def group_name(self, config: ListOpsConfig, index: int) -> str:
        return f"listops-{index:06d}"

    def prepare(self, config: ListOpsConfig, work: Path, say: Callable[[str], None]) -> None:
        """Compile once: the workers find it. Raises ConfigError where no expression is as long as asked for."""
        self.simulate(config, 0, work)

    def simulate(self, config: ListOpsConfig, index: int, work: Path) -> Recording:
        """Case number `index`. signal: uint8 [bytes, 1], the text; labels: its value (`class`), depth of nesting, and tokens (`length`)."""
        from neurocli_sequences.simulation.listops import evaluate, text_of
        from neurocli_sequences.simulation.listops_stream import stream_of

        tokens = stream_of(config.model_dump_json()).tokens(index)
        value, depth = evaluate(tokens)
        return Recording(
            group=self.group_name(config, index),
            signal=text_of(tokens)[:, None],
            dt_ms=1.0,
            unit="byte",
            labels={"class": value, "depth": depth, "length": len(tokens)},
        )

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_sequences.simulation.summary import summarise_listops

        return summarise_listops(recordings, figures)
