"""Names of neurons: one spelling for recordings and connectomes, and the class and the group of a name."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, NamedTuple, cast

NeuronClass = Literal["sensory", "inter", "motor", "other"]
Sex = Literal["hermaphrodite", "male"]
CLASSES: tuple[NeuronClass, ...] = ("sensory", "inter", "motor", "other")

LONGEST_NAME = 10
"""A text longer than this is no neuron's name; the longest of the animal has five characters."""

# Which of the pair AWCL and AWCR is "on" is drawn anew in each animal. Names by state get the sides that Randi et al.,
# Nature 623:406 (2023), give them, so that a recording and an atlas speak of the same neuron.
_BY_STATE = {"AWCON": "AWCR", "AWCOFF": "AWCL", "AWCOF": "AWCL"}

_NO_NAMES = frozenset({"NAN", "NONE", "NULL", "NA", "UNKNOWN", "UNNAMED", "UNLABELED", "UNLABELLED", "UNIDENTIFIED"})
_NUMBERED = re.compile(r"(CELL|NEURON|ROI|UNIT|TRACE|ACTIVITY|SEGMENT|ID|N)0*\d*")
_NAME = re.compile(rf"[A-Z][A-Z0-9]{{1,{LONGEST_NAME - 1}}}")
_PADDED = re.compile(r"([A-Z]+)0+([1-9]\d*)")
_UNPADDED = re.compile(r"(CA|CP)([1-9])")
_ROW_OF_MOTOR_NEURONS = re.compile(r"(AS|DA|DB|DD|VA|VB|VC|VD|CA|CP|DX|EF)\d+")


# Body-wall muscles as written in White (BWM-DL1), Cook (dBWML1) and, without the zero, elsewhere (MDL1).
_MUSCLE = re.compile(r"(M[DV][LR]|BWM-?[DV][LR]|[dv]BWM[LR])\d{1,2}", re.IGNORECASE)


class Neuron(NamedTuple):
    """A line of the table of neurons."""

    name: str
    kind: NeuronClass
    sex: Sex


@cache
def neurons() -> MappingProxyType[str, Neuron]:
    """Every neuron by name: the hermaphrodite's 302, then the 90 that only males have."""
    rows = _table("neurons.csv")
    table = (Neuron(row["name"], cast(NeuronClass, row["class"]), cast(Sex, row["sex"])) for row in rows)
    return MappingProxyType({neuron.name: neuron for neuron in table})


@cache
def hermaphrodite() -> tuple[str, ...]:
    """The 302 names of the hermaphrodite."""
    return tuple(neuron.name for neuron in neurons().values() if neuron.sex == "hermaphrodite")


def _table(name: str) -> list[dict[str, str]]:
    """The lines of a table of this package, by column."""
    text = (files("neurocli_gat_lstm") / "tables" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def canonical(name: str) -> str | None:
    """The name as connectomes write it, or None for what is no name.

    "VB02" becomes "VB2" (males' CA01 to CP09 keep their zero), "AVAL?" becomes "AVAL", and white space and case do
    not matter. Numbers, "", "---", "nan", "none" and the like are no names. A text in the form of a name that is no
    neuron's (a muscle, a class as "AVA") comes back in capitals; `is_neuron` tells it from the others.
    """
    text = name.strip().rstrip("?* ").upper()
    if not _NAME.fullmatch(text) or text in _NO_NAMES or _NUMBERED.fullmatch(text):
        return None
    if text in neurons():
        return text
    if text in _BY_STATE:
        return _BY_STATE[text]
    for spelled in (_PADDED.sub(r"\1\2", text), _UNPADDED.sub(r"\g<1>0\2", text)):
        if spelled in neurons():
            return spelled
    return text


def is_neuron(name: str) -> bool:
    """Whether this is the name of a neuron of either sex, in any spelling that `canonical` knows."""
    return canonical(name) in neurons()


def neuron_class(name: str) -> NeuronClass:
    """Sensory, inter or motor as Cook et al. (2019) class the neuron; "other" for the seven in none and for no neuron."""
    neuron = neurons().get(canonical(name) or "")
    return "other" if neuron is None else neuron.kind


def other_cell(name: str) -> Literal["muscle", "other"] | None:
    """Whether this names a muscle or another cell that is no neuron, in the spellings of the published edge lists."""
    text = name.strip()
    if _MUSCLE.fullmatch(text):
        return "muscle"
    return _other_cells().get(text.casefold())


@cache
def _other_cells() -> MappingProxyType[str, Literal["muscle", "other"]]:
    """Kind of every cell that is no neuron, by its name in small letters."""
    rows = _table("other_cells.csv")
    return MappingProxyType({row["name"].casefold(): "muscle" if row["kind"] == "muscle" else "other" for row in rows})


def group_name(name: str) -> str:
    """The class of neurons that this one belongs to: its name without side and number.

    AVAL and AVAR are AVA, the four of SMDDL are SMD, VB1 to VB11 are VB. A neuron without a twin, and what is no
    neuron, stays as it is.
    """
    known = canonical(name)
    return name if known is None or known not in neurons() else _groups()[known]


@cache
def _groups() -> MappingProxyType[str, str]:
    """The group of every neuron."""
    stems = {name: _without_side(name) for name in neurons()}
    known = set(stems.values())
    return MappingProxyType({name: _without_quadrant(stem, known) for name, stem in stems.items()})


def _without_side(name: str) -> str:
    """A name without its L or R when there is a neuron on the other side, and without its number in the cord."""
    row = _ROW_OF_MOTOR_NEURONS.fullmatch(name)
    if row:
        return row[1]
    other = name[:-1] + {"L": "R", "R": "L"}.get(name[-1], "")
    return name[:-1] if other in neurons() and other != name[:-1] else name


def _without_quadrant(stem: str, stems: set[str]) -> str:
    """A stem without its D or V when both exist; three letters stay, since RID and RIV are no pair."""
    other = stem[:-1] + {"D": "V", "V": "D"}.get(stem[-1], "")
    return stem[:-1] if len(stem) > 3 and other in stems and other != stem[:-1] else stem
