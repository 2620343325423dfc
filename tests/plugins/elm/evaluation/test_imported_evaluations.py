"""Evaluations of weights from elsewhere are kept by what the files hold, and not by what they are called."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import torch

from neurocli.cli.main import run as command
from neurocli_elm.model.checkpoint import CONFIG_NAME
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.simulation.example import small_cells

SIZES: dict[str, Any] = {
    "num_input": 128,
    "num_output": 2,
    "num_branch": 4,
    "num_synapse_per_branch": 40,
    "num_memory": 5,
}
SIZES |= {"memory_tau_min": 1.0, "memory_tau_max": 150.0, "learn_memory_tau": False, "mlp_activation": "relu"}


def weights(folder: Path, seed: int) -> Path:
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    neuron = ElmNeuron(ElmOptions(version=1, input_to_synapse_routing="neuronio", **SIZES))
    torch.save(neuron.state_dict(), folder / "neuron.pt")
    known = {"input_to_synapse_routing": "neuronio_routing", "lambda_value": 5.0, "delta_t": 1.0, **SIZES}
    (folder / CONFIG_NAME).write_text(json.dumps(known))
    return folder / "neuron.pt"


def evaluated(file: Path, data: Path, root: Path) -> dict[str, Any]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = command(
            ["evaluate", "elm-v1", "--weights", str(file), "--data", str(data), "--runs-dir", str(root), "--json"]
        )
    assert code == 0, out.getvalue()
    return json.loads(out.getvalue())["data"]


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    first, second = (weights(tmp_path / place / "same", seed) for seed, place in enumerate(("here", "there")))
    small_cells(0, duration_ms=1200).save(tmp_path / "cells.h5")
    (tmp_path / "other").mkdir()
    small_cells(1, duration_ms=1200).save(tmp_path / "other" / "cells.h5")
    pairs = [(first, "cells.h5"), (second, "cells.h5"), (first, "other/cells.h5"), (first, "cells.h5")]
    evaluations = [evaluated(file, tmp_path / data, tmp_path / "runs") for file, data in pairs]
    names = [evaluation["name"] for evaluation in evaluations]
    assert len(set(names)) == 3 and names[0] == names[3]  # the same files are the same evaluation
    for evaluation in evaluations:
        stored = json.loads((tmp_path / "runs" / "imported" / evaluation["name"] / "evaluation.json").read_text())
        assert stored["scores"] == evaluation["scores"]
