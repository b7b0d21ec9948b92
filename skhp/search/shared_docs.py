"""What the docstrings of all searchers have in common."""

from __future__ import annotations

import textwrap
from typing import Any, TypeVar

Searcher = TypeVar("Searcher", bound=type)

_SCORING = """
scoring : "auto", str, callable, list, tuple, dict or None, default="auto"
    "auto" is the F1 of the rarest class for two classes, whatever their labels, macro F1 for more,
    and the estimator's own score for everything else. Anything else is as in scikit-learn; None is
    the estimator's own score. Rows that each hold a single 1 are classes: metrics of scikit-learn
    score them as the labels that they stand for, and folds are stratified by these.
"""

_ONE_SCORING = """
scoring : "auto", str, callable or None, default="auto"
    "auto" is the F1 of the rarest class for two classes, whatever their labels, macro F1 for more,
    and the estimator's own score for everything else. Anything else is as in scikit-learn; None is
    the estimator's own score. Rows that each hold a single 1 are classes: metrics of scikit-learn
    score them as the labels that they stand for, and folds are stratified by these.
"""

_LIKE_SCIKIT_LEARN = """
n_jobs : int, default=None
    As in scikit-learn. Networks that train as a population need no more than the default.
refit : bool, str or callable, default=True
    As in scikit-learn.
cv : int, cross-validation generator or iterable, default=None
    As in scikit-learn; the folds are drawn once for a `fit`. One fold, as of
    ``ShuffleSplit(n_splits=1)``, is a hold-out.
verbose : int, default=0
    As in scikit-learn.
pre_dispatch : int or str, default="2*n_jobs"
    As in scikit-learn.
"""

_OUTCOMES = """
error_score : "raise" or number, default=np.nan
    As in scikit-learn.
return_train_score : bool, default=False
    As in scikit-learn.
"""

_ADDITIONS = """
early_stopping : "auto", bool, int or dict, default="auto"
    Have the candidates, and the best one that is refitted, stop early by rows of their own
    training fold. "auto" does so for every estimator that has such parameters, skhp's and
    scikit-learn's own, also within pipelines, if it has rows enough and no callback of Keras to
    stop by; True demands it; an int is the patience; a dict sets those parameters
    (``{"patience": 5, "monitor": "val_f1"}``); False leaves the estimator as it is.
prune : "halving", dict or None, default=None
    End candidates on the way, while all of them train together: after so many epochs, the rungs,
    all candidates wait for one another and are ranked by what early stopping watches, in the mean
    over the folds; one in `factor` goes on from where it is, and the others stay what they are,
    and are scored, but never best. "halving" has its rungs at a third of the most epochs, at a
    ninth and so on; a dict sets ``{"rungs": (10, 30), "factor": 3}``. Candidates that differ in
    ``loss``, ``monitor``, ``class_weight``, ``scale_target`` or ``callbacks`` are ranked apart.
refit_epochs : "median" or None, default=None
    "median" trains the best candidate on all rows, without holding some out to stop by, for the
    median best epoch of its folds; None by the same rule as the candidates.
time_budget : float, str, datetime.timedelta or None, default=None
    Seconds, or a text such as "10min": what is finished by then counts, and at least one round of
    candidates always is.
on_interrupt : {"raise", "partial"}, default="raise"
    What Ctrl-C does: end `fit` by the exception, or leave the search with the candidates that were
    finished.
journal : str, path or None, default=None
    An SQLite file, made if it is missing, into which each candidate goes on each fold as soon as
    it is scored. The same search again goes on from there, after whatever ended it; a search on
    other data, folds, or with another estimator or scoring is refused. Functions and classes of
    your own count with all that their code reads, as it is when the search begins: globals,
    helpers, modules beside the program; installed packages count by their versions; files and
    environment variables that code reads do not count. ``FILE-wal`` and ``FILE-shm`` belong to
    the file while it is in use, and stay beside it after a kill: move or delete all three
    together. ``skhp journal FILE`` shows what is in it, and pandas can read it.
population : bool, default=True
    Train the networks of all candidates and folds together where they can join, as under
    :func:`skhp.population`. A joblib backend that is not joblib's own is left in place.
"""

_STOP_AFTER = """
stop_after : int or None, default=None
    End the search after so many candidates without a better mean score.
"""

_ATTRIBUTES = """
cv_results_ : dict of numpy arrays
    As in scikit-learn, and, where the fits tell, ``mean_n_iter``, ``mean_best_epoch``,
    ``stop_reason`` (the most frequent of the folds) and ``mean_stopping_gap``: by how much the
    score that early stopping watched, where it watched one, exceeds the score of the test fold.
    With `prune`, ``pruned_at_epoch``, NaN for candidates that were not.
best_estimator_ : estimator
best_score_ : float
best_params_ : dict
best_index_ : int
scorer_ : callable or dict
    What was scored by.
n_splits_ : int
refit_time_ : float
multimetric_ : bool
search_stop_reason_ : {"completed", "time_budget", "no_improvement", "interrupted"}
    Why the search ended, where it had a limit: `time_budget`, `stop_after` or
    ``on_interrupt="partial"``.
"""

_PARTS = {
    "scoring": _SCORING,
    "one_scoring": _ONE_SCORING,
    "like_scikit_learn": _LIKE_SCIKIT_LEARN,
    "outcomes": _OUTCOMES,
    "additions": _ADDITIONS,
    "stop_after": _STOP_AFTER,
    "attributes": _ATTRIBUTES,
}


def with_shared_docs(searcher: Searcher) -> Searcher:
    """Put the common parts where the docstring of a class says ``{scoring}`` and so on.

    A decorator; the parts are indented as their places are.
    """
    lines: list[str] = []
    for line in (searcher.__doc__ or "").splitlines():
        name = line.strip().strip("{}")
        if line.strip() == f"{{{name}}}" and name in _PARTS:
            indent: Any = line[: len(line) - len(line.lstrip())]
            lines.append(textwrap.indent(_PARTS[name].strip(), indent))
        else:
            lines.append(line)
    searcher.__doc__ = "\n".join(lines)
    return searcher
