"""What tells of the progress of work never ends the work."""

import errno
import io
import os
import sys
from types import SimpleNamespace

import pytest

from skhp.population.report import PopulationProgress, PrintedProgress
from skhp.shared.progress_stream import progress_stream
from skhp.shared.terminal import StageProgress, bar_of_fits
from skhp.training.cohort.cohort import _print_epoch


class Failing(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


def show_a_bar():
    with bar_of_fits(1) as bar:
        bar(StageProgress("search", 1, 2))


PRINTED = {
    "a line of a population": lambda: PrintedProgress("call").advanced(
        PopulationProgress(4, 1, 12, 2, 1.0)
    ),
    "a bar": show_a_bar,
    "an epoch": lambda: _print_epoch(SimpleNamespace(history={"loss": [0.5]}, n_epochs=1), 3),
}


@pytest.mark.parametrize("printed", PRINTED)
def test_progress_is_printed(printed, capsys):
    PRINTED[printed]()
    assert "1" in "".join(capsys.readouterr())


@pytest.mark.parametrize("printed", PRINTED)
@pytest.mark.parametrize(
    "stream",
    [
        None,
        Failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
        Failing(BrokenPipeError()),
        Failing(ValueError("I/O operation on closed file")),
    ],
    ids=["none", "full", "broken pipe", "closed"],
)
def test_a_stream_that_cannot_be_written_ends_nothing(stream, printed, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    PRINTED[printed]()


def test_other_errors_are_those_of_the_caller():
    with pytest.raises(KeyboardInterrupt):
        progress_stream(Failing(KeyboardInterrupt())).write("x")
