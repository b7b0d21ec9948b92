import io

from skhp.comparison.progress import StageBars


def test_where_there_is_no_terminal_each_stage_leaves_one_plain_line():
    stream = io.StringIO()
    with StageBars(stream) as bars:
        for done in range(4):
            bars("search", done, 3)
        bars("other", 1, 2)
        assert stream.getvalue() == ""
    first, second = stream.getvalue().splitlines()
    assert first.startswith("Tuning the network")
    assert " 3/3 " in first
    assert second.startswith("other")
    assert " 1/2 " in second
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_nothing_is_shown_before_the_first_stage():
    stream = io.StringIO()
    with StageBars(stream):
        pass
    assert stream.getvalue() == ""
