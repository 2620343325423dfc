"""`neuro models`: what can be trained and simulated; `neuro models show NAME`: its options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from neurocli.cli.options import Json, Task
from neurocli.cli.output import Output

app = typer.Typer(help="List models and simulators; `show NAME` lists the options of one.", invoke_without_command=True)


@app.callback()
def models(context: typer.Context, json: Json = False) -> None:
    if context.invoked_subcommand is not None:
        return
    with Output("models", json=json) as output:
        from neurocli.plugin.cards import ModelCard, SimulatorCard, TaskCard
        from neurocli.plugin.registry import registry

        plugins = registry()
        aliases = {name: alias for alias, name in plugins.aliases().items()}
        cards = list(plugins.cards(ModelCard))
        simulators, tasks = list(plugins.cards(SimulatorCard)), list(plugins.cards(TaskCard))
        output.data["models"] = [
            {
                "name": c.name,
                "alias": aliases.get(c.name),
                "family": c.family,
                "simulator": c.simulator,
                "task": c.task,
                "summary": c.summary,
                "source": c.source,
            }
            for c in cards
        ]
        output.data["simulators"] = [{"name": c.name, "summary": c.summary, "source": c.source} for c in simulators]
        output.data["tasks"] = [
            {"name": c.name, "summary": c.summary, "simulator": c.simulator, "source": c.source} for c in tasks
        ]
        output.table(
            "models",
            ("name", "alias", "simulator", "task", "summary"),
            [(c.name, aliases.get(c.name, ""), c.simulator, c.task and f"{c.task}, or any", c.summary) for c in cards],
        )
        output.table("tasks of sequence models (--task)", ("name", "summary"), [(c.name, c.summary) for c in tasks])
        output.table("simulators", ("name", "summary"), [(c.name, c.summary) for c in simulators])
        broken = [plugin for plugin in plugins.plugins if not plugin.ok]
        if broken:
            output.warn(f"{len(broken)} plugin{'s are' if len(broken) != 1 else ' is'} broken: neuro plugins says why")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model or a simulator.", metavar="NAME")],
    task: Task = None,
    json: Json = False,
) -> None:
    """The options of a model or simulator with their defaults, and its presets."""
    with Output("models show", json=json) as output:
        from neurocli.config.resolve import preset_names, read_toml

        card, implementation = _find(name, task)
        rows = list(_options(implementation.Config))
        presets = {
            preset: read_toml(implementation.presets / f"{preset}.toml")
            for preset in preset_names(implementation.presets)
        }
        keys = ("key", "default", "type", "description")
        output.data.update(
            name=card.name,
            summary=card.summary,
            source=card.source,
            simulator=getattr(card, "simulator", None),
            options=[dict(zip(keys, row, strict=True)) for row in rows],
            presets=presets,
        )
        output.text(f"{card.name}: {card.summary}", "bold")
        if card.source:
            output.text(f"source: {card.source}")
        output.text()
        output.table("options (--set key=value)", keys, rows)
        if presets:
            from neurocli.config.resolve import flatten

            preset_rows = [
                (preset, ", ".join(f"{k}={v}" for k, v in flatten(values))) for preset, values in presets.items()
            ]
            output.table("presets (--preset name)", ("name", "sets"), preset_rows)


def _find(name: str, task: str | None) -> tuple[Any, Any]:
    from neurocli.errors import UnknownName
    from neurocli.plugin.cards import ModelCard, SimulatorCard
    from neurocli.plugin.registry import load_implementation, registry

    plugins = registry()
    models = {card.name for card in plugins.cards(ModelCard)} | set(plugins.aliases())
    simulators = {card.name for card in plugins.cards(SimulatorCard)}
    if name not in models | simulators:
        raise UnknownName.among("model or simulator", name, models | simulators)
    if name in models:
        return plugins.model(name), plugins.family(name, task)
    card = plugins.simulator(name)
    return card, load_implementation(card)(card)


def _options(kind: Any, prefix: str = "") -> Any:
    """(key, default, type, description) of every option, sections opened up."""
    from neurocli.config.resolve import section_of

    for field, info in kind.model_fields.items():
        nested = section_of(info.annotation)
        if nested is not None:
            default = info.get_default(call_default_factory=True)
            for key, value, type_name, text in _options(nested, f"{prefix}{field}."):
                inner: Any = default
                for part in key.removeprefix(f"{prefix}{field}.").split("."):
                    inner = getattr(inner, part, value)
                yield key, inner, type_name, text
        else:
            default = "required" if info.is_required() else info.get_default(call_default_factory=True)
            yield f"{prefix}{field}", default, _type_name(info.annotation, info.metadata), info.description or ""


def _type_name(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """`int, ≥ 1`, `auto | on | off`, `list of float`, `int, ≥ 0, or unset`."""
    import types
    import typing

    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    limits = [limit for member in metadata for limit in _limits(member)]
    if origin is typing.Annotated:
        return ", ".join([_type_name(inner[0], inner[1:]), *limits])
    if origin is typing.Literal:
        name = " | ".join(map(str, inner))
    elif origin in (typing.Union, types.UnionType):
        names = [_type_name(member) for member in inner if member is not type(None)]
        return ", ".join([" | ".join(names), *limits, *(["or unset"] if type(None) in inner else [])])
    elif origin in (list, tuple):
        name = f"list of {_type_name(inner[0])}"
    else:
        name = getattr(annotation, "__name__", str(annotation))
    return ", ".join([name, *limits])


def _limits(constraint: Any) -> list[str]:
    """`≥ 1` of one constraint; of a field within a list, those that it holds."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    members = getattr(constraint, "metadata", None)
    if members is not None:
        return [limit for member in members for limit in _limits(member)]
    return [f"{sign} {getattr(constraint, key):.12g}" for key, sign in signs.items() if hasattr(constraint, key)]
