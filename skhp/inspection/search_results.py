"""The results of a search, and the metric that it scored by."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError

from skhp.exceptions import InvalidParameterError
from skhp.inspection.value_text import NOT_SET, public_name, value_key, value_text
from skhp.shared.nearest_name import nearest_name

# As scikit-learn prints its scorers: make_scorer(f1_score, response_method='predict').
_MADE_BY_SCIKIT_LEARN = re.compile(r"make_scorer\((?P<function>\w+)(?P<arguments>.*)\)$", re.S)
_CLASS = re.compile(r"\bpos_label=(.*?)(?=, \w+=|$)", re.S)
_AVERAGE = re.compile(r"\baverage=(\w+)")


def scored_by(search: Any, metric: str = "score") -> str:
    """The name of the metric that a search scores its candidates by."""
    if metric != "score":
        return metric
    scoring = getattr(search, "scoring", None)
    if isinstance(scoring, str) and scoring != "auto":
        return scoring
    scorer = getattr(search, "scorer_", None if scoring == "auto" else scoring)
    return _own_score(search) if scorer is None else _scorer_name(scorer, search)


def _own_score(search: Any) -> str:
    estimator = getattr(search, "estimator", None)
    if estimator is not None and is_classifier(estimator):
        return "accuracy"
    return "R²" if estimator is not None and is_regressor(estimator) else "score"


def _scorer_name(scorer: Any, search: Any) -> str:
    # The text is read, because a wrapper of a scorer prints as the scorer does.
    text = repr(scorer)
    if made := _MADE_BY_SCIKIT_LEARN.match(text):
        return _made_name(made["function"], made["arguments"])
    if "passthrough" in type(scorer).__name__.lower():
        return _own_score(search)
    name = getattr(scorer, "__name__", "")
    if name == "_passthrough_scorer" or text.startswith("<function _passthrough_scorer"):
        return _own_score(search)
    return name.removesuffix("_scorer") if name.isidentifier() else value_text(scorer)


def _made_name(function: str, arguments: str) -> str:
    name = function.removesuffix("_score")
    if name == "f1":
        name = "F1"
    if "greater_is_better=False" in arguments:
        name = f"neg_{name}"
    if (average := _AVERAGE.search(arguments)) and average[1] not in ("binary", "None"):
        name = f"{average[1]} {name}"
    if (of_class := _CLASS.search(arguments)) and of_class[1] != "None":
        name = f"{name} of class {of_class[1]}"
    return name


@dataclass(frozen=True)
class SearchResults:
    """Candidates in the order in which they were tried."""

    name: str
    metric: str  # its name in the columns of the results
    metric_title: str  # its name for a reader, such as "f1" or "accuracy"
    # The parameters that differ between candidates; NOT_SET where a candidate has no value.
    values: dict[str, list[Any]]
    scores: np.ndarray  # (n_candidates, n_folds); NaN where a fit failed, greater is better
    seconds: np.ndarray  # all fits of each candidate together
    pruned: np.ndarray  # which candidates ended early, and so cannot be the best
    rounds: np.ndarray  # the round of halving, else 0; only scores of one round can be compared

    @property
    def means(self) -> np.ndarray:
        """Mean score of each candidate; NaN if one of its fits failed."""
        return self.scores.mean(axis=1)

    @property
    def failed(self) -> np.ndarray:
        """Which candidates have no score."""
        return ~np.isfinite(self.means)

    @property
    def best(self) -> int | None:
        """The first of the best candidates (of the last round of halving); None if all failed."""
        means = np.where(self.pruned | (self.rounds < self.rounds.max()), np.nan, self.means)
        return int(np.nanargmax(means)) if np.isfinite(means).any() else None

    @property
    def short_names(self) -> dict[str, str]:
        """Names of the parameters, without the steps before them where the rest is unique."""
        endings = Counter(ending for name in self.values for ending in _endings(name))
        return {
            name: next((ending for ending in _endings(name) if endings[ending] == 1), name)
            for name in self.values
        }

    def last_rounds(self) -> SearchResults:
        """Each candidate once, with its scores of its last round."""
        if not self.rounds.any():
            return self
        keys = [tuple(map(value_key, row)) for row in zip(*self.values.values(), strict=True)]
        last = sorted({key: place for place, key in enumerate(keys)}.values())
        return self.taken(np.array(last))

    def taken(self, places: np.ndarray) -> SearchResults:
        """The results of some of the candidates."""
        return replace(
            self,
            values={name: [of[place] for place in places] for name, of in self.values.items()},
            scores=self.scores[places],
            seconds=self.seconds[places],
            pruned=self.pruned[places],
            rounds=self.rounds[places],
        )


def _endings(name: str) -> list[str]:
    """The endings of a name, shortest first: "c", "b__c" and "a__b__c" for "a__b__c"."""
    steps = name.split("__")
    return ["__".join(steps[start:]) for start in range(len(steps) - 1, -1, -1)]


def search_results(search: Any, metric: str | None = None) -> SearchResults:
    """Read the results of a fitted search."""
    results = getattr(search, "cv_results_", None)
    if results is None:
        raise NotFittedError(
            f"{public_name(search)} has no cv_results_. Expected a search of skhp, scikit-learn "
            "or scikit-optimize after its fit."
        )
    metric = _metric(search, results, metric)
    folds = [
        name for name in results if re.fullmatch(rf"split\d+_test_{re.escape(metric)}", str(name))
    ]
    scores = np.array([np.asarray(results[name], dtype=float) for name in folds]).T
    n_candidates = len(results["params"])
    pruned = np.isfinite(np.asarray(results.get("pruned_at_epoch", [np.nan] * n_candidates)))
    rounds = results["iter"] if "n_resources" in results else np.zeros(n_candidates)
    values = {
        str(name).removeprefix("param_"): _values(column)
        for name, column in results.items()
        if str(name).startswith("param_")
    }
    if "n_resources" in results:
        # The resource grows from round to round; it is not a parameter that was searched.
        values.pop(getattr(search, "resource", ""), None)
    return SearchResults(
        name=public_name(search),
        metric=metric,
        metric_title=scored_by(search, metric),
        values={name: of for name, of in values.items() if len(set(map(value_key, of))) > 1},
        scores=scores,
        seconds=np.asarray(results["mean_fit_time"], dtype=float) * len(folds),
        pruned=pruned,
        rounds=np.asarray(rounds, dtype=int),
    )


def _metric(search: Any, results: dict[str, Any], given: str | None) -> str:
    prefix = "mean_test_"
    known = [str(name).removeprefix(prefix) for name in results if str(name).startswith(prefix)]
    if given is None and len(known) == 1:
        return known[0]
    refit = getattr(search, "refit", None)
    chosen = refit if given is None else given
    if not isinstance(chosen, str) or chosen not in known:
        raise InvalidParameterError(
            f"Got metric={given!r}; expected one of the scores of the search: "
            f"{', '.join(known)}.{nearest_name(given, known)}"
        )
    return chosen


def _values(column: Any) -> list[Any]:
    mask = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else np.zeros(len(column))
    values = np.ma.getdata(column)
    return [NOT_SET if missing else value for value, missing in zip(values, mask, strict=True)]
