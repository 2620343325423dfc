"""Guarded discovery: a plugin that fails is listed as broken, with the reason, and everything else works."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pluggy

from neurocli.errors import Interrupted, NeuroError, UnknownName, UsageError
from neurocli.plugin.cards import Card, CommandCard, DownloadCard, ModelCard, ReaderCard, SimulatorCard, TaskCard
from neurocli.plugin.hooks import PROJECT, Hooks
from neurocli.plugin.quiet import captured_stdout

GROUP = "neurocli"
_REGISTERING: dict[str, type[Card]] = {
    "neurocli_register_models": ModelCard,
    "neurocli_register_tasks": TaskCard,
    "neurocli_register_simulators": SimulatorCard,
    "neurocli_register_readers": ReaderCard,
    "neurocli_register_downloads": DownloadCard,
    "neurocli_register_commands": CommandCard,
}
_VERSIONED = re.compile(r"^(?P<base>.+)-v(?P<number>\d+)$")


class PluginFault(Exception):
    """Why a plugin is refused; its text is shown by `neuro plugins`."""


@dataclass
class Plugin:
    """One entry point of the group `neurocli`, with what it brought or why it is broken."""

    entry_point: str
    module: str
    distribution: str
    version: str
    cards: list[Card] = field(default_factory=list)
    fault: str | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


class Registry:
    """What all plugins together bring. Make one with `discover()`; most callers want `registry()`."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(Hooks)
        self.plugins: list[Plugin] = []

    # -- looking things up ---------------------------------------------------------------------------------------

    def cards(self, kind: type[Card]) -> Iterator[Any]:
        """Every card of `kind`, by name."""
        cards = (card for plugin in self.plugins for card in plugin.cards if isinstance(card, kind))
        return iter(sorted(cards, key=lambda card: card.name))

    def model(self, name: str) -> ModelCard:
        """The card of a model; an alias (`elm`) gives the newest version (`elm-v2`). Raises UnknownName."""
        card: ModelCard = self._find(ModelCard, "model", name, self.aliases())
        return card

    def simulator(self, name: str) -> SimulatorCard:
        """The card of a simulator. Raises UnknownName."""
        card: SimulatorCard = self._find(SimulatorCard, "simulator", name, {})
        return card

    def task(self, name: str) -> TaskCard:
        """The card of a task. Raises UnknownName."""
        card: TaskCard = self._find(TaskCard, "task", name, {})
        return card

    def download(self, name: str) -> DownloadCard:
        """The card of a published data set. Raises UnknownName."""
        card: DownloadCard = self._find(DownloadCard, "data set", name, {})
        return card

    def aliases(self) -> dict[str, str]:
        """Alias → the newest model that it stands for."""
        newest: dict[str, tuple[int, str]] = {}
        for card in self.cards(ModelCard):
            if match := _VERSIONED.match(card.name):
                newest[match["base"]] = max(newest.get(match["base"], (-1, "")), (int(match["number"]), card.name))
        return {alias: name for alias, (_, name) in newest.items()}

    def family(self, name: str, task: str | None = None) -> Any:
        """A `ModelFamily` of the model called `name`, its code imported; of a sequence model, its task or another.

        Raises UnknownName, UsageError where a model takes no task, or NeuroError.
        """
        card = self.model(name)
        model = load_implementation(card)(card)
        if card.task is None:
            if task is not None:
                raise UsageError(
                    f"{card.name} takes no other task than its own",
                    where=f"task {task}",
                    hint=f"sequence models do: {', '.join(c.name for c in self.cards(ModelCard) if c.task)}",
                )
            return model
        of_data = self.task(task or card.task)
        return load_implementation(of_data)(of_data, model)

    def _find(self, kind: type[Card], what: str, name: str, aliases: dict[str, str]) -> Any:
        known = {card.name: card for card in self.cards(kind)}
        card = known.get(aliases.get(name, name))
        if card is None:
            raise UnknownName.among(what, name, [*known, *aliases])
        return card

    # -- filling it ----------------------------------------------------------------------------------------------

    def add(self, entry: metadata.EntryPoint) -> Plugin:
        """Load one entry point, whatever it does; the returned plugin is also kept."""
        dist = entry.dist
        plugin = Plugin(
            entry_point=entry.name,
            module=entry.value,
            distribution=dist.name if dist else "?",
            version=dist.version if dist else "?",
        )
        self.plugins.append(plugin)
        loaded = None
        try:
            with captured_stdout() as printed:
                loaded = entry.load()
                cards = self._register(loaded, plugin)
            if text := printed():
                raise PluginFault(f"prints on stdout while it is loaded: {text[:80]!r}")
            plugin.cards = cards
        except (KeyboardInterrupt, Interrupted):
            raise
        except PluginFault as fault:
            plugin.fault = str(fault)
        except BaseException as error:  # SystemExit and whatever else a stranger's module raises
            plugin.fault = _describe(error)
        if plugin.fault is not None and loaded is not None and self.manager.is_registered(loaded):
            self.manager.unregister(loaded)
        return plugin

    def _register(self, loaded: Any, plugin: Plugin) -> list[Card]:
        try:
            name = self.manager.register(loaded, name=f"{plugin.distribution}:{plugin.entry_point}")
        except ValueError as error:
            raise PluginFault(f"registered twice: {error}") from error
        self.manager.check_pending()
        cards: list[Card] = []
        for hook, kind in _REGISTERING.items():
            for call in getattr(self.manager.hook, hook).get_hookimpls():
                if call.plugin_name == name:
                    cards += _checked(hook, kind, call.function)
        self._refuse_taken(cards)
        return cards

    def _refuse_taken(self, cards: list[Card]) -> None:
        owners = {(type(card), card.name): plugin for plugin in self.plugins for card in plugin.cards}
        aliases = self.aliases()
        for position, card in enumerate(cards):
            key = (type(card), card.name)
            what = type(card).__name__.removesuffix("Card").lower()
            if key in owners:
                owner = owners[key]
                raise PluginFault(f"the {what} name {card.name!r} is taken by {owner.distribution}:{owner.entry_point}")
            if isinstance(card, ModelCard) and card.name in aliases:
                raise PluginFault(f"the model name {card.name!r} is taken: it is an alias of {aliases[card.name]}")
            if any((type(other), other.name) == key for other in cards[:position]):
                raise PluginFault(f"registers the {what} name {card.name!r} twice")


