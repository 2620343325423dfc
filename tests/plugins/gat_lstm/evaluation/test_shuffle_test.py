"""The wiring among its shuffles: products of all pairs give what a plain fit gives, and p is small where the wiring works alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.moments import Moments
from neurocli_gat_lstm.evaluation.baselines import ALONG_GRAPH, baselines
from neurocli_gat_lstm.evaluation.metrics import ErrorReduction
from neurocli_gat_lstm.evaluation.shuffle_test import HOPS, ForecastsAlong, WiringTest, shuffled_reach, wiring_test
from neurocli_gat_lstm.evaluation.targets import targets
from neurocli_gat_lstm.evaluation.wiring_exhibit import in_a_sentence, wiring_exhibits
from neurocli_gat_lstm.graph.connectome import load_connectome
from neurocli_gat_lstm.graph.graph import graph_among
from neurocli_gat_lstm.graph.wiring import reach

NAMES = ["AVAL", "AVAR", "AVBL", "AVBR", "AVEL", "AVER", "AIBL", "AIBR", "RIML", "RIMR", "RIBL", "RIBR", "AIYL", "AIZL"]
SMALL = {"evaluate": {"horizons": [1], "context": 20}, "loss": {"chunk": 20, "rollout": 2}, "model": {"lags": 3}}


def world(worm_of: Callable[..., Recording], coupling: float, seed: int, frames: int = 240) -> RecordingSet:
    """Three worms that share weights along the connectome's edges and nothing else; those of `coupling` 0 share nothing."""
    rng = np.random.default_rng(seed)
    joined = reach(graph_among(load_connectome("cook2019"), NAMES, "real"), 1)
    weight = joined * rng.choice([-1.0, 1.0], joined.shape)
    weight *= coupling / max(np.abs(np.linalg.eigvals(weight)).max(), 1e-9)
    worms = []
    for k in range(3):
        x = np.zeros((frames, len(NAMES)))
        for t in range(1, frames):
            x[t] = 0.5 * x[t - 1] + weight @ x[t - 1] + rng.normal(size=len(NAMES))
        worms.append(worm_of(x.astype(np.float32), NAMES, worm=f"w{k}"))
    return RecordingSet.of(worms, meta={"kind": "worm"})


