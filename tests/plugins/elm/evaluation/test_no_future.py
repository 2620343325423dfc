"""Nothing that comes after a step moves a prediction at it, by a single bit: from recordings through fits to predictions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli_elm.simulation.example import small_cells

STEPS, CUT = 1800, 1200


@pytest.fixture(scope="module")
def cells():
    return small_cells(0, simulations=5, duration_ms=STEPS)


def changed_after(cells, group, step):
    """The set with a recording of which everything after a step is another: denser input, other voltages and output spikes."""
    random = np.random.default_rng(1)
    recording = cells[group]
    keep = recording.spikes.step <= step
    count = 40 * (STEPS - step)
    later = np.sort(random.integers(step + 1, STEPS, count)).astype(recording.spikes.step.dtype)
    channels = random.integers(0, recording.labels["num_inputs"], count).astype(recording.spikes.channel.dtype)
    spikes = dataclasses.replace(
        recording.spikes,
        step=np.concatenate([recording.spikes.step[keep], later]),
        channel=np.concatenate([recording.spikes.channel[keep], channels]),
    )
    signal = recording.signal.copy()
    signal[step + 1 :] = -40 + 10 * random.random((STEPS - step - 1, 1))
    events = dict(recording.events)
    output_steps = events["output_spikes"]
    events["output_spikes"] = np.concatenate(
        [output_steps[output_steps <= step], np.arange(step + 1, STEPS, 3, dtype=output_steps.dtype)]
    )
    other = dataclasses.replace(recording, signal=signal, spikes=spikes, events=events)
    return RecordingSet.of(
        [other if g == group else cells[g] for g in cells.groups], meta=cells.meta, truth=cells.truth
    )


def predictions(cells, version, compiled, train, references):
    family = registry().family(f"elm-v{version}")
    config = family.Config()
    config.model.num_memory, config.model.num_branch, config.model.compiled = 5, 8, compiled
    config.train.max_steps, config.data.window, config.data.burn_in_ms = 3, 200, 100
    names = cells.groups
    data = family.adapt(cells, config, Split(tuple(names[:train]), (), tuple(names[train:]), "given"))
    target = family.targets(data, config)[0]
    trained = TrainedModel(family.untrained(config, data.spec, 0), config, data, 0, [])
    by_name = {"model": family.predict(trained, target)}
    if references:
        by_name |= {p.name: p.predict(target) for p in family.baselines(data, config)}
    return target, by_name


CASES = [
    pytest.param(1, "on", 3, False, id="v1 compiled"),
    pytest.param(1, "off", 3, False, id="v1 torch"),
    pytest.param(2, "on", 3, True, id="v2 compiled, baselines"),
    pytest.param(2, "off", 3, False, id="v2 torch"),
    pytest.param(2, "on", 0, True, id="baselines left out in turn", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("version", "compiled", "train", "references"), CASES)
def test_answers_keep_their_bits_whatever_comes_later(cells, version, compiled, train, references):
    group = cells.groups[-1]
    changed = changed_after(cells, group, CUT)
    both = (predictions(recordings, version, compiled, train, references) for recordings in (cells, changed))
    (target, before), (_, after) = both
    origins = target.origins[group]
    assert origins[0] == 100 and origins[-1] == STEPS - 1, "steps of the recording as it was given"
    seen = origins <= CUT
    assert len(before) == (1 if not references else 7 if train else 4)
    for name, prediction in before.items():
        unchanged, later = prediction.values[group], after[name].values[group]
        np.testing.assert_array_equal(unchanged[seen], later[seen], err_msg=name)
        if name != "spike rate, mean voltage":
            assert not np.array_equal(unchanged[~seen], later[~seen]), f"{name} does not listen to its input"
