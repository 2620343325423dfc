"""A command in a folder that is hit, given again, and hit again, until it is left alone; then what it made must be as if nothing had been."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

from soak.commands import Command, Ended, Watch
from soak.worlds import World

LONGEST = 6
"""Hits in one folder."""
LONGEST_END_S = 5.0
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Chain:
    """faults: what was wrong so far."""

    def __init__(self, world: World, case: str, folder: Path) -> None:
        self.world, self.case, self.place = world, case, folder
        self.faults: list[str] = []
        self.hits = 0
        self._begin()

    def _begin(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.folder, self.hits = self.world.furnish(self.case, self.place), 0

    @property
    def argv(self) -> list[str]:
        """The command that a user would give now."""
        argv = self.world.cases[self.case].argv
        if self.case == "train" and list(self.folder.glob("runs/*/*/run.json")):
            return ["train", "--resume", "latest"]
        if self.case == "preprocess" and (self.folder / "p.h5").exists():
            return [*argv, "--overwrite"]
        return argv

    def after(self, ended: Ended, allowed: tuple[int, ...], what: str, process: int) -> None:
        """Look at the end of a command that was hit, and of the chain where it has reached its end."""
        self.hits += 1
        self._look(ended, allowed, what)
        if ended.code != -signal.SIGKILL and (left := list(self.folder.rglob(f".*.{process}.tmp"))):
            self._add(what, f"left behind {[path.name for path in left]}", ended)
        if ended.code == 0:
            self._compare(ended, what)
        elif self.hits >= LONGEST:
            self.finish()

    def finish(self) -> None:
        """The command once more, undisturbed."""
        if self.hits:
            ended = self.world.commands.run(self.argv, self.folder, forks=True)
            self._look(ended, (0,), f"after {self.hits} hits")
            self._compare(ended, f"after {self.hits} hits")

    def _look(self, ended: Ended, allowed: tuple[int, ...], what: str) -> None:
        if ended.code not in allowed:
            self._add(what, f"exit {ended.code}", ended)
        if "Traceback" in ended.err + ended.out:
            self._add(what, "traceback", ended)
        if ended.orphans:
            self._add(what, f"orphans: {ended.orphans}", ended)

    def _compare(self, ended: Ended, what: str) -> None:
        content, reference = (
            self.world.content(self.case, self.folder, ended.out),
            self.world.reference(self.case).content,
        )
        names = sorted(name for name in content.keys() | reference.keys() if content.get(name) != reference.get(name))
        if names:
            self._add(what, f"not the same: {names[:5]}", ended)
        if left := _left_behind(self.folder):
            self._add(what, f"left behind at last: {left}", ended)
        self._begin()

    def _add(self, what: str, fault: str, ended: Ended) -> None:
        self.faults.append(f"{self.world.family} {self.case}, {what}: {fault}\n{ended.err[-1500:]}")


def _left_behind(folder: Path) -> list[str]:
    """Temporary files. In the folder of a run that was killed before it had a run.json nobody writes again, which would remove them."""
    begun = [path for path in folder.rglob(".*.tmp") if path.parent.parent.parent != folder / "runs"]
    begun += [path for path in folder.glob("runs/*/*/.*.tmp") if (path.parent / "run.json").exists()]
    return [path.name for path in begun]


def soak(world: World, case: str, aimed: int, at_random: int, folder: Path, draw: random.Random) -> list[str]:
    """Send signals to a command: `aimed` at writes and others at random moments. Gives what was wrong."""
    kinds = ["aimed"] * aimed + ["random"] * at_random
    draw.shuffle(kinds)
    chain = Chain(world, case, folder)
    tries = 3 * len(kinds) + 10
    while kinds:
        tries -= 1
        assert tries, f"{case} has ended before its signal again and again"
        number = draw.choice(SIGNALS)
        watch = Watch(chain.folder, changes=world.reference(case).temporary == 0)
        command = world.commands.start(chain.argv, chain.folder, forks=draw.random() < 0.8)
        wait = _until_a_write if kinds[-1] == "aimed" else _until_a_moment
        sent = wait(world, case, command, watch, draw)
        watch.close()
        if sent:
            _send(command, number, draw)
        start = time.monotonic()
        ended = command.end()
        what = f"{kinds[-1]} {number.name}" if sent else "undisturbed"
        if time.monotonic() - start > LONGEST_END_S and sent:
            chain.faults.append(f"{case}, {what}: gone after {time.monotonic() - start:.1f} s")
        world.commands.cpu_s += ended.cpu_s
        if sent:
            kinds.pop()
        killed = -number if number == signal.SIGKILL else 128 + number
        chain.after(ended, (0, killed) if sent else (0,), what, command.process)
    chain.finish()
    return chain.faults


def _send(command: Command, number: signal.Signals, draw: random.Random) -> None:
    group = number == signal.SIGINT and draw.random() < 0.5
    command.send(number, group=group)
    if draw.random() < 0.3:
        command.has_ended(draw.choice([0.0, 0.001, 0.01]))
        command.send(number, group=group)


def _until_a_moment(world: World, case: str, command: Command, watch: Watch, draw: random.Random) -> bool:
    return not command.has_ended(draw.random() * world.reference(case).seconds)


def _until_a_write(world: World, case: str, command: Command, watch: Watch, draw: random.Random) -> bool:
    """Whether a temporary file has appeared, the first or a later one; or something was printed, where none is written."""
    files = world.reference(case).temporary
    left = draw.randint(1, max(files // 2 if world.cases[case].keeps else files, 1))
    while left > 0:
        if watch.wait(command):
            return False
        names = watch.appeared()
        left -= sum(name.endswith(".tmp") for name in names) if files else any(n in (".out", ".err") for n in names)
    return not command.has_ended(draw.choice([0.0, 0.0, draw.random() * 0.005]))


def meet_faults(world: World, case: str, points: list[str], folder: Path, draw: random.Random) -> list[str]:
    """Meet a fault at each point that a command passes: a signal that ends it, two, or a disk that is full. Gives what was wrong."""
    chain = Chain(world, case, folder)
    for point in points:
        passing = draw.randint(1, world.reference(case).points[point])
        ways: list = [[signal.SIGKILL], [signal.SIGTERM], [signal.SIGINT], [signal.SIGINT, signal.SIGINT]]
        how = draw.choice([*ways, "disk"] if point.startswith(("flush", "rename")) else ways)
        for _ in range(2):  # what was done before is not done again: then in a new folder
            command = world.commands.start(chain.argv, chain.folder, fault=[point, passing, how], forks=True)
            ended = command.end()
            world.commands.cpu_s += ended.cpu_s
            allowed = (0, 1, 5) if how == "disk" else (0, -how[0] if how[0] == signal.SIGKILL else 128 + how[0])
            before = chain.hits
            chain.after(ended, allowed, f"{how} at {point}, {passing}", command.process)
            if ended.code or not before:
                break
    chain.finish()
    return chain.faults
