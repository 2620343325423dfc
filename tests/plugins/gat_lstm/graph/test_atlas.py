"""Soma positions and signal propagation, when the package that holds them is installed and when it is not."""

from __future__ import annotations

import importlib.metadata
import sys

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.graph import atlas
from neurocli_gat_lstm.graph.atlas import positions, signal_propagation
from neurocli_gat_lstm.graph.names import hermaphrodite


def installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


atlas_installed = pytest.mark.skipif(not installed("wormneuroatlas"), reason="wormneuroatlas is not installed")


@atlas_installed
def test_positions_of_all_neurons_read_without_importing_the_package():
    before = "wormneuroatlas" in sys.modules
    somata = positions()
    assert ("wormneuroatlas" in sys.modules) == before
    assert set(somata) == set(hermaphrodite())
    table = np.array([somata[name] for name in hermaphrodite()])
    assert table.shape == (302, 3)
    # The body lies along y: pharynx at one end, the neurons of the tail at the other.
    assert np.ptp(table, axis=0).argmax() == 1
    assert (table[:, 1].min(), table[:, 1].max()) == pytest.approx((-3.1, 4.1), abs=0.1)
    left, right = somata["AVAL"], somata["AVAR"]
    assert left[1] == pytest.approx(right[1], abs=0.1)
    assert left[1] < somata["PVCL"][1]


@atlas_installed
def test_signal_propagation_is_post_by_pre_with_canonical_names():
    table = signal_propagation()
    assert set(hermaphrodite()) - set(table.names) == {"CANL", "CANR"}
    assert table.q.shape == table.dff.shape == table.trials.shape == (300, 300)
    measured = np.isfinite(table.q)
    assert 0 <= table.q[measured].min() <= table.q[measured].max() <= 1
    # Each column is one stimulated neuron; that fewer neurons were stimulated than recorded shows which axis is which.
    assert measured.any(axis=0).sum() < measured.any(axis=1).sum()
    assert signal_propagation("unc31").strain == "unc31"


def test_without_the_atlas_there_are_no_positions(monkeypatch):
    monkeypatch.setattr(atlas, "PACKAGE", "no-such-package-is-installed")
    assert positions() is None
    assert signal_propagation() is None
    assert 'pip install "neurocli[worm]"' in atlas.MISSING_POSITIONS


@atlas_installed
def test_damaged_positions(monkeypatch, tmp_path):
    path = tmp_path / "positions.txt"
    path.write_text("#AVAL AVAR\n0 1 2\n0 1 nan\n", encoding="utf-8")
    monkeypatch.setattr(atlas, "_file", lambda name: path)
    with pytest.raises(DataError, match="not the table of positions"):
        positions()
