"""The simulated cell as an electrical circuit: nodes with a membrane, joined by axial conductances into a tree.

With v in mV, time in ms, capacitances in pF, conductances in nS and currents in pA:

    C dv/dt = g_leak (E_leak - v) + sum over neighbours g_axial (v_j - v)
              + (g_AMPA + g_NMDA B(v)) (0 - v) + g_GABA (E_GABA - v) + soma: g_Na m^3 h (50 - v) + (g_K n^4 + g_M p) (-90 - v)
    B(v) = 1 / (1 + [Mg] exp(-s v) / 3.57)                                   (Jahr & Stevens 1990)

with m, h and n of Pospischil et al. (2008), and their slow channel p at a higher voltage. An AMPA or GABA conductance jumps by its weight and
decays; NMDA is the difference of two exponentials whose peak is the weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.simulation.simulator import seed_of
from neurocli_elm.simulation.morphology import Morphology, pyramidal_cell
from neurocli_elm.simulation.parameters import DendriteConfig

E_SODIUM, E_POTASSIUM, E_EXCITATORY = 50.0, -90.0, 0.0
MAGNESIUM_MM = 3.57
"""The concentration of magnesium that halves NMDA's conductance at 0 mV."""
SLOW_HALF_MV, SLOW_WIDTH_MV = -20.0, 6.0
"""Where the slow potassium channel is half open, and how steeply: above the M current's -35 mV, so that only spikes open it."""
_WEIGHTS = 0


@dataclass(frozen=True)
class Circuit:
    """Nodes in an order with parents before children; node 0 is the soma. Points where branches meet have no membrane.

    parent, axial_ns (to the parent), capacitance_pf, leak_ns: [node]; synapse_node: [segment], where its two synapses are;
    soma_ns: maximal conductances (sodium, potassium, slow potassium).
    """

    parent: NDArray[np.int64]
    axial_ns: NDArray[np.float64]
    capacitance_pf: NDArray[np.float64]
    leak_ns: NDArray[np.float64]
    synapse_node: NDArray[np.int64]
    soma_ns: tuple[float, float, float]


@dataclass(frozen=True)
class Cell:
    """What all simulations share. weight_ns: peak conductances [segment]; inputs are numbered excitatory ones first."""

    morphology: Morphology
    circuit: Circuit
    ampa_ns: NDArray[np.float64]
    nmda_ns: NDArray[np.float64]
    gaba_ns: NDArray[np.float64]

    @property
    def weights_ns(self) -> NDArray[np.float64]:
        """[3, segment] of AMPA, NMDA and GABA."""
        return np.stack([self.ampa_ns, self.nmda_ns, self.gaba_ns])


def cell_of(config: DendriteConfig) -> Cell:
    """The cell of a configuration, a pure function of it."""
    morphology = pyramidal_cell(config.segments, config.cell_seed)
    random = np.random.default_rng(seed_of(config.cell_seed, 0, _WEIGHTS))
    spread = np.exp(config.weight_spread * random.standard_normal((2, config.segments)) - config.weight_spread**2 / 2)
    excitatory, inhibitory = config.synapses_per_input * spread
    return Cell(
        morphology,
        circuit_of(config, morphology),
        config.ampa_ns * excitatory,
        config.nmda_ns * excitatory,
        config.gaba_ns * inhibitory,
    )


def circuit_of(config: DendriteConfig, morphology: Morphology) -> Circuit:
    """The circuit of a tree."""
    parents_of_branches = {branch.parent for branch in morphology.branches}
    soma_um2 = math.pi * morphology.soma_diameter_um**2
    parent, axial = [-1], [0.0]
    area, specific = [soma_um2], [config.soma_uf_per_cm2]
    end_node: dict[int, int] = {}  # of a branch
    synapse_node: list[int] = []
    half_ns = _half_segment_ns(config, morphology)
    for segment in range(morphology.segments):
        number = int(morphology.branch[segment])
        first = segment == 0 or morphology.branch[segment - 1] != number
        last = segment == morphology.segments - 1 or morphology.branch[segment + 1] != number
        if not first:
            parent.append(synapse_node[-1])
            axial.append(_in_series(half_ns[segment - 1], half_ns[segment]))
        else:  # a point where branches meet, or the soma, has no resistance of its own
            parent.append(end_node.get(morphology.branches[number].parent, 0))
            axial.append(half_ns[segment])
        synapse_node.append(len(parent) - 1)
        area.append(math.pi * morphology.diameter_um[segment] * morphology.length_um[segment])
        specific.append(config.dendrite_uf_per_cm2)
        if last and number in parents_of_branches:
            parent.append(synapse_node[-1])
            axial.append(half_ns[segment])
            end_node[number] = len(parent) - 1
            area.append(0.0)
            specific.append(0.0)
    um2 = np.array(area)
    soma_ns = [
        soma_um2 * density * 1e-2
        for density in (config.sodium_ms_per_cm2, config.potassium_ms_per_cm2, config.slow_potassium_ms_per_cm2)
    ]
    return Circuit(
        np.array(parent, np.int64),
        np.array(axial),
        um2 * np.array(specific) * 1e-2,  # 1 uF/cm2 = .01 pF/um2
        um2 * config.leak_ms_per_cm2 * 1e-2,  # 1 mS/cm2 = .01 nS/um2
        np.array(synapse_node, np.int64),
        (soma_ns[0], soma_ns[1], soma_ns[2]),
    )


def nmda_scale(rise_ms: float, tau_ms: float) -> float:
    """What makes the peak of exp(-t/tau) - exp(-t/rise) one."""
    peak_ms = rise_ms * tau_ms / (tau_ms - rise_ms) * math.log(tau_ms / rise_ms)
    return 1 / (math.exp(-peak_ms / tau_ms) - math.exp(-peak_ms / rise_ms))


def _half_segment_ns(config: DendriteConfig, morphology: Morphology) -> NDArray[np.float64]:
    """[segment] axial conductance from a segment's middle to its end."""
    section_um2 = math.pi / 4 * morphology.diameter_um**2
    # 1 um2 / (1 ohm cm x 1 um) = 1e-4 S = 1e5 nS.
    conductance: NDArray[np.float64] = 1e5 * section_um2 / (config.axial_ohm_cm * morphology.length_um / 2)
    return conductance


def _in_series(first: float, second: float) -> float:
    return first * second / (first + second)
