"""What `evaluate` shows beside the scoreboard: per neuron, real residuals, context length, spike probability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from neurocli.evaluation.quantiles import quantiles
from neurocli.evaluation.target import Prediction
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli.training.devices import device_of
from neurocli_cnn_lstm.evaluation.spike_scores import spike_scores
from neurocli_cnn_lstm.evaluation.targets import neuron_types

CONTEXTS = (1, 2, 3, 5, 10, 20, 50, 100, 150)
LONGEST_CONTEXT = 50
"""Samples of the structured model's longest context; the published one sees its whole window."""
_SPIKE_ROWS = {
    "auroc": "AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "brier_of_base_rate": "Brier score of the base rate",
}
_PERCENTILES = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.9)
MOST_SPIKES = 500_000
"""Spikes whose probabilities are scored together: those of more runs are left out, and this is said."""
_CONTEXTS_AT_ONCE = 50
CONTEXT_PROBES = 200
"""Origins at which context lengths are tried, over all test runs: each is a target of every neuron."""


def evaluation_exhibits(
    family: Any, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path
) -> list[Exhibit]:
    """Exhibits of a trained model on its test runs; all from the predictions that were scored."""
    target = family.targets(trained.dataset, trained.config)[0]
    prediction = predictions[target.name]
    exhibits = [
        _per_neuron(family, trained, target, prediction, figures),
        _residuals(target, prediction, figures),
        _context(family, trained, figures),
    ]
    if "spike_probability" in prediction.extra:
        exhibits.append(_spikes(target, prediction, figures))
    return exhibits


def _per_neuron(family: Any, trained: TrainedModel, target: Any, prediction: Prediction, figures: Path) -> Exhibit:
    r2, _, rmse_mv, _, _ = family.metrics(trained.dataset, trained.config)
    groups = target.groups
    r2_by_neuron = r2.per_channel(sum(r2.statistics(target.values[g], prediction.values[g]) for g in groups))
    rmse_by_neuron = rmse_mv.per_channel(
        sum(rmse_mv.statistics(target.values[g], prediction.values[g]) for g in groups)
    )
    types = neuron_types(trained.dataset)  # type: ignore[arg-type]
    letters = [
        "?" if types is None else "E" if t == 1 else "I"
        for t in (types if types is not None else np.zeros(len(r2_by_neuron)))
    ]
    order = np.argsort(r2_by_neuron)[::-1]
    shown = order if len(order) <= 12 else np.concatenate([order[:5], order[-5:]])
    rows = [
        [int(np.flatnonzero(order == k)[0]) + 1, int(k), letters[k], float(r2_by_neuron[k]), float(rmse_by_neuron[k])]
        for k in shown
    ]
    with saved_figure(figures / "per_neuron.png", ncols=2, width=9, height=3.4) as (_, axes):
        side = int(np.ceil(np.sqrt(len(r2_by_neuron))))
        grid = np.full(side * side, np.nan)
        grid[: len(r2_by_neuron)] = r2_by_neuron
        image = axes[0].imshow(grid.reshape(side, side), cmap="viridis")
        axes[0].set(title="R² of each neuron, in the order of their index", xticks=[], yticks=[])
        axes[0].title.set_fontsize(8)
        axes[0].figure.colorbar(image, ax=axes[0])
        for letter, colour in (("E", "tab:blue"), ("I", "tab:red"), ("?", "tab:grey")):
            ranks = [i for i, k in enumerate(order) if letters[k] == letter]
            if ranks:
                axes[1].plot(ranks, r2_by_neuron[order[ranks]], ".", color=colour, label=letter)
        axes[1].set(xlabel="rank", ylabel="R²", title="R² by rank")
        axes[1].legend()
    claims: dict[str, Any] = {
        f"r2_{name}": float(np.mean([v for v, l in zip(r2_by_neuron, letters, strict=True) if l == name]))
        for name in sorted(set(letters))
    }
    claims |= {
        "r2_min": float(r2_by_neuron.min()),
        "r2_max": float(r2_by_neuron.max()),
        "r2": [float(v) for v in r2_by_neuron],
    }
    note = (
        "all neurons"
        if len(shown) == len(order)
        else "the five neurons with the highest R2 and the five with the lowest"
    )
    table = Table(["rank", "neuron", "type", "R2", f"RMSE ({target.unit})"], rows, note)
    return Exhibit("per-neuron", f"R2 of each neuron, {target.name} ahead", table, figures / "per_neuron.png", claims)


