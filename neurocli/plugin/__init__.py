"""All that a plugin author imports.

The names are loaded when they are asked for, so that a plugin's entry module stays light.
"""

from typing import TYPE_CHECKING, Any

from neurocli.plugin.cards import CommandCard, DownloadCard, ModelCard, ReaderCard, SimulatorCard, TaskCard
from neurocli.plugin.hooks import hookimpl

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily
    from neurocli.plugin.task import SequenceModel, Task

__all__ = [
    "CommandCard",
    "DownloadCard",
    "ModelCard",
    "ModelFamily",
    "ReaderCard",
    "SequenceModel",
    "SimulatorCard",
    "Task",
    "TaskCard",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name == "ModelFamily":
        from neurocli.plugin.family import ModelFamily

        return ModelFamily
    if name in ("SequenceModel", "Task"):
        from neurocli.plugin import task

        return getattr(task, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
