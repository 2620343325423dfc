"""The ELM neuron against the loop written out in double precision, its published sizes, and its types."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from neurocli.training.compiled import has_compiler
from neurocli_elm.data.events import InputEvents
from neurocli_elm.model.cell import ELMCell
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.timescales import initial_proto_tau

_spec = importlib.util.spec_from_file_location("plain_neuron", Path(__file__).parents[1].joinpath("plain_neuron.py"))
assert _spec is not None and _spec.loader is not None
_plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_plain)

BRANCHED = {"num_input": 1278, "num_output": 2, "num_branch": 45, "num_synapse_per_branch": 100}
BRANCHED |= {"input_to_synapse_routing": "neuronio", "memory_tau_max": 150.0}
FORMS = [(False, False), (False, True), (True, False), (True, True)]
ROUTED = {
    "none": {"num_input": 12, "num_branch": 6, "num_synapse_per_branch": 2},
    "random": {"num_input": 9, "num_branch": 5, "num_synapse_per_branch": 3, "routing_seed": 4},
    "neuronio": {"num_input": 11, "num_branch": 4, "num_synapse_per_branch": 5},
}


def events_of(x):
    """The same input as events."""
    sample, step, channel = x.nonzero(as_tuple=True)
    return InputEvents(step, channel, x[sample, step, channel], sample, x.shape[1], x.shape[0])


def spikes(samples, steps, channels, share, seed=0):
    g = torch.Generator().manual_seed(seed)
    sign = 2.0 * torch.randint(2, (channels,), generator=g) - 1
    return (torch.rand(samples, steps, channels, generator=g) < share) * sign


def lively(options, seed=0):
    """A neuron with weights far from their start, dead synapses among them."""
    torch.manual_seed(seed)
    neuron = ElmNeuron(options)
    with torch.no_grad():
        neuron._proto_w_s.copy_(torch.randn_like(neuron._proto_w_s) + 0.7)
        for layer in neuron.mlp.linears:
            layer.weight.mul_(1.5)
    return neuron


def small_options(routing, version, mode, learned, activation, depth, hidden):
    options = ElmOptions(
        num_output=2,
        version=version,
        num_memory=4,
        mlp_num_layers=depth,
        mlp_activation=activation,
        mlp_hidden_size=hidden,
        memory_tau_max=150.0,
        learn_memory_tau=learned,
        input_to_synapse_routing=routing,
        **ROUTED[routing],
    )
    if mode == "uniform":
        return options
    by_branch = [2.0 + 1.7 * n for n in range(options.branches)]
    if version == 2:
        return options.model_copy(update={"tau_value": tuple(by_branch)})
    per_branch = options.num_synapse_per_branch
    by_synapse = [t + (0.3 * j if mode == "synapse" else 0.0) for t in by_branch for j in range(per_branch)]
    return options.model_copy(update={"tau_value": tuple(by_synapse)})


MODES = [(1, "uniform"), (1, "branch"), (1, "synapse"), (2, "uniform"), (2, "branch")]


@pytest.mark.parametrize("hidden", [3, None], ids=["folded", "wide"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("learned", [False, True], ids=["frozen", "learned"])
@pytest.mark.parametrize(("version", "mode"), MODES)
@pytest.mark.parametrize("routing", ["none", "random", "neuronio"])
def test_outputs_and_gradients_are_those_of_the_plain_loop(routing, version, mode, learned, activation, depth, hidden):
    options = small_options(routing, version, mode, learned, activation, depth, hidden)
    neuron = lively(options)
    x = spikes(2, 20, options.num_input, 0.1, seed=1)
    assert x.abs().sum() > 20
    aim = torch.randn(2, 20, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    learnt = [name for name, p in neuron.named_parameters() if p.requires_grad]
    assert ("_proto_tau_m" in learnt) == learned
    exact = {name: value.detach().double() for name, value in neuron.state_dict().items()}
    for name in learnt:
        exact[name].requires_grad_()
    expected = _plain.plain_tensor(options, exact, x)
    assert expected.abs().max() > 0.05
    gradients = torch.autograd.grad((expected * aim).sum(), [exact[name] for name in learnt])
    for compiled, sparse in FORMS:
        if compiled and not has_compiler():
            continue
        neuron.compiled = compiled
        neuron.zero_grad()
        y = neuron.forward_events(events_of(x)) if sparse else neuron(x)
        assert y.dtype == torch.float32 and (y - expected).abs().max() <= 1e-5, (compiled, sparse)
        (y * aim.float()).sum().backward()
        parameters = dict(neuron.named_parameters())
        for name, gradient in zip(learnt, gradients, strict=True):
            actual = parameters[name].grad
            assert actual is not None
            assert (actual - gradient).abs().max() <= 1e-5 * gradient.abs().max(), (name, compiled, sparse)


@pytest.mark.parametrize("version", [1, 2])
def test_parameter_counts_are_the_published_ones(version):
    def count(**options):
        neuron = ElmNeuron(ElmOptions(version=version, **options))
        return sum(p.numel() for p in neuron.parameters() if p.requires_grad)

    table = {1: 4601, 2: 4708, 3: 4823, 5: 5077, 7: 5363, 10: 5852, 15: 6827, 20: 8002, 25: 9377, 30: 10952}
    table |= {40: 14702, 50: 19252, 75: 34127, 100: 54002}
    for memory, parameters in table.items():
        assert count(num_memory=memory, **BRANCHED) == parameters
    assert count(num_input=1278, num_output=2, num_memory=20) == 54_100
    assert count(num_input=1278, num_output=2, num_memory=20, learn_w_s=False) == 52_822
    assert count(num_input=1278, num_output=2, num_memory=15) == 40_595
    assert count(num_input=700, num_output=20, num_memory=100) == 183_020


def test_memory_timescales_are_the_published_ones_to_the_printed_digits():
    neuron = ElmNeuron(ElmOptions(num_memory=15, **BRANCHED))
    printed = "1.0000 1.4303 2.0458 2.9262 4.1854 5.9865 8.5627 12.247 17.518 25.056 35.839 51.261 73.320 104.871 150.0"
    for actual, text in zip(neuron.tau_m.tolist(), printed.split(), strict=True):
        assert abs(actual - float(text)) <= 0.5001 * 10.0 ** -len(text.split(".")[1])
    proto = neuron._proto_tau_m
    assert abs(float(proto[0]) + 18.86689) < 1e-5 and abs(float(proto[-1]) - 16.09430) < 1e-5
    assert ElmNeuron(ElmOptions(num_memory=1, **BRANCHED)).tau_m.tolist() == [pytest.approx(1.0, abs=1e-5)]


@pytest.mark.parametrize("bounds", [(1.0, 1000.0), (1.0, 500.0), (0.5, 20.0), (100.0, 100.5), (100.0, 100.000003)])
def test_start_of_the_timescales_is_finite_where_the_upper_end_rounds_to_the_bound(bounds):
    proto = initial_proto_tau(*bounds, 12)
    assert proto.isfinite().all() and (proto.diff() >= 0).all()


def test_state_has_the_published_names_order_and_types():
    def state(**options):
        return {n: (tuple(v.shape), v.dtype) for n, v in ElmNeuron(ElmOptions(**options)).state_dict().items()}

    actual = state(version=1, num_memory=15, **BRANCHED)
    f = torch.float32
    assert list(actual.items()) == [
        ("_proto_w_s", ((4500,), f)),
        ("tau_s", ((4500,), f)),
        ("_proto_tau_m", ((15,), f)),
        ("input_to_synapse_indices", ((4500,), torch.int64)),
        ("valid_indices_mask", ((4500,), torch.bool)),
        ("mlp.network.0.weight", ((30, 60), f)),
        ("mlp.network.0.bias", ((30,), f)),
        ("mlp.network.2.weight", ((15, 30), f)),
        ("mlp.network.2.bias", ((15,), f)),
        ("w_y.weight", ((2, 15), f)),
        ("w_y.bias", ((2,), f)),
    ]
    assert list(state(num_memory=15, **BRANCHED).items())[1] == ("tau_b", ((45,), f))
    none = state(num_input=6, num_output=2, num_memory=4)
    assert none["input_to_synapse_indices"] == none["valid_indices_mask"] == ((0,), f)
    random = state(num_input=6, num_output=2, num_branch=3, num_synapse_per_branch=5, input_to_synapse_routing="random")
    assert random["input_to_synapse_indices"] == random["valid_indices_mask"] == ((15,), torch.int64)
    deep = state(num_input=6, num_output=2, num_memory=4, mlp_num_layers=3, mlp_hidden_size=0)
    assert deep["mlp.network.6.weight"] == ((4, 8), f) and deep["mlp.network.0.weight"] == ((8, 10), f)


def test_random_numbers_are_drawn_in_the_published_order():
    sizes = {"num_input": 20, "num_output": 3, "num_memory": 4, "num_branch": 5, "num_synapse_per_branch": 6}
    torch.manual_seed(11)
    neuron = ElmNeuron(ElmOptions(input_to_synapse_routing="random", mlp_num_layers=2, **sizes))
    torch.manual_seed(11)
    layers = [nn.Linear(9, 8), nn.Linear(8, 8), nn.Linear(8, 4)]
    readout, channels = nn.Linear(4, 3), torch.randint(20, (30,))
    for mine, theirs in zip([*neuron.mlp.linears, neuron.w_y], [*layers, readout], strict=True):
        assert torch.equal(mine.weight, theirs.weight) and torch.equal(mine.bias, theirs.bias)
    assert torch.equal(neuron.input_to_synapse_indices, channels)


@pytest.mark.parametrize("version", [1, 2])
def test_records_hold_what_the_output_was_made_of(version):
    neuron = lively(small_options("neuronio", version, "uniform", False, "relu", 1, 3))
    x = spikes(2, 70, 11, 0.1)
    records = neuron.forward_states(x)
    torch.testing.assert_close(records.output, neuron(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(neuron.w_y(records.memory), records.output, rtol=0, atol=1e-6)
    assert records.branch.shape == (2, 70, 4) and records.memory.shape == (2, 70, 4)
    torch.testing.assert_close(neuron.output_of(records.branch.transpose(0, 1)).transpose(0, 1), records.output)
    cell, state = ELMCell.of(neuron), None
    for t in range(70):
        state = cell(x[:, t], state)
        torch.testing.assert_close(records.branch[:, t], state.trace, rtol=0, atol=1e-5)
        torch.testing.assert_close(records.memory[:, t], state.memory, rtol=0, atol=1e-5)
    sparse = neuron.forward_states(events_of(x))
    torch.testing.assert_close(sparse.branch, records.branch, rtol=0, atol=1e-5)


def test_the_neuronio_output_is_a_probability_and_millivolts():
    neuron = lively(small_options("neuronio", 1, "uniform", False, "relu", 1, None))
    x = spikes(3, 30, 11, 0.1)
    y = neuron(x)
    spike, soma = neuron.neuronio_output(x)
    torch.testing.assert_close(spike, 1 / (1 + torch.exp(-y[..., 0])))
    torch.testing.assert_close(soma, 10 * y[..., 1])
    assert torch.equal(neuron.neuronio_output(events_of(x)).soma_mv.shape == soma.shape and soma, soma)


class _NoDoubles(TorchDispatchMode):
    """Fails on every operation that takes or gives a double-precision tensor: Apple's devices have none."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        flat = torch.utils._pytree.tree_leaves((args, kwargs, out))
        wide = [t for t in flat if isinstance(t, torch.Tensor) and t.dtype in (torch.float64, torch.complex128)]
        assert not wide, f"{func} has a double-precision tensor"
        return out


