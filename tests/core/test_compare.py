"""Runs side by side: the same test groups or none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.evaluation.compare import Contestant, compare
from neurocli.evaluation.metrics import RMSE
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.family import NoCeiling
from neurocli.recordings import Recording, RecordingSet, Split

GROUPS = [f"g{n}" for n in range(8)]


class Data:
    """What compare asks of a data module."""

    def __init__(self, split: Split, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        made = [Recording(g, rng.normal(size=(30, 2)).astype(np.float32), 1.0, "mV") for g in GROUPS]
        self.recordings, self.split = RecordingSet.of(made), split

    def test_fingerprint(self) -> str:
        return " ".join(self.recordings[g].fingerprint() for g in self.split.test)

    def group_name(self) -> str:
        return "run"


class Family:
    """Answers with the targets, off by `error`; its baselines are off by 0.5 and 3, and it knows no ceiling."""

    def __init__(self, error: float, horizon: int = 1) -> None:
        self.error, self.horizon = error, horizon

    def targets(self, data, config):
        targets = {g: data.recordings[g].signal[self.horizon :] for g in data.split.test}
        origins = {g: np.arange(len(t)) for g, t in targets.items()}
        return [Target(f"{self.horizon} ms", self.horizon, float(self.horizon), "mV", targets, origins)]

    def metrics(self, data, config):
        return [RMSE("mV")]

    def baselines(self, data, config):
        def off_by(error: float):
            return lambda target: Prediction({g: t + error for g, t in target.values.items()})

        return [Predictor(f"off by {error:g}", "baseline", off_by(error)) for error in (3.0, 0.5)]

    def ceiling(self, data, config):
        return NoCeiling("made up")

    def predict(self, trained, target):
        return Prediction({g: t + self.error for g, t in target.values.items()})


def contestant(name: str, error: float, split: Split, *, seed: int = 0, horizon: int = 1) -> Contestant:
    from neurocli.plugin.family import TrainedModel

    return Contestant(name, Family(error, horizon), TrainedModel(torch.nn.Identity(), None, Data(split, seed), 0, []))


SPLIT = Split(tuple(GROUPS[:3]), (GROUPS[3],), tuple(GROUPS[4:]))


def test_differences_are_those_of_the_scores() -> None:
    found = compare([contestant("one", 1.0, SPLIT), contestant("two", 0.25, SPLIT)])
    by_name = {(s.kind, s.name): s.value for s in found.scores}
    assert by_name == pytest.approx(
        {
            ("model", "one"): 1.0,
            ("model", "two"): 0.25,
            ("baseline", "off by 3"): 3.0,
            ("baseline", "off by 0.5"): 0.5,
        }
    )
    assert found.best_baselines == {"1 ms": "off by 0.5"}
    [difference] = found.differences
    assert (difference.name, difference.against, difference.n_groups) == ("two", "one", 4)
    assert difference.value == pytest.approx(-0.75)
    assert difference.low == pytest.approx(-0.75) and difference.high == pytest.approx(-0.75)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"split": dataclasses.replace(SPLIT, train=(), test=tuple(GROUPS[5:]))}, "1 runs only in one, first g4"),
        ({"seed": 1}, "same names and different contents"),
        ({"horizon": 2}, "different targets: 1 ms against 2 ms"),
    ],
)
def test_what_cannot_be_compared_is_refused(other: dict, reason: str) -> None:
    given = {"split": SPLIT, **other}
    with pytest.raises(DataError, match=reason):
        compare([contestant("one", 1.0, SPLIT), contestant("two", 1.0, given.pop("split"), **given)])
