"""What an evaluation says of itself: on how many spikes it rests, what was fitted, and every number that was computed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Split
from neurocli_elm.evaluation.baselines import FEWEST, LEFT_OUT
from neurocli_elm.evaluation.exhibits import published
from neurocli_elm.simulation.example import small_cells


@pytest.fixture(scope="module")
def cells():
    return small_cells(0, simulations=6, duration_ms=2500)


def asked(cells, train, test):
    family = registry().family("elm-v2")
    config = family.Config()
    config.model.num_memory, config.model.num_branch = 3, 8
    names = cells.groups
    data = family.adapt(cells, config, Split(tuple(names[:train]), (), tuple(names[train : train + test]), "given"))
    return family, config, data


def test_the_number_of_spikes_is_the_one_that_the_score_rests_on(cells):
    family, config, data = asked(cells, 2, 4)
    target = family.targets(data, config)[0]
    scored = int(sum(observed[:, 1].sum() for observed in target.values.values()))
    every = sum(len(cells[group].events["output_spikes"]) for group in data.split.test)
    assert scored < every
    told = family.notes(data, config)[0]
    assert re.search(rf"rest on {scored} steps with an output spike", told) and f"({every} output spikes" in told
    (finding,) = [f for f in _findings(family, data, config) if f.check == "test-spikes"]
    assert finding.value == scored


def _findings(family, data, config):
    from neurocli_elm.diagnosis.split import positives_finding

    return [positives_finding(data, config)]


@pytest.mark.parametrize("test", [1, FEWEST - 1, FEWEST, 5])
def test_filters_are_said_to_be_fitted_only_where_they_are(cells, test):
    family, config, data = asked(cells, 0, test)
    fitted = [p for p in family.baselines(data, config) if p.kind == "baseline"]
    assert (LEFT_OUT in family.notes(data, config)) == bool(fitted) == (test >= FEWEST)


def test_the_published_table_shows_every_score_of_its_protocol(cells):
    _, config, data = asked(cells, 0, 5)
    trained = TrainedModel(registry().family("elm-v2").untrained(config, data.spec, 0), config, data, 0, [])
    exhibit = published(trained)
    columns = exhibit.table.columns
    for rate in ("0.0025", "0.01"):
        assert f"pAUC@{rate}" in columns and f"TP@{rate}" in columns
        value = exhibit.table.rows[0][columns.index(f"pAUC@{rate}")]
        assert value == exhibit.claims[f"published_auc_at_{rate}"] and 0 <= value <= 1
        # A mean below a rate is at most the true positive rate there.
        assert value <= exhibit.table.rows[0][columns.index(f"TP@{rate}")] + 1e-9
    assert np.all([len(row) == len(columns) for row in exhibit.table.rows])


def test_what_intervals_speak_for_is_said(cells):
    _, _, data = asked(cells, 2, 4)
    assert data.scope() == "simulations of one cell: intervals do not hold for other cells"


def test_a_condition_is_what_passes_whatever_the_verdict():
    from neurocli_elm.diagnosis.files import _input, _soma
    from neurocli_elm.diagnosis.summary import Summary

    def of(**changes):
        values = {"inputs": 4, "num_excitatory": 2, "excitatory": 5, "inhibitory": 5, "soma": (-80.0, -70.0, 10.0)}
        return [Summary("one", "file", 100, 1.0, **{**values, **changes})]

    soma = [_soma("file", of(soma=ends)) for ends in ((-80.0, -70.0, 10.0), (-70.2, -70.1, -70.0), (-900.0, 0.0, 9.0))]
    given = [_input("file", of(**counts)) for counts in ({}, {"excitatory": 0, "inhibitory": 0})]
    assert [f.verdict for f in (*soma, *given)] == ["PASS", "WARN", "FAIL", "PASS", "WARN"]
    assert len({f.threshold for f in soma}) == len({f.threshold for f in given}) == 1
    assert all(f.advice for f in (*soma, *given) if f.verdict != "PASS")


def test_dead_synapses_are_held_to_one_condition(cells):
    import torch

    from neurocli_elm.diagnosis.model import synapse_findings

    _, config, data = asked(cells, 2, 4)
    network = registry().family("elm-v2").untrained(config, data.spec, 0)
    actual = [synapse_findings(network, "x")[0]]
    with torch.no_grad():
        network._proto_w_s.fill_(-1)
    actual.append(synapse_findings(network, "x")[0])
    assert [f.verdict for f in actual] == ["PASS", "FAIL"] and actual[0].threshold == actual[1].threshold
    assert actual[1].advice
