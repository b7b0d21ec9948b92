"""Where a journal may lie, and what lies beside it."""

import contextlib
import os
import re
import shutil
import socket
import sqlite3
from dataclasses import replace

import pytest

from skhp.cli import main
from skhp.exceptions import JournalDamagedError, JournalError, JournalMismatchError, JournalWarning
from skhp.search.journal.journal import Journal
from skhp.search.journal.reading import read_journal_file
from tests.search.journals import IDENTITY, fold, folds, in_a_small_file_system

pytestmark = pytest.mark.slow

OTHER = replace(IDENTITY, data="another table")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "j"


def killed(path, identity, count, first=0):
    """Leave what a search leaves that is killed while it records."""
    aside = path.with_name("aside")
    aside.mkdir()
    with Journal.opened(aside / "j", identity) as journal:
        for number in range(first, first + count):
            journal.record(fold(number))
        for end in "", "-wal", "-shm":
            shutil.copyfile(aside / f"j{end}", f"{path}{end}")
    shutil.rmtree(aside)


def contents(folder):
    files = [entry for entry in folder.iterdir() if entry.is_file()]
    return {entry.name: entry.read_bytes() for entry in files if "-shm" not in entry.name}


# ---------------------------------------------------------------- what another journal has left


@pytest.mark.parametrize(
    "left", [("-wal",), ("-shm",), ("-wal", "-shm"), ("-journal",)], ids=" and ".join
)
def test_no_journal_is_made_beside_what_another_one_has_left(left, path):
    killed(path, OTHER, 20)
    path.rename(path.with_name("old"))
    path.with_name("j-journal").write_bytes(b"x")
    for end in {"-wal", "-shm", "-journal"} - set(left):
        path.with_name(f"j{end}").unlink()
    before = contents(path.parent)
    with pytest.raises(JournalError, match="delete these files as well") as refusal:
        Journal.opened(path, IDENTITY)
    for name in "j", "j-wal", "j-shm", *(f"j{end}" for end in left):
        assert repr(str(path.with_name(name))) in str(refusal.value)
    assert contents(path.parent) == before
    with pytest.raises(JournalError, match="delete these files as well"):
        read_journal_file(path)
    for end in left:
        path.with_name(f"j{end}").unlink()
    with Journal.opened(path, IDENTITY) as journal:
        assert journal.answers() == {}


def test_a_journal_that_is_put_back_goes_on(path):
    killed(path, IDENTITY, 20)
    path.rename(path.with_name("old"))
    with pytest.raises(JournalError, match="Put that journal back"):
        Journal.opened(path, IDENTITY)
    path.with_name("old").rename(path)
    with Journal.opened(path, IDENTITY) as journal:
        assert journal.answers() == folds(20)


def test_a_journal_may_be_renamed_with_what_is_beside_it(path):
    killed(path, IDENTITY, 20)
    for end in "", "-wal", "-shm":
        path.with_name(f"j{end}").rename(path.with_name(f"new{end}"))
    with Journal.opened(path.with_name("new"), IDENTITY) as journal:
        assert journal.answers() == folds(20)


@pytest.mark.parametrize("shared_memory", [True, False])
@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_what_another_search_left_beside_a_journal_is_no_answer(count, shared_memory, path):
    # One that is put where a search was killed: copied from a backup, or renamed.
    with Journal.opened(path.with_name("new"), IDENTITY) as journal:
        for number in range(count):
            journal.record(fold(number, scores={"test_score": 1.0}))
    killed(path, OTHER, 20)
    if not shared_memory:
        path.with_name("j-shm").unlink()
    path.with_name("new").replace(path)
    before = contents(path.parent)
    for identity in IDENTITY, OTHER:
        with pytest.raises(JournalDamagedError, match=r"whole, but '.*j-wal' beside") as refusal:
            Journal.opened(path, identity)
    assert f"move that and '{path}-shm' away" in str(refusal.value)
    assert contents(path.parent) == before
    for end in "-wal", "-shm":
        path.with_name(f"j{end}").unlink(missing_ok=True)
    with Journal.opened(path, IDENTITY) as journal:
        assert len(journal.answers()) == count


