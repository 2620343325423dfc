"""Small files in exactly the format of the published Spiking Heidelberg Digits."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Utterance = tuple[np.ndarray, np.ndarray, int, int]
"""Times in s, units, label, speaker."""


def utterance(rng: np.random.Generator, label: int, speaker: int, spikes: int = 60) -> Utterance:
    """A digit that its units tell, by speakers of their own rate: two thirds of the spikes lie in a band of 35 units."""
    spikes += 5 * speaker
    times = np.sort(rng.uniform(0, 1.1, spikes))
    voiced = rng.random(spikes) < 2 / 3
    units = np.where(voiced, label * 35 + rng.integers(0, 35, spikes), rng.integers(0, 700, spikes))
    return times, units, label, speaker


def utterances(seed: int, each: int, speakers: list[int]) -> list[Utterance]:
    """`each` times every digit, speakers in turn."""
    rng = np.random.default_rng(seed)
    spoken = [utterance(rng, label, speakers[k % len(speakers)]) for k in range(each) for label in range(20)]
    return [spoken[k] for k in rng.permutation(len(spoken))]


def write(path: Path, given: list[Utterance], *, speakers: bool = True, **changes: Any) -> Path:
    """Write `/spikes/{times,units}`, `/labels` and `/extra`; `changes`: entry → what to write, None: left out."""
    n = len(given)
    with h5py.File(path, "w") as file:
        for name, place, stored in (("times", 0, np.float16), ("units", 1, np.uint16)):
            if name in changes and changes[name] is None:
                continue
            data = file.create_dataset(f"spikes/{name}", (n,), dtype=h5py.vlen_dtype(stored))
            values = changes.get(name, [utterance[place] for utterance in given])
            for k, value in enumerate(values):
                data[k] = np.asarray(value).astype(stored)
        file["labels"] = changes.get("labels", np.array([utterance[2] for utterance in given], np.uint16))
        if speakers:
            file["extra/speaker"] = changes.get("speaker", np.array([utterance[3] for utterance in given], np.uint16))
            file["extra/keys"] = np.array([b"zero", b"one"])
    return path


def packed(path: Path) -> Path:
    """The same file as `.h5.gz`."""
    target = path.with_name(path.name + ".gz")
    with path.open("rb") as source, gzip.open(target, "wb") as out:
        shutil.copyfileobj(source, out)
    return target
