"""What the diagnosis says of eirnn-v2 before training: its parameters as arrays, its equations as a float64 loop over time."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from neurocli_eirnn.config import V2Config
from neurocli_eirnn.model.v2 import build_v2

pytestmark = pytest.mark.realdata
SUBJECT = "untrained model"


def numbers(text: str) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


class Network:
    """x[t] = (1 - a) x[t-1] + a (W softplus(x[t-1]) + W_in (u[t], onsets of u[t], returns of the eye) + b); rate = gain softplus(x) + baseline.

    Units are excitatory, then inhibitory; within each the recorded ones come first, in the order of the file.
    """

    def __init__(self, parameters: dict[str, torch.Tensor], types: np.ndarray) -> None:
        p = {name: value.detach().double() for name, value in parameters.items()}
        self.v, self.input_weights, self.bias = (p[n].requires_grad_() for n in ("v", "input_weights", "bias"))
        self.return_weights = p["return_weights"].requires_grad_()
        self.alpha_logit, self.start = (p[n].requires_grad_() for n in ("alpha_logit", "start"))
        self.log_gain, self.baseline_raw = (p[n].requires_grad_() for n in ("log_gain", "baseline_raw"))
        self.excitatory = int((types == 1).sum()) + 16
        self.units = self.excitatory + int((types == 2).sum()) + 4
        places = {1: iter(range(self.excitatory)), 2: iter(range(self.excitatory, self.units))}
        self.unit = [next(places[int(kind)]) for kind in types]

    @property
    def parameters(self) -> list[torch.Tensor]:
        return [
            self.v,
            self.input_weights,
            self.return_weights,
            self.bias,
            self.alpha_logit,
            self.start,
            self.log_gain,
            self.baseline_raw,
        ]

    @property
    def weights(self) -> torch.Tensor:
        sign = torch.tensor([1.0 if k < self.excitatory else -1.0 for k in range(self.units)], dtype=torch.float64)
        w = self.v.abs() * sign
        return w - torch.diag(torch.diag(w))

    @property
    def alpha(self) -> torch.Tensor:
        return 1 / (1 + torch.exp(-self.alpha_logit))

    def rates(self, inputs: np.ndarray) -> torch.Tensor:
        """[trial, time, neuron] in sp/s."""
        u = torch.as_tensor(inputs, dtype=torch.float64)
        weights, alpha, x = self.weights, self.alpha, self.start
        before = torch.zeros_like(u[:, 0])
        found = []
        for now in u.unbind(1):
            onsets = torch.where(now > before, now - before, 0.0)
            back = torch.where(now < before, before - now, 0.0)[:, 7:9]  # of the eye alone
            drive = torch.cat([now, onsets], 1) @ self.input_weights.T + back @ self.return_weights.T + self.bias
            x = (1 - alpha) * x + alpha * (torch.log1p(torch.exp(x)) @ weights.T + drive)
            before = now
            found.append(torch.exp(self.log_gain) * torch.log1p(torch.exp(x[:, self.unit])) + self.baseline)
        return torch.stack(found, 1)

    @property
    def baseline(self) -> torch.Tensor:
        return torch.log1p(torch.exp(self.baseline_raw))


@pytest.fixture(scope="module")
def rows(newton) -> np.ndarray:
    """The trials that are trained on: all that are not scored, since none chooses the epoch."""
    train, held, _ = newton.split("ordered", development=True)
    return np.sort(np.concatenate([train, held]))


@pytest.fixture(scope="module")
def network(newton, rows) -> Network:
    rate = newton.rates[rows].mean(axis=(0, 1))
    spec = {
        "neuron_type": newton.types.astype(int).tolist(),
        "num_inputs": 15,
        "mean_rate": rate.tolist(),
        "bin_ms": 25.0,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_v2(V2Config(), spec)
    found = Network(dict(network.named_parameters()), newton.types)
    assert len(list(network.parameters())) == len(found.parameters)
    # softplus(0) = ln 2: a gain starts where a unit at rest fires at its neuron's mean rate.
    assert torch.exp(found.log_gain).detach().numpy() == pytest.approx(rate / np.log(2), rel=1e-5)
    return found


@pytest.fixture(scope="module")
def model(network, newton, rows) -> np.ndarray:
    with torch.no_grad():
        return network.rates(newton.given[rows]).numpy()


# -- rates --------------------------------------------------------------------------------------------------------------


def test_rates_for_actual_zero_and_tenfold_input(network, newton, rows, model, said):
    with torch.no_grad():
        silence = network.rates(np.zeros((1, *newton.given.shape[1:]))).numpy()
        tenfold = network.rates(10 * newton.given[rows]).numpy()
    assert said["mean-rate", SUBJECT]["value"] == (
        f"{model.mean():.3g} sp/s, without inputs {silence.mean():.3g}, with ten times the inputs {tenfold.mean():.3g}"
    )
    found = said["tenfold-input", SUBJECT]
    assert found["value"] == f"at most {tenfold.max():.4g} sp/s"
    assert (found["verdict"], np.isfinite(tenfold).all()) == ("PASS", True)
    change = [np.abs(model[..., k] - silence[..., k]).mean() / model[..., k].mean() for k in range(14)]
    found = said["input-modulation", SUBJECT]
    assert found["value"] == pytest.approx(np.mean(change), rel=1e-5)
    assert found["verdict"] == "PASS"
    assert np.mean(change) >= 0.1


def test_rate_ratios(newton, rows, model, said):
    ratio = model.mean(axis=(0, 1)) / newton.rates[rows].mean(axis=(0, 1))
    far = [k for k in range(14) if not 0.5 <= ratio[k] <= 2]
    found = said["rate-ratio", SUBJECT]
    assert found["value"] == f"{len(far)} of 14, neuron id " + ", ".join(f"{newton.id[k]}: {ratio[k]:.2g}" for k in far)
    assert found["verdict"] == ("FAIL" if (abs(np.log(ratio)) > np.log(10)).any() else "WARN" if far else "PASS")


def true_sd(newton, rates) -> np.ndarray:
    """[neuron] spread over time of the PSTH (50 ms) without noise: of the covariance of twenty pairs of random halves."""
    random, found = np.random.default_rng(0), []
    for _ in range(20):
        order = random.permutation(len(rates))
        parts = order[: len(order) // 2], order[len(order) // 2 :]
        a, b = (newton.smooth(rates[part].mean(axis=0), 2.0) for part in parts)
        found.append([np.cov(a[:, k], b[:, k], bias=True)[0, 1] for k in range(rates.shape[2])])
    return np.sqrt(np.maximum(np.mean(found, axis=0), 0))


def test_the_spread_of_psths(newton, rows, model, said):
    true = true_sd(newton, newton.rates[rows])
    spread = newton.smooth(model.mean(axis=0), 2.0).std(axis=0)
    found = said["psth-sd-ratio", SUBJECT]
    assert (true == 0).any()  # a neuron whose halves do not agree takes no part
    assert found["value"] == pytest.approx(spread[true > 0].sum() / true[true > 0].sum(), rel=1e-5)
    assert found["verdict"] == ("PASS" if found["value"] >= 0.2 else "WARN")


# -- weights ------------------------------------------------------------------------------------------------------------


def test_weights(network, newton, said):
    with torch.no_grad():
        w, alpha = network.weights.numpy(), network.alpha.numpy()
    n_e = network.excitatory
    radius = max(abs(np.linalg.eigvals(w)))
    assert said["spectral-radius", SUBJECT]["value"] == pytest.approx(radius, rel=1e-5)
    assert said["spectral-radius", SUBJECT]["verdict"] == ("PASS" if 0.5 <= radius <= 1.2 else "WARN")
    balance = np.median([row[:n_e].sum() / -row[n_e:].sum() for row in w])
    assert said["ei-balance", SUBJECT]["value"] == pytest.approx(balance, rel=1e-5)
    assert said["ei-balance", SUBJECT]["verdict"] == ("PASS" if 0.5 <= balance <= 2 else "WARN")

    assert (w[:, :n_e] >= 0).all()
    assert (w[:, n_e:] <= 0).all()
    assert not np.diag(w).any()
    assert ((alpha > 0) & (alpha < 1)).all()
    assert said["dale", SUBJECT]["value"] == "holds exactly"

    excitation = [w[i, j] for i in range(len(w)) for j in range(n_e) if i != j]
    inhibition = [w[i, j] for i in range(len(w)) for j in range(n_e, len(w)) if i != j]
    own = network.input_weights.detach().numpy()
    parts = {"E": excitation, "I": inhibition, "alpha": alpha, "input": own}
    assert said["weight-ranges", SUBJECT]["value"] == ", ".join(
        f"{name} {np.min(part):.3g} to {np.max(part):.3g}" for name, part in parts.items()
    )


def test_units(network, newton, said):
    assert len(set(network.unit)) == 14
    assert [unit < network.excitatory for unit in network.unit] == [kind == 1 for kind in newton.types]
    assert said["unit-map", SUBJECT]["value"] == "every neuron on a unit of its own type"


# -- gradients ----------------------------------------------------------------------------------------------------------


def smoothing(bins: int) -> torch.Tensor:
    """[bins, bins] a Gaussian of two bins, cut at four sd; the first and last bins stand for what is beyond them."""
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
    kernel /= kernel.sum()
    matrix = np.zeros((bins, bins))
    for t in range(bins):
        for k, weight in zip(range(-8, 9), kernel, strict=True):
            matrix[t, min(max(t + k, 0), bins - 1)] += weight
    return torch.from_numpy(matrix)


def one_minus_r(model: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    a, b = model - model.mean(0), target - target.mean(0)
    return (1 - (a * b).sum(0) / ((a**2).sum(0) * (b**2).sum(0)).sqrt()).mean()


def loss_terms(rates: torch.Tensor, batch: np.ndarray, newton, rows) -> dict[str, torch.Tensor]:
    """The terms as documented: a batch's smoothed means against those of all training trials, and the likelihood of its counts."""
    observed = torch.from_numpy(newton.rates)
    smooth = smoothing(observed.shape[1])
    mean, target = smooth @ rates.mean(0), smooth @ observed[rows].mean(0)

    location = newton.label["location"]
    places = [
        one_minus_r(smooth @ rates[location[batch] == k].mean(0), smooth @ observed[rows[location[rows] == k]].mean(0))
        for k in (1, 2, 3, 4)
    ]
    windows = []
    for event in ("target", "go", "reward"):
        onset = torch.from_numpy(newton.onset[event])
        around = torch.arange(-8, 21)

        def mean_around(values, trials, onset=onset, around=around):
            bins = onset[trials][:, None] + around
            inside = ((bins >= 0) & (bins < values.shape[1]))[..., None]
            picked = values[torch.arange(len(values))[:, None], bins.clamp(0, values.shape[1] - 1)]
            return smoothing(len(around)) @ ((picked * inside).sum(0) / inside.sum(0))

        windows.append(one_minus_r(mean_around(rates, batch), mean_around(observed[rows], rows)))

    floor = 0.05
    expected, count = rates / 40, observed[batch] / 40
    return {
        "correlation": one_minus_r(mean, target),
        "condition": 2 * torch.stack(places).mean(),
        "event": torch.stack(windows).mean(),
        "rate": 4 * torch.log((mean.mean(0) + floor) / (target.mean(0) + floor)).square().mean(),
        "poisson": 300 * (expected - count * torch.log(expected)).mean(),
    }


