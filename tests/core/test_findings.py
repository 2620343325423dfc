"""Findings: how they are graded, what an error becomes, and whether a batch moves every parameter."""

import pytest
import torch
from torch import nn

from neurocli.diagnosis import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.gradients import GradientCheck
from neurocli.diagnosis.words import unless_none
from neurocli.errors import DataError


@pytest.mark.parametrize(
    ("warn", "fail", "verdict"), [(0, [], PASS), (3, [], WARN), (0, ["x"], FAIL), (3, ["x"], FAIL)]
)
def test_the_worst_grade_counts_and_who_passes_needs_no_advice(warn: int, fail: list[str], verdict: str) -> None:
    finding = Finding.graded("check", "data", 1, "none", "mend it", warn=warn, fail=fail)
    assert finding.verdict == verdict
    assert finding.advice == ("" if verdict == PASS else "mend it")


def test_a_list_of_bad_groups_is_shortened_and_none_passes() -> None:
    bad = unless_none("check", "worms", (f"w{k}" for k in range(10)), advice="mend it")
    assert (bad.verdict, bad.advice) == (WARN, "mend it")
    assert bad.value == "w0, w1, w2, w3, w4, w5, w6, w7 +2 more"
    assert unless_none("check", "worms", [], advice="mend it") == Finding("check", "worms", PASS, "none", "none")


def test_an_error_is_a_finding_with_advice_even_without_a_hint() -> None:
    finding = Finding.of_error("usable", "data", DataError("too short", where="w0"), "can be split")
    assert (finding.verdict, finding.value, finding.threshold) == (FAIL, "too short", "can be split")
    assert finding.advice
    assert Finding.of_error("usable", "data", DataError("too short", where="w0", hint="cut"), "-").advice == "cut"


def test_parameters_that_a_batch_does_not_move_are_named() -> None:
    network = nn.Linear(2, 1)
    unused, frozen, empty = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1), False), nn.Parameter(torch.ones(0))
    named = [*network.named_parameters(), ("unused", unused), ("frozen", frozen), ("empty", empty)]
    check = GradientCheck()
    assert check.findings("a batch") == []
    check.add(named, network(torch.ones(1, 2)).sum(), " (fold 1)")
    (finding,) = check.findings("a batch")
    assert (finding.verdict, finding.value) == (WARN, "unused (fold 1)")
    check.add(network.named_parameters(), network(torch.full((1, 2), float("inf"))).sum(), " (fold 2)")
    (finding,) = check.findings("a batch")
    assert (finding.verdict, finding.value) == (FAIL, "weight (fold 2)")


def test_a_batch_that_moves_everything_passes() -> None:
    network, check = nn.Linear(2, 1), GradientCheck()
    check.add(network.named_parameters(), network(torch.ones(1, 2)).sum())
    (finding,) = check.findings("a batch")
    assert (finding.verdict, finding.value, finding.advice) == (PASS, "2 tensors", "")
