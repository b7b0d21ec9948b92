"""The pages of the documentation whose code is meant to be run do run, block after block."""

import ast
import functools
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import skhp

DOCS = Path(__file__).parents[1] / "docs"
# A block that runs, and what it prints if the page shows that right below it.
BLOCKS = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.S | re.M)
# These pages have a test of their own below, and pictures.md in tests/inspection.
WITH_TESTS = {
    *("cluster", "images", "pictures", "rare_classes", "saving", "series", "text", "transfer"),
}


def pages_of_code():
    """Each page with code, apart from what the build of the site makes."""
    written = [*DOCS.glob("*.md"), *DOCS.glob("coming_from/*.md")]
    return sorted(
        str(page.relative_to(DOCS))
        for page in written
        if page.stem not in WITH_TESTS and BLOCKS.search(page.read_text(encoding="utf-8"))
    )


def run_page(name, see_printed=lambda printed: None):
    """The names that the blocks of a page leave."""
    blocks = BLOCKS.findall((DOCS / name).read_text(encoding="utf-8"))
    assert blocks
    names = {}
    for block, printed in blocks:
        exec(compile(block, name, "exec"), names)
        see_printed(printed)
    return names


def without_numbers(text):
    return re.sub(r"\d+(\.\d+)?", "0", text)


def numbers(text):
    return np.array(re.findall(r"\d+(?:\.\d+)?", text), float)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_of_code())
def test_a_page_prints_what_it_shows(page, capsys, tmp_path, monkeypatch):
    """Its numbers may differ a little, as on another processor."""
    monkeypatch.chdir(tmp_path)

    def compared(shown):
        printed = capsys.readouterr().out
        if shown:
            assert without_numbers(printed) == without_numbers(shown)
            np.testing.assert_allclose(numbers(printed), numbers(shown), rtol=0.05)

    run_page(page, compared)


@pytest.mark.slow
def test_rare_classes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The page tunes thousands of logistic regressions; two repeats and two seeds take the same way.
    defaults = inspect.signature(skhp.compare).parameters
    assert (defaults["n_repeats"].default, defaults["n_seeds"].default) == (30, 10)
    few = functools.partial(skhp.compare, n_repeats=2, n_seeds=2)
    monkeypatch.setattr(skhp, "compare", few)
    names = run_page("rare_classes.md")
    printed = capsys.readouterr().out.splitlines()
    logistic, network = (float(line.split("F1 ")[1].split()[0]) for line in printed[:2])
    assert network > logistic + 0.05
    assert 0 < names["tuned"][-1].threshold_ < 0.5
    one, vote = (
        float(line.split("F1 ")[1])
        for start in ("one seed", "vote of five")
        for line in printed
        if line.startswith(start)
    )
    assert vote > one
    verdict = " ".join(printed)
    assert re.search(r"F1 of network is [\d.]+ higher .* over 2 repeats", verdict)
    assert (tmp_path / "history.svg").stat().st_size > 1000
    assert names["brier"]["calibrated"] < names["brier"]["as trained"]


