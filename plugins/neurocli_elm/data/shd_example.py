"""A few made-up spoken digits in the form of the Spiking Heidelberg Digits, for the contract kit and for tests."""

from __future__ import annotations

import numpy as np

from neurocli.recordings import Recording, RecordingSet
from neurocli_elm.data.readers.shd import CLASSES, META, UNITS, population_counts

_SPEAKERS, _EACH, _SPIKES = 8, 2, 80
_BAND = UNITS // CLASSES


def small_utterances(seed: int) -> RecordingSet:
    """Two utterances of every digit by each of eight speakers; most spikes of a digit lie in a band of units of its own."""
    rng = np.random.default_rng(seed)
    utterances: list[Recording] = []
    for speaker in range(_SPEAKERS):
        for label in np.repeat(np.arange(CLASSES), _EACH):
            seconds = np.sort(rng.uniform(0, 1, _SPIKES)).astype(np.float16).astype(np.float32)
            voiced = rng.random(_SPIKES) < 2 / 3
            units = np.where(voiced, label * _BAND + rng.integers(0, _BAND, _SPIKES), rng.integers(0, UNITS, _SPIKES))
            utterances.append(
                Recording(
                    group=f"made-up-{len(utterances):05d}",
                    signal=population_counts(seconds),
                    dt_ms=1.0,
                    unit="spikes/ms",
                    channels=["all units"],
                    events={"spike_s": seconds, "spike_unit": units.astype(np.int32)},
                    labels={"label": int(label), "speaker": speaker, "file": "made-up.h5"},
                )
            )
    return RecordingSet.of(utterances, meta=META)
