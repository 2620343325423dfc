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

        all_terms = glossary()
        for fault in all_terms.faults:
            output.warn(fault)
        chosen_terms = all_terms.explain(terms) if terms else all_terms.terms
        output.data.update(terms=[term.as_dict() for term in chosen_terms], warnings=all_terms.faults)
        if terms:
            _show(output, chosen_terms)
        else:
            _list(output, all_terms)


def _show(output: Output, terms: list[Term]) -> None:
    for term in terms:
        output.text(f"{term.name}  [{term.family}]", "bold")
        output.text(term.meaning)
        for label, names in (("also", term.also), ("see", term.see)):
            if names:
                output.text(f"{label}: {'; '.join(names)}", "dim")
        output.text()


def _list(output: Output, all_terms: Glossary) -> None:
    for family in all_terms.families:
        rows = [(term.name, "; ".join(term.also)) for term in all_terms.of_family(family)]
        output.table(f"terms: {family}", ("term", "also"), rows)
    output.say("next: neuro explain TERM")