@pytest.mark.slow
def test_series(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_page("series.md")
    assert names["error"] < 0.8 * names["last_value"]
    assert names["error"] < 0.8 * names["ridge"]
    # The large network learns the rows by heart, and the small one with dropout does not.
    assert names["of_dropped"][1] < names["of_simple"][1] < names["of_large"][1]
    assert names["of_large"][1] > 5 * names["of_large"][0]
    assert names["of_dropped"][1] < 2 * names["of_dropped"][0]
    assert (tmp_path / "gap.svg").stat().st_size > 1000
    assert (tmp_path / "series.svg").stat().st_size > 1000
    assert len(names["future"]) == 5


@pytest.mark.slow
def test_text(capsys):
    names = run_page("text.md")
    assert len(names["search"].cv_results_["params"]) == 4
    # Groups of two words are not enough for "not really good"; the network knows all words.
    assert names["accuracy"] > max(names["linear"].values()) + 0.1
    assert (
        names["copy"].predict_proba(names["X_test"])
        == names["search"].predict_proba(names["X_test"])
    ).all()
    printed = capsys.readouterr().out
    assert "the ending was not very clumsy: good" in printed
    assert "the ending was not clever: bad" in printed


@pytest.mark.slow
def test_images():
    names = run_page("images.md")
    assert names["search"].best_params_["hidden_layers"] < 3
    assert names["plain"] > names["linear"]
    assert names["augmented"] > names["plain"]


@pytest.mark.slow
def test_transfer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_page("transfer.md")
    means = {start: found.mean() for start, found in names["scores"].items()}
    # What the page says: ahead after ten epochs, and no longer after thirty.
    assert means[False, 10] > means["scratch", 10] + 0.01
    assert abs(means[False, 30] - means["scratch", 30]) < 0.015
    assert means[True, 30] < means["scratch", 30]


@pytest.mark.slow
def test_cluster(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    from tests.population.workers.dask_cluster import Cluster

    text = (DOCS / "cluster.md").read_text(encoding="utf-8")
    commands = re.findall(r"^dask (?:scheduler|worker).*$", text, re.M)
    assert [command.split()[1] for command in commands] == ["scheduler", "worker"]
    cluster = Cluster(tmp_path, workers=1)
    try:
        with cluster.client() as client:
            # The page has the address of a cluster that is not here.
            monkeypatch.setattr(distributed, "Client", lambda address: client)
            monkeypatch.setattr("dask.distributed.Client", lambda address: client)
            names = run_page("cluster.md")
            # The one worker has trained and scored.
            assert any(client.run(lambda dask_worker: "tensorflow" in sys.modules).values())
    finally:
        cluster.end()
    assert len(names["there"].cv_results_["params"]) == 6


@pytest.mark.slow
def test_saving(tmp_path, monkeypatch):
    pytest.importorskip("skops")
    monkeypatch.chdir(tmp_path)
    names = run_page("saving.md")
    assert names["same"]
    assert names["names"][:2] == ["estimator.json", "steps.skops"]
    assert [layer["layer"] for layer in names["layers"]] == ["dense", "activation", "dense"]
    assert "evil.skhp" in names["refusal"]
    assert "pickle" in names["refusal"]
    assert names["difference"] < 1e-5


# ---------------------------------------------------------------- the site


def test_the_reference_lists_each_public_name():
    import skhp.losses
    import skhp.population
    import skhp.scoring
    import skhp.sequences

    public = {f"skhp.{name}" for name in skhp.__all__} - {"skhp.__version__", "skhp.population"}
    for module in (skhp.losses, skhp.population, skhp.scoring, skhp.sequences):
        public |= {f"{module.__name__}.{name}" for name in module.__all__}
    # What `skhp.population(...)` calls, and what a search returns and no class exports.
    public |= {"skhp.population.backend.population", "skhp.population.report.PopulationReport"}
    page = (DOCS / "reference.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([\w.]+)$", page, re.M)
    assert len(listed) == len(set(listed))
    assert {f"skhp.{name}" for name in listed} == public


def texts_of_the_code():
    """Each string of skhp, with a NUL character for each value that is put into it."""

    def text(node):
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(map(text, node.values))
        return "\0"

    source = Path(skhp.__file__).parent.rglob("*.py")
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in source)
    return [
        text(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and text(node)
    ]


def test_each_message_that_is_explained_still_stands_in_the_code():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^> (.*)$", page, re.M)
    assert len(quoted) > 30
    texts = texts_of_the_code()
    unknown = []
    for message in quoted:
        # "…" stands for a value, and at either end also for the rest of the message.
        parts = [part.strip() for part in message.split("…")]
        value = r"\s*[^\0]{0,3}(?:\0[^\0]{0,3})+\s*"
        pattern = re.compile(value.join(map(re.escape, parts)), re.S)
        likely = [text for text in texts if max(parts, key=len) in text]
        if not any(pattern.search(f"\0{text}\0") for text in likely):
            unknown.append(message)
    assert unknown == []
