"""The diagnosis of a model: a sound one passes, and each way of getting the wiring wrong is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurocli.plugin.family import TrainedModel
from neurocli.recordings import RecordingSet, Split
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.diagnosis import forecasts as diagnose_forecasts
from neurocli_gat_lstm.diagnosis import paths as diagnose_paths
from neurocli_gat_lstm.diagnosis.model import trained_findings, unit_spread
from neurocli_gat_lstm.diagnosis.wiring import in_two_parts, split_findings
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.folds_v1 import build_v1
from neurocli_gat_lstm.model.v2 import Correction, build_v2
from neurocli_gat_lstm.simulation.parameters import CelegansConfig
from neurocli_gat_lstm.simulation.simulator import simulate_worm


@pytest.fixture(scope="module")
def recordings() -> RecordingSet:
    config = CelegansConfig(neurons=14, duration_s=120, step_ms=60, seed=3, added=0.2)
    return RecordingSet.of([simulate_worm(config, index) for index in range(4)])


_FITTED: dict[str, WormData] = {}
"""Data with their fitted linear models, which take most of the time and which no test changes."""


def model(recordings: RecordingSet, **options) -> TrainedModel:
    """A model with the fitted linear path and a network whose head says a little, as after some training."""
    config = V2Config(model=options, loss={"rollout": 5, "chunk": 30}, evaluate={"horizons": [1, 5], "stride": 10})
    data = _FITTED.setdefault(str(options), WormData(recordings, config))
    data.forecasts.clear()
    data._graphs.clear()
    torch.manual_seed(0)
    network = build_v2(config, data.spec)
    for fold in range(data.folds):
        if options.get("linear") != "none":
            network.set_linear(fold, data.linear(fold).paths)
        for member in network.members_of(fold):
            torch.nn.init.normal_(member.head.weight, std=0.02)
    return TrainedModel(network.eval(), config, data, 0, [])


@pytest.fixture
def trained(recordings) -> TrainedModel:
    return model(recordings)


def of(results: list, check: str) -> list:
    return [f for f in results if f.check == check]


def failed(results: list) -> set[str]:
    return {f.check for f in results if f.verdict == "FAIL"} - {"S-against-linear"}


WIRING = {
    "worm-in-two-parts",
    "edges",
    "paths-agree",
    "causality",
    "locality",
    "runaway-rollout",
    "gradients",
    "dead-units",
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention": [8, 8]},
        {"attention": []},
        {"graph": "none"},
        {"graph": "shuffled"},
        {"graph": "full", "hops": 1},
        {"linear": "own", "members": 2},
        {"linear": "none"},
        {"synapses": "gap"},
    ],
    ids=str,
)
def test_sound_models_pass(recordings, options):
    results = trained_findings(model(recordings, **options))
    assert not failed(results)
    assert {f.check for f in results if f.verdict == "PASS"} >= WIRING - {"gradients", "dead-units"}
    assert all(f.value <= 1e-5 for f in of(results, "paths-agree")) and all(
        f.value == 0 for f in of(results, "causality")
    )
    assert all(f.value.startswith("0 pairs beyond reach") for f in of(results, "locality"))


def test_the_edges_that_are_counted(trained):
    """Against the simulated network's connectome, by plain loops over its names."""
    data = trained.dataset
    connectome = data.wiring.connectome
    total = 0
    for worm in data.worms.values():
        for pre, post in zip(connectome.pre, connectome.post, strict=True):
            total += connectome.neurons[pre] in worm.names and connectome.neurons[post] in worm.names
    results = trained_findings(trained)
    assert of(results, "edges")[0].value == f"{total} edges of 4 worms"
    for finding in of(results, "locality")[:2]:
        assert finding.verdict == "PASS" and f"{total} of {total} pairs" in finding.value


