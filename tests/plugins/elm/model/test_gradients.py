"""Gradients through pieces of a sequence, second derivatives, and what is not a number: none of it goes wrong in silence."""

from __future__ import annotations

import pytest
import torch

from neurocli.training.compiled import has_compiler
from neurocli_elm.data.events import InputEvents
from neurocli_elm.model.cell import ELMCell
from neurocli_elm.model.layers.filters import leaky_filter, synapse_traces
from neurocli_elm.model.layers.memory_scan import Layer, memory_scan
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not has_compiler(), reason="numba is not there"))]
BRANCHES, EACH, INPUTS = 6, 4, 13
LAYOUTS = {
    (1, "uniform"): 5.0,
    (1, "branch"): tuple(2.0 + b for b in range(BRANCHES) for _ in range(EACH)),
    (1, "synapse"): tuple(2.0 + 0.7 * i for i in range(BRANCHES * EACH)),
    (2, "uniform"): 5.0,
    (2, "branch"): tuple(3.0 + b for b in range(BRANCHES)),
}
FIELDS = [pytest.param(version, kind, id=f"v{version}-{kind}") for version, kind in LAYOUTS]


def neuron_of(version, kind, compiled, hidden=5):
    torch.manual_seed(3)
    neuron = ElmNeuron(
        ElmOptions(
            version=version,
            num_input=INPUTS,
            num_output=2,
            num_memory=4,
            num_branch=BRANCHES,
            num_synapse_per_branch=EACH,
            input_to_synapse_routing="neuronio",
            memory_tau_max=150.0,
            learn_memory_tau=True,
            mlp_hidden_size=hidden,
            tau_value=LAYOUTS[version, kind],
        ),
        compiled=compiled,
    )
    assert neuron.trace_decay()[0] == kind
    return neuron


