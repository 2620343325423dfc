"""No forecast knows what comes after its origin: from the recording to the prediction, bit for bit, for every predictor."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.simulation.example import small_worms

MODELS = ("gat-lstm-v1", "gat-lstm-v2")
SMALL = {"evaluate.stride": 40, "evaluate.context": 20, "evaluate.horizons": [1, 3], "loss.chunk": 20}
OURS = {**SMALL, "loss.rollout": 3}
EVERY_WAY = ("other values", "one sample", "no values", "not a number")
CASES = [
    *(("gat-lstm-v2", {}, how) for how in EVERY_WAY),
    *(
        ("gat-lstm-v2", {"data.dt": dt, "loss.chunk": 12, "evaluate.stride": 12}, "other values")
        for dt in (700.0, 250.0)
    ),
    ("gat-lstm-v2", {"data.normalisation": "start"}, "not a number"),
    ("gat-lstm-v1", {}, "other values"),
    ("gat-lstm-v1", {}, "not a number"),
]


@pytest.fixture(scope="module")
def worms() -> RecordingSet:
    """Three worms of six neurons, 200 frames."""
    return small_worms(0, worms=3, neurons=6, steps=200)


def of(model):
    return OURS if model == "gat-lstm-v2" else SMALL


def changed(recordings: RecordingSet, group: str, sample: int, how: str) -> RecordingSet:
    """The same recordings, one of which differs after a sample."""
    recording = recordings[group]
    signal = recording.signal.astype(np.float64)
    mask = np.ones(signal.shape, bool) if recording.mask is None else recording.mask.copy()
    later = slice(sample + 1, None)
    rng = np.random.default_rng(3)
    if how == "other values":
        signal[later] = 50 * signal.std() * rng.normal(size=signal[later].shape) + 7
    elif how == "one sample":
        signal[sample + 1] += 100
    elif how == "no values":
        mask[later] = rng.random(mask[later].shape) < 0.5
    else:
        signal[later] = np.nan
    other = dataclasses.replace(recording, signal=signal.astype(np.float32), mask=mask)
    return RecordingSet.of(
        [other if g == group else recordings[g] for g in recordings], meta=recordings.meta, truth=recordings.truth
    )


def everything(family, trained, data):
    """(target, predictor) → [origin, channel] of all test worms; module and linear fits as they are."""
    config, forecasts = trained.config, {}
    on_data = TrainedModel(trained.network, config, data, 0, [])
    for target in family.targets(data, config):
        forecasts[target.name, "model"] = target, family.predict(on_data, target)
        for baseline in family.baselines(data, config):
            forecasts[target.name, baseline.name] = target, baseline.predict(target)
    return forecasts


@pytest.mark.parametrize(("model", "options", "how"), CASES)
def test_no_sample_after_an_origin_changes_a_forecast(worms, make_trained, model, options, how):
    family = registry().family(model)
    trained = make_trained(worms, {**of(model), **options}, model=model)
    data = trained.dataset
    group = data.split.test[1]
    origins = family.targets(data, trained.config)[0].origins[group]
    middle = int(origins[len(origins) // 2])
    other = family.adapt(changed(worms, group, middle, how), trained.config, data.split)
    assert not np.array_equal(other.worms[group].signal, data.worms[group].signal)
    first, two = (everything(family, trained, which) for which in (data, other))
    assert {name for _, name in first} >= {"model", "persistence", "mean", "AR(10)", "ridge, all pairs"}
    for key, (target, prediction) in first.items():
        np.testing.assert_array_equal(two[key][0].origins[group], target.origins[group])
        early = target.origins[group] <= middle
        assert 1 < early.sum() < len(early)
        before, after = (np.asarray(a.values[group])[early] for a in (prediction, two[key][1]))
        assert np.isfinite(before).any()
        np.testing.assert_array_equal(before, after, err_msg=str(key))


@pytest.mark.parametrize("model", MODELS)
def test_with_the_statistics_of_whole_recordings_the_future_is_seen(worms, make_trained, model):
    """The same check fails there, for the model and every baseline that has a mean."""
    family = registry().family(model)
    trained = make_trained(worms, {**of(model), "data.normalisation": "whole"}, model=model)
    group = trained.dataset.split.test[1]
    middle = int(family.targets(trained.dataset, trained.config)[0].origins[group][1])
    other = family.adapt(changed(worms, group, middle, "other values"), trained.config, trained.dataset.split)
    first, two = (everything(family, trained, which) for which in (trained.dataset, other))
    for (_, name), (target, prediction) in first.items():
        early = target.origins[group] <= middle
        same = np.array_equal(
            np.asarray(prediction.values[group])[early],
            np.asarray(two[target.name, name][1].values[group])[early],
            equal_nan=True,
        )
        assert same == (name == "persistence"), name


def test_whole_is_leaky_and_the_others_are_not(worms):
    for model in MODELS:
        family = registry().family(model)
        for normalisation, leaky in (("causal", False), ("start", False), ("whole", True)):
            config = family.Config(data={"normalisation": normalisation}, loss={"chunk": 20})
            data = family.adapt(worms, config)
            assert data.split.leaky is leaky and data.split.as_dict()["leaky"] is leaky
            assert family.adapt(worms, config, data.split).split.leaky is leaky
        assert family.Config().data.normalisation == "causal"


def test_the_mark_is_in_the_answer_and_the_test_worms_are_listed(worms, tmp_path, neuro):
    from neurocli.recordings.store import write

    write(tmp_path / "worms.h5", [worms[g] for g in worms], meta=worms.meta, truth=worms.truth)
    for normalisation in ("whole", "causal"):
        quick = (
            "--set",
            "train.steps_per_epoch=5",
            "--set",
            "train.epochs=1",
            "--set",
            "evaluate.context=20",
            "--set",
            "evaluate.stride=40",
        )
        small = ("--set", "loss.chunk=20", "--set", "loss.rollout=3", "--set", "evaluate.horizons=[1,3]")
        recordings = neuro(
            *(
                "train",
                "gat-lstm-v2",
                "--data",
                tmp_path / "worms.h5",
                "--runs-dir",
                tmp_path / normalisation,
                *quick,
                *small,
            ),
            *("--set", f"data.normalisation={normalisation}"),
        )
        assert recordings.code == 0, recordings.envelope
        forecasts = neuro("evaluate", "latest", "--runs-dir", tmp_path / normalisation).envelope["data"]
        assert forecasts["protocol"]["leaky"] is (normalisation == "whole")
        assert forecasts["protocol"]["groups"]["test"] == worms.groups


def test_scores_are_weighted_by_the_whole_recording_and_forecasts_are_not(worms, make_trained):
    """Ten times the scale of one neuron changes no score: weights belong to the score, which may know all."""
    family = registry().family("gat-lstm-v2")
    trained = make_trained(worms, OURS)
    data, group = trained.dataset, trained.dataset.split.test[0]
    target = family.targets(data, trained.config)[1]
    worm = data.worms[group]
    mean, sd = target.scoring[group]
    present = np.isfinite(mean)
    np.testing.assert_allclose(
        mean[present], worms[group].signal.mean(0, dtype=np.float64)[_order(worms, group)], rtol=1e-5
    )
    np.testing.assert_allclose(
        sd[present], worms[group].signal.std(0, dtype=np.float64)[_order(worms, group)], rtol=1e-5
    )
    scored = target.as_scored(group, target.values[group].astype(np.float64))
    assert np.nanstd(scored) == pytest.approx(1, abs=0.3) and present.sum() == len(worm.names)


def _order(worms, group):
    names = worms[group].channels
    known = sorted(name for name in names if not name.startswith("unidentified"))
    return [names.index(name) for name in known]
