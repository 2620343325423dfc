"""What in a session contradicts itself though each number alone could be: the order of events, neurons twice or lost, signs of no data."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Note
from neurocli_eirnn.data.padding import expected_ends
from neurocli_eirnn.data.session import FIXATION, GO, INHIBITORY, INPUT_NAMES, LOCATIONS, Session
from neurocli_eirnn.data.signals import EYE
from neurocli_eirnn.data.trials import event_bins

_BULLSEYE = 3
_MOST, _EVIDENCE, _FEWEST_BINS = 0.9, 50.0, 3
_SHARE = 0.05
_MOST_SHOWN = 5
_FEWEST_NEURONS = 5
_FEWEST_SPIKES = 20
_LONGEST_PULSE_MS = 60.0
_LOST_SHARE, _FEWEST_LOST, _EXPECTED = 0.1, 5, 100.0
_FAR = 20.0
"""How many spans of nine tenths of the values a value lies away that is no eye position."""


def contradictions(session: Session, where: str) -> list[Note]:
    """The doubts; of a session whose padding is NaN already."""
    found = [
        _order(session, where),
        _pulses(session, where),
        _salience(session, where),
        _front(session, where),
        _zero_durations(session, where),
        _twins(session, where),
        _lost(session, where),
        _types(session, where),
        *_eyes(session, where),
    ]
    return [note for note in found if note is not None]


def _order(session: Session, where: str) -> Note | None:
    """Events whose signals come the other way round in most trials; by more than a bin, since rounding may do that."""
    bins = {event: event_bins(session, event) for event in ("fixation", "target", "go", "reward")}
    for earlier, later in (("fixation", "target"), ("target", "go"), ("go", "reward")):
        both = (bins[earlier] >= 0) & (bins[later] >= 0)
        wrong = both & (bins[earlier] > bins[later] + 1)
        if both.any() and wrong.sum() > both.sum() / 2:
            found = f"{later} comes before {earlier} in {int(wrong.sum())} of {int(both.sum())} trials"
            return Note(
                "event-order", where, found, "is one taken for the other? a trial is fixation, target, go, reward"
            )
    return None


def _pulses(session: Session, where: str) -> Note | None:
    """Signals that stay on from an event on, and are there for a moment only."""
    valid = np.isfinite(session.rates).any(axis=2)
    short = []
    for name, channels in (
        ("fixation_on", [FIXATION]),
        ("target_loc", range(*LOCATIONS.indices(99))),
        ("go_signal", [GO]),
    ):
        on = (session.inputs[:, :, channels] > 0.5).any(axis=2) & valid
        lengths = on.sum(axis=1)
        lengths = lengths[lengths > 0]
        if len(lengths) and np.median(lengths) * session.bin_ms < _LONGEST_PULSE_MS:
            short.append(f"input_{name} for {np.median(lengths):g} bins")
    if not short:
        return None
    return Note(
        "task-inputs",
        f"{where}:input_*",
        f"signals that last are on for a moment: {', '.join(short)}, in the median of trials",
        "are these pulses at the onset? export 1 for as long as the point, the target or the permission to go is there",
    )


def _salience(session: Session, where: str) -> Note | None:
    """Salience is of bullseyes, and of all of them."""
    identity, salience = session.labels.get("identity"), session.labels.get("salience")
    if identity is None or salience is None or not (salience > 0).any():
        return None
    wrong = (identity > 0) & ((identity == _BULLSEYE) != (salience > 0))
    if wrong.mean() <= _SHARE:
        return None
    found = f"in {int(wrong.sum())} of {session.trials} trials a bullseye has no salience, or another target has one"
    return Note(
        "labels", f"{where}:trial_salience", found, "salience is 1 high or 2 low for a bullseye, and 0 for none"
    )


def _front(session: Session, where: str) -> Note | None:
    """Trials that are as short as their durations say, and whose silent bins come first: filled up in front."""
    spiking = (np.nan_to_num(session.rates) != 0).any(axis=2)
    silent = ~spiking & np.isfinite(session.rates).any(axis=2)
    begins = spiking.argmax(axis=1)
    missing = session.bins - expected_ends(session)
    short = np.isfinite(missing) & (missing >= _FEWEST_BINS) & spiking.any(axis=1)
    after = np.arange(session.bins) > begins[:, None]
    usual = max(float((silent & after).sum()), 1.0) / max(int(after.sum()), 1)
    # How improbable so much silence at the beginning is, by that within trials.
    evidence = -float(missing[short].sum()) * np.log(min(usual, 0.999))
    if short.sum() < _FEWEST_LOST or (begins >= missing)[short].mean() < _MOST or evidence < _EVIDENCE:
        return None
    # Neurons that begin to fire with an event do so at one time, whatever the length of the trial.
    if np.ptp(missing[short]) <= 2 or np.ptp((begins - missing)[short]) > np.ptp(missing[short]) / 2:
        return None
    found = f"{int(short.sum())} of {session.trials} trials begin with {np.median(begins[short]):g} bins (median) without a spike of any neuron"
    advice = "is this padding? trials begin together, and padding comes after their end, as NaN"
    return Note("trial-ends", f"{where}:firing_rates", found, advice)


def _zero_durations(session: Session, where: str) -> Note | None:
    """Durations that stand for none; from a share of trials on they are told of as such."""
    none = np.isfinite(session.duration_ms) & (session.duration_ms <= 0)
    if not none.any():
        return None
    found = f"{int(none.sum())} of {session.trials} durations are 0 or less, first trial {int(none.argmax())}"
    return Note("no-duration", f"{where}:trial_duration_ms", found, "write NaN where the duration is not known")


def _twins(session: Session, where: str) -> Note | None:
    """Neurons with the same rates in all bins of all trials: one neuron under two ids."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for neuron in range(session.neurons):
        rates = np.nan_to_num(session.rates[:, :, neuron])
        if np.count_nonzero(rates) >= _FEWEST_SPIKES:
            groups[rates.tobytes()].append(neuron)
    twins = [[session.neuron_ids[k] for k in same] for same in groups.values() if len(same) > 1]
    if not twins:
        return None
    shown = "; ".join(" and ".join(ids[:3]) for ids in twins[:_MOST_SHOWN]) + (
        "; ..." if len(twins) > _MOST_SHOWN else ""
    )
    found = f"neurons have the same rates in every bin: {shown}"
    return Note("same-neurons", f"{where}:firing_rates", found, "keep one of each: they count twice in every score")


