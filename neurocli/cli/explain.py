"""`neuro explain TERM`: what a word, an abbreviation or a name in a table means; without TERM, all terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from neurocli.cli.options import Json
from neurocli.cli.output import Output

if TYPE_CHECKING:
    from neurocli.report.glossary import Glossary, Term


def explain(
    terms: Annotated[
        Optional[list[str]],  # noqa: UP045  typer 0.15 reads this form only
        typer.Argument(
            help="Words as tables show them: a metric, a baseline, a check. Without any, all terms are listed.",
            metavar="[TERM]...",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Explain the words, abbreviations and names in tables and notes."""
    with Output("explain", json=json) as output:
        from neurocli.report.glossary import glossary

        found = glossary()
        for fault in found.faults:
            output.warn(fault)
        wanted = found.explain(terms) if terms else found.terms
        output.data.update(terms=[term.as_dict() for term in wanted], warnings=found.faults)
        if terms:
            _show(output, wanted)
        else:
            _list(output, found)


def _show(output: Output, terms: list[Term]) -> None:
    for term in terms:
        output.text(f"{term.name}  [{term.family}]", "bold")
        output.text(term.meaning)
        for what, names in (("also", term.also), ("see", term.see)):
            if names:
                output.text(f"{what}: {'; '.join(names)}", "dim")
        output.text()


def _list(output: Output, found: Glossary) -> None:
    for family in found.families:
        rows = [(term.name, "; ".join(term.also)) for term in found.of_family(family)]
        output.table(f"terms: {family}", ("term", "also"), rows)
    output.say("next: neuro explain TERM")
