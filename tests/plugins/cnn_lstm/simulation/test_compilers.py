"""Compilers that are gone or fail: numpy code takes over and says so, and a failed compilation says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurocli.simulation.program import EngineUnavailable, _reason
from neurocli_cnn_lstm.simulation import engine_runtime
from neurocli_cnn_lstm.simulation.engine_standalone import program_of
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig

SMALL = {"duration_ms": 20.0, "neurons": 20}
RUN = """
import sys
from pathlib import Path
from neurocli.plugin.registry import registry
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.simulator import BrunelSimulator
config = BrunelConfig(duration_ms=20.0, neurons=20, engine=sys.argv[2])
simulator, work = BrunelSimulator(registry().simulator("brunel")), Path(sys.argv[1])
simulator.prepare(config, work, lambda line: print("said:", line))
print("engine:", simulator.simulate(config, 0, work).labels["engine"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["runtime", "standalone"])
@pytest.mark.parametrize("compiler", ["fails", "is gone"])
def test_without_a_compiler_that_works_numpy_code_runs(engine, compiler, tmp_path):
    broken = {"CXX": "/bin/false", "CC": "/bin/false"} if compiler == "fails" else {"PATH": str(tmp_path)}
    environment = {**os.environ, "HOME": str(tmp_path), **broken}  # HOME: an empty cache
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path), engine], capture_output=True, text=True, env=environment)  # fmt: skip
    assert done.returncode == 0 and "engine: runtime, numpy code" in done.stdout, done
    assert done.stdout.count("using numpy code, which takes about 3 times as long") == 1


def test_a_compilation_that_fails_in_the_middle_falls_back(monkeypatch):
    real = engine_runtime._run

    def run(b2, *rest):
        if engine_runtime._target(b2) != "numpy":
            raise OSError(28, "No space left on device")
        return real(b2, *rest)

    monkeypatch.setattr(engine_runtime, "_run", run)
    monkeypatch.setattr(
        engine_runtime, "_target", lambda b2: "numpy" if b2.prefs["codegen.target"] == "numpy" else "cython"
    )
    reason = engine_runtime.why_not_compiled(BrunelConfig(**SMALL, engine="runtime"), None)
    assert reason is not None and "No space left on device" in reason


def test_a_failed_compilation_says_why(tmp_path, monkeypatch):
    compiler = tmp_path / "g++"
    compiler.write_text(
        "#!/bin/sh\necho 'main.cpp:1:1: fatal error: error writing: No space left on device' >&2\nexit 1\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(EngineUnavailable, match="No space left on device"):
        program_of(BrunelConfig(**SMALL), tmp_path / "work").prepare()
    assert not list(Path(tmp_path / "work").glob("program-*"))


def test_the_reason_is_the_first_complaint():
    assert _reason("a\ncc: error: b\nraise RuntimeError(error: c)\nlast") == "cc: error: b"
    assert _reason("a\nlast") == "last" and _reason("") == "it says nothing"
