"""Networks of the neuron's own size that stand beside it."""
