"""The runtime engine: Brian2 in this process, with Cython where there is a compiler and numpy where there is none.

It is the slow engine, and the one that reproduces the published spike times byte for byte.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.quiet import captured_stdout
from neurocli.simulation.program import load_brian2
from neurocli_cnn_lstm.simulation.brunel_network import Connectivity, build
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig


@dataclass(frozen=True)
class Outcome:
    """What an engine gives: v_mv float64 [record, recorded neuron], spikes as step and neuron [spike], the network."""

    v_mv: NDArray[np.float64]
    step: NDArray[np.int32]
    neuron: NDArray[np.int32]
    wiring: Connectivity


def simulate(config: BrunelConfig, noise_seed: int, wiring: Connectivity | None) -> Outcome:
    """One run. `wiring` None: Brian2 draws the network from the run's own stream, as the published script does."""
    b2 = load_brian2()
    state = np.random.get_state()  # Brian2 seeds and uses numpy's global generator; the caller must not notice
    try:
        with captured_stdout():
            return _run(b2, config, noise_seed, wiring)
    finally:
        np.random.set_state(state)
        gc.collect()


def _run(b2: Any, config: BrunelConfig, noise_seed: int, wiring: Connectivity | None) -> Outcome:
    b2.seed(noise_seed)
    e = config.num_excitatory

    def wire(excitatory: Any, inhibitory: Any) -> None:
        if wiring is None:
            excitatory.connect(p=config.probability)
            inhibitory.connect(p=config.probability)
            return
        inner = wiring.pre < e
        excitatory.connect(i=wiring.pre[inner], j=wiring.post[inner])
        inhibitory.connect(i=wiring.pre[~inner] - e, j=wiring.post[~inner])

    built = build(config, start=lambda: np.random.normal(0, config.start_sd_mv, config.neurons), wire=wire)
    built.network.run(config.duration_ms * b2.ms, namespace={})
    outcome = Outcome(
        v_mv=np.asarray(built.voltages.v / b2.mV).T.copy(),
        step=np.rint(np.asarray(built.spikes.t / b2.ms) / config.dt_ms).astype(np.int32),
        neuron=np.array(built.spikes.i, dtype=np.int32),
        wiring=wiring or _drawn(built, e),
    )
    del built
    return outcome


def _drawn(built: Any, num_excitatory: int) -> Connectivity:
    """The network that Brian2 drew, sorted by presynaptic neuron."""
    pre = np.concatenate([np.array(built.excitatory.i), np.array(built.inhibitory.i) + num_excitatory])
    post = np.concatenate([np.array(built.excitatory.j), np.array(built.inhibitory.j)])
    order = np.lexsort((post, pre))
    return Connectivity(pre[order].astype(np.int32), post[order].astype(np.int32))
