"""What is shown of a trained network: against networks whose memory, and whose inputs in use, are known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.adapting import adapted
from neurocli.runs.plain import plain
from neurocli.training.readout import SequenceNetwork
from neurocli_sequences.interpretation.deletion import kept_but
from neurocli_sequences.interpretation.probe import gradient_by_step, integrated_gradients, probed
from neurocli_sequences.interpretation.reach import by_lag, lags_within
from neurocli_sequences.interpretation.seen import right_at
from neurocli_sequences.interpretation.token_pictures import laid_out

STEPS, CHANNELS, TOLD = 20, 3, 4
"""Series of whose first channel the step 4 alone tells the class."""


def told_early(numbers: bool = False) -> RecordingSet:
    random = np.random.default_rng(0)
    made = []
    for n in range(200):
        signal = random.normal(size=(STEPS, CHANNELS)).astype(np.float32)
        target = float(signal[TOLD, 0])
        labels = {"target": target} if numbers else {"class": int(target > 0)}
        made.append(Recording(f"series-{n:03d}", signal, 1.0, "", labels=labels))
    return RecordingSet.of(
        made, meta={"kind": "series", "step": "step", **({} if numbers else {"classes": ["low", "high"]})}
    )


class FromOneStep(nn.Module):
    """Knows the class from the first channel of step 4, and remembers it."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(*x.shape[:2], len(self.gain))
        if x.shape[1] > TOLD:
            sign = torch.tensor([-3.0, 3.0]) if len(self.gain) == 2 else torch.tensor([1.0])
            out[:, TOLD:] = x[:, TOLD : TOLD + 1, :1] * sign * self.gain
        return out


def known(numbers: bool = False) -> TrainedModel:
    family = registry().family("lstm", "timeseries")
    config = family.Config()
    dataset = adapted(family, told_early(numbers), config)
    network = SequenceNetwork(FromOneStep(1 if numbers else 2), "last").eval()
    return TrainedModel(network, config, dataset, 0, [], family=family)


def shown(trained: TrainedModel, figures: Path) -> dict[str, Exhibit]:
    assert trained.family is not None
    exhibits = trained.family.interpret(trained, figures)
    plain([exhibit.as_dict() for exhibit in exhibits])
    for exhibit in exhibits:
        assert exhibit.figure is None or exhibit.figure.stat().st_size > 5_000
        assert exhibit.table is not None
        assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
    return {exhibit.name: exhibit for exhibit in exhibits}


@pytest.mark.parametrize("numbers", [False, True])
def test_a_network_that_knows_one_step(numbers: bool, tmp_path: Path) -> None:
    exhibits = shown(known(numbers), tmp_path)
    reach, lag = exhibits["gradient-against-lag"], STEPS - 1 - TOLD
    assert reach.claims["lag_90_steps"] == pytest.approx(lag)
    assert reach.claims["lag_90_steps_if_even"] == pytest.approx(0.9 * STEPS - 1)
    assert reach.table is not None
    assert {row[0]: row[1] for row in reach.table.rows}.get(lag, 1.0) == 1.0
    seen = exhibits["seen-so-far"]
    assert seen.claims["share_for_90_percent_of_gain"] == pytest.approx((TOLD + 1) / STEPS)
    if numbers:
        assert seen.claims["rmse"] < 0.1 * seen.claims["trivial"]  # mean and sd are those of z-scores, nearly
    else:
        assert seen.claims["accuracy"] > 0.9 > seen.claims["trivial"]
    controls = exhibits["saliency-controls"].claims
    assert controls["more_than_random_p"] < 0.01 and controls["more_than_random_low"] > 0
    assert controls["more_than_untrained_p"] < 0.01
    assert exhibits["saliency"].claims["missed_share"] < 1e-4
    assert "memory-timescales" not in exhibits


def test_gradients_and_attributions_fall_on_the_one_input_that_counts() -> None:
    trained = known()
    cases = probed(trained.dataset)  # type: ignore[arg-type]
    norms = gradient_by_step(trained.network, cases)
    assert (lags_within(norms) == STEPS - 1 - TOLD).all()
    assert np.flatnonzero(by_lag(norms)).tolist() == [STEPS - 1 - TOLD]
    maps, missed = integrated_gradients(trained.network, cases, cases.labels)
    assert missed < 1e-5
    for number, of in zip(cases.numbers, maps, strict=True):
        assert np.argwhere(of).tolist() == [[TOLD, 0]]
        x = cases.dataset.batch(np.array([number]))["x"][0, TOLD, 0]
        # Log-odds of two classes are the difference of their outputs: 6 x, with the sign of the true class.
        sign = 2 * cases.dataset.label[number] - 1
        assert of[TOLD, 0] == pytest.approx(6 * float(x) * sign, rel=1e-4)


