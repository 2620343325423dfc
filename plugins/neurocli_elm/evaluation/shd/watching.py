"""What a training shows of a few validation utterances: states, and the probability of the class that was spoken."""

from __future__ import annotations

import numpy as np
import torch

from neurocli.plugin.task import SequenceModel
from neurocli.report.watched import CASES, Panel, Watched
from neurocli.training.devices import device_of
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.evaluation.shd.exhibits import class_names
from neurocli_elm.evaluation.shd.predictions import events_of


def watched_utterances(network: torch.nn.Module, data: ShdData, model: SequenceModel) -> Watched:
    """network: of spike counts [sample, time, unit] to the logit of each class."""
    part = "validation" if data.split.validation else "train"
    rows = np.concatenate(list(data.scored_rows(part).values()))
    firsts = np.unique(data.classes(rows), return_index=True)[1]  # of several classes
    rows = rows[firsts[np.unique(np.linspace(0, len(firsts) - 1, min(CASES, len(firsts))).round().astype(int))]]
    batch = data.batch(rows)
    x = events_of(batch).dense(int(data.spec["num_input"])).transpose(0, 1).contiguous().to(device_of(network))
    share = torch.softmax(network(x).cpu().double(), -1).numpy()
    classes, groups, names, panels = class_names(data), list(data.about), [], []
    for case, (row, label) in enumerate(zip(rows, data.classes(rows), strict=True)):
        names.append(f"{' and '.join(groups[n] for n in row)}: {classes[label]}")
        others = {"runner-up": np.delete(share[case], label, 1).max(1)}
        spoken = {f"true class: {classes[label]}": share[case][:, label]}
        panels.append([Panel("probability", spoken, other=others, limits=(-0.03, 1.03))])
    states = {name: values.cpu().numpy() for name, values in model.states(network, x).items()}
    lengths, bin_ms = [data.num_steps] * len(names), float(data.spec["delta_t"])
    return Watched(names, lengths, states, panels, model.timescales(network), bin_ms, "ms")