def _residuals(target: Any, prediction: Prediction, figures: Path) -> Exhibit:
    def errors() -> Iterator[NDArray[np.float32]]:
        return ((prediction.values[g] - target.values[g]).ravel() for g in target.groups)

    least, *percentiles, most = quantiles(errors, [0.0, *(p / 100 for p in _PERCENTILES), 1.0])
    count = sum(len(error) for error in errors())
    mean = np.sum([error.astype(np.float64).sum() for error in errors()]) / count
    second, third, fourth = _powers(errors, mean) / count
    with np.errstate(invalid="ignore", divide="ignore"):
        sd, skew, kurtosis = np.sqrt([second]).item(), float(third / second**1.5), float(fourth / second**2 - 3)
    outliers = sum(int((np.abs(error - mean) > 3 * sd).sum()) for error in errors()) / count
    edges = np.histogram_bin_edges(np.array([least, most]), 200)
    density = sum(np.histogram(error, edges)[0] for error in errors())
    with saved_figure(figures / "residuals.png", width=6, height=3.4) as (_, axis):
        axis.hist(edges[:-1], edges, weights=density, density=True, color="tab:blue", alpha=0.7, label="residuals")
        x = np.linspace(least, most, 500)
        axis.plot(x, stats.norm.pdf(x, mean, sd), "k--", lw=1, label="normal of the same sd")
        axis.set(yscale="log", ylim=(1e-6, None), xlabel=f"prediction - target ({target.unit})", ylabel="density")
        axis.legend()
    rows = [
        [name, float(v)]
        for name, v in zip(
            ("0.1 %", "1 %", "5 %", "25 %", "median", "75 %", "95 %", "99 %", "99.9 %"), percentiles, strict=True
        )
    ]
    rows += [
        ["mean (bias)", float(mean)],
        ["sd", sd],
        ["skewness", skew],
        ["excess kurtosis", kurtosis],
        ["share beyond 3 sd", outliers],
    ]
    claims = {"skew": skew, "excess_kurtosis": kurtosis, "bias": float(mean), "outliers": outliers}
    return Exhibit(
        "residuals",
        "Distribution of the residuals, prediction minus target",
        Table(
            ["statistic", "value"], rows, f"percentiles, mean and sd in {target.unit}; the other values have no unit"
        ),
        figures / "residuals.png",
        claims,
    )


