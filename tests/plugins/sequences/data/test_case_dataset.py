"""Batches hold what the recordings hold: every case once, padded with zeros, of like length together, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.adapting import adapted
from neurocli.training.readout import SequenceNetwork, pooled


def series(count: int = 90, *, missing: bool = False) -> RecordingSet:
    rng = np.random.default_rng(3)
    cases = []
    for n in range(count):
        signal = rng.normal(5, 2, (int(rng.integers(3, 12)), 2)).astype(np.float32)
        mask = rng.random(signal.shape) > 0.2 if missing else None
        cases.append(Recording(f"case-{n:03d}", signal, 1.0, "", mask=mask, labels={"class": n % 3}))
    return RecordingSet.of(cases, meta={"kind": "series", "classes": ["a", "b", "c"]})


def dataset(recordings: RecordingSet, **sets):
    family = registry().family("lstm", "timeseries")
    config = family.Config()
    config.train.batch_size = 8
    for name, value in sets.items():
        setattr(config.task, name, value)
    return adapted(family, recordings, config)


def test_an_epoch_has_every_training_case_once() -> None:
    data = dataset(series())
    for epoch in (0, 1):
        batches = list(data.batches("train", seed=1, epoch=epoch))
        assert len(batches) == data.steps("train")
        lengths = np.sort(np.concatenate([batch["length"].numpy() for batch in batches]))
        np.testing.assert_array_equal(lengths, np.sort(data.lengths[data.numbers("train")]))
        for batch in batches:
            for row, length in zip(batch["x"], batch["length"], strict=True):
                assert not row[length:].any() and row.isfinite().all()
    first, again, other = (
        torch.cat([b["label"] for b in data.batches("train", seed=1, epoch=e)]).tolist() for e in (0, 0, 1)
    )
    assert first == again != other


def test_a_row_is_the_case_in_z_scores_of_the_training() -> None:
    recordings = series()
    data = dataset(recordings)
    train = np.concatenate([recordings[group].signal for group in data.split.train]).astype(np.float64)
    for group in data.split.test:
        batch = data.batch(np.array([data.number[group]]))
        expected = (recordings[group].signal - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(batch["x"][0].numpy(), expected, atol=1e-5)
        assert batch["label"].item() == recordings[group].labels["class"]


def test_what_is_missing_is_the_mean_and_changes_no_scale() -> None:
    recordings = series(missing=True)
    data = dataset(recordings)
    seen = np.concatenate(
        [np.where(recordings[g].mask, recordings[g].signal, np.nan) for g in data.split.train]
    ).astype(np.float64)
    np.testing.assert_allclose(data.normalisation.mean, np.nanmean(seen, 0), rtol=1e-6)
    group = data.split.test[0]
    x = data.batch(np.array([data.number[group]]))["x"][0].numpy()
    assert (x[~recordings[group].mask] == 0).all()


def test_an_infinite_value_is_refused_with_its_case() -> None:
    recordings = list(series().values())
    recordings[7].signal[2, 1] = np.inf
    with pytest.raises(DataError, match="infinite") as caught:
        dataset(RecordingSet.of(recordings, meta=series().meta))
    assert "case-007" in caught.value.where


def test_chunks_are_steps_of_several() -> None:
    recordings = series()
    data = dataset(recordings, chunk=4)
    group = data.split.train[0]
    steps = recordings[group].steps
    assert data.lengths[data.number[group]] == -(-steps // 4) and data.form.inputs == 8


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_padding_changes_no_readout(pooling: str) -> None:
    """The same sequence alone and beside longer ones; against loops over the steps that are there."""
    torch.manual_seed(0)
    outputs = torch.randn(4, 9, 4)
    length = torch.tensor([9, 5, 1, 7])
    together = pooled(outputs, length, pooling)
    for row, steps in enumerate(length.tolist()):
        alone = outputs[row, :steps]
        if pooling == "last":
            expected = alone[-1]
        elif pooling == "mean":
            expected = sum(alone) / steps
        elif pooling == "max":
            expected = torch.stack([max(column) for column in alone.T])
        else:
            weights = [torch.exp(step[-1]) for step in alone]
            expected = sum(w * step[:-1] for w, step in zip(weights, alone, strict=True)) / sum(weights)
        torch.testing.assert_close(together[row], expected)


def test_tokens_are_embedded_and_numbers_are_not() -> None:
    network = SequenceNetwork(torch.nn.Identity(), "every", (5, 3))
    torch.testing.assert_close(network(torch.tensor([[1, 4]]))[0], network.embedding.weight[[1, 4]])
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(network(x), x)
