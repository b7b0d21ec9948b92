"""`skhp report`: the page, what it holds, and what is refused before anything is trained."""

import html.parser
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, f1_score
from sklearn.model_selection import train_test_split

from skhp.cli import main
from skhp.exceptions import OutputError
from skhp.study.files import write_page
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.tables.table import make_table

pytestmark = pytest.mark.slow

OPTIONS = [
    "--grid=classic",
    "--search=random",
    "--candidates=3",
    "--folds=2",
    "--repeats=2",
    "--verdict-repeats=2",
]


class Page(html.parser.HTMLParser):
    """The texts within each kind of element, and how many of them there are."""

    def __init__(self, path):
        super().__init__()
        self.open, self.texts, self.counts, self.rows = [], {}, {}, []
        self.feed(Path(path).read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag == "tr":
            self.rows.append([])
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())
            if self.open[-1] in ("td", "th"):
                self.rows[-1].append(data.strip())

    def rows_of(self, name):
        return [row[1:] for row in self.rows if row and row[0] == name]


def write_table(path):
    """160 rows of patients, of whom a quarter died."""
    random = np.random.default_rng(0)
    age = random.normal(50, 10, 160).round(1)
    ward = random.choice(["north", "south"], 160)
    risk = age / 10 + 2 * (ward == "south") + random.normal(size=160)
    # In the order of the alphabet the rare class comes first.
    state = np.where(risk > np.quantile(risk, 0.75), "died", "lived")
    # The target in the middle, so that --target is needed.
    pd.DataFrame({"age": age, "state": state, "ward": ward}).to_csv(path, index=False)


