"""The report of a search: what it says, what it shows, and how it looks in a browser."""

import html.parser
import itertools
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    f1_score,
    make_scorer,
    mean_absolute_error,
)
from sklearn.model_selection import TimeSeriesSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

import skhp
from skhp import (
    GridSearchCV,
    InvalidParameterError,
    KerasCNNClassifier,
    KerasMLPClassifier,
    KerasRNNRegressor,
    RandomizedSearchCV,
)
from skhp.inspection.value_text import number_text
from skhp.sequences import sliding_windows

pytestmark = pytest.mark.slow

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


def in_chromium(folder):
    """The command to which a page is added, with all that it keeps in a folder."""
    return [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder / 'profile'}",
    ]


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
    browser = [*in_chromium(tmp_path), "--window-size=1000,4000"]
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


# ---------------------------------------------------------------- what a reader sees

RAW = re.compile(
    r"0x[0-9a-f]{4}|np\.|object at|<function|\b_[A-Z]\w+|\.0*[1-9]\d{6}|\bdtype=|array\(", re.M
)


def mean_of_columns(X):
    return X


class _Own(RandomizedSearchCV):
    """As programs make searches for themselves."""


def plain(estimator, **keywords):
    return GridSearchCV(estimator, cv=3, **keywords)


LOGISTIC = Pipeline([("scaler", StandardScaler()), ("model", LogisticRegression())])
SEARCHES = {
    "distributions": _Own(
        LOGISTIC,
        {"model__C": stats.loguniform(1e-4, 1e4), "model__tol": stats.uniform(1e-5, 1e-3)},
        n_iter=8,
        cv=3,
        random_state=0,
    ),
    "estimators": plain(
        LOGISTIC,
        param_grid={
            "scaler": [
                StandardScaler(),
                MinMaxScaler((0, 2)),
                FunctionTransformer(mean_of_columns),
            ],
            "model__C": [0.1, 1.0],
        },
    ),
    "numpy": plain(
        MLPClassifier(max_iter=300, tol=0.01, random_state=0),
        param_grid={
            "hidden_layer_sizes": [(np.int64(3),), (4, np.int64(2))],
            "alpha": np.array([1 / 3, 1e-4]),
            "learning_rate_init": list(np.array([0.01, 0.02], dtype=np.float32)),
        },
    ),
    "alternatives": plain(
        LOGISTIC,
        param_grid=[
            {"model": [LogisticRegression()], "model__C": [0.1, 1.0]},
            {"model": [RandomForestClassifier(5, random_state=0)], "model__max_depth": [1, 2]},
        ],
    ),
    "weights": plain(
        LogisticRegression(),
        param_grid={"class_weight": [{np.int64(0): np.float64(1), 1: 2.5}, "balanced", None]},
        scoring=make_scorer(f1_score, zero_division=0.0),
    ),
}


def all_texts(page):
    return [text for texts in page.texts.values() for text in texts]


@pytest.mark.parametrize("name", SEARCHES)
def test_no_text_is_raw(name, tmp_path):
    search = clone(SEARCHES[name]).fit(X[SEEN], Y[SEEN])
    page = Page(search.report(tmp_path / "report.html", X[NEW], Y[NEW]))
    shown = [text for tag, texts in page.texts.items() if tag != "style" for text in texts]
    assert [text for text in shown if RAW.search(text)] == []
    assert page.texts["h1"] == [
        f"Report of a {type(search).__mro__[name == 'distributions'].__name__}"
    ]