def test_the_audit_itself_sees_doubles():
    with pytest.raises(AssertionError, match="double"), _NoDoubles():
        torch.zeros(2).double()


@pytest.mark.parametrize(("version", "mode"), MODES)
@pytest.mark.parametrize("sparse", [False, True])
def test_no_double_precision_from_construction_to_the_optimiser(version, mode, sparse):
    with _NoDoubles() as audit:
        options = small_options("neuronio", version, mode, True, "silu", 2, 3)
        neuron = ElmNeuron(options, compiled=False)
        optimiser = torch.optim.Adam(neuron.parameters(), lr=1e-3)
        x = spikes(2, 70, 11, 0.1)
        for _ in range(2):
            optimiser.zero_grad()
            spike, soma = neuron.neuronio_output(events_of(x) if sparse else x)
            loss = spike.square().mean() + soma.square().mean()
            loss.backward()
            optimiser.step()
        neuron.forward_states(x)
        neuron.advance(x, neuron.advance(x)[1])
    assert audit.operations > 500


def test_input_of_another_width_is_refused():
    neuron = ElmNeuron(small_options("neuronio", 1, "uniform", False, "relu", 1, None))
    with pytest.raises(ValueError, match="11"):
        neuron(torch.zeros(2, 5, 12))
    for wrong in ({"step": 5}, {"channel": 11}, {"sample": -1}):
        event = {"step": 0, "channel": 0, "sample": 0, **wrong}
        index = {name: torch.tensor([value]) for name, value in event.items()}
        with pytest.raises(ValueError, match="must be from 0"):
            neuron.forward_events(InputEvents(sign=torch.ones(1), num_steps=5, num_samples=2, **index))


def test_a_trace_time_constant_that_asks_for_a_gradient_is_refused():
    neuron = ElmNeuron(small_options("none", 2, "uniform", False, "relu", 1, None))
    neuron.tau_b.requires_grad_()
    with pytest.raises(ValueError, match="frozen"):
        neuron(torch.zeros(1, 3, 12))


def test_every_combination_was_asked_for():
    """The list of the modes is complete: each version with every kind of time constants that it knows."""
    kinds = {
        (version, ElmNeuron(small_options("random", version, mode, False, "relu", 1, None)).trace_decay()[0])
        for version, mode in MODES
    }
    assert kinds == set(itertools.product([1, 2], ["uniform", "branch"])) | {(1, "synapse")}
