"""Text files of voltages and spikes that are no tables: code 3, with the file and the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

TIMES = np.arange(1100.0)
VOLTS = np.random.default_rng(0).normal(-60, 5, (1100, 5))
LINES = [" ".join([f"{t:.3f}", *(f"{v:.3f}" for v in row)]) for t, row in zip(TIMES, VOLTS, strict=True)]


def changed(line: str, at: int = 700) -> bytes:
    return "\n".join([*LINES[:at], line, *LINES[at + 1 :]]).encode()


def last(word: str) -> bytes:
    return changed(" ".join([*LINES[700].split()[:-1], word]))


# content of run_1_voltages.dat, what the error must say, the line that it must name
VOLTAGES = {
    "ragged": (changed(LINES[700] + " 1.0"), "7 columns, those before it 6", 701),
    "letters": (last("abc"), "column 6 is not a number: 'abc'", 701),
    "nan": (last("nan"), "column 6 is nan", 701),
    "inf": (last("-inf"), "column 6 is -inf", 701),
    "too large": (last("1e300"), "column 6 is 1e300", 701),
    "uneven times": (changed("5 " + LINES[700].partition(" ")[2]), "not evenly spaced", 701),
    "bars": ("\n".join(LINES).replace(" ", "|").encode(), "not a number", 1),
    "volts": (
        (
            "\n".join(" ".join([f"{t:.3f}", *(f"{v / 1e3:.6f}" for v in r)]) for t, r in zip(TIMES, VOLTS, strict=True))
        ).encode(),
        "is it in V?",
        None,
    ),
    "seconds": (
        ("\n".join(f"{t / 1e3:.4f}" + line[line.index(" ") :] for t, line in zip(TIMES, LINES, strict=True))).encode(),
        "is it in s?",
        None,
    ),
    "empty cells": (changed(LINES[700].replace(" ", ",").replace(",", ",,", 1).replace(",", ";")), "", None),
    "transposed": (
        "\n".join(" ".join(c) for c in zip(*(line.split() for line in LINES), strict=True)).encode(),
        "time runs along the first row",
        1,
    ),
    "row numbers": (
        "\n".join(f"{k} {line}" for k, line in enumerate(LINES)).encode(),
        "is column 1 the number of the row?",
        1,
    ),
    "time last": (
        "\n".join(" ".join([*line.split()[1:], line.split()[0]]) for line in LINES).encode(),
        "column 6 is: times must be the first",
        None,
    ),
    "no times": ("\n".join(line.partition(" ")[2] for line in LINES).encode(), "is the column of times missing?", None),
    "missing values": (last("-9999"), "no membrane reaches", 701),
    "padded with zeros": (
        "\n".join([*LINES[:1000], *(f"{t:.3f} 0 0 0 0 0" for t in TIMES[1000:])]).encode(),
        "padded with zeros",
        1100,
    ),
    "latin-1": (changed("\xe9 1", 3), "not a number", 4),
    "cut off": ("\n".join(LINES)[: len("\n".join(LINES[:300])) + 13].encode(), "columns, those before it 6", 301),
    "zero bytes": (changed("\0" * 20, 900), "not a number", 901),
    "garbage": (np.random.default_rng(0).integers(1, 256, 5000, dtype=np.uint8).tobytes(), "", None),
    "one row": (LINES[0].encode(), "at least two rows", 1),
    "one column": (b"1\n2\n3\n", "column of times", 1),
    "blank": (b"\n \n\n", "no numbers", None),
    "empty": (b"", "empty", None),
}
SPIKES = {
    "letters": (b"1.0 2\nx 3\n", "not a number", 2),
    "three columns": (b"1.0 2 3\n", "two columns", 1),
    "before the start": (b"1.0 2\n-2.0 1\n", "0 ms or more", 2),
    "half a neuron": (b"1.0 2\n2.0 1.5\n", "whole neuron", 2),
    "beyond 32 bits": (b"1.0 2\n2.0 9999999999\n", "whole neuron", 2),
    "at the end of time": (b"1.0 2\n1e30 1\n", "0 ms or more", 2),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    for run in range(4):
        table = np.column_stack([TIMES, VOLTS + 0.1 * run])
        np.savetxt(folder / f"run_{run}_voltages.dat", table, fmt="%.3f")
    return folder


@pytest.fixture
def folder(recorded: Path, place: Path) -> Path:
    """Four sound runs as text, this test's own."""
    own = place / "text"
    own.mkdir()
    for path in recorded.iterdir():
        (own / path.name).hardlink_to(path)
    return own


def put(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # it may be a hard link to what other tests read
    path.write_bytes(content)


def test_the_sound_files_are_fine(folder, neuro):
    assert neuro("diagnose", "cnn-lstm", "--data", folder, "--set", "data.burn_in_ms=0").code == 0


@pytest.mark.parametrize("case", VOLTAGES)
def test_bad_voltages(case, folder, place, refused):
    content, message, line = VOLTAGES[case]
    put(folder / "run_1_voltages.dat", content)
    for command in (["diagnose", "cnn-lstm"], ["preprocess", "cnn-lstm", "--out", "out.h5"]):
        done = refused(3, *command, "--data", folder)
        assert message in done.error["message"]
        assert "run_1_voltages.dat" + (f":{line}" if line else "") in done.error["where"]
    assert not (place / "out.h5").exists()


@pytest.mark.parametrize("case", SPIKES)
def test_bad_spikes(case, folder, refused):
    content, message, line = SPIKES[case]
    put(folder / "run_1_spikes.dat", content)
    done = refused(3, "train", "cnn-lstm", "--data", folder)
    assert message in done.error["message"] and f"run_1_spikes.dat:{line}" in done.error["where"]


def test_a_neuron_that_nobody_records_takes_no_memory(folder, neuro):
    import tracemalloc

    put(folder / "run_1_spikes.dat", b"1.0 2\n2.0 1000000000\n")
    tracemalloc.start()
    done = neuro("diagnose", "cnn-lstm", "--data", folder, "--json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.code == 0 and peak < 100e6
