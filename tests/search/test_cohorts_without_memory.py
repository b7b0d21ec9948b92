"""A search on a machine on which a cohort, or a single fit, runs out of memory."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from skhp.exceptions import JournalWarning
from skhp.population.cohorts import kept_states, state_files
from skhp.population.cohorts.early_results import EarlyResults
from tests.population.no_room import NoRoom
from tests.search.journal.killed_search import RATES, X, Y, search
from tests.search.journals import forget

pytestmark = pytest.mark.slow

# The fits of this rate never fit into memory; without pruning, it has the best score.
FAILS = RATES.index(1e-2)
PRUNING = {"prune": {"rungs": (6, 14), "factor": 2}}
EXACT = ("mean_n_iter", "mean_best_epoch", "pruned_at_epoch", "stop_reason")


def never_fits(task):
    return bool(np.isclose(task.rate.span, RATES[FAILS]))


@pytest.fixture(autouse=True)
def written_after_each_chunk(monkeypatch):
    monkeypatch.setattr(kept_states, "SECONDS_APART", 0.0)
    monkeypatch.setattr(kept_states, "SHARE_OF_TIME", 1e9)


def states(path):
    return sorted(path.parent.glob("*-cohort-*"))


def fitted(journal=None, fails=True, **settings):
    if not fails:
        return search(journal, **settings).fit(X, Y).cv_results_
    with (
        pytest.warns(FitFailedWarning, match="MemoryError: full"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        return search(journal, **settings).fit(X, Y).cv_results_


def assert_same(results, expected, but=()):
    """The same scores and epochs, up to the rounding of other programs; NaN for those that fail."""
    whole = np.array([number not in but for number in range(len(RATES))])
    for name in EXACT:
        if name in expected:
            np.testing.assert_array_equal(results[name][whole], expected[name][whole], err_msg=name)
    for name in (name for name in expected if name.endswith("test_score") and "rank" not in name):
        np.testing.assert_allclose(results[name][whole], expected[name][whole], atol=0.026)
    assert np.isnan(results["mean_test_score"]).tolist() == (~whole).tolist()


class Killed(BaseException):
    """Ends a search as a kill would."""


@pytest.mark.parametrize("settings", [{}, PRUNING], ids=["plain", "pruned"])
def test_halves_have_the_scores_of_the_whole(settings, monkeypatch, tmp_path):
    expected = fitted(fails=False, **settings)
    machine = NoRoom(monkeypatch, most=4, after=8)
    assert_same(fitted(tmp_path / "journal", fails=False, **settings), expected)
    # Six members had lost at a rung before.
    assert (machine.sizes[0], min(machine.sizes)) == (12, 3)
    assert states(tmp_path / "journal") == []


def test_members_that_were_handed_over_before_are_ranked_at_later_rungs(monkeypatch):
    late = {"prune": {"rungs": (40, 60), "factor": 2}}
    expected = fitted(fails=False, **late)
    handed_over = []
    put = EarlyResults.put
    monkeypatch.setattr(EarlyResults, "are_wanted", lambda *_: True)
    monkeypatch.setattr(
        EarlyResults, "put", lambda early, some: (handed_over.extend(some), put(early, some))
    )
    machine = NoRoom(monkeypatch, most=6, after=30)
    assert_same(fitted(fails=False, **late), expected)
    assert machine.sizes[0] == 12
    assert len(handed_over) >= 2


@pytest.mark.parametrize("settings", [{}, PRUNING], ids=["plain", "pruned"])
def test_only_the_fits_without_memory_fail_and_a_journal_knows_the_others(
    settings, monkeypatch, tmp_path
):
    expected = fitted(fails=False, **settings)
    journal = tmp_path / "journal"
    machine = NoRoom(monkeypatch, after=4, never_fits=never_fits)
    first = fitted(journal, **settings)
    if not settings:
        assert_same(first, expected, but=[FAILS])
    assert min(machine.sizes) == 1
    assert states(journal) == []
    # A search that finds some results ranks and ends as this one.
    forget(journal, 0.5, 0)
    again = fitted(journal, **settings)
    whole = np.isfinite(first["mean_test_score"])
    assert whole.tolist() == np.isfinite(again["mean_test_score"]).tolist()
    assert whole.sum() == len(RATES) - 1
    for name in ("mean_n_iter", "pruned_at_epoch", "mean_test_score"):
        if name in first:
            np.testing.assert_allclose(again[name], first[name], atol=0.026, err_msg=name)
    raising = search(tmp_path / "other", error_score="raise", **settings)
    with pytest.raises(MemoryError, match="full"):
        raising.fit(X, Y)


@pytest.mark.parametrize("settings", [{}, PRUNING], ids=["plain", "pruned"])
def test_a_search_that_is_killed_goes_on_from_the_states_of_halves(settings, monkeypatch, tmp_path):
    journal = tmp_path / "journal"
    machine = NoRoom(monkeypatch, most=6, after=4)
    expected = fitted(fails=False, **settings)
    write = kept_states.CohortFile.write

    def killed(file, checkpoint):
        write(file, checkpoint)
        if len(checkpoint.known) == 6 and checkpoint.epochs >= 16:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(kept_states.CohortFile, "write", killed)
        with pytest.raises(Killed):
            search(journal, **settings).fit(X, Y)
    # The state of the cohort that failed is gone. The halves may train at the same time.
    assert 1 <= len(states(journal)) <= 2
    for state in states(journal):
        with np.load(state) as file:
            assert len(file["known"]) == 6
    machine.sizes.clear()
    assert_same(fitted(journal, fails=False, **settings), expected)
    assert states(journal) == []


def test_a_state_without_memory_is_told_of_once_and_the_search_goes_on(monkeypatch, tmp_path):
    expected = fitted(fails=False)

    def full(file, **arrays):
        file.write(b"begun")
        raise MemoryError("no room for a copy")

    monkeypatch.setattr(state_files.np, "savez", full)
    with pytest.warns(JournalWarning, match="cannot be written .* no room for a copy") as told:
        results = fitted(tmp_path / "journal", fails=False)
    assert len(told) == 1
    assert_same(results, expected)
    assert states(tmp_path / "journal") == []