def test_settings_are_those_that_were_trained_with(tmp_path):
    network = KerasMLPClassifier(epochs=4, patience=2, random_state=0)
    search = GridSearchCV(network, {"neurons": [2, 3]}, cv=3, early_stopping=False)
    page = Page(search.fit(X[SEEN], Y[SEEN]).report(tmp_path / "report.html"))
    cells = page.texts["td"]
    value_of = dict(itertools.pairwise(cells))
    assert "False, left to the network: on in the network" in cells
    assert "'auto': F1 of class 1" in cells
    assert "3: 3 folds" in cells
    # The table of the network comes after that of the search.
    assert value_of["patience"] == "2"
    assert value_of["monitor"] == "'val_loss'"
    auto = clone(search).set_params(early_stopping="auto").fit(X[SEEN], Y[SEEN])
    cells = Page(auto.report(tmp_path / "report.html")).texts["td"]
    assert "'auto': on in the network" in cells
    median = clone(search).set_params(refit_epochs="median").fit(X[SEEN], Y[SEEN])
    cells = Page(median.report(tmp_path / "report.html")).texts["td"]
    epochs = median.best_estimator_.epochs
    assert f"'median': refitted for {epochs} epochs, without early stopping" in cells


def test_the_diagnosis_asks_for_nothing_that_was_given(search, tmp_path):
    texts = all_texts(Page(search.report(tmp_path / "report.html")))
    assert not any("Give diagnose the y" in text for text in texts)


def test_the_metric_is_named_wherever_a_score_is(search, tmp_path):
    page = Page(search.report(tmp_path / "report.html", X[NEW], Y[NEW]))
    assert "mean F1 of class 1" in page.texts["th"]
    score = search.score(X[NEW], Y[NEW])
    assert any(
        f"the F1 of class 1 of the best candidate is {score:.3f}" in p for p in page.texts["p"]
    )
    # The letters of the pictures are letters of the page.
    assert page.texts["text"].count("mean test F1 of class 1") == 2
    assert not any(re.search(r"\bmean (test )?score\b", text) for text in all_texts(page))


def table_after(page, heading, n_rows):
    """The rows of the table whose first heading is this, of as many cells as it has headings."""
    content = page.content[page.content.index(f">{heading}</th>") :]
    rows = re.findall(r"<tr>(.*?)</tr>", content[: content.index("</table>")], re.S)[-n_rows:]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def test_the_confusion_of_two_classes(search, tmp_path):
    page = Page(search.report(tmp_path / "report.html", X[NEW], Y[NEW]))
    predicted = search.predict(X[NEW])
    expected = [
        [str(k), *map(str, row)] for k, row in enumerate(confusion_matrix(Y[NEW], predicted))
    ]
    assert table_after(page, "true class", 2) == expected
    scores = table_after(page, "class", 3)
    assert scores[1][3] == f"{f1_score(Y[NEW], predicted):.3f}"
    assert scores[2][3] == f"{f1_score(Y[NEW], predicted, average='macro'):.3f}"
    # Without new rows nothing is said of them.
    assert "New rows" not in Page(search.report(tmp_path / "report.html")).texts["h2"]


def test_the_confusion_of_named_and_of_many_classes(tmp_path):
    names = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    search = plain(LogisticRegression(), param_grid={"C": [0.1, 1.0]}).fit(X[SEEN], names[SEEN])
    page = Page(search.report(tmp_path / "report.html", X[NEW], names[NEW]))
    assert [row[0] for row in table_after(page, "true class", 3)] == ["high", "low", "middle"]
    assert "mean macro F1" in page.texts["th"]
    many = np.digitize(X[:, 0], np.quantile(X[:, 0], np.linspace(0.06, 0.94, 15)))
    search = plain(LogisticRegression(), param_grid={"C": [0.1, 1.0]}).fit(X, many)
    page = Page(search.report(tmp_path / "report.html", X, many))
    counts = confusion_matrix(many, search.predict(X))
    np.fill_diagonal(counts, 0)
    assert table_after(page, "predicted class", 12)[0][2] == str(counts.max())