def test_gradients(network, newton, rows, said):
    """Shares of the loss terms' gradients over all parameters, on the first 128 training trials."""
    batch = rows[:128]
    terms = loss_terms(network.rates(newton.given[batch]), batch, newton, rows)
    gradients = {}
    for name, term in terms.items():
        parts = torch.autograd.grad(term, network.parameters, retain_graph=True, allow_unused=True)
        gradients[name] = torch.cat(
            [
                (torch.zeros_like(p) if g is None else g).flatten()
                for p, g in zip(network.parameters, parts, strict=True)
            ]
        ).numpy()
    norms = {name: np.linalg.norm(g) for name, g in gradients.items()}
    found = said["gradient-share", SUBJECT]
    assert re.findall(r"[a-z]+", found["value"]) == list(norms)
    total = sum(norms.values())
    assert numbers(found["value"]) == pytest.approx([100 * n / total for n in norms.values()], abs=0.051)
    assert found["verdict"] == ("PASS" if all(0.01 <= n / total <= 0.9 for n in norms.values()) else "WARN")

    names = list(norms)
    cosines = {
        (a, b): gradients[a] @ gradients[b] / (norms[a] * norms[b]) for n, a in enumerate(names) for b in names[n + 1 :]
    }
    (a, b), lowest = min(cosines.items(), key=lambda item: item[1])
    found = said["gradient-cosine", SUBJECT]
    assert found["value"] == f"lowest {lowest:.2f} ({a}, {b})"
    assert found["verdict"] == ("PASS" if lowest >= -0.3 else "WARN")
    assert ("regulariser-over-data", SUBJECT) not in said  # this loss has none
