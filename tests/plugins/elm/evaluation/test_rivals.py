"""The networks that stand beside the neuron: equations, causality, size, and that they are fitted once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from neurocli.evaluation.intervals import mean_interval
from neurocli.evaluation.small_network import count
from neurocli.plugin.registry import registry
from neurocli.plugin.task import parameters_of
from neurocli.recordings import Split
from neurocli_elm.config import LossConfig
from neurocli_elm.evaluation.rivals import rivals as rivals_room
from neurocli_elm.evaluation.rivals.gated_scan import dilated_blocks, gru, lstm, weighted_traces, window_loss
from neurocli_elm.evaluation.rivals.networks import PerInputGru, PerInputLstm, PerInputTcn, groups_of, of_size
from neurocli_elm.evaluation.rivals.rivals import QUICK_STEPS, RIVALS, rivals, steps_of
from neurocli_elm.model.loss import loss_terms
from neurocli_elm.simulation.example import small_cells

T, B, U = 40, 3, 6


def gradients(function, reference, given, target):
    """Largest differences of values and of gradients of two functions of the same tensors."""
    results = []
    for run in (function, reference):
        leaves = [t.clone().requires_grad_() for t in given]
        value = run(*leaves)
        results.append([value, *torch.autograd.grad((value * target).sum(), leaves)])
    return [float((a - b).detach().abs().max()) for a, b in zip(*results, strict=True)]


def test_the_lstm_is_torchs():
    torch.manual_seed(0)
    reference = torch.nn.LSTM(U, U)
    order = [0, 1, 3, 2]  # torch: input, forget, candidate, output

    def moved(weight):
        return torch.cat([weight.chunk(4)[n] for n in order]).t()

    def ours(x, into, past, bias):
        return lstm(x @ moved(into) + moved(bias[:, None])[0], moved(past))

    def theirs(x, into, past, bias):
        named = {"weight_ih_l0": into, "weight_hh_l0": past, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
        return torch.func.functional_call(reference, named, (x,))[0]

    given = [torch.randn(T, B, U), torch.randn(4 * U, U) / 2, torch.randn(4 * U, U) / 2, torch.randn(4 * U)]
    assert max(gradients(ours, theirs, given, torch.randn(T, B, U))) < 5e-5


def test_the_gru_is_torchs():
    torch.manual_seed(0)
    reference = torch.nn.GRU(U, U)

    def ours(x, into, past, bias, past_bias):
        return gru(x @ into.t() + bias, past.t(), past_bias)

    def theirs(x, into, past, bias, past_bias):
        named = {"weight_ih_l0": into, "weight_hh_l0": past, "bias_ih_l0": bias, "bias_hh_l0": past_bias}
        return torch.func.functional_call(reference, named, (x,))[0]

    given = [torch.randn(T, B, U), torch.randn(3 * U, U) / 2, torch.randn(3 * U, U) / 2, *torch.randn(2, 3 * U)]
    assert max(gradients(ours, theirs, given, torch.randn(T, B, U))) < 5e-5


@pytest.mark.parametrize("dilations", [(1,), (7, 1), (50, 2, 3)])
@pytest.mark.parametrize("units", [4, U, 7])
def test_blocks_of_the_tcn_are_padded_convolutions(dilations, units):
    torch.manual_seed(0)

    def ours(x, weights, biases):
        rows = dilated_blocks(x.flatten(0, 1).t(), weights, biases, B * np.array(dilations))
        return rows.t().view_as(x)

    def theirs(x, weights, biases):
        for weight, bias, dilation in zip(weights, biases, dilations, strict=True):
            rows = functional.pad(torch.relu(x).permute(1, 2, 0), ((len(weight) - 1) * dilation, 0))
            kernel = weight.flip(0).permute(1, 2, 0)
            x = x + functional.conv1d(rows, kernel, bias, dilation=dilation).permute(2, 0, 1)
        return x

    steps = 300  # more rows than are worked on at a time
    given = [
        torch.randn(steps, B, units),
        torch.randn(len(dilations), 3, units, units) / 4,
        torch.randn(len(dilations), units),
    ]
    assert max(gradients(ours, theirs, given, torch.randn(steps, B, units) / 9)) < 2e-4


def batch_of(events, channels, steps=T, samples=B):
    """A batch of random events on `channels` inputs, with targets."""
    random = np.random.default_rng(0)
    arrays = {
        "step": random.integers(0, steps, events),
        "sample": random.integers(0, samples, events),
        "channel": random.integers(0, channels, events),
        "spike": (random.random((samples, steps)) < 0.1).astype(np.float32),
        "soma": random.standard_normal((samples, steps)).astype(np.float32),
    }
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def test_traces_are_leaky_sums_of_weighted_events():
    batch, group = batch_of(300, 10), groups_of(6, 10, 2)
    assert group.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]

    def theirs(weight):
        dense = torch.zeros(T, B, 10).index_put(
            (batch["step"], batch["sample"], batch["channel"]), torch.ones(300), accumulate=True
        )
        into = dense * weight @ functional.one_hot(torch.from_numpy(group)).float()
        rows = [into[0]]
        for t in range(1, T):
            rows.append(0.8 * rows[-1] + into[t])
        return torch.stack(rows)

    actual = gradients(
        lambda weight: weighted_traces(weight, batch, group, 0.8), theirs, [torch.rand(10)], torch.randn(T, B, 4)
    )
    assert max(actual) < 1e-4


@pytest.mark.parametrize("burn_in", [0, 7])
def test_the_loss_is_the_neurons(burn_in):
    batch, loss = batch_of(10, 4), LossConfig(spike=0.3, soma=0.7, burn_in=burn_in)

    class Predictions:
        def __init__(self, y):
            self.y = y

        def forward_events(self, events):
            return self.y.transpose(0, 1)

    y = 3 * torch.randn(T, B, 2, generator=torch.Generator().manual_seed(0))
    batch["sign"] = torch.ones(10)

    def theirs(y):
        return sum(loss_terms(Predictions(y), batch, loss).values())

    assert max(gradients(lambda y: window_loss(y, batch, loss), theirs, [y], torch.tensor(2.0))) < 1e-6
    changed = y.clone()
    changed[:burn_in] += 1
    assert float(window_loss(y, batch, loss)) == float(window_loss(changed, batch, loss))


@pytest.mark.parametrize("layout", [PerInputLstm, PerInputGru, PerInputTcn])
def test_what_comes_later_changes_nothing(layout):
    torch.manual_seed(0)
    network, batch = layout(6, 10, 3, 5), batch_of(300, 10)
    early = batch["step"] < 25
    cut = {name: values[early] if len(values) == 300 else values for name, values in batch.items()}
    first, second = network(batch), network(cut)
    assert torch.equal(first[:25], second[:25])
    assert not torch.equal(first[25:], second[25:])


@pytest.mark.parametrize("layout", [PerInputLstm, PerInputGru, PerInputTcn])
@pytest.mark.parametrize(("excitatory", "channels", "wanted"), [(128, 256, 4325), (639, 1278, 8002), (100, 130, 3000)])
def test_a_network_has_the_size_that_is_asked_for(layout, excitatory, channels, wanted):
    groups, units = of_size(layout, excitatory, channels, wanted, 2.5)
    network = layout(excitatory, channels, groups, units)
    assert count(network) == pytest.approx(wanted, rel=0.02)
    assert 1 < network.sums / units < 6


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """(family, config, data, target) of a short training with a cache of its own."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    cells = small_cells(0, simulations=6, duration_ms=2000)
    family = registry().family("elm-v2")
    config = family.Config()
    config.train.max_steps, config.data.window = 60, 200
    data = family.adapt(cells, config, Split(tuple(cells.groups[:4]), (), tuple(cells.groups[4:]), "given"))
    return family, config, data, family.targets(data, config)[0]


