"""What the exhibits of `interpret` measure, against plain references and cases whose answer is known."""

from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from neurocli.recordings import RecordingSet
from neurocli.runs.plain import plain
from neurocli_eirnn.evaluation.rates import test_rows as rows_tested
from neurocli_eirnn.evaluation.rates import used_rows
from neurocli_eirnn.interpretation import ablation, components, interpret, recovery, selectivity, weights
from neurocli_eirnn.interpretation.recovery import weight_recovery
from neurocli_eirnn.simulation.example import small_session

ALWAYS = ["weights", "spectrum", "selectivity", "ablation", "components"]


@pytest.fixture(scope="module")
def trained(make_trained):
    return make_trained(small_session(0), steps=60)


@pytest.fixture(scope="module")
def few():
    """Trials for what does not depend on how many there are: a p is exact, so that its cost doubles with each of them."""
    return small_session(0, trials=36)


@pytest.fixture(scope="module")
def shown(trained, tmp_path_factory):
    return {e.name: e for e in interpret.interpretation_exhibits(trained, tmp_path_factory.mktemp("figures"))}


def whole(exhibits) -> None:
    for exhibit in exhibits:
        assert exhibit.figure is None or exhibit.figure.stat().st_size > 5000
        if exhibit.table is not None:
            assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
        json.dumps(plain(exhibit), allow_nan=False)


def test_all_exhibits_of_a_simulated_session(shown):
    assert list(shown) == [*ALWAYS, "true-rates", "types", "true-weights"]
    whole(shown.values())


def test_a_real_session_leaves_out_what_needs_truth(tmp_path, make_trained):
    simulated = small_session(1)
    trials = [simulated[group] for group in simulated]
    for trial in trials:
        trial.truth = {}
    real = RecordingSet.of(trials, truth={k: simulated.truth[k] for k in ("neuron_type", "time_ms")})
    found = interpret.interpretation_exhibits(make_trained(real), tmp_path)
    assert [e.name for e in found] == [*ALWAYS, "recovery"]
    assert "unknown" in found[-1].title
    assert found[-1].table is None
    whole(found)


@pytest.mark.parametrize("options", [{}, {"bypass_dale": True}, {"map_by_type": True}])
def test_the_published_model(few, tmp_path, options, make_trained):
    trained = make_trained(few, "eirnn-v1", **options)
    found = {e.name: e for e in interpret.interpretation_exhibits(trained, tmp_path)}
    whole(found.values())
    types = found["types"].claims
    assert types["by_construction"] is not bool(options.get("bypass_dale"))
    if options.get("map_by_type"):
        assert types["misplaced"] == 0 and types["right"] == types["neurons"]
    elif not options:
        assert types["misplaced"] > 0 and types["right"] == types["neurons"] - types["misplaced"]


# -- weights ----------------------------------------------------------------------------------------------------------


def test_gini_and_entropy_of_known_cases():
    assert weights.gini(np.ones(8)) == pytest.approx(0)
    assert weights.gini(np.eye(8)[0]) == pytest.approx(7 / 8)
    assert weights.entropy(np.ones(8)) == pytest.approx(1)
    assert weights.entropy(np.eye(8)[0]) == pytest.approx(0)
    values = np.random.default_rng(0).gamma(2.0, 1.0, 50)
    differences = np.abs(values[:, None] - values[None, :]).sum()
    assert weights.gini(values) == pytest.approx(differences / (2 * len(values) ** 2 * values.mean()))
    share = values / values.sum()
    assert weights.entropy(values) == pytest.approx(-(share * np.log(share)).sum() / np.log(50))
    assert np.isnan(weights.gini(np.zeros(4))) and np.isnan(weights.entropy(np.zeros(4)))


def test_entries_that_take_no_part_change_nothing():
    values = np.random.default_rng(1).gamma(2.0, 1.0, (9, 3))
    there = np.ones(values.shape, bool)
    there[2] = False
    for measure in (weights.gini, weights.entropy):
        assert measure(values, there) == pytest.approx(measure(values[there].reshape(8, 3)))


def test_shuffle_tells_choosy_senders_from_even_ones():
    rng = np.random.default_rng(2)
    there = np.ones((20, 8), bool)
    even = weights.against_shuffle(rng.gamma(2.0, 1.0, (20, 8)), there, 0)["Gini"]
    assert even.low <= even.value <= even.high
    different = rng.gamma(2.0, 1.0, (20, 8)) * np.array([1, 1, 1, 1, 30, 30, 30, 30])
    uneven = weights.against_shuffle(different, there, 0)["Gini"]
    assert uneven.value < uneven.low  # strong and weak senders: within each, weights are more alike than over all