def test_a_regression_has_its_errors_in_place_of_confusion(tmp_path):
    search = plain(Ridge(), param_grid={"alpha": [0.1, 1.0, 10.0]}).fit(X[SEEN], X[SEEN, 0] * 50)
    page = Page(search.report(tmp_path / "report.html", X[NEW], X[NEW, 0] * 50))
    error = mean_absolute_error(X[NEW, 0] * 50, search.predict(X[NEW]))
    assert table_after(page, "on new rows", 4)[1] == ["mean absolute error", number_text(error)]
    assert "mean R²" in page.texts["th"]
    assert any("against the true values" in caption for caption in page.texts["figcaption"])


def test_numbers_of_the_candidates_line_up(tmp_path):
    search = plain(LogisticRegression(), param_grid={"C": np.geomspace(1e-3, 1e3, 25)})
    page = Page(search.fit(X, Y).report(tmp_path / "report.html"))
    rows = table_after(page, "rank", 20)
    assert [row[0] for row in rows] == [str(k) for k in range(1, 21)]
    means = [row[2] for row in rows]
    assert {len(mean) for mean in means} == {6}
    assert means == sorted(means, reverse=True)
    assert any("The first 20 of 25 candidates." in text for text in page.texts["p"])


def test_the_chosen_candidate_is_the_first_one(tmp_path):
    search = plain(LogisticRegression(), param_grid={"C": [0.001, 1.0, 10.0]})
    search.set_params(refit=lambda results: 0).fit(X, Y)
    rows = table_after(Page(search.report(tmp_path / "report.html")), "rank", 3)
    assert rows[0][1] == "C = 0.001"


def test_a_search_whose_candidates_all_failed(tmp_path):
    def refusing(estimator, X, y):
        raise ValueError("no score")

    search = plain(LogisticRegression(), param_grid={"C": [0.1, 1.0]}, scoring=refusing)
    with pytest.warns(UserWarning):  # noqa: PT030 scikit-learn warns of each score.
        search.fit(X, Y)
    page = Page(search.report(tmp_path / "report.html", X[NEW], Y[NEW]))
    assert page.texts["p"][0].startswith("No candidate has a score: all of them failed.")
    assert table_after(page, "rank", 2)[0][2] == "failed"


def test_several_metrics_without_a_refit(tmp_path):
    search = plain(
        LogisticRegression(), param_grid={"C": [0.1, 1.0]}, scoring=["f1", "recall"], refit=False
    ).fit(X, Y)
    page = Page(search.report(tmp_path / "report.html", X[NEW], Y[NEW]))
    assert {"mean f1", "mean recall"} <= set(page.texts["th"])


def test_a_training_is_drawn_by_what_watched_it(tmp_path):
    network = KerasMLPClassifier(epochs=4, random_state=0)
    search = GridSearchCV(
        network, {"neurons": [2, 3]}, cv=3, early_stopping={"monitor": "val_recall"}
    ).fit(X, Y)
    page = Page(search.report(tmp_path / "report.html"))
    captions = page.texts["figcaption"]
    assert (
        "The training of the best candidate on all rows: recall, which early stopping watched."
        in captions
    )
    assert "The loss of the same training." in captions
    assert {"recall", "loss"} <= set(page.texts["text"])


