"""Published checkpoints: a torch state dict, with the options in a `model_config.json` beside it.

Read without torch's unpickling, so that nothing in the file can run; the sizes that it declares are checked before anything is read.
What the tensors tell is taken from them, and a JSON that says something else is an error. What they cannot tell, and no JSON
does, must be given: with another activation or gain the same weights predict wrongly, and nothing would show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from neurocli.errors import ConfigError, DataError
from neurocli.recordings.pickles.torch_archive import read_archive
from neurocli_elm.model.checkpoint_tensors import check_agreement, told_by_tensors
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

CONFIG_NAME = "model_config.json"
LARGEST_FILE_BYTES = 1 << 28
_LARGEST_JSON_BYTES = 1 << 20
UNTOLD = {"mlp_activation": "relu", "lambda_value": 5.0, "delta_t": 1.0}
"""Options that no tensor tells, with the defaults of the published code."""
_RECORD = "num_input"
"""An option that every JSON of the published code holds: what such a record leaves out has the published default."""

_HINT = "give a published ELM checkpoint, a state dict written by torch.save"
_RENAMED = {"tau_s_value": "tau_value", "tau_b_value": "tau_value"}
_ROUTINGS = {"neuronio_routing": "neuronio", "random_routing": "random", None: "none"}
_SIZES = (
    "num_memory",
    "num_output",
    "num_branch",
    "num_synapse_per_branch",
    "mlp_num_layers",
    "mlp_hidden_size",
)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: options and state."""

    path: Path
    options: ElmOptions
    state: dict[str, torch.Tensor]

    def neuron(self, *, compiled: bool | None = None) -> ElmNeuron:
        """The neuron with these weights, in eval mode."""
        with torch.random.fork_rng(devices=[]):
            network = ElmNeuron(self.options, compiled=compiled)
        network.load_state_dict(self.state)
        return network.eval()


def read_checkpoint(
    path: Path, *, version: int | None = None, num_input: int | None = None, overrides: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Reads a published checkpoint with its `model_config.json`, if there is one.

    version: the one wanted, None for either; num_input: needed where routing is random and there is no JSON; overrides:
    options to set over what the JSON says. Raises DataError for a file of another version or size than said, with missing
    tensors, that is no checkpoint, that would execute code, that its JSON does not fit, or of which too little is known.
    """
    state = read_state(path)
    version_found = _version(state, path)
    if version is not None and version != version_found:
        raise DataError(
            f"the checkpoint is of version {version_found}, not of version {version}",
            where=str(path),
            hint=f"use the model elm-v{version_found}",
        )
    sizes = _Tensors(state, version_found, path).sizes()
    beside = path.parent / CONFIG_NAME
    given = {**_read_config(beside), **(overrides or {})}
    for name in _SIZES:
        wanted = given.get(name) or sizes[name]
        if wanted != sizes[name]:
            raise DataError(
                f"sizes differ: {name} is {sizes[name]} in the checkpoint, but {wanted} in the options or in {CONFIG_NAME}",
                where=str(path),
                hint=f"leave {name} to the checkpoint, or put its own {CONFIG_NAME} beside it",
            )
    record = _RECORD in given and beside.is_file()
    told = {} if record else told_by_tensors(state, sizes, given, num_input, path)
    if not record:
        _ask_for([name for name in UNTOLD if name not in given], path)
    try:
        options = ElmOptions(**{**told, **given, **sizes, "version": version_found})
    except (ConfigError, TypeError) as error:
        raise DataError(f"the options are not valid: {error}", where=str(beside), hint=_HINT) from None
    if num_input not in (None, options.num_input):
        raise DataError(
            f"the checkpoint is for {options.num_input} inputs, but the data have {num_input}",
            where=str(path),
            hint="use data of the cell that it was trained on",
        )
    _check_channels(state, options, path)
    return Checkpoint(path, check_agreement(state, options, given, path), state)


def _ask_for(names: list[str], path: Path) -> None:
    """Raise DataError where options are needed that nobody has given."""
    if not names:
        return
    example = json.dumps({name: UNTOLD[name] for name in names})
    raise DataError(
        f"{', '.join(names)} cannot be inferred from the weights, whose predictions depend on them",
        where=str(path),
        hint=f"put the checkpoint's {CONFIG_NAME} beside it, or write what you know into one, such as {example}",
    )


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, on the CPU. Raises DataError where it is anything but a state dict."""
    if path.is_dir():
        raise DataError("this is a folder, not a checkpoint", where=str(path), hint="name the .pt file in it")
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), hint="correct the path")
    arrays = read_archive(path, largest=LARGEST_FILE_BYTES, hint=_HINT)
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def _version(state: dict[str, torch.Tensor], path: Path) -> int:
    names = {"tau_s": 1, "tau_b": 2}
    versions = [version for name, version in names.items() if name in state]
    if len(versions) != 1:
        raise DataError(
            "tensors are missing: tau_s of version 1 or tau_b of version 2, and the file has "
            + ("both" if versions else f"neither among {', '.join(sorted(state)[:6]) or 'its 0 tensors'}"),
            where=str(path),
            hint=_HINT,
        )
    return versions[0]


