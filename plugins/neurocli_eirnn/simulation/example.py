"""A tiny session in a second, without the simulation engine: for the contract kit and for tests."""

from __future__ import annotations

from neurocli.recordings import RecordingSet


def small_session(seed: int, *, trials: int = 60, excitatory: int = 6, inhibitory: int = 3) -> RecordingSet:
    """Trials of a small teacher of its own for each seed, laid out as the simulator leaves them in a file."""
    from neurocli_eirnn.data.session import KIND
    from neurocli_eirnn.data.tasks import bin_centres
    from neurocli_eirnn.simulation.parameters import ScSessionConfig
    from neurocli_eirnn.simulation.simulator import simulate_trial
    from neurocli_eirnn.simulation.teacher import teacher_of
    from neurocli_eirnn.simulation.trial_plan import session_bins

    # Twice the usual rates: so few trials would otherwise leave most neurons without a PSTH that can be told from noise.
    config = ScSessionConfig(
        seed=seed,
        network_seed=seed,
        num_excitatory=excitatory,
        num_inhibitory=inhibitory,
        hidden_excitatory=8,
        hidden_inhibitory=3,
        rate_scale=2.0,
    )
    teacher = teacher_of(config)
    recordings = []
    for index in range(trials):
        session = simulate_trial(config, index)
        recording = session.recording(0, f"trial-{index:04d}")
        recording.truth["gain"] = session.truth["gain"]
        recordings.append(recording)
    return RecordingSet.of(
        recordings,
        meta={"simulator": KIND, "parameters": config.model_dump(mode="json")},
        truth={
            "neuron_type": teacher.neuron_type,
            "time_ms": bin_centres(session_bins(config.bin_ms), config.bin_ms),
            "weights": teacher.weights,
            "unit_type": teacher.unit_type,
            "recorded_unit": teacher.recorded_unit,
        },
    )
