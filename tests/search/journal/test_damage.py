import contextlib
import pickle
import random
import re
import shutil
import sqlite3
import struct
from types import SimpleNamespace

import pytest

from skhp.exceptions import JournalDamagedError, JournalError, JournalMismatchError
from skhp.search.journal.journal import Journal
from skhp.search.journal.reading import read_journal_file
from tests.search.journals import IDENTITY, fold, folds

COUNT = 40
# Primes, so that cuts and changes fall everywhere within a page.
EVERY_CUT = 419
EVERY_CHANGE = 101


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The bytes of a journal, and of its WAL, whose search was killed; what the file has alone."""
    path = tmp_path_factory.mktemp("killed") / "j"
    with Journal.opened(path, IDENTITY) as journal:
        for number in range(COUNT):
            journal.record(fold(number))
        file, wal = path.read_bytes(), path.with_name("j-wal").read_bytes()
    alone = path.with_name("alone")
    alone.write_bytes(file)
    n_alone = len(read_journal_file(alone).finished)
    assert 0 < n_alone < COUNT
    return SimpleNamespace(file=file, wal=wal, n_alone=n_alone, whole=path.read_bytes())


@pytest.fixture
def outcome(tmp_path):
    """Reads a file and its WAL: how many of the first fits it holds, or why it is refused."""
    path = tmp_path / "j"

    def read(file, wal=b""):
        path.write_bytes(file)
        path.with_name("j-wal").write_bytes(wal)
        try:
            contents = read_journal_file(path)
        except JournalError as error:
            return error
        assert contents.identity == IDENTITY
        assert contents.finished == folds(len(contents.finished))
        assert path.read_bytes() == file
        assert path.with_name("j-wal").read_bytes() == wal
        return len(contents.finished)

    return read


def test_a_whole_journal_is_read(killed, outcome):
    assert outcome(killed.whole) == COUNT
    assert outcome(killed.file, killed.wal) == COUNT


def test_a_file_that_is_cut_anywhere_is_refused(killed, outcome):
    for end in [*range(0, len(killed.whole), EVERY_CUT), len(killed.whole) - 1]:
        assert isinstance(outcome(killed.whole[:end]), JournalDamagedError)


def test_a_wal_that_is_cut_anywhere_loses_its_end_only(killed, outcome):
    found = [outcome(killed.file, killed.wal[:end]) for end in range(0, len(killed.wal), EVERY_CUT)]
    assert found == sorted(found)
    assert found[0] == killed.n_alone
    assert found[-1] >= COUNT - 1


def test_a_file_that_is_cut_beside_a_whole_wal_is_refused_or_all_there(killed, outcome):
    for end in range(0, len(killed.file), EVERY_CUT):
        found = outcome(killed.file[:end], killed.wal)
        assert isinstance(found, JournalDamagedError) or found == COUNT


def test_both_cut_are_refused_or_lose_their_end_only(killed, outcome):
    cuts = random.Random(0)
    for _ in range(150):
        end, end_of_wal = cuts.randrange(len(killed.file)), cuts.randrange(len(killed.wal))
        found = outcome(killed.file[:end], killed.wal[:end_of_wal])
        assert isinstance(found, JournalDamagedError) or killed.n_alone <= found <= COUNT


def test_a_byte_that_changes_is_found_or_changes_nothing(killed, outcome):
    changes = random.Random(0)
    refused = 0
    for place in range(0, len(killed.whole), EVERY_CHANGE):
        content = bytearray(killed.whole)
        content[place] ^= changes.randrange(1, 256)
        found = outcome(bytes(content))
        refused += isinstance(found, JournalError)
        assert isinstance(found, JournalError) or found == COUNT
    assert refused > 50


def test_a_score_that_changes_is_found(killed, outcome):
    number = fold(7).scores["test_score"]
    content = killed.whole.replace(pack(number), pack(number * 2))
    assert content != killed.whole
    assert "does not match its checksum" in str(outcome(content))


def test_an_index_that_disagrees_with_its_table_is_found(killed, outcome):
    # The parameters stand in both: the index alone would let a fit be recorded twice.
    text = b'"layers": [10, 7]'
    places = [match.start() for match in re.finditer(re.escape(text), killed.whole)]
    assert len(places) == 10
    for place in places:
        content = bytearray(killed.whole)
        content[place + text.index(b"7")] = ord("8")
        assert isinstance(outcome(bytes(content)), JournalDamagedError)


def pack(number):
    return struct.pack(">d", number)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "DELETE FROM finished_folds WHERE id = 3",
            r"of rows that are not there: \[3\]",
        ),
        ("DELETE FROM scores WHERE id = 3", "row 2 of finished_folds does not match"),
        ("DELETE FROM search WHERE part = 'data'", "the table search holds code, estimator, folds"),
        ("UPDATE search SET value = 'x' WHERE part = 'data'", "part 'data' of the table search"),
        ("UPDATE scores SET value = 'x' WHERE id = 3", "a number was expected, found 'x'"),
        ("DROP TABLE scores", "its tables are not those of a journal"),
        ("PRAGMA application_id=7", "something else, which holds finished_folds, scores, search"),
    ],
)
def test_what_is_amiss_in_a_healthy_database_is_found(statement, found, killed, outcome, tmp_path):
    path = tmp_path / "changed"
    path.write_bytes(killed.whole)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    error = outcome(path.read_bytes())
    assert isinstance(error, JournalDamagedError)
    assert re.search(found, str(error))


@pytest.mark.parametrize("kind", ["zeros", "noise", "another page"])
def test_a_page_that_is_damaged_is_found(kind, killed, outcome):
    n_pages = len(killed.whole) // 4096
    assert n_pages > 6
    for page in range(n_pages):
        content = bytearray(killed.whole)
        other = (page + 1) % n_pages
        content[page * 4096 : (page + 1) * 4096] = {
            "zeros": bytes(4096),
            "noise": random.Random(page).randbytes(4096),
            "another page": killed.whole[other * 4096 : (other + 1) * 4096],
        }[kind]
        assert isinstance(outcome(bytes(content)), JournalError)


def test_a_wal_that_is_damaged_loses_its_end_only(killed, outcome):
    noise = random.Random(0)
    for begin in range(0, len(killed.wal), 2048):
        content = bytearray(killed.wal)
        content[begin : begin + 64] = noise.randbytes(64)[: len(content) - begin]
        found = outcome(killed.file, bytes(content))
        assert isinstance(found, int)
        assert killed.n_alone <= found <= COUNT


def test_a_damaged_journal_is_refused_each_time_and_copied_once(killed, tmp_path):
    path = tmp_path / "j"
    damaged = killed.file[:5000]
    wal = killed.wal[:5000]
    path.write_bytes(damaged)
    path.with_name("j-wal").write_bytes(wal)
    for _ in range(2):
        with pytest.raises(JournalDamagedError, match=r"j' is damaged: .*'j\.damaged-1'.*another"):
            Journal.opened(path, IDENTITY)
    assert path.read_bytes() == path.with_name("j.damaged-1").read_bytes() == damaged
    assert path.with_name("j-wal").read_bytes() == wal
    assert path.with_name("j.damaged-1-wal").read_bytes() == wal
    otherwise = killed.file[:6000]
    path.write_bytes(otherwise)
    with pytest.raises(JournalDamagedError, match=r"'j\.damaged-2'.*delete '.*j', '.*j-wal' and"):
        Journal.opened(path, IDENTITY)
    assert path.with_name("j.damaged-1").read_bytes() == damaged
    assert path.with_name("j.damaged-2").read_bytes() == otherwise


def foreign_database(damaged=False):
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE books (title)")
        content = bytearray(connection.serialize())
    if damaged:
        content[100:200] = b"x" * 100
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"a,b\n1,2\n", r"it is not an SQLite file, it begins with b'a,b\\n1,2\\n'"),
        (b"PK\x03\x04 a spreadsheet", "it is not an SQLite file"),
        (pickle.dumps([1, 2]), "it is not an SQLite file"),
        (foreign_database(), "an SQLite file of something else, which holds books"),
        (foreign_database(damaged=True), "an SQLite file of something else, which cannot be read"),
    ],
    ids=["empty", "table", "spreadsheet", "pickle", "database", "damaged database"],
)
def test_a_file_of_something_else_is_left_alone_and_never_to_be_deleted(content, found, tmp_path):
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(
        JournalDamagedError, match=f"{found}.*left as it is; .*another p"
    ) as refusal:
        Journal.opened(path, IDENTITY)
    assert "elete" not in str(refusal.value)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_of_a_later_format_is_refused(killed, tmp_path):
    path = tmp_path / "j"
    path.write_bytes(killed.whole)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=3")
    with pytest.raises(JournalMismatchError, match=r"is of format 3.*has format 2: name another"):
        Journal.opened(path, IDENTITY)


def test_a_table_that_someone_adds_does_no_harm(killed, outcome, tmp_path):
    path = tmp_path / "own"
    path.write_bytes(killed.whole)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    assert outcome(path.read_bytes()) == COUNT


def test_a_copy_that_cannot_be_made_is_told(killed, tmp_path, monkeypatch):
    path = tmp_path / "j"
    path.write_bytes(killed.file[:5000])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(JournalDamagedError, match=r"no copy could be made \(No space left"):
        Journal.opened(path, IDENTITY)