def test_products_along_a_graph_are_those_of_a_plain_fit(worms):
    data = WormData(worms, V2Config(**SMALL))
    every, allowed = ~np.eye(len(data.names), dtype=bool), data.wiring.allowed(1)
    for worm in data.worms.values():
        whole = Moments.of(worm, data.names, every, 3, (1, 2))
        along, plain = whole.along(allowed), Moments.of(worm, data.names, allowed, 3, (1, 2))
        assert along.equations.keys() == plain.equations.keys()
        for node, expected in plain.equations.items():
            np.testing.assert_allclose(along.equations[node].xx, expected.xx, rtol=1e-12, atol=1e-9)
            np.testing.assert_allclose(along.equations[node].xy, expected.xy, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(along.change, plain.change)


def test_skill_along_the_connectome_is_that_of_the_baseline(worms):
    """The scoreboard's row, though the test goes another way: by products instead of forecasts."""
    data = WormData(worms, V2Config(evaluate={"horizons": [1, 5], "context": 20}, model={"hops": 1}))
    board = Scoreboard([ErrorReduction()])
    (row,) = [b for b in baselines(data, data.config) if b.name == ALONG_GRAPH]
    for target in targets(data, data.config, "test"):
        board.add(target, row.name, "baseline", row.predict(target))
    expected = [score.value for score in board.scores if score.subset == "all"]
    assert ForecastsAlong(data).error_reduction(data.wiring.allowed(1)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("hops", HOPS)
def test_a_shuffle_reaches_as_many_pairs_and_keeps_degrees(worms, hops):
    data = WormData(worms, V2Config(**SMALL))
    pairs = int(data.wiring.allowed(hops).sum())
    for seed in range(1, 5):
        result = shuffled_reach(data, hops, pairs, seed)
        assert result.sum() == pairs and not result.diagonal().any()
        direct = shuffled_reach(data, 1, int(data.wiring.allowed(1).sum()), seed)
        assert not (direct & ~result).any() or hops == 1
        np.testing.assert_array_equal(direct.sum(0), data.wiring.allowed(1).sum(0))
        np.testing.assert_array_equal(direct.sum(1), data.wiring.allowed(1).sum(1))


def test_p_is_small_where_the_wiring_works(worm_of, tmp_path):
    data = WormData(world(worm_of, 0.45, 0), V2Config(**SMALL))
    result = wiring_test(data, shuffles=19, hops=(1,))
    assert result.band(1, 1).p == pytest.approx(0.05)  # the least that 19 shuffles allow
    assert result.real[1][0] > result.nulls[1].max() > result.own_past[0] - 0.02
    assert 0 < result.share[1] < 1


@pytest.mark.slow
def test_p_is_uniform_where_nothing_is_coupled(worm_of):
    """24 worlds, 9 shuffles each: p is one of ten values, all as likely."""
    values = []
    for seed in range(24):
        data = WormData(world(worm_of, 0.0, 100 + seed), V2Config(**SMALL))
        values.append(wiring_test(data, shuffles=9, hops=(1,)).band(1, 1).p)
    counts = np.histogram(values, bins=np.linspace(0.05, 1.05, 6))[0]
    assert 0.35 < np.mean(values) < 0.75  # mean .55, sd of the mean .06
    assert (counts > 0).sum() >= 4 and counts.max() < 14


def test_exhibit_says_p_for_every_horizon_and_for_one_and_two_edges(worm_of, tmp_path):
    few = {**SMALL, "evaluate": {**SMALL["evaluate"], "shuffles": 3}}
    data = WormData(world(worm_of, 0.45, 1), V2Config(**few))
    (exhibit,) = wiring_exhibits(data, tmp_path)
    assert [row[:2] for row in exhibit.table.rows] == [["1 hop", 1], ["2 hops", 1]]
    assert exhibit.figure.is_file() and "its 3 shuffles" in exhibit.table.note
    assert exhibit.table.note.startswith(exhibit.claims["verdict"])
    other = WormData(world(worm_of, 0.45, 1), V2Config(**{**SMALL, "model": {"graph": "none", "lags": 3}}))
    assert wiring_exhibits(other, tmp_path) == []
    assert V2Config().evaluate.shuffles == V3Config().evaluate.shuffles >= 99


def among_noise(rng: np.random.Generator, gains: dict[int, float]) -> WiringTest:
    """Four horizons, one and two edges, 99 shuffles of chance, among which the connectome is one but for its `gains` at horizons."""
    horizons = (1, 5, 10, 25)
    real = {hops: rng.normal(size=4) + np.array([gains.get(h, 0.0) for h in horizons]) * (hops == 1) for hops in HOPS}
    nulls = {hops: rng.normal(size=(99, 4)) for hops in HOPS}
    return WiringTest(horizons, np.zeros(4), np.zeros(4), real, nulls, {1: 0.15, 2: 0.6})


def test_corrected_p_tests_together_holds_its_level():
    """Of 400 worlds of chance at most 5 % have any p of all below .05 (s.e. 1.1 %); with each test's own p about a third have."""
    rng = np.random.default_rng(0)
    alarms = np.zeros(2)
    for _ in range(400):
        result = among_noise(rng, {})
        own_past = [result.band(hops, h).p for hops in HOPS for h in result.horizons]
        together = [result.corrected_p(hops, h) for hops in HOPS for h in result.horizons]
        alarms += [min(own_past) <= 0.05, min(together) <= 0.05]
    assert alarms[0] / 400 > 0.2
    assert alarms[1] / 400 < 0.05 + 2 * 0.011


def test_answer_follows_the_corrected_p_and_knows_both_sides():
    result = among_noise(np.random.default_rng(1), {1: 9.0, 5: -9.0})
    assert result.corrected_p(1, 1) == result.corrected_p(1, 5, higher=False) == pytest.approx(0.01)
    sentence = in_a_sentence(result)
    assert "better than along shuffles 1 frame ahead (p = 0.01)" in sentence
    assert "worse than along shuffles 5 frames ahead" in sentence
    assert "not told apart from shuffles 1, 5, 10, 25 frames ahead" in sentence and "corrected for 8 tests" in sentence


def test_a_connectome_that_changed_under_its_name_is_asked_anew(worms, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    edges = tmp_path / "edges.csv"

    def rows(lines: list[str]) -> tuple[float, float]:
        edges.write_text("\n".join(["pre,post,weight,kind", *lines]) + "\n")
        config = V2Config(**{**SMALL, "model": {"lags": 3, "hops": 1, "connectome": str(edges)}})
        data = WormData(worms, config)
        (row,) = [b for b in baselines(data, data.config) if b.name == ALONG_GRAPH]
        first = targets(data, data.config, "test")[0]
        answered = np.concatenate([v.ravel() for v in row.predict(first).values.values()])
        return float(np.nansum(answered)), float(wiring_test(data, shuffles=2, hops=(1,)).real[1][0])

    names = WormData(worms, V2Config(**SMALL)).names
    joined = [f"{a},{b},3,chemical" for a, b in pairwise(names)]
    before, after = rows(joined), rows([f"{b},{a},3,chemical" for a, b in zip(names, names[2:], strict=False)])
    assert before[0] != after[0] and before[1] != after[1]
    assert rows(joined) == before
