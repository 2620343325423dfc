"""What choices may see of a session, what is kept for confirmation, and other files of the same session."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli.recordings.split import NEW_DATA
from neurocli_eirnn.data.dataset import confirmation
from neurocli_eirnn.evaluation.baselines import train_psth
from neurocli_eirnn.evaluation.ceiling import ceiling
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.evaluation.targets import targets
from neurocli_eirnn.simulation.example import small_session

TRIALS = 80


def without_truth(recordings: RecordingSet, rename=lambda name: name) -> RecordingSet:
    """The same trials as an export has them: nobody knows their rates."""
    trials = [dataclasses.replace(recordings[g], truth={}, group=rename(g)) for g in recordings]
    shared = {k: v for k, v in recordings.truth.items() if k in ("neuron_type", "time_ms")}
    return RecordingSet.of(trials, meta={"kind": "sc-session"}, truth=shared)


@pytest.fixture(scope="module")
def session() -> RecordingSet:
    return without_truth(small_session(0, trials=TRIALS))


def adapted(recordings: RecordingSet, model: str = "eirnn-v2", split: Split | None = None, **options):
    family = registry().family(model)
    config = family.Config()
    config.evaluate.rivals = "none"
    for name, value in options.items():
        setattr(config.data, name, value)
    return family, config, family.adapt(recordings, config, split)


def numbers(groups) -> list[int]:
    return [int(group[-4:]) for group in groups]


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_development_never_touches_the_trials_kept_for_confirmation(session, seed):
    _, _, data = adapted(session, split_seed=seed)
    used = [*data.split.train, *data.split.validation, *data.split.test]
    assert all(number % 4 != 3 for number in numbers(used))
    assert sorted(np.flatnonzero(data.used)) == sorted(numbers(used))
    assert data.held_back.sum() == TRIALS // 4
    ceiling_rows = data.session.rates[data.used]
    assert len(ceiling_rows) == len(used)


def test_confirmation_scores_exactly_the_trials_that_development_left(session):
    tested = set()
    for seed in (0, 42):
        _, _, data = adapted(session, part="confirmation", split_seed=seed)
        assert all(number % 4 == 3 for number in numbers(data.split.test))
        assert all(number % 4 != 3 for number in numbers([*data.split.train, *data.split.validation]))
        assert len(data.split.train) + len(data.split.validation) == TRIALS - TRIALS // 4
        tested.add(data.split.test)
    assert len(tested) == 1


def test_no_trial_chooses_the_epoch_unless_asked(session):
    """All of them are trained on; asked for, those that choose are of these, and the scored ones stay."""
    _, _, data = adapted(session)
    _, _, choosing = adapted(session, validation=0.1)
    assert not data.split.validation and data.steps("validation") == 0
    assert len(choosing.split.validation) == int(0.1 * len(data.split.train))
    assert {*choosing.split.train, *choosing.split.validation} == {*data.split.train}
    assert choosing.split.test == data.split.test


def test_the_cut_is_by_the_number_in_the_file_whatever_is_chosen():
    names = [f"trial-{n:04d}" for n in (3, 8, 11, 12)]
    assert confirmation(names).tolist() == [True, False, True, False]
    assert confirmation(["b:trial-0007", "a:trial-0007", "x4"]).tolist() == [True, True, False]


@pytest.mark.parametrize("part", ["development", "confirmation"])
def test_trials_without_a_number_are_not_cut_by_their_place(session, part):
    """In a filtered file the same trials have other places, so that trials kept once would be seen later."""
    named = without_truth(session, lambda name: f"t{name[-4:]}x" if name.endswith("5") else name)
    with pytest.raises(DataError, match="8 of 80 trials have no number") as caught:
        adapted(named, part=part)
    assert caught.value.where == "data.part" and "data.part=all" in caught.value.hint
    _, _, data = adapted(named, part="all")
    assert len(data.split.train) + len(data.split.validation) + len(data.split.test) == TRIALS
    _, _, again = adapted(named, split=data.split)
    assert again.split == data.split and not again.held_back.any()


def test_published_and_simulated_sessions_are_not_cut(session):
    _, _, data = adapted(session, "eirnn-v1")
    assert len(data.split.train) + len(data.split.validation) + len(data.split.test) == TRIALS
    _, _, known = adapted(small_session(0))
    assert known.used.all() and not known.held_back.any()


def test_notes_say_what_was_kept(session):
    family, config, data = adapted(session)
    _, _, again = adapted(session, split=data.split)
    for known in (data, again):
        assert any("20 trials are kept for confirmation" in line for line in family.notes(known, config))
    family, config, data = adapted(session, part="confirmation")
    assert any("kept for confirmation" in line for line in family.notes(data, config))
    assert "session" in data.scope()


def test_a_session_without_a_trial_for_confirmation_says_so(session):
    few = session.subset([group for group in session.groups if int(group[-4:]) % 4 != 3])
    with pytest.raises(DataError, match="confirmation"):
        adapted(few, part="confirmation")


def test_another_file_of_a_session_is_scored_by_the_same_rules(session):
    """Its trials beside the run's training trials: same PSTHs as references, a ceiling, bins by their number of trials."""
    _, config, data = adapted(session)
    other = without_truth(small_session(0, trials=2 * TRIALS))
    other = without_truth(other.subset(other.groups[TRIALS:]), lambda name: f"new:{name}")
    kept = [*data.split.train, *data.split.validation]
    both = RecordingSet.of(
        [*(session[g] for g in kept), *(other[g] for g in other)], meta=session.meta, truth=session.truth
    )
    split = Split(data.split.train, data.split.validation, tuple(other.groups), protocol=NEW_DATA)
    _, _, asked = adapted(both, split=split)
    assert asked.split.test == tuple(other.groups)
    target, own = targets(asked, config, "test")[0], targets(data, config, "test")[0]
    mine, theirs = (train_psth(d)(q).values[q.groups[0]] for d, q in ((asked, target), (data, own)))
    bins = min(len(mine), len(theirs))
    np.testing.assert_allclose(mine[:bins], theirs[:bins], rtol=1e-6)
    metric = PsthCorrelation(50.0, asked.bin_ms)
    limit = ceiling(asked)
    value, without = limit.value(target, metric, "all"), limit.left_out(target, metric, "all")
    assert 0 < value < 1 and without.shape == (TRIALS,)


