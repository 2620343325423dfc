"""One small sound file of each format that `neuro` reads, as laboratories have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

STEPS, NEURONS = 240, 6
TIMES = np.arange(STEPS) * 0.4
NAMES = ["AVAL", "AVAR", "RMEL", "RMER", "VB02", "SMDVL"]


def traces(seed: int = 0) -> np.ndarray:
    """[time, neuron]"""
    return np.random.default_rng(seed).normal(size=(STEPS, NEURONS)).cumsum(0) * 0.05 + 1.5


def own_h5(path: Path) -> Path:
    from neurocli.recordings import Recording, RecordingSet

    worms = [Recording(f"worm-{k}", traces(k), 400.0, "dF/F0", channels=NAMES) for k in range(2)]
    RecordingSet.of(worms, meta={"kind": "worm"}).save(path)
    return path


def wormwideweb_h5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["gcamp/trace_array_original"] = traces(1).T
        file["timing/timestamp_confocal"] = TIMES
    return path


def wormwideweb_json(path: Path) -> Path:
    values = traces(2)
    content = {
        "uid": "2022-06-14-01",
        "dataset_type": ["baseline"],
        "max_t": STEPS,
        "num_neurons": NEURONS,
        "timestamp_confocal": TIMES.tolist(),
        "trace_array": ((values - values.mean(0)) / values.std(0)).T.tolist(),
        "labeled": {"1": {"label": "AVAL", "neuron_class": "AVA"}},
    }
    path.write_text(json.dumps(content))
    return path


def worm_nwb(path: Path) -> Path:
    import pynwb

    content = pynwb.NWBFile("a worm", "id-7", datetime(2023, 1, 2, tzinfo=UTC))
    for neuron, name in enumerate(NAMES):
        content.add_acquisition(
            pynwb.TimeSeries(
                name=f"Activity_{neuron:04d}",
                data=traces(3)[:, neuron],
                unit="none",
                timestamps=TIMES,
                description=name,
            )
        )
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(content)
    return path


def shd_h5(path: Path) -> Path:
    rng = np.random.default_rng(4)
    with h5py.File(path, "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (40,), dtype=h5py.vlen_dtype(kind))
            for k in range(40):
                data[k] = (np.sort(rng.uniform(0, 1, 50)) if name == "times" else rng.integers(0, 700, 50)).astype(kind)
        file["labels"] = (np.arange(40) % 20).astype(np.uint16)
        file["extra/speaker"] = (np.arange(40) % 4).astype(np.uint16)
    return path


def session_mat(path: Path, *, old: bool = False) -> Path:
    from neurocli_eirnn.data.session import Session
    from neurocli_eirnn.data.writers.matfile import write_mat, write_mat5
    from neurocli_eirnn.simulation.example import small_session

    session = Session.of(small_session(0))
    session.name, session.brain_area = "small", ["SC"] * session.neurons
    return write_mat5(session, path) if old else write_mat(session, path)


def session_mat5(path: Path) -> Path:
    return session_mat(path, old=True)


def zimmer_mat(path: Path) -> Path:
    import scipy.io

    names = np.array(NAMES, object)
    worm: dict[str, Any] = {"deltaFOverF_bc": traces(5), "tv": TIMES[:, None], "NeuronNames": names[None], "fps": 2.5}
    scipy.io.savemat(path, {"WT_NoStim": worm})
    return path


def voltages_txt(path: Path) -> Path:
    rng = np.random.default_rng(6)
    time_ms = np.arange(2000) * 0.1
    volts = -60 + rng.normal(0, 1, (2000, 4)).cumsum(0) * 0.05
    np.savetxt(path, np.column_stack([time_ms, volts]), fmt="%.4f")
    return path


def worms_parquet(path: Path) -> Path:
    from neurocli_gat_lstm.data.writers.parquet import write_parquet
    from neurocli_gat_lstm.simulation.example import small_worms

    write_parquet(small_worms(0), path)
    return path


HDF5: dict[str, Callable[[Path], Path]] = {
    "own.h5": own_h5,
    "wormwideweb.h5": wormwideweb_h5,
    "worm.nwb": worm_nwb,
    "shd_train.h5": shd_h5,
    "session.mat": session_mat,
}
"""File name → who writes such a file: the formats that are HDF5."""

OTHERS: dict[str, Callable[[Path], Path]] = {
    "session5.mat": session_mat5,
    "zimmer.mat": zimmer_mat,
    "worm.json": wormwideweb_json,
    "run_0_voltages.dat": voltages_txt,
}
"""The others."""

EVERY = HDF5 | OTHERS
