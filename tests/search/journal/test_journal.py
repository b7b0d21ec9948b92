import contextlib
import json
import math
import random
import shutil
import sqlite3
import struct
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.exceptions import JournalError, JournalMismatchError, JournalWarning
from skhp.search.journal.file import create_journal_file
from skhp.search.journal.journal import Journal
from skhp.search.journal.reading import read_journal_file
from tests.search.journals import (
    IDENTITY,
    fill,
    fold,
    folds,
    in_a_small_file_system,
    key_number,
    processes,
    record_together,
    record_until_killed,
    record_up_to_a_size,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.sqlite"


def bits(number):
    return "nan" if math.isnan(number) else struct.pack(">d", number)


def reopened(path):
    with Journal.opened(path, IDENTITY) as journal:
        return journal.answers()


def test_what_was_recorded_is_answered_by_the_next_run(path):
    with Journal.opened(path, IDENTITY) as journal:
        assert journal.answers() == {}
        for number in range(7):
            journal.record(fold(number))
        assert journal.answers() == folds(7)
    answers = reopened(path)
    assert answers == folds(7)
    assert list(answers) == list(folds(7))
    assert list(path.parent.iterdir()) == [path]


@given(numbers=st.lists(st.floats(), min_size=2, max_size=6), text=st.text())
def test_floats_and_texts_come_back_to_the_bit(tmp_path_factory, numbers, text):
    path = tmp_path_factory.mktemp("journal") / "j"
    scores = {f"test_{place}": number for place, number in enumerate(numbers)}
    finished = fold(0, scores=scores, fit_seconds=numbers[0], error=text, stop_reason=text)
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(finished)
    (answer,) = reopened(path).values()
    assert list(answer.scores) == list(scores)
    assert list(map(bits, answer.scores.values())) == list(map(bits, numbers))
    assert bits(answer.fit_seconds) == bits(numbers[0])
    assert (answer.error, answer.stop_reason) == (text, text)


def test_a_negative_zero_and_nan_and_infinity_come_back(path):
    scores = {"a": -0.0, "b": 0.0, "c": math.inf, "d": -math.inf, "e": math.nan, "f": 5e-324}
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0, scores=scores))
    (answer,) = reopened(path).values()
    assert [bits(score) for score in answer.scores.values()] == list(map(bits, scores.values()))


def test_numbers_of_numpy_and_half_characters_are_recorded(path):
    finished = fold(
        0,
        fold=np.int64(3),
        iteration=np.int8(2),
        scores={"test_score": np.float32(0.1)},
        fit_seconds=np.float32(0.5),
        epochs=np.int64(4),
        best_epoch=np.uint8(2),
        error="half \ud800",
    )
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(finished)
        (answer,) = journal.answers().values()
    assert answer.key == (finished.parameters, 3, 2)
    assert answer.scores == {"test_score": float(np.float32(0.1))}
    assert (answer.fit_seconds, answer.epochs, answer.best_epoch) == (0.5, 4, 2)
    assert answer.error == "half \\ud800"


def test_a_failed_candidate_is_finished(path):
    failed = fold(3, scores={"test_score": math.nan}, error="ValueError: no", epochs=None)
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(failed)
    (answer,) = reopened(path).values()
    assert answer.error == "ValueError: no"
    assert math.isnan(answer.scores["test_score"])
    assert answer.epochs is None


def test_the_first_record_of_a_key_stays(path):
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0))
        journal.record(fold(0, scores={"test_score": 0.0, "other": 1.0}))
        journal.record(fold(0, iteration=1))
        assert list(journal.answers().values()) == [fold(0), fold(0, iteration=1)]


def test_pandas_reads_plain_columns(path):
    with Journal.opened(path, IDENTITY) as journal:
        for number in range(7):
            journal.record(fold(number))
        journal.record(fold(7, scores={"test_score": math.nan}, error="no", epochs=None))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        table = pandas.read_sql(
            "SELECT f.*, s.value FROM finished_folds f JOIN scores s "
            "ON s.fold_id = f.id AND s.name = 'test_score' ORDER BY f.id",
            connection,
        )
    assert list(table["fold"]) == [0, 1, 2, 3, 4, 0, 1, 2]
    assert list(table["value"][:7]) == [1 / (number + 3) for number in range(7)]
    assert math.isnan(table["value"][7])
    assert list(table["error"].dropna()) == ["no"]
    assert json.loads(table["parameters"][6]) == {"learning_rate": 0.01, "layers": [10, 1]}