def test_an_untrained_copy_of_itself_is_told_apart_from_nothing(tmp_path: Path) -> None:
    """The control: without any training there is no difference to claim."""
    trained = known()
    trained.network = trained.untrained()
    exhibits = shown(trained, tmp_path)
    assert exhibits["saliency-controls"].claims["rank_correlation_untrained"] == pytest.approx(1)
    assert exhibits["saliency-controls"].claims["more_than_untrained_p"] == 1
    assert exhibits["gradient-against-lag"].claims["more_than_untrained_steps"] == 0
    assert exhibits["seen-so-far"].claims["better_than_untrained_p"] == 1


def test_reading_early_is_reading_shorter_sequences() -> None:
    """Against the network on sequences that end there, for every way of reading."""
    for pooling in ("last", "mean", "max"):
        family = registry().family("gru", "timeseries")
        config = family.Config.model_validate({"task": {"pooling": pooling}})
        dataset: Any = adapted(family, family.example(0), config)
        network = family.untrained(config, dataset.spec, 0)
        cases = probed(dataset)
        right = right_at(network, cases, np.array([0.3, 1.0]))
        for row, number in enumerate(cases.numbers):
            x = dataset.batch(np.array([number]))["x"]
            for k, share in enumerate((0.3, 1.0)):
                until = max(1, int(np.ceil(share * x.shape[1] - 1e-6)))
                with torch.no_grad():
                    output = network(x[:, :until], torch.tensor([until]))
                assert right[k, row] == (output.argmax(1).item() == dataset.label[number])


def brief(model: str, task: str, steps: int, options: Any) -> TrainedModel:
    """A model after a few steps of training on the example of a task."""
    family = registry().family(model, task)
    config = family.Config.model_validate(options)
    config.train.batch_size = 16
    dataset = adapted(family, family.example(0), config)
    network = family.untrained(config, dataset.spec, 0).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for epoch in range(-(-steps // dataset.steps("train"))):
        for batch in dataset.batches("train", seed=0, epoch=epoch):
            optimiser.zero_grad()
            family.loss(network, batch, config).total.backward()
            optimiser.step()
    return TrainedModel(network.eval(), config, dataset, 0, [], family=family)


@pytest.mark.parametrize(
    ("model", "task", "options"),
    [
        ("elm-v2", "digits", {"model": {"compiled": "off"}}),
        ("lstm", "digits", {"task": {"order": "patches", "patch": 4, "pooling": "attention"}}),
        ("linear", "listops", {}),
        ("lstm", "lra-text", {}),
        ("gru", "timeseries", {"task": {"chunk": 5, "pooling": "max"}}),
    ],
)
def test_any_model_on_any_kind_of_case(model: str, task: str, options: dict[str, Any], tmp_path: Path) -> None:
    exhibits = shown(brief(model, task, 20, options), tmp_path)
    assert exhibits.keys() >= {"gradient-against-lag", "seen-so-far", "saliency", "saliency-controls"}
    assert ("memory-timescales" in exhibits) == (model in ("elm-v2", "linear"))
    assert -1 <= exhibits["saliency-controls"].claims["rank_correlation_untrained"] <= 1


def test_timescales_that_are_fixed_did_not_change(tmp_path: Path) -> None:
    claims = shown(brief("linear", "digits", 5, {"model": {"longest": 64.0}}), tmp_path)["memory-timescales"].claims
    assert claims["longest_steps"] == claims["longest_steps_untrained"] == pytest.approx(64, rel=1e-5)
    assert claims["longest_in_sequences"] == pytest.approx(8, rel=1e-5)
    assert claims["largest_change_factor"] == 1


def test_the_largest_tenth_is_taken_out() -> None:
    rank = np.arange(40.0).reshape(8, 5)
    assert np.flatnonzero(~kept_but(rank).ravel()).tolist() == [36, 37, 38, 39]
    assert (~kept_but(np.zeros((3, 1)))).sum() == 1


def test_shaded_texts_stay_within_their_lines() -> None:
    tokens = ["word"] * 300
    placed = laid_out(tokens, np.linspace(-1, 1, 300), " ")
    assert placed[-1][2] == "…"
    by_line: dict[int, list[tuple[int, int]]] = {}
    for line, column, word, _ in placed:
        by_line.setdefault(line, []).append((column, column + len(word)))
    for spans in by_line.values():
        assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))
        assert spans[-1][1] <= 110
