"""Published checkpoints: all sizes load, outputs are those of the loop written out, and a bad file gives one clear error."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from pathlib import Path

import pytest
import torch

from neurocli.errors import DataError
from neurocli.training.compiled import has_compiler
from neurocli_elm.model.checkpoint import CONFIG_NAME, read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.routing import neuronio_routing

_spec = importlib.util.spec_from_file_location("plain_neuron", Path(__file__).parents[1].joinpath("plain_neuron.py"))
assert _spec is not None and _spec.loader is not None
_plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_plain)

NAME = "neuronio_best_model_state.pt"
SIZES = [1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 75, 100]
PUBLISHED = {"num_input": 1278, "num_output": 2, "num_branch": 45, "num_synapse_per_branch": 100}
PUBLISHED |= {"memory_tau_min": 1.0, "memory_tau_max": 150.0, "learn_memory_tau": False}


def config_of(memory, **more):
    return {"input_to_synapse_routing": "neuronio_routing", "num_memory": memory, **PUBLISHED, **more}


def neuron_of(memory, activation="relu", version=1, **more):
    torch.manual_seed(memory)
    sizes = {
        **PUBLISHED,
        "input_to_synapse_routing": "neuronio",
        "num_memory": memory,
        "mlp_activation": activation,
        **more,
    }
    neuron = ElmNeuron(ElmOptions(version=version, **sizes))
    with torch.no_grad():
        neuron._proto_w_s.add_(torch.randn_like(neuron._proto_w_s))
    return neuron


def saved(folder, state, config=None):
    torch.save(state, folder / NAME)
    if config is not None:
        (folder / CONFIG_NAME).write_text(json.dumps(config))
    return folder / NAME


@pytest.mark.parametrize(("memory", "activation"), [*((size, "relu") for size in SIZES), (100, "silu")])
def test_every_published_size_loads(memory, activation, tmp_path):
    neuron = neuron_of(memory, activation)
    more = {"mlp_activation": "silu"} if activation == "silu" else {}
    actual = read_checkpoint(saved(tmp_path, neuron.state_dict(), config_of(memory, **more)), version=1, num_input=1278)
    assert actual.options.mlp_activation == activation and actual.options.version == 1
    loaded = actual.neuron()
    assert not loaded.training
    x = torch.zeros(2, 60, 1278)
    x[torch.rand(x.shape) < 0.011] = 1.0
    torch.testing.assert_close(loaded(x), neuron(x), rtol=0, atol=0)


KNOWN = {"mlp_activation": "relu", "lambda_value": 5.0, "delta_t": 1.0}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("memory", [1, 7])
def test_without_a_json_the_tensors_tell_what_they_can_and_the_rest_is_asked_for(version, memory, tmp_path):
    neuron = neuron_of(memory, version=version, activation="silu", tau_value=5.3)
    path = saved(tmp_path, neuron.state_dict())
    with pytest.raises(DataError, match="mlp_activation, lambda_value, delta_t cannot be inferred") as caught:
        read_checkpoint(path)
    assert CONFIG_NAME in caught.value.hint and '"lambda_value": 5.0' in caught.value.hint
    with pytest.raises(DataError, match="mlp_activation cannot be inferred"):
        read_checkpoint(path, overrides={"lambda_value": 5.0, "delta_t": 1.0})
    expected = neuron.options.model_copy(update={"mlp_hidden_size": 2 * memory})
    assert read_checkpoint(path, overrides={**KNOWN, "mlp_activation": "silu"}).options == expected
    (tmp_path / CONFIG_NAME).write_text(json.dumps({**KNOWN, "mlp_activation": "silu"}))
    assert read_checkpoint(path).options == expected
    (tmp_path / CONFIG_NAME).write_text(json.dumps({"lambda_value": 5.0, "delta_t": 1.0}))
    with pytest.raises(
        DataError, match=r"mlp_activation.*cannot be inferred"
    ):  # this is no record of the published code
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"memory_tau_max": 1000.0}, r"1 to 1000 ms.*1 to 150 ms"),
        ({"memory_tau_max": 500.0}, r"1 to 500 ms.*1 to 150 ms"),
        ({"memory_tau_min": 2.0}, r"2 to 150 ms.*1 to 150 ms"),
        ({"tau_s_value": 7.0}, r"tau_s_value is 7 ms.*tau_s it has 5 ms"),
        ({"learn_w_s": False}, r"w_s_value is 0.5 and learn_w_s false.*_proto_w_s"),
        ({"input_to_synapse_routing": "random_routing"}, r"routing is random.*leaves \d+ synapses out"),
        ({"num_input": 1276}, r"neuronio, of 1276 inputs.*other channels"),
    ],
)
@pytest.mark.parametrize("memory", [1, 15])
def test_a_json_that_disagrees_with_the_weights_is_an_error_that_names_both(wrong, message, memory, tmp_path):
    if memory == 1 and "memory_tau_min" in wrong:
        pytest.skip("a single unit tells the width of the bounds, not where they lie")
    path = saved(tmp_path, neuron_of(memory).state_dict(), config_of(memory, **wrong))
    if "num_input" in wrong:
        state = dict(neuron_of(memory).state_dict())
        state["input_to_synapse_indices"] = state["input_to_synapse_indices"].clamp_max(1275)
        path = saved(tmp_path, state, config_of(memory, **wrong))
    with pytest.raises(DataError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in caught.value.where and CONFIG_NAME in caught.value.hint


def test_bounds_that_are_a_little_off_are_told_by_the_units_between_them(tmp_path):
    path = saved(tmp_path, neuron_of(15).state_dict(), config_of(15, memory_tau_max=160.0))
    with pytest.raises(DataError, match=r"1 to 160 ms.*1 to 150 ms"):
        read_checkpoint(path)


def test_a_json_without_the_bounds_means_the_published_defaults_and_is_held_to_them(tmp_path):
    config = config_of(15)
    del config["memory_tau_max"]
    with pytest.raises(DataError, match=r"1 to 1000 ms.*1 to 150 ms"):
        read_checkpoint(saved(tmp_path, neuron_of(15).state_dict(), config))


def test_timescales_that_were_learned_are_left_to_the_json(tmp_path):
    neuron = neuron_of(15, learn_memory_tau=True)
    with torch.no_grad():
        neuron._proto_tau_m.add_(torch.randn(15))
    path = saved(tmp_path, neuron.state_dict(), config_of(15, learn_memory_tau=True))
    assert read_checkpoint(path).options.learn_memory_tau
    with pytest.raises(DataError, match="no published model"):
        read_checkpoint(saved(tmp_path, neuron.state_dict(), config_of(15)))
    (tmp_path / CONFIG_NAME).unlink()
    with pytest.raises(DataError, match="bounds of the memory timescales are not known"):
        read_checkpoint(path, overrides=KNOWN)


@pytest.mark.parametrize("name", list(neuron_of(2).state_dict()))
def test_no_tensor_may_be_of_whole_numbers_but_the_channels(name, tmp_path):
    """A mask of whole numbers would be one more weight of each synapse."""
    state = dict(neuron_of(2).state_dict())
    changed = torch.full(state[name].shape, 3, dtype=torch.int64)
    if name == "input_to_synapse_indices":
        changed = state[name].to(torch.int32)
    with pytest.raises(DataError, match=name):
        read_checkpoint(saved(tmp_path, {**state, name: changed}, config_of(2)))


def test_other_routings_bounds_and_depths_are_told_by_the_tensors(tmp_path):
    deep = ElmNeuron(ElmOptions(num_input=6, num_output=3, num_memory=4, mlp_num_layers=3, mlp_hidden_size=9))
    options = read_checkpoint(saved(tmp_path, deep.state_dict()), overrides=KNOWN).options
    assert (options.mlp_num_layers, options.mlp_hidden_size, options.memory_tau_max) == (3, 9, 1000.0)
    assert options.input_to_synapse_routing == "none"
    more = {"input_to_synapse_routing": "random", "num_branch": 4, "num_synapse_per_branch": 5}
    random = ElmNeuron(ElmOptions(num_input=12, num_output=3, num_memory=4, **more))
    path = saved(tmp_path, random.state_dict())
    with pytest.raises(DataError, match="number of inputs"):
        read_checkpoint(path, overrides=KNOWN)
    loaded = read_checkpoint(path, num_input=12, overrides=KNOWN).neuron()
    assert torch.equal(loaded.input_to_synapse_indices, random.input_to_synapse_indices)


def test_a_memory_at_its_bound_may_have_the_infinite_parameter_of_the_published_code(tmp_path):
    neuron = ElmNeuron(ElmOptions(num_input=6, num_output=3, num_memory=4))
    state = {name: value.clone() for name, value in neuron.state_dict().items()}
    state["_proto_tau_m"][-1] = float("inf")
    loaded = read_checkpoint(saved(tmp_path, state), overrides=KNOWN).neuron()
    assert loaded.tau_m[-1].item() == 1000.0 and loaded(torch.ones(1, 20, 6)).isfinite().all()


class _Canary:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_that_would_execute_code_is_refused_and_does_not_run(tmp_path):
    canary = tmp_path / "canary"
    state = dict(neuron_of(3).state_dict())
    with pytest.raises(DataError, match="more than tensors"):
        read_checkpoint(saved(tmp_path, {**state, "extra": _Canary(canary)}, config_of(3)))
    assert not canary.exists()
    torch.load(tmp_path / NAME, weights_only=False)
    assert canary.exists()  # the canary works


def _without(state, name):
    return {n: v for n, v in state.items() if n != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: _without(s, "w_y.bias"), "missing: w_y.bias"),
        (lambda s: _without(s, "tau_s"), "tau_s of version 1 or tau_b of version 2"),
        (lambda s: {"weight": torch.zeros(3)}, "tau_s of version 1"),
        (lambda s: {}, "tau_s of version 1"),
        (lambda s: {**s, "head.weight": torch.zeros(2, 2)}, "another model are there: head.weight"),
        (lambda s: {**s, "w_y.weight": torch.zeros(2, 4)}, "w_y.weight has the shape"),
        (lambda s: {**s, "_proto_w_s": torch.zeros(4499)}, "4499 synapses"),
        (lambda s: {**s, "tau_s": torch.zeros(())}, "tau_s has the shape"),
        (lambda s: {**s, "w_y.bias": torch.tensor([1.0, float("nan")])}, "not finite"),
        (lambda s: {**s, "w_y.bias": torch.zeros(2, dtype=torch.float64)}, "type torch.float64"),
        (lambda s: {**s, "input_to_synapse_indices": s["input_to_synapse_indices"] + 1}, "channel 1278 of 1278"),
        (lambda s: {**s, "input_to_synapse_indices": s["input_to_synapse_indices"] - 1}, "channel"),
        (lambda s: list(s.values()), "not a state dict"),
        (lambda s: {1: torch.zeros(2)}, "not a state dict"),
    ],
)
def test_what_is_wrong_with_the_tensors_is_named(change, message, tmp_path):
    path = saved(tmp_path, change(dict(neuron_of(3).state_dict())), config_of(3))
    with pytest.raises(DataError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in (caught.value.where or "") and caught.value.hint


def test_another_size_and_another_version_are_said(tmp_path):
    path = saved(tmp_path, neuron_of(15).state_dict(), config_of(30))
    with pytest.raises(DataError, match="num_memory is 15 in the checkpoint, but 30"):
        read_checkpoint(path)
    saved(tmp_path, neuron_of(15).state_dict(), config_of(15))
    with pytest.raises(DataError, match="version 1, not of version 2") as caught:
        read_checkpoint(path, version=2)
    assert caught.value.hint is not None and "elm-v1" in caught.value.hint
    with pytest.raises(DataError, match="1278 inputs, but the data have 640"):
        read_checkpoint(path, num_input=640)
    with pytest.raises(DataError, match="num_branch is 45"):
        read_checkpoint(path, overrides={"num_branch": 9})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "named options"),
        ('{"num_memories": 3}', "num_memories is not one"),
        ('{"num_memory": "3"}', "num_memory is '3'"),
        ('{"memory_tau_max": null}', "memory_tau_max is None"),
        ('{"num_input": 1278, "num_output": 2, "input_to_synapse_routing": "some_routing"}', "not valid"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_json_that_cannot_be_is_named(text, message, tmp_path):
    path = saved(tmp_path, neuron_of(3).state_dict())
    (tmp_path / CONFIG_NAME).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_checkpoint(path)
    assert CONFIG_NAME in (caught.value.where or "")


def test_files_that_are_no_checkpoint_are_named(tmp_path):
    path = saved(tmp_path, neuron_of(3).state_dict(), config_of(3))
    whole = path.read_bytes()
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "no tensors")
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
        archive.writestr("archive/data/99", bytes(300 << 20))
    damaged = bytearray(whole)
    at = whole.index(b"data.pkl") + 80
    damaged[at : at + 200] = bytes(range(200))
    files = {"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b"", "damaged": bytes(damaged)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    cases = {"cut": "not a checkpoint", "text": "not a checkpoint", "empty": "not a checkpoint", "damaged": "damaged"}
    cases |= {"other.zip": "not one of torch.save", "packed.pt": "compressed", "nowhere": "no such file"}
    for name, message in cases.items():
        with pytest.raises(DataError, match=message):
            read_checkpoint(tmp_path / name)


# -- the given checkpoints -------------------------------------------------------------------------------------------


@pytest.fixture
def published():
    folder = Path(os.environ.get("NEUROCLI_REAL_DATA", "/nowhere")) / "elm" / "checkpoints"
    if not folder.is_dir():
        pytest.skip("NEUROCLI_REAL_DATA has no elm/checkpoints")
    return folder


@pytest.mark.realdata
@pytest.mark.parametrize("memory", [15, 30])
def test_given_checkpoints_load_and_answer_as_the_loop_written_out(memory, published):
    actual = read_checkpoint(published / f"num_memory_{memory}" / NAME, version=1, num_input=1278)
    assert actual.options.num_memory == memory
    state = actual.state
    indices, valid = neuronio_routing(1278, 45, 100)
    assert torch.equal(state["input_to_synapse_indices"], indices) and torch.equal(state["valid_indices_mask"], valid)
    neuron = actual.neuron()
    fresh = ElmNeuron(actual.options)
    assert list(neuron.state_dict()) == list(state) and torch.equal(fresh._proto_tau_m, state["_proto_tau_m"])
    assert sum(p.numel() for p in neuron.parameters() if p.requires_grad) == {15: 6827, 30: 10952}[memory]

    x = (torch.rand(1, 500, 1278, generator=torch.Generator().manual_seed(3)) < 0.011).float()
    x[..., 639:] *= -1
    exact = {name: value.double() for name, value in state.items()}
    expected = torch.tensor(
        _plain.plain_outputs(actual.options, exact, x[0].tolist(), as_float=True), dtype=torch.float64
    )
    assert expected[:, 1].std() > 0.05
    with torch.no_grad():
        for compiled in (False, True) if has_compiler() else (False,):
            neuron.compiled = compiled
            assert (neuron(x)[0] - expected).abs().max() <= 1e-5
        sample, step, channel = x.nonzero(as_tuple=True)
        sparse = neuron.neuronio_output(neuron_events(step, channel, x[sample, step, channel], sample))
    assert (sparse.soma_mv[0] - 10 * expected[:, 1]).abs().max() <= 1e-4
    assert (sparse.spike_probability[0] - torch.sigmoid(expected[:, 0])).abs().max() <= 1e-5


def neuron_events(step, channel, sign, sample):
    from neurocli_elm.data.events import InputEvents

    return InputEvents(step, channel, sign, sample, 500, 1)


@pytest.mark.realdata
def test_a_given_checkpoint_without_its_json_gives_the_same_options(published, tmp_path):
    source = published / "num_memory_15" / NAME
    (tmp_path / NAME).write_bytes(source.read_bytes())
    with pytest.raises(DataError, match="mlp_activation"):
        read_checkpoint(tmp_path / NAME)
    assert read_checkpoint(tmp_path / NAME, overrides=KNOWN).options == read_checkpoint(source).options
