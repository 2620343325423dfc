"""What is in files: recordings of any format that a plugin reads, with what their readers did and doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    from neurocli.recordings import Recording, RecordingSet


@dataclass
class Info:
    """recordings: what the files hold; rows: a line for each recording; sums: content sum of each file of our own format."""

    recordings: RecordingSet
    rows: list[dict[str, Any]]
    sums: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` shows."""
        return {
            "files": self.recordings.sources,
            "sums": self.sums,
            "meta": self.recordings.meta,
            "truth": sorted(self.recordings.truth),
            "recordings": self.rows,
            "notes": [note.as_dict() for note in self.recordings.notes],
        }


def info(data: AnyPath | Sequence[AnyPath], *, progress: Listener | None = None) -> Info:
    """Read every recording of some files once, and describe them. Raises DataError or MissingDependency."""
    from neurocli.recordings.store import sum_of_file
    from neurocli.workflow.data.sources import open_files

    reporter = Reporter(progress)
    recordings = open_files(data, reporter, warn=False)
    rows = []
    for number, group in enumerate(recordings, start=1):
        rows.append(_row(recordings[group]))
        reporter.steps(number, len(recordings), group)
    sums = {source: value for source in recordings.sources if (value := sum_of_file(Path(source))) is not None}
    return Info(recordings, rows, sums)


def _row(recording: Recording) -> dict[str, Any]:
    import numpy as np

    signal = np.asarray(recording.signal)
    valid = np.isfinite(signal) if recording.mask is None else np.asarray(recording.mask) & np.isfinite(signal)
    values = signal[valid].astype(np.float64)
    return {
        "recording": recording.group,
        "samples": recording.steps,
        "channels": recording.num_channels,
        "step_ms": recording.dt_ms,
        "duration_s": recording.steps * recording.dt_ms / 1e3,
        "unit": recording.unit,
        "mean": float(values.mean()) if values.size else None,
        "sd": float(values.std()) if values.size else None,
        "missing": float(1 - valid.mean()),
        "spikes": None if recording.spikes is None else len(recording.spikes.step),
        "inputs": None if recording.inputs is None else int(recording.inputs.shape[1]),
        "labels": recording.labels,
    }
