"""A page of HTML that needs nothing but itself."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Section", "list_of", "page", "paragraph", "table"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; } figcaption { color: #555; font-size: 0.9rem; }
figure { margin: 1.5rem 0; } .verdict { font-size: 1.1rem; }
"""


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and its content as HTML."""

    title: str
    content: str


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
    """A table of plain values; numbers have four digits that count."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        # An absent number is an empty cell.
        text = "" if value != value else f"{value:.4g}"
        return f'<td class="number">{text}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="number">{value}</td>'
    return f"<td>{html.escape(str(value))}</td>"
