"""Run the code of docs/pictures.md, and save its pictures beside this file.

Run it as ``python docs/pictures/draw.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "pictures.md"
# A block of code, a block of text or the link to a picture.
_PIECES = re.compile(
    r"```python\n(?P<code>.*?)```|```text\n(?P<text>.*?)```|!\[.*?\]\((?P<picture>.*?)\)", re.S
)


def pieces(page: Path = PAGE) -> Iterator[tuple[str, str]]:
    """Kind and content of each piece of the page, in its order."""
    for match in _PIECES.finditer(page.read_text(encoding="utf-8")):
        kind = str(match.lastgroup)
        yield kind, match[kind]


def draw(folder: Path, page: Path = PAGE) -> list[Path]:
    """Run the page, and save what each picture shows.

    Parameters
    ----------
    folder : Path
        For the pictures, by the names that the page links them by.
    page : Path

    Returns
    -------
    list of Path
    """
    import matplotlib

    matplotlib.use("Agg")
    names: dict[str, Any] = {}
    saved = []
    for kind, content in pieces(page):
        if kind == "code":
            exec(compile(content, page.name, "exec"), names)  # noqa: S102
        elif kind == "picture":
            saved.append(folder / Path(content).name)
            # Taken away, so that no picture can show what an earlier one did.
            _save(names.pop("display").figure_, saved[-1])
    return saved


def _save(figure: Any, path: Path) -> None:
    """Save a figure in few colours, which makes a small file."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=70)
    Image.open(drawn).convert("RGB").quantize(128, Image.Quantize.FASTOCTREE).save(
        path, optimize=True
    )


if __name__ == "__main__":
    for path in draw(Path(__file__).parent):
        print(path.name, path.stat().st_size)
