"""Runs over folds: trained, interrupted and resumed, asked about their own worms and about new ones."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from neurocli.errors import Interrupted, LeakError
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli.runs.folder import RunFolder
from neurocli.training.checkpoint import load_checkpoint
from neurocli.training.fit import fit
from neurocli.workflow.data.reopening import trained_of_run
from neurocli.workflow.messages import Reporter
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.data.notes import notes

FAST = (
    "--device=cpu",
    "--epochs=2",
    "--set=train.steps_per_epoch=4",
    "--set=loss.chunk=30",
    "--set=loss.rollout=3",
    "--set=evaluate.horizons=[1,5]",
)


@pytest.fixture(scope="module")
def finished(walks, neuro, tmp_path_factory):
    """A run on four worms by the command line: (its folder, the file of its worms)."""
    place = tmp_path_factory.mktemp("finished")
    path = place / "worms.h5"
    walks(4).save(path)
    done = neuro("train", "gat-lstm-v2", "--data", path, "--runs-dir", place / "runs", *FAST)
    assert done.code == 0, done
    return RunFolder(done.envelope["data"]["run"]), path


def test_a_run_over_folds_says_so_and_has_a_network_for_each(finished):
    run, _ = finished
    info = run.read_info()
    assert info["model"] == "gat-lstm-v2" and info["split"]["split"] == "leave one worm out"
    assert info["spec"]["folds"] == len(info["split"]["folds"]) == 4
    assert json.loads(run.metrics_json.read_text())["best_epoch"] == 2
    weights = load_checkpoint(run.best).weights
    assert weights["own"].shape[0] == 4 and {k.split(".")[1] for k in weights if k.startswith("members.")} == set(
        "0123"
    )
    for fold in range(4):
        assert weights["own"][fold].any() and not torch.equal(weights["own"][fold], weights["own"][fold - 1])


def test_its_own_worms_are_answered_each_by_the_fold_that_has_not_seen_it(finished, tmp_path):
    run, _ = finished
    family, trained = trained_of_run(run, None, "cpu", Reporter())
    assert len(trained.dataset.split.folds) == 4
    with torch.no_grad():
        for fold, group in enumerate(trained.dataset.split.test):
            target = family.targets(trained.dataset, trained.config)[0]
            base = family.predict(trained, target).values
            trained.dataset.forecasts.clear()
            head = trained.network.members_of(fold)[0].head.bias
            head += 1.0
            moved = family.predict(trained, target).values
            trained.dataset.forecasts.clear()
            head -= 1.0
            changed = [g for g in target.groups if not np.array_equal(base[g], moved[g], equal_nan=True)]
            assert changed == [group]


def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(walks, tmp_path):
    family = registry().family("gat-lstm-v2")
    config = V2Config(
        train={"device": "cpu", "epochs": 3, "steps_per_epoch": 4},
        loss={"chunk": 30, "rollout": 3},
        evaluate={"horizons": [1, 5]},
    )
    recordings = walks(3)

    def run_of(name):
        return RunFolder.create(tmp_path / name, "gat-lstm-v2", {}, config.model_dump(mode="json"), {})

    unbroken, broken = run_of("unbroken"), run_of("broken")
    fit(family, config, family.adapt(recordings, config), unbroken)

    def stop(event):
        if event["event"] == "batch" and event["epoch"] == 2 and event["batch"] == 3:
            raise Interrupted("stopped here", where="test", hint="carry on")

    with pytest.raises(Interrupted):
        fit(family, config, family.adapt(recordings, config), broken, progress=stop)
    assert (
        broken.read_info()["status"] == "interrupted" and load_checkpoint(broken.last).state["progress"]["epoch"] == 1
    )
    fit(family, config, family.adapt(recordings, config), broken, resume=True)
    first, two = (load_checkpoint(run.best).weights for run in (unbroken, broken))
    assert first.keys() == two.keys() and all(torch.equal(first[k], two[k]) for k in first)
    assert unbroken.metrics_csv.read_bytes() == broken.metrics_csv.read_bytes()


def new_worm(walks, worm_of, **labels):
    """Other neurons, some of which no training worm has, and another frame rate."""
    signal = walks(1, frames=150, neurons=5, seed=9)["lab-w0"].signal
    return worm_of(
        signal, ["AVAR", "ASEL", "AVBL", "unidentified-4", "AVAL"], worm="new", source="elsewhere", dt_s=0.6, **labels
    )


def test_a_new_worm_is_answered_by_all_folds(finished, walks, worm_of, tmp_path):
    run, _ = finished
    path = tmp_path / "new.h5"
    RecordingSet.of([new_worm(walks, worm_of)], meta={"kind": "worm"}).save(path)
    family, trained = trained_of_run(run, [path], "cpu", Reporter())
    data, network = trained.dataset, trained.network
    assert data.names == ("AVAL", "AVAR", "AVBL", "AVBR")
    (group,) = data.split.test
    worm = data.worms[group]
    assert worm.names == ("AVAR", "ASEL", "AVBL", "AVAL") and data.nodes_of(worm).tolist() == [1, 4, 2, 0]
    assert data.folds_for(group) == [0, 1, 2, 3]
    target = family.targets(data, trained.config)[1]
    from neurocli_gat_lstm.model.forecasts_v2 import corrected

    at = target.origins[group]
    by_fold = [first[5] for f in range(4) for first in corrected(network, data, worm, f, at, 50, [5])]
    assert not np.allclose(by_fold[0], by_fold[1])
    order = [sorted(worm.names).index(n) for n in worm.names]
    np.testing.assert_allclose(
        family.predict(trained, target).values[group][:, order], worm.in_signal(at, np.mean(by_fold, 0)), atol=1e-5
    )
    text = " | ".join(notes(data, trained.config))
    assert "elsewhere-new: another frame rate than in training (300 ms per frame)" in text
    for baseline in family.baselines(data, trained.config):
        assert np.isfinite(baseline.predict(target).values[group]).all(), baseline.name


def test_without_the_data_of_the_run_its_names_are_still_those_of_its_weights(finished, walks, worm_of, tmp_path):
    """The run folder went to another machine: a new worm's neurons are looked up among the run's names."""
    run, _ = finished
    moved = RunFolder(shutil.copytree(run.path, tmp_path / "runs" / "gat-lstm-v2" / run.name))
    moved.update_info(data={**run.read_info()["data"], "paths": [str(tmp_path / "gone.h5")]})
    path = tmp_path / "new.h5"
    RecordingSet.of([new_worm(walks, worm_of)], meta={"kind": "worm"}).save(path)
    here, elsewhere = (trained_of_run(r, [path], "cpu", Reporter())[1] for r in (run, moved))
    assert here.dataset.names == elsewhere.dataset.names
    family = registry().family("gat-lstm-v2")
    predictions = [family.predict(t, family.targets(t.dataset, t.config)[0]).values for t in (here, elsewhere)]
    np.testing.assert_array_equal(predictions[0]["elsewhere-new"], predictions[1]["elsewhere-new"])


def test_a_gfp_worm_is_scored_and_called_what_it_is(finished, walks, worm_of, tmp_path):
    run, _ = finished
    path = tmp_path / "gfp.h5"
    RecordingSet.of([new_worm(walks, worm_of, indicator="gfp")], meta={"kind": "worm"}).save(path)
    family, trained = trained_of_run(run, [path], "cpu", Reporter())
    assert "elsewhere-new: GFP, no calcium indicator" in " | ".join(family.notes(trained.dataset, trained.config))


def test_a_worm_that_the_run_was_trained_on_is_no_new_worm(finished, walks, tmp_path):
    run, _ = finished
    path = tmp_path / "again.h5"
    again = dataclasses.replace(walks(4)["lab-w2"], group="renamed")
    RecordingSet.of([again], meta={"kind": "worm"}).save(path)
    with pytest.raises(LeakError, match="trained on lab-w2"):
        trained_of_run(run, [path], "cpu", Reporter())


def in_another_file(recording):
    """The same worm as somebody else would write it: other units, order and names of neurons."""
    order = np.arange(len(recording.channels))[::-1]
    return dataclasses.replace(
        recording,
        group="theirs",
        signal=(7 * recording.signal[:, order] + 1).astype(np.float32),
        channels=[f"unidentified-{k}" for k in order],
        labels={**recording.labels, "source": "theirs", "worm": "their worm"},
    )


def test_a_worm_of_the_training_is_known_in_another_file_too(finished, walks, worm_of, tmp_path):
    run, _ = finished
    path = tmp_path / "copy.h5"
    copy = in_another_file(walks(4)["lab-w2"])
    RecordingSet.of([copy], meta={"kind": "worm"}).save(path)
    with pytest.raises(LeakError, match="theirs: the same worm as lab-w2"):
        trained_of_run(run, [path], "cpu", Reporter())
    RecordingSet.of([copy, new_worm(walks, worm_of)], meta={"kind": "worm"}).save(path)
    family, trained = trained_of_run(run, [path], "cpu", Reporter())
    assert trained.dataset.split.test == ("elsewhere-new",)
    assert "left out: theirs: the same worm as lab-w2, which the run was trained on" in family.notes(
        trained.dataset, trained.config
    )


def test_a_control_does_not_enter_the_mean_of_other_worms(finished, walks, worm_of, tmp_path):
    run, _ = finished
    path = tmp_path / "mixed.h5"
    gfp = dataclasses.replace(new_worm(walks, worm_of, indicator="gfp"), group="gfp")
    gfp.signal = gfp.signal[:, ::-1].copy()
    RecordingSet.of([new_worm(walks, worm_of), gfp], meta={"kind": "worm"}).save(path)
    family, trained = trained_of_run(run, [path], "cpu", Reporter())
    assert trained.dataset.split.test == ("elsewhere-new",)
    assert any("gfp: GFP" in line for line in family.notes(trained.dataset, trained.config))


def test_a_single_worm_can_be_prepared(walks, neuro, tmp_path):
    path, out = tmp_path / "one.h5", tmp_path / "prepared.h5"
    RecordingSet.of([walks(1)["lab-w0"]], meta={"kind": "worm"}).save(path)
    done = neuro("preprocess", "gat-lstm-v2", "--data", path, "--out", out)
    assert done.code == 0 and RecordingSet.open(out).groups == ["lab-w0"]
    assert done.envelope["data"]["protocol"]["split"] == "not split"


def named(files):
    return [word for path in sorted(files) for word in ("--data", path)]


@pytest.fixture(scope="module")
def real_run(folder, neuro, tmp_path_factory):
    """A short training on the four Kato worms."""
    done = neuro(
        "train",
        "gat-lstm-v2",
        *named(folder.glob("Kato*.mat")),
        "--runs-dir",
        tmp_path_factory.mktemp("real"),
        *FAST,
        "--linear=own",
        "--epochs=1",
    )
    assert done.code == 0, done
    return RunFolder(done.envelope["data"]["run"])


@pytest.mark.realdata
def test_a_worm_of_another_laboratory_is_answered_by_all_folds(real_run, folder, tmp_path):
    family, trained = trained_of_run(real_run, [folder / "Atanas2023_2022-08-02-01.h5"], "cpu", Reporter())
    data = trained.dataset
    (group,) = data.split.test
    worm = data.worms[group]
    nodes = data.nodes_of(worm)
    assert len(worm.names) == 98 and 20 < (nodes < 50).sum() < 50 and (nodes == 50).any()
    assert data.folds_for(group) == [0, 1, 2, 3]
    target = family.targets(data, trained.config)[0]
    assert np.isfinite(family.predict(trained, target).values[group]).all()
    text = " | ".join(family.notes(data, trained.config))
    assert "another frame rate than in training" in text and "600 ms each" in text


@pytest.mark.realdata
def test_scholz_worms_are_scored_as_gfp_and_never_trained_on(real_run, folder, neuro, tmp_path):
    pytest.importorskip("pynwb")
    files = [folder / "ScholzEtAl2018_0.nwb"]
    family, trained = trained_of_run(real_run, files, "cpu", Reporter())
    text = " | ".join(family.notes(trained.dataset, trained.config))
    assert text.count("GFP, no calcium indicator") == 1 and all(g in text for g in trained.dataset.split.test)
    target = family.targets(trained.dataset, trained.config)[0]
    prediction = family.predict(trained, target)
    assert all(np.isfinite(prediction.values[g][np.isfinite(target.values[g])]).all() for g in target.groups)
    assert all(trained.dataset.graph_of(trained.dataset.worms[g]).edge_index.shape[1] == 0 for g in target.groups)
    done = neuro("train", "gat-lstm-v2", *named(files), "--runs-dir", tmp_path, *FAST, "--set=data.neurons=all")
    assert done.code == 3 and "GFP" in done.envelope["error"]["message"]
