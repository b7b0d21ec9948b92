"""A journal is text and numbers, whatever its text says; nothing in it is run."""

import contextlib
import pickle
import sqlite3
import sys

import pytest

import skhp
from skhp.exceptions import JournalError
from skhp.search.journal.journal import Journal
from skhp.search.journal.reading import read_journal_file
from skhp.search.journal.report import report_of_file
from tests.search.journals import IDENTITY, fold

_events: list[str] = []
_watching = False
_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "pickle.", "socket.", "subprocess.")


def _hook(event, arguments):
    if _watching and (event.startswith(_FORBIDDEN) or event == "exec"):
        _events.append(event)


sys.addaudithook(_hook)


@contextlib.contextmanager
def watched():
    global _watching
    _events.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    assert _events == []


class Code:
    def __reduce__(self):
        return (exec, ("raise SystemExit(3)",))


TEXTS = [
    "__import__('os').system('true')",
    "{{config.__class__}} ${jndi:ldap://localhost} `true` $(true)",
    '{"__reduce__": ["os.system", "true"], "py/object": "os.system"}',
    "[" * 5000,
    "NaN",
    "'; DROP TABLE finished_folds; --",
    pickle.dumps(Code(), protocol=0).decode(),
    "<script>alert(1)</script>",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b5m\r over\u202e",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.sqlite"


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_journal_says_is_text(text, path):
    kept = fold(1, parameters=text, error=text, stop_reason=text)
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(kept)
    report_of_file(path)  # Imports what it needs.
    with watched():
        (found,) = read_journal_file(path).finished.values()
        report = report_of_file(path)
    assert (found.parameters, found.error, found.stop_reason) == (text, text, text)
    assert not set(report) & set(map(chr, (*range(10), *range(11, 32), *range(127, 160), 0x202E)))


@pytest.mark.parametrize(
    "value",
    [
        pickle.dumps(Code()),
        b"\x00" * 10_000_000,
        "0.5; import os",
        2**62,
    ],
    ids=["a pickle", "zeros", "code", "a whole number"],
)
@pytest.mark.parametrize("column", ["value", "checksum", "parameters", "fold"])
def test_a_cell_of_another_type_is_refused(value, column, path):
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(1))
    table = "scores" if column == "value" else "finished_folds"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
    with watched(), pytest.raises(JournalError, match=r"search\.sqlite"):
        read_journal_file(path)


@pytest.mark.parametrize(
    "statements",
    [
        [
            "ALTER TABLE scores RENAME TO kept",
            "CREATE VIEW scores AS "
            "SELECT id, fold_id, name, load_extension('evil') AS value FROM kept",
        ],
        ["ALTER TABLE scores ADD COLUMN more AS (hex(randomblob(1000000000)))"],
        ["CREATE INDEX evil ON scores (abs(value))"],
        [
            "CREATE TRIGGER evil AFTER INSERT ON finished_folds BEGIN "
            "DELETE FROM scores; SELECT load_extension('evil'); END"
        ],
    ],
    ids=["a view", "a computed column", "an index", "a trigger"],
)
def test_a_schema_of_somebody_else_runs_nothing(statements, path):
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(statement)
    with watched(), contextlib.suppress(JournalError):
        assert list(read_journal_file(path).finished.values()) == [fold(1)]


@pytest.mark.slow
def test_the_page_of_a_search_shows_hostile_names_as_text(tmp_path):
    pytest.importorskip("matplotlib")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    hostile = "<script>alert(1)</script>&<img src=x onerror=alert(1)>"
    step = Pipeline([(hostile, LogisticRegression())])
    labels = [hostile, f"{hostile}'\">"]
    X, y = [[n / 40] for n in range(40)], [labels[n % 2] for n in range(40)]
    search = skhp.GridSearchCV(step, {f"{hostile}__C": [0.1, 1.0]}, cv=2, scoring="accuracy")
    search.fit(X, y)
    content = search.report(tmp_path / "page.html", X, y).read_text(encoding="utf-8")
    assert "&lt;script&gt;" in content
    assert "<script" not in content
    assert "<img" not in content
    assert "onerror=alert" not in content.replace("&lt;img src=x onerror=alert", "")
