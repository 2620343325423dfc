"""The options of the simulated session."""

from __future__ import annotations

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig
from neurocli_eirnn.data.tasks import BEFORE_MS, BIN_MS


class ScSessionConfig(SimulatorConfig):
    """A session of a delayed saccade task with a teacher network under Dale's law. One group is one trial.

    Times in ms, rates in sp/s. Recorded neurons are units of the teacher; hidden units are the rest of it.
    """

    seed: int = Field(0, ge=0, description="seed of conditions, event times, gains, eye and spikes of the trials")
    network_seed: int = Field(1, ge=0, description="seed of the teacher: weights, tuning, rates, order of the neurons")
    num_excitatory: int = Field(22, ge=1, description="recorded excitatory neurons")
    num_inhibitory: int = Field(8, ge=1, description="recorded inhibitory neurons")
    hidden_excitatory: int = Field(42, ge=0, description="further excitatory units of the teacher")
    hidden_inhibitory: int = Field(8, ge=0, description="further inhibitory units of the teacher")
    gain_sd: float = Field(0.2, ge=0, le=2, description="sd of the logarithm of a trial's gain on all rates")
    rate_scale: float = Field(1.0, gt=0, le=10, description="factor on all rates")
    bin_ms: float = Field(BIN_MS, ge=5, le=50, description="bin width; fixation onset falls on the edge of a bin")

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
