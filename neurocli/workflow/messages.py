"""What long work tells whoever waits for it: messages, warnings, and how far it is."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    kind: `message`, `warning` and `note` carry a line in `text`; `began` and `ended` name a stage in `text`; `steps` says that `done`
    of `total` are done, `text` being the last of them; `epoch` has a report of a training in `row`: event (batch or epoch), epoch,
    epochs, step, steps, losses, and validation_is_loss.

    >>> heard = []
    >>> run = neurocli.train("gat-lstm", data="worms.h5", preset="quick", options={"max_steps": 2}, progress=heard.append)
    >>> [event.text for event in heard if event.kind in ("began", "ended")]
    ['training gat-lstm-v3', 'training gat-lstm-v3']
    """

    kind: Literal["message", "warning", "note", "began", "ended", "steps", "epoch"]
    text: str = ""
    done: int = 0
    total: int = 0
    row: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class Reporter:
    """Tells a listener. Without one, messages and progress go nowhere, and warnings are Python's."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._warned: set[str] = set()

    def tell(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)
        elif event.kind == "warning":
            warnings.warn(event.text, stacklevel=3)

    def say(self, text: str) -> None:
        self.tell(Event("message", text))

    def warn(self, text: str) -> None:
        """Told once: a command may open the same file several times."""
        if text in self._warned:
            return
        self._warned.add(text)
        self.tell(Event("warning", text))

    def note(self, text: str) -> None:
        """What belongs to the result, told before minutes go into it."""
        self.tell(Event("note", text))

    def steps(self, done: int, total: int, text: str = "") -> None:
        self.tell(Event("steps", text, done, total))

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What `steps` and `epoch` within the block belong to."""
        self.tell(Event("began", name))
        try:
            yield
        finally:
            self.tell(Event("ended", name))
