"""Every error that a user can meet, as a tree: what is wrong, where, and what to do.

    NeuroError                    1   failed
    ├─ UsageError                 2   a command or an option is wrong
    │  ├─ ConfigError                 a key, a value or a preset is wrong
    │  ├─ UnknownName                 no model, simulator or run of that name
    │  └─ DeviceError                 the device asked for is not there
    ├─ DataError                  3   a file cannot be read or its content is wrong
    │  └─ LeakError                   a split would let test data into training
    ├─ CheckFailed                4   a threshold or a check is not met
    ├─ PartlyDone                 5   some of the work is done, and kept
    ├─ MissingDependency          6   an optional package is not installed
    └─ StorageError               1   the disk is full or not writable

    Interrupted             130/143   stopped by a signal, and no error; a checkpoint is kept

Anything else that escapes is a bug of ours and ends with code 70.
"""

from __future__ import annotations

from collections.abc import Iterable


class Explained(BaseException):
    """What ends a command, with a place and an advice.

    `where` is a file, a key, a trial or a byte; `hint` says what to do about it.
    """

    kind = "failed"
    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def as_dict(self) -> dict[str, object]:
        """The `error` part of a JSON envelope."""
        return {
            "kind": self.kind,
            "message": self.message,
            "where": self.where,
            "hint": self.hint,
            "exit": self.exit_code,
        }

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors to their parent; the default would call the class without its keyword-only arguments.
        return _rebuilt, (type(self), self.args, dict(self.__dict__))


class Notice(UserWarning):
    """What a user must know of a result, such as another file that had to do; shown, and kept among the warnings of an envelope."""


class NeuroError(Explained, Exception):
    """An error: something is wrong with a command, its data or the machine."""


class UsageError(NeuroError):
    kind, exit_code = "usage", 2


class ConfigError(UsageError):
    kind = "config"


class UnknownName(UsageError):
    kind = "unknown-name"

    @classmethod
    def among(cls, what: str, name: str, known: Iterable[str], *, hint: str | None = None) -> UnknownName:
        """An unknown `name`, with the nearest known ones."""
        return cls(f"no {what} is called {name!r}", where=name or what, hint=hint or nearest_hint(name, known))


class DeviceError(UsageError):
    kind = "device"


class DataError(NeuroError):
    kind, exit_code = "data", 3


class LeakError(DataError):
    kind = "leak"


class CheckFailed(NeuroError):
    kind, exit_code = "check", 4


class PartlyDone(NeuroError):
    kind, exit_code = "partly-done", 5


class MissingDependency(NeuroError):
    kind, exit_code = "missing-dependency", 6

    @classmethod
    def package(cls, package: str, needed_for: str, *, extra: str | None = None) -> MissingDependency:
        """`package` is needed for something and is not installed; `extra` is the extra of ours that brings it."""
        what = f"neurocli[{extra}]" if extra else package
        return cls(f"{needed_for} needs the package {package}", where=package, hint=f'pip install "{what}"')


class StorageError(NeuroError):
    kind = "storage"


class Interrupted(Explained):
    """A signal ended the work. It is no error, so that nothing that handles errors swallows it, as KeyboardInterrupt is none."""

    kind, exit_code = "interrupted", 130

    def __init__(self, message: str, *, signal: int = 2, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.exit_code = 128 + signal


def _rebuilt(kind: type[Explained], args: tuple[object, ...], state: dict[str, object]) -> Explained:
    """An error that crossed a process boundary, as it was."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?` when something is near, else the list of what there is."""
    import difflib

    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
    return f"there are: {shown}"
