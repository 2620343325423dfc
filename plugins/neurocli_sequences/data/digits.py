"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels (Alpaydin & Kaynak 1998), which need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurocli.recordings import Recording, RecordingSet
from neurocli.runs.cache import cache_root

META = {
    "kind": "images",
    "name": "digits",
    "layout": {"height": 8, "width": 8, "colours": 1},
    "classes": [str(n) for n in range(10)],
    "step": "step",
}


def digits() -> RecordingSet:
    """All images, one recording each; grey levels from 0 to 16. Who wrote them is not told."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)
    return RecordingSet.of(
        [
            Recording(f"digit-{n:05d}", images[n], 1.0, "grey level", labels={"class": int(bunch.target[n])})
            for n in range(len(images))
        ],
        meta=META,
    )


def kept() -> Path:
    """A file of all images in the cache, written where it is not there."""
    path = cache_root() / "digits" / "digits.h5"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        digits().save(path)
    return path