def test_reach_is_a_walk_over_the_graph(trained):
    worm = trained.dataset.worms["simulated-net1-seed3-0000"]
    graph = trained.dataset.graph_of(worm)
    pairs = set(zip(*graph.edge_index.tolist(), strict=True))
    n = len(worm.names)
    for hops in (0, 1, 2):
        reached = diagnose_paths.reach(graph, n, hops)
        for start in range(n):
            visited = {start}
            for _ in range(hops):
                visited |= {b for a, b in pairs if a in visited}
            assert set(np.flatnonzero(reached[start])) == visited


def test_a_wrong_edge_is_named(trained):
    group = next(iter(trained.dataset.worms))
    graph = trained.dataset.graph_of(trained.dataset.worms[group])
    pairs = set(zip(*graph.edge_index.tolist(), strict=True))
    n = len(trained.dataset.worms[group].names)
    new = next((a, b) for a in range(n) for b in range(n) if a != b and (a, b) not in pairs)
    edges = torch.cat((graph.edge_index[:, 1:], torch.tensor(new)[:, None]), 1)
    trained.dataset._graphs[group] = GraphTensors(edges, graph.edge_attr)
    results = trained_findings(trained)
    (finding,) = of(results, "edges")
    assert finding.verdict == "FAIL" and f"{group}: 1 missing, 1 too many" in finding.value


def test_edges_the_wrong_way_round_are_found(trained):
    for group, worm in trained.dataset.worms.items():
        graph = trained.dataset.graph_of(worm)
        trained.dataset._graphs[group] = GraphTensors(graph.edge_index.flip(0), graph.edge_attr)
    assert "edges" in failed(trained_findings(trained))


def test_the_published_reshape_is_found(trained, monkeypatch):
    """Frames of a batch joined without a permute: attention runs between frames, and no edge is the connectome's."""
    sound = Correction.embed

    def reshaped(self, x, before, nodes, graph, present):
        features = sound(self, x, before, nodes, graph, present)
        if x.shape[1] == 1:
            return features
        mixed = features.transpose(1, 2).reshape(features.shape)  # time and neuron change places
        return torch.cat((features[..., : 2 + self.names.shape[1]], mixed[..., 2 + self.names.shape[1] :]), -1)

    monkeypatch.setattr(Correction, "embed", reshaped)
    results = trained_findings(trained)
    assert {"paths-agree", "causality"} <= failed(results) and any(
        f.verdict == "FAIL" and f.subject.startswith("next step") for f in of(results, "locality")
    )


def test_attention_beyond_the_graph_is_found(trained, monkeypatch):
    sound = Correction.embed

    def blurred(self, x, before, nodes, graph, present):
        features = sound(self, x, before, nodes, graph, present)
        return features + 1e-3 * features.mean(2, keepdim=True)

    monkeypatch.setattr(Correction, "embed", blurred)
    results = trained_findings(trained)
    assert {f.verdict for f in of(results, "locality")} == {"FAIL"} and failed(results) == {"locality"}


def test_a_look_into_the_next_frame_is_found(trained, monkeypatch):
    sound = Correction.embed

    def peeking(self, x, before, nodes, graph, present):
        return sound(self, torch.cat((x[:, 1:], x[:, -1:]), 1), before, nodes, graph, present)

    monkeypatch.setattr(Correction, "embed", peeking)
    results = trained_findings(trained)
    assert {f.subject.split(",")[0] for f in of(results, "causality") if f.verdict == "FAIL"} == {"batched", "cached"}
    assert "locality" not in failed(results)


def test_a_path_that_differs_is_found(trained, monkeypatch):
    import neurocli_gat_lstm.model.rollout as rollout

    sound = rollout.continued

    def off(correction, linear, x, nodes, graph, present, steps, features=None):
        known, results = sound(correction, linear, x, nodes, graph, present, steps, features)
        return known, [step + 1e-4 for step in results] if features is not None else results

    monkeypatch.setattr(rollout, "continued", off)
    results = trained_findings(trained)
    assert {f.subject.split(" ")[0]: f.verdict for f in of(results, "paths-agree")} == {
        "batched": "PASS",
        "cached": "FAIL",
    }
    assert next(f.value for f in of(results, "paths-agree") if f.verdict == "FAIL") == pytest.approx(1e-4, rel=0.1)


