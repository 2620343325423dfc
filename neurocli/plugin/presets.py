"""Where the presets of a plugin are."""

from __future__ import annotations

import sys
from pathlib import Path


def package_folder(owner: object) -> Path:
    """The folder of the package that an object's class comes from."""
    package = sys.modules[type(owner).__module__.partition(".")[0]].__file__
    assert package is not None
    return Path(package).parent


def presets_folder(owner: object, name: str) -> Path:
    """The folder `presets/<name>/` in the package that an object's class comes from; it need not be there."""
    return package_folder(owner) / "presets" / name
