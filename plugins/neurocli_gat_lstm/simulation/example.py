"""A few small worms in a second, without the simulation engine: for the conformance kit and for tests."""

from __future__ import annotations

from neurocli.recordings import RecordingSet


def small_worms(seed: int, worms: int = 5, neurons: int = 12, steps: int = 400) -> RecordingSet:
    """Worms of a small network of its own for each seed, laid out as the simulator leaves them in a file."""
    from neurocli_gat_lstm.simulation.network import network_of
    from neurocli_gat_lstm.simulation.parameters import CelegansConfig
    from neurocli_gat_lstm.simulation.simulator import NAME, simulate_worm

    config = CelegansConfig(
        seed=seed,
        network_seed=seed,
        neurons=neurons,
        hidden=0,
        added=0.2,  # of so few edges, a usual share would be one
        duration_s=(steps + 0.5) / CelegansConfig().frame_rate_hz,
        step_ms=60.0,  # longer than usual, for speed
    )
    return RecordingSet.of(
        [simulate_worm(config, index) for index in range(worms)],
        meta={"simulator": NAME, "parameters": config.model_dump(mode="json")},
        truth=network_of(config).truth(),
    )