def _checked(hook: str, kind: type[Card], function: Callable[[], Any]) -> list[Card]:
    result = function()
    if not isinstance(result, (list, tuple)):
        raise PluginFault(f"{hook} returns {type(result).__name__}, not a list of {kind.__name__}")
    for item in result:
        if not isinstance(item, kind):
            raise PluginFault(f"{hook} returns a list with {type(item).__name__}, not {kind.__name__}")
    return list(result)


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"calls sys.exit({error.code!r}) while it is loaded"
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def load_implementation(card: Card) -> Any:
    """The object behind a card. Raises NeuroError that names the plugin's module where it cannot be imported."""
    try:
        return card.load()
    except NeuroError:
        raise
    except (ImportError, AttributeError) as error:
        raise NeuroError(
            f"{card.name} cannot be loaded: {_describe(error)}",
            where=card.implementation,
            hint="neuro doctor lists what is installed; reinstall the package that brings it",
        ) from error


def discover(group: str = GROUP) -> Registry:
    """Load every entry point of `group`, ours first, so that nobody can take a name of ours."""
    plugins = Registry()
    entries = metadata.entry_points(group=group)
    for entry in sorted(entries, key=lambda e: (e.dist is None or e.dist.name != PROJECT, e.name, e.value)):
        plugins.add(entry)
    return plugins


@functools.cache
def registry() -> Registry:
    """The registry of this process; discovery runs once."""
    return discover()
