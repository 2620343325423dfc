"""Who may know whom: the rooms of the house, read from the imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A room may import from rooms of a lower rank, and from itself.
RANK = {
    "errors": 0,
    "threads": 0,
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
# Within one rank: a diagnosis may ask for scores, and everyone may ask for a trained model.
ALSO = {("diagnosis", "evaluation"), ("config", "runs"), ("runs", "config")}
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


def test_lightning_is_imported_by_training_alone() -> None:
    for path in [*(ROOT / "neurocli").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        if any(name.split(".")[0] in ("lightning", "pytorch_lightning") for name in imported(path)):
            assert path.is_relative_to(ROOT / "neurocli" / "training"), path


def test_files_have_one_idea() -> None:
    for folder in ("neurocli", "plugins", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"
