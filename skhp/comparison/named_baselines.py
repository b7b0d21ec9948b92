"""The baselines that a comparison knows by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import BaseCrossValidator, GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from skhp.comparison.dummy import DUMMY
from skhp.comparison.metric_scorers import rarer_of_two
from skhp.comparison.outer_splits import OuterSplits
from skhp.comparison.scores import Scorer, undefined_scores_are_zero
from skhp.exceptions import SettingsError
from skhp.shared.nearest_name import nearest_name
from skhp.shared.rarest_class import rarest_position
from skhp.tables.preparation import make_preparation

# With scaled inputs and hundreds of rows, no input matters at the first value, and the penalty
# hardly matters at the last.
BASELINE_C = np.logspace(-3, 1, 9)


class QuietSearch(GridSearchCV):
    """A search that does not warn of the convergence of its candidates.

    The user cannot change these candidates, and a penalty at which the solver does not converge is
    judged by its score like any other.
    """

    def fit(self, X: Any, y: Any = None, **parameters: Any) -> Self:
        """Fit as scikit-learn's own search does."""
        with without_convergence_warnings():
            return super().fit(X, y, **parameters)


@contextmanager
def without_convergence_warnings() -> Iterator[None]:
    """Silence the convergence warnings of the linear baselines."""
    with warnings.catch_warnings():
        # The words are matched, because warnings of a network may have the same class.
        for words in (
            "Liblinear failed",
            "The max_iter was reached",
            "Objective did not",
            "lbfgs failed",
        ):
            warnings.filterwarnings("ignore", words, ConvergenceWarning)
        yield


def make_lasso(n_classes: int, seed: int = 0) -> LogisticRegression:
    """Logistic regression with an l1 penalty, for scaled inputs."""
    if n_classes == 2:
        # On five tables, liblinear reached a lower objective than saga in a tenth of the time. It
        # penalises the intercept as well; a large intercept_scaling makes that negligible.
        lasso = LogisticRegression(solver="liblinear", intercept_scaling=100, random_state=seed)
    else:
        # saga is the only solver of the multinomial lasso. With the default tol it takes thousands
        # of passes without a better F1.
        lasso = LogisticRegression(solver="saga", tol=1e-3, max_iter=5000, random_state=seed)
    # Up to scikit-learn 1.7 the parameter penalty chooses the penalty; since 1.8 it is deprecated,
    # and l1_ratio alone chooses.
    by_penalty = lasso.get_params().get("penalty") == "l2"
    return lasso.set_params(**({"penalty": "l1"} if by_penalty else {"l1_ratio": 1.0}))


def tune_baseline(
    preparation: TransformerMixin,
    X: object,
    y: np.ndarray,
    scorer: Scorer,
    folds: BaseCrossValidator,
    seed: int = 0,
    classifier: ClassifierMixin | None = None,
) -> GridSearchCV:
    """Tune the strength of the penalty of the lasso, or of `classifier`, by cross validation."""
    classifier = make_lasso(len(np.unique(y)), seed) if classifier is None else classifier
    with undefined_scores_are_zero():
        return logistic_search(preparation, classifier, scorer, folds).fit(X, y)


def logistic_search(
    preparation: TransformerMixin,
    classifier: ClassifierMixin,
    scorer: Any,
    folds: BaseCrossValidator,
) -> QuietSearch:
    """The search over the strength of the penalty of a logistic regression, not fitted."""
    return QuietSearch(
        Pipeline([("preparation", preparation), ("baseline", classifier)]),
        {"baseline__C": BASELINE_C},
        scoring=scorer,
        cv=folds,
        error_score="raise",
    )


def tune_ridge(
    preparation: TransformerMixin, X: object, y: np.ndarray, scorer: Scorer, folds: Any
) -> QuietSearch:
    """Tune the strength of the penalty of a ridge regression by cross validation."""
    return linear_search(preparation, Ridge(), RIDGE_ALPHAS, scorer, folds).fit(X, y)


