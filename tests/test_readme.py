"""The examples of the README run, one after the other, as a newcomer would run them."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_examples_run_and_find_good_networks(capsys, monkeypatch):
    from skhp.population.cohorts import population_training as cohorts

    populations = []
    train_population = cohorts.train_population

    def noting(tasks, *arguments):
        populations.append(len(tasks))
        return train_population(tasks, *arguments)

    monkeypatch.setattr(cohorts, "train_population", noting)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    alone, together = [block for block in blocks if "GridSearchCV" in block]
    assert len(alone.strip().splitlines()) <= 12
    names = {}
    trained = []
    for example in (alone, together):
        exec(compile(example, "README.md", "exec"), names)
        trained.append(list(populations))
    # Four candidates in three folds, together where the README says so.
    assert trained == [[], [12]]
    scores = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    # Logistic regression reaches 0.73.
    assert min(scores) > 0.8
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_its_links_lead_somewhere_from_wherever_it_is_shown():
    """It is the page of the package, too, where the files beside it are not."""
    links = re.findall(r"\]\(([^)]*)\)", README.read_text())
    assert [link for link in links if not link.startswith("https://")] == []


def test_it_installs_nothing_that_is_not_published():
    installed = re.findall(r"pip install '?([^\s'`]+)", README.read_text())
    assert installed
    assert not [name for name in installed if name.startswith("skhp")]
