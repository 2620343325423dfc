"""The tiny session: what the contract kit and other tests stand on."""

import time

import numpy as np

from neurocli_eirnn.data.session import Session
from neurocli_eirnn.data.trials import classify
from neurocli_eirnn.simulation.example import small_session


def test_has_what_a_session_needs_and_its_truth():
    started = time.perf_counter()
    made = small_session(0)
    assert time.perf_counter() - started < 10
    session = Session.of(made)
    assert session.trials == 60
    assert sorted(set(session.neuron_type)) == [1, 2]
    assert classify(session).ordered.all()
    assert session.true_rates is not None
    units = session.truth["recorded_unit"]
    assert session.truth["weights"].shape == (len(session.truth["unit_type"]),) * 2
    assert (session.truth["unit_type"][units] == session.neuron_type).all()
    assert "gain" in made[made.groups[0]].truth


def test_rates_are_counts_of_the_true_rates():
    session = Session.of(small_session(1))
    counts = session.rates * session.bin_ms / 1000
    assert np.nanmax(np.abs(counts - np.round(counts))) < 1e-4
    mean, true = np.nanmean(session.rates, axis=(0, 1)), np.nanmean(session.true_rates, axis=(0, 1))
    assert np.abs(mean / true - 1).max() < 0.1
