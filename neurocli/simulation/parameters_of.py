"""The parameters that recordings were simulated with, as their file says."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from neurocli.errors import DataError
from neurocli.recordings.recordingset import RecordingSet

C = TypeVar("C", bound=BaseModel)


def simulated_with(recordings: RecordingSet, simulator: str, kind: type[C]) -> C | None:
    """The parameters of `simulator` behind these recordings; None where somebody else made them. Raises DataError."""
    if recordings.meta.get("simulator") != simulator:
        return None
    try:
        return kind.model_validate(recordings.meta.get("parameters"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["parameters", *map(str, first["loc"])])
        raise DataError(
            f"the file's parameters of the simulation are damaged: {key}: {first['msg']}",
            where=f"{', '.join(recordings.sources) or 'data'}: meta",
            hint="copy or make it again",
        ) from None
