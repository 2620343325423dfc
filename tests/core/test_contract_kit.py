"""A fault of each kind is planted in an honest toy, and caught by the step that is there for it and by no other."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.config.sections import FamilyConfig, TrainConfig
from neurocli.diagnosis.finding import Finding
from neurocli.errors import UnknownName
from neurocli.evaluation.metrics import RMSE
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling
from neurocli.recordings import Dataset, Recording, RecordingSet, split_by_group
from neurocli.recordings.normalisation import Normalisation
from neurocli.testing import Check, Doubtful, check_family, parametrize_with_checks
from neurocli.testing.conformance import STEPS
from neurocli.testing.contract import Contract, Step
from neurocli.training.devices import device_of

NOWHERE = Path(__file__).with_name("no-presets")
CHANNELS, STEPS_LONG, BACK, LENGTH = 2, 160, 4, 24


class Config(FamilyConfig):
    train: TrainConfig = TrainConfig(epochs=2, batch_size=8, learning_rate=1e-2)


class Network(torch.nn.Module):
    """The change to the next sample, from the last BACK samples [batch, time, BACK * channel]."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.hidden = torch.nn.Linear(BACK * CHANNELS, 6)
        self.out = torch.nn.Linear(6, CHANNELS)
        if fault.startswith("frozen"):
            self.gate = torch.nn.Linear(6, 6)
        if fault == "fixed by design":
            self.gate = torch.nn.Linear(6, 6).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fault == "forward changes its input":
            x *= 0.5
        windows = x.unfold(1, BACK, 1).flatten(2)
        hidden = torch.tanh(self.hidden(windows))
        if self.fault in ("frozen, detached", "frozen, declared", "fixed by design"):
            hidden = hidden + self.gate(hidden).detach()
        if self.fault == "frozen, times zero":
            hidden = hidden + 0 * self.gate(hidden)
        if self.fault == "frozen, left out of the optimiser":
            hidden = hidden + self.gate(hidden)
        return self.out(hidden)


class Data(Dataset):
    def __init__(self, recordings: RecordingSet, split: Any, config: Config, fault: str) -> None:
        self.recordings, self.split, self.batch_size = recordings, split, config.train.batch_size
        self.normalisation = Normalisation.fit((g, recordings[g].signal) for g in split.train)
        self.spec = {"channels": CHANNELS}
        self.z = {g: self._normalised(recordings[g].signal, fault) for g in recordings}

    def _normalised(self, signal: np.ndarray, fault: str) -> np.ndarray:
        if fault == "look-ahead of the normalisation":
            return ((signal - signal.mean(0)) / signal.std(0)).astype(np.float32)
        return ((signal - self.normalisation.mean) / self.normalisation.sd).astype(np.float32)

    def steps(self, part):
        return len(self.split.groups(part))

    def batches(self, part, *, seed, epoch):
        rng = np.random.default_rng((seed, epoch))
        for group in self.split.groups(part):
            starts = rng.integers(0, STEPS_LONG - LENGTH, self.batch_size)
            windows = torch.from_numpy(np.stack([self.z[group][s : s + LENGTH] for s in starts]))
            yield {"x": windows[:, :-1].clone(), "y": windows[:, BACK:].clone()}


