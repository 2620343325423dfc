"""A world that Brian2 compiles: one program, compiled once for its parameters, then one process for each group.

What differs between groups comes to the program through the environment, so that no seed needs another compilation.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from neurocli.errors import NeuroError
from neurocli.runs.atomic import storage_errors, write_json

_MANIFEST = "program.json"


class EngineUnavailable(NeuroError):
    """The program cannot be compiled here: there is no compiler, or it fails."""

    kind = "engine-unavailable"


class Program:
    """The compiled program of one set of parameters, in a folder of `work` that everything compiled into it names.

    module: what compiles when run as `python -m MODULE FOLDER` with the config as JSON on its stdin; it calls `generating`
    first and `compiled` last. left_out: options that come in through the environment or decide nothing in the program.
    version: of the module's equations. otherwise: what to do where nothing can be compiled, such as `choose engine = numba`.
    """

    def __init__(
        self, module: str, config: BaseModel, work: Path, *, left_out: Collection[str], version: int, otherwise: str
    ):
        content = {
            "config": config.model_dump(mode="json", exclude=set(left_out)),
            "brian2": importlib.metadata.version("brian2"),
            "version": version,
            "machine": os.uname().machine if hasattr(os, "uname") else sys.platform,
        }
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        self.module, self.config, self.work, self.otherwise = module, config, work, otherwise
        self.folder = work / f"program-{key}"

    @property
    def is_ready(self) -> bool:
        """Whether it is compiled already."""
        return (self.folder / _MANIFEST).exists()

    def prepare(self) -> None:
        """Compile it where it is not there yet. Raises EngineUnavailable.

        Safe against being killed (the folder appears whole or not at all) and against a second process.
        """
        from filelock import FileLock

        _sweep(self.work)
        if self.is_ready:
            return
        self._need_compiler()
        with storage_errors(self.work):
            self.work.mkdir(parents=True, exist_ok=True)
            with FileLock(self.work / f".{self.folder.name}.lock"):
                if self.is_ready:
                    return
                for left in self.work.glob(f".{self.folder.name}.*.tmp"):  # whoever made these is gone
                    shutil.rmtree(left, ignore_errors=True)
                temporary = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.", suffix=".tmp", dir=self.work))
                try:
                    self._compile(temporary)
                    temporary.rename(self.folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)

    @contextlib.contextmanager
    def results(self) -> Iterator[Path]:
        """A folder for what one run reads and writes, gone after the block."""
        if not self.is_ready:
            self.prepare()
        prefix = f"{_results_prefix()}{os.getpid()}-"
        with storage_errors(self.work), tempfile.TemporaryDirectory(prefix=prefix, dir=self.work) as folder:
            yield Path(folder).resolve()

    def run(self, results: Path, variables: Mapping[str, str]) -> dict[str, Path]:
        """Run it with these environment variables: {name: file of the values} of what `compiled` named.

        Raises NeuroError where the program fails.
        """
        done = subprocess.run(
            [str((self.folder / "main").resolve()), "--results_dir", f"{results}/"],
            cwd=self.folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode or not (results / "last_run_info.txt").exists():
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
            raise NeuroError(
                f"the compiled simulation ended with code {done.returncode}: {reason[0]}", where=str(self.folder)
            )
        files = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
        return {name: results / file for name, file in files.items()}

    def _need_compiler(self) -> None:
        for tool in (os.environ.get("CXX", "g++").split()[0], "make"):
            if sys.platform == "win32" or shutil.which(tool) is None:
                raise EngineUnavailable(
                    f"the compiled engine needs {tool}, which is not here",
                    where="engine",
                    hint=f"install a C++ compiler and make, or {self.otherwise}",
                )

    def _compile(self, folder: Path) -> None:
        """Generate and compile in a child process: Brian2's device is global, and compilers print."""
        child = subprocess.run(
            [sys.executable, "-m", self.module, str(folder.resolve())],
            input=self.config.model_dump_json(),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            errors="replace",
        )
        if child.returncode or not (folder / _MANIFEST).exists():
            raise EngineUnavailable(
                f"the simulation could not be compiled: {_reason(child.stdout + child.stderr)}",
                where="engine",
                hint=self.otherwise,
            )


_TROUBLE = re.compile(r"no space left|quota|permission denied|\b(fatal )?error:|not found|\*\*\* \[", re.IGNORECASE)


def _reason(printed: str) -> str:
    """What a compilation says of its failure: the first complaint of the compiler or of make, or the last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    complaints = [line for line in lines if _TROUBLE.search(line) and not line.startswith("raise ")]
    return (complaints or lines[-1:] or ["it says nothing"])[0][:300]


def load_brian2() -> Any:
    """Import Brian2 without what its import does to the process: it replaces the hook for uncaught exceptions."""
    hook = sys.excepthook
    try:
        import brian2
    finally:
        sys.excepthook = hook
    brian2.prefs.logging.file_log = False
    return brian2


def generating(folder: Path) -> Any:
    """Brian2, in the child, set to write a program into `folder`."""
    b2 = load_brian2()
    # No -march=native: the same source gives the same numbers on every machine of a cluster.
    b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-std=c++11"]
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    b2.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    return b2


def compiled(b2: Any, folder: Path, config: BaseModel, variables: Mapping[str, Any]) -> None:
    """Compile, in the child, what was generated, and note where the program will put the values of Brian2's variables."""
    device = b2.get_device()
    device.build(directory=str(folder), compile=True, run=False, with_output=True)
    files = {name: Path(device.get_array_filename(variable)).name for name, variable in variables.items()}
    write_json(folder / _MANIFEST, {"files": files, "config": config.model_dump(mode="json")})


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