def test_what_the_same_search_left_is_never_another_score(path):
    with Journal.opened(path.with_name("new"), IDENTITY) as journal:
        for number in range(9):
            journal.record(fold(number))
    killed(path, IDENTITY, 20, first=30)
    path.with_name("new").replace(path)
    try:
        answers = read_journal_file(path).finished
    except JournalError:
        return
    assert answers.items() <= folds(60).items()


def test_a_row_of_another_search_is_found(path):
    for name, identity in (("j", IDENTITY), ("other", OTHER)):
        with Journal.opened(path.with_name(name), identity) as journal:
            journal.record(fold(0))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS other", [str(path.with_name("other"))])
        connection.execute("DELETE FROM finished_folds")
        connection.execute("INSERT INTO finished_folds SELECT * FROM other.finished_folds")
    with pytest.raises(JournalDamagedError, match="row 1 of finished_folds is of another search"):
        read_journal_file(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE finished_folds SET search = ?", [IDENTITY.digest()])
    with pytest.raises(JournalDamagedError, match=r"row 1 .* does not match its checksum"):
        read_journal_file(path)


def test_a_rollback_of_another_program_is_not_put_into_a_journal(path):
    Journal.opened(path, IDENTITY).close()
    path.with_name("j-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + bytes(500))
    before = contents(path.parent)
    with pytest.raises(JournalError, match=r"j-journal' beside .*another program.*move it"):
        Journal.opened(path, IDENTITY)
    assert contents(path.parent) == before


def test_the_files_to_delete_are_all_named(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    Journal.opened("j", IDENTITY).close()
    with pytest.raises(JournalMismatchError, match="delete 'j', 'j-wal' and 'j-shm', whichever"):
        Journal.opened("j", OTHER)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(JournalDamagedError, match="delete 'j', 'j-wal' and 'j-shm', whichever"):
        Journal.opened("j", OTHER)


# ---------------------------------------------------------------- links and what is no file


def test_a_link_leads_to_a_journal(path, tmp_path):
    (tmp_path / "there").mkdir()
    file = tmp_path / "there" / "file"
    Journal.opened(file, IDENTITY).close()
    path.symlink_to(file)
    for number in range(2):
        with Journal.opened(path, IDENTITY) as journal:
            assert journal.answers() == folds(number)
            journal.record(fold(number))
    assert list(tmp_path.iterdir()) == [file.parent, path] or path.is_symlink()
    # What is beside the file counts, and not what is beside the link.
    killed(file.with_name("new"), OTHER, 3)
    for end in "", "-wal":
        file.with_name(f"new{end}").rename(file.with_name(f"file{end}"))
    assert len(read_journal_file(path).finished) == 3
    with pytest.raises(JournalMismatchError, match=re.escape(f"delete '{file}', '{file}-wal' and")):
        Journal.opened(path, IDENTITY)
    file.unlink()
    with pytest.raises(JournalError, match=f"is a link to '{file}', which is not there: give"):
        Journal.opened(path, IDENTITY)
    assert not file.exists()


def test_a_link_to_itself_is_refused(path):
    path.symlink_to(path)
    with pytest.raises(JournalError, match=r"cannot be opened: Too many levels.*give `journal`"):
        Journal.opened(path, IDENTITY)


@pytest.fixture
def made():
    with contextlib.ExitStack() as stack:

        def make(kind, path):
            if kind == "directory":
                path.mkdir()
            elif kind == "named pipe":
                os.mkfifo(path)
            elif kind == "socket":
                listening = stack.enter_context(socket.socket(socket.AF_UNIX))
                listening.bind(str(path))
            else:
                path.symlink_to("/dev/null")

        yield make


@pytest.mark.parametrize("kind", ["directory", "named pipe", "socket", "character device"])
def test_what_is_no_regular_file_is_refused_at_once(kind, made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made(kind, tmp_path / "j")
    with pytest.raises(JournalError, match=f"'j' is a {kind}: give the path of a file"):
        Journal.opened("j", IDENTITY)
    assert main(["journal", "j"]) == 2
    assert f"'j' is a {kind}: give the path of a file" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["j"]


def test_a_device_gets_nothing_laid_beside_it():
    before = {name for name in os.listdir("/dev") if name.startswith("null")}
    with pytest.raises(JournalError, match="'/dev/null' is a character device: give"):
        Journal.opened("/dev/null", IDENTITY)
    assert {name for name in os.listdir("/dev") if name.startswith("null")} == before


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a\0b", r"'.*a\\x00b' has a NUL character in its path, which no file has: give another"),
        ("\ud800", "cannot be the name of a file: .*give another path"),
        ("a" * 300, "cannot be opened: File name too long; give"),
        ("none/j", "none/j' cannot be made: No such file or directory; .*directory that exists"),
        ("file/j", "cannot be opened: Not a directory.*a directory that exists"),
        ("none/", "none/' would be a directory: give the path of a file"),
    ],
)
def test_a_path_that_no_file_has_is_refused_with_the_mend(name, found, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=found):
        Journal.opened(f"{tmp_path}/{name}", IDENTITY)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("name", "found"), [("a\0b", "NUL"), ("loop", "Too many")])
def test_the_command_refuses_a_path_in_one_line(name, found, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "table.csv").write_text("a,y\n1,0\n2,1\n")
    for arguments in ["tune", "table.csv", "--journal", name], ["journal", name]:
        assert main(arguments) == 2
        assert found in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["loop", "table.csv"]


def test_a_path_of_nothing_is_refused():
    with pytest.raises(JournalError, match="the journal '' has no name: give the path of a file"):
        Journal.opened("", IDENTITY)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux has such a file")
def test_a_file_that_gives_an_error_when_it_is_read_is_refused():
    with pytest.raises(JournalError, match=r"'/proc/self/mem' cannot be read: .*output error"):
        Journal.opened("/proc/self/mem", IDENTITY)


def test_a_folder_that_is_read_only_is_one_warning(tmp_path):
    counts, categories, messages, known = in_a_small_file_system(
        tmp_path,
        "import subprocess\n"
        "from tests.search.journals import fill\n"
        "subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)\n"
        "print(json.dumps(fill(folder + '/j', 3)))",
    )
    assert (counts, categories, known) == ([1] * 5, ["JournalWarning"], [])
    assert "cannot be written: Read-only file system; the search goes on" in messages[0]


def test_a_file_system_that_goes_away_is_one_warning(tmp_path):
    outcomes = in_a_small_file_system(
        tmp_path,
        "import subprocess, warnings\n"
        "from skhp.search.journal.journal import Journal\n"
        "from tests.search.journals import IDENTITY, fold, key_number\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    with Journal.opened(folder + '/j', IDENTITY) as journal:\n"
        "        for number in range(6):\n"
        "            if number == 3: subprocess.run(['umount', '-l', folder], check=True)\n"
        "            journal.record(fold(number))\n"
        "        known = sorted(map(key_number, journal.answers()))\n"
        "print(json.dumps([[str(warning.message) for warning in caught], known]))",
    )
    (message,), known = outcomes
    assert "was taken away: it is no longer there; the search goes on" in message
    assert known == [0, 1, 2]


# ---------------------------------------------------------------- what is taken away


def another_journal(path):
    os.rename(path, f"{path}.old")
    Journal.opened(path.with_name("another"), OTHER).close()
    os.rename(path.with_name("another"), path)


TAKEN_AWAY = {
    "removed": (lambda path: path.unlink(), "j' was taken away: it is no longer there"),
    "renamed": (lambda path: path.rename(f"{path}.old"), "j' was taken away: it is no longer"),
    "all three": (
        lambda path: [path.with_name(f"j{end}").unlink() for end in ("", "-wal", "-shm")],
        "j' was taken away: it is no longer there",
    ),
    "the folder": (
        lambda path: shutil.rmtree(path.parent),
        "j' was taken away: it is no longer there",
    ),
    "the folder renamed": (
        lambda path: path.parent.rename(f"{path.parent}.old"),
        "j' was taken away: it is no longer there",
    ),
    "another journal": (another_journal, "j' was taken away: another file is in its place"),
    "another file": (
        lambda path: (path.unlink(), path.write_text("a,b")),
        "j' was taken away: another file is in its place",
    ),
    "the wal": (
        lambda path: path.with_name("j-wal").unlink(),
        "j-wal' was taken away: it is no longer there",
    ),
}


@pytest.mark.parametrize("case", TAKEN_AWAY)
@pytest.mark.parametrize("moment", ["before a fit", "before the end"])
@pytest.mark.filterwarnings("error")
def test_a_journal_that_is_taken_away_is_one_warning(case, moment, tmp_path):
    take_away, found = TAKEN_AWAY[case]
    path = tmp_path / "folder" / "j"
    path.parent.mkdir()
    journal = Journal.opened(path, IDENTITY)
    journal.record(fold(0))
    journal.record(fold(1))
    take_away(path)
    left = contents(path.parent) if path.parent.exists() else {}
    notices = (lambda: journal.record(fold(2))) if moment == "before a fit" else journal.close
    with pytest.warns(JournalWarning, match=f"{found}.*; the search goes on") as warned:
        notices()
    assert len(warned) == 1
    journal.record(fold(3))
    # What this search has finished is true whatever became of the file.
    assert journal.answers() == folds(2)
    journal.close()
    after = contents(path.parent) if path.parent.exists() else {}
    if "wal" not in case:
        assert after == left


def test_what_takes_the_place_of_a_journal_keeps_what_is_beside_it(path):
    # SQLite removes the WAL of what it closes, by name.
    journal = Journal.opened(path, IDENTITY)
    journal.record(fold(0))
    (path.parent / "moved").mkdir()
    for end in "", "-wal", "-shm":
        path.with_name(f"j{end}").rename(path.parent / "moved" / f"j{end}")
    killed(path, OTHER, 20)
    before = contents(path.parent)
    with pytest.warns(JournalWarning, match="another file is in its place"):
        journal.record(fold(1))
    journal.close()
    assert contents(path.parent) == before
    with Journal.opened(path, OTHER) as other:
        assert other.answers() == folds(20)


# ---------------------------------------------------------------- where there is little room


def test_a_journal_that_found_no_room_is_whole_when_there_is_some(tmp_path):
    """However little room there is: one warning, and no file that is refused afterwards."""
    outcomes = in_a_small_file_system(
        tmp_path,
        "import glob, os\n"
        "from tests.search.journals import fill\n"
        "outcomes = []\n"
        "for free in range(0, 160_000, 4096):\n"
        "    for file in glob.glob(folder + '/*'): os.remove(file)\n"
        "    room = os.statvfs(folder)\n"
        "    with open(folder + '/fill', 'wb') as file:\n"
        "        file.write(bytes(room.f_bavail * room.f_bsize - free))\n"
        "    one = fill(folder + '/j', 30)\n"
        "    os.remove(folder + '/fill')\n"
        "    outcomes.append([one, fill(folder + '/j', 30)])\n"
        "print(json.dumps(outcomes))",
        size="200k",
    )
    recorded = []
    for (counts, categories, messages, known), again in outcomes:
        assert (counts[-1], categories) == (1, ["JournalWarning"])
        assert "goes on" in messages[0]
        assert known == list(range(len(known)))
        assert again[0][0] == 0
        assert again[3][: len(known)] == known
        recorded.append(len(known))
    assert recorded == sorted(recorded)
    assert recorded[0] == 0 < recorded[-1]


def test_a_killed_search_is_answered_where_there_is_no_room(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    killed(kept / "j", IDENTITY, 20)
    (tmp_path / "place").mkdir()
    outcomes = in_a_small_file_system(
        tmp_path / "place",
        "import glob, os, shutil\n"
        "from tests.search.journals import fill\n"
        "outcomes = []\n"
        "for shared_memory in 'whole', 'none', 'empty':\n"
        "    for file in glob.glob(folder + '/*'): os.remove(file)\n"
        f"    shutil.copytree({str(kept)!r}, folder, dirs_exist_ok=True)\n"
        "    if shared_memory != 'whole': os.remove(folder + '/j-shm')\n"
        "    if shared_memory == 'empty': open(folder + '/j-shm', 'w').close()\n"
        "    room = os.statvfs(folder)\n"
        "    with open(folder + '/fill', 'wb') as file:\n"
        "        file.write(bytes(room.f_bavail * room.f_bsize))\n"
        "    outcomes.append(fill(folder + '/j', 300))\n"
        "print(json.dumps(outcomes))",
    )
    assert len(outcomes) == 3
    for counts, categories, _, known in outcomes:
        assert counts[-1] == 1
        assert categories == ["JournalWarning"]
        assert known[:20] == list(range(20))