def linear_search(
    preparation: TransformerMixin, linear: Any, alphas: np.ndarray, scoring: Any, folds: Any
) -> QuietSearch:
    """The search over the strength of the penalty of a linear regression, not fitted."""
    # With a target of standard deviation 1, the strengths mean the same for every table.
    scaled = TransformedTargetRegressor(linear, transformer=StandardScaler())
    return QuietSearch(
        Pipeline([("preparation", preparation), ("baseline", scaled)]),
        {"baseline__regressor__alpha": alphas},
        scoring=scoring,
        cv=folds,
        error_score="raise",
    )


BASELINES = (DUMMY, "logistic", "ridge", "lasso", "gradient_boosting")
_FOR_CLASSES = (DUMMY, "logistic", "gradient_boosting")
_FOR_NUMBERS = (DUMMY, "ridge", "lasso", "gradient_boosting")
_INNER_FOLDS = 5
# For scaled inputs and a scaled target.
RIDGE_ALPHAS = np.logspace(-2, 4, 13)
_LASSO_ALPHAS = np.logspace(-4, 0, 9)


def given_baseline(estimators: Mapping[str, Any], baseline: Any) -> tuple[str, Any, dict[str, Any]]:
    """The name of the baseline, the baseline, and the estimators to compare to it.

    A baseline that is a name in `BASELINES` stays that name. An unknown name is refused, and so is
    a baseline that leaves no estimator to compare.
    """
    others = dict(estimators)
    if isinstance(baseline, Mapping):
        if len(baseline) != 1 or not isinstance(next(iter(baseline)), str):
            raise SettingsError(
                f"baseline is a dict with the keys {list(baseline)}: give one name and its "
                "estimator, such as {'forest': RandomForestClassifier()}."
            )
        ((name, baseline),) = baseline.items()
        if isinstance(baseline, str) and (baseline not in BASELINES or baseline == DUMMY):
            raise SettingsError(
                f"baseline maps {name!r} to the text {baseline!r}: give an estimator in its place."
            )
        return name, baseline, _without(others, name, baseline)
    if isinstance(baseline, str):
        if baseline in others and baseline not in BASELINES:
            return baseline, others[baseline], _without(others, baseline, others[baseline])
        if baseline not in BASELINES:
            raise SettingsError(
                f"unknown baseline {baseline!r}.{nearest_name(baseline, (*BASELINES, *others))} "
                f"Use one of {', '.join(map(repr, BASELINES))}, the name of one of the estimators, "
                "or give an estimator."
            )
        return baseline, baseline, _without(others, baseline, baseline)
    for name, estimator in others.items():
        if estimator is baseline and len(others) > 1:
            return name, baseline, _without(others, name, baseline)
    name = _own_name(baseline)
    return f"{name} (baseline)" if name in others else name, baseline, others


def _without(others: dict[str, Any], name: str, baseline: Any) -> dict[str, Any]:
    """The estimators without the baseline; another estimator with its name is refused."""
    if name in others and others[name] is not baseline:
        raise SettingsError(
            f"an estimator is named {name!r}, as the baseline is: give it another name."
        )
    left = {one: estimator for one, estimator in others.items() if one != name}
    if not left:
        raise SettingsError(
            f"there is no estimator to compare to the baseline {name!r}: give another one."
        )
    return left


def _own_name(estimator: Any) -> str:
    """The name of the class of an estimator, or of the last step of a pipeline."""
    steps = getattr(estimator, "steps", None)
    if steps and hasattr(steps[-1][-1], "fit"):
        return _own_name(steps[-1][-1])
    return type(estimator).__name__


def named_baseline(name: str, X: Any, y: np.ndarray, splits: OuterSplits, for_classes: bool) -> Any:
    """The baseline with a name, not fitted; its fit tunes the strength of its penalty."""
    known = _FOR_CLASSES if for_classes else _FOR_NUMBERS
    if name not in known:
        given, meant = (
            ("regressors", "classes") if name == "logistic" else ("classifiers", "numbers")
        )
        raise SettingsError(
            f"baseline={name!r} is for {meant}, and the estimators are {given}: give one of "
            f"{', '.join(map(repr, known))}, or an estimator."
        )
    if name == "gradient_boosting":
        return _gradient_boosting(X, for_classes)
    return _tuned_lasso(X, y, splits) if for_classes else _tuned_linear(name, X, splits)


