"""What `evaluate` shows beside the scoreboard, against plain references."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurocli.evaluation.evaluate import evaluate
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli.runs.plain import plain
from neurocli_eirnn.data.psth import standard_error
from neurocli_eirnn.diagnosis.references import reference_findings
from neurocli_eirnn.evaluation.ceiling import bound
from neurocli_eirnn.evaluation.compared import compared
from neurocli_eirnn.evaluation.exhibits import evaluation_exhibits
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.evaluation.residuals import dispersion, fano, in_windows
from neurocli_eirnn.evaluation.targets import BY_LOCATION, FIXATION, targets
from neurocli_eirnn.simulation.example import small_session


@pytest.fixture(scope="module")
def trained(make_trained):
    return make_trained(small_session(0), steps=40)


@pytest.fixture(scope="module")
def predictions(trained):
    family = registry().family("eirnn-v2")
    return {q.name: family.predict(trained, q) for q in targets(trained.dataset, trained.config, "test")}


@pytest.fixture(scope="module")
def shown(trained, predictions, tmp_path_factory):
    return {e.name: e for e in evaluation_exhibits(trained, predictions, tmp_path_factory.mktemp("figures"))}


def test_every_exhibit_is_whole(shown):
    assert list(shown) == ["per-neuron", "per-type", "event-aligned", "residuals"]
    for exhibit in shown.values():
        assert exhibit.figure is None or exhibit.figure.stat().st_size > 5000
        assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
        json.dumps(plain(exhibit), allow_nan=False)


def test_neurons_average_to_the_score(trained, predictions, shown):
    target = targets(trained.dataset, trained.config, "test")[0]
    for sd_ms, key in ((0.0, "r_raw"), (50.0, "r_50ms")):
        metric = PsthCorrelation(sd_ms, trained.dataset.bin_ms)
        statistics = [metric.statistics(target.values[g], predictions[target.name].values[g]) for g in target.groups]
        assert shown["per-neuron"].claims[key] == pytest.approx(float(metric.value(sum(statistics))), abs=1e-6)


def test_one_quantity_has_one_value_on_a_page(trained, predictions, shown, tmp_path):
    """r of model, train PSTH and ceiling: the scoreboard's numbers are those of every table, whole and around events."""
    family = registry().family("eirnn-v2")
    trained.config.evaluate.rivals = "none"
    board = {
        (s.target, s.name, s.unit): s.value
        for s in evaluate(family, trained, say=lambda _: None).scores
        if s.metric == "r" and s.subset == "all"
    }
    table = shown["event-aligned"].table
    for row in (dict(zip(table.columns, row, strict=True)) for row in table.rows):
        if row["type"] != "all":
            continue
        for column, name, unit in (
            ("r (unsmoothed)", "eirnn-v2", "unsmoothed"),
            ("r (50 ms)", "eirnn-v2", "50 ms"),
            ("r of train PSTH", "train PSTH", "50 ms"),
            ("r of true rates", "true rates", "50 ms"),
        ):
            assert row[column] == pytest.approx(board[row["alignment"], name, unit], abs=1e-9), (column, row)
    whole = next(row for row in shown["per-type"].table.rows if row[0] == "all")
    columns = shown["per-type"].table.columns
    assert whole[columns.index("r of train PSTH")] == pytest.approx(board[FIXATION, "train PSTH", "50 ms"], abs=1e-9)


def test_the_noise_ceiling_has_one_value_on_a_page(make_trained, tmp_path):
    """The same where a session's rates are not known: scoreboard, tables and the diagnosis."""
    recordings = small_session(0)
    known = {name: recordings[name] for name in recordings}
    for recording in known.values():
        recording.truth = {}
    shared = {k: v for k, v in recordings.truth.items() if k in ("neuron_type", "time_ms")}
    trained = make_trained(RecordingSet.of(list(known.values()), meta={"kind": "sc-session"}, truth=shared))
    trained.config.evaluate.rivals = "none"
    found = evaluate(registry().family("eirnn-v2"), trained, say=lambda _: None, figures=tmp_path)
    board = {(s.target, s.unit, s.subset): s for s in found.scores if s.kind == "ceiling" and s.metric == "r"}
    table = next(e for e in found.exhibits if e.name == "event-aligned").table
    for row in (dict(zip(table.columns, row, strict=True)) for row in table.rows):
        subset = row["type"] if row["type"] != "all" else "all"
        if row["alignment"] == FIXATION or subset == "all":
            assert row["noise ceiling"] == pytest.approx(board[row["alignment"], "50 ms", subset].value, abs=1e-9)
    every = board[FIXATION, "50 ms", "all"]
    assert every.low < every.value < every.high
    findings = reference_findings(trained.dataset, trained.config, "all trials")
    said = next(f for f in findings if f.subject == "all trials: 50 ms").value
    assert said.startswith(f"{every.value:.3f} ")
    by_location = board[FIXATION, "50 ms", BY_LOCATION]
    assert next(f for f in findings if "locations" in f.subject).value.startswith(f"{by_location.value:.3f} ")


