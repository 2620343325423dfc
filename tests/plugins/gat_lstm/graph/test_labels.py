"""Labels as laboratories write them: what each says, and what it leaves open."""

from __future__ import annotations

import pytest

from neurocli_gat_lstm.graph.labels import read_label
from neurocli_gat_lstm.graph.names import neurons


def test_every_name_is_understood_in_any_case():
    assert all(read_label(name).name == name and not read_label(name).uncertain for name in neurons())
    assert all(read_label(f" {name.lower()} ").name == name for name in neurons())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("AVA_L", "AVAL"),
        ("AVB-L", "AVBL"),
        ("AVB (R)", "AVBR"),
        ("AVA L", "AVAL"),
        ("left AVA", "AVAL"),
        ("AVA right", "AVAR"),
        ("AVA (Left)", "AVAL"),
        ("SMD-VL", "SMDVL"),
        ("SMD_V_L", "SMDVL"),
        ("VB-02", "VB2"),
        ("VB 2", "VB2"),
        ("RME-D", "RMED"),
        ("AWC-ON", "AWCR"),
        ("neuron AVAL", "AVAL"),
        ("AVAL-AVAL", "AVAL"),
        ("AVAL\0\0", "AVAL"),
        ("VB02", "VB2"),
    ],
)
def test_other_spellings_are_understood_where_they_have_one_meaning(written, meant):
    label = read_label(written)
    assert label.name == meant and label.is_neuron and not label.uncertain and not label.is_unclear


@pytest.mark.parametrize(
    "written", ["AVAL?", "AVAL??", "AVAL*", "?AVAL", "AVAL (?)", "AVA_L?", "maybe AVAL", "AVAL, putative"]
)
def test_a_doubt_is_heard(written):
    label = read_label(written)
    assert label.name == "AVAL" and label.uncertain


@pytest.mark.parametrize("written", ["AVAL-AVAR", "AVAL/AVAR", "AVAL or AVAR", "AVAL, AVAR?", "AVAL|AVAR", "AVAL/R"])
def test_two_candidates_are_no_name(written):
    label = read_label(written)
    assert label.name is None and label.candidates == ("AVAL", "AVAR") and label.is_unclear


@pytest.mark.parametrize("written", ["AVAL-alt", "АVAL", "AVA_LR", "__import__('os')", "A" * 60, "AVA/AVB"])
def test_what_is_not_understood_is_unclear(written):
    label = read_label(written)
    assert label.name is None and label.is_unclear and len(label.shown) <= 40


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        "?",
        "---",
        "12",
        "1.0",
        "nan",
        "NaN",
        "None",
        "n/a",
        "unidentified-3",
        "neuron 5",
        "ROI12",
        "cell_1",
        "x",
    ],
)
def test_a_placeholder_says_nothing(written):
    label = read_label(written)
    assert label.name is None and not label.is_unclear


def test_a_class_keeps_its_name():
    assert read_label("AVA").name == "AVA" and not read_label("AVA").is_neuron
    assert read_label("IL1?").uncertain
