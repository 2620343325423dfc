"""What the tasks with sparse input events have in common: they are given to the network as events, whatever it takes."""

from __future__ import annotations

from typing import Any

from torch import nn

from neurocli.plugin.task import Task
from neurocli_elm.data.events import OnEvents, with_events


class EventTask(Task):
    """A task whose input are events: a network that takes none gets them as dense input."""

    def around(self, network: nn.Module, config: Any, spec: dict[str, Any]) -> nn.Module:
        taking_events: nn.Module = with_events(network, spec["num_input"])
        return taking_events

    def inside(self, network: nn.Module) -> nn.Module:
        return network.network if isinstance(network, OnEvents) else network
