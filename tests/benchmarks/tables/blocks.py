"""Marked blocks of README.md and docs: everything between two markers is written by a recipe and never by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.-]+) -->\n)(?P<body>.*?)(<!-- end of table -->)", re.S)


def pages(root: Path) -> list[Path]:
    """Where blocks may stand."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def blocks_of(page: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of each block of a page."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield found["name"], found["body"]


def write_blocks(page: Path, texts: dict[str, str]) -> list[str]:
    """Replace the blocks of a page that `texts` (name → Markdown) has; gives the names that were written."""
    written = []

    def replaced(found: re.Match[str]) -> str:
        if found["name"] not in texts:
            return found[0]
        written.append(found["name"])
        return found[1] + texts[found["name"]].strip() + "\n" + found[4]

    text = page.read_text(encoding="utf-8")
    changed = _BLOCK.sub(replaced, text)
    if changed != text:
        page.write_text(changed, encoding="utf-8")
    return written
