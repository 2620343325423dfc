"""Names of the published text files, in any case: which run a file is of, what lies beside it, and what nearly has such a name."""

from __future__ import annotations

import re
from pathlib import Path

from neurocli.errors import DataError

SUMMARY = "simulation_summary.txt"
VOLTAGES_END, SPIKES_END = "voltages.dat", "spikes.dat"
_VOLTAGES = re.compile(r"^(?P<stem>.*?(?P<number>\d+)?)_?voltages\.dat$", re.IGNORECASE)
_NEAR = re.compile(
    r"volt(age)?s?[^/]*\.(dat|txt|csv|tsv|asc|text)(\.\w+)?$|(voltages?|spikes?)[^/]*\.(gz|bz2|xz|zst|zip)$", re.I
)
_NEAR_SPIKES = re.compile(r"spikes?(_times)?\.(dat|txt|csv|tsv|asc)(\.\w+)?$", re.IGNORECASE)


def is_voltages(path: Path) -> bool:
    """Whether the name is that of a voltage file."""
    return _VOLTAGES.match(path.name) is not None


def is_spikes_of_a_run(path: Path) -> bool:
    """Whether the name is that of a spike file that has its voltage file beside it."""
    return path.name.lower().endswith(SPIKES_END) and _beside(path, SPIKES_END, VOLTAGES_END) is not None


def spikes_of(path: Path) -> Path | None:
    """The spike file of a voltage file; None where there is none. Raises DataError where two could be."""
    return _beside(path, VOLTAGES_END, SPIKES_END)


def voltages_in(folder: Path) -> list[Path]:
    """The voltage files of a folder, by number."""
    return sorted((path for path in folder.iterdir() if is_voltages(path) and path.is_file()), key=order)


def number_of(path: Path) -> int | None:
    """The number of the run, None where the name has none."""
    match = _VOLTAGES.match(path.name)
    return int(match["number"]) if match and match["number"] else None


def order(path: Path) -> tuple[int, str]:
    """What runs are sorted by."""
    number = number_of(path)
    return (-1 if number is None else number, str(path))


def summary_of(folder: Path) -> Path | None:
    """The summary of a simulation in a folder, its name in any case."""
    exact = folder / SUMMARY
    return exact if exact.is_file() else _named(folder, SUMMARY)


def near_names(folder: Path) -> list[Path]:
    """Files of a folder that nearly have the name of a voltage or a spike file, and are not read for that."""
    names = sorted(path for path in folder.iterdir() if path.is_file())
    return [path for path in names if is_near(path) and not is_spikes_of_a_run(path)]


def is_near(path: Path) -> bool:
    """Whether a name is nearly one of a voltage or a spike file."""
    return not is_voltages(path) and (_NEAR.search(path.name) or _NEAR_SPIKES.search(path.name)) is not None


def _beside(path: Path, end: str, other_end: str) -> Path | None:
    stem = path.name[: -len(end)]
    exact = path.with_name(stem + other_end)
    return exact if exact.is_file() else _named(path.parent, stem + other_end)


def _named(folder: Path, name: str) -> Path | None:
    """The file of a folder with that name in another case. Raises DataError where there are two."""
    found = sorted(path for path in folder.iterdir() if path.name.lower() == name.lower() and path.is_file())
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(f"{names} differ in case only", where=str(folder), hint="keep one of them in the folder")
    return found[0] if found else None
