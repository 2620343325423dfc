"""What a label in a recording says: a neuron, surely or with a doubt; several candidates; no name; or something else.

Laboratories write AVAL, aval, AVA_L, AVB-L, "AVB (R)", "left AVA", VB02; AVAL? and AVAL* where they are not sure; AVAL/AVAR
where it is one of two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from neurocli_gat_lstm.graph.names import canonical, is_neuron

LONGEST_SHOWN = 40
_DOUBT_WORDS = frozenset(
    {"MAYBE", "PUTATIVE", "PROBABLY", "PROBABLE", "POSSIBLY", "POSSIBLE", "LIKELY", "UNSURE", "UNCERTAIN"}
)
_EMPTY_WORDS = frozenset({"NEURON", "CELL"})
_SIDES = {"LEFT": "L", "RIGHT": "R"}
_PLACEHOLDER = re.compile(
    r"(cell|neuron|roi|unit|trace|activity|segment|id|n|unidentified|unknown|unlabell?ed|unnamed|none|null|nan|na|n/a|x+)?[\W_\d]*",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[?*]+")


@dataclass(frozen=True)
class Label:
    """text: as it is written, without white space around it; name: the canonical name where there is one, a neuron's or not.

    uncertain: whether the text doubts its name; candidates: neurons between which it does not decide.
    """

    text: str
    name: str | None = None
    uncertain: bool = False
    candidates: tuple[str, ...] = ()

    @property
    def is_neuron(self) -> bool:
        return self.name is not None and is_neuron(self.name)

    @property
    def is_unclear(self) -> bool:
        """Whether the text means to say something, and what it says is no single name."""
        return self.name is None and not _PLACEHOLDER.fullmatch(_MARKS.sub("", self.text))

    @property
    def shown(self) -> str:
        """The text in a message: on one line, not too long."""
        text = " ".join(self.text.split())
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
        return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def read_label(written: str | None) -> Label:
    """What a label says. Whatever has one meaning is understood; nothing is guessed."""
    text = (written or "").strip().strip("\0").strip()
    uncertain = bool(_MARKS.search(text))
    bare = _MARKS.sub(" ", text)
    plain = canonical(bare)
    if (plain is not None and not uncertain) or len(text) > LONGEST_SHOWN:
        return Label(text, plain)
    words = [word for word in re.split(r"[\W_]+", bare.upper()) if word]
    uncertain = uncertain or any(word in _DOUBT_WORDS for word in words)
    words = [word for word in words if word not in _DOUBT_WORDS | _EMPTY_WORDS]
    name = _one_name(words)
    if name is not None:
        return Label(text, name, uncertain)
    return Label(text, None, uncertain, _candidates(words))


def _one_name(words: list[str]) -> str | None:
    """The name that words make: one of them, or all of them joined, a side in words before or behind."""
    if not words or len(words) > 4:
        return None
    if len(set(words)) == 1:
        return canonical(words[0])
    if words[0] in _SIDES:
        words = [*words[1:], words[0]]
    joined = "".join(words[:-1]) + _SIDES.get(words[-1], words[-1])
    several = sum(is_neuron(word) for word in words) > 1  # AVAL-AVAR names two, whatever they are together
    return canonical(joined) if not several and is_neuron(joined) else None


def _candidates(words: list[str]) -> tuple[str, ...]:
    """Neurons that a text leaves open: AVAL/AVAR, and AVAL/R, whose last word is the other side."""
    found = {name for word in words if is_neuron(word) and (name := canonical(word))}
    for first, second in pairwise(words):
        if second in ("L", "R") and is_neuron(first) and first[-1:] in ("L", "R") and is_neuron(first[:-1] + second):
            found.add(first[:-1] + second)
    return tuple(sorted(found)) if len(found) > 1 else ()
