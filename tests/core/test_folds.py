"""Folds: every group is asked about by a training that has not seen it; and sets whose files use one name twice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurocli.errors import DataError, LeakError
from neurocli.recordings import Recording, RecordingSet, Split, leave_one_out

GROUPS = ("a", "b", "c", "d")


def test_each_group_is_left_out_once():
    split = leave_one_out(GROUPS, "leave one worm out")
    assert split.train == split.test == GROUPS and split.validation == () and not split.leaky
    assert [fold.test for fold in split.folds] == [("a",), ("b",), ("c",), ("d",)]
    for fold in split.folds:
        assert set(fold.train) == set(GROUPS) - set(fold.test) and fold.protocol == "leave one worm out"
    assert [split.fold_of(group) for group in GROUPS] == [0, 1, 2, 3]
    assert split.fold_of("another") is None
    assert Split(("a",), (), ("b",)).fold_of("b") is None


@pytest.mark.parametrize("groups", [(), ("a",), ("a", "b")])
def test_fewer_than_three_cannot_be_left_out(groups):
    with pytest.raises(DataError, match=f"{len(groups)} independent groups? cannot be left out one by one"):
        leave_one_out(groups, "leave one out")


@pytest.mark.parametrize(
    "split", [leave_one_out(GROUPS, "loo"), Split(("a",), ("b",), ("c",)), Split(("a",), (), ("a",), "paper", True)]
)
def test_a_split_survives_json(split):
    assert Split.from_dict(json.loads(json.dumps(split.as_dict()))) == split
    assert ("folds" in split.as_dict()) == bool(split.folds)


def test_a_fold_that_tests_what_it_trains_is_a_leak():
    with pytest.raises(LeakError, match="a would be in train and in test"):
        Split(GROUPS, (), GROUPS, folds=(Split(("a", "b"), (), ("a",)),))
    values = leave_one_out(GROUPS, "loo").as_dict()
    values["folds"][2]["train"].append("c")
    with pytest.raises(LeakError, match="c would be in train and in test"):
        Split.from_dict(values)
    del values["folds"]
    with pytest.raises(LeakError):  # without folds nothing excuses it
        Split.from_dict(values)


@pytest.mark.parametrize(
    "folds", [None, 3, [None], ["abc"], [{"train": ["a"]}], [{"train": 3, "validation": [], "test": []}]]
)
def test_damaged_folds_are_bad_data(folds):
    values = {**leave_one_out(GROUPS, "loo").as_dict(), "folds": folds}
    with pytest.raises(DataError, match="does not say which groups"):
        Split.from_dict(values)


def of(*groups, source, value=0.0):
    made = [Recording(g, np.full((5, 2), value, np.float32), 1.0, "a.u.") for g in groups]
    return RecordingSet.of(made, sources=[source])


def test_only_names_that_clash_get_the_name_of_their_file():
    joined = RecordingSet.joined([of("a", "b", source="/x/one.h5", value=1), of("b", "c", source="/x/two.h5", value=2)])
    assert joined.groups == ["a", "one:b", "two:b", "c"]
    assert [joined[g].group for g in joined] == joined.groups
    assert [float(joined[g].signal[0, 0]) for g in joined] == [1, 1, 2, 2]
    alone = of("a", source="/x/one.h5")
    assert RecordingSet.joined([alone]) is alone
    assert RecordingSet.joined([alone, of("b", source="/x/two.h5")]).groups == ["a", "b"]
    with pytest.raises(DataError, match="in files of the same name"):
        RecordingSet.joined([of("a", source="/x/one.h5"), of("a", source="/y/one.h5")])


def test_without_validation_groups_the_last_epoch_is_kept(toy, make_run):
    """The training loss chooses nothing: the best checkpoint is the last one, even where its loss has grown."""
    from neurocli.runs.folder import RunFolder
    from neurocli.training.checkpoint import load_checkpoint
    from neurocli.training.fit import fit

    class Growing(toy.ToyFamily):
        epochs_seen = 0

        def adapt(self, recordings, config, split=None):
            groups = tuple(recordings.groups)
            return super().adapt(recordings, config, Split(groups[:6], (), groups[6:]))

        def loss(self, module, batch, config):
            from neurocli.plugin.family import LossTerms

            terms = super().loss(module, batch, config).terms
            return LossTerms({**terms, "growth": 10.0 * module.calls + 0 * terms["error"]})

    run: RunFolder = make_run(epochs=3)
    family = Growing(toy.toy_family().card)
    from neurocli.training.load import config_of

    config = config_of(family, run)
    data = family.adapt(family.example(0), config)
    result = fit(family, config, data, run)
    rows = [line.split(",") for line in run.metrics_csv.read_text().splitlines()]
    losses = [float(row[rows[0].index("train_loss")]) for row in rows[1:]]
    assert losses == sorted(losses) and losses[0] < losses[-1]
    assert result["best_epoch"] == result["epochs"] == 3
    best, last = load_checkpoint(run.best), load_checkpoint(run.last)
    assert all((best.weights[k] == last.weights[k]).all() for k in last.weights)
