"""The dataset adapter: splits, nodes, batches, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import EvaluateConfig, V2Config
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.notes import notes

SMALL = {"evaluate": {"horizons": [1, 5], "context": 20}, "loss": {"chunk": 20, "rollout": 5}}


@pytest.fixture(scope="module")
def data(worms):
    return WormData(worms, V2Config())


def found_in(data, columns):
    """(group, first frame) of the worm that holds a chunk [span, neuron], present neurons only."""
    for worm in data.worms.values():
        for start in worm.windows(data.span) if len(worm.names) == columns.shape[1] else ():
            same = (worm.z[start : start + data.span] == columns).all(0)
            if same.any() and (same | (columns == 0).all(0)).all():
                return worm.group, int(start)
    raise AssertionError("a chunk that no worm has")


def test_few_worms_are_left_out_in_turn_and_many_are_dealt_out(walks):
    few = WormData(walks(9, frames=80), V2Config(**SMALL)).split
    assert few.protocol == "leave one worm out" and len(few.folds) == 9 and not few.validation
    many = WormData(walks(10, frames=80), V2Config(**SMALL)).split
    assert not many.folds and [len(many.groups(p)) for p in ("train", "validation", "test")] == [7, 1, 2]
    dataset = WormData(walks(10, frames=80), V2Config(**SMALL, data={"split": "leave-one-out"})).split
    assert len(dataset.folds) == 10
    with pytest.raises(DataError, match="2 independent groups"):
        WormData(walks(2), V2Config())


def test_nodes_are_the_identified_neurons_of_all_worms(data, worms):
    named = {name for g in worms for name in worms[g].channels if not name.startswith("unidentified")}
    assert data.names == tuple(sorted(named)) and data.spec["names"] == sorted(named)
    assert data.spec["folds"] == 5 and data.spec["edge_features"] == 2
    assert data.spec["dt_ms"] == pytest.approx(np.median([worms[g].dt_ms for g in worms]))
    worm = data.worms[data.split.test[0]]
    assert [data.names[k] for k in data.nodes_of(worm)] == list(worm.names)


def test_unidentified_neurons_have_no_node_of_their_own(worms):
    """Number 6 of one worm and number 6 of another are different neurons: nothing may be learned under that name."""
    everyone = WormData(worms, V2Config(data={"neurons": "all"}))
    assert not [name for name in everyone.names if name.startswith("unidentified-")]
    for worm in everyone.worms.values():
        nodes = everyone.nodes_of(worm)
        nameless = [name.startswith("unidentified-") for name in worm.names]
        assert (nodes[nameless] == len(everyone.names)).all() and (
            np.delete(nodes, np.flatnonzero(nameless)) < len(everyone.names)
        ).all()


def test_batches_are_a_pure_function_of_seed_and_epoch(data):
    def numbers(seed, epoch):
        return [b["x"].sum().item() for b in data.batches("train", seed=seed, epoch=epoch)]

    assert numbers(1, 2) == numbers(1, 2)
    assert numbers(1, 2) != numbers(1, 3) and numbers(1, 2) != numbers(2, 2)


def test_a_batch_is_chunks_of_a_worm_of_its_fold_with_a_path_that_has_not_seen_the_worm(data):
    batches = list(data.batches("train", seed=0, epoch=0))
    assert len(batches) == data.steps("train") == 50
    for number, batch in enumerate(batches):
        member = int(batch["member"])
        assert member == number % 5
        groups = set()
        for chunk, known, present in zip(
            batch["x"].numpy(), batch["known"].numpy(), batch["present"].numpy(), strict=True
        ):
            group, start = found_in(data, chunk)
            groups.add(group)
            worm = data.worms[group]
            assert (chunk[:, ~present] == 0).all() and present.any()
            assert (chunk[:, present] == worm.z[start : start + data.span][:, present]).all()
            assert (known == worm.known[start : start + data.span] & present).all()
        (group,) = groups
        assert group in data.split.folds[member].train
        worm = data.worms[group]
        named = batch["nodes"] < len(data.names)
        assert (batch["nodes"].numpy()[named] == data.nodes_of(worm)[named]).all()
        assert torch.equal(batch["scale"], data.scale(member))
        if number >= 5:
            continue
        path = data.linear(member).without[group][1].among(worm.names)
        for name in ("own", "level", "change"):
            np.testing.assert_allclose(batch[name], getattr(path, name), atol=1e-6)


def test_shares_of_hidden_neurons_and_lost_names_are_as_asked(worms):
    data = WormData(worms, V2Config(loss={"neuron_dropout": 0.3, "name_dropout": 0.25}, train={"steps_per_epoch": 200}))
    batches = list(data.batches("train", seed=0, epoch=0))
    hidden = np.mean([(~b["present"]).float().mean() for b in batches])
    nameless = np.mean([(b["nodes"] == len(data.names)).float().mean() for b in batches])
    assert hidden == pytest.approx(0.3, abs=0.02) and nameless == pytest.approx(0.25, abs=0.03)


def test_scale_is_what_persistence_gets_wrong_in_training_worms(data):
    for step in (1, 2, 25):
        changes = []
        for group in data.split.folds[3].train:
            worm = data.worms[group]
            change = (worm.signal[step:].astype(np.float64) - worm.signal[:-step]) / worm.score_sd
            changes.append(np.mean(change[worm.burn_in - 1 :] ** 2))
        assert float(data.scale(3)[step - 1]) == pytest.approx(np.mean(changes), rel=1e-5)
    assert len(data.scale(3)) == 25


def test_validation_takes_validation_worms_alone_and_always_the_same(walks):
    data = WormData(walks(10, frames=120), V2Config(**SMALL))
    once, again = (list(data.batches("validation", seed=0, epoch=e)) for e in (0, 7))
    assert len(once) == data.steps("validation") == 1
    assert torch.equal(once[0]["x"], again[0]["x"]) and bool(once[0]["present"].all())
    assert {found_in(data, chunk)[0] for chunk in once[0]["x"].numpy()} == set(data.split.validation)


def test_a_model_without_a_linear_path_is_trained_without_one(worms):
    """What it corrects in training is what it corrects when it is asked: persistence."""
    data = WormData(worms, V2Config(model={"linear": "none"}))
    batch = next(iter(data.batches("train", seed=0, epoch=0)))
    for name in ("own", "level", "change"):
        assert not batch[name].any(), name


def test_own_pasts_alone_use_no_neighbours(worms):
    data = WormData(worms, V2Config(model={"linear": "own"}))
    batch = next(iter(data.batches("train", seed=0, epoch=0)))
    assert batch["own"].any() and not batch["level"].any() and not batch["change"].any()


def test_the_published_model_has_chunks_and_no_linear_path(worms):
    data = WormData(worms, V1Config())
    batch = next(iter(data.batches("train", seed=0, epoch=0)))
    assert "own" not in batch and batch["x"].shape[:2] == (16, data.span)
    assert bool(batch["present"].all()) and (batch["nodes"] < len(data.names)).all()


@pytest.mark.parametrize("frames", [24, 40, 57])
def test_a_recording_shorter_than_what_is_asked_of_it_is_refused(walks, frames):
    """24 is less than context and horizon, 57 one less than a chunk with its history and rollout takes after a quarter."""
    config = V2Config(**{**SMALL, "loss": {"chunk": 30, "rollout": 5}})
    assert WormData(walks(4, frames=60), config).span == 45
    mixed = [*walks(3, frames=80).values(), dataclasses.replace(walks(4, frames=frames)["lab-w3"])]
    with pytest.raises(DataError, match="frames without a gap after the burn-in") as error:
        WormData(RecordingSet.of(mixed), config)
    assert "lab-w3" in error.value.where and error.value.hint


@pytest.mark.parametrize("horizons", [[0], [-1, 5], [1, 0]])
def test_a_horizon_lies_ahead(horizons):
    with pytest.raises(ValidationError):
        EvaluateConfig(horizons=horizons)


@pytest.mark.parametrize("lags", [20, 25])
def test_a_past_that_is_longer_than_the_context_is_refused_before_training(walks, lags):
    from neurocli.errors import NeuroError

    with pytest.raises(NeuroError, match="context"):
        WormData(walks(4), V2Config(**SMALL, model={"lags": lags}))


def test_notes_say_which_graph_frames_worms_and_what_the_z_scores_know(worms, walks):
    config = V2Config()
    text = " | ".join(notes(WormData(worms, config), config))
    assert "graph: real, cook2019, 26 edges among 12 neurons; the linear path follows up to 2 hops per frame, " in text
    assert "frames: native, 334 to 356 ms each" in text
    assert "running mean and sd of each neuron" in text and "(120 s, at most a quarter of the recording)" in text
    assert "Errors are scored in units of each neuron's sd over the whole recording" in text
    started = V2Config(**SMALL, data={"normalisation": "start", "start_s": 30})
    base = walks(4)
    smooth = dataclasses.replace(base["lab-w1"], labels={**base["lab-w1"].labels, "smooth_method": "moving"})
    text = " | ".join(
        notes(WormData(RecordingSet.of([smooth if g == "lab-w1" else base[g] for g in base]), started), started)
    )
    assert (
        "in the burn-in; the first one after 50 frames (30 s, at most a quarter" in text
        and "lab-w1: smoothed before export" in text
    )
