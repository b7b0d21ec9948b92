"""The page on pictures: its code runs, prints what it says and draws what it shows."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

pytestmark = pytest.mark.slow

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
MOST_BYTES = 60_000


def without_numbers(text):
    # The last digits of a training differ between machines.
    return re.sub(r"[\d.,]+", "#", text).strip()


@pytest.mark.slow
def test_the_page_shows_what_its_code_does(tmp_path, capsys):
    specification = importlib.util.spec_from_file_location("draw", PICTURES / "draw.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    drawn = script.draw(tmp_path)
    assert len(drawn) >= 7
    assert sorted(path.name for path in drawn) == sorted(p.name for p in PICTURES.glob("*.png"))
    for path in drawn:
        assert np.std(imread(path)) > 0
        committed = PICTURES / path.name
        assert 0 < committed.stat().st_size < MOST_BYTES
        assert imread(committed).shape == imread(path).shape, path.name
    told = [content for kind, content in script.pieces() if kind == "text"]
    assert len(told) == 3
    assert without_numbers(capsys.readouterr().out) == without_numbers("".join(told))
