"""Files that are called checkpoints and are none, or ask for more than they hold: an error in our own words, and no memory."""

from __future__ import annotations

import io
import os
import pickle
import random
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from neurocli.errors import DataError
from neurocli_elm.model.checkpoint import read_checkpoint, read_state
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions


def state_dict() -> dict[str, torch.Tensor]:
    return dict(ElmNeuron(ElmOptions(num_input=6, num_output=3, num_memory=4)).state_dict())


def saved(path: Path, value: object, **how: object) -> Path:
    torch.save(value, path, **how)
    return path


def with_entry(path: Path, name: str, content: bytes) -> Path:
    """The archive with another entry in the place of one."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    root = next(iter(entries)).partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for entry, old in entries.items():
            archive.writestr(entry, content if entry == f"{root}/{name}" else old)
    return path


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def _changed(**tensors: object) -> dict[str, object]:
    return {**state_dict(), **tensors}


CASES = {
    "meta": (lambda: _changed(w_y_bias=torch.zeros(3, device="meta")), "without values"),
    "repeated": (lambda: _changed(_proto_w_s=torch.zeros(1).expand(20_000_000_000)), "takes|claims|repeats"),
    "repeated a little": (lambda: _changed(_proto_w_s=torch.zeros(1).expand(6)), "repeats"),
    "sparse": (lambda: _changed(a=torch.eye(3).to_sparse()), "sparse"),
    "quantised": (lambda: _changed(a=torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)), "quantised"),
    "complex": (lambda: _changed(a=torch.ones(3, dtype=torch.complex64)), "complex"),
    "bfloat16": (lambda: _changed(a=torch.ones(3, dtype=torch.bfloat16)), "bfloat16"),
    "float16": (lambda: {n: v.half() for n, v in state_dict().items()}, "type torch.float16"),
    "not a number": (
        lambda: {n: v * float("nan") if v.is_floating_point() else v for n, v in state_dict().items()},
        "not finite",
    ),
    "nested": (lambda: {"epoch": 3, "state_dict": state_dict()}, "not a state dict of named tensors: epoch"),
    "a tensor alone": (lambda: torch.ones(3), "not a state dict"),
    "a network": (lambda: torch.nn.Linear(2, 2), "more than tensors"),
}


@pytest.mark.parametrize("name", CASES)
def test_tensors_of_other_kinds_are_refused_in_our_own_words(name, tmp_path):
    content, message = CASES[name]
    path = saved(tmp_path / "some.pt", content())
    tracemalloc.start()
    with pytest.raises(DataError, match=message) as caught:
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    told = f"{caught.value.message} {caught.value.hint}"
    assert "weights_only" not in told and str(path) in caught.value.where


def test_shared_and_transposed_storages_are_read(tmp_path):
    tied = torch.arange(12.0).reshape(3, 4)
    stored = {"a": tied, "b": tied.T, "c": tied[1:, ::2], "d": torch.zeros(0, 3), "e": torch.tensor(2)}
    stored |= {"f": torch.nn.Parameter(tied), "g": torch.ones(2, dtype=torch.float64), "h": torch.tensor([True])}
    actual = read_state(saved(tmp_path / "some.pt", stored))
    for name, value in stored.items():
        assert torch.equal(actual[name], value) and actual[name].dtype == value.dtype


def test_other_archives_and_forms_are_named(tmp_path):
    legacy = saved(tmp_path / "legacy.pt", state_dict(), _use_new_zipfile_serialization=False)
    with pytest.raises(DataError, match=r"before version 1.6"):
        read_checkpoint(legacy)
    script = tmp_path / "script.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(script))
    with pytest.raises(DataError, match="TorchScript"):
        read_checkpoint(script)
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match="zip archive"):
        read_checkpoint(plain)


def test_code_in_any_place_does_not_run(tmp_path):
    canary = tmp_path / "canary"
    path = with_entry(saved(tmp_path / "some.pt", state_dict()), "data.pkl", pickle.dumps(_Canary(canary), 2))
    with pytest.raises(DataError, match="could run code"):
        read_checkpoint(path)
    assert not canary.exists()


def test_an_entry_that_is_missing_or_shorter_than_its_tensor_is_named(tmp_path):
    path = with_entry(saved(tmp_path / "some.pt", state_dict()), "data/0", b"\0" * 4)
    with pytest.raises(DataError, match="asks for"):
        read_checkpoint(path)


def test_a_pickle_that_grows_is_stopped(tmp_path):
    content = b"\x80\x02}X\x01\0\0\0a]" + b"2\x86" * 200_000 + b"]" * 2_000_000
    path = with_entry(saved(tmp_path / "some.pt", state_dict()), "data.pkl", content)
    with pytest.raises(DataError, match="claims"):
        read_checkpoint(path)


def test_a_bomb_of_entries_is_stopped(tmp_path):
    path = saved(tmp_path / "some.pt", state_dict())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some/data/99", bytes(200 << 20))
    with pytest.raises(DataError, match="compressed"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", ["cut", "flipped", "zeroed"])
def test_a_broken_file_is_an_error_wherever_it_is_broken(kind, tmp_path):
    whole = saved(tmp_path / "some.pt", state_dict()).read_bytes()
    draw = random.Random(kind)
    for _ in range(150):
        content, at = bytearray(whole), draw.randrange(len(whole))
        if kind == "cut":
            content = content[:at]
        elif kind == "flipped":
            content[at] ^= 1 << draw.randrange(8)
        else:
            content[at : at + 50] = bytes(len(content[at : at + 50]))
        path = tmp_path / "broken.pt"
        path.write_bytes(bytes(content))
        try:
            state = read_state(path)
        except DataError as error:
            assert error.where and error.hint
        else:
            buffer = io.BytesIO()  # what is between the entries does not count
            torch.save(state, buffer)
            assert all(torch.equal(state[name], value) for name, value in state_dict().items()) or kind != "cut"
