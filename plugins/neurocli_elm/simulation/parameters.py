"""The options of the simulated dendrite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig

if TYPE_CHECKING:
    from neurocli.recordings import RecordingSet
from neurocli.simulation.made import made_with

PUBLISHED_SEGMENTS = 639
"""Segments of the published cell: with fewer of them, a synapse stands for as many more, see `synapses_per_input`."""
MOST_STEPS = 60_000
"""Longest simulation in ms: the rates of 1,278 inputs take 5 kB for each."""

BASAL_STEMS, TRUNK_PIECES, OBLIQUES = 9, 5, 2
BRANCHES = 3 * BASAL_STEMS + TRUNK_PIECES + OBLIQUES * (TRUNK_PIECES - 1) + 14
"""Of the cell: each has one segment or more."""


class DendriteConfig(SimulatorConfig):
    """A layer-5-pyramidal-like cell: soma, basal dendrites and an apical one, with two synapses on each segment.

    All simulations are of one cell; they differ in their input. Times in ms, voltages in mV, conductances in nS.
    """

    seed: int = Field(0, ge=0, description="seed of the input; simulation k has its own stream of it")
    cell_seed: int = Field(1, ge=0, description="seed of the lengths of branches and of the weights of synapses")
    engine: Literal["numba", "brian2"] = Field(
        "numba",
        description="compiled loop, or the same equations in Brian2's C++ standalone mode (some 20 s to compile)",
    )
    duration_ms: int = Field(6000, ge=10, le=MOST_STEPS, description="length of a simulation")
    steps_per_ms: int = Field(8, ge=4, le=200, description="integration steps in a millisecond")
    record_dendrites: bool = Field(False, description="keep the voltage of every segment, too")

    segments: int = Field(
        128, ge=BRANCHES, le=PUBLISHED_SEGMENTS, description="dendritic compartments; each has two inputs"
    )
    axial_ohm_cm: float = Field(100.0, gt=0, le=1e4, description="resistance inside the dendrite")
    soma_uf_per_cm2: float = Field(1.0, gt=0, le=100, description="capacitance of the membrane of the soma")
    dendrite_uf_per_cm2: float = Field(2.0, gt=0, le=100, description="the same of the dendrite, with its spines")
    leak_ms_per_cm2: float = Field(0.1, gt=0, le=100, description="conductance of the membrane at rest, mS/cm2")
    rest_mv: float = Field(-77.0, ge=-120, le=-40, description="reversal potential of the leak")

    sodium_ms_per_cm2: float = Field(300.0, ge=0, le=1e4, description="at the soma, which stands for the axon as well")
    potassium_ms_per_cm2: float = Field(60.0, ge=0, le=1e4, description="at the soma, too")
    slow_potassium_ms_per_cm2: float = Field(20.0, ge=0, le=1e3, description="opened by spikes, which it keeps apart")
    slow_potassium_tau_ms: float = Field(200.0, gt=0, le=1e4, description="its longest time constant")
    spike_shift_mv: float = Field(
        -63.0, ge=-80, le=-30, description="where sodium and potassium channels open; higher is later"
    )

    ampa_ns: float = Field(0.3, ge=0, le=100, description="peak of one excitatory synapse of the published cell")
    nmda_ns: float = Field(0.35, ge=0, le=100, description="the same, without magnesium")
    gaba_ns: float = Field(2.5, ge=0, le=100, description="peak of one inhibitory synapse of the published cell")
    weight_spread: float = Field(0.3, ge=0, le=2, description="sd of the logarithm of the synapses' weights")
    ampa_tau_ms: float = Field(1.7, gt=0, le=1e3, description="decay of AMPA")
    nmda_rise_ms: float = Field(2.0, gt=0, le=1e3, description="rise of NMDA")
    nmda_tau_ms: float = Field(43.0, gt=0, le=1e3, description="decay of NMDA")
    gaba_tau_ms: float = Field(5.0, gt=0, le=1e3, description="decay of GABA")
    gaba_reversal_mv: float = Field(-75.0, ge=-120, le=0, description="reversal potential of inhibition")
    magnesium_mm: float = Field(1.0, ge=0, le=100, description="0 takes the voltage dependence of NMDA away")
    magnesium_slope: float = Field(0.062, ge=0, le=1, description="of the block, per mV")

    excitatory_hz: float = Field(11.0, ge=0, le=200, description="mean rate of an excitatory input but for volleys")
    inhibitory_hz: float = Field(9.8, ge=0, le=200, description="mean rate of an inhibitory input")
    shared_variation: float = Field(
        1.0, ge=0, le=1, description="how far the common rates of a tree vary: 0 not, 1 as published"
    )
    input_variation: float = Field(
        0.5, ge=0, le=1, description="how far the rates of single inputs differ in a simulation"
    )
    bursts_hz: float = Field(20.0, ge=0, le=100, description="how often some branch gets a volley of excitatory input")
    burst_ms: float = Field(30.0, ge=1, le=1000, description="how long a volley lasts")
    burst_factor: float = Field(10.0, ge=1, le=100, description="rate of the branch in a volley / mean rate without")

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
    """What our simulator made these recordings with; None where somebody else made them. Raises DataError."""
    return made_with(recordings, "dendrite", DendriteConfig)
