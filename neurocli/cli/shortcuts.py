"""Options of a model or simulator by their own name: `--trials ordered` for `--set data.trials=ordered`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neurocli.errors import UsageError, nearest_hint

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context settings of the commands that take such options."""


def shortcuts_of_model(context: typer.Context, model: str, task: str | None = None) -> dict[str, Any]:
    """Values by dotted key of the options of a model, on a task, that a command was given by their own names."""
    from neurocli.plugin.registry import registry

    return _values_given(context, registry().family(model, task).Config) if context.args else {}


def shortcuts_of_simulator(context: typer.Context, name: str) -> dict[str, Any]:
    """Values by key of the options of a simulator that a command was given by their own names."""
    if not context.args:
        return {}
    from neurocli.plugin.registry import load_implementation, registry

    return _values_given(context, load_implementation(registry().simulator(name)).Config)


def _values_given(context: typer.Context, config_class: type[BaseModel]) -> dict[str, Any]:
    return shortcuts(
        context.args, config_class, [option for parameter in context.command.params for option in parameter.opts]
    )


def shortcuts(extra: Sequence[str], kind: type[BaseModel], own_options: Sequence[str] = ()) -> dict[str, Any]:
    """What the command line has beyond the command's own options → values by dotted key.

    kind: the model's configuration class; known: the command's own options, for the hint. Raises UsageError for anything
    that is not an option with a value, is no option of the model, or could be several.
    """
    from neurocli.config.resolve import parse_set
    from neurocli.config.short_names import keys_by_name

    by_name = {name.replace("_", "-"): keys for name, keys in keys_by_name(kind).items()}
    values: dict[str, Any] = {}
    arguments = list(extra)
    while arguments:
        argument = arguments.pop(0)
        if not argument.startswith("--"):
            raise UsageError(
                f"unexpected argument {argument!r}", where="command line", hint="an option's value follows its name"
            )
        name, equals, value = argument[2:].partition("=")
        keys = by_name.get(name.replace("_", "-"), [])
        if not keys:
            options = [f"--{option_name}" for option_name in by_name] + list(own_options)
            raise UsageError(
                f"there is no option --{name}", where="command line", hint=nearest_hint(f"--{name}", options)
            )
        if len(keys) > 1:
            choice = " or ".join(f"--set {key}=..." for key in keys)
            raise UsageError(f"--{name} could be {' or '.join(keys)}", where="command line", hint=f"say {choice}")
        if not equals:
            if not arguments or arguments[0].startswith("--"):
                raise UsageError(f"--{name} needs a value", where="command line", hint=f"like --{name}=VALUE")
            value = arguments.pop(0)
        values[keys[0]] = parse_set(f"{keys[0]}={value}")[1]
    return values
