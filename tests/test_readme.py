"""The examples of the README run, one after the other, as a newcomer would run them."""

import configparser
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run_and_find_good_networks(capsys, monkeypatch):
    from skhp.population.cohorts import population_training as cohorts

    populations = []
    train_population = cohorts.train_population

    def noting(tasks, *arguments):
        populations.append(len(tasks))
        return train_population(tasks, *arguments)

    monkeypatch.setattr(cohorts, "train_population", noting)
    search, any_tool = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(search.strip().splitlines()) <= 12
    names = {}
    for example in (search, any_tool):
        exec(compile(example, "README.md", "exec"), names)
    # Four candidates in three folds train together, and so do three folds of another tool.
    assert populations == [12, 3]
    scores = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    # What it says; logistic regression reaches 0.73.
    assert scores[0] == pytest.approx(0.86, abs=0.02)
    assert scores[1] > 0.75


def test_its_links_lead_somewhere_from_wherever_it_is_shown():
    """It is the page of the package, too: once skhp has an address, links have to begin with it."""
    links = re.findall(r"\]\(([^)]*)\)", README) + re.findall(r'<img src="([^"]*)"', README)
    assert len(links) > 20
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    if {"url", "project_urls"} & set(settings["metadata"]):
        assert [link for link in links if not link.startswith("https://")] == []
    else:
        assert [link for link in links if not (ROOT / link.split("#")[0]).is_file()] == []


def test_its_picture_says_in_words_what_it_shows():
    (picture,) = re.findall(r'<img src="([^"]*)" alt="[^"]{20,}"', README)
    drawing = ElementTree.parse(ROOT / picture).getroot()
    assert drawing.find("{http://www.w3.org/2000/svg}title").text
    assert len(drawing.findall(".//{http://www.w3.org/2000/svg}rect")) > 12


def test_it_names_each_page_of_the_guide():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    pages = re.findall(r"^(\w+)$", guide.split("```{toctree}")[1], re.M)
    assert pages
    assert [page for page in pages if f"(docs/{page}.md)" not in README] == []


def test_it_installs_nothing_that_is_not_published():
    installed = re.findall(r"pip install '?([^\s'`]+)", README)
    assert installed
    assert not [name for name in installed if name.startswith("skhp")]
