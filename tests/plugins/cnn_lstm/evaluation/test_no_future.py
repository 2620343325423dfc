"""Nothing after a forecast's origin changes it by a single bit: models, baselines and the oracle, from the recording on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurocli.config import resolve
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet, Spikes
from neurocli_cnn_lstm.simulation.example import small_network

CUT = 1213
"""First sample of the test run that is changed; origins lie on both sides of it."""
SETS = (
    "data.test=0.3",
    "data.validation=0.3",
    "data.burn_in_ms=300",
    "evaluate.horizons_ms=[1, 2, 5]",
    "evaluate.probe_stride=7",
    "evaluate.oracle_branches=4",
    "evaluate.probe_branches=4",
    "evaluate.rollout_samples=3",
)


@pytest.fixture(scope="module")
def recordings() -> RecordingSet:
    return small_network(0, runs=3, duration_ms=1600.0, neurons=20)


def other_future(recording: Recording) -> Recording:
    """Another run from sample CUT on: voltages, clamps and spikes of 0.1 ms."""
    signal, rng = recording.signal.copy(), np.random.default_rng(0)
    signal[CUT:] = rng.normal(-58, 9, signal[CUT:].shape)
    signal[CUT:][rng.random(signal[CUT:].shape) < 0.1] = -70
    spikes = recording.spikes
    assert spikes is not None
    past = spikes.step < CUT * 10
    new = np.sort(rng.integers(CUT * 10, 15_999, 4000))
    return replace(
        recording,
        signal=signal,
        spikes=Spikes(
            np.concatenate([spikes.step[past], new]).astype(spikes.step.dtype),
            np.concatenate([spikes.channel[past], rng.integers(0, 20, len(new))]).astype(spikes.channel.dtype),
            spikes.dt_ms,
        ),
    )


def predictions(
    model: str, recordings: RecordingSet, *more: str
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """(predictor, target) → (origins, values) of the one test run, from random weights."""
    family = registry().family(model)
    config = resolve(family.Config, sets=(*SETS, *more)).config
    data = family.adapt(recordings, config)
    torch.manual_seed(0)
    network = family.build(config, data.spec).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    trained = TrainedModel(network, config, data, 0, [])
    asked: dict[str, Callable] = {"model": lambda target: family.predict(trained, target)}
    asked |= {p.name: p.predict for p in (*family.baselines(data, config), family.ceiling(data, config))}
    found = {}
    for target in family.targets(data, config):
        [group] = target.groups
        for name, predict in asked.items():
            found[name, target.name] = target.origins[group], predict(target).values[group]
    return found


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("cnn-lstm-v1", ("model.lstm_hidden=8",)),
        ("cnn-lstm-v2", ()),
        ("cnn-lstm-v2", ("data.reset_flag=off",)),
        ("cnn-lstm-v2", ("model.synapses=senders", "data.noise_mv=0.2")),
    ],
)
def test_no_forecast_knows_what_comes_after_its_origin(
    recordings: RecordingSet, model: str, more: tuple[str, ...]
) -> None:
    family = registry().family(model)
    [tested] = family.adapt(recordings, resolve(family.Config, sets=SETS).config).split.test
    changed = {g: other_future(recordings[g]) if g == tested else recordings[g] for g in recordings}
    altered = RecordingSet.of(list(changed.values()), meta=recordings.meta, truth=recordings.truth)
    before, after = predictions(model, recordings, *more), predictions(model, altered, *more)
    expected = {"model", "persistence", "AR(20) ridge", "VAR(10) ridge", "table", "full-state oracle"}
    expected |= set() if "data.reset_flag=off" in more else {"trees on drives", "MLP on drives"}
    assert {name for name, _ in before} - {"table + clamp flags"} == expected
    for key, (origins, values) in before.items():
        early = origins < CUT
        np.testing.assert_array_equal(after[key][0], origins)
        assert early.sum() > 20 and (~early).sum() > 20
        np.testing.assert_array_equal(values[early], after[key][1][early], err_msg=str(key))
        # Just as strictly: a forecast from the first changed sample does know of it.
        assert not np.array_equal(values[~early][:3], after[key][1][~early][:3]), key


def test_origins_index_the_recording_as_it_was_given(recordings: RecordingSet) -> None:
    for model in ("cnn-lstm-v1", "cnn-lstm-v2"):
        family = registry().family(model)
        config = resolve(family.Config, sets=SETS).config
        data = family.adapt(recordings, config)
        for target in family.targets(data, config):
            for group, origins in target.origins.items():
                due = recordings[group].signal[origins + target.horizon_steps]
                np.testing.assert_array_equal(target.values[group], due.astype(np.float32))


def test_the_published_protocols_origins_do_too(recordings: RecordingSet) -> None:
    family = registry().family("cnn-lstm-v1")
    config = resolve(family.Config, sets=(*SETS, "data.split=published")).config
    [target] = family.targets(family.adapt(recordings, config), config)
    for group, origins in target.origins.items():
        np.testing.assert_array_equal(target.values[group], recordings[group].signal[origins + 1].astype(np.float32))
