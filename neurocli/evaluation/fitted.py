"""Baselines that are fitted once for a data set and a split, and kept: runs on the same data share them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import StorageError
from neurocli.evaluation.target import Cost
from neurocli.runs.atomic import replacing
from neurocli.runs.cache import cache_root

if TYPE_CHECKING:
    from neurocli.recordings import Dataset

Values = Mapping[str, NDArray[Any]]
MOST_KEPT = 500
"""Fits in the cache; of more, those that were used longest ago are deleted."""
_CPU_S = "_cpu_s"


class Fitted:
    """The numbers of a baseline, from the cache or, where it does not have them, fitted when they are first asked for.

    name: of the baseline; data: what it is fitted on; settings: every option that the fit depends on, JSON-able; fit: gives arrays by
    name, numbers alone, no objects; arrays whose name begins with `_` are constants, and do not count as parameters.
    What is kept is found again by name, settings, the content of training and validation groups, and the code of the plugin and of
    the core: another version of either fits anew.
    """

    def __init__(
        self,
        name: str,
        data: Dataset,
        settings: Mapping[str, Any],
        fit: Callable[[], Values],
        parameters: int | None = None,
    ) -> None:
        self.name = name
        self._data, self._settings, self._fit, self._parameters = data, settings, fit, parameters
        self._values: dict[str, NDArray[Any]] | None = None
        self._cpu_s: float | None = None

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        """Arrays by name."""
        if self._values is None:
            path = self._path()
            arrays = _read(path)
            if arrays is None:
                arrays = self._fitted_now()
                with contextlib.suppress(StorageError):  # a cache that cannot be written costs time, and no result
                    _write(path, arrays)
            self._cpu_s = float(arrays.pop(_CPU_S))
            self._values = arrays
        return self._values

    @property
    def cost(self) -> Cost | None:
        """What the fit took, also where it was another run's; None before the values were asked for."""
        if self._values is None:
            return None
        counted = sum(v.size for n, v in self._values.items() if not n.startswith("_") and v.dtype.kind == "f")
        return Cost(self._cpu_s, self._parameters if self._parameters is not None else int(counted))

    def _fitted_now(self) -> dict[str, NDArray[Any]]:
        start = time.process_time()
        arrays = {name: np.asarray(array) for name, array in self._fit().items()}
        objects = [name for name, array in arrays.items() if array.dtype.hasobject]
        if objects:
            raise TypeError(f"{self.name}: {objects[0]} holds objects, and a fit is kept as numbers")
        return {**arrays, _CPU_S: np.asarray(time.process_time() - start)}

    def _path(self) -> Path:
        package = self._fit.__module__.partition(".")[0]
        key = {
            "name": self.name,
            "settings": self._settings,
            "data": self._data.training_content(),
            "code": [_code(package), _code("neurocli")],
        }
        text = json.dumps(key, sort_keys=True, default=_plain)
        return cache_root() / "fitted" / f"{hashlib.sha256(text.encode()).hexdigest()}.npz"


def _plain(value: Any) -> Any:
    """What JSON has no form for. Raises TypeError for anything whose text might not tell it from another value."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a fit cannot be known by a {type(value).__name__}")


@functools.cache
def _code(package: str) -> str:
    """sha256 of a package's source files: code that changed fits anew."""
    module_file = getattr(sys.modules.get(package), "__file__", None)
    digest = hashlib.sha256()
    if module_file is not None and Path(module_file).name == "__init__.py":
        for path in sorted(Path(module_file).parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """What was kept; None where nothing was, or where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        path.touch()
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    return arrays if _CPU_S in arrays else None


def _write(path: Path, values: Values) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **values)  # type: ignore[arg-type]
    oldest_first = sorted(path.parent.glob("*.npz"), key=_last_used)
    for old in oldest_first[: max(0, len(oldest_first) - MOST_KEPT)]:
        old.unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
