"""Training windows: which are drawn, and what they hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings import Recording, Spikes
from neurocli_elm.data.evenly import evenly
from neurocli_elm.data.windows import Sampling, cut, draw, soma_target_mv, spike_target

INPUTS, EXCITATORY = 10, 6


def simulation(seed: int, steps: int = 1200, **changes: Any) -> Recording:
    rng = np.random.default_rng(seed)
    key = np.sort(rng.choice(steps * INPUTS, steps // 2, replace=False))
    spikes = Spikes((key // INPUTS).astype(np.int32), (key % INPUTS).astype(np.int32), 1.0)
    given: dict[str, Any] = {
        "group": f"s{seed}",
        "signal": rng.normal(-65, 8, (steps, 1)).astype(np.float32),
        "dt_ms": 1.0,
        "unit": "mV",
        "spikes": spikes,
        "events": {"output_spikes": rng.choice(steps, 9).astype(np.int32)},
        "labels": {"num_inputs": INPUTS, "num_excitatory": EXCITATORY},
    }
    return Recording(**{**given, **changes})


def dense_input(recording: Recording) -> np.ndarray:
    """[time, channel], step by step."""
    out = np.zeros((recording.steps, INPUTS))
    assert recording.spikes is not None
    for step, channel in zip(recording.spikes.step, recording.spikes.channel, strict=True):
        out[step, channel] = 1 if channel < EXCITATORY else -1
    return out


def test_windows_hold_what_a_plain_loop_cuts_out():
    recordings = [simulation(0), simulation(1, 1500)]
    places = [(0, 0), (1, 500), (0, 700), (1, 1000), (0, 3)]
    actual = cut(recordings, places, 500)
    assert (actual.num_samples, actual.num_steps, actual.num_channels) == (5, 500, INPUTS)
    assert actual.dense().dtype == actual.spike.dtype == actual.soma.dtype == np.float32
    for sample, (n, start) in enumerate(places):
        recording = recordings[n]
        np.testing.assert_array_equal(actual.dense()[sample], dense_input(recording)[start : start + 500])
        spikes = np.isin(np.arange(start, start + 500), recording.events["output_spikes"])
        np.testing.assert_array_equal(actual.spike[sample], spikes)
        soma = (np.minimum(recording.signal[start : start + 500, 0].astype(float), -55.0) + 67.7) / 10
        np.testing.assert_allclose(actual.soma[sample], soma, atol=1e-6)


def test_events_in_any_order_count_once():
    recording = simulation(0)
    assert recording.spikes is not None
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(recording.spikes.step)), 2))
    reordered = simulation(0, spikes=Spikes(recording.spikes.step[order], recording.spikes.channel[order], 1.0))
    a, b = (cut([simulated], [(0, 100), (0, 600)], 500) for simulated in (recording, reordered))
    for name in ("step", "channel", "sign", "sample"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_what_lies_behind_the_end_is_silent():
    recording = simulation(0)
    actual = cut([recording], [(0, 1000)], 500)
    np.testing.assert_array_equal(actual.dense()[0, :200], dense_input(recording)[1000:])
    assert not actual.dense()[0, 200:].any() and not actual.spike[0, 200:].any() and not actual.soma[0, 200:].any()


def test_the_neuron_takes_the_events():
    actual = cut([simulation(0), simulation(1)], [(0, 10), (1, 600)], 300)
    events = actual.input_events()
    np.testing.assert_array_equal(events.dense(INPUTS).numpy().swapaxes(0, 1), actual.dense())


def test_an_epoch_draws_every_simulation_equally_often_and_never_the_start():
    sampling = Sampling(batch=8, per_simulation=6)
    lengths = [6000, 3000, 1000, 1001] * 5
    batches = list(sampling.places(lengths, seed=3, epoch=1))
    assert len(batches) == sampling.steps(len(lengths)) == 15 and all(len(batch) == 8 for batch in batches)
    drawn = [place for batch in batches for place in batch]
    assert Counter(n for n, _ in drawn) == dict.fromkeys(range(20), 6)
    for n, start in drawn:
        assert 500 <= start <= max(lengths[n] - 501, 500)
    firsts = [n for n, _ in drawn[:20]]
    assert sorted(firsts) == list(range(20)) and firsts != list(range(20))


def test_starts_are_uniform_over_the_published_range():
    sampling = Sampling(per_simulation=20_000)
    starts = np.array([place[1] for batch in sampling.places([1020], seed=0, epoch=0) for place in batch])
    counts = np.bincount(starts - 500, minlength=20)
    assert len(counts) == 20 and (np.abs(counts - 1000) < 5 * np.sqrt(1000)).all()


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    def places(seed: int, epoch: int) -> list[Any]:
        return list(Sampling().places([6000] * 10, seed=seed, epoch=epoch))

    assert places(0, 1) == places(0, 1)
    assert places(0, 1) != places(0, 2) and places(0, 1) != places(1, 1) and places(1, 0) != places(0, 1)


def test_a_pool_keeps_few_simulations_in_memory():
    loaded: list[int] = []
    recordings = [simulation(k) for k in range(12)]

    def load(n: int) -> Recording:
        loaded.append(n)
        return recordings[n]

    sampling = Sampling(batch=2, per_simulation=5, pool=3)
    batches = list(draw(load, [1200] * 12, sampling, seed=0, epoch=0))
    assert len(batches) == 30 and sorted(loaded) == list(range(12))
    for batch, places in zip(batches, sampling.places([1200] * 12, seed=0, epoch=0), strict=True):
        np.testing.assert_array_equal(batch.dense(), cut(recordings, places).dense())
        np.testing.assert_array_equal(batch.soma_mv, cut(recordings, places).soma_mv)


def test_targets_are_those_of_the_labels_asked_for():
    recording = simulation(0)
    recording.events["output_spikes_redetected"] = np.array([5, 7], np.int32)
    assert np.flatnonzero(spike_target(recording, "output_spikes_redetected")).tolist() == [5, 7]
    assert cut([recording], [(0, 0)], 500, labels="output_spikes_redetected").spike.sum() == 2
    recording.signal[:3, 0] = [-80, -55, 30]
    np.testing.assert_allclose(soma_target_mv(recording)[:3], [-12.3, 12.7, 12.7], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spikes": None}, "no input spikes"),
        ({"labels": {"num_inputs": 10}}, "num_excitatory"),
        ({"events": {}}, "no output_spikes"),
        ({"events": {"output_spikes": np.array([1200])}}, "whole steps from 0 to"),
        ({"events": {"output_spikes": np.array([0.5])}}, "whole steps from 0 to"),
        ({"labels": {"num_inputs": 5, "num_excitatory": 3}}, "channel 9 of 5"),
        ({"labels": {"num_inputs": 12, "num_excitatory": 3}}, "10 and 12 inputs"),
    ],
)
def test_what_is_no_simulation_of_the_set_is_named(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        cut([simulation(0), simulation(1, **changes)], [(0, 0), (1, 0)], 500)
    assert "s1" in caught.value.where


def test_a_simulation_shorter_than_window_and_start_is_refused():
    with pytest.raises(DataError, match="lasts 999 ms, and 1000 ms are needed"):
        next(Sampling().places([6000, 999], seed=0, epoch=0))
    assert list(Sampling(batch=1, per_simulation=1).places([1000], seed=0, epoch=0)) == [[(0, 500)]]


def test_some_of_many_reach_from_the_first_to_the_last() -> None:
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly("abc", 5) == ["a", "b", "c"] and evenly([], 3) == []
    chosen = evenly(range(101), 7)
    assert len(set(chosen)) == 7 and (chosen[0], chosen[-1]) == (0, 100)
    assert set(np.diff(chosen)) <= {16, 17}