def test_neurons_are_listed_best_first(trained, shown):
    table = shown["per-neuron"].table
    r = [row[table.columns.index("r (50 ms)")] for row in table.rows]
    assert r == sorted(r, reverse=True)
    kinds = dict(zip(trained.dataset.session.neuron_ids, trained.dataset.session.neuron_type, strict=True))
    assert all(("E" if kinds[row[0]] == 1 else "I") == row[1] for row in table.rows)


def test_a_perfect_model_is_at_its_ceiling(make_trained):
    """True rates are the ceiling of a simulated session; the noise ceiling is close to it, and the corrected sd ratio to 1."""
    from neurocli_eirnn.evaluation.ceiling import ceiling

    trained = make_trained(small_session(0, trials=300))
    target = targets(trained.dataset, trained.config, "test")[0]
    found = compared(trained.dataset, target, ceiling(trained.dataset).predict(target))
    assert found.share[found.has_signal] == pytest.approx(1.0)
    assert bound(trained.dataset, target, "all", 2.0) == pytest.approx(found.ceiling.mean(), abs=0.1)
    assert np.nanmedian(found.sd_ratio_corrected) == pytest.approx(1.0, abs=0.25)
    assert np.nanmedian(found.sd_ratio) < np.nanmedian(found.sd_ratio_corrected)


def test_standard_error_is_that_of_smoothed_trials():
    rates = np.random.default_rng(0).poisson(2.0, (40, 30, 2)) * 40.0
    by_hand = rates.std(0, ddof=1) / np.sqrt(40)
    assert standard_error(rates, 0.0) == pytest.approx(by_hand)
    assert standard_error(rates, 2.0).mean() < 0.6 * by_hand.mean()
    rates[5:, 20:] = np.nan
    rates[1:, 25:] = np.nan
    band = standard_error(rates, 0.0)
    assert np.isfinite(band[:25]).all() and np.isnan(band[25:]).all()


def test_poisson_counts_have_fano_and_dispersion_one():
    rng = np.random.default_rng(1)
    expected = rng.gamma(2.0, 0.2, (60, 100, 5))
    expected[:, 80:] = np.nan
    draws = []
    for _ in range(100):
        counts = np.where(np.isfinite(expected), rng.poisson(np.nan_to_num(expected)), np.nan)
        draws.append(dispersion(counts, expected)[0])
    found, sd = np.array(draws), dispersion(counts, expected)[1]
    assert found.mean() == pytest.approx(1.0, abs=0.01)
    assert found.std(0) == pytest.approx(sd, rel=0.25)
    same = np.broadcast_to(expected[:1], expected.shape)
    assert fano(np.where(np.isfinite(same), rng.poisson(np.nan_to_num(same)), np.nan)) == pytest.approx(1.0, abs=0.1)


def test_a_gain_shared_by_a_trial_shows_in_wide_windows():
    rng = np.random.default_rng(2)
    expected = np.full((200, 64, 3), 0.5)
    gain = rng.lognormal(0, 0.3, (200, 1, 1))
    counts = rng.poisson(expected * gain).astype(float)
    narrow, wide = (dispersion(in_windows(counts, k), in_windows(expected, k))[0].mean() for k in (1, 16))
    assert narrow < 1.3 < 1.6 < wide


def test_windows_are_whole():
    counts = np.arange(14.0).reshape(1, 7, 2)
    assert in_windows(counts, 3)[0, :, 0].tolist() == [6.0, 24.0]


def test_new_data_without_training_trials(tmp_path, make_trained):
    """A model asked about other data has no train PSTH to be held against; everything else is there."""
    from neurocli.recordings import Split

    trained = make_trained(small_session(0))
    family = registry().family("eirnn-v2")
    trained.dataset = family.adapt(
        small_session(0), trained.config, Split((), (), tuple(trained.dataset.row), protocol="new data")
    )
    predictions = {q.name: family.predict(trained, q) for q in targets(trained.dataset, trained.config, "test")}
    table = evaluation_exhibits(trained, predictions, tmp_path)[0].table
    assert all(row[table.columns.index("r of train PSTH")] is None for row in table.rows)
