"""What a neuron model is held against: a constant, linear filters of the input, and a small LSTM.

All are fitted on the training simulations, on the same steps as the model. Where there are none (weights trained elsewhere),
the constant and the filters answer for a test simulation as fitted on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from neurocli.evaluation.question import Prediction, Predictor, Question
from neurocli.recordings import Recording
from neurocli_elm.data import SimulationData
from neurocli_elm.linear_filter import Answer, Array, LinearFilter, summed
from neurocli_elm.questions import prediction
from neurocli_elm.windows import SOMA_SCALE_MV, soma_target_mv, spike_target

TAUS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
BRANCH_TAUS_MS = (2.0, 8.0, 30.0, 120.0)
BRANCHES = 32
SEED = 0
MOST_SIMULATIONS = 256
"""Simulations that the constant and the filters are fitted on; of more, evenly chosen ones."""

LEFT_OUT = "no training simulations: linear filters are fitted on the scored ones, each answered by a fit on the others"
Fit = Callable[[Sequence[Recording]], Answer]
"""Simulations to fit on → what answers for others."""
FEWEST, EACH, FOLDS = 3, 10, 5
"""Without training simulations: the fewest test simulations that baselines are fitted on, up to how many each one is left out by
itself, and into how many parts more of them go."""
RATE = 1e-3
"""Output spikes per ms to which answers of different fits are moved."""


def baselines(data: SimulationData, config: Any) -> list[Predictor]:
    """Constant, two linear filters and an LSTM; no LSTM without training simulations, and nothing with fewer than three."""
    event, first = config.data.event, config.data.ignored
    every, by_branch = (_sums(data.excitatory, data.channels, groups) for groups in (1, BRANCHES))
    kinds: list[tuple[str, Fit, str]] = [
        ("spike rate, mean voltage", lambda train: _constant(train, event, first), "what simulations have on average"),
        (
            "linear filter",
            lambda train: LinearFilter(every, TAUS_MS).fit(train, event, first),
            "ridge and logistic regression on leaky sums of all excitatory and all inhibitory input",
        ),
        (
            "linear filter per branch",
            lambda train: LinearFilter(by_branch, BRANCH_TAUS_MS).fit(train, event, first),
            f"the same on the sums of {len(set(by_branch.tolist())) // 2} groups of neighbouring inputs",
        ),
    ]
    if not data.split.train:
        return [_left_out(data, *kind) for kind in kinds] if len(data.split.test) >= FEWEST else []
    groups = data.split.train
    picked = np.linspace(0, len(groups) - 1, min(len(groups), MOST_SIMULATIONS)).round().astype(int)
    train = [data.load(groups[n]) for n in picked]
    predictors = [_predictor(data, name, fit(train), note) for name, fit, note in kinds]
    if config.evaluate.lstm_steps:
        note = f"{config.evaluate.lstm_hidden} units on the sums of the same groups of inputs"
        predictors.append(_predictor(data, "small LSTM", _lstm(data, config, by_branch), note))
    return predictors


def _predictor(data: SimulationData, name: str, answer: Answer, note: str) -> Predictor:
    def answered(question: Question) -> Prediction:
        return prediction(question, {group: answer(data.load(group)) for group in question.groups})

    return Predictor(name, "baseline", answered, note)


def _left_out(data: SimulationData, name: str, fit: Fit, note: str) -> Predictor:
    """Answers for each test simulation as fitted on the other ones; many of them are left out several at a time.

    A fold that is left out for its many spikes leaves a low rate behind, and would be ranked below the others for that alone:
    every fold's logits are moved to one rate, which a ROC curve of one fit does not depend on. That rate is a constant: the
    rate of all simulations would know the one that is answered for.
    """
    groups = list(data.split.test)
    count = len(groups) if len(groups) <= EACH else FOLDS
    folds = [groups[n::count] for n in range(count)]
    fitted: dict[int, Answer] = {}
    event, first = data.options.event, data.options.ignored
    rate = {g: float(spike_target(data.load(g), event)[first:].mean()) for g in groups}

    def answer_for(group: str) -> Answer:
        number = next(n for n, fold in enumerate(folds) if group in fold)
        if number not in fitted:
            others = [g for g in groups if g not in folds[number]]
            odds = _odds(float(np.mean([rate[g] for g in others])))
            ratio = _odds(RATE) / odds if odds > 0 else 1.0
            fitted[number] = _at_rate(fit([data.load(g) for g in others]), ratio)
        return fitted[number]

    def answered(question: Question) -> Prediction:
        return prediction(question, {group: answer_for(group)(data.load(group)) for group in question.groups})

    each = "each in turn" if count == len(groups) else f"one in {FOLDS} at a time"
    return Predictor(
        name, "baseline", answered, f"{note}; fitted on the test simulations, leaving out {each}, all at one spike rate"
    )


def _odds(share: float) -> float:
    return share / max(1 - share, 1e-12)


def _at_rate(answer: Answer, ratio: float) -> Answer:
    """The answer with the odds of a spike times `ratio`."""

    def moved(recording: Recording) -> tuple[Array, Array]:
        spike, soma = answer(recording)
        return spike * ratio / (1 + spike * (ratio - 1)), soma

    return moved


def _sums(excitatory: int, channels: int, groups: int) -> NDArray[np.int64]:
    """[channel] which sum an input belongs to: `groups` of neighbours among excitatory ones, then among inhibitory ones."""
    inhibitory = channels - excitatory
    parts = [np.arange(n) * min(groups, n) // max(n, 1) for n in (excitatory, inhibitory)]
    return np.concatenate([parts[0], parts[1] + min(groups, excitatory)]).astype(np.int64)


def _constant(train: Sequence[Recording], event: str, first: int) -> Answer:
    rate = float(np.mean([spike_target(r, event)[first:].mean() for r in train]))
    soma = float(np.mean([soma_target_mv(r)[first:].mean() for r in train]))
    return lambda recording: (np.full(recording.steps, rate), np.full(recording.steps, soma))


class _SmallLstm(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.readout(self.lstm(x)[0])


def _lstm(data: SimulationData, config: Any, group_of: NDArray[np.int64]) -> Answer:
    """A small LSTM on the sums, trained on the same windows as the model with a plain Adam."""
    evaluate, groups = config.evaluate, int(group_of.max()) + 1
    threads = torch.get_num_threads()
    torch.set_num_threads(config.train.threads)  # so small a network loses by more than one
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = _SmallLstm(groups, evaluate.lstm_hidden)
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, evaluate.lstm_steps)
        of = torch.from_numpy(group_of)
        done, epoch = 0, 0
        while done < evaluate.lstm_steps:
            for batch in data.batches("train", seed=SEED, epoch=epoch):
                samples, steps = batch["spike"].shape
                x = torch.zeros(samples, steps, groups)
                x.index_put_(
                    (batch["sample"], batch["step"], of[batch["channel"]]), batch["sign"].abs(), accumulate=True
                )
                y = network(x)
                loss = functional.binary_cross_entropy_with_logits(y[..., 0], batch["spike"])
                loss = loss + functional.mse_loss(y[..., 1], batch["soma"])
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                done += 1
                if done == evaluate.lstm_steps:
                    break
            epoch += 1
    torch.set_num_threads(threads)
    network.eval()

    @torch.no_grad()
    def answer(recording: Recording) -> tuple[Array, Array]:
        y = network(torch.from_numpy(summed(recording, group_of).astype(np.float32))[None])[0].double().numpy()
        return 1 / (1 + np.exp(-y[:, 0])), SOMA_SCALE_MV * y[:, 1]

    return answer
