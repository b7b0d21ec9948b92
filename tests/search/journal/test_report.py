import json
import math
import re
import shutil

import pytest

from skhp.cli import main
from skhp.search.journal.journal import Journal
from tests.search.journals import IDENTITY, fold


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "search.sqlite"


def record(path, *finished):
    with Journal.opened(path, IDENTITY) as journal:
        for one in finished:
            journal.record(one)


def printed(capsys, *arguments):
    assert main(["journal", *map(str, arguments)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return text


def listed(text):
    """The parameters of the listed candidates, best first."""
    lines = text.splitlines()
    table = lines[next(n for n, line in enumerate(lines) if line.startswith("Best")) + 3 :]
    blocks = []
    for line in table:
        if re.fullmatch(r" +\S+ +\S+ +\d+ +\d+ +\S+ +\d+\.\d\d +\d+", line):
            blocks.append([])
        else:
            blocks[-1].append(line.strip())
    return [json.loads(" ".join(block)) for block in blocks]


def of(parameters, score, number, **changes):
    text = json.dumps(parameters)
    return fold(number, parameters=text, scores={"test_score": score}, **changes)


def test_a_journal_is_printed(path, capsys):
    record(
        path,
        *(of({"a": "good"}, 0.9 + n / 100, n, fit_seconds=2.0, epochs=n + 1) for n in range(2)),
        *(of({"a": "better"}, 0.95, n, fit_seconds=1.0, score_seconds=0.5) for n in range(2)),
        of({"a": "incomplete"}, 0.99, 0),
        of({"a": "failed"}, math.nan, 0, error="ValueError"),
        of({"a": "failed"}, 0.99, 1),
    )
    text = printed(capsys, "search.sqlite")
    for fact in IDENTITY.estimator, IDENTITY.scoring, IDENTITY.versions, IDENTITY.data:
        assert fact in text
    assert "candidates 4\n" in text
    assert "fits       7 finished, 1 of them failed\n" in text
    assert "seconds    6.1 of fits, 1.0 of scores\n" in text
    assert "by mean test_score" in text
    assert [entry["a"] for entry in listed(text)] == ["better", "good", "failed", "incomplete"]
    row = next(line for line in text.splitlines() if line.split()[:1] == ["0.905"])
    assert row.split() == ["0.905", "0.005", "2", "0", "1.5", "2.00", "0"]
    assert len(listed(printed(capsys, "search.sqlite", "--best", 2))) == 2


def test_the_last_iteration_of_a_halving_search_is_in_front(path, capsys):
    record(
        path,
        of({"a": 1}, 0.9, 0),
        of({"a": 2}, 0.8, 0),
        of({"a": 2}, 0.7, 0, iteration=1),
    )
    text = printed(capsys, "search.sqlite")
    assert [entry["a"] for entry in listed(text)] == [2, 1, 2]
    assert "candidates 2\n" in text
    assert "iterations 2\n" in text


def test_an_infinite_score_and_long_parameters_are_printed(path, capsys):
    long = {f"parameter_{n}": n for n in range(30)}
    record(path, of(long, math.inf, 0), of({"a": 1}, -math.inf, 0))
    assert listed(printed(capsys, "search.sqlite")) == [long, {"a": 1}]


def test_a_journal_of_nothing_says_so(path, capsys):
    record(path)
    assert "finished nothing yet" in " ".join(printed(capsys, "search.sqlite").split())


def test_a_journal_in_use_and_one_of_a_killed_search_are_only_read(path, capsys):
    with Journal.opened(path, IDENTITY) as journal:
        for number in range(3):
            journal.record(fold(number))
        assert "3 finished" in printed(capsys, path)
        for copy, ends in (("all", ("", "-wal", "-shm")), ("without", ("", "-wal"))):
            for end in ends:
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
    for copy in ("all", "without", path.name):
        before = {entry: entry.read_bytes() for entry in path.parent.iterdir()}
        assert "3 finished" in printed(capsys, copy)
        after = {entry: entry.read_bytes() for entry in path.parent.iterdir()}
        # The shared memory is no data, only who reads and writes.
        assert {entry: after[entry] for entry in after if not entry.match("*-shm")} == {
            entry: before[entry] for entry in before if not entry.match("*-shm")
        }
        assert after.keys() == before.keys()


@pytest.mark.parametrize(
    ("content", "arguments", "cause", "mend"),
    [
        (None, [], "no such journal: 'search.sqlite'", "give the path of one"),
        (b"", [], "is not a journal: it is empty", "give the path of a whole journal"),
        (b"a,b\n", [], "it is not an SQLite file", "give the path of a whole journal"),
        (b"", ["--best", "0"], "--best is 0", "at least 1 is needed"),
        (b"", ["--best", "x"], "invalid int value", "--help"),
        (b"", ["--worst"], "unrecognized arguments: --worst", "--help"),
    ],
)
def test_bad_input_is_one_line_with_cause_and_mend(path, content, arguments, cause, mend, capsys):
    if content is not None:
        path.write_bytes(content)
    assert main(["journal", "search.sqlite", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("skhp journal: error: ")
    assert cause in line
    assert mend in line
    assert list(path.parent.iterdir()) == ([] if content is None else [path])


def test_a_damaged_journal_is_reported_and_left(path, capsys):
    record(path, *(fold(number) for number in range(9)))
    content = path.read_bytes()[:9000]
    path.write_bytes(content)
    assert main(["journal", str(path)]) == 2
    assert "is damaged: " in capsys.readouterr().err
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
