"""A few small simulations in seconds, without the simulation engine: for the contract kit and for tests."""

from __future__ import annotations

from neurocli.recordings import RecordingSet


def small_cells(
    seed: int, simulations: int = 4, duration_ms: int = 2000, segments: int = 64, first: int = 0
) -> RecordingSet:
    """Simulations of one small cell, laid out as the simulator leaves them in a file. Another seed is another input."""
    from neurocli_elm.simulation.parameters import DendriteConfig
    from neurocli_elm.simulation.simulator import NAME, simulate_cell, truth_of

    config = DendriteConfig(seed=seed, duration_ms=duration_ms, segments=segments)
    indices = range(first, first + simulations)
    return RecordingSet.of(
        [simulate_cell(config, index) for index in indices],
        meta={"simulator": NAME, "parameters": config.model_dump(mode="json")},
        truth=truth_of(config),
    )
