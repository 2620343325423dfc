"""The options of the Brunel network, with the published values as defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig

if TYPE_CHECKING:
    from neurocli.recordings import RecordingSet
from neurocli.simulation.parameters_of import simulated_with


class BrunelConfig(SimulatorConfig):
    """Brunel's (2000) network of leaky integrate-and-fire neurons, as the published script sets it up.

    Times in ms, voltages in mV, rates in Hz. dv/dt = (E_L - v)/tau + I_noise/tau_noise; a spike adds its weight to v
    after `delay_ms`. The noise is a fresh normal draw in every step and is not scaled with the step: another `dt_ms` is
    another noise.
    """

    seed: int = Field(
        72, ge=0, description="seed of noise, external input and initial voltages; every run has its own random stream"
    )
    network_seed: int = Field(1, ge=0, description="seed of the connectivity")
    network: Literal["fixed", "redraw"] = Field(
        "fixed", description="fixed: one network for all runs; redraw: a new one for every run"
    )
    engine: Literal["standalone", "runtime"] = Field(
        "standalone", description="standalone: compiled C++ program; runtime: Brian2's runtime, slower"
    )
    seeding: Literal["stream", "published"] = Field(
        "stream",
        description="stream: random streams that do not depend on each other; published: seed + k for run k, runtime engine only",
    )
    duration_ms: float = Field(10_000.0, gt=0, description="duration of a run (ms)")
    dt_ms: float = Field(
        0.1,
        gt=0,
        description="integration step (ms); the noise is not scaled with it, so its effect changes with the step",
    )
    neurons: int = Field(100, ge=2, le=1_000_000, description="number of neurons, excitatory and inhibitory")
    excitatory_share: float = Field(0.8, gt=0, lt=1, description="share of the neurons that are excitatory")
    tau_ms: float = Field(10.0, gt=0, description="membrane time constant (ms)")
    rest_mv: float = Field(-70.0, description="resting and reset potential (mV)")
    threshold_mv: float = Field(-50.0, description="voltage at which a neuron spikes (mV)")
    refractory_ms: float = Field(2.0, ge=0, description="how long a neuron stays at reset after a spike (ms)")
    noise_mv: float = Field(0.5, ge=0, description="standard deviation of the membrane noise (mV)")
    tau_noise_ms: float = Field(1.0, gt=0, description="time constant by which the noise term is divided (ms)")
    start_sd_mv: float = Field(2.0, ge=0, description="standard deviation of the initial voltages (mV)")
    j_mv: float = Field(0.5, gt=0, description="weight of an excitatory synapse (mV)")
    g: float = Field(5.5, ge=0, description="weight of an inhibitory synapse relative to an excitatory one")
    delay_ms: float = Field(1.5, ge=0, description="synaptic delay (ms)")
    probability: float = Field(0.1, ge=0, le=1, description="connection probability; autapses are allowed")
    external_inputs: int = Field(8, ge=0, description="external Poisson inputs per neuron")
    external_rate: float = Field(
        1.0,
        ge=0,
        description="rate of each external input, relative to the rate whose mean drive just reaches threshold",
    )
    record_ms: float = Field(1.0, gt=0, description="sampling step of the recorded voltage (ms)")
    record_neurons: int | None = Field(
        None,
        ge=1,
        description="number of neurons whose voltage is recorded, in the proportion of E and I; unset: all, up to 1,000",
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> BrunelConfig:
        for name in ("duration_ms", "record_ms", "delay_ms", "refractory_ms"):
            ratio = getattr(self, name) / self.dt_ms
            if abs(ratio - round(ratio)) > 1e-6 * max(ratio, 1):
                raise ValueError(f"{name} must be a whole number of steps of dt_ms = {self.dt_ms}")
        if self.threshold_mv <= self.rest_mv:
            raise ValueError("threshold_mv must lie above rest_mv")
        if not 0 < self.num_excitatory < self.neurons:
            raise ValueError("there must be at least one excitatory and one inhibitory neuron")
        if self.record_neurons is not None and self.record_neurons > self.neurons:
            raise ValueError(f"record_neurons must be at most the number of neurons, {self.neurons}")
        if self.seeding == "published" and self.engine != "runtime":
            raise ValueError("published seeding needs engine = runtime: the stream of the compiled engine differs")
        return self

    @property
    def num_excitatory(self) -> int:
        return round(self.neurons * self.excitatory_share)

    @property
    def external_rate_hz(self) -> float:
        """Rate of one external input: `external_rate` times what brings the mean drive to threshold (500 Hz)."""
        if self.external_inputs == 0:
            return 0.0
        drive_per_s = (self.threshold_mv - self.rest_mv) / (self.j_mv * self.external_inputs * self.tau_ms * 1e-3)
        return self.external_rate * drive_per_s

    @property
    def steps(self) -> int:
        return round(self.duration_ms / self.dt_ms)

    @property
    def recorded(self) -> list[int]:
        """Indices of the neurons whose voltage is recorded."""
        count = self.record_neurons or min(self.neurons, 1000)
        return sorted({int(k * self.neurons / count) for k in range(count)})


def parameters_of(recordings: RecordingSet) -> BrunelConfig | None:
    """What our simulator made these recordings with; None where somebody else made them. Raises DataError."""
    return simulated_with(recordings, "brunel", BrunelConfig)
