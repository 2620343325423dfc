"""The task timeseries: the class of a series, or a number, from series of any length with gaps."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurocli.recordings import Recording, RecordingSet, Split
from neurocli_sequences.case_task import CaseTask
from neurocli_sequences.config import SeriesConfig
from neurocli_sequences.data.forms import SeriesForm

_CASES, _CLASSES, _CHANNELS = 90, 3, 2


class SeriesTask(CaseTask):
    """Time series as the UEA and Monash archives have them."""

    Options = SeriesConfig

    def form(self, recordings: RecordingSet, split: Split, config: Any) -> SeriesForm:
        return SeriesForm(recordings, config.task)

    def example(self, seed: int) -> RecordingSet:
        """Noisy oscillations whose frequency is their class, of many lengths."""
        rng = np.random.default_rng(seed)
        made = []
        for n in range(_CASES):
            label, time = n % _CLASSES, np.arange(int(rng.integers(12, 25)))[:, None]
            phase = rng.uniform(0, 2 * np.pi, _CHANNELS)
            signal = np.sin(0.4 * (1 + label) * time + phase) + 0.3 * rng.normal(size=(len(time), _CHANNELS))
            made.append(Recording(f"series-{n:03d}", signal.astype(np.float32), 1.0, "", labels={"class": label}))
        return RecordingSet.of(made, meta={"kind": "series", "classes": ["slow", "middle", "fast"], "step": "step"})
