"""Runs whose training did not reach its end: what is said of them, and how they are resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurocli.runs.folder import RunFolder


@dataclass(frozen=True)
class State:
    """status: as run.json says, `interrupted` where the process is gone; epochs: finished ones; epochs_wanted: those of the whole training."""

    status: str | None
    epochs: int | None
    epochs_wanted: int | None

    @property
    def in_words(self) -> str:
        """`interrupted (1811 of 2000 epochs)`"""
        if self.status in ("finished", "created", None) or self.epochs is None or self.epochs_wanted is None:
            return str(self.status)
        return f"{self.status} ({self.epochs} of {self.epochs_wanted} epochs)"


def state_of(run: RunFolder, info: dict[str, Any]) -> State:
    """How far a run is; `info` is the content of its run.json. Numbers that cannot be read are None."""
    from neurocli.runs.lock import is_held

    status = info.get("status")
    if status in ("finished", None):
        return State(status, None, None)
    if status == "running" and not is_held(run):  # killed: nobody was left to write down why
        status = "interrupted"
    return State(status, _epochs(run), _epochs_wanted(run))


def unfinished_note(run: RunFolder) -> str | None:
    """A line for the results of a run that was not trained to its end; None where it was.

    It names no status but `failed`: whoever asks may hold the run by now, and a killed one would look alive.
    """
    state = state_of(run, run.read_info())
    if state.status in ("finished", None):
        return None
    reasons = ["failed"] if state.status == "failed" else []
    if state.epochs is not None and state.epochs_wanted is not None:
        reasons.append(f"{state.epochs} of {state.epochs_wanted} epochs")
    why = f" ({', '.join(reasons)})" if reasons else ""
    return f"the training did not finish{why}; resume it with: neuro train --resume {run.name}"


def _epochs(run: RunFolder) -> int | None:
    from neurocli.errors import DataError
    from neurocli.training.history import checked_history

    try:
        rows, fault = checked_history(run.metrics_csv)
    except DataError:
        return None
    if fault is not None and not rows:
        return None
    return int(rows[-1].get("epoch", len(rows))) if rows else 0


def _epochs_wanted(run: RunFolder) -> int | None:
    from neurocli.errors import DataError

    try:
        epochs = (run.read_config().get("train") or {}).get("epochs")
    except (DataError, AttributeError):
        return None
    return epochs if isinstance(epochs, int) else None
