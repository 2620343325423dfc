"""What `evaluate` shows beside the scoreboard, against plain sums over targets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli.runs.plain import plain
from neurocli_gat_lstm.evaluation import exhibits
from neurocli_gat_lstm.evaluation.baselines import baselines
from neurocli_gat_lstm.evaluation.targets import channels, targets
from neurocli_gat_lstm.evaluation.traces import shown_neurons, stretch
from neurocli_gat_lstm.evaluation.worm_errors import errors_of
from neurocli_gat_lstm.graph.names import neuron_class

NAMES = ["skill", "worms", "persistence", "classes", "neurons", "traces"]


def predictions_of(trained):
    family = registry().family("gat-lstm-v2")
    return {q.name: family.predict(trained, q) for q in targets(trained.dataset, trained.config, "test")}


@pytest.fixture(scope="module")
def trained(worms, make_trained):
    return make_trained(worms)


@pytest.fixture(scope="module")
def predictions(trained):
    return predictions_of(trained)


@pytest.fixture(scope="module")
def shown(trained, predictions, tmp_path_factory):
    shown_by_name = exhibits.evaluation_exhibits(trained, predictions, tmp_path_factory.mktemp("figures"))
    return {exhibit.name: exhibit for exhibit in shown_by_name}


def whole(shown_by_name) -> None:
    for exhibit in shown_by_name:
        assert exhibit.figure is None or exhibit.figure.stat().st_size > 5000
        if exhibit.table is not None:
            assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
        json.dumps(plain(exhibit), allow_nan=False)


def scored(target, group, values):
    """Values in the unit that they are scored in."""
    return target.as_scored(group, np.asarray(values[group], np.float64))


def column(exhibit, name):
    return [row[list(exhibit.table.columns).index(name)] for row in exhibit.table.rows]


def test_all_exhibits(shown):
    assert list(shown) == NAMES
    assert all(shown[name].figure is not None for name in ("skill", "classes", "neurons", "traces"))
    whole(shown.values())


def test_skill_is_that_of_plain_sums(trained, predictions, shown):
    test_targets = targets(trained.dataset, trained.config, "test")
    for number, target in enumerate(test_targets):
        by_worm = {}
        for predictor in baselines(trained.dataset, trained.config):
            by_worm[predictor.name] = predictor.predict(target)
        by_worm["model"] = predictions[target.name]
        mse = {}
        for name, prediction in by_worm.items():
            mse[name] = [
                float(np.nanmean((scored(target, g, target.values) - scored(target, g, prediction.values)) ** 2))
                for g in target.groups
            ]
        of_model = 1 - np.array(mse["model"]) / np.array(mse["persistence"])
        assert column(shown["skill"], "S")[number] == pytest.approx(of_model.mean(), rel=1e-4)
        best = column(shown["skill"], "best linear")[number]
        skills = {n: np.mean(1 - np.array(v) / np.array(mse["persistence"])) for n, v in mse.items()}
        linear = {n: v for n, v in skills.items() if n not in ("persistence", "mean", "model")}
        assert len(linear) == 4 and best == max(linear, key=lambda n: linear[n])
        gain = 1 - np.array(mse["model"]) / np.array(mse[best])
        assert column(shown["skill"], "error reduction")[number] == pytest.approx(gain.mean(), rel=1e-3)
        assert column(shown["worms"], f"S h{target.horizon_steps}") == pytest.approx(of_model, rel=1e-4)


def test_persistence_has_a_high_pooled_r2(trained, shown):
    target = targets(trained.dataset, trained.config, "test")[0]
    y = np.concatenate([scored(target, g, target.values).ravel() for g in target.groups])
    p = np.concatenate([scored(target, g, target.now).ravel() for g in target.groups])
    known = np.isfinite(y)
    r2 = 1 - ((y - p)[known] ** 2).sum() / ((y[known] - y[known].mean()) ** 2).sum()
    assert column(shown["persistence"], "pooled R2 of persistence")[0] == pytest.approx(r2, rel=1e-4)
    assert f"{r2:.3f}" in shown["persistence"].title


def test_classes_and_neurons_are_those_of_plain_sums(trained, predictions, shown):
    target = targets(trained.dataset, trained.config, "test")[0]
    names = channels(trained.dataset, target.groups)
    inter = np.array([neuron_class(name) == "inter" for name in names])

    def skill(group, chosen):
        observed, prediction, now = (
            scored(target, group, values)[:, chosen]
            for values in (target.values, predictions[target.name].values, target.now)
        )
        return 1 - np.nansum((observed - prediction) ** 2) / np.nansum((observed - now) ** 2)

    wanted = np.mean([skill(group, inter) for group in target.groups])
    assert shown["classes"].claims["S_inter_h1"] == pytest.approx(wanted, rel=1e-4)
    rows = {row[1]: row for row in shown["neurons"].table.rows}
    assert set(rows) <= set(names)
    first = shown["neurons"].table.columns.index("S h1")
    values = [row[first] for row in shown["neurons"].table.rows]
    assert values == sorted(values, reverse=True)
    name = next(iter(rows))
    k = names.index(name)
    error, change = (
        sum(
            np.nansum((scored(target, g, target.values)[:, k] - scored(target, g, values)[:, k]) ** 2)
            for g in target.groups
        )
        for values in (predictions[target.name].values, target.now)
    )
    assert rows[name][first] == pytest.approx(1 - error / change, rel=1e-4)
    assert rows[name][3] == sum(name in trained.dataset.worms[g].names for g in target.groups)


def test_few_worms_are_said_to_be_too_few(shown):
    """Below six worms there is no p in any table, and why is said."""
    for name in ("classes", "skill"):
        assert "no p: with 5 worms" in shown[name].table.note
        assert set(column(shown[name], "p")) == {None}
    verdicts = column(shown["skill"], "verdict")
    low, high = column(shown["skill"], "low"), column(shown["skill"], "high")
    for text, *ends in zip(verdicts, low, high, strict=True):
        assert (text == "not told apart") == (ends[0] <= 0 <= ends[1])


def test_a_single_new_worm_is_shown_too(worms, make_trained, tmp_path):
    """One worm gives no interval, and no worm to fit linear models on gives no reference."""
    alone = worms.subset(worms.groups[:1])
    trained = make_trained(alone, split=Split((), (), (alone.groups[0],)))
    shown_by_name = exhibits.evaluation_exhibits(trained, predictions_of(trained), tmp_path)
    whole(shown_by_name)
    assert column(shown_by_name[0], "best linear") == [None] * 4
    assert column(shown_by_name[0], "S low") == [None] * 4


def test_a_worm_without_identified_neurons_has_no_traces(worm_of, walks, make_trained, tmp_path):
    known = walks(3)
    signal = np.random.default_rng(0).normal(size=(200, 4)).cumsum(0).astype(np.float32)
    nameless = worm_of(signal, [f"unidentified-{k}" for k in range(1, 5)], worm="nameless")
    every = RecordingSet.of([*(known[group] for group in known.groups), nameless], meta={"kind": "worm"})
    trained = make_trained(every, split=Split(tuple(known.groups), (), (nameless.group,)))
    shown_by_name = exhibits.evaluation_exhibits(trained, predictions_of(trained), tmp_path)
    whole(shown_by_name)
    assert shown_by_name[-1].table is None and "identified" in shown_by_name[-1].title


def test_errors_leave_out_what_is_not_known(trained, predictions):
    target = targets(trained.dataset, trained.config, "test")[0]
    shown_by_name = errors_of(target, predictions[target.name], target.groups)
    for k, group in enumerate(target.groups):
        assert shown_by_name.count[k].sum() == np.isfinite(target.values[group]).sum()
    names = channels(trained.dataset, target.groups)
    absent = [[name not in trained.dataset.worms[g].names for name in names] for g in target.groups]
    assert not shown_by_name.count[np.array(absent)].any()


def test_traces_are_chosen_by_rule(trained):
    worm = trained.dataset.worms[trained.dataset.split.test[0]]
    columns = shown_neurons(worm)
    assert len(columns) == len(set(columns)) == min(6, len([n for n in worm.names if not n.startswith("unidentified")]))
    for kind in ("sensory", "inter", "motor"):
        of_kind = [k for k, name in enumerate(worm.names) if neuron_class(name) == kind]
        if of_kind:
            assert max(of_kind, key=lambda k: worm.score_sd[k]) in columns
    first, last = stretch(worm, columns)
    assert any(start <= first < last <= stop for start, stop in worm.segments)


def test_real_worms(kato, make_trained, tmp_path):
    trained = make_trained(kato)
    for member in trained.network.members:
        member.head.weight.data.zero_()  # what remains is the linear path
        member.head.bias.data.zero_()
    shown_by_name = {e.name: e for e in exhibits.evaluation_exhibits(trained, predictions_of(trained), tmp_path)}
    whole(shown_by_name.values())
    assert shown_by_name["worms"].claims["worms"] == 4
    assert 0.9 < shown_by_name["persistence"].claims["persistence_pooled_R2_h1"] < 0.97
    # The model is the linear path now, which cannot be better than the best linear model by much.
    assert abs(shown_by_name["skill"].claims["skill_over_best_linear_h1"]) < 0.02
