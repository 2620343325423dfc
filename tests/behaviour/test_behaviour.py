"""The numbers of every family's newest model on small data are those of behaviour.json: bit for bit on the processor that recorded them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("record", Path(__file__).with_name("record.py"))
assert _spec is not None and _spec.loader is not None
record = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(record)

KEPT = json.loads(record.KEPT.read_text(encoding="utf-8"))


def differences(found: Any, kept: Any, place: str = "") -> Iterator[str]:
    """Where two structures differ, the first of each list alone."""
    if isinstance(found, dict) and isinstance(kept, dict):
        for key in found.keys() | kept.keys():
            yield from differences(found.get(key), kept.get(key), f"{place}/{key}")
    elif isinstance(found, list) and isinstance(kept, list) and len(found) == len(kept):
        for n, (a, b) in enumerate(zip(found, kept, strict=True)):
            first = next(differences(a, b, f"{place}[{n}]"), None)
            if first is not None:
                yield first
                return
    elif found != kept:
        yield f"{place}: {str(found)[:120]}, recorded {str(kept)[:120]}"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("model", ["cnn-lstm-v2", "eirnn-v2", "elm-v2", "gat-lstm-v3"])
def test_numbers_are_as_recorded(model: str) -> None:
    found, kept = json.loads(json.dumps(record.behaviour(model))), KEPT["models"][model]
    if KEPT["machine"] == record.machine():
        assert not list(differences(found, kept))
        return
    # Another processor adds in another order: the same things are said, with close numbers in the scores of the model.
    for part in ("scores", "findings", "exhibits", "interpretation"):
        assert [row[0] for row in found[part]] == [row[0] for row in kept[part]]
    for now, then in zip(found["scores"], kept["scores"], strict=True):
        if now[0] == model and None not in (now[3], then[3]):
            assert now[3] == pytest.approx(then[3], rel=0.05, abs=0.02), now[:3]


def test_a_difference_is_seen() -> None:
    kept = {"a": [1.0, [2.0, "x"]], "b": {"c": 3}}
    assert not list(differences(json.loads(json.dumps(kept)), kept))
    assert list(differences({"a": [1.0, [2.5, "x"]], "b": {"c": 3}}, kept)) == ["/a[1][0]: 2.5, recorded 2.0"]
    assert list(differences({"a": [1.0], "b": {"c": 3}}, kept)) == ["/a: [1.0], recorded [1.0, [2.0, 'x']]"]
