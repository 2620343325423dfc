"""The memory of a command is that of a recording, and not of how many there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from neurocli.recordings import Recording, RecordingSet

FEW, MANY = 10, 60
MOST_MB = 800
MOST_GROWTH_MB = 60  # of fifty recordings of 1 MB: buffers that fill up, and do not grow any more
NEURONS, SAMPLES = 100, 2500
# What the process that asks takes itself counts in its children, so a small one asks.
PEAK = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "neurocli", *sys.argv[1:]], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10)
sys.exit(done.returncode)
"""
SHORT = ("--set", "train.epochs=1", "--set", "train.steps_per_epoch=3")
COMMANDS = {
    "preprocess": ("preprocess", "cnn-lstm", "--data", "{data}", "--out", "{data}.prepared"),
    "train": ("train", "cnn-lstm", "--data", "{data}", "--runs-dir", "{data}.runs", *SHORT),
    "evaluate": ("evaluate", "latest", "--runs-dir", "{data}.runs", "--set", "evaluate.horizons_ms=[1.0]"),
}


def voltages(number: int) -> Recording:
    """A membrane in noise, whose recordings have nothing in common."""
    noise = np.random.default_rng(number).normal(0, 1, (SAMPLES, NEURONS))
    signal = (-60 + lfilter([1], [1, -0.95], noise, axis=0)).astype(np.float32)
    return Recording(f"run-{number:03d}", signal, dt_ms=1.0, unit="mV")


def peak_mb(command: str, data: Path) -> float:
    words = [word.format(data=data) for word in COMMANDS[command]]
    done = subprocess.run([sys.executable, "-c", PEAK, *words], capture_output=True, text=True, cwd=data.parent)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_memory_does_not_grow_with_the_number_of_recordings(tmp_path: Path) -> None:
    peaks = {}
    for count in (FEW, MANY):
        data = tmp_path / f"{count}.h5"
        RecordingSet({f"run-{n:03d}": (lambda n=n: voltages(n)) for n in range(count)}).save(data)
        peaks[count] = {command: peak_mb(command, data) for command in COMMANDS}
    print(peaks)
    for command, few in peaks[FEW].items():
        many = peaks[MANY][command]
        assert many < MOST_MB, f"{command}: {many:.0f} MB"
        assert many - few < MOST_GROWTH_MB, f"{command}: {few:.0f} MB for {FEW} recordings, {many:.0f} MB for {MANY}"
