"""The published evaluation: its figures on real files, and its parts against plain references."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import torch

from neurocli.errors import DataError
from neurocli.evaluation.intervals import interval
from neurocli.evaluation.metrics import RMSE
from neurocli.recordings import Recording, Spikes
from neurocli_elm.data.readers.neuronio import read_file
from neurocli_elm.data.windows import Windows
from neurocli_elm.evaluation import protocol
from neurocli_elm.evaluation.protocol import (
    Predictions,
    joined,
    plain_scores,
    predictions,
    published_scores,
    rescaled,
    scored_part,
    soma_scores,
    window_starts,
)
from neurocli_elm.evaluation.spike_metrics import AveragePrecision, ExplainedVariance, SpikeAUC, TruePositives
from neurocli_elm.evaluation.spike_scores import spike_scores
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

real = pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")
REAL = Path(os.environ.get("NEUROCLI_REAL_DATA", ".")) / "elm"
SEVEN = "sim__saved_InputSpikes___34_outSpikes__7_simulationRuns__6_secDuration__randomSeed_100523.p"
ONE = "sim__saved_InputSpikes___4_outSpikes__1_simulationRuns__6_secDuration__randomSeed_1.p"


def step_by_step(num_memory: int) -> Callable[[Windows], tuple[Any, Any]]:
    """A published checkpoint, one step after the other and synapse by synapse, in float32."""
    folder = REAL / f"checkpoints/num_memory_{num_memory}"
    state = torch.load(folder / "neuronio_best_model_state.pt", map_location="cpu", weights_only=True)
    weight = torch.relu(state["_proto_w_s"])
    decay = torch.exp(-1 / state["tau_s"])
    memory_decay = torch.exp(-1 / (149 * torch.sigmoid(state["_proto_tau_m"]) + 1))
    route, valid = state["input_to_synapse_indices"], state["valid_indices_mask"]

    def predict(windows: Windows) -> tuple[Any, Any]:
        x = torch.from_numpy(windows.dense())
        synapse = torch.zeros(len(x), len(route))
        memory = torch.zeros(len(x), num_memory)
        outputs = []
        for t in range(x.shape[1]):
            synapse = decay * synapse + weight * (x[:, t][:, route] * valid)
            branch = synapse.view(len(x), 45, 100).sum(2)
            hidden = torch.cat([branch, memory_decay * memory], 1) @ state["mlp.network.0.weight"].T
            delta = torch.relu(hidden + state["mlp.network.0.bias"]) @ state["mlp.network.2.weight"].T
            delta = 1.7159 * torch.tanh(2 / 3 * (delta + state["mlp.network.2.bias"]))
            memory = memory_decay * memory + 5 * (1 - memory_decay) * delta
            outputs.append(memory @ state["w_y.weight"].T + state["w_y.bias"])
        y = torch.stack(outputs, 1)
        return torch.sigmoid(y[..., 0]).numpy(), (10 * y[..., 1]).numpy()

    return predict


@real
@pytest.mark.parametrize(
    ("num_memory", "name", "auc", "rmse", "explained"),
    [
        (15, SEVEN, 0.99007, 0.631, 95.8),
        (30, SEVEN, 0.99058, 0.557, 96.7),
        (15, ONE, 0.99582, 0.403, 98.1),
        (30, ONE, 0.99559, 0.394, 98.2),
    ],
)
def test_published_checkpoints_score_as_the_published_code_scores_them(num_memory, name, auc, rmse, explained):
    recordings = read_file(REAL / name)
    actual = predictions(recordings, step_by_step(num_memory))
    scores = published_scores([actual])
    assert scores.spikes.auc == pytest.approx(auc, abs=1e-4)
    assert scores.soma.rmse_mv == pytest.approx(rmse, abs=1e-3)
    assert scores.soma.explained_percent == pytest.approx(explained, abs=0.1)
    assert (scores.simulations, scores.excluded) == (len(recordings), 0)
    assert scores.spikes.positives == {SEVEN: 28, ONE: 4}[name]
    honest = plain_scores([actual])
    assert honest.spikes == scores.spikes
    assert honest.soma.rmse_mv != pytest.approx(rmse, abs=1e-3)
    # Sums over simulations give the same scores.
    of_all = scored_part(actual)
    for metric, expected, tolerance in (
        (SpikeAUC(), scores.spikes.auc, 1e-4),
        (AveragePrecision(), scores.spikes.average_precision, 1e-3),
    ):
        sums = [metric.statistics(s[:, None], p[:, None]) for s, p in zip(of_all.spike, of_all.probability, strict=True)]  # fmt: skip
        assert float(metric.value(np.sum(sums, axis=0))) == pytest.approx(expected, abs=tolerance)


@real
def test_the_neuron_of_the_family_gives_the_same_answers():
    options = ElmOptions(
        num_input=1278,
        num_output=2,
        version=1,
        num_memory=15,
        memory_tau_max=150.0,
        num_branch=45,
        num_synapse_per_branch=100,
        input_to_synapse_routing="neuronio",
    )
    neuron = ElmNeuron(options)
    path = REAL / "checkpoints/num_memory_15/neuronio_best_model_state.pt"
    neuron.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    @torch.no_grad()
    def predict(windows: Windows) -> tuple[Any, Any]:
        output = neuron.neuronio_output(windows.input_events())
        return output.spike_probability.numpy(), output.soma_mv.numpy()

    recordings = read_file(REAL / ONE)
    first, second = predictions(recordings, predict), predictions(recordings, step_by_step(15))
    np.testing.assert_allclose(first.soma_mv, second.soma_mv, atol=1e-4)
    np.testing.assert_allclose(first.probability, second.probability, atol=1e-5)
    assert published_scores([first]).spikes.auc == pytest.approx(0.99582, abs=1e-4)


def simulations(count: int, steps: int = 1300, *, seed: int = 0, spikes: int = 6) -> list[Recording]:
    rng = np.random.default_rng(seed)
    actual = []
    for n in range(count):
        step = np.sort(rng.integers(0, steps, 200)).astype(np.int32)
        actual.append(
            Recording(
                group=f"s{n}",
                signal=rng.normal(-62, 4, (steps, 1)).astype(np.float32),
                dt_ms=1.0,
                unit="mV",
                spikes=Spikes(step, rng.integers(0, 4, 200).astype(np.int32), 1.0),
                events={"output_spikes": rng.choice(steps, spikes, replace=False).astype(np.int32)},
                labels={"num_inputs": 4, "num_excitatory": 2},
            )
        )
    return actual


def made_up(count: int, steps: int = 1300, *, seed: int = 0, spikes: int = 6) -> Predictions:
    """Answers of a model that knows something."""
    rng = np.random.default_rng(seed)
    spike = np.zeros((count, steps), bool)
    for row in spike:
        row[rng.choice(steps, spikes, replace=False)] = True
    target = rng.normal(4, 3, spike.shape)
    probability = 1 / (1 + np.exp(-(rng.normal(-6, 1.5, spike.shape) + 3 * spike)))
    predicted_probability = 0.8 * target + rng.normal(0.5, 1, spike.shape)
    return Predictions(tuple(f"s{n}" for n in range(count)), spike, probability, target, predicted_probability)


@pytest.mark.parametrize(("steps", "number"), [(500, 1), (501, 2), (850, 2), (851, 3), (1300, 4), (6000, 17)])
def test_windows_cover_a_simulation(steps, number):
    starts = window_starts(steps)
    assert len(starts) == number and starts == [350 * k for k in range(number)]
    covered = np.zeros(steps, int)
    for k, start in enumerate(starts):
        covered[start + (150 if k else 0) : start + 500] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("steps", [500, 501, 640, 850, 1300])
def test_every_step_is_predicted_from_its_own_window(steps, monkeypatch):
    """A model whose state is the sum of the input so far tells at each step from where it has been summed."""
    recordings = simulations(3, steps)
    monkeypatch.setattr(protocol, "EVENTS_AT_ONCE", 450)  # two simulations together, then the third

    def predict(windows: Windows) -> tuple[Any, Any]:
        state = np.cumsum(windows.dense() @ np.array([1, 10, 100, 1000]), axis=1)
        return state, -state

    predicted = predictions(recordings, predict)
    for n, recording in enumerate(recordings):
        assert recording.spikes is not None
        once = np.zeros(steps)
        for step, channel in {*zip(recording.spikes.step.tolist(), recording.spikes.channel.tolist(), strict=True)}:
            once[step] += [1, 10, -100, -1000][channel]
        for t in range(steps):
            window = 0 if t < 500 else (t - 150) // 350
            assert predicted.probability[n, t] == pytest.approx(once[350 * window : t + 1].sum())
        np.testing.assert_array_equal(predicted.soma_mv[n], -predicted.probability[n])
        np.testing.assert_array_equal(np.flatnonzero(predicted.spike[n]), np.sort(recording.events["output_spikes"]))
        clipped = np.minimum(recording.signal[:, 0].astype(float), -55) + 67.7
        np.testing.assert_allclose(predicted.target_mv[n], clipped, atol=1e-5)


def test_each_file_is_rescaled_by_itself():
    first, second = made_up(3, seed=1), made_up(2, seed=2)
    second = replace(second, soma_mv=5 * second.soma_mv - 100)
    for file in (rescaled(first), rescaled(second)):
        assert file.soma_mv.mean() == pytest.approx(file.target_mv.mean())
        assert file.soma_mv.std() == pytest.approx(file.target_mv.std())
    shifted = replace(first, soma_mv=3 * first.soma_mv + 7)
    np.testing.assert_allclose(rescaled(shifted).soma_mv, rescaled(first).soma_mv)
    published = published_scores([first, second])
    by_hand = scored_part(joined([rescaled(first), rescaled(second)]))
    assert published.soma == soma_scores(by_hand.target_mv, by_hand.soma_mv)
    assert published.soma.rmse_mv != pytest.approx(published_scores([joined([first, second])]).soma.rmse_mv)
    constant = replace(first, soma_mv=np.full_like(first.soma_mv, 3.0))
    assert published_scores([constant]).soma.explained_percent == pytest.approx(0, abs=0.5)


def test_simulations_with_many_spikes_are_left_out_whatever_their_start_holds():
    few, many, most = made_up(2, spikes=6), made_up(1, spikes=25, seed=5), made_up(1, spikes=24, seed=6)
    scores = plain_scores([few, many, most])
    assert (scores.simulations, scores.excluded) == (3, 1)
    assert scores.spikes.positives == few.spike[:, 500:].sum() + most.spike[:, 500:].sum()
    assert scores.spikes.steps == 3 * 800
    with pytest.raises(DataError, match="nothing is left to score: 1 simulations of 1300 ms, 0 with at most 24"):
        plain_scores([many])
    with pytest.raises(DataError, match="nothing is left"):
        plain_scores([made_up(2, 500)])


def test_scores_are_those_of_scikit_learn():
    predicted = made_up(4, 6000, spikes=20)
    scores = spike_scores(predicted.spike, predicted.probability)
    truth, probability = predicted.spike.ravel(), predicted.probability.ravel()
    assert scores.auc == pytest.approx(sklearn.metrics.roc_auc_score(truth, probability), abs=1e-12)
    assert scores.average_precision == pytest.approx(sklearn.metrics.average_precision_score(truth, probability))
    false, true, _ = sklearn.metrics.roc_curve(truth, probability)
    for rate, value in scores.true_positives.items():
        assert value == true[np.argmin(np.abs(false - rate))]
        below = np.interp(np.arange(0, rate, 1 / 19_999), false, true).mean()
        assert scores.partial_auc[rate] == pytest.approx(below, abs=5e-3)
    soma = soma_scores(predicted.target_mv, predicted.soma_mv)
    flat = predicted.target_mv.ravel(), predicted.soma_mv.ravel()
    assert soma.rmse_mv == pytest.approx(sklearn.metrics.root_mean_squared_error(*flat))
    assert soma.mae_mv == pytest.approx(sklearn.metrics.mean_absolute_error(*flat))
    assert soma.explained_percent == pytest.approx(100 * sklearn.metrics.explained_variance_score(*flat))


def test_what_is_undefined_is_said():
    predicted = made_up(2, spikes=0)
    scores = plain_scores([predicted])
    assert scores.spikes.auc is None and scores.spikes.average_precision is None and not scores.spikes.true_positives
    assert "no step has an output spike" in (scores.spikes.undefined or "") and scores.spikes.positives == 0
    assert np.isfinite(scores.soma.rmse_mv)
    everywhere = spike_scores(np.ones(5), np.linspace(0, 1, 5))
    assert everywhere.auc is None and "every step" in (everywhere.undefined or "")
    broken = spike_scores(np.array([0, 1]), np.array([np.nan, 1]))
    assert broken.auc is None and "not a number" in (broken.undefined or "")
    assert soma_scores(np.ones(3), np.zeros(3)).explained_percent is None


def test_what_cannot_be_evaluated_is_named():
    def predict(windows: Windows) -> tuple[Any, Any]:
        return windows.spike, windows.soma_mv

    with pytest.raises(DataError, match="lasts 499 ms, and 500 ms are needed") as caught:
        predictions(simulations(2, 499), predict)
    assert "s0" in caught.value.where
    with pytest.raises(DataError, match="last 700 and 800 ms"):
        predictions([simulations(1, 700)[0], simulations(2, 800)[1]], predict)
    with pytest.raises(DataError, match="no simulation"):
        predictions([], predict)
    with pytest.raises(DataError, match="1300 and 1400"):
        plain_scores([made_up(1), made_up(1, 1400)])


METRICS = [SpikeAUC(), AveragePrecision(), TruePositives(0.0025), TruePositives(0.01)]


def sums(metric: Any, predicted: Predictions) -> np.ndarray:
    """[simulation, channel, k]"""
    pairs = (predicted.target_mv, predicted.soma_mv) if metric.unit else (predicted.spike, predicted.probability)
    return np.array([metric.statistics(y[:, None], p[:, None]) for y, p in zip(*pairs, strict=True)])


def test_sums_over_simulations_give_the_scores_of_all_steps():
    predicted = made_up(6, 6000, spikes=15)
    truth, probability = predicted.spike.ravel(), predicted.probability.ravel()
    false, true, _ = sklearn.metrics.roc_curve(truth, probability, drop_intermediate=False)
    expected = [
        sklearn.metrics.roc_auc_score(truth, probability),
        sklearn.metrics.average_precision_score(truth, probability),
        np.interp(0.0025, false, true),
        np.interp(0.01, false, true),
    ]
    for metric, value, tolerance in zip(METRICS, expected, (1e-4, 2e-3, 0.012, 0.012), strict=True):
        assert float(metric.value(sums(metric, predicted).sum(0))) == pytest.approx(value, abs=tolerance)
    explained = float(ExplainedVariance().value(sums(ExplainedVariance(), predicted).sum(0)))
    assert explained == pytest.approx(soma_scores(predicted.target_mv, predicted.soma_mv).explained_percent)
    for metric in (*METRICS, ExplainedVariance(), RMSE("mV")):
        statistics = sums(metric, predicted)
        low, high = interval(metric, statistics)
        assert low <= float(metric.value(statistics.sum(0))) <= high and low < high


def test_sums_without_a_spike_have_no_score():
    for metric in METRICS:
        assert np.isnan(metric.value(sums(metric, made_up(2, spikes=0)).sum(0)))


def test_a_perfect_and_a_blind_probability():
    spike = np.zeros((1, 1000), bool)
    spike[0, ::100] = True
    for probability, auc in ((spike * 1.0, 1.0), (np.full(spike.shape, 0.01), 0.5), (1.0 - spike, 0.0)):
        predicted = replace(made_up(1, 1000), spike=spike, probability=probability)
        assert float(SpikeAUC().value(sums(SpikeAUC(), predicted).sum(0))) == pytest.approx(auc)
        assert spike_scores(spike, probability).auc == pytest.approx(auc)
    blind = replace(made_up(1, 1000), spike=spike, probability=np.full(spike.shape, 0.01))
    assert float(TruePositives(0.01).value(sums(TruePositives(0.01), blind).sum(0))) == pytest.approx(0.01)


@pytest.mark.parametrize(("middle", "spread"), [(-60.0, 12.0), (-25.0, 4.0), (12.0, 2.0)])
def test_probabilities_far_from_a_half_keep_their_order(middle, spread):
    """A model that knows few simulations by heart gives 1e-30 where it is wrong: its ranks still count."""
    random = np.random.default_rng(0)
    spike = random.random((1, 4000)) < 0.02
    logit = random.normal(middle, spread, spike.shape) + 1.2 * spread * spike
    probability = 1 / (1 + np.exp(-logit))
    predicted = replace(made_up(1, 4000), spike=spike, probability=probability)
    actual = float(SpikeAUC().value(sums(SpikeAUC(), predicted).sum(0)))
    assert actual == pytest.approx(sklearn.metrics.roc_auc_score(spike[0], probability[0]), abs=1e-3)
