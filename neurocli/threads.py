"""Threads of linear algebra: one, because the matrices here are small and a sum over threads may differ in its last bit."""

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the libraries of linear algebra read when they are loaded."""


def one_thread_by_default() -> None:
    """Hold libraries that are loaded from now on to one thread, unless the environment says otherwise."""
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
