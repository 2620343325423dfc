"""What the tensors of a checkpoint tell of its options, and whether the options that somebody gives agree with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.errors import DataError
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.routing import neuronio_routing
from neurocli_elm.model.timescales import bounded_tau, initial_proto_tau

State = Mapping[str, torch.Tensor]

BOUNDS_MS = ((1.0, 150.0), (1.0, 1000.0), (1.0, 500.0))
"""Memory timescales of the published models, in which those of a file without a JSON are looked for."""
_SAME_TAU, _SAME_PROTO = 1e-3, 0.2
"""Relative difference of timescales, and absolute one of their parameters, which single precision moves at the two ends."""
_BESIDE = "put the model_config.json of this checkpoint beside it"


def told_by_tensors(
    state: State, sizes: Mapping[str, int], given: Mapping[str, Any], num_input: int | None, path: Path
) -> dict[str, Any]:
    """Routing, number of inputs and bounds of the memory timescales. Raises DataError where nobody tells them."""
    told = _routing(state, sizes, given.get("num_input", num_input), path)
    if "memory_tau_max" not in given:
        bounds = None if given.get("learn_memory_tau") else frozen_bounds(state["_proto_tau_m"])
        if bounds is None:
            raise DataError(
                "the bounds of the memory timescales are not known: the tensors do not tell them",
                where=str(path),
                hint=_BESIDE,
            )
        told["memory_tau_min"], told["memory_tau_max"] = bounds
    return told


def _routing(state: State, sizes: Mapping[str, int], num_input: int | None, path: Path) -> dict[str, Any]:
    """Routing and number of inputs, as far as the stored indices tell."""
    indices = state["input_to_synapse_indices"]
    if not len(indices):
        return {"input_to_synapse_routing": "none", "num_input": len(state["_proto_w_s"])}
    if state["valid_indices_mask"].dtype == torch.bool:
        highest = int(indices.max()) + 1
        # With an odd number the last one is never read. A channel beyond the synapses cannot be.
        for inputs in (highest, highest + 1) if 0 < highest <= len(indices) else ():
            expected = neuronio_routing(inputs, sizes["num_branch"], sizes["num_synapse_per_branch"])
            if torch.equal(expected.indices, indices) and num_input in (None, inputs):
                return {"input_to_synapse_routing": "neuronio", "num_input": inputs}
    if num_input is None:
        raise DataError(
            "the number of inputs is not known: random routing does not tell it", where=str(path), hint=_BESIDE
        )
    return {"input_to_synapse_routing": "random", "num_input": num_input}


def frozen_bounds(proto: torch.Tensor) -> tuple[float, float] | None:
    """Those published bounds whose untrained parameters a file has; None where there are none such."""
    return next((bounds for bounds in BOUNDS_MS if is_frozen(proto, *bounds)), None)


def is_frozen(proto: torch.Tensor, low_ms: float, high_ms: float) -> bool:
    """Whether the parameters are those that memory within these bounds starts with."""
    initial = initial_proto_tau(low_ms, high_ms, len(proto))
    # The published code has infinities at the ends.
    finite = proto.nan_to_num(posinf=float(initial.max()), neginf=float(initial.min()))
    tau, initial_tau = (bounded_tau(p, low_ms, high_ms) for p in (finite, initial))
    same_tau = bool(((tau - initial_tau).abs() <= _SAME_TAU * initial_tau).all())
    return same_tau and bool(((finite - initial).abs() <= _SAME_PROTO).all())


def check_agreement(state: State, options: ElmOptions, given: Mapping[str, Any], path: Path) -> ElmOptions:
    """The options, with the time constants of the traces that the tensors hold.

    Raises DataError that names both where an option says something else than the tensors: they were made with another one.
    """
    if not options.learn_memory_tau and not is_frozen(state["_proto_tau_m"], options.memory_tau_min, options.tau_max):
        by_options = f"{options.memory_tau_min:g} to {options.memory_tau_max:g} ms"
        bounds = frozen_bounds(state["_proto_tau_m"])
        by_tensor = "those of no published model" if bounds is None else f"those of {bounds[0]:g} to {bounds[1]:g} ms"
        raise _differs(
            "_proto_tau_m",
            f"memory_tau_min and memory_tau_max are {by_options}",
            f"its timescales are {by_tensor}",
            path,
        )
    if not options.learn_w_s and not bool((state["_proto_w_s"] - options.w_s_value).abs().le(1e-6).all()):
        low, high = (float(end) for end in state["_proto_w_s"].aminmax())
        by_options = f"w_s_value is {options.w_s_value:g} and learn_w_s false"
        raise _differs("_proto_w_s", by_options, f"its weights go from {low:.4g} to {high:.4g}", path)
    _check_routing(state, options, path)
    tau = state[options.trace_name]
    if "tau_value" in given and not bool((tau - torch.tensor(options.tau_value)).abs().le(1e-5 * tau.abs()).all()):
        by_options = f"{options.trace_name}_value is {_shown(torch.tensor(options.tau_value))} ms"
        raise _differs(options.trace_name, by_options, f"it has {_shown(tau)} ms", path)
    exact = [float(str(np.float32(value))) for value in tau.tolist()]  # 5.3, not 5.300000190734863
    value = exact[0] if len(set(exact)) == 1 else tuple(exact)
    return ElmOptions(**{**dict(options), "tau_value": value})


def _check_routing(state: State, options: ElmOptions, path: Path) -> None:
    indices, valid = state["input_to_synapse_indices"], state["valid_indices_mask"]
    if options.input_to_synapse_routing == "neuronio":
        expected = neuronio_routing(options.num_input, options.branches, options.num_synapse_per_branch)
        if not (
            torch.equal(expected.indices, indices) and valid.dtype == torch.bool and torch.equal(expected.valid, valid)
        ):
            by_options = f"the routing is neuronio, of {options.num_input} inputs"
            raise _differs(
                "input_to_synapse_indices", by_options, "its synapses read other channels than that gives", path
            )
    elif len(valid) and not bool((valid == 1).all()):
        by_options = f"the routing is {options.input_to_synapse_routing}"
        raise _differs("valid_indices_mask", by_options, f"it leaves {int((valid == 0).sum())} synapses out", path)


def _shown(values: torch.Tensor) -> str:
    low, high = (float(end) for end in values.aminmax())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _differs(tensor: str, by_options: str, by_tensor: str, path: Path) -> DataError:
    return DataError(
        f"options and weights differ: in the options {by_options}, but in {tensor} {by_tensor}",
        where=f"{path}:{tensor}",
        hint=_BESIDE,
    )