MEASURE = """<script>
const cut = [...document.querySelectorAll("html, body, table, figure")]
  .filter(one => one.scrollWidth > one.clientWidth + 1);
document.documentElement.setAttribute("data-cut", cut.map(one => one.tagName).join(" "));
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [700, 1000, 1400])
def test_nothing_is_cut_in_a_browser(tmp_path, width):
    steps = [("a_preparation_with_a_long_name", StandardScaler()), ("forest", LogisticRegression())]
    draws = {
        f"a_preparation_with_a_long_name__{name}": [True, False] for name in ("copy", "with_std")
    }
    draws |= {
        "forest__C": stats.loguniform(1e-4, 1e4),
        "forest__tol": stats.uniform(1e-5, 1e-3),
        "forest__intercept_scaling": stats.uniform(0.1, 5),
        "forest__max_iter": stats.randint(50, 500),
        "forest__class_weight": [None, "balanced", {0: 1, 1: 3}],
        "forest__fit_intercept": [True, False],
        "forest__solver": ["lbfgs", "liblinear", "newton-cg", "newton-cholesky"],
        "forest__warm_start": [True, False],
    }
    search = RandomizedSearchCV(Pipeline(steps), draws, n_iter=20, cv=3, random_state=0).fit(X, Y)
    path = search.report(tmp_path / "report.html", X, Y)
    path.write_text(path.read_text("utf-8").replace("</body>", MEASURE), "utf-8")
    command = [*in_chromium(tmp_path), f"--window-size={width},2000", "--dump-dom", path.as_uri()]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r'data-cut="(.*?)"', dumped)[1] == ""


def rows_of_tables(path):
    """The texts of the cells of each row."""
    content = path.read_text(encoding="utf-8")
    return [re.findall(r"<t[dh][^>]*>([^<]*)", row) for row in re.findall(r"<tr>.*?</tr>", content)]


def test_a_search_over_series_shows_layers_and_forecasts(tmp_path):
    wave = np.sin(np.arange(90) / 4)
    windows, target, _ = sliding_windows(wave, 6)
    network = KerasRNNRegressor(neurons=3, cell="gru", epochs=3, random_state=0)
    search = GridSearchCV(
        network,
        {"time_steps": [2, 4]},
        cv=TimeSeriesSplit(2),
        scoring="neg_mean_absolute_error",
    ).fit(windows[:60], target[:60])
    path = search.report(tmp_path / "report.html", windows[60:], target[60:])
    page = Page(path)
    assert f"has a mean absolute error of {-search.best_score_:.3f} over" in page.texts["p"][0]
    error = mean_absolute_error(target[60:], search.predict(windows[60:]))
    assert any(
        f"the mean absolute error of the best candidate is {error:.3f}" in text
        for text in page.texts["p"]
    )
    assert ["mean absolute error", number_text(error)] in rows_of_tables(path)
    # A picture of the search, its course, the training, the errors, and the course of the series.
    assert page.counts["svg"] == 5
    assert page.texts["figcaption"][-1].endswith("in the order of the rows.")
    assert ["gru_1", "GRU", "3", str(3 * (3 * 3 + 3 * 1 + 2 * 3))] in rows_of_tables(path)


def test_a_search_over_tokens_has_no_series_to_draw(tmp_path):
    tokens = np.random.default_rng(0).integers(1, 6, size=(40, 4))
    network = KerasRNNRegressor(embedding_dim=2, neurons=2, cell="simple", epochs=1, random_state=0)
    search = GridSearchCV(network, {"neurons": [2, 3]}, cv=2).fit(tokens, tokens.sum(axis=1))
    path = search.report(tmp_path / "report.html", tokens, tokens.sum(axis=1))
    assert Page(path).counts["svg"] == 4
    assert ["embedding_1", "Embedding", "4 x 2", "12"] in rows_of_tables(path)


def test_a_search_over_images_shows_layers_and_confusions(tmp_path):
    images = np.random.default_rng(0).random((60, 6, 5))
    labels = np.array(["dark", "grey", "light"])[np.digitize(images.mean((1, 2)), [0.48, 0.52])]
    network = KerasCNNClassifier(filters=2, neurons=3, epochs=2, random_state=0)
    search = GridSearchCV(network, {"hidden_layers": [1, 2]}, cv=2).fit(images, labels)
    path = search.report(tmp_path / "report.html", images, labels)
    rows = rows_of_tables(path)
    counts = confusion_matrix(labels, search.predict(images))
    for name, of_class in zip(("dark", "grey", "light"), counts, strict=True):
        assert [name, *map(str, of_class)] in rows
    assert ["convolution_1", "Conv2D", "6 x 5 x 2", str(2 * 9 + 2)] in rows
