"""A tiny network in seconds, without a compiler: for the contract kit and for tests."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from neurocli.recordings import Recording, RecordingSet, Spikes
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import draw_weights, simulate_reference


def small_network(
    seed: int, *, runs: int = 6, duration_ms: float = 2000.0, neurons: int = 100, network: str = "fixed"
) -> RecordingSet:
    """Runs of the network by the plain loop, with the file layout of the Brian2 simulator."""
    import numpy as np

    from neurocli_cnn_lstm.simulation.brunel_network import neuron_types

    config = BrunelConfig(seed=seed, duration_ms=duration_ms, neurons=neurons, network=network)
    recordings: list[Recording] = []
    shared: dict[str, NDArray[Any]] = {"neuron_type": neuron_types(config)}
    for run in range(runs):
        weights = draw_weights(config, config.network_seed if network == "fixed" else 1000 + run)
        voltage, step, channel = simulate_reference(config, weights, seed * 1000 + run)
        post, pre = np.nonzero(weights)
        truth = {"pre": pre, "post": post, "weight_mv": weights[post, pre]}
        if network == "fixed":
            shared |= truth
        names = [f"{'E' if k < config.num_excitatory else 'I'}{k:03d}" for k in range(neurons)]
        recordings.append(
            Recording(
                group=f"run-{run:04d}",
                signal=voltage,
                dt_ms=config.record_ms,
                unit="mV",
                channels=names,
                spikes=Spikes(step, channel, config.dt_ms),
                labels={"index": run},
                truth={} if network == "fixed" else truth,
            )
        )
    meta = {"simulator": "brunel", "parameters": config.model_dump(mode="json")}
    return RecordingSet.of(recordings, meta=meta, truth=shared)
