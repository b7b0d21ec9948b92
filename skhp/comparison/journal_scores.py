"""Scores that an earlier run of a search has left in its journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skhp.exceptions import JournalError
from skhp.search.journal.reading import read_journal_file

__all__ = ["scores_in_journal"]


def scores_in_journal(path: Path) -> list[tuple[dict[str, Any], float]]:
    """The parameters and the test score of each finished fit; for a look, without any check.

    Parameters
    ----------
    path : Path
        Nothing is written to it or beside it.

    Returns
    -------
    list of (dict, float)
        Empty where there is no journal, or none that can be read: the search says why.
    """
    try:
        finished = read_journal_file(path).finished.values()
    except JournalError:
        return []
    return [
        (json.loads(fold.parameters), fold.scores["test_score"])
        for fold in finished
        if "test_score" in fold.scores
    ]
