"""Makes every table of README.md and docs again: `python tests/benchmarks/tables/remake.py [RECIPE...]`.

A recipe runs `neuro` commands from data and seeds, keeps the values in `docs/tables/RECIPE.json`, and writes the marked blocks of
the pages from them. Each block names its command and commit. Stopped anywhere, the same command goes on where it was:
what is finished on the same code is not run again. `--write` runs nothing and writes the blocks from the values that are kept.
Recordings are read from the folder named by NEUROCLI_REAL_DATA; a recipe whose recordings are not there is left as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import blocks
from laboratory import ROOT, Laboratory
from recipes import RECIPES

KEPT = ROOT / "docs" / "tables"


def texts(name: str) -> dict[str, str]:
    """Block → Markdown of a recipe, from the values that are kept."""
    kept = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return {
        block: f"{text.strip()}\n\n{source(name, kept['made'])}" for block, text in RECIPES[name].show(kept).items()
    }


def kept_recipes() -> list[str]:
    """Recipes whose values are kept; one that has never been run has none."""
    return [name for name in RECIPES if (KEPT / f"{name}.json").exists()]


def source(name: str, made: dict[str, Any]) -> str:
    """The line under each block: how it was made."""
    seeds = made["seeds"]
    of = f", seed{'s' if len(seeds) > 1 else ''} {' '.join(map(str, seeds))}" if seeds else ""
    cost = f", {made['cpu_s']:,} CPU-s" if made["cpu_s"] else ""
    return f"<sub>`python tests/benchmarks/tables/remake.py {name}`, commit {made['commit']}{of}{cost}</sub>"


def run(name: str, work: Path) -> bool:
    """Run a recipe and keep its values; False where its recordings are not there."""
    recipe = RECIPES[name]
    data = os.environ.get("NEUROCLI_REAL_DATA")
    if recipe.REAL_DATA and data is None:
        print(f"{name}: NEUROCLI_REAL_DATA is not set, left as it is", file=sys.stderr)
        return False
    print(name, file=sys.stderr, flush=True)
    lab = Laboratory(work / name, recipe.FAMILY)
    values = recipe.run(lab, Path(data) if data else None)
    KEPT.mkdir(exist_ok=True)
    kept = {"made": lab.made(recipe.SEEDS), **values}
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="*", choices=[[], *RECIPES], help="default: all")
    parser.add_argument(
        "--write", action="store_true", help="run nothing, write the blocks from the values that are kept"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "tables", help="where commands run and are kept")
    given = parser.parse_args()
    for name in given.recipe or RECIPES:
        if not given.write and not run(name, given.work.resolve()):
            continue
        if (KEPT / f"{name}.json").exists():
            written = [block for page in blocks.pages(ROOT) for block in blocks.write_blocks(page, texts(name))]
            print(f"{name}: wrote {', '.join(written) or 'no block'}", file=sys.stderr)


if __name__ == "__main__":
    main()
