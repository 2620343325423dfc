"""Files of a finished result that cannot be written: the numbers are shown all the same, and the command says what is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from neurocli.errors import PartlyDone, StorageError
from neurocli.plugin.exhibit import Exhibit


class WriteFailures:
    """What could not be written. Wrap each writing, show the result, then `report`."""

    def __init__(self) -> None:
        self.errors: list[StorageError] = []

    @contextlib.contextmanager
    def figures(self) -> Iterator[None]:
        """Figures that are drawn inside, and fail, are noted."""
        from neurocli.report.figure import figures_may_fail

        with figures_may_fail() as errors:
            yield
        self.errors += errors

    @contextlib.contextmanager
    def file(self) -> Iterator[None]:
        """A file that is written inside, and fails, is noted."""
        try:
            yield
        except StorageError as error:
            self.errors.append(error)

    def leave_out(self, exhibits: Iterable[Exhibit]) -> None:
        """Take figures that are not there out of their exhibits."""
        for exhibit in exhibits:
            if exhibit.figure is not None and not Path(exhibit.figure).is_file():
                exhibit.figure = None

    def report(self) -> None:
        """Raise PartlyDone where something is lost."""
        if self.errors:
            first, number = self.errors[0], len(self.errors)
            raise PartlyDone(
                f"the numbers are complete, but {number} file{'s' if number > 1 else ''} could not be written: "
                + first.message.removeprefix("cannot write: "),
                where=first.where,
                hint=first.hint,
            )
