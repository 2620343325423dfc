"""The hooks that a plugin may implement (pluggy), and the marker to do it with.

from neurocli.plugin import ModelCard, hookimpl

@hookimpl
def neurocli_register_models():
    return [ModelCard(name="mine-v1", family="mine", summary="...", implementation="my_package.family:Mine")]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from neurocli.plugin.cards import CommandCard, DownloadCard, ModelCard, ReaderCard, SimulatorCard, TaskCard

PROJECT = "neurocli"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The specifications. Registration hooks return lists of cards; the rest tell the life of a run."""

    @hookspec
    def neurocli_register_models(self) -> list[ModelCard]:  # type: ignore[empty-body]
        """The models that this plugin brings."""

    @hookspec
    def neurocli_register_tasks(self) -> list[TaskCard]:  # type: ignore[empty-body]
        """The tasks that this plugin brings, for sequence models of any plugin."""

    @hookspec
    def neurocli_register_simulators(self) -> list[SimulatorCard]:  # type: ignore[empty-body]
        """The simulators that this plugin brings."""

    @hookspec
    def neurocli_register_readers(self) -> list[ReaderCard]:  # type: ignore[empty-body]
        """The file formats that this plugin reads."""

    @hookspec
    def neurocli_register_downloads(self) -> list[DownloadCard]:  # type: ignore[empty-body]
        """The published data sets that `neuro fetch` can download for this plugin."""

    @hookspec
    def neurocli_register_commands(self) -> list[CommandCard]:  # type: ignore[empty-body]
        """More commands for `neuro`."""

    @hookspec
    def neurocli_run_started(self, run: Any) -> None:
        """A training began; `run` is its `runs.RunFolder`."""

    @hookspec
    def neurocli_run_logged(self, run: Any, row: dict[str, float]) -> None:
        """An epoch ended; `row` holds its metrics."""

    @hookspec
    def neurocli_run_finished(self, run: Any, status: str) -> None:
        """A training ended with `status`: finished, interrupted or failed."""