def neuron_parameters(data, config) -> int:
    return parameters_of(registry().family("elm-v2").untrained(config, data.spec, 0))


def rmse(target, prediction):
    errors = [(prediction.values[g] - target.values[g])[:, 0] for g in target.groups]
    return float(np.sqrt(np.mean(np.square(errors))))


def test_they_learn_have_the_neurons_size_and_leave_the_random_state_alone(asked):
    family, config, data, target = asked
    config.evaluate.rivals = "full"
    actual = {p.name: p for p in family.baselines(data, config)}
    constant = rmse(target, actual["spike rate, mean voltage"].predict(target))
    state = torch.random.get_rng_state()
    for rival in RIVALS:
        predictor = actual[rival.name]
        assert predictor.cost() is None
        assert rmse(target, predictor.predict(target)) < 0.9 * constant
        cost = predictor.cost()
        assert cost.cpu_s > 0 and cost.parameters == pytest.approx(neuron_parameters(data, config), rel=0.02)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_fit_is_kept_for_other_runs_and_not_for_other_training_data(asked, monkeypatch):
    _, config, data, target = asked
    config.train.max_steps, config.evaluate.rivals = 5, "full"
    fits = []
    original = rivals_room.fit_network
    monkeypatch.setattr(rivals_room, "fit_network", lambda *a, **k: fits.append(1) or original(*a, **k))
    first = [p.predict(target) for p in rivals(data, config, neuron_parameters(data, config))]
    assert len(fits) == 3
    config.train.seed, config.train.learning_rate = 5, 1e-4
    again = [p.predict(target) for p in rivals(data, config, neuron_parameters(data, config))]
    assert len(fits) == 3, "another run on the same data"
    for one, second in zip(first, again, strict=True):
        for group in target.groups:
            np.testing.assert_array_equal(one.values[group], second.values[group])
    config.train.max_steps = 6
    rivals(data, config, neuron_parameters(data, config))[0].predict(target)
    assert len(fits) == 4, "another number of steps"