def test_blocks_are_receiver_by_sender():
    w = np.array([[0.0, 1.0, -2.0], [3.0, 0.0, -4.0], [5.0, 6.0, 0.0]])
    excitatory = np.array([True, True, False])
    strengths, there = weights.block(w, excitatory, "I", "E")
    assert strengths.tolist() == [[2.0], [4.0]] and there.all()
    assert weights.block(w, excitatory, "E", "I")[0].tolist() == [[5.0, 6.0]]
    assert weights.block(w, excitatory, "E", "E")[1].tolist() == [[False, True], [True, False]]


# -- selectivity ------------------------------------------------------------------------------------------------------


def test_selectivity_is_that_of_the_roc_curve():
    rng = np.random.default_rng(3)
    values, member = rng.poisson(3.0, (80, 4)).astype(float), rng.random(80) < 0.3
    values[member, 0] += 3
    found = selectivity.selectivity(values, member)
    assert found == pytest.approx([2 * roc_auc_score(member, v) - 1 for v in values.T])


def test_windows_follow_their_event(trained):
    data = trained.dataset
    rows = used_rows(data)[:5]
    rates = np.broadcast_to(np.arange(data.session.bins, dtype=float)[None, :, None], (5, data.session.bins, 1))
    low, high = selectivity.WINDOWS_MS["target"]
    middle = (low + high) / 2 / data.bin_ms - 0.5
    found = selectivity.window_rates(data, rates, rows, "target")[:, 0]
    assert found == pytest.approx(data.event_bins[rows, 0] + middle)


def test_the_true_rates_are_as_selective_as_the_data(trained):
    """Counts drawn from the true rates must agree with the data; labels that mean nothing must not."""
    data = trained.dataset
    rows = used_rows(data)
    true = data.session.true_rates[rows].astype(np.float64)
    location = selectivity.factors(data, rows)[0]
    assert location.name == "location"
    found = selectivity.measure(data, true, rows, location, "target", 0)
    low, high = found.r_chance
    assert low < 0 < high < found.r
    assert found.r > 0.7
    assert found.significant.sum() >= 3
    assert np.abs(found.model).mean() < np.abs(found.noise_free).mean()
    nothing = selectivity.Factor("location", rows, np.random.default_rng(0).random((1, len(rows))) < 0.5)
    assert selectivity.measure(data, true, rows, nothing, "target", 0).significant.mean() < 0.4


# -- ablation ---------------------------------------------------------------------------------------------------------


def test_cuts_take_what_they_name(trained):
    network = trained.network
    learned, sign = network.weights.detach(), network.sign
    cuts = dict(ablation.cut_weights(network))
    assert not cuts["all recurrence"].any()
    assert torch.equal(cuts["E → all"], learned * (sign < 0))
    assert torch.equal(cuts["E → E"] + cuts["E → I"] + cuts["I → E"] + cuts["I → I"], 3 * learned)
    assert (cuts["I → E"][sign > 0][:, sign < 0] == 0).all()
    hidden = cuts["hidden → all"]
    assert torch.equal(hidden[:, network.unit_of_neuron], learned[:, network.unit_of_neuron])
    assert (hidden != 0).any(0).sum() == len(network.unit_of_neuron)


def test_a_network_without_recurrence_loses_nothing(trained, few, tmp_path, make_trained):
    lonely = make_trained(few)
    with torch.no_grad():
        lonely.network.v.zero_()
    claims = ablation.ablation_exhibit(lonely, tmp_path).claims
    assert claims["change_without_all recurrence"] == pytest.approx(0, abs=1e-4)
    rates = {name: rates for _, name, rates in ablation.ablated_rates(trained, rows_tested(trained.dataset))}
    assert np.nanmax(np.abs(rates["nothing"] - rates["all recurrence"])) > 0.1


