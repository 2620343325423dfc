"""Layers of configuration: which wins, where a value came from, and what a mistake says."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from neurocli.config import FamilyConfig, Section, resolve
from neurocli.config.resolve import read_toml
from neurocli.errors import ConfigError


class Model(Section):
    width: int = Field(8, ge=1, le=64)
    kind: str = "plain"
    dropout: float | None = None


class Config(FamilyConfig):
    model: Model = Model()


def test_later_layers_win_and_origins_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[model]\nwidth = 3\n[train]\nepochs = 4\n")
    found = resolve(
        Config,
        preset=("quick", {"model": {"width": 2, "kind": "x"}}),
        file=file,
        sets=["train.epochs=5"],
        flags={"train.seed": 7},
    )
    assert (found.config.model.width, found.config.model.kind, found.config.train.epochs, found.config.train.seed) == (
        3,
        "x",
        5,
        7,
    )
    assert found.origins == {
        "model.width": str(file),
        "model.kind": "preset quick",
        "train.epochs": "--set",
        "train.seed": "flag",
    }
    assert ("train.batch_size", 32, "default") in found.rows()


@pytest.mark.parametrize(
    ("item", "message", "hint"),
    [
        ("model.widht=3", "no option 'model.widht'", "model.width"),
        ("epochs=3", "no option 'epochs'", "train.epochs"),
        ("model.width=99", "model.width = 99 is not possible", None),
        ("model.width=many", "model.width = 'many' is not possible", None),
        ("model.width", "--set takes key=value", None),
        ("=3", "--set takes key=value", None),
        ("model=3", "no option 'model'", None),
        ("train.learning_rate=nan", "not possible", None),
    ],
)
def test_a_mistake_names_the_key_its_origin_and_the_nearest(item: str, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Config, sets=[item])
    assert message in caught.value.message
    assert caught.value.where == "--set"
    assert caught.value.exit_code == 2
    if hint:
        assert hint in (caught.value.hint or "")


def test_a_section_given_in_part_keeps_the_family_defaults() -> None:
    class Own(FamilyConfig):
        model: Model = Model(width=5, kind="own")

    config = resolve(Own, sets=["model.width=6"]).config
    assert (config.model.width, config.model.kind) == (6, "own")


def test_none_and_text_and_numbers_are_read() -> None:
    config = resolve(Config, sets=["model.dropout=0.5", "model.kind=soft plus"]).config
    assert (config.model.dropout, config.model.kind) == (0.5, "soft plus")
    assert resolve(Config, sets=["model.dropout=none"]).config.model.dropout is None
    assert resolve(Config, sets=["model.dropout=0.5"], flags={"model.dropout": None}).config.model.dropout is None


def test_none_is_a_value_where_it_is_a_choice() -> None:
    class Graph(Section):
        edges: Literal["all", "none"] = "all"

    class Own(FamilyConfig):
        model: Graph = Graph()

    assert resolve(Own, sets=["model.edges=none"]).config.model.edges == "none"
    assert resolve(Own, flags={"model.edges": None}).config.model.edges == "none"
    assert resolve(Own).config.model.edges == "all"


@pytest.mark.parametrize("text", ["[model\nwidth=3", "\xff", "model.width = 1\nmodel.width = 2"])
def test_a_file_that_is_not_toml_is_one_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(text.encode("latin1"))
    with pytest.raises(ConfigError) as caught:
        resolve(Config, file=file)
    assert caught.value.where == str(file)
    with pytest.raises(ConfigError, match="does not exist"):
        resolve(Config, file=tmp_path / "none.toml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_configuration_file_of_any_editor_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(newline.join(["# \u00b5V", "[train]", "epochs = 7", ""]).encode(encoding))
    assert read_toml(file) == {"train": {"epochs": 7}}
