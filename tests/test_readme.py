"""The example of the README runs, as a newcomer would run it."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_example_runs_and_finds_a_good_network(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    example = next(block for block in blocks if "GridSearchCV" in block)
    assert len(example.strip().splitlines()) <= 12
    exec(compile(example, "README.md", "exec"), {})
    score = float(capsys.readouterr().out.split()[-1])
    assert score > 0.9
