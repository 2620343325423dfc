"""The options of the simulated worms."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig

LARGEST_STATE = 60_000_000
"""Integration steps x neurons of one worm; each takes 8 bytes."""


class CelegansConfig(SimulatorConfig):
    """Graded neurons on the connectome, seen by a calcium indicator. One group is one worm.

    All worms share the network. Times in s. Voltages and their drives have no unit: a synapse saturates around 1.
    """

    seed: int = Field(
        0, ge=0, description="random seed of what differs between worms: noise, command, identified neurons, optics"
    )
    network_seed: int = Field(
        1, ge=0, description="random seed of the network: recorded neurons, weights, silenced and added edges"
    )
    connectome: str = Field("cook2019", description="connectome that the network is built on: a name or an edge list")

    neurons: int = Field(
        60,
        ge=2,
        le=1000,
        description="number of recorded neurons; neurons that are often identified are the likeliest to be drawn",
    )
    hidden: int = Field(
        240,
        ge=0,
        le=1000,
        description="number of further neurons that are simulated and not recorded; 0: every neuron is recorded",
    )
    hidden_strength: float = Field(
        0.5, ge=0, le=10, description="factor on the weights from neurons that are not recorded"
    )
    silenced: float = Field(
        0.3, ge=0, le=0.95, description="share of the edges among recorded neurons whose weight is set to 0"
    )
    added: float = Field(
        0.05,
        ge=0,
        le=1,
        description="number of edges outside the connectome, as a share of its edges among recorded neurons",
    )
    inhibitory: float = Field(
        0.3, ge=0, le=0.9, description="share of inhibitory neurons; GABA neurons are always among them"
    )
    weight_spread: float = Field(0.25, ge=0, le=2, description="sd of log(weight / log1p(synapse count))")
    gap_strength: float = Field(
        0.5,
        ge=0,
        le=10,
        description="summed conductance of a neuron's gap junctions / root of its summed squared synaptic weights, medians",
    )
    coupling: float = Field(
        0.95,
        ge=0,
        lt=1,
        description="fastest growth in the linearised network, in units of the leak; at 1 it is unstable",
    )

    tau_low_s: float = Field(1.0, gt=0, le=60, description="shortest membrane time constant")
    tau_high_s: float = Field(3.0, gt=0, le=60, description="longest membrane time constant")
    noise_sd: float = Field(3.0, ge=0, le=100, description="sd of the fast noise that drives each neuron independently")
    noise_tau_s: float = Field(0.05, gt=0, le=60, description="correlation time of the fast noise")
    slow_sd: float = Field(0.5, ge=0, le=100, description="sd of the slow noise that drives each neuron independently")
    slow_tau_s: float = Field(10.0, gt=0, le=600, description="correlation time of the slow noise")
    command: float = Field(
        1.2,
        ge=0,
        le=100,
        description="strength of the drive that command neurons get while the worm goes forward or backward",
    )
    forward_s: float = Field(30.0, gt=0, description="mean duration of forward locomotion")
    reverse_s: float = Field(12.0, gt=0, description="mean duration of a reversal")
    switch_s: float = Field(1.5, gt=0, le=60, description="time constant of the change between forward and reverse")

    duration_s: float = Field(600.0, gt=0, le=36_000, description="length of a recording")
    frame_rate_hz: float = Field(2.9, gt=0, le=100, description="frame rate of the median worm")
    rate_spread: float = Field(0.02, ge=0, le=0.5, description="sd of the logarithm of a worm's frame rate")
    step_ms: float = Field(
        25.0, gt=0, le=100, description="longest integration step; a frame is a whole number of steps"
    )
    indicator_s: float = Field(0.3, gt=0, le=60, description="time constant of the calcium indicator")
    identified: float = Field(
        0.85, ge=0, le=1, description="probability that a recorded neuron is identified in a worm"
    )
    gain: float = Field(0.15, gt=0, le=100, description="median dF/F0 for a voltage of 1")
    gain_spread: float = Field(0.4, ge=0, le=2, description="sd of the logarithm of a neuron's gain in a worm")
    bleaching: float = Field(
        0.03, ge=0, le=1, description="dF/F0 that is lost to bleaching by the end of a long recording"
    )
    measurement_noise: float = Field(0.06, ge=0, le=100, description="sd of the measurement noise / sd of the signal")

    @model_validator(mode="after")
    def _hangs_together(self) -> CelegansConfig:
        if self.tau_low_s > self.tau_high_s:
            raise ValueError("tau_low_s must not be above tau_high_s")
        if self.duration_s * self.frame_rate_hz < 20:
            raise ValueError("a worm needs at least 20 frames: duration_s x frame_rate_hz")
        if self.step_ms > 1e3 * min(self.tau_low_s, self.indicator_s):
            raise ValueError("step_ms must not be longer than the time constants of membrane and indicator")
        steps = self.duration_s * max(1e3 / self.step_ms, self.frame_rate_hz)
        if steps * (self.neurons + self.hidden) > LARGEST_STATE:
            raise ValueError(f"a worm of more than {LARGEST_STATE:,} steps x neurons; shorten duration_s")
        return self

    @property
    def frames(self) -> int:
        """Frames of a worm of the median rate; every worm has as many."""
        return math.floor(self.duration_s * self.frame_rate_hz + 1e-9)
