"""Every public docstring has an example, and each example runs and gives what it says."""

from __future__ import annotations

import doctest
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import neurocli
from neurocli.diagnosis import Finding
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.recordings import Recording, RecordingSet, Spikes
from neurocli.workflow.compare import RunComparison
from neurocli.workflow.diagnose import Diagnosis
from neurocli.workflow.evaluation_result import EvaluationResult
from neurocli.workflow.interpret import Interpretation
from neurocli.workflow.messages import Event
from neurocli.workflow.preprocess import Prepared
from neurocli.workflow.run import GroupPrediction, Run
from neurocli.workflow.simulate import Simulation
from neurocli_gat_lstm.simulation.example import small_worms

RETURNED = {
    "compare": RunComparison,
    "diagnose": Diagnosis,
    "evaluate": EvaluationResult,
    "interpret": Interpretation,
    "load_run": Run,
    "open_recordings": RecordingSet,
    "preprocess": Prepared,
    "simulate": Simulation,
}
FURTHER = {"resume": Run, "train": Run}
"""Their runs are what `load_run` gives, without an evaluation."""
INNER = [Event, Exhibit, Finding, GroupPrediction, Recording, Spikes, Table]
"""What is read from that in a notebook."""
PLAIN = {"as_dict"}
"""Says what its name says."""
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _examples(text: str | None, name: str, scope: dict[str, Any]) -> doctest.DocTest:
    return doctest.DocTestParser().get_doctest(text or "", scope, name, None, None)


def _run(text: str | None, name: str, scope: dict[str, Any]) -> dict[str, Any]:
    """The names that the examples of a docstring leave behind, where they print what they say."""
    test, said = _examples(text, name, dict(scope)), []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    failed = runner.run(test, out=said.append, clear_globs=False).failed
    assert not failed, "".join(said)
    return test.globs


def _members(cls: type) -> dict[str, str]:
    """Public method or property of a class itself → its docstring."""
    members = {name: value for name, value in vars(cls).items() if not name.startswith("_")}
    functions = (property, classmethod, staticmethod)
    return {
        name: inspect.getdoc(getattr(cls, name)) or ""
        for name, value in members.items()
        if isinstance(value, functions) or inspect.isfunction(value)
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings of four small worms, and a run on them that was evaluated: by the package's own example."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small_worms(0, worms=4, neurons=8, steps=200).save(Path("worms.h5"))
        _run(neurocli.__doc__, "neurocli", {})
    return folder


@pytest.fixture
def fresh(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a copy of the world, so that no example meets what another has left."""
    shutil.copytree(world, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")


def _run_class(cls: type, scope: dict[str, Any]) -> None:
    """Its examples, and those of its members, which go on from them."""
    scope = _run(inspect.getdoc(cls), cls.__name__, scope)
    for name, text in _members(cls).items():
        _run(text, f"{cls.__name__}.{name}", scope)


@pytest.mark.parametrize("name", RETURNED)
def test_examples_of_a_function_and_of_what_it_returns(name: str, fresh: None) -> None:
    """Those of what it returns go on from its own."""
    _run_class(RETURNED[name], _run(inspect.getdoc(getattr(neurocli, name)), name, {}))


@pytest.mark.parametrize("name", FURTHER)
def test_examples_of_a_function(name: str, fresh: None) -> None:
    _run(inspect.getdoc(getattr(neurocli, name)), name, {})


@pytest.mark.parametrize("cls", INNER, ids=lambda cls: cls.__name__)
def test_examples_of_a_class(cls: type, fresh: None) -> None:
    _run_class(cls, {"neurocli": neurocli})


def test_every_public_docstring_has_an_example_that_runs() -> None:
    texts = {"neurocli": neurocli.__doc__ or ""}
    texts |= {name: inspect.getdoc(getattr(neurocli, name)) or "" for name in neurocli.__all__}
    for cls in {*RETURNED.values(), *INNER}:
        texts[cls.__name__] = inspect.getdoc(cls) or ""
        texts |= {f"{cls.__name__}.{name}": text for name, text in _members(cls).items() if name not in PLAIN}
    assert len(texts) > 50
    assert not [name for name, text in texts.items() if not _examples(text, name, {}).examples]
    assert not [name for name, text in texts.items() if "+SKIP" in text]


def test_every_function_is_run_with_what_it_returns() -> None:
    known = RETURNED | FURTHER
    assert {*known, "Run"} == set(neurocli.__all__)
    for name, cls in known.items():
        assert inspect.signature(getattr(neurocli, name)).return_annotation == cls.__name__
