"""From what a user asks for to a checked configuration: default < preset < file < --set < option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.config.resolve import Resolved, option_keys, parse_set, read_preset, resolve
from neurocli.config.short_names import by_full_key
from neurocli.errors import ConfigError
from neurocli.plugin.registry import registry

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily

SECTION = "evaluate."
AnyPath = str | PathLike[str]


@dataclass(frozen=True)
class Options:
    """What a user asks for.

    task: of a sequence model, where it is not its own; preset: name; file: TOML; sets: `dotted.key=value` as on the command line; values: values by dotted key, or by an option's own
    name; flags: values by dotted key, None where they were not given.
    """

    preset: str | None = None
    file: AnyPath | None = None
    sets: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        flags = any(value is not None for value in self.flags.values())
        return bool(self.preset is not None or self.file or self.sets or self.values or flags)


def configured(implementation: Any, options: Options) -> Resolved[Any]:
    """The configuration of a model or simulator. Raises ConfigError or UnknownName."""
    kind = implementation.Config
    flags = {key: value for key, value in options.flags.items() if value is not None}
    missing = sorted(flags.keys() - set(option_keys(kind)))
    if missing:
        name = implementation.card.name
        raise ConfigError(
            f"{name} has no option {missing[0]}",
            where=f"--{missing[0].rpartition('.')[2]}",
            hint=f"neuro models show {name}",
        )
    preset = read_preset(implementation.presets, options.preset) if options.preset is not None else None
    file = Path(options.file) if options.file is not None else None
    values = flags | by_full_key(kind, options.values)
    return resolve(kind, preset=preset, file=file, sets=options.sets, flags=values)


def configured_family(model: str, options: Options) -> tuple[ModelFamily, Resolved[Any]]:
    """A family and its configuration. Raises UnknownName, UsageError or ConfigError."""
    family = registry().family(model, options.task)
    return family, configured(family, options)


def family_of_run(info: Mapping[str, Any]) -> ModelFamily:
    """The family of a run, by what its run.json says. Raises UnknownName or NeuroError."""
    family: ModelFamily = registry().family(info["model"], info.get("task"))
    return family


def refuse_other_options(config: Any, family: ModelFamily, options: Options) -> None:
    """Raise ConfigError where options that are given again are not those of a run."""
    from neurocli.config.resolve import flatten

    if options.task not in (None, family.task_name):
        raise ConfigError(
            f"the task is {family.task_name or 'its own'} in the run, not {options.task}",
            where="task",
            hint="a run keeps its task: leave this out, or train a new run",
        )
    if not options.given:
        return
    given_again = configured(family, options)
    old, new = dict(flatten(config.model_dump(mode="json"))), dict(flatten(given_again.config.model_dump(mode="json")))
    for key in given_again.origins:
        if old.get(key) != new.get(key):
            raise ConfigError(
                f"{key} is {old.get(key)!r} in the run, not {new.get(key)!r}",
                where=given_again.origins[key],
                hint="a run keeps its options: leave this one out, or train a new run",
            )


def scored_by(config: Any, options: Options, fixed: Sequence[str] = ()) -> Any:
    """The configuration of a run with options of its `evaluate` section set anew; other options belong to the training.

    fixed: options of that section that belong to the training too. Raises ConfigError for one of them, for a key outside of the
    section, or one that does not exist.
    """
    values = by_full_key(type(config), options.values)
    where = "--set" if options.sets else "options"
    for key in [*(parse_set(item)[0] for item in options.sets), *values]:
        if key in fixed:
            raise ConfigError(
                f"{key} cannot be set for a trained run",
                where=where,
                hint="it was fixed by the training: set it when you train",
            )
        if not key.startswith(SECTION):
            raise ConfigError(
                f"{key} cannot be set for a trained run",
                where=where,
                hint=f"only options that begin with {SECTION} can be set; set others when you train",
            )
    if not options.sets and not values:
        return config
    return resolve(type(config), preset=("run", config.model_dump(mode="json")), sets=options.sets, flags=values).config
