"""Which channel each synapse reads: the facts of the published routing, and what cannot be."""

from __future__ import annotations

import pytest
import torch

from neurocli.errors import ConfigError
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.routing import neuronio_routing, random_routing


def test_the_published_routing_has_its_published_facts():
    indices, valid = neuronio_routing(1278, 45, 100)
    assert indices.dtype == torch.int64 and valid.dtype == torch.bool and len(indices) == len(valid) == 4500
    assert indices[:4].tolist() == [0, 639, 1, 640]
    assert int(valid.sum()) == 4282
    assert valid.view(45, 100).sum(1)[-4:].tolist() == [89, 60, 31, 2]
    assert (valid.view(45, 100).sum(1)[:-4] == 100).all()
    fan_out = torch.bincount(indices[valid], minlength=1278)
    assert torch.bincount(fan_out).tolist() == [0, 29, 29, 685, 535]
    assert (indices[~valid] == 1277).all()
    # Branch 1 starts 29 positions on: position 29 is the odd one of pair 14, an inhibitory channel.
    assert indices[100].item() == 639 + 14


def test_with_an_odd_number_the_last_entry_repeats_and_the_last_channel_is_never_read():
    indices, valid = neuronio_routing(7, 2, 5)
    assert indices[valid].tolist() == [0, 3, 1, 4, 2, 2, 5, 3]
    assert valid.tolist() == [True] * 8 + [False] * 2
    assert 6 not in indices


def test_random_routing_repeats_with_its_seed_and_else_follows_the_global_generator():
    first, second = random_routing(50, 400, 3), random_routing(50, 400, 3)
    assert torch.equal(first.indices, second.indices) and first.valid.dtype == torch.int64 and (first.valid == 1).all()
    torch.manual_seed(5)
    drawn = random_routing(50, 400).indices
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.randint(50, (400,)))
    assert len(first.indices.unique()) == 50


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"num_branch": 5}, "input_to_synapse_routing"),
        ({"num_branch": 5, "input_to_synapse_routing": "neuronio"}, "num_synapse_per_branch"),
        ({"mlp_activation": "gelu"}, "mlp_activation"),
        ({"version": 3}, "version"),
        ({"num_memory": 0}, "num_memory"),
        ({"memory_tau_max": 0.5, "version": 1}, "memory_tau_max"),
        ({"memory_tau_max": 1e9}, "memory_tau_max"),
        ({"tau_value": (1.0, 2.0)}, "tau_value"),
        ({"delta_t": 0.0}, "delta_t"),
        ({"mlp_num_layers": 0}, "mlp_num_layers"),
    ],
)
def test_options_that_cannot_be_are_named(wrong, name):
    with pytest.raises(ConfigError) as caught:
        ElmOptions(num_input=10, num_output=2, **wrong)
    assert caught.value.where == name
