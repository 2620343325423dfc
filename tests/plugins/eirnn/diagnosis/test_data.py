"""Each fault is planted in a clean session, and is found under its name and under no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from neurocli.diagnosis import FAIL, PASS, WARN
from neurocli.diagnosis.words import listed
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.data.session import FIXATION, GO, LOCATIONS, REWARD, Session, select
from neurocli_eirnn.data.trials import event_bins
from neurocli_eirnn.diagnosis.data import data_findings
from neurocli_eirnn.diagnosis.inputs import input_findings
from neurocli_eirnn.diagnosis.wording import of_trials
from neurocli_eirnn.simulation.example import small_session

SEVERITY = (PASS, WARN, FAIL)
EYE_X = 7
BUSY = 2
"""A neuron with many spikes."""


@pytest.fixture(scope="module")
def clean() -> Session:
    """144 trials, six of each condition; neurons in the order excitatory, inhibitory."""
    session = Session.of(small_session(0, trials=144))
    order = np.argsort(session.neuron_type, kind="stable")
    return dataclasses.replace(
        session,
        rates=session.rates[..., order],
        true_rates=None,
        neuron_type=session.neuron_type[order],
        truth={},
    )


def verdicts(session: Session) -> dict[str, str]:
    """The gravest verdict of each check of the data; those of the untrained model are not the data's."""
    found: dict[str, str] = {}
    for finding in data_findings(session.recordings(), V2Config()):
        if finding.subject != "untrained model":
            found[finding.check] = max(found.get(finding.check, PASS), finding.verdict, key=SEVERITY.index)
    return found


@pytest.fixture(scope="module")
def before(clean) -> dict[str, str]:
    return verdicts(clean)


def test_a_clean_session_has_only_warnings_that_are_true(before):
    """Trials are padded, as in every export; the busiest neurons would lose spikes to a clip."""
    assert {check for check, verdict in before.items() if verdict != PASS} == {"clip-loss"}
    assert before["finite-rates"] == PASS


def test_the_simulated_session_has_only_warnings_that_are_true(simulated):
    """Trials are padded and types interleaved, as in an export; the busiest neurons would lose spikes to a clip."""
    findings = data_findings(simulated, V2Config())
    assert {f.check for f in findings if f.verdict == FAIL} == set()
    assert {f.check for f in findings if f.verdict == WARN} == {"clip-loss", "types-interleaved"}
    advice = {f.check: f.advice for f in findings}
    assert advice["types-interleaved"].startswith("nothing to do: this model places neurons on units by type")
    assert advice["clip-loss"].startswith("nothing to do: this model does not clip rates")
    some = simulated.subset(simulated.groups[:60])
    published = {f.check: f for f in data_findings(some, V1Config())}["types-interleaved"]
    assert published.verdict == WARN and "model.map_by_type=true" in published.advice


def test_a_neuron_without_psth_is_named(clean):
    session = select(clean, np.arange(clean.trials))
    rates = session.rates[..., 5]
    rates[np.isfinite(rates)] = np.random.default_rng(0).poisson(0.2, int(np.isfinite(rates).sum())) * 40
    (found,) = [f for f in data_findings(session.recordings(), V2Config()) if f.check == "psth-reliability"]
    assert found.verdict == WARN
    assert found.value.startswith(f"no PSTH signal in neuron id {session.neuron_ids[5]}: ")


# -- faults: each changes a session in place ----------------------------------------------------------------------------


def go_before_target(session: Session) -> None:
    target = event_bins(session, "target")
    for trial in range(15):
        session.inputs[trial, target[trial] - 4 :, GO] = 1


def interleaved(session: Session) -> None:
    session.neuron_type[[0, -1]] = session.neuron_type[[-1, 0]]


def silent(session: Session) -> None:
    session.rates[..., 3] = np.where(np.isfinite(session.rates[..., 3]), 0, np.nan)


def nan_inside(session: Session) -> None:
    session.rates[7, 30, 2] = np.nan


def hole(session: Session) -> None:
    session.rates[7, 30:33] = np.nan


def infinite(session: Session) -> None:
    session.rates[7, 30, 2] = np.inf


