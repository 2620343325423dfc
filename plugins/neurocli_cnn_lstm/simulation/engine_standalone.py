"""The standalone engine: the network as one compiled program, then one process per run.

The program is generated and compiled once. The seed of the noise and the file with the network's synapses come to it
through the environment, so that no run, no seed and no redrawn network needs another compilation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.errors import NeuroError
from neurocli.simulation.program import Program, compiled, generating
from neurocli_cnn_lstm.simulation.brunel_network import Connectivity, build, check_rate
from neurocli_cnn_lstm.simulation.engine_runtime import Outcome
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig

SEED_VARIABLE, NETWORK_VARIABLE = "NEUROCLI_NOISE_SEED", "NEUROCLI_NETWORK"
_VERSION = 1
# These come in through the environment or decide nothing inside the program.
_NOT_COMPILED = {"seed", "network_seed", "network", "engine", "seeding", "probability"}

_RESEED = f"""
{{
    const char *text = getenv("{SEED_VARIABLE}");
    if (text == NULL) {{ std::cerr << "{SEED_VARIABLE} is not set" << std::endl; return 2; }}
    for (size_t k = 0; k < brian::_random_generators.size(); k++)
        brian::_random_generators[k].seed(strtoul(text, NULL, 10) + k);
}}
"""

# The synapses in the file: the number of neurons n, then n + 1 starts, then the targets, all int64.
_READ_NETWORK = f"""
static const std::vector<int64_t> &neurocli_network() {{
    static std::vector<int64_t> data;
    if (data.empty()) {{
        const char *path = getenv("{NETWORK_VARIABLE}");
        std::ifstream file(path == NULL ? "" : path, std::ios::binary | std::ios::ate);
        if (!file) {{ std::cerr << "{NETWORK_VARIABLE} names no file" << std::endl; exit(2); }}
        data.resize(file.tellg() / sizeof(int64_t));
        file.seekg(0);
        file.read(reinterpret_cast<char *>(data.data()), data.size() * sizeof(int64_t));
    }}
    return data;
}}
"""
_FIRST_OF = _READ_NETWORK + "static int64_t first_of(int64_t i) { return neurocli_network()[1 + i]; }\n"
_TARGET_OF = "static int64_t target_of(int64_t k) { return neurocli_network()[2 + neurocli_network()[0] + k]; }\n"


def program_of(config: BrunelConfig, work: Path) -> Program:
    """The program of these parameters. Raises ConfigError for a rate that the network cannot have."""
    check_rate(config)
    return Program(
        __name__, config, work, left_out=_NOT_COMPILED, version=_VERSION, otherwise="choose engine = runtime"
    )


def simulate(config: BrunelConfig, noise_seed: int, wiring: Connectivity, work: Path) -> Outcome:
    """One run in a process of its own."""
    program = program_of(config, work)
    with program.results() as results:
        network = results / "network.bin"
        np.concatenate([[config.neurons], wiring.starts(config.neurons), wiring.post]).astype("<i8").tofile(network)
        files = program.run(results, {SEED_VARIABLE: str(noise_seed), NETWORK_VARIABLE: str(network)})
        v = np.fromfile(files["v"], np.float64).reshape(-1, len(config.recorded))
        expected = -(-config.steps // round(config.record_ms / config.dt_ms))
        if len(v) != expected:
            raise NeuroError(
                f"the compiled simulation wrote {len(v)} samples, not {expected}", where=str(program.folder)
            )
        spike_s = np.fromfile(files["t"], np.float64)
        neuron = np.fromfile(files["i"], np.int32)
    step = np.rint(spike_s * 1e3 / config.dt_ms).astype(np.int32)
    return Outcome(v_mv=v * 1e3, step=step, neuron=neuron, wiring=wiring)


def _generate(config: BrunelConfig, folder: Path) -> None:
    """In the child: write the program's source into `folder`, compile it, and note where it will put its results."""
    b2 = generating(folder)
    b2.get_device().insert_code("after_start", _RESEED)
    headers = ["<fstream>", "<iostream>", "<vector>", "<cstdlib>", "<stdint.h>"]

    # Brian2's form for functions that exist in C++ alone: the Python bodies say so and are never called.
    @b2.implementation("cpp", _FIRST_OF, headers=headers)
    @b2.declare_types(i="integer", result="integer")
    @b2.check_units(i=1, result=1)
    def first_of(i: Any) -> Any:
        raise NotImplementedError

    @b2.implementation("cpp", _TARGET_OF, headers=headers, dependencies={"first_of": first_of})
    @b2.declare_types(k="integer", result="integer")
    @b2.check_units(k=1, result=1)
    def target_of(k: Any) -> Any:
        raise NotImplementedError

    def wire(excitatory: Any, inhibitory: Any) -> None:
        reads = {"first_of": first_of, "target_of": target_of}
        for synapses, offset in ((excitatory, 0), (inhibitory, config.num_excitatory)):
            synapses.namespace.update(reads)
            synapses.connect(j=f"target_of(k) for k in range(first_of(i + {offset}), first_of(i + {offset + 1}))")

    built = build(config, wire=wire)
    built.network.run(config.duration_ms * b2.ms, namespace={})
    names = {"v": built.voltages.variables["v"], "t": built.spikes.variables["t"], "i": built.spikes.variables["i"]}
    compiled(b2, folder, config, names)


if __name__ == "__main__":
    _generate(BrunelConfig.model_validate_json(sys.stdin.read()), Path(sys.argv[1]))
