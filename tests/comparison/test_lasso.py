import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison.named_baselines import BASELINE_C, make_lasso, tune_baseline


@pytest.fixture
def folds():
    return StratifiedKFold(3, shuffle=True, random_state=0)


def rare_digit():
    X, digit = load_digits(return_X_y=True)
    return X[:600], (digit[:600] == 8).astype(int)


def lasso_objective(coef, intercept, X, y, C):
    # log(1 + exp(-margin)) of each row, and the absolute coefficients without the intercept.
    margin = np.where(y == 1, 1, -1) * (X @ coef + intercept)
    return C * np.logaddexp(0, -margin).sum() + np.abs(coef).sum()


@pytest.mark.parametrize("C", BASELINE_C)
def test_the_lasso_of_two_classes_is_at_its_minimum(C):
    X, y = rare_digit()
    X = StandardScaler().fit_transform(X[:, [2, 10, 20, 21, 36, 43]])
    lasso = make_lasso(2).set_params(C=C).fit(X, y)
    reached = lasso_objective(lasso.coef_[0], lasso.intercept_[0], X, y, C)

    # Split in positive and negative parts, the lasso is smooth within bounds.
    n = X.shape[1]

    def smooth(point):
        coef, intercept = point[:n] - point[n : 2 * n], point[-1]
        sign = np.where(y == 1, 1, -1)
        margin = sign * (X @ coef + intercept)
        slope = -C * sign / (1 + np.exp(margin))
        value = C * np.logaddexp(0, -margin).sum() + point[:-1].sum()
        return value, np.r_[1 + X.T @ slope, 1 - X.T @ slope, slope.sum()]

    best = minimize(
        smooth,
        np.zeros(2 * n + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * n) + [(None, None)],
        options={"ftol": 1e-14, "gtol": 1e-10, "maxiter": 10_000},
    )
    # With its intercept penalised in full it would miss by some percents.
    assert reached <= best.fun * (1 + 1e-2)


def test_the_lasso_of_more_classes_has_zeros_and_no_warning():
    X, y = load_iris(return_X_y=True)
    lasso = make_lasso(3).set_params(C=0.1).fit(StandardScaler().fit_transform(X), y)
    assert lasso.coef_.shape == (3, 4)
    assert (lasso.coef_ == 0).any()
    assert lasso.score(StandardScaler().fit_transform(X), y) > 0.8


@pytest.mark.parametrize(
    ("penalty", "named"),
    [
        ("l2", {"penalty": "l1", "l1_ratio": None}),
        ("deprecated", {"penalty": "deprecated", "l1_ratio": 1.0}),
    ],
)
def test_the_lasso_is_named_as_each_scikit_learn_wants_it(penalty, named, monkeypatch):
    class Version(LogisticRegression):
        def __init__(
            self, penalty=penalty, l1_ratio=None, solver="", intercept_scaling=1, random_state=None
        ):
            self.penalty = penalty
            self.l1_ratio = l1_ratio
            self.solver = solver
            self.intercept_scaling = intercept_scaling
            self.random_state = random_state

    monkeypatch.setattr("skhp.comparison.named_baselines.LogisticRegression", Version)
    assert make_lasso(2).get_params().items() >= named.items()


def test_the_strength_is_the_best_of_a_plain_cross_validation(folds):
    X, y = rare_digit()
    search = tune_baseline(StandardScaler(), X, y, get_scorer("f1"), folds)
    by_hand = [
        cross_val_score(
            make_pipeline(StandardScaler(), make_lasso(2).set_params(C=C)),
            X,
            y,
            scoring="f1",
            cv=folds,
        ).mean()
        for C in BASELINE_C
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_params_ == {"baseline__C": BASELINE_C[np.argmax(by_hand)]}
    assert search.best_estimator_.predict(X).shape == y.shape


def test_candidates_that_never_say_rare_do_not_warn(folds):
    X, y = rare_digit()
    search = tune_baseline(StandardScaler(), X, y, get_scorer("precision"), folds)
    assert search.cv_results_["mean_test_score"][0] == 0