class _Tensors:
    """The tensors of a state, checked for names, numbers of axes, types and for fitting each other."""

    def __init__(self, state: dict[str, torch.Tensor], version: int, path: Path) -> None:
        self.state, self.version, self.path = state, version, path

    def sizes(self) -> dict[str, int]:
        """The options that the shapes tell."""
        state = self.state
        layers = max(2, sum(name.startswith("mlp.network.") and name.endswith(".weight") for name in state))
        trace = "tau_b" if self.version == 2 else "tau_s"
        vectors = ["_proto_w_s", trace, "_proto_tau_m", "input_to_synapse_indices", "valid_indices_mask"]
        weights = [f"mlp.network.{2 * layer}" for layer in range(layers)] + ["w_y"]
        wanted = {
            **dict.fromkeys(vectors, 1),
            **{f"{n}.weight": 2 for n in weights},
            **{f"{n}.bias": 1 for n in weights},
        }
        missing, extra = [n for n in wanted if n not in state], [n for n in state if n not in wanted]
        if missing or extra:
            faults = [f"tensors are missing: {', '.join(missing)}"] if missing else []
            faults += [f"tensors of another model are there: {', '.join(extra)}"] if extra else []
            raise self._error("; ".join(faults))
        for name, axes in wanted.items():
            if state[name].dim() != axes or state[name].layout != torch.strided:
                raise self._error(f"{name} has the shape {list(state[name].shape)}, not one of {axes} axes")
        memory, output = len(state["_proto_tau_m"]), len(state["w_y.weight"])
        hidden, first = state["mlp.network.0.weight"].shape
        synapses, branches = len(state["_proto_w_s"]), first - memory
        if branches < 1 or synapses < 1 or synapses % branches:
            raise self._error(
                f"{synapses} synapses do not go on {branches} branches ({first} inputs less {memory} memories)"
            )
        routed = len(state["input_to_synapse_indices"])
        last = layers - 1
        shapes: dict[str, tuple[int, ...]] = {"_proto_w_s": (synapses,), "_proto_tau_m": (memory,)}
        shapes[trace] = (branches if self.version == 2 else synapses,)
        shapes["input_to_synapse_indices"] = shapes["valid_indices_mask"] = (synapses if routed else 0,)
        for layer, name in enumerate(weights[:-1]):
            units = memory if layer == last else hidden
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (units, hidden if layer else first), (units,)
        shapes["w_y.weight"], shapes["w_y.bias"] = (output, memory), (output,)
        for name, shape in shapes.items():
            self._check(name, shape, routed > 0)
        return {
            "num_memory": memory,
            "num_output": output,
            "num_branch": branches,
            "num_synapse_per_branch": synapses // branches,
            "mlp_num_layers": last,
            "mlp_hidden_size": hidden,
        }

    def _check(self, name: str, shape: tuple[int, ...], routed: bool) -> None:
        tensor = self.state[name]
        if tuple(tensor.shape) != shape:
            raise self._error(f"{name} has the shape {list(tensor.shape)}, and the other tensors want {list(shape)}")
        whole = {torch.int64} if name == "input_to_synapse_indices" else {torch.bool, torch.int64}
        types = whole if name.startswith(("input_to", "valid")) and routed else {torch.float32}
        if tensor.dtype not in types:
            raise self._error(f"{name} has the type {tensor.dtype}, not {' or '.join(sorted(str(t) for t in types))}")
        if name == "valid_indices_mask" and routed and not bool(((tensor == 0) | (tensor == 1)).all()):
            raise self._error(f"{name} has values other than 0 and 1, and would weigh the synapses")
        # A timescale at its upper bound has an infinite parameter in the published code.
        if bool(tensor.isnan().any() if name == "_proto_tau_m" else not tensor.isfinite().all()):
            raise self._error(f"{name} has values that are not finite")

    def _error(self, message: str) -> DataError:
        return DataError(message, where=str(self.path), hint=_HINT)


def _read_config(path: Path) -> dict[str, Any]:
    """The options of a published JSON by our names; empty where there is none. Raises DataError."""
    if not path.is_file():
        return {}
    if path.stat().st_size > _LARGEST_JSON_BYTES:
        raise DataError("the file is too large for a list of options", where=str(path), hint=_HINT)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"the file is not JSON: {error}", where=str(path), hint="restore it, or take it away") from None
    if not isinstance(content, dict):
        raise DataError("the file does not hold named options", where=str(path), hint="restore it, or take it away")
    known = {name: str(field.annotation) for name, field in ElmOptions.model_fields.items() if name != "compiled"}
    options = {}
    for name, value in content.items():
        option = _RENAMED.get(name, name)
        if option == "input_to_synapse_routing":
            value = _ROUTINGS.get(value, value) if value is None or isinstance(value, str) else value
        if option not in known:
            raise DataError(f"the option {name} is not one of an ELM neuron", where=f"{path}:{name}", hint=_HINT)
        if not _fits(value, known[option]):
            raise DataError(f"{name} is {value!r}", where=f"{path}:{name}", hint="restore the file, or take it away")
        options[option] = value
    return options


def _fits(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a field's type."""
    if value is None:
        return "None" in kind
    if isinstance(value, bool):
        return "bool" in kind
    if isinstance(value, int):
        return "int" in kind or "float" in kind
    return ("float" in kind) if isinstance(value, float) else isinstance(value, str) and "Literal" in kind


def _check_channels(state: dict[str, torch.Tensor], options: ElmOptions, path: Path) -> None:
    indices, routed = state["input_to_synapse_indices"], options.input_to_synapse_routing != "none"
    if routed != (len(indices) > 0):
        raise DataError(
            f"the routing is {options.input_to_synapse_routing}, and the checkpoint has {len(indices)} indices",
            where=str(path),
            hint=f"put the {CONFIG_NAME} of this checkpoint beside it",
        )
    if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < options.num_input):
        raise DataError(
            f"a synapse reads channel {int(indices.max())} of {options.num_input}",
            where=f"{path}:input_to_synapse_indices",
            hint=f"put the {CONFIG_NAME} of this checkpoint beside it",
        )