def test_a_runaway_network_stays_a_number(few, tmp_path, make_trained):
    trained = make_trained(few)
    with torch.no_grad():
        trained.network.v.mul_(50)
    exhibit = ablation.ablation_exhibit(trained, tmp_path)
    whole([exhibit])
    assert all(row[1] is not None for row in exhibit.table.rows)
    away = {row[0] for row in exhibit.table.rows if row[-1] == "runs away"}
    assert away == set(exhibit.claims["runs_away"])
    assert "I → all" in away and "all recurrence" not in away


# -- components -------------------------------------------------------------------------------------------------------


def test_components_of_a_plane():
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.standard_normal((10, 4)))[0]
    plane = rng.standard_normal((200, 2)) @ basis[:, :2].T
    axes, share = components.components(plane)
    assert share[:2].sum() == pytest.approx(1)
    assert components.captured(plane, axes[:, :2]) == pytest.approx(1)
    assert components.captured(plane, basis[:, 2:]) == pytest.approx(0, abs=1e-9)


def test_overlap_is_above_chance_for_a_fitted_model(shown):
    claims = shown["components"].claims
    assert claims["chance_neurons_exchanged"] < claims["model_on_data_components"] <= 1


# -- recovery ---------------------------------------------------------------------------------------------------------


def test_the_truth_recovers_itself(trained):
    truth = trained.dataset.session.truth
    at = truth["recorded_unit"]
    true, excitatory = truth["weights"][np.ix_(at, at)], truth["unit_type"][at] == 1
    found = recovery.weight_scores(0.5 * true, true, excitatory)
    assert all(v == pytest.approx(1) for v in found.values() if np.isfinite(v))


def test_gain_is_taken_out_of_the_true_rates(trained):
    data = trained.dataset
    true = recovery.true_rates(data)
    for row in (0, 7):
        gain = data.recordings[data.recordings.groups[row]].truth["gain"][0]
        assert true[row] * gain == pytest.approx(data.session.true_rates[row], rel=1e-5, nan_ok=True)


def test_a_model_that_says_the_truth_scores_one(trained, monkeypatch, tmp_path):
    true = recovery.true_rates(trained.dataset)
    monkeypatch.setattr(recovery, "model_rates", lambda network, data, rows: true[rows])
    claims = recovery.rate_recovery(trained, tmp_path).claims
    assert claims["r_model"] == pytest.approx(1)
    assert claims["reached"]
    assert all(claims[f"r_{name}_PSTH"] < 0.95 for name in ("train", "location", "condition"))


def test_controls_stand_beside_the_weights(shown):
    claims = shown["true-weights"].claims
    assert claims["r signed, all"] is not None
    assert claims["r signed, all, untrained"] is not None
    low, high = claims["r |w| from E, chance"]
    assert low < 0 < high


def test_weight_recovery_is_high_where_weights_are_the_true_ones_and_chance_where_they_are_random(trained, tmp_path):
    """Both nulls on a world where recovery must be perfect, and on weights that have nothing of the teacher."""
    data = trained.dataset
    recorded = data.session.truth["recorded_unit"]
    truth = data.session.truth["weights"][np.ix_(recorded, recorded)]
    blanks = interpret.untrained_networks(trained)
    assert len(blanks) >= 99
    seeds = np.stack([blank.v.detach().numpy() for blank in blanks])
    assert len(np.unique(seeds.round(6), axis=0)) == len(blanks)  # no two alike, and none without spread
    assert seeds.std(axis=0).min() > 0

    def recovered(weights):
        network = copy.deepcopy(trained.network)
        units = network.unit_of_neuron.numpy()
        with torch.no_grad():
            network.v[np.ix_(units, units)] = torch.tensor(np.abs(weights), dtype=network.v.dtype)
        return weight_recovery(dataclasses.replace(trained, network=network), blanks, tmp_path).claims

    true = recovered(truth)
    rng = np.random.default_rng(0)
    lows = [recovered(rng.gamma(2.0, 0.05, truth.shape)) for _ in range(10)]
    for key in ("r |w| from E", "AUC strong from E"):
        assert true[key] == pytest.approx(1.0, abs=1e-6)
        assert true[f"{key}, p"] <= 0.02 and true[f"{key}, p untrained"] == pytest.approx(0.01)
        for null in (", p", ", p untrained"):
            assert 0.2 < np.mean([low[f"{key}{null}"] for low in lows]) < 0.8
    # Signs come from Dale's law: every network has them, and no p is small for it.
    assert true["r signed, all, untrained"] > 0.2
    assert np.mean([low["r signed, all, p untrained"] for low in lows]) > 0.1
