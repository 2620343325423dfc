"""One step at a time: `ELMCell` beside torch's cells, and streams of any length beside whole sequences."""

from __future__ import annotations

import gc
import inspect

import pytest
import torch
from torch import nn

from neurocli_elm.model.cell import ELMCell
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

TAUS = {
    (1, "uniform"): 5.0,
    (1, "synapse"): tuple(2.0 + 0.5 * i for i in range(40)),
    (2, "uniform"): 5.0,
    (2, "branch"): tuple(3.0 + i for i in range(8)),
}


def made(version=1, kind="uniform", **options):
    torch.manual_seed(0)
    sizes = {"num_input": 30, "num_output": 2, "num_memory": 5, "num_branch": 8, "num_synapse_per_branch": 5}
    sizes |= {"input_to_synapse_routing": "neuronio", "memory_tau_max": 150.0, "mlp_hidden_size": 6}
    return ElmNeuron(ElmOptions(version=version, tau_value=TAUS[version, kind], **(sizes | options)))


def spikes(samples, steps, channels=30):
    x = (torch.rand(samples, steps, channels, generator=torch.Generator().manual_seed(1)) < 0.03).float()
    x[..., channels // 2 :] *= -1
    return x


def test_the_cell_is_called_as_the_cells_of_torch_are():
    cell, theirs = ELMCell(made().options), nn.LSTMCell(30, 5)
    given, known = (list(inspect.signature(c.forward).parameters.values()) for c in (cell, theirs))
    assert len(given) == len(known) and [p.default for p in given] == [p.default for p in known]
    assert (cell.input_size, cell.hidden_size) == (theirs.input_size, theirs.hidden_size)
    for shape in [(3, 30), (30,)]:
        x = torch.rand(shape)
        (memory, trace), (h, _) = cell(x), theirs(x)
        assert memory.shape == h.shape and trace.shape[:-1] == h.shape[:-1]
        again, _ = cell(x, (memory, trace))
        assert again.shape == memory.shape and not torch.equal(again, memory)
    with pytest.raises(ValueError, match="30"):
        cell(torch.rand(3, 29))


@pytest.mark.parametrize(("version", "kind"), list(TAUS))
def test_a_loop_over_the_cell_gives_outputs_and_gradients_of_the_sequence(version, kind):
    neuron, x = made(version, kind), spikes(3, 150)
    cell = ELMCell.of(neuron)
    assert dict(cell.named_parameters()).keys() == dict(neuron.named_parameters()).keys()
    assert all(a is b for a, b in zip(cell.parameters(), neuron.parameters(), strict=True))
    state, outputs = None, []
    for t in range(x.shape[1]):
        state = cell(x[:, t], state)
        outputs.append(cell.readout(state[0]))
    looped, whole = torch.stack(outputs, 1), neuron(x)
    torch.testing.assert_close(whole, looped, rtol=0, atol=1e-5)
    learned = [p for p in neuron.parameters() if p.requires_grad]
    for mine, theirs in zip(
        torch.autograd.grad(whole.square().sum(), learned),
        torch.autograd.grad(looped.square().sum(), learned),
        strict=True,
    ):
        assert (mine - theirs).abs().max() <= 2e-5 * theirs.abs().max()


@pytest.mark.parametrize(("version", "kind"), list(TAUS))
@pytest.mark.parametrize("compiled", [False, None])
def test_pieces_of_any_length_follow_on_one_another(version, kind, compiled):
    neuron, x = made(version, kind), spikes(2, 300)
    neuron.compiled = compiled
    state, pieces = None, []
    for piece in x.split([1, 63, 65, 2, 129, 40], 1):
        y, state = neuron.advance(piece, state)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), neuron(x), rtol=0, atol=1e-5)
    cell = ELMCell.of(neuron)
    after = cell(x[:, 0], state)
    y = cell.readout(after.memory)
    torch.testing.assert_close(y, neuron.advance(x[:, :1], state)[0][:, 0], rtol=0, atol=1e-5)
    assert after.trace.shape == state.trace.shape


