"""`neuro explain`: every name that a table can show is explained, and the page says what the command says."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from neurocli.cli.main import run
from neurocli.config.resolve import resolve
from neurocli.plugin.family import NoCeiling
from neurocli.plugin.registry import Plugin, registry
from neurocli.report import glossary as room
from neurocli.report.glossary import CORE, FILE, REMAKE, Glossary, Term, glossary, render, shipped, terms_of

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "numpy", "scipy", "h5py", "brian2", "matplotlib", "lightning", "sklearn", "numba"}
MODELS = [name for name in registry().aliases().values() if registry().model(name).family in shipped().families]
CHECKS = {
    "Finding",
    "Finding.graded",
    "Finding.of_error",
    "judged",
    "information",
    "unless_none",
    "of_trials",
    "of_worms",
    "per_worm",
    "shortened",
}


def _unexplained(names, family=CORE):
    """Those names that neither the core nor the family explains."""
    known = {name: {term.family for term in glossary().find(name)} for name in names if name}
    return sorted(name for name, families in known.items() if not families & {CORE, family})


# -- what is explained -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_what_is_scored_and_held_against_it_is_explained(name):
    family = registry().family(name)
    config = resolve(family.Config, flags={"train.device": "cpu"}, sets=["evaluate.rivals=full"]).config
    data = family.adapt(family.example(0), config)
    names = {part for metric in family.metrics(data, config) for part in (metric.name, metric.unit)}
    names |= {baseline.name for baseline in family.baselines(data, config)}
    names |= set(family.controls(config))
    ceiling = family.ceiling(data, config)
    if not isinstance(ceiling, NoCeiling):
        names.add(ceiling.name)
    assert len(names) > 5
    assert _unexplained(names, family.card.family) == []


def test_what_no_example_shows_is_explained():
    from neurocli.evaluation.class_metrics import Accuracy, LogLoss
    from neurocli_eirnn.evaluation.ceiling import NOISE_CEILING
    from neurocli_elm.evaluation.shd import targets
    from neurocli_gat_lstm.evaluation.baselines import ALONG_GRAPH

    digits = {part for metric in (Accuracy(), LogLoss()) for part in (metric.name, metric.unit)}
    baselines = {"most frequent class", "spikes of each unit", "spikes in time and unit"}
    assert _unexplained(digits | baselines | {targets.HEARD, targets.NEW}, "elm") == []
    assert _unexplained([NOISE_CEILING], "eirnn") == []
    assert _unexplained([ALONG_GRAPH], "gat_lstm") == []


@pytest.mark.parametrize("family", shipped().families)
def test_every_check_is_explained(family):
    folder = ROOT / ("neurocli" if family == CORE else f"plugins/neurocli_{family}") / "diagnosis"
    names = {name for path in folder.glob("*.py") for name in _checks(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(names) > 5
    assert _unexplained(names, family) == []


def _checks(tree):
    """Names of checks, as they stand in the code; of what is put together there, the part that is known."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in CHECKS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
            elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                yield first.values[0].value.rstrip("-")


def test_words_of_verdicts_and_runs_are_explained():
    words = ["PASS", "WARN", "FAIL", "LEAKY", "not told apart", "better", "worse", "no room", "model", "baseline"]
    words += ["control", "ceiling", "CPU-s", "parameters", "skill", "p", "interrupted", "imported", "quick", "full"]
    assert _unexplained(words) == []


# -- the files ---------------------------------------------------------------------------------------------------------


def test_files_are_whole():
    found = shipped()
    assert found.faults == []
    assert found.families == [CORE, "cnn_lstm", "eirnn", "elm", "gat_lstm", "sequences"]
    for term in found.terms:
        assert term.meaning.endswith("."), term.name
        for other in term.see:
            assert found.find(other), f"{term.name}: see {other}"


@pytest.mark.parametrize("family", shipped().families)
def test_a_name_means_one_thing_in_a_family(family):
    owners = {}
    for term in shipped().of_family(family):
        for name in {room._plain(name) for name in term.names}:
            assert owners.setdefault(name, term.name) == term.name, name