@pytest.mark.parametrize("part", ["data", "folds", "estimator", "scoring", "settings", "versions"])
def test_another_search_is_refused_by_what_differs(part, path):
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0))
    other = replace(IDENTITY, **{part: "something else"})
    with pytest.raises(JournalMismatchError, match=r"search\.sqlite.*another path") as refusal:
        Journal.opened(path, other)
    message = str(refusal.value)
    assert f"{part} ({getattr(IDENTITY, part)} there; something else here)" in message
    assert message.count(" there; ") == 1
    assert reopened(path) == folds(1)


def test_everything_that_differs_is_named(path):
    Journal.opened(path, IDENTITY).close()
    with pytest.raises(JournalMismatchError, match=r"data \(.*; versions \("):
        Journal.opened(path, replace(IDENTITY, data="x", versions="y"))


def test_a_path_that_cannot_be_is_refused_with_the_mend(tmp_path):
    with pytest.raises(JournalError, match=r"No such file or directory.*a directory that exists"):
        Journal.opened(tmp_path / "none" / "j", IDENTITY)
    with pytest.raises(JournalError, match=r"is a directory: give the path of a file"):
        Journal.opened(tmp_path, IDENTITY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_of_two_that_begin_at_once_the_first_makes_the_file(links, path, monkeypatch):
    def no_links(*_):
        raise PermissionError("no hard links here")

    if not links:
        monkeypatch.setattr("os.link", no_links)
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0))
        journal.record(fold(1))
    inode = path.stat().st_ino
    create_journal_file(path, IDENTITY)
    assert path.stat().st_ino == inode
    assert reopened(path) == folds(2)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_stays_locked_is_not_called_damaged(path, monkeypatch):
    monkeypatch.setattr("skhp.search.journal.reading.BUSY_SECONDS", 0.0)
    Journal.opened(path, IDENTITY).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        path.with_name("search.sqlite-shm").touch()  # A sign that a process is at work.
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="cannot be read: database is locked") as refusal:
            Journal.opened(path, IDENTITY)
    assert type(refusal.value) is JournalError


def test_nothing_is_recorded_after_the_end(path):
    journal = Journal.opened(path, IDENTITY)
    journal.record(fold(0))
    journal.close()
    journal.close()
    journal.record(fold(1))
    assert reopened(path) == folds(1)


def test_threads_share_a_journal(path):
    def record(first):
        for number in range(first, 200, 8):
            journal.record(fold(number))
            journal.answers()

    with Journal.opened(path, IDENTITY) as journal:
        threads = [threading.Thread(target=record, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.answers() == folds(200)


def test_ten_processes_share_a_file(path):
    context = processes()
    barrier = context.Barrier(10)
    # A tenth of the fits of each process is also recorded by another one.
    shares = [range(first, first + 1000) for first in range(0, 9000, 900)]
    workers = [
        context.Process(target=record_together, args=(path, barrier, share)) for share in shares
    ]
    for worker in workers:
        worker.start()
    seen = [0]
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.2)
        if path.exists():
            seen.append(len(read_journal_file(path).finished))
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 10
    assert reopened(path) == folds(9100)
    assert seen == sorted(seen)
    assert list(path.parent.iterdir()) == [path]


def test_a_journal_in_use_answers_what_others_record(path):
    with Journal.opened(path, IDENTITY) as one, Journal.opened(path, IDENTITY) as other:
        for number in range(6):
            (one if number % 2 else other).record(fold(number))
            assert one.answers() == other.answers() == folds(number + 1)


def test_a_kill_loses_nothing_that_was_recorded(path):
    # From before the file is made to hundreds of records later.
    moments = random.Random(0)
    context = processes()
    told_last = -1
    for attempt in range(20):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=record_until_killed, args=(path, sender))
        worker.start()
        sender.close()
        if attempt % 4:
            receiver.poll(30)
        # The pipe is read all the while, or the worker would wait for it.
        ends = threading.Timer(moments.uniform(0, 0.05), worker.kill)
        ends.start()
        with contextlib.suppress(EOFError):
            while True:
                told_last = max(told_last, receiver.recv())
        ends.join()
        worker.join()
        assert worker.exitcode == -9
        if path.exists():
            # A file that is only read leaves to the next process what the kill has left.
            answers = reopened(path) if attempt % 2 else read_journal_file(path).finished
            assert answers == folds(len(answers))
            assert told_last + 1 <= len(answers) <= told_last + 2
            told_last = len(answers) - 1
        else:
            assert told_last == -1
    assert told_last > 20


