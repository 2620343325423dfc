"""The engine `brian2`: the same equations in Brian2's SpatialNeuron, as one compiled program and one process per simulation.

The program is generated and compiled once for a cell; the events come to it in a file that an environment variable names.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.simulation.program import Program, compiled, generating
from neurocli_elm.simulation.compartments import (
    E_EXCITATORY,
    E_POTASSIUM,
    E_SODIUM,
    MAGNESIUM_MM,
    SLOW_HALF_MV,
    SLOW_WIDTH_MV,
    Cell,
    cell_of,
    nmda_scale,
)
from neurocli_elm.simulation.engine_numba import Voltages
from neurocli_elm.simulation.parameters import DendriteConfig

EVENTS_VARIABLE = "NEUROCLI_EVENTS"
_VERSION = 1

# In the file: one byte for each ms and input, 1 where there is an event.
_ARRIVED = f"""
static double arrived(int64_t input, int64_t ms, int64_t inputs) {{
    static std::vector<char> data;
    if (data.empty()) {{
        const char *path = getenv("{EVENTS_VARIABLE}");
        std::ifstream file(path == NULL ? "" : path, std::ios::binary | std::ios::ate);
        if (!file) {{ std::cerr << "{EVENTS_VARIABLE} names no file" << std::endl; exit(2); }}
        data.resize(file.tellg());
        file.seekg(0);
        file.read(data.data(), data.size());
    }}
    size_t place = ms * inputs + input;
    return input >= 0 && place < data.size() ? data[place] : 0;
}}
"""

_EQUATIONS = """
Im = leak*(e_leak - v) + (excitatory*(e_excitatory - v) + gaba*(e_gaba - v))/area
     + sodium*m**3*h*(e_sodium - v) + (potassium*n**4 + slow*p)*(e_potassium - v) : amp/meter**2
excitatory = ampa + (nmda - rise)*block : siemens
block = 1/(1 + magnesium*exp(-slope*v/mV)) : 1 (constant over dt)
dampa/dt = -ampa/tau_ampa : siemens
drise/dt = -rise/tau_rise : siemens
dnmda/dt = -nmda/tau_nmda : siemens
dgaba/dt = -gaba/tau_gaba : siemens
u = v/mV - shift : 1
dm/dt = (0.32*4/exprel((13 - u)/4)*(1 - m) - 0.28*5/exprel((u - 40)/5)*m)/ms : 1
dh/dt = (0.128*exp((17 - u)/18)*(1 - h) - 4/(1 + exp((40 - u)/5))*h)/ms : 1
dn/dt = (0.032*5/exprel((15 - u)/5)*(1 - n) - 0.5*exp((10 - u)/40)*n)/ms : 1
w = v/mV - slow_half : 1
dp/dt = (1/(1 + exp(-w/slow_width)) - p)*(3.3*exp(w/20) + exp(-w/20))/tau_slow : 1
sodium : siemens/meter**2 (constant)
potassium : siemens/meter**2 (constant)
slow : siemens/meter**2 (constant)
weight_ampa : siemens (constant)
weight_nmda : siemens (constant)
weight_gaba : siemens (constant)
"""

_ARRIVALS = """
ampa += weight_ampa*arrived(i - 1, int(t/ms + 0.5), inputs)
rise += weight_nmda*arrived(i - 1, int(t/ms + 0.5), inputs)
nmda += weight_nmda*arrived(i - 1, int(t/ms + 0.5), inputs)
gaba += weight_gaba*arrived(i - 1 + segments, int(t/ms + 0.5), inputs)
"""


def program_of(config: DendriteConfig, work: Path) -> Program:
    """The program of this cell."""
    left_out = {"seed", "engine"}
    return Program(__name__, config, work, left_out=left_out, version=_VERSION, otherwise="choose engine = numba")


def simulate(
    config: DendriteConfig, cell: Cell, event_ms: NDArray[Any], event_input: NDArray[Any], work: Path
) -> Voltages:
    """From rest, with these events, in a process of its own."""
    program = program_of(config, work)
    arrived = np.zeros((config.duration_ms, 2 * cell.morphology.segments), np.uint8)
    arrived[event_ms, event_input] = 1
    with program.results() as results:
        events = results / "events.bin"
        arrived.tofile(events)
        files = program.run(results, {EVENTS_VARIABLE: str(events)})
        steps = config.duration_ms * config.steps_per_ms
        soma, nexus = 1e3 * np.fromfile(files["traces"], np.float64).reshape(steps, 2).T
        segments = None
        if config.record_dendrites:
            segments = 1e3 * np.fromfile(files["segments"], np.float64).reshape(config.duration_ms, -1)
    return Voltages(soma, nexus, segments)


def _generate(config: DendriteConfig, folder: Path) -> None:
    """In the child: write the program's source into `folder`, compile it, and note where it will put its results."""
    b2 = generating(folder)
    b2.defaultclock.dt = config.dt_ms * b2.ms
    neuron = _neuron(b2, config, cell_of(config))
    nexus = cell_of(config).morphology.nexus + 1
    traces = b2.StateMonitor(neuron, "v", record=[0, nexus], name="traces")
    network = b2.Network(neuron, traces)
    monitors = {"traces": traces}
    if config.record_dendrites:
        everywhere = list(range(1, config.segments + 1))
        monitors["segments"] = b2.StateMonitor(neuron, "v", record=everywhere, dt=1 * b2.ms, name="segments")
        network.add(monitors["segments"])
    network.run(config.duration_ms * b2.ms, namespace={})
    compiled(b2, folder, config, {name: monitor.variables["v"] for name, monitor in monitors.items()})