def cut(session: Session) -> None:
    session.rates[7, event_bins(session, "reward")[7] :] = np.nan


def begins_late(session: Session) -> None:
    session.rates[7, :4] = np.nan


def constant(session: Session) -> None:
    session.inputs[..., EYE_X] = 0.5


def twice(session: Session) -> None:
    session.rates[9], session.inputs[9], session.duration_ms[9] = (
        session.rates[4],
        session.inputs[4],
        session.duration_ms[4],
    )
    for label in session.labels.values():
        label[9] = label[4]


def drift(session: Session) -> None:
    counts = np.nan_to_num(session.rates[:72, :, BUSY] / 40).astype(int)
    thinned = np.random.default_rng(0).binomial(counts, 0.25) * 40.0
    session.rates[:72, :, BUSY] = np.where(np.isfinite(session.rates[:72, :, BUSY]), thinned, np.nan)


def smoothed(session: Session) -> None:
    session.rates[..., BUSY] *= 0.97


def other_label(session: Session) -> None:
    session.labels["location"][5] = session.labels["location"][5] % 4 + 1


def other_salience(session: Session) -> None:
    trial = int(np.flatnonzero(session.labels["salience"] == 1)[0])
    session.labels["salience"][trial] = 2


def two_locations(session: Session) -> None:
    session.inputs[5, 60:, LOCATIONS] = 1


def no_fixation(session: Session) -> None:
    session.inputs[:15, :, FIXATION] = 0


def reward_at_fixation(session: Session) -> None:
    for trial in range(10):
        session.duration_ms[trial] = 10.0
        session.inputs[trial, :, REWARD] = 0
        session.inputs[trial, 8:16, REWARD] = 1


def others_durations(session: Session) -> None:
    session.duration_ms[:] = np.roll(session.duration_ms, 1)


def negative(session: Session) -> None:
    session.rates[3, 20, 1] = -40


def nan_input(session: Session) -> None:
    session.inputs[3, 20, EYE_X] = np.nan


def artefact(session: Session) -> None:
    session.rates[3, 20, 4] = 40 * 40.0


def rare_condition(session: Session) -> None:
    """Trials of one condition become trials of another, inputs and labels alike."""
    where = np.flatnonzero(
        (session.labels["location"] == 1) & (session.labels["reward"] == 0) & (session.labels["salience"] == 0)
    )
    session.labels["reward"][where[:3]] = 1


