"""The conformance kit: what a plugin author runs, as `neuro plugins check NAME` or from pytest."""
