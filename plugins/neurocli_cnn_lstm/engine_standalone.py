"""The standalone engine: the network as one compiled program, then one process per run.

The program is generated and compiled once. The seed of the noise and the file with the network's synapses come to it
through the environment, so that no run, no seed and no redrawn network needs another compilation.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.errors import NeuroError
from neurocli.runs.atomic import storage_errors, write_json
from neurocli_cnn_lstm.brunel_network import Connectivity, build, check_rate, load_brian2
from neurocli_cnn_lstm.engine_runtime import Outcome
from neurocli_cnn_lstm.parameters import BrunelConfig

SEED_VARIABLE, NETWORK_VARIABLE = "NEUROCLI_NOISE_SEED", "NEUROCLI_NETWORK"
_VERSION = 1
# These come in through the environment or decide nothing inside the program.
_NOT_COMPILED = {"seed", "network_seed", "network", "engine", "seeding", "probability"}
_MANIFEST = "program.json"

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


class EngineUnavailable(NeuroError):
    """The program cannot be compiled here: there is no compiler, or it fails."""

    kind = "engine-unavailable"


def prepare(config: BrunelConfig, work: Path) -> Path:
    """The folder of the compiled program, compiled now where it is not there yet. Raises EngineUnavailable.

    Safe against being killed (the folder appears whole or not at all) and against a second process.
    """
    check_rate(config)
    program = work / f"program-{_key(config)}"
    _sweep(work)
    if (program / _MANIFEST).exists():
        return program
    _need_compiler()
    with storage_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        with _locked(work / f".{program.name}.lock") as alone:
            if (program / _MANIFEST).exists():
                return program
            if alone:  # whoever made these is gone
                for left in work.glob(f".{program.name}.*.tmp"):
                    shutil.rmtree(left, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{program.name}.", suffix=".tmp", dir=work))
            try:
                _compile(config, temporary)
                with contextlib.suppress(OSError):  # another process was faster, where there are no locks
                    temporary.rename(program)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    if not (program / _MANIFEST).exists():
        raise EngineUnavailable("the compiled simulation could not be put in its place", where=str(program))
    return program


def is_ready(config: BrunelConfig, work: Path) -> bool:
    """Whether the program is compiled already."""
    return (work / f"program-{_key(config)}" / _MANIFEST).exists()


def simulate(config: BrunelConfig, noise_seed: int, wiring: Connectivity, work: Path) -> Outcome:
    """One run in a process of its own."""
    program = work / f"program-{_key(config)}" if is_ready(config, work) else prepare(config, work)
    files = json.loads((program / _MANIFEST).read_text(encoding="utf-8"))["files"]
    prefix = f"{_results_prefix()}{os.getpid()}-"
    with storage_errors(work), tempfile.TemporaryDirectory(prefix=prefix, dir=work) as folder:
        results = Path(folder).resolve()
        network = results / "network.bin"
        np.concatenate([[config.neurons], wiring.starts(config.neurons), wiring.post]).astype("<i8").tofile(network)
        environment = {**os.environ, SEED_VARIABLE: str(noise_seed), NETWORK_VARIABLE: str(network)}
        command = [str((program / "main").resolve()), "--results_dir", f"{results}/"]
        done = subprocess.run(
            command,
            cwd=program,
            env=environment,
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
        v = np.fromfile(results / files["v"], np.float64).reshape(-1, len(config.recorded))
        expected = -(-config.steps // round(config.record_ms / config.dt_ms))
        if len(v) != expected:
            raise NeuroError(f"the compiled simulation wrote {len(v)} samples, not {expected}", where=str(program))
        spike_s = np.fromfile(results / files["t"], np.float64)
        neuron = np.fromfile(results / files["i"], np.int32)
    step = np.rint(spike_s * 1e3 / config.dt_ms).astype(np.int32)
    return Outcome(v_mv=v * 1e3, step=step, neuron=neuron, wiring=wiring)


def _key(config: BrunelConfig) -> str:
    """Names the program: everything that is compiled into it."""
    content = {
        "config": config.model_dump(mode="json", exclude=_NOT_COMPILED),
        "brian2": importlib.metadata.version("brian2"),
        "version": _VERSION,
        "machine": os.uname().machine if hasattr(os, "uname") else sys.platform,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _results_prefix() -> str:
    return f"results-{socket.gethostname()}-"


def _sweep(work: Path) -> None:
    """Remove what killed runs of this machine left; other machines' processes cannot be asked."""
    for left in work.glob(f"{_results_prefix()}*"):
        pid = left.name.removeprefix(_results_prefix()).partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (OSError, ValueError):
            continue


def _need_compiler() -> None:
    compiler = os.environ.get("CXX", "g++").split()[0]
    for tool in (compiler, "make"):
        if sys.platform == "win32" or shutil.which(tool) is None:
            raise EngineUnavailable(
                f"the standalone engine needs {tool}, which is not here",
                where="engine",
                hint="install a C++ compiler and make, or choose engine = runtime",
            )


def _compile(config: BrunelConfig, folder: Path) -> None:
    """Generate and compile in a child process: Brian2's device is global, and compilers print."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.run(
        [sys.executable, "-m", "neurocli_cnn_lstm.engine_standalone", str(folder.resolve())],
        input=config.model_dump_json(),
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if child.returncode or not (folder / _MANIFEST).exists():
        lines = [line for line in (child.stdout + child.stderr).splitlines() if line.strip()]
        raise EngineUnavailable(
            f"the simulation could not be compiled: {' | '.join(lines[-3:])}",
            where="engine",
            hint="choose engine = runtime",
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock that goes with the process; gives False where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            held = True
        except OSError:
            held = False
        yield held


def _generate(config: BrunelConfig, folder: Path) -> None:
    """In the child: write the program's source into `folder`, compile it, and note where it will put its results."""
    b2 = load_brian2()
    # No -march=native: the same source gives the same numbers on every machine of a cluster.
    b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-std=c++11"]
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    b2.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
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
    device = b2.get_device()
    device.build(directory=str(folder), compile=True, run=False, with_output=True)
    names = {"v": built.voltages.variables["v"], "t": built.spikes.variables["t"], "i": built.spikes.variables["i"]}
    files = {name: Path(device.get_array_filename(variable)).name for name, variable in names.items()}
    write_json(folder / _MANIFEST, {"files": files, "config": config.model_dump(mode="json")})


if __name__ == "__main__":
    _generate(BrunelConfig.model_validate_json(sys.stdin.read()), Path(sys.argv[1]))
