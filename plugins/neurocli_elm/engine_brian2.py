"""The engine `brian2`: the same equations in Brian2's SpatialNeuron, as one compiled program and one process per simulation.

The program is generated and compiled once for a cell; the events come to it in a file that an environment variable names.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import NeuroError
from neurocli.runs.atomic import storage_errors, write_json
from neurocli_elm.compartments import (
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
from neurocli_elm.engine_numba import Voltages
from neurocli_elm.parameters import DendriteConfig

EVENTS_VARIABLE = "NEUROCLI_EVENTS"
_VERSION = 1
_MANIFEST = "program.json"

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


class EngineUnavailable(NeuroError):
    """The program cannot be compiled here: there is no compiler, or it fails."""

    kind = "engine-unavailable"


def is_ready(config: DendriteConfig, work: Path) -> bool:
    """Whether the program is compiled already."""
    return (_program(config, work) / _MANIFEST).exists()


def prepare(config: DendriteConfig, work: Path) -> Path:
    """The folder of the compiled program, which appears whole or not at all. Raises EngineUnavailable."""
    from filelock import FileLock

    program = _program(config, work)
    with storage_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / f".{program.name}.lock"):
            if is_ready(config, work):
                return program
            _need_compiler()
            for left in work.glob(f".{program.name}.*.tmp"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{program.name}.", suffix=".tmp", dir=work))
            try:
                _compile(config, temporary)
                temporary.rename(program)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return program


def simulate(
    config: DendriteConfig, cell: Cell, event_ms: NDArray[Any], event_input: NDArray[Any], work: Path
) -> Voltages:
    """From rest, with these events, in a process of its own."""
    program = prepare(config, work)
    files = json.loads((program / _MANIFEST).read_text(encoding="utf-8"))
    arrived = np.zeros((config.duration_ms, 2 * cell.morphology.segments), np.uint8)
    arrived[event_ms, event_input] = 1
    with storage_errors(work), tempfile.TemporaryDirectory(prefix="results-", dir=work) as folder:
        results = Path(folder).resolve()
        events = results / "events.bin"
        arrived.tofile(events)
        done = subprocess.run(
            [str((program / "main").resolve()), "--results_dir", f"{results}/"],
            cwd=program,
            env={**os.environ, EVENTS_VARIABLE: str(events)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode or not (results / "last_run_info.txt").exists():
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
            raise NeuroError(
                f"the compiled simulation ended with code {done.returncode}: {reason[0]}", where=str(program)
            )
        steps = config.duration_ms * config.steps_per_ms
        soma, nexus = 1e3 * np.fromfile(results / files["traces"], np.float64).reshape(steps, 2).T
        segments = None
        if config.record_dendrites:
            segments = 1e3 * np.fromfile(results / files["segments"], np.float64).reshape(config.duration_ms, -1)
    return Voltages(soma, nexus, segments)


def _program(config: DendriteConfig, work: Path) -> Path:
    """Named by everything that is compiled into it."""
    content = {
        "config": config.model_dump(mode="json", exclude={"seed", "engine"}),
        "brian2": importlib.metadata.version("brian2"),
        "version": _VERSION,
        "machine": os.uname().machine if hasattr(os, "uname") else sys.platform,
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return work / f"program-{key}"


def _need_compiler() -> None:
    for tool in (os.environ.get("CXX", "g++").split()[0], "make"):
        if sys.platform == "win32" or shutil.which(tool) is None:
            raise EngineUnavailable(
                f"the engine brian2 needs {tool}, which is not here",
                where="engine",
                hint="install a C++ compiler and make, or choose engine = numba",
            )


def _compile(config: DendriteConfig, folder: Path) -> None:
    """Generate and compile in a child process: Brian2's device is global, and compilers print."""
    child = subprocess.run(
        [sys.executable, "-m", "neurocli_elm.engine_brian2", str(folder.resolve())],
        input=config.model_dump_json(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if child.returncode or not (folder / _MANIFEST).exists():
        lines = [line for line in (child.stdout + child.stderr).splitlines() if line.strip()]
        raise EngineUnavailable(
            f"the simulation could not be compiled: {' | '.join(lines[-3:])}",
            where="engine",
            hint="choose engine = numba",
        )


def _generate(config: DendriteConfig, folder: Path) -> None:
    """In the child: write the program's source into `folder`, compile it, and note where it will put its results."""
    import brian2 as b2

    b2.prefs.logging.file_log = False
    # No -march=native: the same source gives the same numbers on every machine of a cluster.
    b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-std=c++11"]
    b2.set_device("cpp_standalone", build_on_run=False)
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
    device = b2.get_device()
    device.build(directory=str(folder), compile=True, run=False, with_output=True)
    names = {name: device.get_array_filename(monitor.variables["v"]) for name, monitor in monitors.items()}
    write_json(folder / _MANIFEST, {name: Path(file).name for name, file in names.items()})


def _neuron(b2: Any, config: DendriteConfig, cell: Cell) -> Any:
    """The cell, at rest, with the arrival of its events."""
    from neurocli_elm.cable_kernel import gates_at_rest

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
