"""The leaky recurrence: compiled scan and torch loop against a plain loop in double precision, outputs and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli.training.compiled import has_compiler
from neurocli_eirnn.model.recurrence import leaky_scan, torch_scan

NAMES = ("drive", "weights", "alpha", "start")


def made(units: int, trials: int = 3, steps: int = 40, seed: int = 0) -> dict[str, torch.Tensor]:
    """Arguments in double precision, the network near the edge of stability."""
    g = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {
        "drive": 2 * rand(trials, steps, units),
        "weights": rand(units, units) / units**0.5,
        "alpha": torch.sigmoid(rand(units)),
        "start": rand(units),
    }


def plain(drive, weights, alpha, start):
    """States [trial, time, unit] by scalar arithmetic, and softplus written out."""
    trials, steps, units = drive.shape
    states = np.empty(drive.shape)
    for n in range(trials):
        x = start.copy()
        for t in range(steps):
            rate = np.logaddexp(0, x)
            x = np.array(
                [(1 - alpha[i]) * x[i] + alpha[i] * (weights[i] @ rate + drive[n, t, i]) for i in range(units)]
            )
            states[n, t] = x
    return states


def loop_gradients(values, upstream):
    """Gradients by a loop that leaves everything to autograd, in double precision."""
    arguments = {name: value.clone().requires_grad_() for name, value in values.items()}
    x = arguments["start"].expand(len(arguments["drive"]), -1)
    total = 0.0
    for t in range(upstream.shape[1]):
        rate = torch.log1p(torch.exp(x))
        x = (1 - arguments["alpha"]) * x + arguments["alpha"] * (
            rate @ arguments["weights"].t() + arguments["drive"][:, t]
        )
        total = total + (x * upstream[:, t]).sum()
    return dict(zip(NAMES, torch.autograd.grad(total, [arguments[n] for n in NAMES]), strict=True))


@pytest.mark.parametrize("units", [1, 2, 7, 8, 30, 33])
@pytest.mark.parametrize("compiled", [True, False])
def test_states_and_gradients_are_those_of_a_plain_loop(units, compiled):
    if compiled and not has_compiler():
        pytest.skip("numba is not there")
    values = made(units)
    upstream = torch.randn(values["drive"].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    single = {name: value.float().requires_grad_() for name, value in values.items()}
    states = leaky_scan(**single, compiled=compiled)
    expected = plain(*(values[name].numpy() for name in NAMES))
    assert np.abs(states.detach().numpy() - expected).max() <= 1e-5 * np.abs(expected).max()
    (states * upstream.float()).sum().backward()
    for name, gradient in loop_gradients(values, upstream).items():
        found = single[name].grad
        assert found is not None and found.shape == gradient.shape
        assert (found - gradient).abs().max() <= 1e-5 * gradient.abs().max(), name


def test_the_loop_passes_gradcheck():
    values = made(3, trials=2, steps=5)
    assert torch.autograd.gradcheck(torch_scan, [values[name].requires_grad_() for name in NAMES])


def test_extreme_states_stay_exact():
    """Softplus and sigmoid of the compiled scan far from zero, where series and bit tricks would show."""
    if not has_compiler():
        pytest.skip("numba is not there")
    start = torch.tensor([-80.0, -30.0, -5.0, -1e-3, 0.0, 1e-3, 5.0, 30.0, 80.0], requires_grad=True)
    zero = torch.zeros(1, 1, 9)
    states = leaky_scan(zero, torch.eye(9), torch.full((9,), 0.5), start, compiled=True)
    expected = 0.5 * start.detach().double().numpy() + 0.5 * np.logaddexp(0, start.detach().double().numpy())
    np.testing.assert_allclose(states[0, 0].detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    states.sum().backward()
    sigmoid = 1 / (1 + np.exp(-start.detach().double().numpy()))
    np.testing.assert_allclose(start.grad.numpy(), 0.5 + 0.5 * sigmoid, rtol=1e-6)


def test_broadcast_and_transposed_arguments_are_accepted():
    """Arguments that are views: alpha expanded from a scalar, weights transposed, drive a slice."""
    if not has_compiler():
        pytest.skip("numba is not there")
    values = {name: value.float() for name, value in made(6, trials=4).items()}
    alpha = torch.tensor(0.4, requires_grad=True)
    drive, weights = values["drive"][::2], values["weights"].t()
    both = []
    for compiled in (True, False):
        alpha.grad = None
        states = leaky_scan(drive, weights, alpha.expand(6), values["start"], compiled=compiled)
        states.square().sum().backward()
        both.append((states.detach(), alpha.grad.clone()))
    torch.testing.assert_close(both[0][0], both[1][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(both[0][1], both[1][1], rtol=1e-5, atol=1e-4)


def test_double_precision_takes_the_loop():
    values = made(4)
    states = leaky_scan(**values)
    assert states.dtype == torch.float64
    np.testing.assert_allclose(states.numpy(), plain(*(values[n].numpy() for n in NAMES)), rtol=1e-12, atol=1e-12)