def test_new_data_alone_have_the_eye_of_the_run_and_none_of_their_own_future(session):
    """Where the run's data are gone: z-scores of its training trials, as they are in its spec."""
    family, config, data = adapted(session)
    tested = session.subset(data.split.test)
    split = Split((), (), data.split.test, protocol=NEW_DATA)

    def alone(recordings: RecordingSet, spec: dict):
        network = family.adapt(recordings, config, split)
        network.adopt(spec, None)
        return network

    spec = json.loads(json.dumps(data.spec))
    asked = alone(tested, spec)
    rows = [data.row[group] for group in asked.split.test]
    bins = asked.inputs.shape[1]
    np.testing.assert_array_equal(asked.inputs[asked.rows(asked.split.test)], data.inputs[rows][:, :bins])
    assert not any("own units" in line for line in family.notes(asked, config))

    group = asked.split.test[0]
    inputs = np.array(tested[group].inputs)
    inputs[-5:, 7:9] += 3.0
    changed = dataclasses.replace(tested[group], inputs=inputs)
    other = RecordingSet.of(
        [changed if g == group else tested[g] for g in tested], meta=session.meta, truth=session.truth
    )
    for kept in (spec, {name: value for name, value in spec.items() if name != "eye"}):
        before, after = alone(tested, kept), alone(other, kept)
        until = len(inputs) - 5
        np.testing.assert_array_equal(after.inputs[:, :until], before.inputs[:, :until])
        assert not np.array_equal(after.inputs, before.inputs)
    assert any("own units" in line for line in family.notes(after, config))
    np.testing.assert_array_equal(after.inputs[after.row[group], : len(inputs), 7:9], inputs[:, 7:9])


def test_neurons_of_another_session_are_refused(session):
    group = session.groups[1]
    changed = dataclasses.replace(session[group], channels=[f"x{c}" for c in session[group].channels])
    mixed = RecordingSet.of(
        [changed if g == group else session[g] for g in session], meta=session.meta, truth=session.truth
    )
    with pytest.raises(DataError, match="neurons"):
        adapted(mixed)


@pytest.mark.parametrize("model", ["eirnn-v1", "eirnn-v2"])
def test_answers_depend_on_inputs_up_to_now_alone(session, model):
    """Spikes of a test trial change no answer; inputs after a bin change none at or before it."""
    family, config, data = adapted(session, model, trials="ordered")
    torch.manual_seed(0)
    network = family.build(config, data.spec).eval()
    group, at = data.split.test[0], 40
    before = network(torch.from_numpy(data.inputs[[data.row[group]]])).detach()
    trial = session[group]
    signal, inputs = np.array(trial.signal), np.array(trial.inputs)
    signal[np.isfinite(signal)] = 40.0
    inputs[at + 1 :] = 0.5
    for change in ({"signal": signal}, {"inputs": inputs}):
        changed = dataclasses.replace(trial, **change)
        other = RecordingSet.of(
            [changed if g == group else session[g] for g in session], meta=session.meta, truth=session.truth
        )
        again = family.adapt(other, config, data.split)
        assert again.spec == data.spec
        after = network(torch.from_numpy(again.inputs[[again.row[group]]])).detach()
        until = at + 1 if "inputs" in change else before.shape[1]
        assert torch.equal(after[:, :until], before[:, :until])