# ---------------------------------------------------------------- nowhere to write


def assert_one_warning_and_all_before_it_kept(outcome, cause):
    counts, categories, (message,), known = outcome
    assert categories == ["JournalWarning"]
    assert sorted(set(counts)) == [0, 1]
    # counts[n + 1] is after the n-th record.
    assert known == list(range(counts.index(1) - 1))
    assert len(known) > 20
    assert cause in message
    assert "goes on" in message
    return known


def filled_up_to(path, size):
    """What `fill` says in a process whose files may not grow beyond a size."""
    context = processes()
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=record_up_to_a_size, args=(path, size, sender))
    worker.start()
    sender.close()
    outcome = receiver.recv()
    worker.join()
    assert worker.exitcode == 0
    return outcome


def test_a_file_that_may_not_grow_is_one_warning(path):
    outcome = filled_up_to(path, 300_000)
    known = assert_one_warning_and_all_before_it_kept(outcome, "cannot be written")
    assert sorted(map(key_number, reopened(path))) == known


@pytest.mark.parametrize("size", [0, 10_000, 30_000, 60_000])
def test_a_file_that_may_not_grow_to_a_journal_is_one_warning(size, path):
    counts, categories, _, _ = filled_up_to(path, size)
    assert (counts[-1], categories) == (1, ["JournalWarning"])
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0))
        assert fold(0).key in journal.answers()


def test_a_full_disk_is_one_warning(tmp_path):
    outcome, again = in_a_small_file_system(
        tmp_path,
        "from tests.search.journals import fill\n"
        "print(json.dumps([fill(folder + '/j', 2000), fill(folder + '/j', 0)]))",
    )
    known = assert_one_warning_and_all_before_it_kept(outcome, "full")
    assert again[3] == known


def test_a_disk_that_is_full_from_the_start_is_one_warning(tmp_path):
    counts, categories, messages, known = in_a_small_file_system(
        tmp_path,
        "from tests.search.journals import fill\n"
        "file = open(folder + '/filler', 'wb', 0)\n"
        "try:\n    while True: file.write(bytes(1000))\nexcept OSError: pass\n"
        "print(json.dumps(fill(folder + '/j', 3)))",
    )
    assert counts == [1] * 5
    assert categories == ["JournalWarning"]
    assert "full" in messages[0] or "No space left" in messages[0]
    assert known == []


def test_a_read_only_place_answers_and_warns_once(tmp_path):
    # As a killed search leaves it, so that some of it stands in the file beside.
    with Journal.opened(tmp_path / "j", IDENTITY) as journal:
        for number in range(30):
            journal.record(fold(number))
        kept = tmp_path / "kept"
        kept.mkdir()
        for name in ("j", "j-wal", "j-shm"):
            shutil.copyfile(tmp_path / name, kept / name)
    (tmp_path / "place").mkdir()
    outcomes = in_a_small_file_system(
        tmp_path / "place",
        "import os, shutil, subprocess\n"
        "from tests.search.journals import fill\n"
        "outcomes = []\n"
        "for shared_memory in True, False:\n"
        "    subprocess.run(['mount', '-o', 'remount,rw', folder], check=True)\n"
        f"    shutil.copytree({str(kept)!r}, folder, dirs_exist_ok=True)\n"
        "    if not shared_memory: os.remove(folder + '/j-shm')\n"
        "    subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)\n"
        "    outcomes.append(fill(folder + '/j', 3))\n"
        "print(json.dumps(outcomes))",
    )
    assert len(outcomes) == 2
    for counts, categories, _, known in outcomes:
        assert known == list(range(30))
        assert counts == [0, 1, 1, 1, 1]
        assert categories == ["JournalWarning"]


def test_a_table_that_is_taken_away_is_one_warning(path):
    Journal.opened(path, IDENTITY).close()
    with Journal.opened(path, IDENTITY) as journal:
        journal.record(fold(0))
        # Another process takes the table away in the middle of a search.
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE finished_folds")
        with pytest.warns(JournalWarning, match="no such table.*goes on") as caught:
            journal.record(fold(1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            journal.record(fold(2))
            journal.answers()
    assert len(caught) == 1


def test_the_fills_of_these_tests_warn_of_nothing_where_there_is_room(path):
    counts, _, messages, known = fill(path, 20)
    assert (set(counts), messages, known) == ({0}, [], list(range(20)))
