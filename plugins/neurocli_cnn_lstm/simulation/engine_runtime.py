"""The runtime engine: Brian2 in this process, with Cython where there is a compiler and numpy where there is none.

It is the slow engine, and, with Cython, the one that reproduces the published spike times byte for byte: numpy code draws the same
distributions from another random stream.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import Notice
from neurocli.plugin.quiet import captured_stdout
from neurocli.simulation.program import load_brian2
from neurocli_cnn_lstm.simulation.brunel_network import Connectivity, build
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig


@dataclass(frozen=True)
class Outcome:
    """What an engine gives: v_mv float64 [record, recorded neuron], spikes as step and neuron [spike], the network.

    code: `numpy` where Brian2 could not compile any, else `compiled`.
    """

    v_mv: NDArray[np.float64]
    step: NDArray[np.int32]
    neuron: NDArray[np.int32]
    wiring: Connectivity
    code: str = "compiled"


SLOWER = "which takes about 3 times as long and draws another random stream"
"""What Brian2's numpy code costs for the published network, per simulated second."""
_TRIAL_STEPS = 3


def simulate(
    config: BrunelConfig, noise_seed: int, wiring: Connectivity | None, *, only_numpy: bool = False
) -> Outcome:
    """One run. `wiring` None: Brian2 draws the network from the run's own stream, as the published script does.

    only_numpy: nothing is compiled. Where a compilation fails, numpy code takes over, with a warning.
    """
    b2 = load_brian2()
    state = np.random.get_state()  # Brian2 seeds and uses numpy's global generator; the caller must not notice
    try:
        with captured_stdout(), _numpy_code(b2, only_numpy):
            if _target(b2) == "numpy":
                return _run(b2, config, noise_seed, wiring)
            try:
                return _run(b2, config, noise_seed, wiring)
            except MemoryError:
                raise
            except (
                Exception
            ) as error:  # compilers and caches fail in a dozen ways; a fault of our own fails in numpy code too
                # Brian2 would say of each object that it was made for nothing.
                b2.BrianLogger.suppress_name("unused_brian_object")
                warnings.warn(f"{_failed(error)}; using numpy code, {SLOWER}", Notice, stacklevel=2)
                with _numpy_code(b2, True):
                    return _run(b2, config, noise_seed, wiring)
    finally:
        np.random.set_state(state)
        gc.collect()


def why_not_compiled(config: BrunelConfig, wiring: Connectivity | None) -> str | None:
    """Compile what a run needs by running a few steps of it; gives the reason where that cannot be, None where it can."""
    b2 = load_brian2()
    short = config.model_copy(update={"duration_ms": _TRIAL_STEPS * config.dt_ms})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Notice)
        outcome = simulate(short, 0, wiring)
    if outcome.code == "compiled":
        return None
    if str(b2.prefs["codegen.target"]) == "numpy":
        return "Brian2's code generation is set to numpy"
    said = [str(one.message).partition("; using")[0] for one in caught if one.category is Notice]
    return said[0] if said else "there is no C++ compiler that works"


def _failed(error: Exception) -> str:
    lines = [line.strip() for line in f"{error.__cause__ or error}".splitlines() if line.strip()]
    return f"Brian2 cannot compile its code ({(lines or [type(error).__name__])[0][:200]})"


@contextlib.contextmanager
def _numpy_code(b2: Any, wanted: bool) -> Iterator[None]:
    """Brian2 with numpy code during the block, where that is wanted."""
    before = b2.prefs["codegen.target"]
    if wanted:
        b2.prefs["codegen.target"] = "numpy"
    try:
        yield
    finally:
        b2.prefs["codegen.target"] = before


def _target(b2: Any) -> str:
    """`numpy` or `cython`. The first to ask compiles a few lines; that they fail is our caller's to say, not Brian2's."""
    from brian2.devices.device import auto_target
    from brian2.utils.logger import catch_logs

    target = b2.prefs["codegen.target"]
    if target != "auto":
        return str(target)
    with catch_logs():
        return str(auto_target().class_name)


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
        code="numpy" if _target(b2) == "numpy" else "compiled",
    )
    del built
    return outcome


def _drawn(built: Any, num_excitatory: int) -> Connectivity:
    """The network that Brian2 drew, sorted by presynaptic neuron."""
    pre = np.concatenate([np.array(built.excitatory.i), np.array(built.inhibitory.i) + num_excitatory])
    post = np.concatenate([np.array(built.excitatory.j), np.array(built.inhibitory.j)])
    order = np.lexsort((post, pre))
    return Connectivity(pre[order].astype(np.int32), post[order].astype(np.int32))