def test_the_default_has_every_network_and_they_can_be_left_out(asked):
    family, config, data, _ = asked
    config.train.max_steps = 4

    def found():
        return [p for p in family.baselines(data, config) if p.name in {r.name for r in RIVALS}]

    assert [p.name for p in found()] == [r.name for r in RIVALS] and steps_of(data, config) == 6
    assert all("6 steps" in p.note and "8 in the full form" in p.note for p in found())
    config.evaluate.rivals = "full"
    assert [p.name for p in found()] == [r.name for r in RIVALS] and steps_of(data, config) == 8
    assert all("8 steps" in p.note and "full form" not in p.note for p in found())
    config.evaluate.rivals, config.train.max_steps, config.train.epochs = "quick", None, 10_000
    assert steps_of(data, config) == QUICK_STEPS, "a neuron of a long training"
    config.evaluate.rivals = "none"
    assert found() == []


def test_units_of_the_gru_begin_with_memories_of_different_length():
    network = PerInputGru(6, 10, 3, 5)
    keep = torch.sigmoid(network.given.bias[5:10])
    torch.testing.assert_close(1 / (1 - keep), torch.logspace(np.log10(1.5), np.log10(50), 5))


@pytest.mark.slow
def test_each_is_as_strong_as_when_it_was_measured_by_hand_on_a_cell_of_another_seed(tmp_path, monkeypatch):
    """By hand an LSTM with a weight for each input reached 1.012 mV and an AUC of .982 on README's cell. Cells differ; a rival may be
    better, and its interval over simulations must reach these figures. On this cell the quick forms lost .022 mV (LSTM), .086 (GRU)
    and .000 (TCN) when this was written, .036 in the mean; a GRU without weight decay and with twice the neuron's steps had .962."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    cells = small_cells(2, simulations=80, duration_ms=6000, segments=128)
    family = registry().family("elm-v2")
    config = family.Config()
    data = family.adapt(cells, config)
    [target] = family.targets(data, config)
    reached = {}
    for form in ("full", "quick"):
        config.evaluate.rivals = form
        for predictor in rivals(data, config, neuron_parameters(data, config)):
            prediction = predictor.predict(target)
            squares = [np.mean((prediction.values[g] - target.values[g])[:, 0] ** 2) for g in target.groups]
            low, _ = mean_interval(np.array(squares))
            spikes, odds = (
                np.concatenate([v[g][:, 1] for g in target.groups]) for v in (target.values, prediction.values)
            )
            reached[predictor.name, form] = rmse(target, prediction)
            assert np.sqrt(low) < 1.012, predictor.name
            assert roc_auc_score(spikes > 0, odds) > 0.982 - 0.015, predictor.name
            assert predictor.cost().parameters == pytest.approx(neuron_parameters(data, config), rel=0.02)
    lost = [reached[rival.name, "quick"] - reached[rival.name, "full"] for rival in RIVALS]
    assert max(lost) < 0.1 and np.mean(lost) < 0.05
    assert reached["GRU per input", "quick"] < 0.962 + 0.04
