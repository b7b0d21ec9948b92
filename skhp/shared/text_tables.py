"""Text of 80 columns: paragraphs, facts and tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table

__all__ = ["as_text", "facts", "indented", "text_table"]

_WIDTH = 80


def as_text(*parts: RenderableType) -> str:
    """Paragraphs and tables one beneath the other; each line ends in a line feed.

    Examples
    --------
    >>> print(as_text("Scores:", text_table(["name", "F1"], [["network", "0.9"]], n_names=1)))
    Scores:
    name      F1
    network  0.9
    <BLANKLINE>
    """
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDTH, color_system=None, markup=False, emoji=False, highlight=False
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def indented(part: RenderableType, columns: int = 2) -> Padding:
    """A paragraph or a table that begins further to the right."""
    return Padding(part, (0, 0, 0, columns))


def facts(named: Iterable[tuple[str, str]], gap: int = 2) -> Table:
    """A name at the left of each sentence."""
    table = Table.grid(padding=(0, gap, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in named:
        table.add_row(name, fact)
    return table


def text_table(headings: Sequence[str], rows: Iterable[Sequence[str]], n_names: int = 0) -> Table:
    """A table: the first columns are names, which fold where they are long; numbers do not."""
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    for place, heading in enumerate(headings):
        if place < n_names:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
