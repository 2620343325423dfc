"""Effect of one input event on the soma of the simulated cell: the running simulator with and without the event.

The cell is run on input drawn as for any simulation. At some moments it is copied once for each input; one copy runs on unchanged, every other
one gets one additional event. All get the same input afterwards (common random numbers), so that the difference of their somatic voltages is
the effect of that event in that state, spikes, saturation and NMDA's block included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.simulation.simulator import seed_of
from neurocli_elm.data.windows import SOMA_CLIP_MV
from neurocli_elm.simulation.compartments import Cell, cell_of
from neurocli_elm.simulation.engine_numba import constants_of, scaled_weights
from neurocli_elm.simulation.parameters import DendriteConfig

Array = NDArray[np.float64]
LENGTH_MS = 150
"""How long a difference is followed: three time constants of NMDA."""
SETTLING_MS, APART_MS = 500, 250
"""Before the first moment of a simulation, and between two of them."""
SIMULATIONS, MOMENTS = 16, 2
_STREAM = 1_000_003
"""Of the random numbers of these simulations: none that `neuro simulate` draws."""
_COPIES = 32
"""Copies that are integrated side by side."""


@dataclass
class State:
    """v [node, copy], conductance [4, segment, copy], gates [4, copy], as `integrate_copies` takes them."""

    v: Array
    conductance: Array
    gates: Array

    def copies(self, count: int) -> State:
        """`count` copies of a single one."""
        return State(*(np.repeat(values, count, axis=-1) for values in (self.v, self.conductance, self.gates)))


class RunningCell:
    """The simulator of `engine_numba`, which can be stopped, copied and resumed."""

    def __init__(self, config: DendriteConfig) -> None:
        self.config = config
        self.cell: Cell = cell_of(config)
        self.weights = scaled_weights(config, self.cell.weights_ns)
        self.constants = constants_of(config)

    def at_rest(self) -> State:
        """One copy as every simulation begins."""
        from neurocli_elm.simulation.cable_kernel import gates_at_rest

        v = np.full((len(self.cell.circuit.parent), 1), float(self.config.rest_mv))
        gates = np.array(gates_at_rest(v[0, 0], self.config.spike_shift_mv))[:, None]
        return State(v, np.zeros((4, len(self.cell.circuit.synapse_node), 1)), gates)

    def advance(
        self,
        state: State,
        event_ms: NDArray[np.integer[Any]],
        event_input: NDArray[np.integer[Any]],
        duration_ms: int,
        own_event: NDArray[np.integer[Any]] | None = None,
    ) -> Array:
        """Advance `state` by `duration_ms`; somatic voltage in mV [ms, copy], at the start of each ms.

        Events in ms from now; own_event: [copy] an input with one event more in the first ms, -1 for none.
        """
        from neurocli_elm.simulation.cable_copies import integrate_copies

        circuit = self.cell.circuit
        soma = np.empty((duration_ms, state.v.shape[1]))
        integrate_copies(
            *(circuit.parent, circuit.axial_ns, circuit.capacitance_pf, circuit.leak_ns, circuit.synapse_node),
            *(np.array(circuit.soma_ns), self.weights, self.constants),
            *(event_ms.astype(np.int64), event_input.astype(np.int64)),
            np.full(state.v.shape[1], -1) if own_event is None else own_event.astype(np.int64),
            self.config.steps_per_ms,
            *(state.v, state.conductance, state.gates, soma),
        )
        return soma


def event_effects(config: DendriteConfig, simulations: int | None = None, moments: int | None = None) -> Array:
    """[moment, input] mV ms by which one event changes the somatic voltage (clipped at -55 mV, as the target of models is)."""
    from neurocli_elm.simulation.inputs import draw_events

    running, moments = RunningCell(config), moments or MOMENTS
    duration_ms = SETTLING_MS + (moments - 1) * APART_MS + LENGTH_MS
    input_config = config.model_copy(update={"duration_ms": duration_ms})
    effects = []
    for number in range(simulations or SIMULATIONS):
        random = np.random.default_rng(seed_of(config.seed, _STREAM + number))
        event_ms, event_input = draw_events(input_config, running.cell.morphology, random)
        state, now = running.at_rest(), 0
        for moment in range(moments):
            at = SETTLING_MS + moment * APART_MS
            before = (event_ms >= now) & (event_ms < at)
            running.advance(state, event_ms[before] - now, event_input[before], at - now)
            now = at
            after = (event_ms >= now) & (event_ms < now + LENGTH_MS)
            effects.append(_effects(running, state, event_ms[after] - now, event_input[after]))
    return np.array(effects)


def _effects(
    running: RunningCell, state: State, event_ms: NDArray[np.integer[Any]], event_input: NDArray[np.integer[Any]]
) -> Array:
    """[input] area of the difference that an event makes in this state."""
    inputs = np.arange(2 * len(running.cell.circuit.synapse_node))
    effects = np.empty(len(inputs))
    for first in range(0, len(inputs), _COPIES - 1):
        perturbed = inputs[first : first + _COPIES - 1]
        own_event = np.concatenate([[-1], perturbed])
        soma = running.advance(state.copies(len(own_event)), event_ms, event_input, LENGTH_MS, own_event)
        clipped = np.minimum(soma, SOMA_CLIP_MV)
        effects[perturbed] = (clipped[:, 1:] - clipped[:, :1]).sum(0)
    return effects
