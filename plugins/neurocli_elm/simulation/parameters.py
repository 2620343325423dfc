"""The options of the simulated dendrite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig

if TYPE_CHECKING:
    from neurocli.recordings import RecordingSet
from neurocli.simulation.parameters_of import simulated_with

PUBLISHED_SEGMENTS = 639
"""Segments of the published cell: with fewer, one synapse stands for several, see `synapses_per_input`."""
MOST_STEPS = 60_000
"""Longest simulation in ms: the rates of 1,278 inputs take 5 kB for each."""

BASAL_STEMS, TRUNK_PIECES, OBLIQUES = 9, 5, 2
BRANCHES = 3 * BASAL_STEMS + TRUNK_PIECES + OBLIQUES * (TRUNK_PIECES - 1) + 14
"""Of the cell: each has one segment or more."""


class DendriteConfig(SimulatorConfig):
    """A layer-5-pyramidal-like cell: soma, basal dendrites and an apical one, with two synapses on each segment.

    All simulations are of one cell; they differ in their input. Times in ms, voltages in mV, conductances in nS.
    """

    seed: int = Field(0, ge=0, description="seed of the input; each simulation has a random stream of its own")
    cell_seed: int = Field(1, ge=0, description="seed of the cell: lengths of its branches, weights of its synapses")
    engine: Literal["numba", "brian2"] = Field(
        "numba",
        description="numba: compiled loop; brian2: the same equations in Brian2's C++ standalone mode (about 20 s to compile)",
    )
    duration_ms: int = Field(6000, ge=10, le=MOST_STEPS, description="length of a simulation (ms)")
    steps_per_ms: int = Field(8, ge=4, le=200, description="integration steps per ms")
    record_dendrites: bool = Field(False, description="also store the voltage of every segment")

    segments: int = Field(
        128,
        ge=BRANCHES,
        le=PUBLISHED_SEGMENTS,
        description="dendritic compartments, each with one excitatory and one inhibitory input",
    )
    axial_ohm_cm: float = Field(100.0, gt=0, le=1e4, description="axial resistivity (ohm cm)")
    soma_uf_per_cm2: float = Field(1.0, gt=0, le=100, description="membrane capacitance of the soma (µF/cm²)")
    dendrite_uf_per_cm2: float = Field(
        2.0, gt=0, le=100, description="membrane capacitance of the dendrite, spines included (µF/cm²)"
    )
    leak_ms_per_cm2: float = Field(0.1, gt=0, le=100, description="leak conductance (mS/cm²)")
    rest_mv: float = Field(-77.0, ge=-120, le=-40, description="reversal potential of the leak (mV)")

    sodium_ms_per_cm2: float = Field(
        300.0, ge=0, le=1e4, description="sodium conductance of the soma, which stands for the axon as well (mS/cm²)"
    )
    potassium_ms_per_cm2: float = Field(60.0, ge=0, le=1e4, description="potassium conductance of the soma (mS/cm²)")
    slow_potassium_ms_per_cm2: float = Field(
        20.0,
        ge=0,
        le=1e3,
        description="slow potassium conductance of the soma: opens during a spike, delays the next (mS/cm²)",
    )
    slow_potassium_tau_ms: float = Field(
        200.0, gt=0, le=1e4, description="longest time constant of the slow potassium channel (ms)"
    )
    spike_shift_mv: float = Field(
        -63.0,
        ge=-80,
        le=-30,
        description="voltage shift of the sodium and potassium gates; higher raises the spike threshold (mV)",
    )

    ampa_ns: float = Field(
        0.3, ge=0, le=100, description="peak AMPA conductance of one synapse of the published cell (nS)"
    )
    nmda_ns: float = Field(
        0.35, ge=0, le=100, description="peak NMDA conductance of one synapse, without magnesium (nS)"
    )
    gaba_ns: float = Field(
        2.5, ge=0, le=100, description="peak GABA conductance of one synapse of the published cell (nS)"
    )
    weight_spread: float = Field(
        0.3, ge=0, le=2, description="standard deviation of the logarithm of the synaptic weights"
    )
    ampa_tau_ms: float = Field(1.7, gt=0, le=1e3, description="decay time of AMPA (ms)")
    nmda_rise_ms: float = Field(2.0, gt=0, le=1e3, description="rise time of NMDA (ms)")
    nmda_tau_ms: float = Field(43.0, gt=0, le=1e3, description="decay time of NMDA (ms)")
    gaba_tau_ms: float = Field(5.0, gt=0, le=1e3, description="decay time of GABA (ms)")
    gaba_reversal_mv: float = Field(-75.0, ge=-120, le=0, description="reversal potential of GABA (mV)")
    magnesium_mm: float = Field(
        1.0, ge=0, le=100, description="magnesium concentration (mM); with 0, NMDA does not depend on voltage"
    )
    magnesium_slope: float = Field(0.062, ge=0, le=1, description="voltage dependence of the magnesium block (1/mV)")

    excitatory_hz: float = Field(
        11.0, ge=0, le=200, description="mean rate of an excitatory input outside of bursts (Hz)"
    )
    inhibitory_hz: float = Field(9.8, ge=0, le=200, description="mean rate of an inhibitory input (Hz)")
    shared_variation: float = Field(
        1.0,
        ge=0,
        le=1,
        description="variation of the rate that all inputs of a dendrite (basal, apical) share: 0 none, 1 as published",
    )
    input_variation: float = Field(
        0.5, ge=0, le=1, description="largest deviation of a single input's mean rate, as a share of it"
    )
    bursts_hz: float = Field(
        20.0, ge=0, le=100, description="rate of bursts, each of excitatory input to one branch drawn at random (Hz)"
    )
    burst_ms: float = Field(30.0, ge=1, le=1000, description="mean length of a burst (ms)")
    burst_factor: float = Field(
        10.0, ge=1, le=100, description="excitatory rate of the branch during a burst over excitatory_hz"
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> DendriteConfig:
        if self.nmda_rise_ms >= self.nmda_tau_ms:
            raise ValueError("nmda_rise_ms must be below nmda_tau_ms")
        if self.gaba_reversal_mv < self.rest_mv - 30:
            raise ValueError("gaba_reversal_mv must be at most 30 mV below rest_mv")
        return self

    @property
    def dt_ms(self) -> float:
        return 1.0 / self.steps_per_ms

    @property
    def synapses_per_input(self) -> float:
        """How many inputs of the published cell one input stands for: density and drive stay the same."""
        return PUBLISHED_SEGMENTS / self.segments


def parameters_of(recordings: RecordingSet) -> DendriteConfig | None:
    """The parameters of these recordings; None where they are not of this simulator. Raises DataError."""
    return simulated_with(recordings, "dendrite", DendriteConfig)
