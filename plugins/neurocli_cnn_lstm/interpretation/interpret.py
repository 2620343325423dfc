"""What a trained model has learned, part by part, compared with the network that made the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.evaluation.target import Prediction
from neurocli.interpretation.weight_matrix import draw_weights
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_cnn_lstm.interpretation.connectivity import connectivity_exhibit
from neurocli_cnn_lstm.interpretation.gates import gate_exhibit
from neurocli_cnn_lstm.model.v1 import PublishedCnnLstm
from neurocli_cnn_lstm.model.v2 import PARTS, StructuredCnnLstm


def interpretation_exhibits(family: Any, trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """All exhibits; what needs known truth says so where there is none."""
    return [
        _filters(trained, figures),
        gate_exhibit(trained, figures),
        _attribution(trained, figures),
        _ablation(family, trained, figures),
        _membrane(trained, figures),
        connectivity_exhibit(trained, figures),
    ]


def _filters(trained: TrainedModel, figures: Path) -> Exhibit:
    network = trained.network
    rows: list[list[Any]] = []
    path = figures / "filters.png"
    if isinstance(network, StructuredCnnLstm):
        weight, conv = network.synapse.weight.detach().numpy(), network.membrane.conv.weight.detach().numpy()
        with saved_figure(path, ncols=2, width=9, height=3.6) as (figure, axes):
            limit = np.abs(weight).max() or 1
            figure.colorbar(draw_weights(axes[0], weight, float(limit)), ax=axes[0])
            axes[0].set(title="learned synaptic weights", xlabel="from neuron", ylabel="to neuron")
            for k, filter_ in enumerate(conv[:, 0]):
                axes[1].plot(-np.arange(conv.shape[2]) * trained.dataset.spec["dt_ms"], filter_, "o-", label=f"{k}")
            axes[1].set(title="filters of the membrane on its own voltage", xlabel="lag (ms)", ylabel="weight")
        for name, kernel in (
            ("membrane", conv),
            ("arrival gate", network.synapse.release_conv.weight.detach().numpy()),
        ):
            rows += [[name, k, *(float(v) for v in filter_[0])] for k, filter_ in enumerate(kernel)]
        return Exhibit(
            "filters",
            "Filters on a neuron's own voltage",
            Table(
                ["filters of", "number", "lag 0", "lag 1", "lag 2"],
                rows,
                "weights by lag in samples; 0 is the last sample seen",
            ),
            path,
        )
    assert isinstance(network, PublishedCnnLstm)
    convs = [layer for layer in network.cnn if isinstance(layer, torch.nn.Conv1d)]
    with saved_figure(path, ncols=len(convs), width=9, height=3.6) as (_, axes):
        for number, (axis, conv_layer) in enumerate(zip(axes, convs, strict=True), 1):
            strength = conv_layer.weight.detach().norm(dim=2).numpy()
            axis.imshow(strength, cmap="viridis")
            axis.set(
                title=f"convolution {number}: time step to time step", xlabel="input sample", ylabel="output sample"
            )
            rows.append([number, *conv_layer.weight.shape, float(strength.mean()), float(strength[:, -10:].mean())])
    columns = ["convolution", "output samples", "input samples", "kernel width (neurons)"]
    columns += ["mean norm", "mean norm, last 10 input samples"]
    note = "kernels slide over the index of neurons, although neighbours by index are not neighbours in the network"
    return Exhibit("filters", "Filters of the convolutions", Table(columns, rows, note), path)


def _forecast(trained: TrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's forecast [k, neuron] of the sample after each context."""
    if isinstance(trained.network, StructuredCnnLstm):
        return trained.network(batch["v"], batch.get("flag")).mean[:, -1]
    return trained.network(batch["v"])


def _contexts(trained: TrainedModel, length: int, per_run: int) -> dict[str, torch.Tensor]:
    dataset: Any = trained.dataset
    batches = []
    for group in dataset.split.test:
        origins = np.linspace(trained.config.evaluate.context, dataset.place[group][2] - 2, per_run).astype(np.int64)
        batches.append(dataset.contexts(group, origins, length))
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def _attribution(trained: TrainedModel, figures: Path) -> Exhibit:
    """By lag: how much the forecast moves when that sample is hidden, and the integrated gradient of the own voltage."""
    length = trained.config.model.window if isinstance(trained.network, PublishedCnnLstm) else 40
    batch = _contexts(trained, length, 12)
    lags = [lag for lag in (0, 1, 2, 3, 5, 10, 20, 30) if lag < length]
    with torch.no_grad():
        forecast = _forecast(trained, batch)
        occlusion = []
        for lag in lags:
            hidden = {key: value.clone() for key, value in batch.items()}
            for value in hidden.values():
                value[:, length - 1 - lag] = 0
            occlusion.append(float((_forecast(trained, hidden) - forecast).abs().mean()))
    neurons = np.linspace(0, forecast.shape[1] - 1, min(8, forecast.shape[1])).astype(int)
    total = torch.zeros(length)
    steps = 16
    small = {key: value[:16] for key, value in batch.items()}
    for neuron in neurons:
        gradient = torch.zeros_like(small["v"])
        for step in range(steps):
            scaled = (small["v"] * ((step + 0.5) / steps)).requires_grad_(True)
            (g,) = torch.autograd.grad(_forecast(trained, small | {"v": scaled})[:, neuron].sum(), scaled)
            gradient += g / steps
        total += (gradient * small["v"]).detach()[:, :, neuron].abs().mean(0)
    attributed = [float(total[length - 1 - lag] / len(neurons)) for lag in lags]
    path = figures / "attribution.png"
    with saved_figure(path, width=5.5, height=3.4) as (_, axis):
        at = np.array(lags) * trained.dataset.spec["dt_ms"]
        axis.plot(at, occlusion, "o-", label="occlusion, all neurons")
        axis.plot(at, attributed, "s-", label="integrated gradient, own voltage")
        axis.set(xlabel="lag (ms)", ylabel="change of the forecast (z)", yscale="log")
        axis.legend()
    rows = [[lag * trained.dataset.spec["dt_ms"], o, a] for lag, o, a in zip(lags, occlusion, attributed, strict=True)]
    return Exhibit(
        "attribution",
        "Contribution of past samples to the forecast, by lag",
        Table(["lag (ms)", "occlusion (z)", "integrated gradient (z)"], rows),
        path,
    )