def test_a_worm_in_two_parts(recordings):
    """By its key, whatever its recordings are called."""
    groups = recordings.groups
    twin = replace(recordings[groups[0]], group="twin")
    both = RecordingSet.of([*(recordings[g] for g in groups), twin])
    folds = (Split((groups[0], groups[1]), (groups[2],), ("twin",)), Split((groups[1],), (), (groups[0],)))
    split = Split(tuple(groups), (groups[2],), ("twin", groups[0]), folds=folds)
    data = WormData(both, V2Config(), split)
    (finding,) = split_findings(data)
    assert finding.verdict == "FAIL"
    assert finding.value == "simulated-net1 seed3-0000 (train and test, fold 1)"
    assert in_two_parts(Split(("a",), ("b",), ("c",)), {"a": "w", "b": "w", "c": "v"}) == [
        ("w", "train and validation")
    ]
    clean = WormData(recordings, V2Config())
    assert split_findings(clean)[0].verdict == "PASS"


def test_runaway_rollouts(trained):
    with torch.no_grad():
        trained.network.own[:, 0, :, 0] = 3.0
        trained.network.own[:, 1, :, 0] = 100.0
    (finding,) = of(trained_findings(trained), "runaway-rollout")
    assert finding.verdict == "FAIL" and "forecast 50" in finding.value


def test_dead_units_and_gradients(trained):
    view = diagnose_paths.network_on_worm(
        trained.network, trained.dataset, trained.config, next(iter(trained.dataset.worms))
    )
    assert unit_spread(view).min() > 1e-2
    with torch.no_grad():
        for fold in range(trained.dataset.folds):
            lstm = trained.network.members_of(fold)[0].lstm
            lstm.bias_ih_l0[3 * 16 + 5] = -60.0  # output gate of unit 5
            lstm.weight_ih_l0[3 * 16 + 5] = 0.0
    results = trained_findings(trained)
    (dead,) = of(results, "dead-units")
    assert dead.verdict == "WARN" and "fold 1: 1 of 16 (5)" in dead.value
    assert of(results, "gradients")[0].verdict == "PASS"
    with torch.no_grad():
        for member in trained.network.members:
            member.head.weight.zero_()  # untrained: nothing behind the head has a gradient
    (still,) = of(trained_findings(trained), "gradients")
    assert still.verdict == "WARN" and "lstm.weight_ih_l0 (fold 1)" in still.value
    with torch.no_grad():
        trained.network.members[0].head.bias.fill_(float("nan"))
    results = trained_findings(trained)
    assert {"gradients", "paths-agree", "runaway-rollout"} <= failed(results)


def test_the_network_s_share_of_a_forecast(trained):
    """S with and without the network, by plain sums; without a network both are one."""
    data, worms = trained.dataset, trained.dataset.worms
    results = of(trained_findings(trained), "correction")
    full, alone, added, moved = [], [], [], []
    for fold, (group, worm) in enumerate(worms.items()):
        at = worm.origins(50, 5, 10)
        path = data.linear(fold).paths[1].among(worm.names)
        assert fold == data.folds_for(group)[0]
        # One step by hand: own past, levels and changes of others.
        linear = worm.z[at] + sum(worm.z[at - lag] * path.own[:, lag] for lag in range(10))
        linear = linear + worm.z[at] @ path.level.T + (worm.z[at] - worm.z[at - 1]) @ path.change.T
        forecast = data.forecasts_by(trained.network)[(group, len(at))][1]
        truth, weight = (worm.signal[at + 1] - worm.mean[at]) / worm.sd[at], (worm.sd[at] / worm.score_sd) ** 2
        change = (weight * (truth - worm.z[at]) ** 2).sum()
        full.append(1 - (weight * (truth - forecast) ** 2).sum() / change)
        alone.append(1 - (weight * (truth - linear) ** 2).sum() / change)
        added.append(((forecast - linear) ** 2).mean())
        moved.append(((linear - worm.z[at]) ** 2).mean())
    share = np.sqrt(np.mean(added)) / (np.sqrt(np.mean(added)) + np.sqrt(np.mean(moved)))
    assert results[0].value.startswith(
        f"{share:.1%} of the forecast change; S {np.mean(full):.3f}, linear path alone {np.mean(alone):.3f}"
    )
    with torch.no_grad():
        for member in trained.network.members:
            member.head.weight.zero_()
            member.head.bias.zero_()
    silent = of(trained_findings(trained), "correction")[0]
    assert (
        silent.verdict == "WARN"
        and silent.value.startswith("0.0% of the forecast change")
        and "next to nothing" not in silent.value
    )