class Toy(ModelFamily):
    """Forecasts the next sample of a noisy oscillation. fault: what is planted in it."""

    Config = Config

    def __init__(self, presets: Path, fault: str = "") -> None:
        super().__init__(ModelCard("toy-v1", "a toy", "toy:Toy", family="toy"))
        self.fault, self._presets = fault, presets

    @property
    def presets(self):
        return self._presets

    def example(self, seed):
        rng = np.random.default_rng(seed)
        recordings = []
        for group in range(7):
            phase = 0.4 * np.arange(STEPS_LONG)[:, None] + rng.uniform(0, 6, CHANNELS)
            signal = np.sin(phase) + 0.3 * rng.normal(size=(STEPS_LONG, CHANNELS))
            recordings.append(Recording(f"g{group}", signal.astype(np.float32), 1.0, "a.u."))
        return RecordingSet.of(recordings)

    def adapt(self, recordings, config, split=None):
        return Data(recordings, split or split_by_group(recordings.groups), config, self.fault)

    def build(self, config, spec):
        return Network(self.fault)

    def parameter_groups(self, module, config):
        left_out = "gate" if self.fault == "frozen, left out of the optimiser" else "none"
        return [{"params": [p for n, p in module.named_parameters() if not n.startswith(left_out)]}]

    def unused_parameters(self, config, spec):
        names = {"frozen, declared": ["gate.weight", "gate.bias"], "declared and trained": ["out.bias"]}
        return dict.fromkeys(names.get(self.fault, []), "a gate that is not learned")

    def loss(self, module, batch, config):
        if self.fault == "loss changes the batch":
            batch["y"] -= batch["y"].mean()
        if self.fault == "loss takes a tensor away":
            batch = {"x": batch["x"], "y": batch.pop("y")}
        change = batch["y"] - batch["x"][:, BACK - 1 :]
        return LossTerms({"error": (module(batch["x"]) - change).square().mean()})

    def validation_loss(self, module, batch, config):
        error = self.loss(module, batch, config).total
        if self.fault == "validation loss changes the batch":
            batch["x"].zero_()
        return error

    def targets(self, data, config, part="test"):
        at = np.arange(20, STEPS_LONG - 1)
        groups = data.split.groups(part)
        values = {g: data.recordings[g].signal[at + 1] for g in groups}
        return [Target("next", 1, 1.0, "a.u.", values, dict.fromkeys(groups, at))]

    @torch.no_grad()
    def predict(self, trained, target):
        values, scale = {}, trained.dataset.normalisation
        for group, at in target.origins.items():
            z = trained.dataset.z[group]
            if self.fault == "look-ahead of the model":
                z = np.concatenate([z[1:], z[-1:]])
            device = "cpu" if self.fault == "inputs stay on the CPU" else device_of(trained.network)
            change = trained.network(torch.tensor(z[None]).to(device))[0]
            if self.fault == "other values elsewhere" and change.device.type != "cpu":
                change = 1.5 * change
            change = (change if self.fault == "outputs stay on the device" else change.cpu()).numpy()[at - BACK + 1]
            values[group] = (scale.mean + scale.sd * (z[at] + change)).astype(np.float32)
            if self.fault == "predict changes the dataset":
                trained.dataset.z[group][0] += 1
            if self.fault == "predict changes the recording":
                trained.dataset.recordings[group].signal[0] += 1
        return Prediction(values)

    def metrics(self, data, config):
        return [RMSE("a.u.")]

    def baselines(self, data, config):
        ahead = 1 if self.fault == "look-ahead of a baseline" else 0

        def persistence(target: Target) -> Prediction:
            if self.fault == "a baseline changes the recording":
                data.recordings[data.split.validation[0]].signal[0] += 1
            return Prediction({g: data.recordings[g].signal[at + ahead] for g, at in target.origins.items()})

        return [Predictor("persistence", "baseline", persistence)]

    def ceiling(self, data, config):
        return NoCeiling("a toy")

    def diagnose_data(self, recordings, config):
        return [Finding("groups", "data", "PASS", len(recordings), "≥ 3")]

    def interpret(self, trained, figures):
        return [Exhibit("weights", "Weights of the toy")]


FAULTS = {
    "look-ahead of the model": ("look-ahead", "the model sees later samples"),
    "look-ahead of the normalisation": ("look-ahead", "the model sees"),
    "look-ahead of a baseline": ("look-ahead", "the baseline persistence sees later samples"),
    "loss changes the batch": ("batch-unchanged", "loss changes the batch in place: y"),
    "loss takes a tensor away": ("batch-unchanged", "loss changes the batch in place: y"),
    "validation loss changes the batch": ("batch-unchanged", "validation_loss changes the batch in place: x"),
    "forward changes its input": ("batch-unchanged", "the network's forward changes the batch in place: x"),
    "predict changes the dataset": ("data-unchanged", "predict changes dataset.z['g"),
    "predict changes the recording": ("data-unchanged", "predict changes dataset.recordings, recording g"),
    "a baseline changes the recording": ("data-unchanged", "the baseline persistence changes dataset.recordings"),
    "inputs stay on the CPU": ("other-device", "tensors of two devices"),
    "outputs stay on the device": ("other-device", "numpy"),
    "other values elsewhere": ("other-device", "other values on another device"),
    "frozen, detached": ("training", "gate.weight, gate.bias get no gradient"),
    "frozen, times zero": ("training", "gate.weight, gate.bias have a gradient of exactly zero"),
    "frozen, left out of the optimiser": ("training", "gate.weight, gate.bias have a gradient and stay"),
    "declared and trained": ("training", "unused_parameters names out.bias"),
}


@pytest.fixture(scope="module")
def presets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    (folder / "quick.toml").write_text("[train]\nepochs = 1\n")
    return folder


@pytest.mark.parametrize("fault", ["", "frozen, declared", "fixed by design"])
def test_an_honest_family_passes_every_step(fault: str, presets: Path) -> None:
    checks = check_family(Toy(presets, fault))
    assert [(c.name, c.verdict) for c in checks] == [(step.name, "PASS") for step in STEPS], checks


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_its_own_step_alone(fault: str, presets: Path) -> None:
    step, words = FAULTS[fault]
    checks = {check.name: check for check in check_family(Toy(presets, fault))}
    assert {name: c.detail for name, c in checks.items() if c.verdict != "PASS"} == {step: checks[step].detail}
    assert checks[step].verdict == "FAIL" and words in checks[step].detail


