"""Looking ahead, planted in a toy family or asked for in a real one, is caught. That no model does it, test_contract.py asks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.config.resolve import resolve
from neurocli.config.sections import FamilyConfig
from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling, TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Dataset, Recording, RecordingSet, Split
from neurocli.recordings.split import leave_one_out
from neurocli.testing.look_ahead import Report, look_ahead

STEPS, START = 120, 10


def report_of(family: ModelFamily, sets: tuple[str, ...] = (), **how: bool) -> Report:
    recordings = family.example(0)
    config = resolve(family.Config, sets=list(sets), flags={"train.device": "cpu", "train.seed": 0}).config
    data = family.adapt(recordings, config)
    torch.manual_seed(0)
    module = family.build(config, data.spec).eval()
    return look_ahead(family, TrainedModel(module, config, data, 0, []), recordings, **how)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "normalisation"),
    [("gat-lstm-v1", "whole"), ("gat-lstm-v2", "whole"), ("gat-lstm-v2", "start"), ("gat-lstm-v3", "whole")],
)
def test_statistics_of_the_whole_recording_are_seen_in_a_real_family(model: str, normalisation: str) -> None:
    """Those of the burn-in are known before the first origin; of running ones, which are the default, the contract asks."""
    report = report_of(registry().family(model), (f"data.normalisation={normalisation}",), baselines_each_time=False)
    assert report.unchecked == [] and report.compared > 1000
    assert (
        {seen.who for seen in report.seen} >= {"the model", "the baseline mean"}
        if normalisation == "whole"
        else not report.seen
    )


# -- a family that looks ahead on request ----------------------------------------------------------------------------


class Data(Dataset):
    normalisation = None

    def __init__(self, recordings: RecordingSet, split: Split, how: str) -> None:
        self.recordings, self.split, self.spec = recordings, split, {}
        self.signal = {group: self._prepared(recordings[group], how) for group in recordings}

    @staticmethod
    def _prepared(recording: Recording, how: str) -> np.ndarray:
        signal = np.array(recording.signal, np.float64)
        missing = ~recording.mask[:, 0]
        filled = signal.copy()
        if how == "interpolation":
            places = np.arange(len(signal))
            filled[:, 0] = np.interp(places, places[~missing], signal[~missing, 0])
        else:
            last = np.maximum.accumulate(np.where(missing, 0, np.arange(len(signal))))
            filled = signal[last]
        if how == "normalisation":
            return (filled - filled.mean()) / filled.std()
        if how == "smoothing":
            return np.apply_along_axis(lambda x: np.convolve(x, np.ones(3) / 3, "same"), 0, filled)
        return filled

    def steps(self, part):
        return 1

    def batches(self, part, *, seed, epoch):
        yield {"x": torch.zeros(1)}


class Toy(ModelFamily):
    """Forecasts the next sample, or answers from inputs alone. how: which look-ahead it has."""

    Config = FamilyConfig

    def __init__(self, how: str = "none", blind: bool = False) -> None:
        super().__init__(ModelCard("toy-v1", "a toy", "toy:Toy", family="toy"))
        self.how, self.blind = how, blind

    def example(self, seed):
        made = []
        for group in range(5):
            rng = np.random.default_rng((seed, group))
            mask = np.ones((STEPS, 1), bool)
            mask[[37, 60, 61, 90]] = False
            signal, inputs = rng.normal(size=(STEPS, 1)), rng.normal(size=(STEPS, 1))
            made.append(Recording(f"g{group}", signal, 1.0, "a.u.", mask=mask, inputs=inputs))
        return RecordingSet.of(made)

    def adapt(self, recordings, config, split=None):
        groups = recordings.groups
        split = split or Split(tuple(groups[:2]), (groups[2],), tuple(groups[3:]))
        return Data(recordings, split, self.how)

    def build(self, config, spec):
        return torch.nn.Linear(1, 1)

    def targets(self, data, config, part="test"):
        at = np.arange(START, STEPS - 1)
        groups = data.split.groups(part)
        targets = {g: data.recordings[g].signal[at + 1] for g in groups}
        horizon = None if self.blind else 1.0
        return [Target("next", 1, horizon, "a.u.", targets, dict.fromkeys(groups, at))]

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        values = {}
        for group, at in target.origins.items():
            recording = trained.dataset.recordings[group]
            seen = trained.dataset.signal[group][at]
            if self.how == "gaps":
                seen = seen + recording.mask[at + 1]
            if self.blind:
                ahead = 1 if self.how == "inputs" else 0
                seen = recording.inputs[at + ahead]
                if self.how == "signal":
                    seen = seen + recording.signal[0]
            values[group] = trained.network(torch.tensor(seen, dtype=torch.float32)).numpy()
        return Prediction(values)

    def baselines(self, data, config):
        def persistence(target: Target) -> Prediction:
            ahead = 1 if self.how == "baseline" else 0
            return Prediction({g: data.recordings[g].signal[at + ahead] for g, at in target.origins.items()})

        return [] if self.blind else [Predictor("persistence", "baseline", persistence)]

    def loss(self, module, batch, config):
        return LossTerms({"none": batch["x"].sum()})

    def metrics(self, data, config):
        return []

    def ceiling(self, data, config):
        return NoCeiling("a toy")

    def diagnose_data(self, recordings, config):
        return []

    def interpret(self, trained, figures):
        return []


def seen_by(report: Report) -> set[str]:
    return {seen.who for seen in report.seen}


@pytest.mark.parametrize("blind", [False, True])
def test_an_honest_family_passes(blind: bool) -> None:
    report = report_of(Toy(blind=blind))
    assert report.seen == [] and report.compared > 100


@pytest.mark.parametrize("how", ["normalisation", "smoothing", "interpolation"])
def test_a_planted_look_ahead_of_the_data_is_caught(how: str) -> None:
    report = report_of(Toy(how))
    assert seen_by(report) == {"the model"}
    assert {seen.group for seen in report.seen} == {"g3", "g4"}


def test_a_model_that_knows_what_will_be_missing_is_caught() -> None:
    report = report_of(Toy("gaps"))
    assert {seen.what for seen in report.seen} == {"which later samples are missing"}
    assert seen_by(report) == {"the model"} and {seen.group for seen in report.seen} == {"g3", "g4"}


def test_a_family_that_takes_no_gaps_is_not_asked_about_them() -> None:
    class Whole(Toy):
        def adapt(self, recordings, config, split=None):
            if any(np.isnan(recordings[group].signal).any() for group in recordings):
                raise DataError("a sample is missing", where="toy", hint="none")
            return super().adapt(recordings, config, split)

    report = report_of(Whole())
    assert report.seen == [] and report.compared > 100


def test_a_planted_look_ahead_of_a_baseline_is_caught() -> None:
    assert seen_by(report_of(Toy("baseline"))) == {"the baseline persistence"}


@pytest.mark.parametrize(("how", "what"), [("signal", "the recorded signal"), ("inputs", "later inputs")])
def test_a_model_of_inputs_may_see_neither_the_recording_nor_later_inputs(how: str, what: str) -> None:
    assert what in {seen.what for seen in report_of(Toy(how, blind=True)).seen}


def test_a_normalisation_that_sees_single_large_values_is_caught() -> None:
    """One sample at the very end is enough."""
    report = report_of(Toy("normalisation"))
    assert "the last sample" in {seen.what for seen in report.seen}


def test_targets_that_depend_on_later_samples_are_caught() -> None:
    class Choosy(Toy):
        def targets(self, data, config, part="test"):
            (target,) = super().targets(data, config, part)
            last = {g: at[np.abs(data.recordings[g].signal[at + 1, 0]) < 3] for g, at in target.origins.items()}
            targets = {g: data.recordings[g].signal[at + 1] for g, at in last.items()}
            return [dataclasses.replace(target, origins=last, values=targets)]

    assert "the target" in seen_by(report_of(Choosy()))


def test_a_baseline_that_interpolates_over_gaps_is_caught_though_baselines_are_asked_less_often() -> None:
    class Filling(Toy):
        def baselines(self, data, config):
            filled = {g: Data._prepared(data.recordings[g], "interpolation") for g in data.recordings}

            def predict(target):
                return Prediction({g: filled[g][at] for g, at in target.origins.items()})

            return [Predictor("persistence", "baseline", predict)]

    assert seen_by(report_of(Filling(), baselines_each_time=False)) == {"the baseline persistence"}
    assert report_of(Toy(), baselines_each_time=False).seen == []


class Prepared(Toy):
    """A toy whose bias is the mean of some groups. of: group, split → the groups whose mean answers for it."""

    def __init__(self, of: Any, folds: bool) -> None:
        super().__init__()
        self.of, self.folds = of, folds

    def adapt(self, recordings, config, split=None):
        if self.folds:
            split = split or leave_one_out(recordings.groups, "leave one out")
        return super().adapt(recordings, config, split)

    def build(self, config, spec):
        return torch.nn.Linear(1, 5)

    def prepare(self, module, data, config):
        for number, group in enumerate(data.split.test):
            mean = np.mean([data.recordings[one].signal.mean() for one in self.of(group, data.split)])
            module.bias.data[number] = float(mean)

    def predict(self, trained, target):
        values = {}
        for number, (group, at) in enumerate(target.origins.items()):
            seen = torch.tensor(trained.dataset.signal[group][at], dtype=torch.float32)
            values[group] = trained.network(seen)[:, number : number + 1].numpy()
        return Prediction(values)


def own_training(group: str, split: Split) -> tuple[str, ...]:
    fold = split.fold_of(group)
    return split.train if fold is None else split.folds[fold].train


@pytest.mark.parametrize("folds", [False, True])
def test_what_is_computed_when_a_training_begins_may_know_no_test_group(folds: bool) -> None:
    honest = report_of(Prepared(own_training, folds))
    assert honest.seen == [] and honest.compared > 100
    leaking = Prepared(lambda group, split: (*own_training(group, split), group), folds)
    assert seen_by(report_of(leaking)) == {"the model"}


class Shifted(Toy):
    """Its origins are not those that it says, its targets lie `steps` samples after the true ones."""

    def __init__(self, shift: int, steps: int = 5) -> None:
        super().__init__()
        self.shift, self.steps = shift, steps

    def targets(self, data, config, part="test"):
        at = np.arange(START, STEPS - 10)
        groups = data.split.groups(part)
        targets = {g: data.recordings[g].signal[at + self.steps] for g in groups}
        origins = dict.fromkeys(groups, at + self.shift)
        return [Target("some steps", self.steps, float(self.steps), "a.u.", targets, origins)]


@pytest.mark.parametrize("steps", [1, 5])
def test_origins_are_not_believed(steps: int) -> None:
    assert report_of(Shifted(0, steps)).seen == []
    for shift in (1, 2, steps):
        assert "targets from before their place" in {seen.what for seen in report_of(Shifted(shift, steps)).seen}
    assert "targets from after their place" in {seen.what for seen in report_of(Shifted(-1, steps)).seen}


def test_a_forecast_lies_a_sample_ahead_at_least() -> None:
    class Now(Toy):
        def targets(self, data, config, part="test"):
            return [dataclasses.replace(target, horizon_steps=0) for target in super().targets(data, config, part)]

    assert "a forecast of less than one sample" in {seen.what for seen in report_of(Now()).seen}


def test_what_was_never_compared_is_said_with_the_reason() -> None:
    class Pooled(Toy):
        """One value for each recording and not one for each origin, from the baseline too."""

        def predict(self, trained, target):
            return Prediction({g: trained.dataset.signal[g][:1] for g in target.groups})

    report = report_of(Pooled())
    assert report.seen == [] and report.counts["the baseline persistence", "next"] > 100
    assert report.unchecked == ["next of the model cannot be checked: its predictions are not one for each origin"]

    class Late(Toy):
        """Its only origin is the last sample but one: of nothing earlier is anything asked."""

        def targets(self, data, config, part="test"):
            return [dataclasses.replace(t, values={}, origins={}) for t in super().targets(data, config, part)]

    report = report_of(Late())
    assert report.compared == 0
    assert [line.partition(" cannot")[0] for line in report.unchecked] == [
        "next of the model",
        "next of the baseline persistence",
    ]
    assert all("no origin inside of a recording" in line for line in report.unchecked)
