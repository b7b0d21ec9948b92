"""Displays as pictures within a page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

__all__ = ["picture"]

# What a browser does not need of an SVG that stands within a page: it knows the namespaces, and
# what made the picture is nobody's business.
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
    """A figure of HTML.

    Parameters
    ----------
    draw : callable
        Takes the axes to draw on.
    caption : str
    number : int
        Of the picture in its page, so that no two share the names of their parts.
    size : tuple of float, default=(7.0, 4.2)
        Width and height in inches.

    Returns
    -------
    str
    """
    # Not at the top: a report is the only place that needs it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Of its own, so that no window of the user's session shows or keeps it.
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
