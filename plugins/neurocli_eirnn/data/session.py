"""One recording session as dense arrays, and the same session as a set of recordings, one per trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note, Recording, RecordingSet
from neurocli.recordings.plausible import BIN_MS

EXCITATORY, INHIBITORY = 1, 2
FIXATION, LOCATIONS, GO, REWARD = 0, slice(1, 5), 5, 6
"""Channels of the inputs, in the published order."""

INPUT_NAMES = (
    "fixation_on",
    "target_loc_1",
    "target_loc_2",
    "target_loc_3",
    "target_loc_4",
    "go_signal",
    "reward_on",
    "eye_x",
    "eye_y",
    "is_face",
    "is_nonface",
    "is_bullseye",
    "high_salience",
    "low_salience",
)
CUE_NAME = "reward_cue"
"""An input that is made from a label, after the others, where a model is to have it."""
CUE_SIZE = 0.2
"""Its size, of either sign. Small: of 150 trials as of 1 or 0, a model learns differences that new trials do not have."""
LABELS = ("reward", "probability", "location", "identity", "salience")
KIND = "sc-session"


@dataclass
class Session:
    """Trials [trial, time, ...] of one session, aligned at fixation onset.

    rates: float32 [trial, time, neuron], sp/s (count divided by the bin), NaN where the file is padded;
    inputs: float32 [trial, time, 14] in the order of INPUT_NAMES; neuron_type: int [neuron], 1 excitatory ("classic"),
    2 putative interneuron; time_ms: [time] bin centres from fixation onset; duration_ms: [trial] fixation onset to reward
    (NaN where the file does not say); labels: name → int [trial] (those of LABELS that the file has);
    missing: optional fields that were absent (their inputs are zeros); true_rates: like `rates`, from a simulator; notes: what
    the reader did and doubts.
    """

    name: str
    rates: NDArray[np.float32]
    inputs: NDArray[np.float32]
    neuron_type: NDArray[np.int64]
    neuron_ids: list[str]
    time_ms: NDArray[np.float64]
    bin_ms: float
    duration_ms: NDArray[np.float64]
    labels: dict[str, NDArray[np.int64]]
    brain_area: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    true_rates: NDArray[np.float32] | None = None
    truth: dict[str, NDArray[Any]] = field(default_factory=dict)
    source: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def trials(self) -> int:
        return len(self.rates)

    @property
    def bins(self) -> int:
        return self.rates.shape[1]

    @property
    def neurons(self) -> int:
        return self.rates.shape[2]

    @property
    def groups(self) -> list[str]:
        """The trials' names as groups."""
        return [f"trial-{number:04d}" for number in range(self.trials)]

    def recordings(self) -> RecordingSet:
        """One recording per trial. What the trials share is in `truth` and `meta` of the set."""
        return RecordingSet.of(
            [self.recording(number, group) for number, group in enumerate(self.groups)],
            meta={
                "kind": KIND,
                "session": self.name,
                "neuron_ids": self.neuron_ids,
                "brain_area": self.brain_area,
                "missing": list(self.missing),
                **({"simulator": KIND} if self.true_rates is not None else {}),
            },
            truth={"neuron_type": self.neuron_type, "time_ms": self.time_ms, **self.truth},
            sources=[self.source] if self.source else [],
            notes=self.notes,
        )

    def recording(self, number: int, group: str) -> Recording:
        """One trial as a recording of its own."""
        duration = float(self.duration_ms[number])
        return Recording(
            group=group,
            signal=self.rates[number],
            dt_ms=self.bin_ms,
            unit="sp/s",
            channels=self.neuron_ids,
            mask=np.isfinite(self.rates[number]),
            inputs=self.inputs[number],
            input_names=list(INPUT_NAMES),
            labels={
                **{name: int(values[number]) for name, values in self.labels.items()},
                **({"duration_ms": duration} if np.isfinite(duration) else {}),
            },
            truth={} if self.true_rates is None else {"rates": self.true_rates[number]},
        )

    @classmethod
    def of(cls, recordings: RecordingSet) -> Session:
        """The session that a set of recordings holds. Raises DataError where it is not one session."""
        where = ", ".join(recordings.sources) or "data"
        if not len(recordings):
            raise DataError("the session has no trial", where=where)
        trials = [recordings[group] for group in recordings]
        first = trials[0]
        shared = recordings.truth
        if first.inputs is None or "neuron_type" not in shared:
            raise DataError(
                "these recordings are not a session: task inputs and neuron types are needed",
                where=where,
                hint="give a session export (.mat, .nwb) or what `neuro simulate sc-session` writes",
            )
        BIN_MS.check(first.dt_ms, where)  # before anything is counted in bins
        for trial in trials:
            if trial.signal.shape[1] != first.signal.shape[1] or trial.dt_ms != first.dt_ms:
                raise DataError("trials differ in neurons or bin width", where=f"recording {trial.group}")
            if trial.channels and first.channels and list(trial.channels) != list(first.channels):
                raise DataError(
                    "trials differ in neurons: they have other names",
                    where=f"recording {trial.group}",
                    hint="a model predicts other trials of the neurons that it was trained on, and no other neurons",
                )
        bins = max(trial.steps for trial in trials)
        labels = {name for trial in trials for name in trial.labels if name in LABELS}
        has_truth = all("rates" in trial.truth for trial in trials)
        return cls(
            name=str(recordings.meta.get("session") or recordings.meta.get("simulator") or "session"),
            rates=_stacked([t.signal for t in trials], bins, np.nan),
            inputs=_stacked([t.inputs for t in trials], bins, 0.0),
            neuron_type=np.asarray(shared["neuron_type"], np.int64),
            neuron_ids=list(first.channels or [str(n) for n in range(first.num_channels)]),
            time_ms=np.asarray(shared["time_ms"], np.float64)
            if "time_ms" in shared
            else np.asarray((np.arange(bins) + 0.5) * first.dt_ms, np.float64),
            bin_ms=float(first.dt_ms),
            duration_ms=np.array([t.labels.get("duration_ms", np.nan) for t in trials], np.float64),
            labels={
                name: np.array([t.labels.get(name, 0) for t in trials], np.int64) for name in LABELS if name in labels
            },
            brain_area=list(recordings.meta.get("brain_area") or []),
            missing=tuple(recordings.meta.get("missing") or ()),
            true_rates=_stacked([t.truth["rates"] for t in trials], bins, np.nan) if has_truth else None,
            truth={k: v for k, v in shared.items() if k not in ("neuron_type", "time_ms")},
            source=where,
            notes=tuple(recordings.notes),
        )


def _stacked(arrays: Sequence[NDArray[Any] | None], bins: int, fill: float) -> NDArray[np.float32]:
    """[trial, time, ...] of arrays [time, ...]; the shorter ones are filled up."""
    first = arrays[0]
    assert first is not None
    out = np.full((len(arrays), bins, first.shape[1]), fill, np.float32)
    for row, array in zip(out, arrays, strict=True):
        assert array is not None
        row[: len(array)] = array
    return out


def select(session: Session, trials: NDArray[Any]) -> Session:
    """The session with only some trials (indices or mask)."""
    chosen: Mapping[str, Any] = {
        "rates": session.rates[trials],
        "inputs": session.inputs[trials],
        "duration_ms": session.duration_ms[trials],
        "labels": {name: values[trials] for name, values in session.labels.items()},
        "true_rates": None if session.true_rates is None else session.true_rates[trials],
    }
    return Session(**{**vars(session), **chosen})
