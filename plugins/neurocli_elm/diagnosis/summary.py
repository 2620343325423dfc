"""A simulation in a few numbers, so that a set of any size is looked through one simulation at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Recording, RecordingSet
from neurocli_elm.data.inputs import Inputs, missing_in
from neurocli_elm.data.spike_times import Moved, moved_labels
from neurocli_elm.data.windows import SOMA_CLIP_MV
from neurocli_elm.diagnosis.signs import signs_of

REDETECTED = "output_spikes_redetected"


@dataclass(frozen=True)
class Summary:
    """excitatory, inhibitory: input events; soma: lowest, median and highest mV; clipped: share of steps above -55 mV.

    moved: what float16 has done to the labels, None where the times are finer than float16 tells, or are not known.
    signs: of another unit, of rounding, by check. fault: what is missing for a simulation of a cell with known input.
    """

    group: str
    file: str
    steps: int
    dt_ms: float
    fault: str | None = None
    inputs: int = 0
    num_excitatory: int = 0
    excitatory: int = 0
    inhibitory: int = 0
    output: int = 0
    redetected: bool = False
    soma: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clipped: float = 0.0
    moved: Moved | None = None
    signs: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.steps * self.dt_ms * 1e-3


@dataclass(frozen=True)
class SummarySet:
    """Every simulation's summary, and how many events each input has in all of them, excitatory inputs first."""

    summaries: list[Summary]
    events: NDArray[np.int64]

    @property
    def sound(self) -> list[Summary]:
        return [summary for summary in self.summaries if summary.fault is None]

    def by_file(self) -> dict[str, list[Summary]]:
        """The sound ones, file by file."""
        files: dict[str, list[Summary]] = {}
        for summary in self.sound:
            files.setdefault(summary.file, []).append(summary)
        return files


def summarised(recordings: RecordingSet, groups: Sequence[str] | None = None) -> SummarySet:
    """Looks at each recording once, in the order of the set, which is that of the files."""
    summaries, events = [], np.zeros(0, np.int64)
    for group in recordings.groups if groups is None else groups:
        recording = recordings[group]
        summary = summary_of(recording)
        summaries.append(summary)
        if summary.fault is None and recording.spikes is not None:
            counts = np.bincount(recording.spikes.channel, minlength=summary.inputs)
            if len(counts) > len(events):
                events = np.concatenate([events, np.zeros(len(counts) - len(events), np.int64)])
            events[: len(counts)] += counts
    return SummarySet(summaries, events)


def summary_of(recording: Recording) -> Summary:
    """The numbers of one simulation."""
    labels, spikes = recording.labels, recording.spikes
    file = str(labels.get("file", "simulations"))
    head = (recording.group, file, recording.steps, recording.dt_ms)
    fault = _fault(recording)
    if fault is not None or spikes is None:
        return Summary(*head, fault or "no input spikes")
    soma = recording.signal[:, 0].astype(np.float64)
    inputs = Inputs.of(recording)
    count = int(inputs.exciting[spikes.channel].sum())
    times = recording.events.get("output_spike_ms")
    low, median, high = np.quantile(soma, [0, 0.5, 1]).tolist()
    return Summary(
        *head,
        inputs=inputs.count,
        num_excitatory=inputs.excitatory,
        excitatory=count,
        inhibitory=len(spikes.channel) - count,
        output=len(recording.events["output_spikes"]),
        redetected=REDETECTED in recording.events,
        soma=(low, median, high),
        clipped=float((soma > SOMA_CLIP_MV).mean()),
        moved=moved_labels(recording) if times is not None and _rounded(times) else None,
        signs=signs_of(recording),
    )


def _fault(recording: Recording) -> str | None:
    missing = missing_in(recording)
    if missing:
        return f"no {missing}"
    assert recording.spikes is not None
    if "output_spikes" not in recording.events:
        return "no output_spikes"
    if not np.isfinite(recording.signal).all():
        return "a soma voltage that is not a number"
    largest = int(recording.spikes.channel.max(initial=-1))
    inputs = Inputs.of(recording).count
    return f"an input spike of channel {largest}, of {inputs}" if largest >= inputs else None


def _rounded(times: NDArray[np.floating]) -> bool:
    """Whether spike times could have been stored as float16: none is finer."""
    with np.errstate(over="ignore"):
        return bool((times.astype(np.float16).astype(np.float64) == times).all())
