"""What a command prints reaches whoever can read it, and nothing that was found is lost."""

import contextlib
import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skhp import __version__
from skhp.cli import main
from skhp.exceptions import OutputError

REPORT = "gain of ä: 0.1\n"


class Unwritable(io.StringIO):
    """A stream that fails as files of the system do."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """The arguments of a command whose study is done in no time."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{n * 7 % 24}.5,{n % 3 // 2}" for n in range(24)]
    Path("t.csv").write_text("\n".join(["age,sick", *rows, ""]))

    def write_files(study, directory, report, overwrite):
        directory.mkdir()
        path = directory / "report.txt"
        path.write_text(report, encoding="utf-8")
        return (path,)

    monkeypatch.setattr("skhp.study.study.run_study", lambda *_, **__: None)
    monkeypatch.setattr("skhp.study.text.render_report", lambda _: REPORT)
    monkeypatch.setattr("skhp.study.files.write_files", write_files)
    return ["tune", "t.csv", "--out", "out"]


def left():
    return Path("out", "report.txt").read_text(encoding="utf-8")


def test_output_that_is_caught_has_no_encoding(finished):
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        assert main(finished) == 0
    assert caught.getvalue().startswith(REPORT + "\nIn out: report.txt.")
    assert left() == REPORT


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"\\xe4"), ("latin-1", b"\xe4"), ("utf-16", None)]
)
def test_any_encoding_will_do(encoding, shown, finished, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr("sys.stdout", stdout)
    assert main(finished) == 0
    printed = stdout.buffer.getvalue()
    assert shown in printed if shown else REPORT.strip() in printed.decode(encoding)


class Caught:
    """No more than `write`, by which `print` prints."""

    def __init__(self, encoding):
        self.encoding = encoding
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)


@pytest.mark.parametrize("encoding", ["none-such", "idna", "undefined", 3, None])
def test_what_catches_text_may_name_any_encoding(encoding, finished, monkeypatch):
    caught = Caught(encoding)
    monkeypatch.setattr("sys.stdout", caught)
    monkeypatch.setattr("sys.stderr", Caught(encoding))
    assert main(finished) == 0
    assert caught.text.startswith(REPORT)


def test_without_standard_output_there_are_the_files(finished, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    assert main(finished) == 0
    assert left() == REPORT
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_told_when_the_files_are_written(finished, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Unwritable(errno.ENOSPC))
    assert main(finished) == 1
    assert left() == REPORT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("skhp tune: error: cannot write to standard output (No space left")
    assert line.endswith("the results are in 'out'")


def test_a_reader_who_has_enough_is_told_nothing(finished, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Unwritable(errno.EPIPE))
    assert main(finished) == 1
    assert left() == REPORT
    assert capsys.readouterr().err == ""


def test_output_that_was_closed_is_told(finished, monkeypatch, capsys):
    stdout = io.StringIO()
    stdout.close()
    monkeypatch.setattr("sys.stdout", stdout)
    assert main(finished) == 1
    assert left() == REPORT
    told = "cannot write to standard output (I/O operation on closed file)"
    assert told in capsys.readouterr().err


def test_where_neither_files_nor_output_take_it_the_report_is_told(finished, monkeypatch, capsys):
    def refuse(*_):
        raise OutputError("the disk is full")

    monkeypatch.setattr("skhp.study.files.write_files", refuse)
    monkeypatch.setattr("sys.stdout", Unwritable(errno.ENOSPC))
    assert main(finished) == 1
    assert REPORT in capsys.readouterr().err


@pytest.mark.parametrize("stderr", [None, Unwritable(errno.EPIPE), Unwritable(errno.ENOSPC)])
def test_standard_error_ends_nothing(stderr, finished, monkeypatch, capsys):
    def tell(*_, on_progress, **__):
        on_progress(StageProgress("search", 1, 20))

    from skhp.shared.terminal import StageProgress

    monkeypatch.setattr("skhp.study.study.run_study", tell)
    monkeypatch.setattr("sys.stderr", stderr)
    assert main(finished) == 0
    assert main(["tune", "none.csv"]) == 2
    # Without standard error, print would take standard output.
    assert capsys.readouterr().out.startswith(REPORT + "\nIn out")
    assert left() == REPORT


def test_ctrl_c_while_the_report_is_printed_tells_where_it_is(finished, monkeypatch, capsys):
    class Pressed(io.StringIO):
        def write(self, text):
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdout", Pressed())
    assert main(finished) == 130
    assert capsys.readouterr().err.endswith(
        "stopped by Ctrl-C, after the results had been written to 'out'\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tune", "--help"]])
def test_help_and_version_know_of_it_too(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Unwritable(errno.ENOSPC))
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match("skhp( tune)?: error: cannot write to standard output", line)
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_device_in_a_process_of_its_own():
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "skhp", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 1
    (line,) = process.stderr.decode().splitlines()
    assert "No space left on device" in line


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_without_a_reader_in_a_process_of_its_own(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "skhp", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(writing)
    # As Python's manual has it: https://docs.python.org/3/library/signal.html#note-on-sigpipe.
    assert (process.returncode, process.stderr) == (1, b"")


@pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")
def test_closed_descriptors_are_not_those_of_the_next_file(tmp_path):
    code = (
        "import os; from skhp.cli import main; "
        "assert main(['tune', 'none.csv']) == 2; "
        "print(os.open('t', os.O_CREAT | os.O_WRONLY) > 2, file=open('found', 'w'))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        check=True,
        preexec_fn=lambda: os.closerange(0, 3),
    )
    assert (tmp_path / "found").read_text() == "True\n"


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"skhp {__version__}\n"
