import io
import re

import pytest

from skhp.exceptions import JournalMismatchError, SettingsError
from skhp.shared.terminal import StageBars, StageProgress, TrainingCount


class Terminal(io.StringIO):
    """A terminal of 80 columns, whose bars move when they are told to and at the end."""

    def isatty(self):
        return True

    def rows(self):
        """What was written, line by line and without colours and movements of the cursor."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.getvalue())
        return [row for row in re.split(r"[\r\n]+", plain) if row.strip()]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def shown(terminal, *progress):
    """The last bar of a stage that is left in this state, before it ends."""
    with StageBars(terminal) as bars:
        for one in progress:
            bars(one)
    return terminal.rows()[-1]


def end_by(error, stream):
    """Have an error end the bars within a stage."""

    def stage():
        with StageBars(stream) as bars:
            bars(StageProgress("search", 4, 20))
            raise error

    with pytest.raises(type(error)):
        stage()


def test_where_there_is_no_terminal_each_stage_leaves_one_plain_line():
    stream = io.StringIO()
    with StageBars(stream) as bars:
        for done in range(4):
            bars(StageProgress("search", done, 3, 0.25 * done))
        bars(StageProgress("other", 1, 2))
        assert stream.getvalue() == ""
    first, second = stream.getvalue().splitlines()
    assert first.startswith("Tuning the network")
    assert " 3/3 best 0.750 " in first
    assert second.startswith("other")
    assert " 1/2 " in second
    assert "best" not in second
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_nothing_is_shown_before_the_first_stage():
    stream = io.StringIO()
    with StageBars(stream):
        pass
    assert stream.getvalue() == ""


def test_a_terminal_shows_candidates_best_score_and_time_left(terminal):
    row = shown(terminal, StageProgress("search", 0, 20), StageProgress("search", 7, 20, 0.8126))
    assert re.fullmatch(
        r"Tuning the network [━╸╺]+ +7/20 +best 0\.813 0:00:\d\d +[-\d]:[-\d]+:[-\d]+ left *",
        row,
    )
    assert len(row) <= 80


def test_the_time_left_is_that_of_the_budget(terminal):
    row = shown(terminal, StageProgress("search", 3, 20, 0.5, time_budget=7260.0))
    # So many seconds less those of this test, which may be a few on a busy machine.
    assert re.search(r" 2:0[01]:\d\d left", row)


def test_a_budget_that_is_used_up_leaves_nothing(terminal):
    row = shown(terminal, StageProgress("search", 3, 20, 0.5, time_budget=1e-9))
    assert " 0:00:00 left" in row


@pytest.mark.parametrize(
    "after", [StageProgress("search", 20, 20, 0.5), StageProgress("baseline", 0, 2)]
)
def test_at_the_end_of_a_stage_no_time_is_left(after, terminal):
    shown(terminal, StageProgress("search", 8, 20, 0.5, time_budget=600.0), after)
    rows = [row for row in terminal.rows() if row.startswith("Tuning the network")]
    assert "left" not in rows[-1]


@pytest.mark.parametrize("error", [SettingsError, JournalMismatchError])
@pytest.mark.parametrize("stream", ["terminal", "file"])
def test_what_is_refused_leaves_no_bar(error, stream, terminal):
    stream = terminal if stream == "terminal" else io.StringIO()
    end_by(error("no"), stream)
    if stream is terminal:
        # The line of the bar is cleared at last.
        assert stream.getvalue().endswith("\x1b[2K")
    else:
        assert stream.getvalue() == ""


def test_what_is_stopped_leaves_its_bar():
    stream = io.StringIO()
    end_by(KeyboardInterrupt(), stream)
    assert " 4/20 " in stream.getvalue()


def test_trainings_are_counted_from_none_on():
    told = []
    count = TrainingCount("repeats", 2, told.append)
    count()
    count("a classifier", 0.5)
    assert told == [StageProgress("repeats", done, 2) for done in range(3)]
    TrainingCount("repeats", 2, None)()


def test_the_bar_moves_by_the_work_under_way_and_counts_what_is_finished(terminal):
    half = StageProgress("search", 0, 20, under_way=10.0, seconds_left=3725.0)
    row = shown(terminal, half)
    assert " 0/20 " in row
    assert "\u2501" * 8 + "\u257a" in row
    assert "1:02:05 left" in row
    within_budget = shown(terminal, half._replace(time_budget=60.0))
    assert re.search(r"0:0[01]:\d\d left", within_budget)
