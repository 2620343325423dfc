"""Colours that mean the same in every figure: Okabe and Ito's, which those who are colour-blind can tell apart."""

EXCITATORY, INHIBITORY = "#D55E00", "#0072B2"
"""Neurons, synapses and inputs of either kind."""
MODEL, UNTRAINED = "#333333", "0.6"
CATEGORIES = ("#009E73", "#CC79A7", "#8B6914", "#555555")
"""Up to four conditions, none of them close to excitatory or inhibitory."""
