"""Names: one spelling for every neuron, and the classes and groups of the animal."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import h5py
import pymatreader
import pytest

from neurocli_gat_lstm.graph.names import (
    canonical,
    group_name,
    hermaphrodite,
    is_neuron,
    neuron_class,
    neurons,
    other_cell,
)

WORMS = Path(os.environ.get("NEUROCLI_REAL_DATA", "")) / "worm"
real = pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")


def test_the_hermaphrodite_has_302_neurons_in_118_groups():
    names = hermaphrodite()
    assert len(names) == len(set(names)) == 302
    assert len(neurons()) == 392
    # White et al. (1986) count 118 classes.
    assert len({group_name(name) for name in names}) == 118


def test_every_name_is_its_own_canonical_name():
    assert {name: canonical(name) for name in neurons()} == {name: name for name in neurons()}
    assert {canonical(f" {name.lower()}? ") for name in neurons()} == set(neurons())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("VB02", "VB2"),
        ("DB01", "DB1"),
        ("VA01", "VA1"),
        ("AS10", "AS10"),
        ("VB011", "VB11"),
        ("CA01", "CA01"),
        ("CP1", "CP01"),
        ("AWCON", "AWCR"),
        ("AWCOFF", "AWCL"),
        ("AWCOF", "AWCL"),
        ("aval", "AVAL"),
        (" AVAL? ", "AVAL"),
        ("AVAL??", "AVAL"),
        ("I5", "I5"),
        ("M1", "M1"),
        ("AVA", "AVA"),
        ("MDL01", "MDL01"),
    ],
)
def test_spellings_of_a_name(written, meant):
    assert canonical(written) == meant


NO_NAMES = ["", " ", "?", "---", "-", "12", "1.0", "nan", "NaN", "None", "n/a", "unidentified-3", "neuron 5", "ROI12"]
HOSTILE = ["AVAL/R", "N7", "cell_1", "A" * 50, "__import__('os')", "АVAL", "AVAL\nAVAR"]


@pytest.mark.parametrize("text", [*NO_NAMES, *HOSTILE])
def test_what_is_no_name(text):
    assert canonical(text) is None
    assert not is_neuron(text)
    assert neuron_class(text) == "other"
    assert group_name(text) == text


def test_classes_are_those_of_the_published_table():
    counts = Counter(neuron_class(name) for name in hermaphrodite())
    assert counts == {"sensory": 83, "inter": 89, "motor": 123, "other": 7}
    others = {name for name in hermaphrodite() if neuron_class(name) == "other"}
    assert others == {"CANL", "CANR", "MCL", "MCR", "MI", "NSML", "NSMR"}
    assert [neuron_class(name) for name in ("ASEL", "AVAL", "VB02")] == ["sensory", "inter", "motor"]


GROUPS = {
    "AVA": ["AVAL", "AVAR"],
    "SMD": ["SMDDL", "SMDDR", "SMDVL", "SMDVR"],
    "IL1": ["IL1L", "IL1DR", "IL1VL"],
    "RME": ["RMED", "RMEL", "RMER", "RMEV"],
    "SAB": ["SABD", "SABVL", "SABVR"],
    "VB": ["VB02", "VB11"],
    "I2": ["I2L", "I2R"],
    "CEM": ["CEMDL"],
    "RIV": ["RIVL"],
    "PVD": ["PVDL"],
    **{name: [name] for name in ("RID", "AVL", "PVR", "M4", "muscle")},
}


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, names in GROUPS.items() for name in names])
def test_groups(group, name):
    assert group_name(name) == group


@pytest.mark.parametrize("name", ["MDL01", "mdl1", "BWM-VR10", "dBWML1", "vBWMR23", "pm5D", "mu_intL", "BWM", "MVULVA"])
def test_muscles(name):
    assert other_cell(name) == "muscle"


def test_cells_that_are_no_neurons_and_no_muscles():
    assert [other_cell(name) for name in ("CEPshDL", "GLRL", "hyp", "exc_cell")] == ["other"] * 4
    assert {other_cell(name) for name in neurons()} == {None}
    assert other_cell("XYZ") is None


def test_names_and_classes_are_those_of_the_toolbox():
    cells = pytest.importorskip("cect.Cells")
    assert list(neurons()) == cells.ALL_PREFERRED_NEURON_NAMES
    assert set(hermaphrodite()) == set(cells.PREFERRED_HERM_NEURON_NAMES)
    for kind, names in (
        ("sensory", cells.SENSORY_NEURONS_COOK),
        ("inter", cells.INTERNEURONS_COOK),
        ("motor", cells.MOTORNEURONS_COOK),
    ):
        assert {name for name in hermaphrodite() if neuron_class(name) == kind} == set(names)
    rest = [name for name in cells.ALL_PREFERRED_CELL_NAMES if name not in neurons()]
    assert all(other_cell(name) for name in rest)


@pytest.mark.realdata
@real
@pytest.mark.parametrize(("worm", "named", "exact"), [(0, 38, 33), (1, 44, 38), (2, 32, 30), (4, 31, 29)])
def test_every_named_neuron_of_the_recorded_worms_is_known(worm, named, exact):
    content = pymatreader.read_mat(WORMS / f"Kato2015_worm{worm}.mat")
    written = [name for name in content["WT_NoStim"]["NeuronNames"] if not name.isdigit()]
    assert len(written) == named
    assert sum(name in neurons() for name in written) == exact
    assert len({canonical(name) for name in written} & set(hermaphrodite())) == named


@pytest.mark.realdata
@real
def test_every_neuron_of_the_labelled_worm_is_known():
    with h5py.File(WORMS / "Atanas2023_2022-08-02-01.h5") as file:
        written = [name.decode() for name in file["neuron_names"][()]]
    assert len(written) == 98
    assert [name for name in written if name not in neurons()] == ["VB02"]
    assert len({canonical(name) for name in written} & set(hermaphrodite())) == 98


def test_the_tables_say_where_they_come_from():
    folder = Path(__file__).parents[4] / "plugins" / "neurocli_gat_lstm" / "tables"
    tables = sorted(folder.glob("*.csv"))
    assert [table.stem for table in tables] == [
        "cook2019",
        "neurons",
        "other_cells",
        "witvliet2021-7",
        "witvliet2021-8",
    ]
    for table in tables:
        lines = table.read_text(encoding="utf-8").splitlines()
        comments = [line for line in lines if line.startswith("#")]
        assert "cect 0.3.5" in comments[-1]
        assert "sha256" in comments[-1]
        rows = list(csv.reader(lines[len(comments) :]))
        assert {len(row) for row in rows} == {len(rows[0])}