@torch.no_grad()
def _context(family: Any, trained: TrainedModel, figures: Path) -> Exhibit:
    """R² when the model sees only the last samples; earlier ones are left out (v2) or replaced by the mean (v1)."""
    dataset: Any = trained.dataset
    r2 = family.metrics(dataset, trained.config)[0]
    window = getattr(trained.config.model, "window", 150)
    fixed = not family.uses_flag
    rows = []
    tested = [group for group in dataset.split.test if group in dataset.place]
    samples = sum(dataset.place[group][2] - trained.config.evaluate.context for group in tested)
    stride = max(20, samples // CONTEXT_PROBES)
    for context in [c for c in CONTEXTS if c <= (window if fixed else LONGEST_CONTEXT)]:
        total: Any = 0
        for group in tested:
            origins = np.arange(trained.config.evaluate.context, dataset.place[group][2] - 1, stride)
            forecasts = []
            for some in np.array_split(origins, -(-len(origins) // _CONTEXTS_AT_ONCE)):
                batch = dataset.contexts(group, some, window if fixed else context, device_of(trained.network))
                if fixed:
                    batch["v"][:, : window - context] = 0
                    z = trained.network(batch["v"])
                else:
                    z = trained.network(batch["v"], batch.get("flag")).mean[:, -1]
                forecasts.append(dataset.normalisation.restore(z.cpu().numpy()))
            total = total + r2.statistics(dataset.volts(group)[origins + 1], np.concatenate(forecasts))
        rows.append([context, context * dataset.dt_ms, float(r2.value(total))])
    with saved_figure(figures / "context.png", width=5, height=3.2) as (_, axis):
        axis.plot([r[1] for r in rows], [r[2] for r in rows], "o-")
        axis.set(xscale="log", xlabel="context (ms)", ylabel="R²")
    return Exhibit(
        "context-length",
        f"R2 by length of context, {dataset.dt_ms:g} ms ahead",
        Table(["context (samples)", "context (ms)", "R2"], rows, f"origins are {stride} samples apart"),
        figures / "context.png",
        {"r2_by_ms": {str(r[1]): r[2] for r in rows}},
    )


def _spikes(target: Any, prediction: Prediction, figures: Path) -> Exhibit:
    """How well a spike within the next sample is predicted. Clamped neurons cannot spike and are counted, as the table counts them."""
    groups = _within(target)

    def runs() -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
        for group in groups:
            yield target.subsets["spike"][group].ravel(), prediction.extra["spike_probability"][group].ravel()

    targets, spikes = np.sum([(len(spiked), spiked.sum()) for spiked, _ in runs()], axis=0).tolist()
    base_rate = spikes / targets
    rows: list[list[Any]] = [["targets", targets], ["spikes", spikes], ["base rate", base_rate]]
    claims: dict[str, Any] = {"base_rate": base_rate}
    scores = spike_scores(runs)
    if scores:
        claims |= {**scores, "brier_of_base_rate": base_rate * (1 - base_rate)}
        rows += [[_SPIKE_ROWS[key], value] for key, value in claims.items() if key != "base_rate"]
    edges = np.unique(quantiles(lambda: (probability for _, probability in runs()), np.linspace(0, 1, 21).tolist()))
    sums = sum(_in_bins(edges, spiked, probability) for spiked, probability in runs())
    points = [(probability / n, spiked / n) for n, probability, spiked in np.asarray(sums).T if n]
    with saved_figure(figures / "spike_calibration.png", width=4, height=3.6) as (_, axis):
        axis.plot([0, 1], [0, 1], "k--", lw=1)
        axis.plot(*zip(*points, strict=True), "o-")
        axis.set(
            xlabel="predicted spike probability", ylabel="share that spiked", title="calibration, 20 bins of equal size"
        )
    return Exhibit(
        "spike-probability",
        "Prediction of spikes within the next sample",
        Table(["", "value"], rows, "" if len(groups) == len(target.groups) else f"the first {len(groups)} test runs"),
        figures / "spike_calibration.png",
        claims,
    )


def _within(target: Any) -> list[str]:
    """The first test runs that have no more than MOST_SPIKES, at least one."""
    spikes = np.cumsum([int(target.subsets["spike"][group].sum()) for group in target.groups])
    return target.groups[: max(1, int((spikes <= MOST_SPIKES).sum()))]


def _in_bins(edges: NDArray[np.floating], spiked: NDArray[np.bool_], probability: NDArray[np.float32]) -> NDArray[Any]:
    """[3, bin]: targets, sum of their probabilities, spikes."""
    place, bins = np.digitize(probability, edges[1:-1]), max(len(edges) - 1, 1)
    return np.stack([np.bincount(place, weights, bins) for weights in (None, probability, spiked)])


def _powers(errors: Callable[[], Iterable[NDArray[np.float32]]], mean: float) -> NDArray[np.float64]:
    """Sums of the second, third and fourth power of deviations from the mean."""
    total = np.zeros(3)
    for error in errors():
        deviation = error - np.float64(mean)
        square = deviation**2
        total += square.sum(), (square * deviation).sum(), (square**2).sum()
    return total
