"""Writes one small, sound file of every format: `python originals.py FOLDER` makes FOLDER/FORMAT/file for each."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

WORM = ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "VB02"]
STEPS = 150
"""Frames of a worm."""
WRITTEN = datetime(2025, 9, 1, tzinfo=UTC)


def write_all(folder: Path) -> None:
    for name, write in WRITERS.items():
        (folder / name).mkdir(parents=True)
        write(folder / name)


def _voltages(folder: Path) -> None:
    from neurocli_cnn_lstm.data.readers.dat import write_run
    from neurocli_cnn_lstm.simulation.example import small_network

    recordings = small_network(0, runs=3, duration_ms=600.0, neurons=8)
    for number, group in enumerate(recordings):
        write_run(folder, number, recordings[group])


def _ours(folder: Path) -> None:
    from neurocli_cnn_lstm.simulation.example import small_network

    small_network(0, runs=4, duration_ms=600.0, neurons=8).save(folder / "small.h5")


def _session(kind: str) -> Any:
    def write(folder: Path) -> None:
        from neurocli_eirnn.data.session import Session
        from neurocli_eirnn.data.writers.matfile import write_mat, write_mat5
        from neurocli_eirnn.simulation.example import small_session

        session = Session.of(small_session(0, trials=12, excitatory=3, inhibitory=2))
        session = dataclasses.replace(session, brain_area=["SC"] * session.neurons, name="Monkey_01")
        path = folder / "session.mat"
        (write_mat if kind == "v73" else write_mat5)(session, path)
        if kind == "v5":  # not packed: a packed one has checksums, which find nearly every change
            values = scipy.io.loadmat(str(path))
            scipy.io.savemat(str(path), {k: v for k, v in values.items() if not k.startswith("__")})

    return write


def _numbered() -> None:
    """Objects of NWB are numbered as they are made, instead of at random: a mutant that is found can be made again."""
    import hdmf.container

    numbers = (uuid.UUID(int=number) for number in itertools.count(1))
    hdmf.container.uuid4 = lambda: next(numbers)


def _session_nwb(folder: Path) -> None:
    import pynwb

    _numbered()
    content = pynwb.NWBFile(
        "a session", "id-1", datetime(2025, 8, 13, tzinfo=UTC), session_id="Monkey_02", file_create_date=WRITTEN
    )
    random, trials = np.random.default_rng(3), 12
    content.add_unit_column("neuron_type", "kind of neuron")
    for kind in ("classic", "putative_interneuron", "E"):
        content.add_unit(neuron_type=kind, spike_times=np.sort(random.uniform(0, 10 * trials, 1500)))
    times = {"fixation_on_time": 1.0, "target_on_time": 1.75, "go_time": 2.3, "reward_time": 2.8}
    labels: dict[str, list[Any]] = {
        "location": [1, 4, 2, 3],
        "reward": ["high", "low"],
        "identity": ["face", "bullseye"],
        "salience": ["none", "low", "high"],
    }
    for name in (*times, *labels):
        content.add_trial_column(name, name)
    for row in range(trials):
        of_row = {name: value[row % len(value)] for name, value in labels.items()}
        of_row |= {name: 10.0 * row + at for name, at in times.items()}
        content.add_trial(start_time=10.0 * row, stop_time=10.0 * row + 3, **of_row)
    _save_nwb(content, folder / "session.nwb")


def _save_nwb(content: Any, path: Path) -> None:
    """Without the text of the standard, which is most of such a file and of no interest here."""
    import pynwb

    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(content, cache_spec=False)


def _traces(worm: int) -> np.ndarray:
    """[frame, neuron], slow as calcium is."""
    steps = np.random.default_rng(worm).normal(size=(STEPS, len(WORM)))
    return np.cumsum(steps, 0) * 0.1 - np.cumsum(steps, 0).mean(0) * 0.1


def _times() -> np.ndarray:
    return np.arange(STEPS) * 0.35


def _zimmer(kind: str) -> Any:
    def write(folder: Path) -> None:
        for worm in range(3):
            path = folder / f"Lab_w{worm}.mat"
            names = np.array([[name] for name in WORM], object).T
            struct = {"deltaFOverF_bc": _traces(worm), "NeuronNames": names, "tv": _times()[:, None]}
            if kind == "v5":
                scipy.io.savemat(str(path), {"wbData": struct})
                continue
            with h5py.File(path, "w", userblock_size=512) as file:
                group, refs = file.create_group("wbData"), file.create_group("#refs#")
                group.attrs["MATLAB_class"] = np.bytes_("struct")
                for field in ("deltaFOverF_bc", "tv"):
                    group[field] = struct[field].T
                    group[field].attrs["MATLAB_class"] = np.bytes_("double")
                cells = group.create_dataset("NeuronNames", (len(WORM), 1), dtype=h5py.ref_dtype)
                cells.attrs["MATLAB_class"] = np.bytes_("cell")
                for number, name in enumerate(WORM):
                    text = refs.create_dataset(f"r{number}", data=np.array([[ord(c)] for c in name], np.uint16))
                    text.attrs["MATLAB_class"] = np.bytes_("char")
                    cells[number, 0] = text.ref
            with path.open("r+b") as raw:
                raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")

    return write


def _worm_json(folder: Path) -> None:
    for worm in range(3):
        traces = _traces(worm)
        content = {
            "uid": f"2022-06-14-0{worm}",
            "dataset_type": ["baseline", "neuropal"],
            "max_t": STEPS,
            "num_neurons": len(WORM),
            "avg_timestep": 0.35 / 60,
            "timestamp_confocal": _times().round(3).tolist(),
            "trace_array": ((traces - traces.mean(0)) / traces.std(0)).T.round(4).tolist(),
            "labeled": {str(n + 1): {"label": name, "neuron_class": name[:3]} for n, name in enumerate(WORM)},
        }
        (folder / f"worm{worm}.json").write_text(json.dumps(content))


def _worm_h5(folder: Path) -> None:
    for worm in range(3):
        traces = _traces(worm)
        with h5py.File(folder / f"worm{worm}.h5", "w") as file:
            file["gcamp/trace_array"] = ((traces - traces.mean(0)) / traces.std(0)).T
            file["timing/timestamp_confocal"] = _times()
            file["neuron_names"] = np.array([name.encode() for name in WORM])


def _worm_nwb(folder: Path) -> None:
    import pynwb
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel

    _numbered()
    for worm in range(3):
        content = pynwb.NWBFile("a worm", f"id-{worm}", datetime(2023, 1, 2, tzinfo=UTC), file_create_date=WRITTEN)
        device = content.create_device("microscope")
        plane = content.create_imaging_plane(
            name="plane",
            optical_channel=OpticalChannel(name="channel", description="green", emission_lambda=500.0),
            description="head",
            device=device,
            excitation_lambda=488.0,
            imaging_rate=2.5,
            indicator="GCaMP6s",
            location="head",
        )
        network = content.create_processing_module("ophys", "traces")
        segmentation, holder = ImageSegmentation(), DfOverF(name="DfOverF")
        network.add(segmentation)
        network.add(holder)
        table = segmentation.create_plane_segmentation(name="Plane", description="neurons", imaging_plane=plane)
        table.add_column("neuron_name", "its name")
        for number, name in enumerate(WORM):
            table.add_roi(pixel_mask=[(number, 0, 1.0)], neuron_name=name)
        rois = table.create_roi_table_region(description="the neurons", region=list(range(len(WORM))))
        series = {"name": "Series", "data": _traces(worm), "rois": rois, "unit": "n.a.", "timestamps": _times()}
        holder.create_roi_response_series(**series)
        _save_nwb(content, folder / f"worm{worm}.nwb")


def _parquet(folder: Path) -> None:
    from neurocli_gat_lstm.data.writers.parquet import write_parquet
    from neurocli_gat_lstm.simulation.example import small_worms

    write_parquet(small_worms(0, worms=3, neurons=6, steps=150), folder / "worms.parquet")


def _neuronio(folder: Path) -> None:
    from neurocli_elm.simulation.example import small_cells
    from neurocli_elm.simulation.export import write_files

    (file,) = write_files(small_cells(0, simulations=3, duration_ms=800, segments=54), folder)
    file.rename(folder / "sim__0.p")


def _shd(folder: Path) -> None:
    rng, count = np.random.default_rng(0), 60
    with h5py.File(folder / "shd_train.h5", "w") as file:
        for name, stored in (("times", np.float16), ("units", np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (count,), dtype=h5py.vlen_dtype(stored))
            for k in range(count):
                values = np.sort(rng.uniform(0, 1.1, 30)) if name == "times" else rng.integers(0, 700, 30)
                data[k] = values.astype(stored)
        file["labels"] = (np.arange(count) % 20).astype(np.uint16)
        file["extra/speaker"] = (np.arange(count) // 20).astype(np.uint16)


def _shd_gz(folder: Path) -> None:
    _shd(folder)
    plain = folder / "shd_train.h5"
    (folder / "shd_train.h5.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def _edges(folder: Path) -> None:
    pairs = [(pre, post) for pre in WORM for post in WORM if pre != post]
    lines = [f"{pre},{post},{n % 7},{n % 3}" for n, (pre, post) in enumerate(pairs)]
    (folder / "edges.csv").write_text("pre,post,chemical,gap\n" + "\n".join(lines) + "\n")


def _graphml(folder: Path) -> None:
    nodes = "".join(f'<node id="{name}"/>\n' for name in WORM)
    edge = '<edge source="{}" target="{}"><data key="w">{}</data></edge>\n'
    edges = "".join(edge.format(a, b, n) for n, a in enumerate(WORM, 1) for b in WORM if a != b)
    (folder / "edges.graphml").write_text(
        '<?xml version="1.0"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
        '<key id="w" for="edge" attr.name="weight" attr.type="double"/>\n'
        f'<graph edgedefault="directed">\n{nodes}{edges}</graph></graphml>\n'
    )


def _checkpoint(folder: Path) -> None:
    import torch

    from neurocli_elm.model.neuron import ElmNeuron
    from neurocli_elm.model.options import ElmOptions

    options = ElmOptions(version=1, num_input=8, num_output=2, num_memory=3, mlp_num_layers=1, mlp_hidden_size=4)
    torch.save(dict(ElmNeuron(options, compiled=False).state_dict()), folder / "state.pt")
    record = {"num_input": 8, "num_output": 2, "num_memory": 3}
    (folder / "model_config.json").write_text(json.dumps(record))


WRITERS = {
    "ours": _ours,
    "voltages": _voltages,
    "spikes": _voltages,
    "session-v5": _session("v5"),
    "session-v73": _session("v73"),
    "session-nwb": _session_nwb,
    "worm-v5": _zimmer("v5"),
    "worm-v73": _zimmer("v73"),
    "worm-json": _worm_json,
    "worm-h5": _worm_h5,
    "worm-nwb": _worm_nwb,
    "worm-parquet": _parquet,
    "neuronio": _neuronio,
    "shd": _shd,
    "shd-gz": _shd_gz,
    "shd-gz-inside": _shd_gz,
    "connectome-csv": _edges,
    "connectome-graphml": _graphml,
    "checkpoint": _checkpoint,
    "checkpoint-inside": _checkpoint,
}

if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