def test_the_page_is_made_from_the_files():
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    assert page == render(shipped()), f"docs/glossary.md is out of date; make it again: {REMAKE}"


@pytest.mark.parametrize(
    "text",
    [
        "[[term]\n",
        "term = 3\n",
        "other = 3\n",
        "term = [3]\n",
        '[[term]]\nname = "a"\n',
        '[[term]]\nname = "a"\nmeaning = " "\n',
        '[[term]]\nname = "a"\nmeaning = "b"\nalso = "c"\n',
        '[[term]]\nname = "a"\nmeaning = "b"\nsee = [3]\n',
        '[[term]]\nname = "a"\nmeaning = "b"\nsea = ["c"]\n',
    ],
)
def test_a_file_that_is_wrong_says_so(text):
    with pytest.raises(ValueError, match=r"."):
        terms_of(text, "mine")


# -- looking up --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    return Glossary(
        [
            Term("RMSE", "Error.", ("root mean squared error",)),
            Term("AR(N)", "Linear.", family="a"),
            Term("r", "One.", family="a"),
            Term("r", "Another.", family="b"),
            Term("noise ceiling", "Bound.", family="a"),
            Term("ceiling", "Bound."),
        ]
    )


@pytest.mark.parametrize(
    ("words", "meanings"),
    [
        (["rmse"], ["Error."]),
        (["RMSE (mV)"], ["Error."]),
        (["RMSE [z]"], ["Error."]),
        (["root-mean_squared", "error"], ["Error."]),
        (["AR(20)"], ["Linear."]),
        (["r"], ["One.", "Another."]),
        (["noise", "ceiling"], ["Bound."]),
        (["ceiling", "noise", "ceiling", "ceiling"], ["Bound.", "Bound."]),
    ],
)
def test_a_term_is_found_as_tables_write_it(small, words, meanings):
    assert [term.meaning for term in small.explain(words)] == meanings


# -- the command -------------------------------------------------------------------------------------------------------


def test_a_term_is_printed(capsys):
    assert run(["explain", "Noise", "ceiling", "skill"]) == 0
    printed = capsys.readouterr().out
    assert "noise ceiling  [eirnn]" in printed
    assert "skill  [core]" in printed


def test_all_terms_are_listed(capsys):
    assert run(["explain"]) == 0
    printed = capsys.readouterr().out
    assert all(term.name in printed for term in glossary().terms)


def test_an_unknown_term_gives_the_nearest(capsys):
    assert run(["explain", "RMSE", "noise", "ceilin"]) == 2
    assert "noise ceiling" in capsys.readouterr().err


def test_json(capsys):
    assert run(["explain", "S", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["ok"] and whole["command"] == "explain"
    assert [(term["name"], term["family"]) for term in whole["data"]["terms"]] == [("S", "gat_lstm")]
    assert set(whole["data"]["terms"][0]) == {"name", "family", "also", "meaning", "see"}
    assert run(["explain", "no-such-term", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "unknown-name"


def test_a_plugin_brings_terms_and_a_broken_file_is_a_warning(tmp_path, monkeypatch, capsys):
    plugins = []
    for name, text in (("mine", '[[term]]\nname = "spam"\nmeaning = "Ham."\n'), ("broken", "[[term"), ("none", None)):
        package = tmp_path / f"glossary_of_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        if text is not None:
            (package / FILE).write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        __import__(package.name)
        plugins.append(Plugin(name, package.name, name, "1"))
    plugins += [
        Plugin("failed", "glossary_of_nobody", "failed", "1", fault="ImportError"),
        Plugin("a-file", "ast", "a-file", "1"),
    ]
    monkeypatch.setattr(room, "registry", lambda: type("Registry", (), {"plugins": plugins}))
    assert run(["explain", "spam"]) == 0
    printed = capsys.readouterr()
    assert "spam  [mine]\nHam." in printed.out
    assert printed.err.startswith("warning: glossary_of_broken: glossary.toml is left out")


def test_nothing_heavy_is_loaded():
    code = "import sys; from neurocli.cli.main import run; run(['explain', 'R2']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "R2" in done.stdout
    assert HEAVY & set(done.stderr.split()) == set()
