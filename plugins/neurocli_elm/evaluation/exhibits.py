"""What an evaluation shows beyond the scoreboard: the published protocol, and the predictions of one simulation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.colours import EXCITATORY, INHIBITORY
from neurocli.report.figure import saved_figure
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import MOST_SPIKES, SOMA_BIAS_MV, soma_target_mv
from neurocli_elm.evaluation import protocol
from neurocli_elm.evaluation.references import predict_windows
from neurocli_elm.evaluation.spike_scores import FALSE_POSITIVES
from neurocli_elm.evaluation.targets import TargetChannel

SHOWN_MS, LEAD_MS = 2000, 400
_MODEL = "#009E73"


def evaluation_exhibits(trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
    """The table of both protocols, and the voltages of one simulation."""
    dataset = trained.dataset
    assert isinstance(dataset, SimulationData)
    prediction = next(iter(predictions.values()))
    exhibits = [_voltages(dataset, prediction, figures / "voltages.png")]
    if trained.config.evaluate.published:
        exhibits.insert(0, published(trained))
    return exhibits


def published(trained: TrainedModel) -> Exhibit:
    """The published evaluation of the model, and the same predictions without rescaling to the test files."""
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, SimulationData)
    files: dict[str, list[str]] = {}
    for group in dataset.split.test:
        files.setdefault(str(dataset.load(group).labels.get("file", "simulated")), []).append(group)
    try:
        file_predictions = [
            protocol.predictions(
                [dataset.load(g) for g in groups], partial(predict_windows, network), labels=dataset.options.event
            )
            for groups in files.values()
        ]
        scored = {
            "published": protocol.published_scores(file_predictions),
            "without rescaling": protocol.plain_scores(file_predictions),
        }
    except DataError as error:
        table = Table(["protocol", "reason"], [["published", error.message]])
        return Exhibit("published-protocol", "The published protocol", table, None, {})
    rows = [[name, *_row(scores)] for name, scores in scored.items()]
    first = scored["published"]
    reason = first.spikes.undefined
    note = (
        f"windows of 500 ms, each starting from a state of zero; {first.simulations} simulation{'s' if first.simulations != 1 else ''}, {first.excluded} left out for more than {MOST_SPIKES} "
        f"output spikes; {first.spikes.positives} steps with an output spike. Published: the soma predictions of each file are rescaled to "
        "the mean and standard deviation of its own targets, which no user of a model could do. TP@N: true positive rate at a "
        "false positive rate of N; pAUC@N: its mean over false positive rates below N"
        + (f". {reason}" if reason else "")
    )
    columns = ["protocol", "AUC", "AP", *(f"TP@{rate:g}" for rate in FALSE_POSITIVES)]
    columns += [*(f"pAUC@{rate:g}" for rate in FALSE_POSITIVES), "RMSE (mV)", "MAE (mV)", "EV (%)"]
    claims: dict[str, Any] = {
        f"{name.split()[0]}_{key}": value
        for name, scores in scored.items()
        for key, value in (
            ("auc", scores.spikes.auc),
            ("rmse_mv", scores.soma.rmse_mv),
            *((f"auc_at_{rate:g}", scores.spikes.partial_auc.get(rate)) for rate in FALSE_POSITIVES),
        )
    }
    return Exhibit("published-protocol", "The published protocol", Table(columns, rows, note), None, claims)


def _row(scores: protocol.Scores) -> list[Any]:
    spikes, soma = scores.spikes, scores.soma
    at = [part.get(rate) for part in (spikes.true_positives, spikes.partial_auc) for rate in FALSE_POSITIVES]
    return [spikes.auc, spikes.average_precision, *at, soma.rmse_mv, soma.mae_mv, soma.explained_percent]


def _busiest(events: NDArray[Any], first: int, steps: int) -> int:
    """Start of the stretch that shows most output spikes, each with what led to it; `first` where there is none."""
    last = max(first, steps - SHOWN_MS)
    starts = [min(max(first, int(event) - LEAD_MS), last) for event in events if event >= first] or [first]
    return max(starts, key=lambda start: int(((events >= start) & (events < start + SHOWN_MS)).sum()))


def _voltages(dataset: SimulationData, prediction: Prediction, path: Path) -> Exhibit:
    """Input raster, voltage and spike probability of the test simulation whose number of output spikes is the median."""
    spikes = {g: len(dataset.load(g).events[dataset.options.event]) for g in prediction.values}
    group = sorted(spikes, key=lambda g: spikes[g])[len(spikes) // 2]
    recording, first = dataset.load(group), dataset.options.burn_in_ms
    soma_mv, probability = (prediction.values[group][:, channel] for channel in TargetChannel)
    events = recording.events[dataset.options.event]
    time, cell_mv = np.arange(first, recording.steps), soma_target_mv(recording)[first:]
    begin = _busiest(events, first, recording.steps)
    shown = (time >= begin) & (time < begin + SHOWN_MS)
    inputs = recording.spikes
    assert inputs is not None
    above: dict[str, Any] = {
        "loc": "lower right",
        "bbox_to_anchor": (1, 0.97),
        "ncols": 2,
        "fontsize": 8,
        "frameon": False,
    }
    with saved_figure(path, nrows=3, width=8.0, height=6.4) as (_, (raster, soma, spike)):
        seen = (inputs.step >= begin) & (inputs.step < begin + SHOWN_MS)
        step, channel = inputs.step[seen], inputs.channel[seen]
        exciting = dataset.exciting[channel]
        for chosen, colour, label in ((exciting, EXCITATORY, "excitatory"), (~exciting, INHIBITORY, "inhibitory")):
            raster.plot(step[chosen], channel[chosen], ".", ms=1.0, color=colour, label=label)
        raster.set(ylabel="input", xlim=(begin, begin + SHOWN_MS))
        raster.legend(**above, markerscale=8)
        soma.plot(time[shown], cell_mv[shown] + SOMA_BIAS_MV, color="0.4", lw=1.2, label="cell")
        soma.plot(time[shown], soma_mv[shown] + SOMA_BIAS_MV, color=_MODEL, lw=1.0, label="model")
        soma.set(ylabel="soma (mV)", xlim=(begin, begin + SHOWN_MS))
        soma.legend(**above)
        for number, event in enumerate(events[(events >= begin) & (events < begin + SHOWN_MS)]):
            spike.axvline(event, color="0.7", lw=1.5, label="output spike of the cell" if number == 0 else None)
        spike.plot(time[shown], probability[shown], color=_MODEL, lw=1.0, label="model")
        # Probabilities per ms are small even where the model is right: the axis goes as far as they do.
        top = min(1.0, 1.1 * float(probability[shown].max()) + 1e-6)
        spike.set(ylabel="spike probability\nper ms", xlabel="time (ms)", xlim=(begin, begin + SHOWN_MS), ylim=(0, top))
        spike.legend(**above)
    error = soma_mv - cell_mv
    row = [group, int(spikes[group]), float(np.sqrt(np.mean(error**2)))]
    table = Table(
        ["simulation", "output spikes", "RMSE (mV)"],
        [row],
        "the test simulation with the median number of output spikes; its figure shows the 2 s with most of them, the voltage clipped at -55 mV",
    )
    return Exhibit("voltages", "Voltage and spike probability of one simulation", table, path, {})