UNUSABLE = {"finite-rates": FAIL, "usable": FAIL, "noise-ceiling": None}
"""No model can be fitted to trials with holes, so nothing can be said of what it could reach."""
FAULTS: list[tuple[Callable[[Session], None], dict[str, str | None]]] = [
    (go_before_target, {"event-order": FAIL}),
    (interleaved, {"types-interleaved": WARN}),
    (silent, {"neuron-rate": FAIL}),
    (nan_inside, UNUSABLE),
    (hole, UNUSABLE),
    (infinite, UNUSABLE),
    (cut, {"window-coverage": FAIL}),
    (begins_late, {"window-coverage": FAIL, "usable": FAIL, "noise-ceiling": None}),
    (constant, {"constant-channels": WARN}),
    (twice, {"duplicate-trials": WARN}),
    (drift, {"rate-drift": WARN}),
    (smoothed, {"rates-are-counts": WARN}),
    (other_label, {"label-vs-input": FAIL}),
    (other_salience, {"label-vs-input": FAIL}),
    (two_locations, {"one-hot": FAIL}),
    # A trial without fixation signal is no ordered one.
    (no_fixation, {"missing-fixation": FAIL, "event-order": FAIL}),
    (reward_at_fixation, {"trial-duration": FAIL, "event-order": FAIL}),
    # The end of a trial's window is known by its duration alone.
    (others_durations, {"duration-vs-reward": FAIL, "window-coverage": FAIL}),
    (negative, {"negative-rates": FAIL}),
    (nan_input, {"finite-inputs": FAIL}),
    (artefact, {"isolated-bins": WARN}),
    (rare_condition, {"trials-per-condition": WARN}),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_found_and_nothing_else(fault, expected, clean, before):
    session = select(clean, np.arange(clean.trials))  # copies what depends on the trial
    session.neuron_type = clean.neuron_type.copy()
    fault(session)
    after = verdicts(session)
    changed = {check: after.get(check) for check in before | after if before.get(check) != after.get(check)}
    assert changed == expected


# -- single checks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "verdict"), [(0, PASS), (1, PASS), (2, WARN), (5, WARN), (6, FAIL)])
def test_shares_are_judged_by_one_and_five_percent(bad, verdict):
    found = of_trials("x", "trials", bad, 100, kinds="so", advice="do")
    assert found.verdict == verdict
    assert bool(found.advice) == (verdict != PASS)


def test_lists_stay_short():
    assert listed([]) == ""
    assert listed("abcdefghij", "units") == "units a, b, c, d, e, f, g, h +2 more"


def test_all_channels_constant_is_a_failure(clean):
    session = select(clean, np.arange(20))
    session.inputs[:] = 0
    (found,) = [f for f in input_findings(session) if f.check == "constant-channels"]
    assert (found.verdict, found.value) == (FAIL, "all")


def test_nan_in_padding_is_a_warning_and_in_a_trial_a_failure(clean):
    session = select(clean, np.arange(20))
    session.inputs[0, -1, EYE_X] = np.nan
    assert not np.isfinite(session.rates[0, -1]).any()
    assert input_findings(session)[0].verdict == WARN


def test_a_type_that_is_neither_is_a_failure_and_ends_the_diagnosis(clean):
    (found,) = data_findings(dataclasses.replace(clean, neuron_type=clean.neuron_type + 1).recordings(), V2Config())
    assert (found.check, found.verdict) == ("readable", FAIL)


def test_what_is_no_session_is_a_failure(clean):
    recordings = clean.recordings()
    with pytest.raises(DataError):
        Session.of(RecordingSet.of([recordings[g] for g in recordings.groups[:3]]))
    (found,) = data_findings(RecordingSet.of([recordings[g] for g in recordings.groups[:3]]), V2Config())
    assert (found.check, found.verdict) == ("readable", FAIL)


def test_a_slow_neuron_is_a_warning(clean):
    session = select(clean, np.arange(clean.trials))
    slow = session.rates[..., 3]
    slow[np.isfinite(slow)] = 0
    slow[::6, 30] = 40
    slow[3::12, 60] = 40
    (found,) = [f for f in data_findings(session.recordings(), V2Config()) if f.check == "neuron-rate"]
    assert found.verdict == WARN
    assert found.value == f"neuron id {session.neuron_ids[3]}: {np.nanmean(slow):.2f}"


def test_a_recipe_that_clips_is_judged_by_what_it_clips(clean):
    findings = {f.check: f for f in data_findings(clean.recordings(), V1Config())}
    loud = clean.rates.astype(np.float64)
    limit = np.nanpercentile(loud, 99.5)
    lost = (1 - np.nansum(np.minimum(loud, limit), axis=(0, 1)) / np.nansum(loud, axis=(0, 1))).max()
    assert findings["clip-loss"].verdict == (FAIL if lost > 0.05 else WARN)
    assert "loss.clip_percentile" in findings["clip-loss"].advice


def test_the_published_model_is_seen_to_put_interneurons_on_excitatory_units(clean):
    findings = {f.check: f for f in data_findings(clean.recordings(), V1Config())}
    assert (findings["unit-map"].verdict, findings["unit-map"].subject) == (FAIL, "untrained model")
    ours = {f.check: f for f in data_findings(clean.recordings(), V2Config())}
    assert ours["unit-map"].verdict == PASS


def test_the_callers_random_numbers_stay_as_they_were(clean):
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first = data_findings(clean.recordings(), V2Config())
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert [f.value for f in data_findings(clean.recordings(), V2Config())] == [f.value for f in first]


def test_findings_are_numbers_or_short_text(clean):
    for found in data_findings(clean.recordings(), V2Config()):
        assert isinstance(found.value, float) or (isinstance(found.value, str) and len(found.value) < 160)
        assert bool(found.advice) == (found.verdict != PASS)