def test_a_gradient_reaches_the_state_that_a_piece_follows_on():
    neuron, x = made(), spikes(2, 70)
    memory = torch.randn(2, 5, requires_grad=True)
    trace = torch.randn(2, 8, requires_grad=True)
    results = []
    for compiled in (False, None):
        neuron.compiled = compiled
        y, _ = neuron.advance(x, (memory, trace))
        results.append(torch.autograd.grad(y.square().sum(), (memory, trace)))
    cell, state = ELMCell.of(neuron), (memory, trace)
    total = torch.zeros(())
    for t in range(70):
        state = cell(x[:, t], state)
        total = total + cell.readout(state.memory).square().sum()
    results.append(torch.autograd.grad(total, (memory, trace)))
    for actual in results[:2]:
        for mine, theirs in zip(actual, results[2], strict=True):
            assert (mine - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize(("version", "kind"), list(TAUS))
def test_steps_with_and_without_gradients_give_the_outputs_of_the_sequence(version, kind, activation, depth):
    neuron, x = made(version, kind, mlp_activation=activation, mlp_num_layers=depth), spikes(2, 200)
    cell, whole, states = ELMCell.of(neuron), neuron(x), []
    for gradients in (True, False):
        state, outputs = None, []
        with torch.set_grad_enabled(gradients):
            for t in range(200):
                state = cell(x[:, t], state)
                outputs.append(cell.readout(state.memory))
        torch.testing.assert_close(torch.stack(outputs, 1), whole, rtol=0, atol=1e-5)
        states.append(state)
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_without_gradients_a_cell_still_follows_its_parameters():
    neuron, x = made(), spikes(1, 2).sum(1)
    cell = ELMCell.of(neuron)
    first = cell.mlp.linears[0]

    def replaced():
        first.weight = nn.Parameter(first.weight + 1)

    def other_data():
        first.bias.data = first.bias + 1

    def other_layer():
        cell.mlp.network[2] = nn.Linear(first.out_features, cell.hidden_size)

    for change in (lambda: neuron._proto_w_s.mul_(3), replaced, other_data, other_layer, lambda: neuron.tau_s.add_(1)):
        before = cell(x, cell(x))
        assert torch.equal(cell(x, cell(x)).memory, before.memory)
        change()
        after = cell(x, cell(x))
        assert not torch.equal(after.memory, before.memory)
        with torch.enable_grad():
            torch.testing.assert_close(after, cell(x, cell(x)), rtol=0, atol=0)


def tensors():
    """Number and bytes of the tensors that are alive."""
    alive = [o for o in gc.get_objects() if type(o) in (torch.Tensor, nn.Parameter)]
    return len(alive), sum(t.nbytes for t in alive)


@torch.no_grad()
def test_a_minute_of_steps_equals_the_whole_and_takes_no_more_memory():
    steps = 60_000
    neuron, x = made(), spikes(1, steps)
    whole = neuron(x)
    cell, state, largest = ELMCell.of(neuron), None, 0.0
    for t in range(steps):
        state = cell(x[:, t], state)
        largest = max(largest, float((cell.readout(state.memory) - whole[:, t]).abs().max()))
        if t == 100:
            early = tensors()
    assert largest <= 1e-5
    assert whole[:, -1000:].std() > 1e-3
    assert tensors() == early


def test_a_state_of_another_batch_or_size_is_refused():
    cell = ELMCell(ElmOptions(num_input=10, num_output=2, num_memory=5))
    memory, trace = cell(torch.rand(2, 10))
    for state in ((memory[:1], trace), (memory, trace[:1]), (trace, memory), (memory[0], trace[0])):
        with pytest.raises(ValueError, match="for this input"):
            cell(torch.rand(2, 10), state)
