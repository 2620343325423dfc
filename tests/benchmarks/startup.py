"""What `neuro --help` costs beside an empty Python: `python tests/benchmarks/startup.py`."""

from __future__ import annotations

import subprocess
import sys

from clock import median_cpu


def cost(*arguments: str) -> float:
    """CPU-s of a Python with these arguments, median of 15."""
    command = [sys.executable, *arguments]
    return median_cpu(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), repeats=15)


def main() -> None:
    empty = cost("-c", "pass")
    print("| command | CPU-s | times an empty Python |\n|---|---|---|")
    for words in (["--version"], ["--help"], ["models"], ["plugins"]):
        spent = cost("-m", "neurocli", *words)
        print(f"| neuro {' '.join(words)} | {spent:.3f} | {spent / empty:.1f} |")


main()
