"""A broken plugin is listed as broken, with its distribution, entry point and reason; everything else works."""

import json
import os
import subprocess
import sys

import pytest

_HEAD = "from neurocli.plugin import ModelCard, hookimpl\n"
_CARD = 'ModelCard(name="{name}", summary="s", implementation="strange:Family", family="strange")'


def _models(returned: str, before: str = "") -> str:
    return f"{_HEAD}{before}\n@hookimpl\ndef neurocli_register_models():\n    return {returned}\n"


BROKEN = {
    "import-error": ("import no_such_package_anywhere\n", "no_such_package_anywhere"),
    "syntax-error": ("def broken(:\n", "SyntaxError"),
    "sys-exit": ("import sys\nsys.exit(3)\n", "sys.exit(3)"),
    "raises": ("raise RuntimeError('out of order')\n", "out of order"),
    "unknown-hook": (f"{_HEAD}\n@hookimpl\ndef neurocli_register_modls():\n    return []\n", "neurocli_register_modls"),
    "wrong-signature": (f"{_HEAD}\n@hookimpl\ndef neurocli_register_models(what):\n    return []\n", "what"),
    "wrong-return-type": (_models('"mine"'), "returns str"),
    "wrong-items": (_models('["mine"]'), "with str"),
    "name-taken": (_models(f"[{_CARD.format(name='cnn-lstm-v2')}]"), "taken"),
    "alias-taken": (_models(f"[{_CARD.format(name='cnn-lstm')}]"), "alias"),
    "prints": (_models("[]", before="print('hello')"), "prints on stdout"),
    "writes-raw": (_models("[]", before="import os; os.write(1, b'hello')"), "prints on stdout"),
}


def _neuro(tmp_path, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "NEUROCLI_CACHE": str(tmp_path / "cache"),
    }
    return subprocess.run(
        [sys.executable, "-m", "neurocli", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
    )


def _install(tmp_path, code: str) -> None:
    (tmp_path / "strange.py").write_text(code)
    info = tmp_path / "strange_plugin-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-plugin\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[neurocli]\nodd = strange\n")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_listed_and_breaks_nothing(kind, tmp_path):
    code, reason = BROKEN[kind]
    _install(tmp_path, code)
    listed = _neuro(tmp_path, "plugins", "--json")
    assert listed.returncode == 0, listed.stderr
    plugins = {p["entry_point"]: p for p in json.loads(listed.stdout)["data"]["plugins"]}
    odd = plugins["odd"]
    assert (odd["distribution"], odd["version"], odd["status"]) == ("strange-plugin", "1.2", "broken")
    assert reason in odd["reason"]
    assert plugins["cnn_lstm"]["status"] == "ok"

    models = _neuro(tmp_path, "models", "--json")
    assert models.returncode == 0
    assert "cnn-lstm-v2" in {m["name"] for m in json.loads(models.stdout)["data"]["models"]}

    table = _neuro(tmp_path, "plugins")
    assert "strange-plugin" in table.stdout and "broken" in table.stdout and "Traceback" not in table.stderr


def test_a_good_plugin_brings_its_model_and_command(tmp_path):
    command = """
from neurocli.plugin import CommandCard
@hookimpl
def neurocli_register_commands():
    return [CommandCard(name="greet", summary="Say hello", implementation="strange:greet")]
def greet(name: str) -> None:
    print(f"hello {name}")
"""
    _install(tmp_path, _models(f"[{_CARD.format(name='mine-v1')}]") + command)
    models = json.loads(_neuro(tmp_path, "models", "--json").stdout)["data"]["models"]
    assert {"mine-v1": "mine"}.items() <= {m["name"]: m["alias"] for m in models}.items()
    assert "greet" in _neuro(tmp_path, "--help").stdout
    assert _neuro(tmp_path, "greet", "you").stdout == "hello you\n"


def test_a_model_whose_code_is_missing_says_which(tmp_path):
    _install(tmp_path, _models(f"[{_CARD.format(name='mine-v1')}]"))
    done = _neuro(tmp_path, "models", "show", "mine", "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == error["exit"] == 1
    assert error["where"] == "strange:Family"


def test_check_of_a_broken_plugin_gives_its_reason(tmp_path):
    _install(tmp_path, "raise RuntimeError('out of order')\n")
    done = _neuro(tmp_path, "plugins", "check", "odd")
    assert done.returncode == 4
    assert "out of order" in done.stderr


def test_a_bug_leaves_its_traceback_in_a_file(tmp_path):
    _install(tmp_path, _models("[]") + "from neurocli.plugin import CommandCard\n@hookimpl\ndef neurocli_register_commands():\n"
             "    return [CommandCard(name='burst', summary='s', implementation='strange:burst')]\ndef burst():\n    raise ValueError('boom')\n")  # fmt: skip
    done = _neuro(tmp_path, "burst")
    assert done.returncode == 70
    assert "Traceback" not in done.stderr and "boom" in done.stderr
    [log] = (tmp_path / "cache" / "log").iterdir()
    assert str(log) in done.stderr and "ValueError: boom" in log.read_text()


def test_the_code_of_every_card_is_there() -> None:
    """A card names its code as text, which no import checks."""
    from neurocli.plugin.cards import CommandCard, ModelCard, ReaderCard, SimulatorCard
    from neurocli.plugin.registry import load_implementation, registry

    cards = [card for kind in (CommandCard, ModelCard, ReaderCard, SimulatorCard) for card in registry().cards(kind)]
    assert len(cards) > 20 and all(load_implementation(card) for card in cards)