def _neuron(b2: Any, config: DendriteConfig, cell: Cell) -> Any:
    """The cell, at rest, with the arrival of its events."""
    from neurocli_elm.simulation.cable_kernel import gates_at_rest

    @b2.implementation("cpp", _ARRIVED, headers=["<fstream>", "<iostream>", "<vector>", "<cstdlib>", "<stdint.h>"])
    @b2.declare_types(input="integer", ms="integer", inputs="integer", result="float")
    @b2.check_units(input=1, ms=1, inputs=1, result=1)
    def arrived(input: Any, ms: Any, inputs: Any) -> Any:  # Brian2's form for what exists in C++ alone: never called
        raise NotImplementedError

    mv, ms, ns = b2.mV, b2.ms, b2.nS
    density = b2.msiemens / b2.cm**2
    capacity = b2.ufarad / b2.cm**2
    constants = {
        "leak": config.leak_ms_per_cm2 * density,
        "e_leak": config.rest_mv * mv,
        "e_excitatory": E_EXCITATORY * mv,
        "e_gaba": config.gaba_reversal_mv * mv,
        "e_sodium": E_SODIUM * mv,
        "e_potassium": E_POTASSIUM * mv,
        "magnesium": config.magnesium_mm / MAGNESIUM_MM,
        "slope": config.magnesium_slope,
        "tau_ampa": config.ampa_tau_ms * ms,
        "tau_rise": config.nmda_rise_ms * ms,
        "tau_nmda": config.nmda_tau_ms * ms,
        "tau_gaba": config.gaba_tau_ms * ms,
        "tau_slow": config.slow_potassium_tau_ms * ms,
        "shift": config.spike_shift_mv,
        "slow_half": SLOW_HALF_MV,
        "slow_width": SLOW_WIDTH_MV,
        "segments": config.segments,
        "inputs": 2 * config.segments,
        "arrived": arrived,
    }
    neuron = b2.SpatialNeuron(
        morphology=_tree(b2, cell),
        model=_EQUATIONS,
        Cm=config.dendrite_uf_per_cm2 * capacity,
        Ri=config.axial_ohm_cm * b2.ohm * b2.cm,
        method="exponential_euler",
        namespace=constants,
        name="dendrite",
    )
    neuron.Cm[0] = config.soma_uf_per_cm2 * capacity
    neuron.v = config.rest_mv * mv
    for gate, value in zip("mhnp", gates_at_rest(config.rest_mv, config.spike_shift_mv), strict=True):
        setattr(neuron, gate, value)
    neuron.sodium[0] = config.sodium_ms_per_cm2 * density
    neuron.potassium[0] = config.potassium_ms_per_cm2 * density
    neuron.slow[0] = config.slow_potassium_ms_per_cm2 * density
    neuron.weight_ampa = np.concatenate([[0], cell.ampa_ns]) * ns
    scale = nmda_scale(config.nmda_rise_ms, config.nmda_tau_ms)
    neuron.weight_nmda = np.concatenate([[0], scale * cell.nmda_ns]) * ns
    neuron.weight_gaba = np.concatenate([[0], cell.gaba_ns]) * ns
    neuron.run_regularly(_ARRIVALS, dt=1 * ms, when="synapses", name="arrivals")
    return neuron


def _tree(b2: Any, cell: Cell) -> Any:
    """Brian2's morphology; it numbers compartments as we do, which is looked at."""
    from brian2.spatialneuron.spatialneuron import FlatMorphology

    um = b2.um
    root = b2.Soma(diameter=cell.morphology.soma_diameter_um * um)
    sections: list[Any] = []
    for number, branch in enumerate(cell.morphology.branches):
        holder = root if branch.parent < 0 else sections[branch.parent]
        section = b2.Cylinder(n=branch.segments, length=branch.length_um * um, diameter=branch.diameter_um * um)
        setattr(holder, f"branch{number}", section)
        sections.append(section)
    if not np.allclose(FlatMorphology(root).distance[1:] * 1e6, cell.morphology.distance_um):
        raise RuntimeError("Brian2 numbers the compartments in another order")
    return root


if __name__ == "__main__":
    _generate(DendriteConfig.model_validate_json(sys.stdin.read()), Path(sys.argv[1]))
