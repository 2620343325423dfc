"""NWB with types that the standard does not have, as damage leaves them: HDF5 would crash over some."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings.files.nwb import open_nwb

pytest.importorskip("pynwb")


@pytest.mark.parametrize("place", ["dataset", "attribute", "compound"])
def test_lists_of_variable_length_are_refused(place, tmp_path):
    path = tmp_path / "x.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        group = file.create_group("general")
        if place == "dataset":
            group.create_dataset("x", (2,), dtype=h5py.vlen_dtype("u1"))
        elif place == "attribute":
            values = np.empty(1, object)
            values[0] = np.arange(3, dtype="i4")
            group.attrs.create("x", values, dtype=h5py.vlen_dtype("i4"))
        else:
            group.create_dataset("x", (2,), dtype=[("a", "i4"), ("b", h5py.vlen_dtype("i4"))])
    with pytest.raises(DataError, match="type that NWB does not have") as caught, open_nwb(path):
        pass
    assert f"{path}:/general" in caught.value.where and caught.value.hint
