"""`neuro plugins`: what is installed and what is broken; `neuro plugins check NAME`: does it keep the contract."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from neurocli.cli.options import Json
from neurocli.cli.output import Output

app = typer.Typer(
    help="List plugins and their faults; `check NAME` tests one against the plugin contract.",
    invoke_without_command=True,
)


@app.callback()
def plugins(context: typer.Context, json: Json = False) -> None:
    if context.invoked_subcommand is not None:
        return
    with Output("plugins", json=json) as output:
        from neurocli.plugin.registry import registry

        rows = []
        for plugin in registry().plugins:
            kinds: dict[str, list[str]] = {}
            for card in plugin.cards:
                kinds.setdefault(type(card).__name__.removesuffix("Card").lower() + "s", []).append(card.name)
            rows.append(
                {
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "entry_point": plugin.entry_point,
                    "module": plugin.module,
                    "status": "ok" if plugin.ok else "broken",
                    "reason": plugin.fault,
                    "brings": kinds,
                }
            )
        output.data["plugins"] = rows
        columns = ("distribution", "version", "entry point", "status", "brings", "reason")
        output.table(
            "plugins",
            columns,
            [
                (
                    r["distribution"],
                    r["version"],
                    r["entry_point"],
                    r["status"],
                    "; ".join(f"{k}: {', '.join(v)}" for k, v in _brought(r["brings"]).items()),
                    r["reason"] or "",
                )
                for r in rows
            ],
        )


@app.command()
def check(
    name: Annotated[
        str, typer.Argument(help="A model, or the entry point of a plugin (all its models).", metavar="NAME")
    ],
    json: Json = False,
) -> None:
    """Test a plugin's models against every step of the plugin contract, on tiny data; exit code 4 if a step fails."""
    with Output("plugins check", json=json) as output:
        from neurocli.errors import CheckFailed, UnknownName
        from neurocli.plugin.cards import ModelCard
        from neurocli.plugin.registry import registry

        installed = registry()
        plugin = next(
            (p for p in installed.plugins if p.entry_point == name or f"{p.distribution}:{p.entry_point}" == name), None
        )
        models = {card.name for card in installed.cards(ModelCard)} | set(installed.aliases())
        if plugin is not None and not plugin.ok:
            raise CheckFailed(
                f"the plugin is broken: {plugin.fault}",
                where=f"{plugin.distribution}:{plugin.entry_point}",
                hint=f"see its module {plugin.module}",
            )
        if plugin is not None:
            names = [card.name for card in plugin.cards if isinstance(card, ModelCard)]
        elif name in models:
            names = [installed.model(name).name]
        else:
            raise UnknownName.among("model or plugin", name, [*models, *(p.entry_point for p in installed.plugins)])
        from neurocli.testing.conformance import check_family

        checks = []
        for model in names:
            output.say(f"checking {model}")
            checks += check_family(model)
        rows = [c.as_dict() for c in checks]
        output.data.update(checks=rows, models=names)
        output.table(
            f"plugin contract: {', '.join(names) or 'no models'}",
            ("", "model", "check", "detail", "s"),
            [(c.verdict, c.model, c.name, c.detail, round(c.seconds, 2)) for c in checks],
        )
        failed = [c for c in checks if c.verdict == "FAIL"]
        if failed:
            raise CheckFailed(
                f"{len(failed)} of {len(checks)} checks failed, first {failed[0].name}: {failed[0].detail}",
                where=failed[0].model,
                hint="the column detail says why",
            )


def _brought(brings: Any) -> dict[str, list[str]]:
    """What a plugin brings, by kind; nothing for a broken one."""
    return brings if isinstance(brings, dict) else {}