@pytest.mark.slow
def test_a_table_becomes_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    command = ["report", "t.csv", "--target", "state", *OPTIONS, "--journal", "journal"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert sorted(os.listdir()) == ["journal", "report.html", "report.joblib", "t.csv"]
    says = "\nThe page is 'report.html', the fitted pipeline 'report.joblib'.\n"
    assert printed.endswith(says)
    kept = joblib.load(tmp_path / "report.joblib")
    table = pd.read_csv(tmp_path / "t.csv")
    assert set(kept.predict(table.drop(columns="state"))) <= set(table["state"])
    page = Page(tmp_path / "report.html")
    assert page.texts["h1"] == ["Report of a RandomizedSearchCV"]
    assert page.texts["h2"] == [
        "Verdict",
        "Against logistic regression",
        "One split",
        "New rows",
        "Diagnosis",
        "Pictures",
        "Candidates",
        "Settings",
        "Versions",
    ]
    # A picture of the search, of its course, of the training, of threshold and probabilities.
    assert page.counts["svg"] == page.counts["figure"] == 5
    # The page says of the baseline what the terminal says.
    flat = " ".join(printed.split())
    (verdict,) = [text for text in page.texts["p"] if "the F1 of network is" in text]
    assert verdict in flat
    assert any("dummy is the best answer that looks at no input" in one for one in page.texts["p"])
    of_test_rows = re.search(r"^ *F1 +(\S+) +(\S+) +(\S+) +(\S+)$", printed, re.M).groups()
    of_verdict, of_split = page.rows_of("F1")
    assert list(map(float, of_split)) == pytest.approx(list(map(float, of_test_rows)), abs=1e-3)
    for name, shown in zip(("dummy", "logistic", "network"), of_verdict, strict=False):
        mean = re.search(rf"^ *{name} +F1 +(\S+)", printed, re.M)[1]
        assert float(shown) == pytest.approx(float(mean), abs=1e-3)
    assert re.search(r"network__learning_rate = 0\.\d+\.$", page.texts["p"][0])
    assert any("40 test rows of t.csv" in text for text in page.texts["p"])

    # The same journal: nothing is trained anew, and the older page is replaced when asked.
    assert main([*command, "--overwrite"]) == 0
    assert Page(tmp_path / "report.html").texts["p"][0] == page.texts["p"][0]


@pytest.mark.parametrize(
    ("arguments", "cause", "mend"),
    [
        (["-o", "."], "'.' is a directory", "path of a file"),
        (["-o", "/dev/null", "--overwrite"], "'/dev/null' is a pipe or a device", "path of a file"),
        (["-o", "older.html"], "'older.html' exists", "another --out, or add --overwrite"),
        (["-o", "no/where.html"], "no directory .*no'", "make it, or choose another --out"),
        (["-o", ""], "the path is empty", "give the path"),
        (["-o", "x" * 300], "cannot be written to .File name too long", "choose another --out"),
        (["-o", "./t.csv"], "'t.csv' is an input", "choose another --out"),
        (["-o", "j", "--journal", "j"], "'j' is an input or the journal", "choose another --out"),
        (["--target", "stat"], "no column 'stat'", "Did you mean 'state'"),
        (["--folds", "1"], "folds is 1", "at least 2"),
        (["--force"], "unrecognized arguments: --force", "skhp --help"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, cause, mend, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    Path("older.html").touch()
    before = Path("t.csv").read_bytes()
    monkeypatch.setattr("skhp.study.study.run_study", None)
    assert main(["report", "t.csv", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("skhp report: error: ")
    assert re.search(cause, line)
    assert re.search(mend, line)
    assert sorted(os.listdir()) == ["older.html", "t.csv"]
    assert Path("t.csv").read_bytes() == before


def test_without_matplotlib_the_extra_is_named_before_any_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("skhp.study.study.run_study", None)
    assert main(["report", "t.csv", "--target", "state"]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_ctrl_c_leaves_an_older_page_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    Path("report.html").write_text("older")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", interrupt)
    assert main(["report", "t.csv", "--target", "state", "--overwrite"]) == 130
    assert capsys.readouterr().err == "skhp report: stopped by Ctrl-C, no files were written\n"
    assert Path("report.html").read_text() == "older"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    from skhp import KerasMLPClassifier

    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_table(path)
    settings = Settings(search="random", candidates=2, folds=2, repeats=1, verdict_repeats=1)
    network = KerasMLPClassifier(epochs=5)
    return run_study(make_table(pd.read_csv(path), "state"), settings, network=network)


def test_the_page_judges_by_the_test_rows_of_the_study(study, tmp_path):
    table, target = study.table.inputs, study.table.target
    labels = target.labels[target.codes]
    _, X, _, y = train_test_split(table, labels, test_size=0.25, stratify=labels, random_state=0)
    page = Page(write_page(study, tmp_path / "page.html"))
    # The class of the package's own that did the search is nothing to look up.
    assert page.texts["h1"] == ["Report of a RandomizedSearchCV"]
    brier = brier_score_loss(y == "died", study.pipeline.predict_proba(X)[:, 1])
    (caption,) = [text for text in page.texts["figcaption"] if "Brier score" in text]
    assert f"Brier score {brier:.3f}" in caption
    assert "probabilities of class died" in caption
    # One repeat, so its scores are those of the pipeline.
    f1 = f1_score(y, study.pipeline.predict(X), pos_label="died", zero_division=0.0)
    _, (dummy, before, mean, *spread) = page.rows_of("F1")
    assert float(dummy) == pytest.approx(study.dummy_scores.f1, abs=1e-4)
    assert float(mean) == pytest.approx(f1, abs=1e-4)
    assert float(before) == pytest.approx(study.baseline_scores.f1, abs=1e-4)
    assert spread == []
    # The search of the study is as it was.
    assert not hasattr(study.search, "best_estimator_")


def test_what_the_system_refuses_leaves_nothing(study, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("older")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OutputError, match=r"page.html.*No space left on device.*another --out"):
        write_page(study, path, overwrite=True)
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_page_that_came_while_the_study_ran_is_not_replaced(study, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("older")
    assert write_page(study, path) == tmp_path / "page-2.html"
    assert path.read_text() == "older"
    assert write_page(study, path) == tmp_path / "page-3.html"


def test_what_a_user_should_look_at_is_on_the_page(study, tmp_path):
    table = replace(study.table, notes=("column 'id' counts up: --drop 'id'.",))
    page = Page(write_page(replace(study, table=table), tmp_path / "page.html"))
    assert any("column 'id' counts up: --drop 'id'." in text for text in page.texts["p"])


def test_of_more_classes_the_mean_f1_is_told(study, tmp_path):
    target = study.table.target
    labels = np.append(target.labels, "unknown")
    three = replace(study.table, target=replace(target, labels=labels))
    page = Page(write_page(replace(study, table=three), tmp_path / "page.html"))
    assert "F1, mean of all classes" in [row[0] for row in page.rows]
    assert any("its mean F1 is that of the best" in text for text in page.texts["p"])
