"""`parametrize_with_checks`: one pytest test for each step of the contract of each model."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Collection, Sequence

import pytest

from neurocli.plugin.family import ModelFamily
from neurocli.testing.conformance import STEPS
from neurocli.testing.contract import FAIL, SKIPPED, WARN, Broken, Contract, Doubtful

Model = str | ModelFamily
_HAS_WORKERS = importlib.util.find_spec("xdist") is not None


def parametrize_with_checks(
    models: Sequence[Model], *, slow: Collection[str] = (), seed: int = 0
) -> pytest.MarkDecorator:
    """Decorate a test of (model, check) that calls check(model): it is run for every step of the contract.

        from neurocli.testing import parametrize_with_checks

        @parametrize_with_checks(["mine-v1", "mine-v2"])
        def test_contract(model, check):
            check(model)

    models: names of installed models, or families; a test is called by its model and its step: `mine-v1-look-ahead`. slow:
    steps, models or whole names of that form which get the mark `slow` (register it in your pytest configuration). seed: of
    the example.

    The steps of one model share their work. Each does first what it needs, so that it can be run alone (`-k look-ahead`) and in
    any order, and is skipped, with the reason, where that fails. Workers of pytest-xdist do not share: `--dist loadgroup` gives all
    steps of a model to one of them, `--dist loadfile` those of all models. A step that fails raises what the plugin raised. A step in doubt (something that is allowed and most
    often a mistake) passes with the warning `neurocli.testing.Doubtful`: an expected failure would say that it is a fault, and a
    pass would hide it. `-W error::neurocli.testing.Doubtful` makes it fail.
    """
    known = {step.name for step in STEPS} | {_name(model) for model in models}
    known |= {f"{_name(model)}-{step.name}" for model in models for step in STEPS}
    unknown = sorted(set(slow) - known)
    if unknown:
        raise ValueError(f"slow names {', '.join(unknown)}, which is neither a step nor a model nor a test")
    contracts = _Contracts(seed)
    cases = []
    for model in models:
        for step in STEPS:
            test = f"{_name(model)}-{step.name}"
            marks = [pytest.mark.xdist_group(_name(model))] if _HAS_WORKERS else []
            marks += [pytest.mark.slow] if {step.name, _name(model), test} & set(slow) else []
            cases.append(pytest.param(model, _Step(step.name, contracts), id=test, marks=marks))
    return pytest.mark.parametrize(("model", "check"), cases)


class _Contracts:
    """The contract of each model, begun when its first step is run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._begun: dict[str, Contract] = {}

    def of(self, model: Model) -> Contract:
        if _name(model) not in self._begun:
            self._begun[_name(model)] = Contract(model, STEPS, self._seed)
        return self._begun[_name(model)]


class _Step:
    """One step, to be called with a model."""

    def __init__(self, name: str, contracts: _Contracts) -> None:
        self._name, self._contracts = name, contracts

    def __repr__(self) -> str:
        return self._name

    def __call__(self, model: Model) -> None:
        contract = self._contracts.of(model)
        check = contract.check(self._name)
        if check.verdict == SKIPPED:
            pytest.skip(check.detail)
        if check.verdict == FAIL:
            fault = contract.faults[self._name]
            if isinstance(fault, Broken):
                raise fault
            raise Broken(check.detail) from fault
        if check.verdict == WARN:
            warnings.warn(f"{check.model}, {check.name}: {check.detail}", Doubtful, stacklevel=2)


def _name(model: Model) -> str:
    return model if isinstance(model, str) else model.card.name
