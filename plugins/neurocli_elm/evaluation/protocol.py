"""The published evaluation of NeuronIO, and the same predictions without its rescaling.

Windows of 500 ms begin every 350 ms, each from a state of zero; the first is kept whole, of the others the first 150 ms are
dropped, the last is padded with silence. Published scores then rescale the soma predictions of each file to the mean and the
standard deviation of its targets, leave out simulations with more than 24 output spikes and the first 500 ms.
(Beniaguev, Segev & London 2021; Spieler et al. 2023.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording
from neurocli_elm.data.windows import BURN_IN_MS, MOST_SPIKES, WINDOW_BURN_IN_MS, WINDOW_MS, Windows, check_length, cut
from neurocli_elm.evaluation.spike_scores import SpikeScores, spike_scores

EVENTS_AT_ONCE = 4_000_000
"""Input events of windows that are predicted together: a file of 128 simulations comes in three parts of less than 1 GB."""

Predict = Callable[[Windows], tuple[NDArray[Any], NDArray[Any]]]
"""Windows → (spike probability, soma voltage in mV above -67.7), both [sample, step], from a state of zero."""


@dataclass(frozen=True)
class Predictions:
    """Targets and predictions of whole simulations, each [simulation, step].

    spike: 0 or 1; probability: of a spike; target_mv, soma_mv: voltage above -67.7 mV, the target clipped at -55 mV.
    """

    groups: tuple[str, ...]
    spike: NDArray[np.bool_]
    probability: NDArray[np.float64]
    target_mv: NDArray[np.float64]
    soma_mv: NDArray[np.float64]

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.spike, self.probability, self.target_mv, self.soma_mv


@dataclass(frozen=True)
class SomaScores:
    """Errors of the soma voltage in mV; explained variance in percent, None where the target never changes."""

    rmse_mv: float
    mae_mv: float
    explained_percent: float | None


@dataclass(frozen=True)
class Scores:
    """Scores over simulations taken together, how many there are, and how many were left out for their many spikes."""

    spikes: SpikeScores
    soma: SomaScores
    simulations: int
    excluded: int


def window_starts(steps: int, window: int = WINDOW_MS, burn_in: int = WINDOW_BURN_IN_MS) -> list[int]:
    """Where the windows of a simulation of `steps` begin: 0, 350, ... until all of it is covered."""
    return [0, *range(window - burn_in, steps - burn_in, window - burn_in)]


def predictions(
    recordings: Sequence[Recording],
    predict: Predict,
    *,
    window: int = WINDOW_MS,
    burn_in: int = WINDOW_BURN_IN_MS,
    labels: str = "output_spikes",
) -> Predictions:
    """Predictions for simulations of one length, usually those of a file, all their windows together.

    Raises DataError where one is shorter than a window, or of another length.
    """
    if not recordings:
        raise DataError("there is no simulation to evaluate", where="evaluation", hint="name recordings with --data")
    steps = recordings[0].steps
    for recording in recordings:
        check_length(recording.steps, window, where=f"recording {recording.group}")
        if recording.steps != steps:
            raise DataError(
                f"simulations last {steps} and {recording.steps} ms",
                where=f"recording {recording.group}",
                hint="evaluate each length on its own",
            )
    shape = (len(recordings), steps)
    groups = tuple(recording.group for recording in recordings)
    predicted = Predictions(groups, np.zeros(shape, bool), *(np.zeros(shape, np.float64) for _ in range(3)))
    starts = window_starts(steps, window, burn_in)
    for part in _slices_at_once(recordings):
        places = [(n, start) for n in range(part.stop - part.start) for start in starts]
        windows = cut(recordings[part], places, window, labels=labels)
        probability, soma_mv = predict(windows)
        pieces = (windows.spike, np.asarray(probability), windows.soma_mv, np.asarray(soma_mv))
        for whole, piece in zip(predicted.arrays, pieces, strict=True):
            of_starts = piece.reshape(-1, len(starts), window)
            for k, start in enumerate(starts):
                first = 0 if k == 0 else burn_in
                covered = of_starts[:, k, first : steps - start]
                whole[part, start + first : start + first + covered.shape[1]] = covered
    return predicted


def rescaled(predicted: Predictions) -> Predictions:
    """Soma predictions rescaled to the mean and the standard deviation of their targets, over all simulations and steps.

    It uses statistics of the test targets, which a model cannot know; published scores are made so. A constant becomes the mean.
    """
    soma, target = predicted.soma_mv, predicted.target_mv
    sd = soma.std()
    z = (soma - soma.mean()) / sd if sd > 0 else np.zeros_like(soma)
    return replace(predicted, soma_mv=z * target.std() + target.mean())


def scored_part(predicted: Predictions, *, most_spikes: int = MOST_SPIKES, burn_in_ms: int = BURN_IN_MS) -> Predictions:
    """What is scored: simulations with at most `most_spikes` output spikes, without the first `burn_in_ms` steps."""
    few = predicted.spike.sum(axis=1) <= most_spikes
    groups = tuple(group for group, keep in zip(predicted.groups, few, strict=True) if keep)
    return Predictions(groups, *(values[few, burn_in_ms:] for values in predicted.arrays))


def joined(several: Sequence[Predictions]) -> Predictions:
    """The simulations of several files; they must have one length."""
    lengths = sorted({file.spike.shape[1] for file in several})
    if len(lengths) != 1:
        raise DataError(
            f"the files' simulations last {' and '.join(map(str, lengths))} steps",
            where="evaluation",
            hint="evaluate each length on its own",
        )
    arrays = (np.concatenate(kind) for kind in zip(*(file.arrays for file in several), strict=True))
    return Predictions(tuple(group for file in several for group in file.groups), *arrays)


def published_scores(files: Sequence[Predictions]) -> Scores:
    """Scores as published: each file rescaled by itself, then all of them together."""
    return plain_scores([rescaled(file) for file in files])


def plain_scores(files: Sequence[Predictions]) -> Scores:
    """Scores of the predictions as they are, on the same simulations and steps. Raises DataError where none is left."""
    everything = joined(files)
    scored = scored_part(everything)
    if scored.spike.size == 0:
        raise DataError(
            f"nothing is left to score: {len(everything.groups)} simulations of {everything.spike.shape[1]} ms, "
            f"{len(scored.groups)} with at most {MOST_SPIKES} output spikes, without the first {BURN_IN_MS} ms",
            where="evaluation",
            hint="bring longer simulations, or simulations with fewer output spikes",
        )
    return Scores(
        spike_scores(scored.spike, scored.probability),
        soma_scores(scored.target_mv, scored.soma_mv),
        len(scored.groups),
        len(everything.groups) - len(scored.groups),
    )


def soma_scores(target_mv: NDArray[Any], soma_mv: NDArray[Any]) -> SomaScores:
    """RMSE, MAE and explained variance (1 - variance of the error / variance of the target) over all steps."""
    error = np.asarray(soma_mv, np.float64) - target_mv
    variance = float(np.var(target_mv))
    return SomaScores(
        float(np.sqrt(np.mean(error**2))),
        float(np.mean(np.abs(error))),
        100 * (1 - float(np.var(error)) / variance) if variance > 0 else None,
    )


def _slices_at_once(recordings: Sequence[Recording]) -> list[slice]:
    """Simulations that are predicted together."""
    slices, first, events = [], 0, 0
    for n, recording in enumerate(recordings):
        size = 0 if recording.spikes is None else len(recording.spikes.step)
        if n > first and events + size > EVENTS_AT_ONCE:
            slices.append(slice(first, n))
            first, events = n, 0
        events += size
    return [*slices, slice(first, len(recordings))]
