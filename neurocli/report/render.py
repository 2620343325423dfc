"""The report as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from pathlib import Path

import jinja2

from neurocli.report.page import Page

LONGEST_TABLE = 15
"""Rows of an exhibit's table beyond this many are folded away."""


def render(page: Page) -> str:
    """The page as HTML. Everything that comes out of a file is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(page=page, longest=LONGEST_TABLE).lstrip()
