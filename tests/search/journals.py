"""Journals that several tests record in, and what runs in a process of its own."""

import json
import multiprocessing
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import warnings

import pytest

from skhp.search.identity.descriptions import parameters_text
from skhp.search.identity.search_identity import SearchIdentity
from skhp.search.journal.finished_folds import FinishedFold
from skhp.search.journal.journal import Journal

IDENTITY = SearchIdentity("120 x 4, aa", "5 folds, bb", "Tree, cc", "f1, dd", "{}, ee", "skhp 1")


def processes():
    """The context of processes that begin with the modules of a journal imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.search.journals", "tests.search.simultaneous_searches"])
    return context


def parameters(number):
    return {"learning_rate": 10.0 ** -(number // 5 + 1), "layers": (10, number // 5)}


def fold(number, **changes):
    """The `number`-th fit of a search: 5 folds a candidate, with scores that have every bit."""
    values = {
        "parameters": parameters_text(parameters(number)),
        "fold": number % 5,
        "scores": {"test_score": 1 / (number + 3), "train_score": -0.0},
        "fit_seconds": number / 7,
        "score_seconds": 1e-3 / 3,
        "epochs": number + 1,
        "best_epoch": number,
        "stop_reason": "patience",
        "finished_at": f"2024-01-01T00:00:{number % 60:02}.000+00:00",
    }
    return FinishedFold(**values | changes)


def folds(count):
    return {fold(number).key: fold(number) for number in range(count)}


def record_until_killed(path, told):
    """Record fits one after the other, and tell the number of each that is recorded."""
    warnings.simplefilter("error")
    with Journal.opened(path, IDENTITY) as journal:
        begin = len(journal.answers())
        told.send(begin - 1)
        for number in range(begin, 100_000):
            journal.record(fold(number))
            told.send(number)


def key_number(key):
    """Which fit of the search a key is of."""
    layers = key.parameters.index('"layers": [10, ') + len('"layers": [10, ')
    return int(key.parameters[layers : key.parameters.index("]")]) * 5 + key.fold


def record_together(path, barrier, numbers):
    warnings.simplefilter("error")
    barrier.wait()
    with Journal.opened(path, IDENTITY) as journal:
        for number in numbers:
            journal.record(fold(number))
        assert set(map(key_number, journal.answers())) >= set(numbers)


def record_up_to_a_size(path, size, told):
    """Record until no file may grow any more; tell the warnings and what was recorded before."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    told.send(fill(path, 2000))


def fill(path, count):
    """The numbers of the warnings after each record, and what `answers` then says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Journal.opened(path, IDENTITY) as journal:
            counts = [len(caught)]
            for number in range(count):
                journal.record(fold(number, error="x" * 500))
                counts.append(len(caught))
            known = sorted(map(key_number, journal.answers()))
        counts.append(len(caught))
    categories = {warning.category.__name__ for warning in caught}
    return counts, sorted(categories), [str(warning.message) for warning in caught], known


def in_a_small_file_system(folder, code, size="512k"):
    """What code prints, as JSON, in a small file system of its own at `folder`."""
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size={size} tmpfs"
    allowed = (
        unshare
        and not subprocess.run(
            [unshare, "-rm", "sh", "-c", f"{mount} {folder}"], capture_output=True
        ).returncode
    )
    if not allowed:
        pytest.skip("this machine lets no one mount a small file system")
    code = f"import sys, json\nsys.path[:] = {sys.path!r}\nfolder = {str(folder)!r}\n{code}"
    command = [unshare, "-rm", "sh", "-c", f'{mount} "$1" && exec "$2" -c "$3"', "sh"]
    done = subprocess.run(
        [*command, str(folder), sys.executable, code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def forget(journal, keep, seed=0):
    """Take all but a share of the finished fits out of a journal; the number of those."""
    with sqlite3.connect(journal) as connection:
        rows = [row for (row,) in connection.execute("SELECT id FROM finished_folds")]
        gone = random.Random(seed).sample(rows, len(rows) - round(keep * len(rows)))
        for row in gone:
            connection.execute("DELETE FROM scores WHERE fold_id = ?", [row])
            connection.execute("DELETE FROM finished_folds WHERE id = ?", [row])
    connection.close()
    return len(gone)
