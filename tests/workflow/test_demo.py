"""`neuro demo`: from nothing to a page, again, and after an interruption."""

from __future__ import annotations

import dataclasses
import doctest
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from neurocli.cli.main import run as neuro
from neurocli.errors import Interrupted, UnknownName, UsageError
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import Registry, load_implementation, registry
from neurocli.runs.folder import list_runs
from neurocli.workflow.demo import demo
from neurocli.workflow.demo_models import families_shown, model_of, newest, preset_of
from neurocli.workflow.messages import Event

FAMILY, MODEL, SIMULATOR = "eirnn", "eirnn-v2", "sc-session"
TINY = "[train]\nepochs = 2\n\n[evaluate]\nrivals = 'none'\n"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the demo of a family takes seconds."""
    for name, text in ((MODEL, TINY), (SIMULATOR, "num_excitatory = 6\nnum_inhibitory = 3\n")):
        folder = tmp_path / "presets" / name
        folder.mkdir(parents=True)
        (folder / "demo.toml").write_text(text)
        (folder / "quick.toml").write_text("")
        card = registry().model(name) if name == MODEL else registry().simulator(name)
        monkeypatch.setattr(load_implementation(card), "presets", folder)
    few = dataclasses.replace(registry().simulator(SIMULATOR), demo_runs=60)
    monkeypatch.setattr(Registry, "simulator", lambda self, name: few)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_family_stands_for_its_newest_model() -> None:
    families = families_shown()
    assert model_of(None).family == families[0] and len(families) >= 4
    for family in families:
        card = model_of(family)
        assert card == newest([c for c in registry().cards(ModelCard) if c.family == family])
        assert model_of(card.name) == card and card.simulator
    assert model_of("eirnn").name == "eirnn-v2" and model_of("gat-lstm-v1").name == "gat-lstm-v1"
    with pytest.raises(UnknownName, match="no family is called 'eirn'") as caught:
        model_of("eirn")
    assert "eirnn" in str(caught.value.hint)


@pytest.mark.parametrize("family", families_shown())
def test_every_family_has_a_small_preset(family: str) -> None:
    card = model_of(family)
    assert preset_of(registry().family(card.name)) in ("demo", "quick")


def test_from_nothing_to_a_page_and_again(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = demo(FAMILY)
    assert shown.report.path.is_file() and shown.report.path.parent == shown.run.path
    assert shown.simulation.path == Path(f"{SIMULATOR}-demo.h5") and not shown.reused and not shown.failures.errors
    assert shown.run.status == "finished" and shown.run.config.train.epochs == 2
    assert shown.verdict and shown.evaluation == shown.run.result("evaluation")
    weights = (shown.run.folder.best / "weights.safetensors").read_bytes()

    told: list[Event] = []
    again = demo(MODEL, out=tiny / "page.html", progress=told.append)
    assert again.reused == ["simulation", "run", "evaluation"] and again.run.path == shown.run.path
    assert again.report.path == tiny / "page.html" and again.evaluation == shown.evaluation
    said = [event.text for event in told if event.kind == "message"]
    assert sum("nothing to do" in text or "already" in text for text in said) == 3
    assert (shown.run.folder.best / "weights.safetensors").read_bytes() == weights

    # The example of its docstring, here where it takes no minutes.
    example = doctest.DocTestParser().get_doctest(demo.__doc__ or "", {}, "demo", None, None)
    assert example.examples and not doctest.DocTestRunner().run(example).failed

    capfd.readouterr()
    assert neuro(["demo", FAMILY]) == 0
    printed = capfd.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith(shown.verdict[:30]) and lines[-1] == f"report: {shown.report.path}"
    assert any(line.startswith("next: neuro ") for line in printed.err.splitlines())
    assert neuro(["demo", FAMILY, "--json"]) == 0
    envelope = json.loads(capfd.readouterr().out)
    assert envelope["ok"] and envelope["data"]["verdict"] == shown.verdict and envelope["data"]["scores"]
    assert str(shown.report.path) in envelope["data"]["files"] and envelope["data"]["name"] == shown.run.name
    assert len(list_runs(Path("runs"))) == 1


def test_a_figure_that_a_full_disk_lost_is_drawn_by_the_next_demo(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, refused = os.fsync, []

    def full(handle: int) -> None:
        if "figures/evaluation" in str(Path(f"/proc/self/fd/{handle}").readlink()) and not refused:
            refused.append(handle)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    lost = demo(FAMILY)
    assert len(lost.failures.errors) == 1
    again = demo(FAMILY)
    assert again.reused == ["simulation", "run"] and not again.failures.errors
    drawn, before = ([e["name"] for e in shown.evaluation["exhibits"] if e["figure"]] for shown in (again, lost))
    assert len(drawn) == len(before) + 1
    assert demo(FAMILY).reused == ["simulation", "run", "evaluation"]


@pytest.mark.slow
def test_interrupted_it_goes_on(tiny: Path) -> None:
    def stop(event: Event) -> None:
        if event.kind == "epoch" and event.row["event"] == "epoch":
            os.kill(os.getpid(), 2)

    with pytest.raises(Interrupted) as caught:
        demo(FAMILY, progress=stop)
    assert "same command" in caught.value.hint
    (folder,) = list_runs(Path("runs"))
    assert folder.read_info()["status"] == "interrupted"
    shown = demo(FAMILY)
    assert shown.run.path == folder.path and shown.run.status == "finished" and shown.reused == ["simulation"]


@pytest.mark.slow
def test_another_training_is_left_alone(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = demo(FAMILY)
    (tiny / "presets" / MODEL / "demo.toml").write_text(TINY.replace("epochs = 2", "epochs = 1"))
    second = demo(FAMILY)
    assert second.run.path != first.run.path and second.reused == ["simulation"]
    (tiny / "presets" / SIMULATOR / "demo.toml").write_text("num_excitatory = 5\nnum_inhibitory = 3\n")
    with pytest.raises(UsageError, match="other parameters") as caught:
        demo(FAMILY)
    assert "--" not in str(caught.value.hint)


def test_the_page_may_not_replace_something_else(tiny: Path) -> None:
    out: Any = tiny / "notes.txt"
    out.write_text("mine")
    with pytest.raises(UsageError, match="not a report"):
        demo(FAMILY, out=out)
    assert out.read_text() == "mine" and not Path("runs").exists()  # said before minutes go into it
