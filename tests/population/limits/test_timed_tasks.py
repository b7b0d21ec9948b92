"""Calls that may take only so long."""

import contextvars
import threading
import warnings

import numpy as np
import pytest

from skhp.population.limits.timed_tasks import CandidateTimeoutError, called_within
from skhp.population.pipeline_steps import recorded_warnings

VARIABLE = contextvars.ContextVar("variable", default=0)


@pytest.fixture
def hanging():
    """A call that returns when the test has ended, and what became of it."""
    released, ended = threading.Event(), threading.Event()

    def hang():
        with recorded_warnings():
            released.wait(300)
        ended.set()

    hang.release = lambda: released.set() or ended.wait(60)
    yield hang
    assert hang.release()


def test_a_call_in_time_gives_its_result():
    assert called_within(60.0, lambda: 3, "call") == 3


def test_without_a_limit_it_runs_in_the_thread_of_the_caller():
    assert called_within(None, threading.current_thread, "call") is threading.current_thread()


def test_an_error_of_the_call_reaches_the_caller():
    def failing():
        raise ArithmeticError("of the user")

    with pytest.raises(ArithmeticError, match="of the user"):
        called_within(60.0, failing, "call")


def test_the_call_finds_the_settings_of_its_caller():
    VARIABLE.set(7)
    with np.errstate(divide="raise"):
        found = called_within(60.0, lambda: (VARIABLE.get(), np.geterr()["divide"]), "call")
    assert found == (7, "raise")


def test_a_call_that_hangs_is_left_behind(hanging):
    with pytest.raises(TimeoutError, match=r"the preparation .* candidate_timeout=0.05 seconds"):
        called_within(0.05, hanging, "preparation")
    left = [thread for thread in threading.enumerate() if thread.name == "skhp-timed"]
    # Nothing waits for it at the end of the process.
    assert all(thread.daemon for thread in left)


def test_a_call_that_hangs_does_not_keep_the_warnings_of_others(hanging):
    with pytest.raises(CandidateTimeoutError):
        called_within(0.05, hanging, "preparation")
    with pytest.warns(UserWarning, match="after the timeout"):
        warnings.warn("after the timeout", UserWarning, stacklevel=1)
    # Nor does it bring back old settings when it ends at last.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert hanging.release()
        warnings.warn("after the end", UserWarning, stacklevel=1)
    assert [str(one.message) for one in told] == ["after the end"]