def spikes(steps, samples=3, share=0.1):
    generator = torch.Generator().manual_seed(5)
    x = (torch.rand(samples, steps, INPUTS, generator=generator) < share).float()
    x[..., INPUTS // 2 :] *= -1
    return x


def events_of(x):
    sample, step, channel = x.nonzero(as_tuple=True)
    return InputEvents(step, channel, x[sample, step, channel], sample, x.shape[1], len(x))


def learned(neuron):
    return [p for p in neuron.parameters() if p.requires_grad]


# -- a sequence in pieces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [(70, 90), (1, 64, 95), (159, 1)], ids=str)
@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_gradients_in_pieces_are_those_of_the_whole_sequence(version, kind, compiled, pieces):
    neuron = neuron_of(version, kind, compiled)
    x = spikes(160).requires_grad_()
    aim = torch.randn(3, 160, 2, generator=torch.Generator().manual_seed(6))
    expected = torch.autograd.grad((neuron(x) * aim).sum(), [x, *learned(neuron)])
    state, outputs = None, []
    for piece in x.split(pieces, 1):
        y, state = neuron.advance(piece, state)
        outputs.append(y)
    actual = torch.autograd.grad((torch.cat(outputs, 1) * aim).sum(), [x, *learned(neuron)])
    for mine, whole in zip(actual, expected, strict=True):
        assert (mine - whole).abs().max() <= 2e-6 * max(1.0, float(whole.abs().max()))


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_events_in_pieces_give_the_same_gradients(version, kind, compiled):
    neuron, x = neuron_of(version, kind, compiled), spikes(120)
    expected = torch.autograd.grad(neuron.forward_events(events_of(x))[:, -1].square().sum(), learned(neuron))
    state = None
    for piece in x.split((50, 70), 1):
        y, state = neuron.advance(events_of(piece), state)
    actual = torch.autograd.grad(y[:, -1].square().sum(), learned(neuron))
    for mine, whole in zip(actual, expected, strict=True):
        assert (mine - whole).abs().max() <= 2e-6 * max(1.0, float(whole.abs().max()))


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_the_state_that_is_passed_on_carries_its_own_gradient(version, kind, compiled):
    """A function of the last state alone, and the gradient by the state at the start."""
    neuron, x = neuron_of(version, kind, compiled), spikes(40)
    with torch.no_grad():
        _, start = neuron.advance(spikes(30, share=0.3))

    def by_steps():
        leaves = [part.clone().requires_grad_() for part in start]
        state, cell = tuple(leaves), ELMCell.of(neuron)
        for t in range(x.shape[1]):
            state = cell(x[:, t], state)
        return state, leaves

    def at_once():
        leaves = [part.clone().requires_grad_() for part in start]
        return neuron.advance(x, tuple(leaves))[1], leaves

    results = []
    for way in (by_steps, at_once):
        (memory, trace), leaves = way()
        aim = torch.linspace(-1, 1, trace.shape[1])
        results.append(
            torch.autograd.grad(memory.square().sum() + (trace * aim).sum(), [*leaves, *learned(neuron)[:2]])
        )
    for mine, expected in zip(results[1], results[0], strict=True):
        assert expected.abs().max() > 0
        assert (mine - expected).abs().max() <= 2e-5 * max(1.0, float(expected.abs().max()))


def test_traces_per_synapse_pass_gradcheck_with_their_last_values():
    def randn(*shape, seed):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()

    indices, k = torch.tensor([0, 2, 1, 1, 0, 2]), torch.linspace(0.2, 0.9, 6, dtype=torch.float64)
    given = [randn(5, 2, 3, seed=0), randn(6, seed=1), randn(2, 6, seed=2)]
    assert torch.autograd.gradcheck(lambda x, w, start: synapse_traces(x, indices, w, k, 3, start), given)


# -- second derivatives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_second_derivatives_are_refused(version, kind, sparse, compiled):
    neuron, x = neuron_of(version, kind, compiled), spikes(20)
    y = neuron.forward_events(events_of(x)) if sparse else neuron(x.requires_grad_())
    with pytest.raises(RuntimeError, match="first derivatives"):
        torch.autograd.grad(y.sum(), learned(neuron), create_graph=True)


def parts():
    """Each hand-written function by itself, behind a plain sum: no parameter stands between it and the sum."""
    x = torch.rand(5, 2, 4)
    k = torch.tensor(0.8)
    layer = Layer(torch.rand(3, 6), torch.rand(3))
    units = torch.full((3,), 0.7)
    indices = torch.tensor([0, 1, 2, 3])
    events = events_of(torch.ones(2, 5, INPUTS))
    wide = torch.rand(INPUTS, 3)
    return {
        "filter": (lambda w: leaky_filter(x * w, k), torch.ones(4)),
        "synapses": (lambda w: synapse_traces(x, indices, w, torch.linspace(0.1, 0.9, 4), 2)[0], torch.ones(4)),
        "memory": (lambda w: memory_scan(torch.rand(5, 2, 6), w, [], layer, units, units), torch.rand(6, 3)),
        "events": (lambda w: events.project(w, compiled=False), wide),
        "matrix": (lambda w: neuron_of(2, "uniform", False)._dense(spikes(5)).project(w, compiled=False), wide),
    }


@pytest.mark.parametrize("name", ["filter", "synapses", "memory", "events", "matrix"])
def test_no_function_leaves_a_second_derivative_out_in_silence(name):
    function, w = parts()[name]
    y = function(w.requires_grad_())
    with pytest.raises(RuntimeError, match="first derivatives"):
        torch.autograd.grad(y.sum(), w, create_graph=True)


# -- what is not a number --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("at", [0, 63, 64, 100, 129])
@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_what_is_not_a_number_reaches_no_earlier_step(version, kind, compiled, at, value):
    for hidden in (5, 11):  # folded into the first layer, and not
        neuron, x = neuron_of(version, kind, compiled, hidden), spikes(130)
        broken = x.clone()
        broken[1, at, 2] = value
        with torch.no_grad():
            whole, actual = neuron(x), neuron(broken)
            records, spoilt = neuron.forward_states(x), neuron.forward_states(broken)
        for first, second in ((whole, actual), (records.branch, spoilt.branch), (records.memory, spoilt.memory)):
            assert torch.equal(first[:, :at], second[:, :at]) and torch.equal(first[[0, 2]], second[[0, 2]])
        assert not spoilt.branch[1, at:].isfinite().all(-1).any()
        if value != value:
            assert actual[1, at:].isnan().all(), "what is not a number must stay visible"


@pytest.mark.parametrize("compiled", COMPILED)
def test_gradients_that_are_no_numbers_reach_no_later_step(compiled):
    x = torch.rand(150, 2, 3, requires_grad=True)
    aim = torch.rand(150, 2, 3)
    (whole,) = torch.autograd.grad((leaky_filter(x, torch.tensor(0.9), compiled=compiled) * aim).sum(), x)
    aim[90, 0, 1] = float("nan")
    (actual,) = torch.autograd.grad((leaky_filter(x, torch.tensor(0.9), compiled=compiled) * aim).sum(), x)
    assert torch.equal(actual[91:], whole[91:]) and actual[:91, 0, 1].isnan().all()


# -- the same bits whatever comes later ------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.011, 0.3, 1.0])
@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("version", "kind"), FIELDS)
def test_outputs_keep_their_bits_whatever_input_comes_later(version, kind, compiled, share):
    neuron, x = neuron_of(version, kind, compiled), spikes(200, samples=2, share=0.011)
    changed = x.clone()
    changed[:, 120:] = spikes(80, samples=2, share=share)
    with torch.no_grad():
        first, second = (neuron.forward_events(events_of(given)) for given in (x, changed))
    assert torch.equal(first[:, :120], second[:, :120])


def test_events_in_any_order_give_the_same_projection():
    x, matrix = spikes(50), torch.rand(INPUTS, 3, requires_grad=True)
    events = events_of(x)
    order = torch.randperm(len(events.sign), generator=torch.Generator().manual_seed(2))
    mixed = InputEvents(*(t[order] for t in (events.step, events.channel, events.sign, events.sample)), 50, 3)
    (first, second) = (given.project(matrix) for given in (events, mixed))
    torch.testing.assert_close(first, second)
    gradients = [torch.autograd.grad(y.square().sum(), matrix)[0] for y in (first, second)]
    torch.testing.assert_close(*gradients)
