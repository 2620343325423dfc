"""The loop that trains baselines: it learns, repeats to the bit, and leaves the caller's random state alone."""

from __future__ import annotations

import numpy as np
import torch

from neurocli.evaluation.small_network import count, fit_network, from_arrays, to_arrays


def _batches(epoch):
    rng = np.random.default_rng(epoch)
    for _ in range(3):
        x = torch.tensor(rng.normal(size=(32, 2)), dtype=torch.float32)
        yield x, x[:, :1] * x[:, 1:]


def _loss(network, batch):
    return (network(batch[0]) - batch[1]).square().mean()


def _build():
    return torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.BatchNorm1d(16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
    )


def _fit(**how):
    return fit_network(_build, _loss, _batches, **{"steps": 400, "learning_rate": 3e-2, **how})


def test_learns_repeats_and_leaves_no_trace():
    before = torch.get_rng_state()
    first, second = _fit(), _fit()
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        assert float(_loss(first, next(_batches(9999)))) < 0.1  # the target's variance is 1
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    other = _fit(seed=1)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_averaged_weights_are_the_mean_of_the_last_ones():
    states = []

    def noting(network, batch):
        states.append(network[0].weight.detach().clone())
        return _loss(network, batch)

    averaged = fit_network(_build, noting, _batches, steps=20, learning_rate=1e-2, average=0.25)
    plain = fit_network(_build, noting, _batches, steps=20, learning_rate=1e-2)
    # Weights after step k are what the loss sees at step k + 1; the last are those of the plain fit.
    expected = torch.stack([*states[16:20], plain[0].weight]).mean(0)
    torch.testing.assert_close(averaged[0].weight, expected)


def test_arrays_bring_a_network_back():
    network = _fit(steps=10)
    arrays = to_arrays(network)
    assert sum(a.size for n, a in arrays.items() if not n.startswith("_")) == count(network)
    assert "_1.running_mean" in arrays  # not trained by gradients
    x = torch.randn(5, 2)
    before = torch.get_rng_state()
    again = from_arrays(_build, arrays)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))
