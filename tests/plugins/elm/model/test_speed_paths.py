"""The parts that make the neuron fast, each against the plain thing that it replaces."""

from __future__ import annotations

import pytest
import torch

from neurocli.training.compiled import can_compile, has_compiler
from neurocli_elm.data import events as events_module
from neurocli_elm.data.events import DENSE_ABOVE, DenseInput, InputEvents
from neurocli_elm.model.cell import ELMCell
from neurocli_elm.model.layers.filters import leaky_filter, synapse_traces
from neurocli_elm.model.layers.memory_scan import Layer, memory_scan
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not has_compiler(), reason="numba is not there"))]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def filter_loop(x, k, start):
    """One step after the other."""
    out, state = [], start
    for row in x.unbind(0):
        state = row + k * state
        out.append(state)
    return torch.stack(out)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("steps", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_traces_and_their_gradients_are_those_of_a_loop(steps, per_channel, started, compiled):
    x, aim = randn(steps, 3, 5), randn(steps, 3, 5, seed=1)
    k = torch.linspace(0.3, 0.99, 5, dtype=torch.float64) if per_channel else torch.tensor(0.82, dtype=torch.float64)
    start = randn(3, 5, seed=2) if started else torch.zeros(3, 5, dtype=torch.float64)
    exact = [x.clone().requires_grad_(), start.clone().requires_grad_()]
    expected = filter_loop(exact[0], k, exact[1])
    gradients = torch.autograd.grad((expected * aim).sum(), exact)
    mine = [x.float().requires_grad_(), start.float().requires_grad_()]
    actual = leaky_filter(mine[0], k.float(), mine[1] if started else None, compiled=compiled)
    assert (actual - expected).abs().max() <= 1e-5
    (actual * aim.float()).sum().backward()
    for leaf, gradient in list(zip(mine, gradients, strict=True))[: 2 if started else 1]:
        assert (leaf.grad - gradient).abs().max() <= 1e-5 * gradient.abs().max()


def test_traces_per_synapse_pass_gradcheck_and_give_the_input_its_gradient():
    indices = torch.tensor([0, 2, 1, 1, 0, 2])
    k = torch.linspace(0.2, 0.9, 6, dtype=torch.float64)
    given = [randn(5, 2, 3).requires_grad_(), randn(6, seed=1).requires_grad_(), randn(2, 6, seed=2).requires_grad_()]

    def branches(x, weights, start):
        return synapse_traces(x, indices, weights, k, 3, start)[0]

    assert torch.autograd.gradcheck(branches, given)


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_memory_passes_gradcheck(activation, depth):
    def scan(base, weight, w2, b2, k, gain, start, *inner):
        layers = [Layer(w, b) for w, b in zip(inner[::2], inner[1::2], strict=True)]
        return memory_scan(base, weight, layers, Layer(w2, b2), k, gain, start, activation=activation)

    k = torch.tensor([0.3, 0.9], dtype=torch.float64)
    given = [
        randn(6, 2, 4),
        randn(4, 2, seed=1),
        randn(2, 4, seed=2),
        randn(2, seed=3),
        k,
        5 * (1 - k),
        randn(2, 2, seed=4),
    ]
    for layer in range(depth - 1):
        given += [randn(4, 4, seed=5 + layer), randn(4, seed=8 + layer)]
    assert torch.autograd.gradcheck(scan, [g.clone().requires_grad_() for g in given])


@pytest.mark.skipif(not has_compiler(), reason="numba is not there")
@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("memory", [1, 4, 7, 16])
def test_the_compiled_memory_is_that_of_double_precision_also_where_it_saturates(memory, depth, activation):
    hidden, f = 9, torch.float32
    k = torch.linspace(0.1, 0.99, memory, dtype=torch.float64)
    values = [
        5 * randn(70, 3, hidden),
        0.03 * randn(hidden, memory, seed=1),
        2 * randn(memory, hidden, seed=2),
        randn(memory, seed=3),
    ]
    values += [k, 5 * (1 - k), randn(3, memory, seed=4)]
    for layer in range(depth - 1):
        values += [0.4 * randn(hidden, hidden, seed=5 + layer), randn(hidden, seed=8 + layer)]
    aim = randn(70, 3, memory, seed=11)
    results = []
    for dtype, compiled, grad in ((torch.float64, False, True), (f, True, True), (f, True, False)):
        base, weight, w2, b2, decay, gain, start, *inner = [v.detach().to(dtype).requires_grad_(grad) for v in values]
        layers = [Layer(w, b) for w, b in zip(inner[::2], inner[1::2], strict=True)]
        m = memory_scan(
            base, weight, layers, Layer(w2, b2), decay, gain, start, activation=activation, compiled=compiled
        )
        leaves = [base, weight, w2, b2, decay, gain, start, *inner]
        results.append((m.detach(), torch.autograd.grad((m * aim.to(dtype)).sum(), leaves) if grad else ()))
    (expected, gradients), (actual, mine), (unkept, _) = results
    assert (actual - expected).abs().max() <= 1e-5 * max(1, float(expected.abs().max()))
    assert torch.equal(actual, unkept)
    for a, b in zip(mine, gradients, strict=True):
        assert (a - b).abs().max() <= 3e-5 * b.abs().max()


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_input_is_projected_alike_dense_and_as_events(share, compiled):
    g = torch.Generator().manual_seed(3)
    x = (torch.rand(3, 41, 37, generator=g) < share) * randn(3, 41, 37, seed=4, dtype=torch.float32)
    x[..., ::2] *= -1  # minus zeros among them
    sample, step, channel = x.nonzero(as_tuple=True)
    events = InputEvents(step, channel.int(), x[sample, step, channel], sample, 41, 3)
    matrix = randn(37, 11, seed=5, dtype=torch.float32).requires_grad_()
    aim = randn(41, 3, 11, seed=6, dtype=torch.float32)
    expected = x.transpose(0, 1) @ matrix
    (gradient,) = torch.autograd.grad((expected * aim).sum(), matrix)
    torch.testing.assert_close(events.dense(37), x.transpose(0, 1))
    for kind in (DenseInput(x), events):
        actual = kind.project(matrix, compiled=compiled)
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(torch.autograd.grad((actual * aim).sum(), matrix)[0], gradient, rtol=1e-5, atol=1e-4)


@pytest.mark.skipif(not has_compiler(), reason="numba is not there")
def test_events_are_found_in_sparse_input_and_dense_input_is_left():
    x = torch.zeros(100, 40)
    x[3, 39], x[50, 0], x[99, 39] = 1.0, 3.0, -2.0
    uneven = torch.zeros(1000, 40)
    uneven[1:15] = 1.0  # rows that the sample of rows does not see
    for compiled in (True, False):
        row, channel, value = events_module._find(x, compiled)
        assert (row.tolist(), channel.tolist(), value.tolist()) == ([3, 50, 99], [39, 0, 39], [1.0, 3.0, -2.0])
        assert events_module._find(torch.ones(100, 40), compiled) is None
        actual = events_module._find(uneven, compiled)
        assert actual is not None and len(actual[0]) == 14 * 40
    odd = torch.zeros(11)
    odd[4], odd[5] = -0.0, 2.0
    assert events_module._places(odd).tolist() == [5] and events_module._places(odd[1:]).tolist() == [4]
    assert 2 * DENSE_ABOVE < 1


def test_events_at_one_place_add_up():
    events = InputEvents(*(torch.tensor(v) for v in ([2, 2], [1, 1], [1.0, 1.0], [0, 0])), 4, 1)
    assert events.dense(3)[2, 0].tolist() == [0.0, 2.0, 0.0]
    for compiled in (False, None):
        assert events.project(torch.eye(3), compiled=compiled)[2, 0].tolist() == [0.0, 2.0, 0.0]


def test_input_that_wants_a_gradient_gets_it():
    torch.manual_seed(0)
    for tau in (5.0, tuple(float(t) for t in range(2, 14))):
        neuron = ElmNeuron(ElmOptions(num_input=12, num_output=1, version=1, num_memory=3, tau_value=tau))
        x = (torch.rand(2, 30, 12) < 0.1).float().requires_grad_()
        (actual,) = torch.autograd.grad(neuron(x).square().sum(), x)
        exact, wide = ElmNeuron(neuron.options).double(), x.detach().double().requires_grad_()
        exact.load_state_dict(neuron.state_dict())
        cell, state, total = ELMCell.of(exact), None, 0.0
        for t in range(30):
            state = cell(wide[:, t], state)
            total = total + cell.readout(state.memory).square().sum()
        (gradient,) = torch.autograd.grad(total, wide)
        assert gradient.abs().max() > 0
        assert (actual - gradient).abs().max() <= 1e-5 * gradient.abs().max()


def test_compiled_loops_that_cannot_run_are_refused():
    assert can_compile(False, torch.zeros(1)) is False
    assert can_compile(None, torch.zeros(1, dtype=torch.float64)) is False
    with pytest.raises(ValueError, match="single precision"):
        can_compile(True, torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("tau", ["uniform", "synapse"])
@pytest.mark.parametrize("compiled", COMPILED)
def test_what_is_kept_for_the_backward_pass_grows_with_the_length_alone(tau, compiled):
    taus = 5.0 if tau == "uniform" else tuple(2.0 + 0.1 * i for i in range(60))
    sizes = {"num_input": 40, "num_branch": 12, "num_synapse_per_branch": 5, "input_to_synapse_routing": "neuronio"}
    neuron = ElmNeuron(ElmOptions(num_output=2, version=1, num_memory=4, tau_value=taus, **sizes), compiled=compiled)

    def kept(steps):
        tensors = {}

        def count(tensor):
            storage = tensor.untyped_storage()
            tensors[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            y = neuron((torch.rand(2, steps, 40) < 0.02).float())
        y.sum().backward()
        return sum(tensors.values())

    small, large = kept(400), kept(1600)
    assert 3 < large / small < 4.2