def _ablation(family: Any, trained: TrainedModel, figures: Path) -> Exhibit:
    """R² on the whole test set with one part left out."""
    r2 = family.metrics(trained.dataset, trained.config)[0]
    target = family.targets(trained.dataset, trained.config)[0]

    def score(prediction: Prediction) -> float:
        return float(r2.value(sum(r2.statistics(target.values[g], prediction.values[g]) for g in target.groups)))

    rows: list[list[Any]] = [["nothing", score(family.predict(trained, target)), 0.0]]
    network = trained.network
    for part in PARTS if isinstance(network, StructuredCnnLstm) else ("residual", "cnn"):
        with _without(network, part):
            value = score(family.predict(trained, target))
        rows.append([part, value, value - rows[0][1]])
    path = figures / "ablation.png"
    with saved_figure(path, width=5, height=3) as (_, axis):
        axis.barh([row[0] for row in rows], [row[1] for row in rows])
        axis.set(xlabel=f"R², {target.name} ahead", xlim=(min(0, *(r[1] for r in rows)), 1))
    claims = {f"r2_without_{row[0]}": row[1] for row in rows[1:]} | {"r2": rows[0][1]}
    return Exhibit(
        "ablation",
        f"R2 with one part left out, {target.name} ahead",
        Table(["part left out", "R2", "change of R2"], rows),
        path,
        claims,
    )


class _without:
    """Leave a part of a model out for a while."""

    def __init__(self, network: torch.nn.Module, part: str) -> None:
        self.network, self.part = network, part

    def __enter__(self) -> None:
        self.hooks: list[Any] = []
        if isinstance(self.network, StructuredCnnLstm):
            part = self.part

            def leave_out(network: Any, args: Any, kwargs: Any) -> Any:
                return args, {**kwargs, "ablate": (part,)}

            self.hooks.append(self.network.register_forward_pre_hook(leave_out, with_kwargs=True))
        else:
            target = getattr(self.network, self.part)
            self.hooks.append(target.register_forward_hook(lambda network, args, output: torch.zeros_like(output)))

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()


@torch.no_grad()
def _membrane(trained: TrainedModel, figures: Path) -> Exhibit:
    """The learned f(v), next voltage given the last, beside what the test data really did, and the time constant it implies."""
    dataset: Any = trained.dataset
    target_length = trained.config.model.window if isinstance(trained.network, PublishedCnnLstm) else 60
    last_voltages, predicted, observed = [], [], []
    for group in dataset.split.test:
        origins = np.arange(max(trained.config.evaluate.context, target_length), dataset.place[group][2] - 1, 10)
        for chunk in np.array_split(origins, max(1, len(origins) // 256)):
            forecast = _forecast(trained, dataset.contexts(group, chunk, target_length))
            predicted.append(dataset.normalisation.restore(forecast.numpy()))
            last_voltages.append(dataset.volts(group)[chunk])
            observed.append(dataset.volts(group)[chunk + 1])
    last, model, truth = (np.concatenate(chunks).ravel() for chunks in (last_voltages, predicted, observed))
    low, high = np.percentile(last, [0.5, 99.5])
    edges = np.linspace(low, high, 41)
    place = np.digitize(last, edges) - 1
    rows = [
        [
            float((edges[k] + edges[k + 1]) / 2),
            float(model[place == k].mean()),
            float(truth[place == k].mean()),
            int((place == k).sum()),
        ]
        for k in range(40)
        if (place == k).sum() >= 20
    ]
    # Away from reset and threshold the membrane is linear: its slope over one step is exp(-dt/tau).
    linear = [r for r in rows if low + 0.2 * (high - low) < r[0] < low + 0.6 * (high - low)]
    claims: dict[str, Any] = {"rms_difference": float(np.sqrt(np.mean([(r[1] - r[2]) ** 2 for r in rows])))}
    for name, column in (("model", 1), ("data", 2)):
        slope = (
            float(np.polyfit([r[0] for r in linear], [r[column] for r in linear], 1)[0])
            if len(linear) > 2
            else float("nan")
        )
        claims[f"tau_ms_{name}"] = -dataset.dt_ms / np.log(slope) if 0 < slope < 1 else None
    path = figures / "membrane.png"
    with saved_figure(path, width=5, height=3.6) as (_, axis):
        axis.plot([r[0] for r in rows], [r[2] for r in rows], "k-", lw=2, label="data: mean observed voltage")
        axis.plot([r[0] for r in rows], [r[1] for r in rows], "o", ms=4, label="model: mean forecast")
        axis.set(xlabel=f"voltage ({dataset.unit})", ylabel=f"voltage one step later ({dataset.unit})")
        axis.legend()
    return Exhibit(
        "membrane",
        "Voltage one step later as a function of the voltage",
        Table(
            [f"voltage ({dataset.unit})", f"model, next ({dataset.unit})", f"data, next ({dataset.unit})", "samples"],
            rows[:: max(1, len(rows) // 10)],
        ),
        path,
        claims,
    )
