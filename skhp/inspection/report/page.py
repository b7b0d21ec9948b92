"""A page of HTML that needs no other file."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from skhp.inspection.value_text import number_text, value_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 64rem;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
th { vertical-align: bottom; }
td.text { overflow-wrap: anywhere; min-width: 7rem; }
th.number, td.number { text-align: right; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
p, li { overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; } figcaption { color: #555; font-size: 0.9rem; }
figure { margin: 1.5rem 0; } .verdict { font-size: 1.1rem; }
@media (max-width: 60rem) {
  table { font-size: 0.75rem; } th, td { padding: 0.2rem 0.3rem; }
  td.text { min-width: 4rem; }
}
"""


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and its content as HTML."""

    title: str
    content: str


class Number(str):
    """A number that is already text, for a cell that is aligned like other numbers."""


def page(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    parts = "\n".join(
        f"<section><h2>{html.escape(section.title)}</h2>\n{section.content}\n</section>"
        for section in sections
    )
    name = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{name}</h1>\n{parts}\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    name = f' class="{html.escape(kind)}"' if kind else ""
    return f"<p{name}>{html.escape(text)}</p>"


def list_of(texts: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>"


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of values; a missing number is an empty cell."""
    cells = [[_cell(value) for value in row] for row in rows]
    # A heading above numbers is aligned to the right, as the numbers are.
    numbers = [all(_NUMBER in row[k] for row in cells) for k in range(len(names))]
    head = "".join(
        f"<th{_NUMBER if number and cells else ''}>{html.escape(name)}</th>"
        for name, number in zip(names, numbers, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


_NUMBER = ' class="number"'


def _cell(value: object) -> str:
    if isinstance(value, float):
        value = Number("" if value != value else number_text(value))
    if isinstance(value, int) and not isinstance(value, bool):
        value = Number(value)
    if isinstance(value, Number):
        return f"<td{_NUMBER}>{html.escape(value)}</td>"
    text = value if isinstance(value, str) else value_text(value)
    return f'<td class="text">{html.escape(text)}</td>'


# A browser needs neither the XML header nor the namespaces nor the metadata of an SVG in a page.
_SUPERFLUOUS = (
    re.compile(r"^.*?(?=<svg)", re.S),
    re.compile(r"<metadata>.*?</metadata>", re.S),
    re.compile(r'\sxmlns(:\w+)?="[^"]*"'),
)


def picture(
    draw: Callable[[Any], object],
    caption: str,
    number: int,
    size: tuple[float, float] = (7.0, 4.2),
) -> str:
    """A drawing as SVG with its caption, for a page."""
    # The import stands here, because only a report needs matplotlib.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # A figure without pyplot, so that the session of the user neither shows nor keeps it.
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.add_subplot())
    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "skhp"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    for superfluous in _SUPERFLUOUS:
        svg = superfluous.sub("", svg)
    svg = re.sub(r'\bid="', f'id="picture{number}-', svg)
    svg = re.sub(r'href="#', f'href="#picture{number}-', svg)
    svg = re.sub(r"url\(#", f"url(#picture{number}-", svg)
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>"
