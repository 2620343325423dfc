"""A recording as the options ask for it: another of its series, and without the names that its file doubts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings import Recording
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.identity import UNIDENTIFIED

SERIES = "series:"
"""Events of a recording that hold its other series [time, neuron] begin with this."""


def as_chosen(recording: Recording, options: DataConfig) -> Recording:
    """The recording with the series and the names that `data.series` and `data.uncertain` ask for.

    Raises DataError where a worm has several series, and none of the name.
    """
    changes: dict[str, Any] = {}
    uncertain = recording.labels.get("uncertain")
    if options.uncertain == "exclude" and uncertain and recording.channels:
        changes["channels"] = [
            f"{UNIDENTIFIED}{number}" if name in uncertain else name
            for number, name in enumerate(recording.channels, start=1)
        ]
    taken = recording.labels.get("series", "")
    if options.series and taken and options.series != taken:
        others = [name.removeprefix(SERIES) for name in recording.events if name.startswith(SERIES)]
        if options.series not in others:
            raise DataError(
                f"the worm has no series {options.series}",
                where=f"recording {recording.group}",
                hint=f"data.series can be {', '.join([taken, *others])}",
            )
        signal = np.asarray(recording.events[SERIES + options.series], np.float32)
        finite = np.isfinite(signal)
        changes |= {"signal": signal, "mask": None if finite.all() else finite}
    return dataclasses.replace(recording, **changes) if changes else recording