@pytest.mark.parametrize(
    ("s_of_model", "verdict"),
    [
        ((0.10, 0.30, 0.18, 0.24), "PASS"),  # lower on average, and the interval holds 0
        ((0.10, 0.20, 0.15, 0.18), "FAIL"),
        ((0.25, 0.35, 0.30, 0.33), "PASS"),
    ],
)
def test_a_linear_model_is_said_to_be_better_only_where_the_interval_says_so(trained, monkeypatch, s_of_model, verdict):
    """Verdict, threshold and advice follow from one number: no FAIL where nothing need be done."""
    worms = list(trained.dataset.worms)
    by_worm = dict(zip(worms, s_of_model, strict=True))
    best = dict(zip(worms, (0.20, 0.30, 0.25, 0.28), strict=True))
    monkeypatch.setattr(diagnose_forecasts, "error_reduction", lambda worm, *_: by_worm[worm.group])
    monkeypatch.setattr(diagnose_forecasts, "_reduction_of", lambda _, group, __: best[group])
    for finding in of(trained_findings(trained), "S-against-linear"):
        assert finding.verdict == verdict and finding.threshold == "not worse"
        assert bool(finding.advice) == (verdict == "FAIL")


def test_against_the_best_linear_model(trained):
    results = of(trained_findings(trained), "S-against-linear")
    assert len(results) == 2 and {f.subject.split(",")[0] for f in results} == {"1 step", "5 steps"}
    (gap,) = of(trained_findings(trained), "train-test-gap")
    assert isinstance(gap.value, float)


def test_new_worms_of_another_run(recordings, trained):
    """A run that is asked about worms it never saw: all folds answer, and there is nothing to train on."""
    old, new = recordings.groups[:3], recordings.groups[3:]
    data = WormData(recordings.subset(new), trained.config, Split((), (), tuple(new)))
    network = build_v2(trained.config, data.spec)
    results = trained_findings(TrainedModel(network, trained.config, data, 0, []))
    assert not failed(results) and of(results, "paths-agree") and len(old) == 3
    assert not of(results, "S-against-linear") and not of(results, "train-test-gap")


def test_the_published_model(recordings):
    config = V1Config(loss={"chunk": 30}, evaluate={"horizons": [1, 5], "stride": 50, "context": 30})
    first, second, third = recordings.groups[:3]
    data = WormData(recordings.subset([first, second, third]), config, Split((first, second), (), (third,)))
    torch.manual_seed(0)
    network = build_v1(config, data.spec)
    for member in network.members:
        torch.nn.init.normal_(member.head[-1].weight, std=0.02)
    results = trained_findings(TrainedModel(network.eval(), config, data, 0, []))
    assert not failed(results)
    assert {"edges", "paths-agree", "causality", "locality", "gradients", "dead-units"} <= {f.check for f in results}
    assert not of(results, "correction")
    assert all(f.value < 1e-5 for f in of(results, "paths-agree"))
