"""What glows in a worm: told from the texts of its file, and from a table of strains where they name only the strain.

A worm with GFP in place of a calcium indicator is a control: what it shows is motion and noise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from neurocli_gat_lstm.data.worm import GCAMP, GFP, UNKNOWN

# Source: the table of strains in github.com/monikascholz/PredictionCode (Hallinan, Scholz et al., eLife 10:e66135, 2021).
STRAINS = {
    "AML18": GFP,  # pan-neuronal GFP and tagRFP
    "AML175": GFP,  # the same in a lite-1 background
    "AML32": GCAMP,  # pan-neuronal GCaMP6s and tagRFP
    "AML70": GCAMP,  # the same in a lite-1 background
}
_STRAIN = re.compile(r"(?<![A-Za-z0-9])(AML\d+)(?!\d)", re.IGNORECASE)
_GFP = re.compile(r"(?<![A-Za-z])e?GFP(?![A-Za-z])", re.IGNORECASE)


def indicator(texts: Iterable[str]) -> str:
    """`gcamp`, `gfp` or `unknown`; the first text that says anything decides, so the most telling come first."""
    for text in texts:
        strains = {STRAINS.get(name.upper(), UNKNOWN) for name in _STRAIN.findall(text)} - {UNKNOWN}
        if len(strains) == 1:
            return strains.pop()
        if "gcamp" in text.lower():
            return GCAMP
        if _GFP.search(text):
            return GFP
    return UNKNOWN