def _lost(session: Session, where: str) -> Note | None:
    """Neurons without a spike in the first or last trials, where they would have many: not recorded, and filled with zeros."""
    valid = np.isfinite(session.rates)
    spikes = np.where(valid, session.rates, 0).sum(axis=1, dtype=np.float64) * session.bin_ms / 1000
    seconds = valid.sum(axis=1) * session.bin_ms / 1000
    lost = []
    for neuron in range(session.neurons):
        active = np.flatnonzero(spikes[:, neuron] > 0)
        if not len(active):
            continue
        first, last = int(active[0]), int(active[-1]) + 1
        rate = spikes[first:last, neuron].sum() / seconds[first:last, neuron].sum()
        outside = np.r_[0:first, last : session.trials]
        outside = outside[seconds[outside, neuron] > 0]
        few = len(outside) < max(_FEWEST_LOST, _LOST_SHARE * session.trials)
        if not few and rate * seconds[outside, neuron].sum() > _EXPECTED:
            lost.append(f"{session.neuron_ids[neuron]} in {len(outside)}")
    if not lost:
        return None
    shown = ", ".join(lost[:_MOST_SHOWN]) + (", ..." if len(lost) > _MOST_SHOWN else "")
    found = f"{len(lost)} of {session.neurons} neurons have no spike in the first or last trials, where many would be expected: {shown} trials"
    return Note(
        "lost-neurons",
        f"{where}:firing_rates",
        found,
        "were they recorded there? write NaN where not, or leave them out",
    )


def _types(session: Session, where: str) -> Note | None:
    """More inhibitory neurons than excitatory ones: the codes may be the other way round."""
    count = int((session.neuron_type == INHIBITORY).sum())
    if session.neurons < _FEWEST_NEURONS or 2 * count <= session.neurons:
        return None
    found = f"{count} of {session.neurons} neurons are inhibitory"
    return Note(
        "neuron-types",
        where,
        found,
        "is 1 excitatory and 2 inhibitory in this file? interneurons are the fewer nearly everywhere",
    )


def _eyes(session: Session, where: str) -> list[Note]:
    """Eye positions that are none: a tracker writes a number of its own where it has lost the eye."""
    valid = np.isfinite(session.rates).any(axis=2)
    notes = []
    for channel in range(*EYE.indices(len(INPUT_NAMES))):
        values = session.inputs[:, :, channel][valid & np.isfinite(session.inputs[:, :, channel])].astype(np.float64)
        if len(values) < 100:
            continue
        odd = _no_positions(values)
        if not odd.any():
            continue
        found = f"{odd.mean():.2%} of the values are as far as {_farthest(values, odd):g}, where the others are about {np.median(values[~odd]):.3g}"
        advice = "is the eye lost there, in a blink? interpolate: the values are made z-scores, which such ones spoil"
        notes.append(Note("eye", f"{where}:input_{INPUT_NAMES[channel]}", found, advice))
    return notes


def _no_positions(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Values far from all others, or one that is repeated exactly at a distance from all others."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    odd: NDArray[np.bool_] = (
        np.abs(values - middle) > _FAR * (high - low) if high > low else np.zeros(len(values), bool)
    )
    for edge, others in ((values.min(), values[values > values.min()]), (values.max(), values[values < values.max()])):
        if len(others) < len(values) / 2 or (values == edge).sum() < 3:
            continue
        gap = min(abs(edge - others.min()), abs(edge - others.max()))
        if gap > np.ptp(others) / 2:
            odd |= values == edge
    return odd


def _farthest(values: NDArray[np.float64], odd: NDArray[np.bool_]) -> float:
    return float(values[odd][np.argmax(np.abs(values[odd] - np.median(values)))])
