"""The report of a search: what it says, what it shows, and how it looks in a browser."""

import html.parser
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import GridSearchCV, InvalidParameterError, KerasMLPClassifier, RandomizedSearchCV

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(240, 4))
Y = (X[:, 0] + GENERATOR.normal(size=240) / 2 > 0.8).astype(int)
SEEN, NEW = slice(0, 180), slice(180, 240)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(html.parser.HTMLParser):
    """Headings, texts, tables and addresses of a page; refuses what is not closed in order."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, path):
        super().__init__()
        self.open, self.texts, self.addresses, self.counts = [], {}, [], {}
        self.content = path.read_text(encoding="utf-8")
        self.feed(self.content)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses += [
            value for name, value in attributes if name in ("src", "href", "xlink:href")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())


@pytest.fixture(scope="module")
def search():
    network = KerasMLPClassifier(epochs=30, random_state=0, threshold="tune", neurons=4)
    grid = {
        "kerasmlpclassifier__learning_rate": [0.1, 0.01, 0.001],
        "kerasmlpclassifier__l2": [0.0, 0.001],
        "kerasmlpclassifier__loss": ["auto", "soft_f1"],
    }
    return GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=3).fit(X[SEEN], Y[SEEN])


def test_it_says_what_the_search_found(search, tmp_path):
    path = search.report(tmp_path / "report.html", X[NEW], Y[NEW])
    page = Page(path)
    assert page.texts["h2"] == [
        "Verdict",
        "New rows",
        "Diagnosis",
        "Pictures",
        "Candidates",
        "Settings",
        "Versions",
    ]
    verdict = page.texts["p"][0]
    assert f"mean F1 of class 1 of {search.best_score_:.3f} over 3 folds" in verdict
    for name, value in search.best_params_.items():
        assert f"{name} = {value!r}" in verdict
    scores = [search.cv_results_[f"split{fold}_test_score"] for fold in range(3)]
    best = np.array(scores)[:, search.best_index_]
    assert f"standard error of {best.std(ddof=1) / np.sqrt(3):.3f}" in verdict
    cells = page.texts["td"]
    assert cells.count("1") >= 1
    assert f"{search.best_score_:.4f}" in cells
    assert skhp.__version__ in cells
    # A picture of the search, of its course, of the training, of threshold and probabilities.
    assert page.counts["svg"] == page.counts["figure"] == 5
    probability = search.predict_proba(X[NEW])[:, 1]
    brier = brier_score_loss(Y[NEW], probability)
    assert any(f"Brier score {brier:.3f}" in text for text in page.texts["figcaption"])


def test_it_needs_nothing_but_itself(search, tmp_path):
    page = Page(search.report(tmp_path / "report.html"))
    # The colours of a bar are a small image that the page holds itself.
    addresses = [one for one in page.addresses if not one.startswith("data:image/png;base64,")]
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"https?://|url\((?!#)|@import|<script|<link|<img", page.content)
    identities = re.findall(r'\bid="([^"]*)"', page.content)
    assert len(identities) == len(set(identities)) > 10
    named = set(re.findall(r"url\(#(.*?)\)", page.content))
    assert named | {address[1:] for address in addresses} <= set(identities)


def test_without_new_rows_nothing_is_judged_by_them(search, tmp_path):
    assert Page(search.report(tmp_path / "report.html")).counts["svg"] == 3


def test_what_is_not_text_is_shown_as_text(tmp_path):
    class Odd(LogisticRegression):
        def __repr__(self):
            return "<b>odd & bold</b>"

    search = GridSearchCV(Odd(), {"C": [0.1, 1.0]}, cv=3).fit(X, Y)
    page = Page(search.report(tmp_path / "report.html"))
    assert "<b>odd & bold</b>" in page.texts["td"]
    assert "b" not in page.counts


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3),
        GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=3, refit=False),
        GridSearchCV(
            LogisticRegression(), {"C": [0.1, 1.0]}, scoring=["f1", "recall"], refit="f1", cv=3
        ),
        RandomizedSearchCV(
            KerasMLPClassifier(epochs=3, random_state=0),
            {"learning_rate": (1e-3, 1e-1, "log-uniform")},
            n_iter=4,
            cv=3,
            random_state=0,
            prune={"rungs": (2,)},
        ),
    ],
    ids=["regression", "one candidate, not refitted", "several metrics", "pruned"],
)
def test_other_searches(search, tmp_path):
    page = Page(clone(search).fit(X, Y).report(tmp_path / "report.html", X, Y))
    assert page.texts["p"][0].startswith("The best of")
    assert page.counts["svg"] >= 1


class TestTheFile:
    def test_an_older_page_is_replaced(self, search, tmp_path):
        path = tmp_path / "report.html"
        path.write_text("older")
        search.report(str(path))
        assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        assert os.listdir(tmp_path) == ["report.html"]
        umask = os.umask(0)
        os.umask(umask)
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask

    def test_a_report_that_fails_leaves_it_alone(self, search, tmp_path, monkeypatch):
        path = tmp_path / "report.html"
        path.write_text("older")

        def failing(*arguments):
            raise OSError("the disk is full")

        monkeypatch.setattr("pathlib.Path.replace", failing)
        with pytest.raises(OSError, match="the disk is full"):
            search.report(path)
        assert path.read_text() == "older"
        assert os.listdir(tmp_path) == ["report.html"]

    def test_a_folder_that_is_not_there(self, search, tmp_path):
        with pytest.raises(FileNotFoundError):
            search.report(tmp_path / "nowhere" / "report.html")

    def test_a_search_that_is_not_fitted(self, tmp_path):
        with pytest.raises(NotFittedError):
            GridSearchCV(Ridge(), {"alpha": [1.0]}).report(tmp_path / "report.html")
        assert os.listdir(tmp_path) == []

    def test_rows_without_their_labels(self, search, tmp_path):
        with pytest.raises(InvalidParameterError, match="both X and y"):
            search.report(tmp_path / "report.html", X)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_in_a_browser(search, tmp_path):
    import matplotlib.image

    path = search.report(tmp_path / "report.html", X[NEW], Y[NEW])
    picture = tmp_path / "page.png"
    browser = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,4000",
    ]
    subprocess.run(
        [*browser, f"--screenshot={picture}", path.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = matplotlib.image.imread(picture)[..., :3]
    assert pixels.shape[:2] == (4000, 1000)
    ink = (pixels < 0.9).any(axis=2)
    # Text and pictures all the way down, and margins that nothing runs over.
    for start in range(0, 3000, 500):
        assert 0.002 < ink[start : start + 500].mean() < 0.5
    assert not ink[:3500, :10].any()
    dumped = subprocess.run(
        [*browser, "--dump-dom", path.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    # The browser found the pictures to be such: their parts are drawn, not unknown elements.
    assert dumped.count("<svg") == 5
    assert "Report of a GridSearchCV" in dumped
