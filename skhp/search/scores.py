"""The scores of a search: the default scorer, and scores that remember the training."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.metrics import f1_score, get_scorer, get_scorer_names, make_scorer
from sklearn.utils.multiclass import type_of_target

from skhp.compat.quick_scorers import quick
from skhp.compat.scikit_learn import MultimetricScorer, metric_of
from skhp.search.early_stopping import can_stop_early
from skhp.search.fold_thresholds import decided
from skhp.shared.class_targets import ClassScorer, one_hot_labels
from skhp.shared.pipelines import trained_within
from skhp.shared.rarest_class import rarest_class


def scoring_of_classes(scoring: Any) -> Any:
    """Scoring in which scikit-learn's metrics get labels in place of one-hot rows.

    The user's own functions get the rows. A name that scikit-learn does not know stays, and
    scikit-learn will refuse it.
    """
    if isinstance(scoring, list | tuple | set) and all(isinstance(one, str) for one in scoring):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, dict):
        return {name: scoring_of_classes(one) for name, one in scoring.items()}
    if isinstance(scoring, str) and scoring in get_scorer_names():
        return ClassScorer(get_scorer(scoring))
    return ClassScorer(scoring) if _is_of_scikit_learn(metric_of(scoring)) else scoring


def _is_of_scikit_learn(metric: Any) -> bool:
    return inspect.isroutine(metric) and metric.__module__.partition(".")[0] == "sklearn"


def default_scoring(estimator: Any, y: Any) -> Any:
    """The scorer that ``scoring="auto"`` stands for.

    It is F1 of the rarer class for a classifier of two classes (of the last label in order if both
    are equally frequent), macro F1 for more classes, and None, the estimator's own score, for
    everything else.
    """
    if y is None or not is_classifier(estimator):
        return None
    labels = one_hot_labels(y)
    if labels is not None:
        return ClassScorer(default_scoring(estimator, labels))
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        return None
    # A candidate that never predicts the rare class has an F1 of 0, and gives no warning.
    if kind == "multiclass" or len(np.unique(np.asarray(y))) != 2:
        return _without_weights(make_scorer(f1_score, average="macro", zero_division=0.0))
    return _without_weights(make_scorer(f1_score, pos_label=rarest_class(y), zero_division=0.0))


def _without_weights(scorer: Any) -> Any:
    """The scorer, which with metadata routing declares that it takes no sample weights.

    Without routing, a search passes no weights to a scorer.
    """
    if sklearn.get_config()["enable_metadata_routing"]:
        return scorer.set_score_request(sample_weight=False)
    return scorer


class Training(NamedTuple):
    """What a fitted estimator reports about its training; None stands for an unreported value."""

    n_iter: float | None
    best_epoch: float | None
    stop_reason: str | None
    stopping_score: float | None


# Trainings that did not go on to their own end.
_ENDED_EARLY = ("pruned", "time_budget")
_UNREPORTED = Training(None, None, None, None)


class ScoredFit(float):
    """A score with what the scored estimator reports about its training."""

    training: Training

    def __new__(cls, score: float, training: Training) -> ScoredFit:
        """Create a score, which is otherwise a plain number."""
        scored = super().__new__(cls, score)
        scored.training = training
        return scored

    def __reduce__(self) -> tuple[Any, ...]:
        return ScoredFit, (float(self), self.training)


class RecordingScorer:
    """A scorer whose numbers are `ScoredFit`; other return values stay as they are."""

    def __init__(self, scorer: Any) -> None:
        self.scorer = scorer
        self._quick = quick(scorer)
        # scikit-learn reads from the signature whether a scorer takes sample weights.
        self.__signature__ = inspect.signature(scorer)

    def __call__(self, estimator: Any, *arguments: Any, **keywords: Any) -> Any:
        """Score an estimator."""
        scored = _scored(estimator, arguments)
        return _recorded(self._quick(scored, *arguments, **keywords), estimator)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "scorer" not in vars(self):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __repr__(self) -> str:
        return repr(self.scorer)


class RecordingMultimetricScorer(MultimetricScorer):
    """Scores several metrics; the first of them is a `ScoredFit`."""

    def __call__(self, estimator: Any, *arguments: Any, **keywords: Any) -> Any:
        """Score an estimator."""
        scored = _scored(estimator, arguments)
        return _recorded(super().__call__(scored, *arguments, **keywords), estimator)


def _scored(estimator: Any, arguments: Sequence[Any]) -> Any:
    return decided(estimator, *arguments) if len(arguments) == 2 else estimator


def training_columns(scores: Sequence[Any], n_splits: int) -> dict[str, np.ndarray]:
    """Columns of `cv_results_` about training, from the score (or dict of scores) of each fit.

    A column is there if any fit has a value for it; a candidate without one has NaN or "".
    """
    trainings = [_training_of_scores(score) for score in scores]
    columns = {}
    for name in ("n_iter", "best_epoch"):
        values = [getattr(training, name) for training in trainings]
        if any(value is not None for value in values):
            columns[f"mean_{name}"] = _means(values, n_splits)
    if any(training.stop_reason for training in trainings):
        reasons = [training.stop_reason for training in trainings]
        columns["stop_reason"] = np.array(
            [
                _most_common(reasons[start : start + n_splits])
                for start in range(0, len(reasons), n_splits)
            ]
        )
    if any(training.stopping_score is not None for training in trainings):
        gaps = [
            None if training.stopping_score is None else training.stopping_score - _first(score)
            for training, score in zip(trainings, scores, strict=True)
        ]
        columns["mean_stopping_gap"] = _means(gaps, n_splits)
    return columns


def pruned_at_epoch(scores: Sequence[Any], n_splits: int) -> np.ndarray:
    """The epochs after which each candidate was pruned or ran out of time; NaN if it was not."""
    trainings = [_training_of_scores(score) for score in scores]
    epochs = [
        training.n_iter if training.stop_reason in _ENDED_EARLY and training.n_iter else np.nan
        for training in trainings
    ]
    # All folds of a candidate that still trained were pruned at the same rung. Those that ran out
    # of time may differ by a few epochs.
    return np.fmax.reduce(np.reshape(np.array(epochs, float), (-1, n_splits)), axis=1)


def stopped_by(result: Mapping[str, Any]) -> str | None:
    """Why the training ended whose task has this result; None if that is not known."""
    return _training_of_scores(result.get("test_scores")).stop_reason


def epochs_to_train(scores: Sequence[Any], n_splits: int) -> np.ndarray:
    """The best epoch of each candidate on each fold, or the last epoch if no best one is known."""
    trainings = [_training_of_scores(score) for score in scores]
    told = [t.n_iter if t.best_epoch is None else t.best_epoch for t in trainings]
    epochs = [np.nan if number is None else number for number in told]
    return np.reshape(np.array(epochs, float), (-1, n_splits))


def training_of(estimator: Any) -> Training:
    """What a fitted estimator reports about its training, also within a pipeline or a wrapper."""
    estimator = trained_within(estimator)
    if not can_stop_early(estimator):
        return _UNREPORTED
    best_epoch = _best_epoch(estimator)
    stop_reason = getattr(estimator, "stop_reason_", None)
    history = getattr(estimator, "history_", None) or {}
    n_iter = getattr(estimator, "n_iter_", None)
    return Training(
        n_iter=_number(len(history["loss"]) if n_iter is None and "loss" in history else n_iter),
        best_epoch=_number(best_epoch),
        stop_reason=stop_reason if isinstance(stop_reason, str) else None,
        stopping_score=_stopping_score(estimator, best_epoch),
    )


def _best_epoch(estimator: Any) -> Any:
    # scikit-learn's own networks keep the weights of the best epoch, and the score of each epoch.
    scores = getattr(estimator, "validation_scores_", None)
    if scores is not None and len(scores):
        return int(np.argmax(scores)) + 1
    return getattr(estimator, "best_epoch_", None)


def _stopping_score(estimator: Any, best_epoch: Any) -> float | None:
    """The score of the epoch whose weights early stopping kept; None if it monitored a loss."""
    monitor = getattr(estimator, "monitor", None)
    values = (getattr(estimator, "history_", None) or {}).get(monitor, ())
    if monitor in (None, "loss", "val_loss") or not best_epoch or len(values) < best_epoch:
        return None
    return _number(values[best_epoch - 1])


def _recorded(scores: Any, estimator: Any) -> Any:
    if isinstance(scores, dict):
        name = next(iter(scores), None)
        return scores if name is None else {**scores, name: _recorded(scores[name], estimator)}
    if isinstance(scores, Real) and not isinstance(scores, bool):
        return ScoredFit(float(scores), training_of(estimator))
    return scores


def _training_of_scores(scores: Any) -> Training:
    if isinstance(scores, Mapping):
        scores = next(iter(scores.values()), None)
    return scores.training if isinstance(scores, ScoredFit) else _UNREPORTED


def _first(scores: Any) -> float:
    return float(next(iter(scores.values())) if isinstance(scores, Mapping) else scores)


def _number(value: Any) -> float | None:
    # Some estimators count iterations for each class; the largest number tells how long they train.
    if isinstance(value, (np.ndarray, list, tuple)) and len(value):
        value = np.max(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def _means(values: Sequence[float | None], n_splits: int) -> np.ndarray:
    table = np.array([np.nan if value is None else value for value in values], dtype=float)
    return table.reshape(-1, n_splits).mean(axis=1)


def _most_common(reasons: Sequence[str | None]) -> str:
    counts = Counter(reason for reason in reasons if reason)
    return counts.most_common(1)[0][0] if counts else ""
