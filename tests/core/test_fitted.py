"""A baseline is fitted once per data set, split, options and code, and shared by whoever asks again."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import total_cost
from neurocli.plugin.cost import Cost
from neurocli.recordings import Recording, RecordingSet, Split


@pytest.fixture
def data(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    return lambda **changes: _data(toy, **changes)


def _data(toy, last=0.0, label="a", names="abcd", dt_ms=1.0, unit="a.u.", train=("g0", "g1"), test=("g3",)):
    rng = np.random.default_rng(0)
    made = [
        Recording(f"g{n}", rng.normal(size=(16, 4)), dt_ms, unit, channels=list(names), labels={"of": "a"})
        for n in range(4)
    ]
    made[1].signal[-1, -1] += last
    made[1].labels["of"] = label
    return toy.ToyData(RecordingSet.of(made), Split(tuple(train), ("g2",), tuple(test)), 4)


class Counted:
    def __init__(self):
        self.calls = 0

    def fit(self):
        self.calls += 1
        return {"weight": np.arange(6.0).reshape(2, 3), "_scale": np.ones(50), "kept": np.arange(4)}


def test_fits_once_and_gives_the_same(data):
    counted = Counted()
    first = Fitted("ridge", data(), {"lags": 3}, counted.fit)
    assert first.cost is None  # nobody has asked yet
    again = Fitted("ridge", data(), {"lags": 3}, counted.fit)
    for fitted in (first, first, again):
        np.testing.assert_array_equal(fitted.values["weight"], np.arange(6.0).reshape(2, 3))
    assert counted.calls == 1
    assert again.cost == first.cost
    assert again.cost.parameters == 6  # neither constants nor whole numbers


@pytest.mark.parametrize(
    "changes",
    [
        {"last": 1e-3},
        {"label": "b"},
        {"names": "abdc"},
        {"dt_ms": 2.0},
        {"unit": "dF/F0"},
        {"train": ("g0",)},
        {"train": ("g1", "g0")},
    ],
    ids=str,
)
def test_other_training_data_are_another_fit(data, changes):
    counted = Counted()
    for made in (data(), data(**changes)):
        assert Fitted("ridge", made, {}, counted.fit).values
    assert counted.calls == 2


def test_test_groups_do_not_count(data):
    counted = Counted()
    for made in (data(), data(test=())):
        assert Fitted("ridge", made, {}, counted.fit).values
    assert counted.calls == 1


def test_other_options_names_and_damaged_files_fit_anew(data, tmp_path):
    counted = Counted()
    for name, settings in (("ridge", {"lags": 3}), ("ridge", {"lags": 4}), ("GRU", {"lags": 3})):
        assert Fitted(name, data(), settings, counted.fit).values
    assert counted.calls == 3
    for path in (tmp_path / "cache" / "fitted").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    assert Fitted("ridge", data(), {"lags": 3}, counted.fit).values["weight"].shape == (2, 3)
    assert counted.calls == 4


def test_options_whose_text_may_be_cut_are_known_whole(data):
    counted = Counted()
    for last in (0.0, 1.0):
        long = np.zeros(5000)
        long[2500] = last  # numpy would print dots in its place
        assert Fitted("ridge", data(), {"grid": long}, counted.fit).values
    assert counted.calls == 2
    with pytest.raises(TypeError, match="cannot be known by a object"):
        Fitted("ridge", data(), {"grid": object()}, counted.fit).values  # noqa: B018


def test_objects_are_refused(data):
    with pytest.raises(TypeError, match="objects"):
        Fitted("trees", data(), {}, lambda: {"tree": np.array([{}], dtype=object)}).values  # noqa: B018


def test_a_cache_that_cannot_be_written_costs_no_result(data, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "file"))
    counted = Counted()
    assert Fitted("ridge", data(), {}, counted.fit).values["weight"].size == 6


def test_what_fits_took_adds_up_over_those_that_are_known():
    assert total_cost([Cost(1.5, 10), None, Cost(None, 3), Cost(2.0, None)]) == Cost(3.5, 13)
    assert total_cost([None]) is None and total_cost([]) is None
