"""The Brunel network in Brian2: connectivity as explicit arrays, every object named, the order within a step fixed.

Order in a step: monitor and fresh noise (start) → Euler → threshold → external input and synapses → reset. `unless
refractory` holds v still and also drops whatever synapses and external inputs write to it.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError
from neurocli.simulation.program import load_brian2
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig

EXCITATORY, INHIBITORY = 1, 2


@dataclass(frozen=True)
class Connectivity:
    """Synapses sorted by presynaptic neuron: pre and post are int32 [synapse]; excitatory neurons come first."""

    pre: NDArray[np.int32]
    post: NDArray[np.int32]

    def weights_mv(self, config: BrunelConfig) -> NDArray[np.float32]:
        """Weight of each synapse in mV, negative where inhibitory."""
        return np.where(self.pre < config.num_excitatory, config.j_mv, -config.g * config.j_mv).astype(np.float32)

    def truth(self, config: BrunelConfig) -> dict[str, NDArray[Any]]:
        return {"pre": self.pre, "post": self.post, "weight_mv": self.weights_mv(config)}

    def starts(self, neurons: int) -> NDArray[np.int64]:
        """[neurons + 1]: the synapses of neuron i are starts[i] to starts[i + 1]."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.pre, minlength=neurons))]).astype(np.int64)


@dataclass
class Built:
    """The Brian2 objects of one network."""

    network: Any
    neurons: Any
    excitatory: Any
    inhibitory: Any
    spikes: Any
    voltages: Any


def connectivity(config: BrunelConfig, network_seed: int) -> Connectivity:
    """The network of a seed: each ordered pair, autapses too, is connected with `probability`."""
    rng = np.random.default_rng(network_seed)
    # Row by row: the draws are those of one [n, n] array, the memory is that of one row.
    targets = [np.flatnonzero(rng.random(config.neurons) < config.probability) for _ in range(config.neurons)]
    pre = np.repeat(np.arange(config.neurons), [len(row) for row in targets])
    return Connectivity(pre.astype(np.int32), np.concatenate(targets).astype(np.int32))


def neuron_types(config: BrunelConfig) -> NDArray[np.int8]:
    """[neuron]: 1 excitatory, 2 inhibitory."""
    return np.where(np.arange(config.neurons) < config.num_excitatory, EXCITATORY, INHIBITORY).astype(np.int8)


def check_rate(config: BrunelConfig) -> None:
    """Each external input fires at most once per step: refuse rates that would need more."""
    if config.external_rate_hz * config.dt_ms * 1e-3 > 1:
        raise ConfigError(
            f"an external input of {config.external_rate_hz:g} Hz would fire more than once in {config.dt_ms:g} ms",
            where="external_rate",
            hint="lower external_rate or dt_ms, or raise external_inputs",
        )


def build(config: BrunelConfig, *, start: Any = None, wire: Any = None) -> Built:
    """Build the network.

    start: mV above rest [neuron] at the beginning, or a function that draws it; None: Brian2 draws it.
    wire: called with (excitatory synapses, inhibitory synapses) to connect them.
    """
    check_rate(config)
    b2 = load_brian2()
    # Objects of an earlier network that await collection would give ours numbered names: a new compilation.
    gc.collect()
    mv, ms = b2.mV, b2.ms
    b2.defaultclock.dt = config.dt_ms * ms
    step = b2.defaultclock.dt
    constants = {
        "tau": config.tau_ms * ms,
        "tau_noise": config.tau_noise_ms * ms,
        "rest": config.rest_mv * mv,
        "theta": config.threshold_mv * mv,
        "noise_sd": config.noise_mv * mv,
        "start_sd": config.start_sd_mv * mv,
        "j_exc": config.j_mv * mv,
        "j_inh": -config.g * (config.j_mv * mv),
    }
    neurons = b2.NeuronGroup(
        config.neurons,
        """dv/dt = (rest - v)/tau + noise/tau_noise : volt (unless refractory)
           noise : volt""",
        threshold="v > theta",
        reset="v = rest",
        refractory=config.refractory_ms * ms,
        method="euler",
        namespace=constants,
        name="brunel",
    )
    if start is None:
        neurons.v = "rest + start_sd*randn()"
    else:
        neurons.v = constants["rest"] + (start() if callable(start) else start) * mv
    noise = neurons.run_regularly("noise = noise_sd*randn()", dt=step, name="brunel_noise")
    # External input first, then inhibition, then excitation: the order of the published run, to the last bit.
    shared = {"target": neurons, "delay": config.delay_ms * ms, "namespace": constants}
    e, n = config.num_excitatory, config.neurons
    sources = neurons[:e], neurons[e:n]
    excitatory = b2.Synapses(sources[0], on_pre="v_post += j_exc", name="brunel_exc", **shared)
    inhibitory = b2.Synapses(sources[1], on_pre="v_post += j_inh", name="brunel_inh", **shared)
    inhibitory.pre.order, excitatory.pre.order = 1, 2
    if wire is not None:
        wire(excitatory, inhibitory)
    spikes = b2.SpikeMonitor(neurons, name="brunel_spikes")
    voltages = b2.StateMonitor(neurons, "v", record=config.recorded, dt=config.record_ms * ms, name="brunel_voltages")
    network = b2.Network(neurons, noise, excitatory, inhibitory, spikes, voltages, name="brunel_network")
    if config.external_inputs and config.external_rate > 0:
        network.add(
            b2.PoissonInput(
                neurons,
                "v",
                N=config.external_inputs,
                rate=config.external_rate_hz * b2.Hz,
                weight=config.j_mv * mv,
                order=0,
            )
        )
    return Built(network, neurons, excitatory, inhibitory, spikes, voltages)
