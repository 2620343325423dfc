"""Networks that keep their numbers: what is exchanged, and what stays where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli.interpretation.pairs import between_neurons, pairs_by_sender
from neurocli.interpretation.random_weights import permuted_entries, with_permuted_weights
from neurocli.interpretation.shuffling import neurons_exchanged, pairs_exchanged, rows_exchanged
from neurocli.interpretation.weight_matrix import draw_weights
from neurocli.report.figure import saved_figure

EXCITATORY = np.arange(6) < 4
MATRIX = np.arange(36.0).reshape(6, 6)


def test_pairs_are_parted_by_their_sender() -> None:
    pairs = pairs_by_sender(EXCITATORY)
    assert [mask.sum() for mask in pairs.values()] == [20, 10]
    np.testing.assert_array_equal(pairs["E"] | pairs["I"], between_neurons(6))
    assert pairs["E"][:, :4].any(0).all() and not pairs["E"][:, 4:].any()


def test_entries_move_among_pairs_of_the_same_sender_type() -> None:
    shuffled = pairs_exchanged(MATRIX, EXCITATORY, np.random.default_rng(0))
    np.testing.assert_array_equal(np.diag(shuffled), np.diag(MATRIX))
    for mask in pairs_by_sender(EXCITATORY).values():
        assert sorted(shuffled[mask]) == sorted(MATRIX[mask])
        assert (shuffled[mask] != MATRIX[mask]).mean() > 0.5
    one_row = pairs_exchanged(MATRIX[:1], EXCITATORY, np.random.default_rng(0))
    assert sorted(one_row[0, :4]) == [0, 1, 2, 3] and sorted(one_row[0, 4:]) == [4, 5]


def test_a_row_keeps_what_it_receives_from_each_type() -> None:
    shuffled = rows_exchanged(MATRIX, EXCITATORY, np.random.default_rng(0))
    np.testing.assert_array_equal(np.diag(shuffled), np.diag(MATRIX))
    np.testing.assert_array_equal(np.sort(shuffled[:, :4]), np.sort(MATRIX[:, :4]))
    np.testing.assert_array_equal(np.sort(shuffled[:, 4:]), np.sort(MATRIX[:, 4:]))
    assert (shuffled != MATRIX).mean() > 0.3


def test_exchanged_neurons_are_the_same_network_under_other_names() -> None:
    symmetric = MATRIX + MATRIX.T
    exchanged = neurons_exchanged(symmetric, EXCITATORY, np.random.default_rng(0))
    assert not np.array_equal(exchanged, symmetric)
    np.testing.assert_allclose(np.linalg.eigvalsh(exchanged), np.linalg.eigvalsh(symmetric), atol=1e-9)
    signed = np.where(EXCITATORY, 1.0, -1.0)[None, :] * (1 + MATRIX)
    exchanged = neurons_exchanged(signed, EXCITATORY, np.random.default_rng(1))
    assert (exchanged[:, EXCITATORY] > 0).all() and (exchanged[:, ~EXCITATORY] < 0).all()
    assert sorted(np.diag(exchanged)) == sorted(np.diag(signed))


@pytest.mark.parametrize("generator", [np.random.default_rng, lambda seed: torch.Generator().manual_seed(seed)])
def test_weights_are_permuted_within_each_parameter(generator) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4)).train()
    network[1].running_mean += torch.arange(4.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    other = with_permuted_weights(network, generator(0))
    assert not other.training and network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(other[1].running_mean, network[1].running_mean)
    for (name, value), dealt in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(value.flatten().sort().values, dealt.flatten().sort().values), name
    assert not torch.equal(network[0].weight, other[0].weight)
    weight = network[0].weight.detach()
    assert torch.equal(permuted_entries(weight, generator(3)), permuted_entries(weight, generator(3)))
    assert not torch.equal(permuted_entries(weight, generator(3)), permuted_entries(weight, generator(4)))


def test_a_drawn_matrix_has_excitatory_units_first(tmp_path) -> None:  # type: ignore[no-untyped-def]
    excitatory = np.array([False, True, True])
    weights = np.array([[0.0, 1.0, 2.0], [-3.0, 0.0, 4.0], [-5.0, 6.0, 0.0]])
    with saved_figure(tmp_path / "weights.png", ncols=2) as (_, axes):
        plain = draw_weights(axes[0], weights, 6.0)
        by_type = draw_weights(axes[1], weights, 6.0, excitatory)
        np.testing.assert_array_equal(plain.get_array(), weights)
        np.testing.assert_array_equal(by_type.get_array(), weights[np.ix_([1, 2, 0], [1, 2, 0])])
        assert by_type.get_clim() == (-6, 6) and len(axes[1].lines) == 2
