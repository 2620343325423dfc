"""Colours of neuron types and of target locations, the same in every figure."""

from __future__ import annotations

from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY

TYPES = {"E": EXCITATORY, "I": INHIBITORY}
COLOURS = {"E": "#3b6ea8", "I": "#c0392b"}
LOCATION_COLOURS = ("#d98c21", "#2e8b57", "#8e44ad", "#555555")
"""None of them close to those of E and I."""
