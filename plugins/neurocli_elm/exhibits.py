"""What an evaluation shows beyond the scoreboard: the published protocol beside ours, and what the answers look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.errors import DataError
from neurocli.evaluation.question import Prediction
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import Trained
from neurocli.report.figure import saved_figure
from neurocli_elm import protocol
from neurocli_elm.data import SimulationData
from neurocli_elm.model import ElmNeuron
from neurocli_elm.questions import SOMA, SPIKE
from neurocli_elm.windows import SOMA_BIAS_MV, Windows, soma_target_mv

SHOWN_MS = 2000


def evaluation_exhibits(trained: Trained, answers: dict[str, Prediction], figures: Path) -> list[Exhibit]:
    """The table of both protocols, and traces of one simulation."""
    data = trained.data
    assert isinstance(data, SimulationData)
    answer = next(iter(answers.values()))
    found = [_traces(data, answer, figures / "traces.png")]
    if trained.config.evaluate.published:
        found.insert(0, published(trained))
    return found


def published(trained: Trained) -> Exhibit:
    """The published evaluation of the model, and the same predictions without realignment on the test files."""
    data, module = trained.data, trained.module
    assert isinstance(data, SimulationData) and isinstance(module, ElmNeuron)
    files: dict[str, list[str]] = {}
    for group in data.split.test:
        files.setdefault(str(data.load(group).labels.get("file", "simulated")), []).append(group)
    try:
        each = [
            protocol.answers([data.load(g) for g in groups], _predictor(module), labels=data.options.event)
            for groups in files.values()
        ]
        scored = {"published": protocol.published_scores(each), "without realignment": protocol.plain_scores(each)}
    except DataError as error:
        table = Table(["protocol", "why not"], [["published", error.message]])
        return Exhibit("published-protocol", "The published protocol", table, None, {})
    rows = [[name, *_row(scores)] for name, scores in scored.items()]
    first = scored["published"]
    reason = first.spikes.undefined
    note = (
        f"windows of 500 ms, each from a state of zero; {first.simulations} simulations, {first.excluded} left out for more than 24 "
        f"output spikes; {first.spikes.positives} steps with a spike. Published: each file's soma predictions are moved to the mean "
        "and the standard deviation of its own targets, which no user of a model could do"
        + (f". {reason}" if reason else "")
    )
    columns = ["protocol", "AUC", "AP", "TP@0.0025", "TP@0.01", "RMSE mV", "MAE mV", "EV %"]
    claims: dict[str, Any] = {
        f"{name.split()[0]}_{key}": value
        for name, scores in scored.items()
        for key, value in (("auc", scores.spikes.auc), ("rmse_mv", scores.soma.rmse_mv))
    }
    return Exhibit("published-protocol", "The published protocol", Table(columns, rows, note), None, claims)


def _row(scores: protocol.Scores) -> list[Any]:
    spikes, soma = scores.spikes, scores.soma
    at = [spikes.true_positives.get(rate) for rate in (0.0025, 0.01)]
    return [spikes.auc, spikes.average_precision, *at, soma.rmse_mv, soma.mae_mv, soma.explained_percent]


def _predictor(module: ElmNeuron) -> Callable[[Windows], Any]:
    device = next(module.parameters()).device

    @torch.no_grad()
    def predict(windows: Windows) -> tuple[Any, Any]:
        spike, soma = module.neuronio_output(windows.input_events().to(device))
        return spike.cpu().numpy(), soma.cpu().numpy()

    return predict


def _traces(data: SimulationData, answer: Prediction, path: Path) -> Exhibit:
    """Input raster, voltage and spike probability of the test simulation whose number of output spikes is the median."""
    spikes = {g: len(data.load(g).events[data.options.event]) for g in answer.values}
    group = sorted(spikes, key=lambda g: spikes[g])[len(spikes) // 2]
    recording, values, first = data.load(group), answer.values[group], data.options.ignored
    time = np.arange(first, recording.steps)
    shown = time < first + SHOWN_MS
    inputs = recording.spikes
    assert inputs is not None
    with saved_figure(path, nrows=3, width=8.0, height=6.0) as (_, (raster, soma, spike)):
        seen = (inputs.step >= first) & (inputs.step < first + SHOWN_MS)
        step, channel = inputs.step[seen], inputs.channel[seen]
        exciting = channel < data.excitatory
        for chosen, colour, label in ((exciting, "#c0392b", "excitatory"), (~exciting, "#2471a3", "inhibitory")):
            raster.plot(step[chosen], channel[chosen], ",", color=colour, label=label)
        raster.set(ylabel="input", xlim=(first, first + SHOWN_MS))
        raster.legend(loc="upper right", fontsize=8, markerscale=30)
        soma.plot(
            time[shown], soma_target_mv(recording)[first:][shown] + SOMA_BIAS_MV, color="0.4", lw=1.2, label="cell"
        )
        soma.plot(time[shown], values[shown, SOMA] + SOMA_BIAS_MV, color="#d35400", lw=1.0, label="model")
        soma.set(ylabel="soma (mV)", xlim=(first, first + SHOWN_MS))
        soma.legend(loc="upper right", fontsize=8)
        events = recording.events[data.options.event]
        for event in events[(events >= first) & (events < first + SHOWN_MS)]:
            spike.axvline(event, color="0.7", lw=1.5)
        spike.plot(time[shown], values[shown, SPIKE], color="#d35400", lw=1.0)
        spike.set(ylabel="spike probability", xlabel="time (ms)", xlim=(first, first + SHOWN_MS), ylim=(0, 1))
    error = values[:, SOMA] - soma_target_mv(recording)[first:]
    row = [group, int(spikes[group]), float(np.sqrt(np.mean(error**2)))]
    table = Table(
        ["simulation", "output spikes", "RMSE mV"], [row], "grey lines: output spikes; voltage clipped at -55 mV"
    )
    return Exhibit("traces", "One simulation, cell and model", table, path, {})
