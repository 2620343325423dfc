"""Where things are kept that can always be made again: compiled simulators, data sets made for a command."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The cache folder: `NEUROCLI_CACHE` where it is set, else the one that the system gives to each user."""
    chosen = os.environ.get("NEUROCLI_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("neurocli")
