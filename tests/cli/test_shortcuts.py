"""Options of a model by their own name, on the command line."""

from __future__ import annotations

import pytest

from neurocli.cli.shortcuts import shortcuts
from neurocli.config import FamilyConfig, Section
from neurocli.errors import UsageError


class Data(Section):
    trial_kind: str = "all"
    seed: int = 3


class Config(FamilyConfig):
    data: Data = Data()


def test_a_name_stands_for_its_key() -> None:
    given = ["--trial-kind", "ordered", "--epochs=7", "--gradient-clip", "none"]
    assert shortcuts(given, Config) == {"data.trial_kind": "ordered", "train.epochs": 7, "train.gradient_clip": None}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stray"], "unexpected argument 'stray'"),
        (["--trial-kin", "x"], "there is no option --trial-kin"),
        (["--trial-kind"], "--trial-kind needs a value"),
        (["--trial-kind", "--epochs", "3"], "--trial-kind needs a value"),
        (["--seed", "1"], "--seed could be"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shortcuts(words, Config)


def test_the_hint_knows_the_commands_own_options() -> None:
    with pytest.raises(UsageError) as caught:
        shortcuts(["--presett", "quick"], Config, ["--preset"])
    assert "--preset" in (caught.value.hint or "")