def _gradient_boosting(X: Any, for_classes: bool) -> Any:
    if issparse(X):
        raise SettingsError(
            "baseline='gradient_boosting' does not take a sparse table: give X.toarray(), or "
            "another baseline."
        )
    booster = HistGradientBoostingClassifier if for_classes else HistGradientBoostingRegressor
    if _has_categories(X):
        return make_pipeline(_scaling(X), booster())
    return make_pipeline(_flattening(), booster()) if np.ndim(X) > 2 else booster()


def _tuned_linear(name: str, X: Any, splits: OuterSplits) -> QuietSearch:
    fewest = min(len(split.train) for split in splits.every)
    if fewest < 2:
        raise SettingsError(
            f"a split has {fewest} rows to train on, and baseline={name!r} needs 2 to be tuned: "
            "give fewer folds or another baseline."
        )
    linear, alphas = (
        (Ridge(), RIDGE_ALPHAS) if name == "ridge" else (Lasso(max_iter=5000), _LASSO_ALPHAS)
    )
    folds = KFold(min(_INNER_FOLDS, fewest), shuffle=True, random_state=0)
    return linear_search(_scaling(X), linear, alphas, "neg_mean_squared_error", folds)


def _tuned_lasso(X: Any, y: np.ndarray, splits: OuterSplits) -> QuietSearch:
    labels, codes = np.unique(y, return_inverse=True)
    counts = [np.bincount(codes[split.train], minlength=len(labels)) for split in splits.every]
    fewest = np.min(counts, axis=0)
    rarest = rarest_position(fewest)
    if fewest[rarest] < 2:
        raise SettingsError(
            f"class {labels[rarest].item()!r} has {fewest[rarest]} rows in the training rows of a "
            "split, and baseline='logistic' needs 2 to be tuned: give fewer folds, add rows of "
            "it, or give another baseline."
        )
    n_folds = min(_INNER_FOLDS, int(fewest[rarest]))
    rare = rarer_of_two(y)
    of_classes = {"average": "macro"} if rare is None else {"pos_label": rare}
    return logistic_search(
        _scaling(X),
        make_lasso(len(labels)),
        make_scorer(f1_score, zero_division=0.0, **of_classes),
        StratifiedKFold(n_folds, shuffle=True, random_state=0),
    )


def _scaling(X: Any) -> TransformerMixin:
    """Impute, encode and scale; a sparse table is not centred and stays sparse."""
    if issparse(X):
        return make_pipeline(SimpleImputer(strategy="median"), MaxAbsScaler())
    if np.ndim(X) > 2:
        return make_pipeline(_flattening(), StandardScaler())
    if not _has_categories(X):
        return make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
        )
    if isinstance(X, pd.DataFrame):
        return make_preparation(*_positions_by_kind(X))
    numbers, categories = _positions_by_kind(pd.DataFrame(X).infer_objects())
    return make_pipeline(FunctionTransformer(pd.DataFrame), make_preparation(numbers, categories))


def _flattening() -> FunctionTransformer:
    """Turns each series or image into one row of columns."""
    return FunctionTransformer(_flattened)


def _flattened(X: Any) -> np.ndarray:
    return np.reshape(X, (len(X), -1))


def _has_categories(X: Any) -> bool:
    """Whether a column holds other values than numbers."""
    if isinstance(X, pd.DataFrame):
        return bool(_positions_by_kind(X)[1])
    dtype = getattr(X, "dtype", None)
    if dtype is None or dtype.kind not in "OUS" or np.ndim(X) != 2:
        return False
    return bool(_positions_by_kind(pd.DataFrame(X).infer_objects())[1])


def _positions_by_kind(X: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    """Positions of the columns of numbers and of all others."""
    are_numbers = [
        types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) for dtype in X.dtypes
    ]
    numbers = [position for position, is_number in enumerate(are_numbers) if is_number]
    categories = [position for position, is_number in enumerate(are_numbers) if not is_number]
    return numbers, categories
