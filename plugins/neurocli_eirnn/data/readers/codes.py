"""How labels and types are written: names and numbers for the same thing, in any reader."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY

_HIGH_LOW: dict[Any, int] = {"high": 1, "low": 0, 1: 1, 0: 0}
LABEL_CODES: dict[str, dict[Any, int]] = {
    "reward": _HIGH_LOW,
    "probability": _HIGH_LOW,
    "location": {n: n for n in (1, 2, 3, 4)},
    "identity": {"face": 1, "nonface": 2, "bullseye": 3, 1: 1, 2: 2, 3: 3},
    "salience": {"high": 1, "low": 2, "none": 0, "n/a": 0, "": 0, 0: 0, 1: 1, 2: 2},
}
REQUIRED_LABELS = ("reward", "location")
TYPE_CODES: dict[Any, int] = dict.fromkeys((1, "e", "exc", "classic", "excitatory"), EXCITATORY)
TYPE_CODES |= dict.fromkeys((2, "i", "inh", "interneuron", "putative_interneuron", "inhibitory"), INHIBITORY)


def key_of(value: Any) -> Any:
    """A value as a key of these dictionaries: text without case and white space, whole numbers as int."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        value = value.strip().strip("\0").lower().replace(" ", "_")
        try:
            value = float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, (int, float, np.number)) and float(value).is_integer() else value


def coded(
    values: Sequence[Any], codes: Mapping[Any, int], where: str, item: str, places: Sequence[int] | None = None
) -> NDArray[np.int64]:
    """Values as our codes; places: their rows in the file, where not all are given. Raises DataError for one that is not known."""
    keys = [key_of(value) for value in values]
    for row, key in enumerate(keys):
        if not isinstance(key, Hashable) or key not in codes:  # NaN is in no dictionary
            known = ", ".join(str(code) for code in codes if code != "")
            raise DataError(
                f"the value {values[row]!r} is not known",
                where=f"{where}, {item} {row if places is None else places[row]}",
                hint=f"known are: {known}{likely_coding(keys, codes)}",
            )
    return np.array([codes[key] for key in keys], np.int64)


def likely_coding(values: Sequence[Any], codes: Mapping[Any, int]) -> str:
    """`; these look counted from 0`: what numbers that are not our codes may be; empty where nothing can be said."""
    numbers = {value for value in values if isinstance(value, (int, float)) and math.isfinite(value)}
    ours = {code for code in codes if isinstance(code, int)}
    if len(numbers) < 2 or any(not isinstance(value, (int, float)) for value in values):
        return ""
    if ours == {1, 2} and numbers == {0, 1}:
        return "; 0 and 1 do not say which is which: write 1 for excitatory, 2 for inhibitory"
    if ours == {1, 2} and numbers == {-1, 1}:
        return "; is 1 excitatory and -1 inhibitory? write 1 and 2"
    if 0 not in ours and 0 in numbers and {n + 1 for n in numbers} <= ours:
        return "; these look counted from 0: add 1"
    if 0 in ours and 0 not in numbers and {n - 1 for n in numbers} <= ours:
        return "; these look counted from 1: subtract 1"
    return ""
