"""`neuro evaluate RUN --controls`: the same training on other graphs, found or made, and paired differences per worm."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neurocli.errors import UsageError
from neurocli.evaluation.intervals import mean_interval
from neurocli.plugin.registry import registry
from neurocli.runs.folder import RunFolder, list_runs
from neurocli.workflow.controls import compare_controls
from neurocli.workflow.data.reopening import trained_of_run
from neurocli.workflow.messages import Reporter
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.config_v3 import V3Config

FAST = (
    "--device=cpu", "--epochs=1", "--set=train.steps_per_epoch=4", "--set=loss.chunk=30", "--set=loss.rollout=3",
    "--set=evaluate.horizons=[1,5]", "--set=evaluate.stride=25", "--set=evaluate.context=30", "--set=evaluate.shuffles=3",
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "config"), [("gat-lstm-v1", V1Config), ("gat-lstm-v2", V2Config), ("gat-lstm-v3", V3Config)]
)
def test_controls_are_the_other_graphs(model, config):
    family = registry().family(model)
    wanted = family.controls(config())
    assert {o["model.graph"] for o in wanted.values()} == {"none", "shuffled", "full"}
    shuffled = family.controls(config(model={"graph": "shuffled"}))
    assert {o["model.graph"] for o in shuffled.values()} == {"real", "none", "full"}


@pytest.fixture(scope="module")
def evaluated(walks, neuro, tmp_path_factory):
    """(the run, the prediction of evaluate --controls, the folder of all runs)."""
    place = tmp_path_factory.mktemp("controls")
    walks(3).save(place / "worms.h5")
    root = place / "runs"
    trained = neuro("train", "gat-lstm-v2", "--data", place / "worms.h5", "--runs-dir", root, *FAST)
    assert trained.code == 0, trained
    run = RunFolder(trained.envelope["data"]["run"])
    done = neuro("evaluate", run.path, "--controls", "--runs-dir", root)
    assert done.code == 0, done
    return run, done.envelope["data"], root


def test_every_control_is_trained_as_the_run_was_but_for_its_graph(evaluated):
    run, prediction, root = evaluated
    config = run.read_config()
    others = [r for r in list_runs(root) if r.name != run.name]
    assert len(others) == 3
    for other in others:
        values = other.read_config()
        assert values["model"].pop("graph") in ("none", "shuffled", "full")
        assert values == {**config, "model": {k: v for k, v in config["model"].items() if k != "graph"}}
        info = other.read_info()
        assert info["control_of"] == run.name and info["status"] == "finished"
        assert info["split"] == run.read_info()["split"] and info["data"] == run.read_info()["data"]
    assert {row["run"] for row in prediction["controls"]} == {str(r.path) for r in others}
    (wiring,) = prediction["control_exhibits"]
    assert wiring["name"] == "wiring" and len(wiring["table"]["rows"]) == 4
    assert {other.read_info()["control"] for other in others} == {"no graph", "shuffled graph", "full graph"}


def test_a_control_is_marked_and_never_the_latest_run(evaluated, neuro):
    run, _, root = evaluated
    assert RunFolder.find(root, "latest").name == run.name != list_runs(root)[0].name
    rows = neuro("runs", "--runs-dir", root).envelope["data"]["runs"]
    assert [row["control_of"] for row in rows].count(run.name) == 3


def test_compare_says_in_which_options_runs_differ(evaluated, neuro):
    run, prediction, root = evaluated
    none = next(row["run"] for row in prediction["controls"] if row["control"] == "no graph")
    options = neuro("compare", run.path, none, "--runs-dir", root).envelope["data"]["options"]
    assert options == {RunFolder(none).name: {"model.graph": '"real" → "none"'}}


def test_differences_are_paired_by_worm(evaluated, tmp_path):
    run, prediction, _ = evaluated
    family, trained = trained_of_run(run, None, "cpu", Reporter())
    targets = family.targets(trained.dataset, trained.config)

    def s_by_worm(model, target):
        values = family.predict(model, target).values
        by_worm = []
        for g in target.groups:
            observed, prediction, now = (target.as_scored(g, x[g]) for x in (target.values, values, target.now))
            known = np.isfinite(observed)
            error, change = prediction - observed, now - observed
            by_worm.append(1 - np.sum(error[known].astype(float) ** 2) / np.sum(change[known].astype(float) ** 2))
        return np.array(by_worm)

    rows = [row for row in prediction["controls"] if row["metric"] == "S"]
    assert {(row["control"], row["target"]) for row in rows} == {
        (f"{kind} graph", q.name) for kind in ("no", "shuffled", "full") for q in targets
    }
    for row in rows:
        target = next(q for q in targets if q.name == row["target"])
        _, control = trained_of_run(RunFolder(row["run"]), None, "cpu", Reporter())
        assert f"{control.config.model.graph} graph".replace("none", "no") == row["control"]
        difference = s_by_worm(control, target) - s_by_worm(trained, target)
        assert row["value"] == pytest.approx(difference.mean(), abs=1e-6)
        assert row["n_groups"] == 3 and row["low"] <= row["value"] <= row["high"]
        low, high = mean_interval(difference)
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-5)
        assert row["p"] is None  # three worms


def test_finished_controls_are_found_again(evaluated, neuro):
    run, prediction, root = evaluated
    again = neuro("evaluate", run.path, "--controls", "--runs-dir", root)
    assert again.code == 0 and len(list_runs(root)) == 4
    assert again.envelope["data"]["controls"] == prediction["controls"]
    assert "training it" not in again.err
    rows = [s for s in again.envelope["data"]["scores"] if s["metric"] == "S" and s["subset"] == "all"]
    assert {s["value"] for s in rows if s["name"] == "persistence"} == {0.0}


def test_a_model_without_controls_is_a_usage_error(tmp_path):
    family = registry().family("cnn-lstm")
    scored = SimpleNamespace(family=family, trained=SimpleNamespace(config=family.Config()), path=tmp_path)
    with pytest.raises(UsageError, match="has no controls"):
        compare_controls(scored, None, None, tmp_path, Reporter())
