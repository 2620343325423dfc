"""What the package wormneuroatlas holds, if it is installed: soma positions and measured signal propagation.

The files are read as they are: the package itself asks the network when it is used, and its licence (GPL-3 or later)
keeps its data out of this one.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import child, open_hdf5, read_array
from neurocli_gat_lstm.graph.names import canonical

PACKAGE = "wormneuroatlas"
MISSING_POSITIONS = 'Soma positions come with the package wormneuroatlas: pip install "neurocli[worm]"'


@dataclass(frozen=True, eq=False)
class SignalPropagation:
    """Responses of neurons to the stimulation of one neuron at a time (Randi et al., Nature 623:406, 2023).

    names: canonical. dff: float64 [post, pre], mean relative change of fluorescence; q: float64 [post, pre], false
    discovery rate of "post responds to pre"; both NaN where a pair was not measured. trials: int64 [post, pre].
    """

    names: tuple[str, ...]
    dff: NDArray[np.float64]
    q: NDArray[np.float64]
    trials: NDArray[np.int64]
    strain: Literal["wt", "unc31"]


def positions() -> dict[str, tuple[float, float, float]] | None:
    """Soma position x, y, z of each neuron of the hermaphrodite, or None when the package is not installed.

    y runs along the body, from -3.1 to 4.1; the source states no unit. Raises DataError when the file is damaged.
    """
    path = _file("anatlas_neuron_positions.txt")
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].removeprefix("#").split() if lines else []
    try:
        table = np.loadtxt(lines[1:], dtype=np.float64, ndmin=2)
    except ValueError:
        table = np.empty((0, 0))
    if table.shape != (len(names), 3) or not np.isfinite(table).all():
        raise DataError("this is not the table of positions", where=str(path), hint=f"install {PACKAGE} again")
    return {canonical(name) or name: (x, y, z) for name, (x, y, z) in zip(names, table.tolist(), strict=True)}


def signal_propagation(strain: Literal["wt", "unc31"] = "wt") -> SignalPropagation | None:
    """The signal-propagation atlas of wild-type or unc-31 worms, or None when the package is not installed."""
    path = _file("funatlas.h5")
    if path is None:
        return None
    with open_hdf5(path) as file:
        import h5py

        group = child(file, strain, h5py.Group)
        names = [name.decode() for name in read_array(file, "neuron_ids", ndim=1, kinds="S").tolist()]
        dff, q = (read_array(group, key, ndim=2, kinds="f") for key in ("dFF", "q"))
        trials = read_array(group, "occ1", ndim=2, kinds="iu").astype(np.int64)
    shapes = {dff.shape, q.shape, trials.shape}
    if shapes != {(len(names), len(names))}:
        raise DataError("the matrices do not fit the names", where=str(path), hint=f"install {PACKAGE} again")
    return SignalPropagation(tuple(canonical(name) or name for name in names), dff, q, trials, strain)


def _file(name: str) -> Path | None:
    """A data file of the package, found without importing it."""
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(package.locate_file(f"{PACKAGE}/data/{name}")))
    return path if path.is_file() else None
