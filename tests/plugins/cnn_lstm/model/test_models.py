"""The two models: sizes, causality, and insides that are what they are called."""

import numpy as np
import pytest
import torch

from neurocli_cnn_lstm.config import V2Model
from neurocli_cnn_lstm.interpretation.gates import layer_trace
from neurocli_cnn_lstm.model.paths import rollout
from neurocli_cnn_lstm.model.v1 import PublishedCnnLstm
from neurocli_cnn_lstm.model.v2 import PARTS, StructuredCnnLstm, forecast_loss


def small(n: int = 7, seed: int = 0, **kwargs: object) -> StructuredCnnLstm:
    torch.manual_seed(seed)
    model = StructuredCnnLstm(n, V2Model(**kwargs)).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def inputs(batch: int = 2, steps: int = 30, n: int = 7, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    v = torch.randn(batch, steps, n, generator=g, dtype=torch.float64)
    return v, (torch.rand(batch, steps, n, generator=g) < 0.1).double()


def test_v1_has_the_published_number_of_parameters() -> None:
    torch.manual_seed(0)
    model = PublishedCnnLstm()
    assert sum(p.numel() for p in model.parameters()) == 2_188_168
    per_part = {name: sum(p.numel() for p in child.parameters()) for name, child in model.named_children()}
    assert per_part == {
        "cnn": 67_650 + 300 + 112_650 + 300,
        "lstm": 1_929_216,
        "norm": 768,
        "residual": 38_784,
        "dropout": 0,
        "output": 38_500,
    }
    assert model(torch.randn(3, 150, 100)).shape == (3, 100)


def test_v1_starts_as_published() -> None:
    torch.manual_seed(0)
    lstm = PublishedCnnLstm().lstm
    bias = lstm.bias_ih_l0.detach().numpy()
    np.testing.assert_array_equal(bias[384:768], 1)
    np.testing.assert_array_equal(np.delete(bias, np.arange(384, 768)), 0)
    gate = lstm.weight_hh_l0.detach()[:384]
    assert torch.isfinite(gate).all()


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("pooled", [True, False])
def test_v2_never_looks_ahead(flagged: bool, pooled: bool) -> None:
    model, (v, flag) = small(synapses="senders" if pooled else "pairs"), inputs()
    before = model(v, flag if flagged else None).mean
    later_v, later_flag = v.clone(), flag.clone()
    later_v[:, 20:] += 1
    later_flag[:, 20:] = 1 - later_flag[:, 20:]
    after = model(later_v, later_flag if flagged else None).mean
    torch.testing.assert_close(before[:, :20], after[:, :20])
    assert not torch.allclose(before[:, 20:], after[:, 20:])


def test_v2_gates_are_those_of_the_lstm() -> None:
    model, (v, flag) = small(), inputs()
    trace = model.lstm_trace(v, flag)
    seen: dict[str, torch.Tensor] = {}
    handle = model.membrane.lstm.register_forward_hook(lambda m, a, out: seen.update(h=out[0]))
    model(v, flag)
    handle.remove()
    hidden = seen["h"].unflatten(1, (2, 7)).transpose(0, 1)
    torch.testing.assert_close(trace.h, hidden)
    for gate in (trace.i, trace.f, trace.o):
        assert gate.min() >= 0 and gate.max() <= 1


def test_v1_gates_are_those_of_the_lstm() -> None:
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(5, 6, num_layers=1, batch_first=True)
    x = torch.randn(3, 12, 5)
    torch.testing.assert_close(layer_trace(lstm, x).h[:, :, 0], lstm(x)[0], atol=1e-6, rtol=1e-5)


def test_v2_influence_is_the_finite_difference() -> None:
    model, (v, flag) = small(), inputs(batch=1)
    flag[:, -1] = 0  # nobody is clamped at the end, so every target counts
    influence = model.onset_influence(v, flag, lags=2)
    _, onset = model.events(v, flag)
    for lag in (0, 1):
        moved = onset.clone()
        moved[:, -1 - lag, 3] += 1e-5
        slope = (model(v, flag, onset=moved).free_mean - model(v, flag, onset=onset).free_mean)[0, -1] / 1e-5
        torch.testing.assert_close(influence[lag, :, 3], slope.detach(), atol=1e-4, rtol=1e-3)


def test_v2_parts_can_be_left_out_and_unknown_ones_cannot() -> None:
    model, (v, flag) = small(), inputs()
    whole = model(v, flag).mean
    for part in PARTS:
        assert not torch.allclose(whole, model(v, flag, ablate=(part,)).mean), part
    with pytest.raises(ValueError, match="cannot ablate"):
        model(v, flag, ablate=("head",))


def test_v2_sampled_paths_keep_the_dead_time() -> None:
    model, (v, flag) = small(), inputs(steps=40)
    with torch.no_grad():
        model.membrane.head[-1].bias[1] += 3  # many resets
    generator = torch.Generator().manual_seed(0)
    paths = rollout(model, v, flag, 13, samples=5, generator=generator).paths
    assert paths.shape == (5, 2, 12, 7)
    at_reset = paths[:, :, 3:] == model.reset_z
    runs = at_reset.double()
    starts = (runs[:, :, 1:-1] == 1) & (runs[:, :, :-2] == 0)
    assert starts.any()
    assert (runs[:, :, 2:][starts] == 1).all()


@pytest.mark.parametrize("flagged", [True, False])
def test_v2_learns(flagged: bool) -> None:
    torch.manual_seed(0)
    model = StructuredCnnLstm(7)
    v, flag = (x.float() for x in inputs(batch=4, steps=60))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = sum(forecast_loss(model, v, flag if flagged else None).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