# -- the steps of one model share their work ---------------------------------------------------------------------------


def test_a_step_alone_does_first_what_it_needs_and_each_step_once() -> None:
    done: list[str] = []

    def noted(name: str):
        return lambda shared: done.append(name) or name

    steps = [
        Step("first", noted("first")),
        Step("second", noted("second"), ("first",)),
        Step("other", noted("other"), ("first",)),
        Step("last", noted("last"), ("second",)),
    ]
    contract = Contract(Toy(NOWHERE), steps)
    assert contract.check("last").verdict == "PASS" and done == ["first", "second", "last"]
    assert contract.check("other").verdict == "PASS" and done == ["first", "second", "last", "other"]


def test_what_needs_a_step_that_failed_is_skipped_with_the_reason() -> None:
    class Shapeless(Toy):
        def build(self, config, spec):
            raise RuntimeError("no shape")

    checks = {check.name: check for check in check_family(Shapeless(NOWHERE))}
    assert checks["build"].verdict == "FAIL" and "no shape" in checks["build"].detail
    skipped = {name for name, check in checks.items() if check.verdict == "SKIPPED"}
    assert {"loss", "training", "predict", "look-ahead", "scores"} <= skipped
    assert {checks[name].detail for name in skipped} == {"build failed"}
    assert checks["batches"].verdict == "PASS"


def test_every_step_needs_only_steps_before_it() -> None:
    names = [step.name for step in STEPS]
    assert all(names.index(needed) < number for number, step in enumerate(STEPS) for needed in step.needs)


def test_a_name_that_nobody_has_is_said_at_once() -> None:
    with pytest.raises(UnknownName):
        check_family("no-such-model-v1")


def test_every_step_is_explained_to_plugin_authors() -> None:
    text = (Path(__file__).parents[2] / "docs/architecture.md").read_text(encoding="utf-8")
    table = [line.split("|")[1] for line in text.partition("| step |")[2].splitlines() if line.startswith("| `")]
    assert sorted(name for row in table for name in re.findall(r"`([\w-]+)`", row)) == sorted(s.name for s in STEPS)


# -- pytest ------------------------------------------------------------------------------------------------------------

HONEST = Toy(NOWHERE)


@parametrize_with_checks([HONEST])
def test_the_contract_from_pytest(model: Toy, check: Any) -> None:
    """The honest toy has no preset: that is allowed, and doubtful."""
    doubtful = repr(check) == "config"
    with pytest.warns(Doubtful, match="toy-v1, config: there is no preset") if doubtful else contextlib.nullcontext():
        check(model)


def cases_of(families: list[Any], **how: Any) -> dict[str, Any]:
    return {case.id: case for case in parametrize_with_checks(families, **how).args[1]}


def test_every_step_of_every_model_is_a_test_of_its_own() -> None:
    cases = cases_of(["gat-lstm-v2", HONEST])
    assert list(cases) == [f"{model}-{step.name}" for model in ("gat-lstm-v2", "toy-v1") for step in STEPS]


def test_steps_and_models_can_be_slow() -> None:
    cases = cases_of(["a-v1", "b-v1"], slow=["scores", "b-v1-look-ahead"])
    slow = {name for name, case in cases.items() if "slow" in [mark.name for mark in case.marks]}
    assert slow == {"a-v1-scores", "b-v1-scores", "b-v1-look-ahead"}
    with pytest.raises(ValueError, match="skores"):
        parametrize_with_checks(["a-v1"], slow=["skores"])


def test_a_step_that_fails_raises_and_what_needs_it_is_skipped() -> None:
    class Wordless(Toy):
        def example(self, seed):
            raise KeyError("no example")

    wordless = Wordless(NOWHERE)
    cases = cases_of([wordless])
    with pytest.raises(pytest.skip.Exception, match="example failed"):
        cases["toy-v1-look-ahead"].values[1](wordless)
    with pytest.raises(AssertionError, match="no example") as raised:
        cases["toy-v1-example"].values[1](wordless)
    assert isinstance(raised.value.__cause__, KeyError)


def test_steps_of_one_model_share_their_work_and_a_new_test_begins_anew() -> None:
    class Counting(Toy):
        made = 0

        def example(self, seed):
            type(self).made += 1
            return super().example(seed)

    counting = Counting(NOWHERE)
    cases = cases_of([counting])
    for name in ("predict", "example", "build"):
        cases[f"toy-v1-{name}"].values[1](counting)
    assert Counting.made == 3  # as often as the step itself asks
    cases_of([counting])["toy-v1-example"].values[1](counting)
    assert Counting.made == 6


def test_a_verdict_knows_its_model() -> None:
    check = Contract(HONEST, STEPS).check("card")
    assert check == Check("toy-v1", "card", "PASS", "toy:Toy", check.seconds)
