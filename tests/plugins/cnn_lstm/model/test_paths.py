"""Forecasts beyond the next sample: scored as they are forecast, from paths that are draws of the model."""

import numpy as np
import pytest
import torch

from neurocli.config import resolve
from neurocli.evaluation.evaluate import Evaluation, evaluate
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli_cnn_lstm.model.paths import _evenly, rollout
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm
from neurocli_cnn_lstm.simulation.example import small_network


def shaken(neurons: int, seed: int = 0, resets: float = 1.0) -> StructuredCnnLstm:
    """A model with random weights in every part, whose neurons are often reset."""
    torch.manual_seed(seed)
    network = StructuredCnnLstm(neurons).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network.membrane.head[-1].bias[1] += resets
        network.membrane.head[-1].bias[2] -= 1
    return network.eval()


def context(neurons: int, batch: int = 3, steps: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    v = torch.randn(batch, steps, neurons, generator=generator, dtype=torch.float64)
    return v, (torch.rand(v.shape, generator=generator) < 0.1).double()


def test_a_mean_is_that_of_the_models_forecasts_along_its_paths() -> None:
    """Paths are carried on with eight samples and the LSTM's state: the whole past through the whole model says the same."""
    network, (v, flag) = shaken(5), context(5)
    mean, paths = rollout(network, v, flag, 6, 7, torch.Generator().manual_seed(0))
    said = []
    for path in paths:
        reset = (path == network.reset_z).to(flag.dtype)
        said.append(network(torch.cat((v, path), 1), torch.cat((flag, reset), 1)).mean[:, -6:])
    torch.testing.assert_close(mean, torch.stack(said).mean(0).detach())


def test_paths_are_draws_of_the_model() -> None:
    """Against paths with independent random numbers: the same mean within its error, from a fraction of the variance."""
    network, (v, flag) = shaken(4), context(4, batch=2)

    def repeated(times: int, samples: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(samples)
        repeats = (part.repeat(times, 1, 1) for part in (v, flag))
        return rollout(network, *repeats, 4, samples, generator).mean.unflatten(0, (times, len(v)))

    evenly, alone = repeated(80, 16), repeated(1500, 1)
    error = (evenly.var(0) / len(evenly) + alone.var(0) / len(alone)).sqrt()[:, 1:]
    z = (evenly.mean(0) - alone.mean(0))[:, 1:] / error
    assert z.abs().max() < 4 and 0.5 < z.std() < 1.5
    gained = (alone.var(0) / 16)[:, 1:].mean((0, 2)) / evenly.var(0)[:, 1:].mean((0, 2))
    assert gained[0] > 2.5 and (gained > 1.5).all(), gained


def test_even_numbers_are_uniform_for_each_path_and_independent_between_neurons() -> None:
    generator = torch.Generator().manual_seed(0)
    place = torch.randn(8, 4000, 2, generator=generator, dtype=torch.float64)
    u = _evenly(place, generator)
    for path in (0, 5):
        first, second = u[path].T.numpy()
        assert np.abs(np.histogram(first, 10, (0, 1))[0] - 400).max() < 100
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.06
    # Together they fill 0 to 1: no gap is wider than a lattice of eight points leaves.
    assert np.diff(np.sort(u.numpy(), axis=0), axis=0).max() < 0.25


@pytest.fixture(scope="module")
def scored() -> tuple[Evaluation, dict[str, float]]:
    """The printed scores of a model with random weights, and plain R2 of what it forecast, without the scoreboard."""
    recordings = small_network(0, runs=4, duration_ms=2000.0, neurons=20)
    family = registry().family("cnn-lstm-v2")
    sets = ("data.test=0.5", "data.validation=0.25", "evaluate.horizons_ms=[1, 2, 5]", "evaluate.probe_stride=20")
    config = resolve(family.Config, sets=sets).config
    data = family.adapt(recordings, config)
    network = shaken(20, resets=0.0).float()
    trained = TrainedModel(network, config, data, 0, [])
    plain = {}
    for target in family.targets(data, config):
        prediction = family.predict(trained, target)
        y, p = (
            np.concatenate([data.normalisation.z(part[g]) for g in target.groups]).astype(np.float64)
            for part in (target.values, prediction.values)
        )
        plain[target.name] = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    return evaluate(family, TrainedModel(network, config, data, 0, []), say=lambda line: None), plain


@pytest.mark.parametrize("horizon", ["1 ms", "2 ms", "5 ms"])
def test_the_printed_score_is_that_of_the_forecast(scored: tuple[Evaluation, dict[str, float]], horizon: str) -> None:
    evaluation, plain = scored
    [row] = [
        s
        for s in evaluation.scores
        if (s.target, s.kind, s.metric, s.unit, s.subset) == (horizon, "model", "R2", "z", "all")
    ]
    assert row.value == pytest.approx(plain[horizon], abs=1e-5)


def test_more_paths_change_the_forecast_by_less_than_three_thousandths() -> None:
    """Of the variance of what is forecast: the default number of paths against eight times as many, five samples ahead."""
    network, (v, flag) = shaken(6, resets=0.0), context(6, batch=12)
    few, many = (rollout(network, v, flag, 5, k, torch.Generator().manual_seed(k)).mean[:, -1] for k in (64, 512))
    drawn = rollout(network, v, flag, 6, 64, torch.Generator().manual_seed(9)).paths[:, :, -1]
    assert (few - many).square().mean() / drawn.var() < 0.003
