"""Who may know whom: the rooms of the house, read from the imports."""

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A room may import from rooms of a lower rank, and from itself.
RANK = {
    "errors": 0,
    "threads": 0,
    "interruption": 0,
    "plugin": 1,
    "config": 2,
    "runs": 2,
    "recordings": 3,
    "simulation": 4,
    "training": 4,
    "evaluation": 4,
    "diagnosis": 4,
    "interpretation": 4,
    "report": 5,
    "testing": 5,
    "workflow": 6,
    "cli": 7,
    "__main__": 8,
}
# Within one rank: a diagnosis may ask for scores, and what is interpreted has intervals and nulls as scores have.
ALSO = {
    ("diagnosis", "evaluation"),
    ("interpretation", "evaluation"),
    ("config", "runs"),
    ("runs", "config"),
    ("interruption", "errors"),
}
FAMILIES = sorted(p.name for p in (ROOT / "plugins").iterdir() if p.is_dir() and p.name.startswith("neurocli_"))


def imported(path: Path, *, type_checking: bool = True) -> set[str]:
    """Dotted names that a file imports; those under TYPE_CHECKING only when asked for."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not type_checking:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "neurocli").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_only_know_lower_rooms(path: Path) -> None:
    parts = path.relative_to(ROOT / "neurocli").with_suffix("").parts
    if parts[0] == "__init__":
        return
    room = parts[0]
    for name in imported(path, type_checking=False):
        assert not name.startswith(tuple(FAMILIES)), f"the core imports a family: {name}"
        if name.startswith("neurocli."):
            other = name.split(".")[1]
            if other in RANK and other != room:
                allowed = RANK[other] < RANK[room] or (room, other) in ALSO
                assert allowed, f"{room} may not import {name}"


@pytest.mark.parametrize("family", FAMILIES)
def test_families_do_not_know_the_command_line_or_each_other(family: str) -> None:
    for path in (ROOT / "plugins" / family).rglob("*.py"):
        for name in imported(path):
            assert not name.startswith(("neurocli.cli", "neurocli.workflow")), f"{path.name} imports {name}"
            assert not any(name.startswith(other) for other in FAMILIES if other != family), (
                f"{path.name} imports {name}"
            )


# Inside a family a room may import from these, from itself, and from nothing else; family.py and tasks know all rooms.
BELOW = {"config": set(), "graph": {"config"}, "options": {"config", "data"}, "data": {"config", "graph", "options"}}
BELOW["model"] = BELOW["simulation"] = BELOW["data"] | {"data"}
BELOW["evaluation"] = BELOW["model"] | {"model", "simulation"}
BELOW["diagnosis"] = BELOW["interpretation"] = BELOW["evaluation"] | {"evaluation"}


def room_of(parts: tuple[str, ...]) -> str | None:
    """The room of a file of a family, by its path below the family; None for files that know all rooms."""
    if parts[:2] == ("simulation", "parameters"):  # what a simulator was given is written in its recordings
        return "options"
    if parts[0].startswith("config"):
        return "config"
    return parts[0] if len(parts) > 1 else None


@pytest.mark.parametrize("family", FAMILIES)
def test_rooms_of_a_family_only_know_lower_rooms(family: str) -> None:
    top = ROOT / "plugins" / family
    for path in sorted(top.rglob("*.py")):
        room = room_of(path.relative_to(top).with_suffix("").parts)
        if room is None or room == "tables":  # files, and the script that made them
            continue
        assert room in BELOW, f"{path.relative_to(ROOT)} lies in no room"
        for name in imported(path, type_checking=False):
            parts = tuple(name.split(".")[1:])
            if name.split(".")[0] != family or not parts or parts[0] == "tables":
                continue
            other = room_of((*parts, "") if (top / parts[0]).is_dir() else parts)
            if other != room:
                assert other in BELOW[room], f"{path.relative_to(ROOT)}: {room} may not import {name}"


def files_of(path: Path, names: Collection[str]) -> set[str]:
    """The files that a file imports from: of `from package import file` the file, not the package."""
    found = imported(path, type_checking=False) & set(names)
    packages = {name for name in found if any(other.startswith(f"{name}.") for other in found)}
    direct = {
        node.module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(f"{node.module}.{alias.name}" not in names for alias in node.names)
    }
    return found - (packages - direct)


def test_no_imports_run_in_a_circle() -> None:
    """Not even inside of functions."""
    paths = [*(ROOT / "neurocli").rglob("*.py")]
    paths += [path for family in FAMILIES for path in (ROOT / "plugins" / family).rglob("*.py")]
    base = {path: ROOT if path.is_relative_to(ROOT / "neurocli") else ROOT / "plugins" for path in paths}
    names = {".".join(path.relative_to(base[path]).with_suffix("").parts): path for path in paths}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    # The package itself gives its public functions on demand: it stands above all rooms.
    graph = {name: files_of(path, names) - {name, "neurocli"} for name, path in names.items() if name != "neurocli"}
    done: set[str] = set()

    def follow(name: str, chain: tuple[str, ...]) -> None:
        assert name not in chain, " → ".join((*chain[chain.index(name) :], name))
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            follow(other, (*chain, name))
        done.add(name)

    for name in sorted(graph):
        follow(name, ())


def test_lightning_is_imported_by_training_alone() -> None:
    for path in [*(ROOT / "neurocli").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        if any(name.split(".")[0] in ("lightning", "pytorch_lightning") for name in imported(path)):
            assert path.is_relative_to(ROOT / "neurocli" / "training"), path


def test_files_have_one_idea() -> None:
    for folder in ("neurocli", "plugins", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    for top in (ROOT / "neurocli", *(ROOT / "plugins" / family for family in FAMILIES)):
        for folder in {path.parent for path in top.rglob("*.py")}:
            if folder == ROOT / "neurocli" / "cli":  # a file a command
                continue
            files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(files) <= 20, f"{folder.relative_to(ROOT)} has {len(files)} files"


def test_nothing_is_named_by_a_word_that_has_a_better_one() -> None:
    """The words of the house: dataset, network, target, prediction, burn-in, summary, resume."""
    words = {
        "account",
        "accounts",
        "answer",
        "answers",
        "asked",
        "datamodule",
        "ignored",
        "module",
        "question",
        "questions",
        "survey",
    }
    for top in (ROOT / "neurocli", *(ROOT / "plugins" / family for family in FAMILIES)):
        for path in top.rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
            found = words & {name.lower().strip("_") for name in (*names, path.stem)}
            assert not found, f"{path.relative_to(ROOT)}: {', '.join(sorted(found))}"
