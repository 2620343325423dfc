"""The options of the simulated session."""

from __future__ import annotations

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig
from neurocli_eirnn.data.tasks import BEFORE_MS, BIN_MS


class ScSessionConfig(SimulatorConfig):
    """A session of a delayed saccade task with a teacher network under Dale's law. One group is one trial.

    Times in ms, rates in sp/s. Recorded neurons are units of the teacher; hidden units are the rest of it.
    """

    seed: int = Field(
        0, ge=0, description="seed of the trials: conditions, event times, gains, eye movements and spikes"
    )
    network_seed: int = Field(
        1, ge=0, description="seed of the teacher network: weights, tuning, rates and order of the neurons"
    )
    num_excitatory: int = Field(22, ge=1, description="recorded excitatory neurons")
    num_inhibitory: int = Field(8, ge=1, description="recorded inhibitory neurons")
    hidden_excitatory: int = Field(42, ge=0, description="excitatory units of the teacher that are not recorded")
    hidden_inhibitory: int = Field(8, ge=0, description="inhibitory units of the teacher that are not recorded")
    gain_sd: float = Field(
        0.2,
        ge=0,
        le=2,
        description="standard deviation of the log of a trial's gain, a factor on all rates of the trial",
    )
    rate_scale: float = Field(1.0, gt=0, le=10, description="factor on all rates of all trials")
    bin_ms: float = Field(BIN_MS, ge=5, le=50, description="bin width; must divide the 200 ms before fixation onset")

    @model_validator(mode="after")
    def _hangs_together(self) -> ScSessionConfig:
        before = BEFORE_MS / self.bin_ms
        if abs(before - round(before)) > 1e-9:
            raise ValueError(f"bin_ms must divide the {BEFORE_MS:g} ms before fixation onset")
        if self.units > 5000:
            raise ValueError("the teacher has at most 5,000 units")
        return self

    @property
    def neurons(self) -> int:
        """Number of recorded neurons."""
        return self.num_excitatory + self.num_inhibitory

    @property
    def excitatory_units(self) -> int:
        return self.num_excitatory + self.hidden_excitatory

    @property
    def units(self) -> int:
        return self.neurons + self.hidden_excitatory + self.hidden_inhibitory
