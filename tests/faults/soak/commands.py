"""Commands of `neuro` that can be started, watched and hit."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("server.py")
ORPHANS_GONE_S = 5.0


@dataclass
class Ended:
    """How a command ended. code: its exit code, or minus the signal; orphans: processes that it left."""

    code: int
    cpu_s: float
    out: str
    err: str
    orphans: list[str]


class Command:
    """A command that runs. Its session holds all that it starts."""

    def __init__(self, commands: Commands, process: int, folder: Path) -> None:
        self.commands, self.process, self.folder = commands, process, folder
        self.handle = os.pidfd_open(process)

    def has_ended(self, within_s: float) -> bool:
        return bool(select.select([self.handle], [], [], within_s)[0])

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """group: to the whole group, as a terminal does for ^C."""
        (os.killpg if group else os.kill)(self.process, number)  # it is a zombie at worst: nobody has waited

    def end(self) -> Ended:
        code, cpu_s = self.commands.ask({"wait": self.process})
        os.close(self.handle)
        out, err = ((self.folder / name).read_text(errors="replace") for name in (".out", ".err"))
        return Ended(code, cpu_s, out, err, orphans_of(self.process))


class Commands:
    """The server's other end. cpu_s: what all commands took that ended."""

    def __init__(self, cache: Path) -> None:
        self.server = subprocess.Popen(
            [sys.executable, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NEUROCLI_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        )
        self.cpu_s = 0.0

    def ask(self, request: dict) -> Any:
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def run_in_server(self, argvs: list[list[str]], folder: Path) -> None:
        code, said = self.ask({"run": argvs, "folder": str(folder)})
        assert code == 0, said

    def start(self, argv: list[str], folder: Path, **more: Any) -> Command:
        return Command(self, self.ask({"start": argv, "folder": str(folder), **more}), folder)

    def run(self, argv: list[str], folder: Path, **more: Any) -> Ended:
        ended = self.start(argv, folder, **more).end()
        self.cpu_s += ended.cpu_s
        return ended

    def close(self) -> None:
        assert self.server.stdin
        self.server.stdin.close()
        self.server.wait(20)


def orphans_of(session: int) -> list[str]:
    """Processes of a session that live on, five seconds after its leader ended."""
    deadline = time.monotonic() + ORPHANS_GONE_S
    while (alive := _alive(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _alive(session: int) -> list[str]:
    alive = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and os.getsid(int(path.name)) == session:
                command, state = (path / "stat").read_text().rpartition(")")[::2]
                if state.split()[0] != "Z":
                    alive.append(command)
        except OSError:  # gone meanwhile
            pass
    return alive


class Watch:
    """Names of files and folders as they appear below a folder: by inotify(7), since looking again and again misses short ones."""

    _CHANGED, _MOVED_TO, _CREATED, _FOLDER = 0x2, 0x80, 0x100, 0x40000000

    def __init__(self, folder: Path, *, changes: bool = False) -> None:
        """changes: names of files that are written to as well."""
        self._mask = self._CREATED | self._MOVED_TO | (self._CHANGED if changes else 0)
        self._library = ctypes.CDLL(None, use_errno=True)
        self._folders: dict[int, Path] = {}
        self.handle = self._library.inotify_init1(os.O_NONBLOCK)
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            self._add(path)

    def _add(self, folder: Path) -> None:
        number = self._library.inotify_add_watch(self.handle, os.fsencode(folder), self._mask)
        if number >= 0:
            self._folders[number] = folder

    def wait(self, command: Command) -> bool:
        """Wait for a name; True where the command has ended instead."""
        return self.handle not in select.select([self.handle, command.handle], [], [])[0]

    def appeared(self) -> list[str]:
        names = []
        try:
            content = os.read(self.handle, 1 << 16)
        except BlockingIOError:
            return []
        while content:
            number, mask, _, length = struct.unpack_from("iIII", content)
            name = os.fsdecode(content[16 : 16 + length].rstrip(b"\0"))
            content = content[16 + length :]
            names.append(name)
            if mask & self._FOLDER and number in self._folders:
                folder = self._folders[number] / name
                self._add(folder)
                for path in folder.rglob("*"):  # what came before we looked
                    names.append(path.name)
                    if path.is_dir():
                        self._add(path)
        return names

    def close(self) -> None:
        os.close(self.handle)
