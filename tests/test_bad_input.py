"""Bad input to every estimator: a clear error, or a correct result; never a silent wrong one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier

from tests.test_sklearn_contract import CLASSIFIERS, ESTIMATORS, _name

pytestmark = pytest.mark.slow


def _with(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


def _complex(X):
    return X + 1j


# What is wrong: (change to X and y of a fit, pattern that names the cause).
BAD_FITS = {
    "NaN": (lambda X, y: (_with(X, np.nan), y), "NaN"),
    "infinity": (lambda X, y: (_with(X, np.inf), y), "infinity"),
    "overflows float32": (lambda X, y: (_with(X, 1e300), y), "too large"),
    "overflows both ways": (lambda X, y: (X * 1e300, y), "too large"),
    "no rows": (lambda X, y: (X[:0], y[:0]), "0 sample"),
    "no columns": (lambda X, y: (X[:, :0], y), "0 feature"),
    "one dimension": (lambda X, y: (X[:, 0], y), "2D array|2 dimensions|1D array|1-D|dim"),
    "complex": (lambda X, y: (_complex(X), y), "Complex data"),
    "text": (lambda X, y: (np.full(X.shape, "red"), y), "holds the text 'red'"),
    "other number of rows": (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
    "NaN in y": (
        lambda X, y: (X, _with(y[:, None].repeat(2, 1).astype(float), np.nan)[:, 1]),
        "NaN",
    ),
    "no y": (lambda X, y: (X, None), "requires y|None"),
}

BAD_CLASSES = {
    "one class": (lambda X, y: (X, np.zeros(len(y), dtype=int)), "class"),
    "one row": (lambda X, y: (X[:1], y[:1]), "class|1 sample"),
    "numbers for classes": (lambda X, y: (X, X[:, 0]), "continuous|label type|classification"),
}

BAD_NUMBERS = {
    "text for numbers": (lambda X, y: (X, np.full(len(y), "red")), "convert|number|numeric"),
    "target overflows float32": (lambda X, y: (X, y * 1e300), "too large"),
    "infinite target": (lambda X, y: (X, np.r_[np.inf, y[1:]]), "infinity"),
}

BAD_PARAMETERS = {
    "epochs": [0, -1, 2.5, "many"],
    "batch_size": [0, -2, 1.5, "all"],
}

BAD_LEARNING_RATES = [0, -0.1, np.nan, np.inf, "fast"]

BAD_MLP_PARAMETERS = {
    "hidden_layers": [-1, 1.5, "two"],
    "neurons": [0, -3, [4, 0], [0], [2.5], "some"],
    "activation": ["rellu", None],
    "dropout": [-0.1, 1.0, np.nan],
    "l2": [-1e-3, np.nan],
    "batch_norm": ["yes"],
    "optimizer": ["adm", None],
    "lr_schedule": [
        "cosin",
        {"kind": "step", "evry": 3},
        {"every": 3},
        {"kind": "step", "every": 0},
    ],
    "patience": [0, 1.5],
    "min_delta": [-1, np.nan],
    "monitor": ["f1", "val_los"],
    "validation_fraction": [0, 1, -0.2, 1.5, np.nan],
    "validation_rows": ["first", 0.2, None],
    "loss": ["mse2"],
    "warm_start": ["no"],
    "random_state": ["seed", 1.5],
}

estimators = pytest.mark.parametrize("estimator", ESTIMATORS, ids=_name)


def _data(estimator, two_classes, regression):
    return two_classes if is_classifier(estimator) else regression


def _cases():
    for estimator in ESTIMATORS:
        of_kind = BAD_CLASSES if is_classifier(estimator) else BAD_NUMBERS
        for name, (change, cause) in (BAD_FITS | of_kind).items():
            yield pytest.param(estimator, change, cause, id=f"{_name(estimator)}-{name}")


@pytest.mark.parametrize(("estimator", "change", "cause"), list(_cases()))
def test_bad_rows_are_refused_by_name(estimator, change, cause, two_classes, regression):
    X, y = change(*_data(estimator, two_classes, regression))
    unfitted = clone(estimator)
    with pytest.raises((ValueError, TypeError), match=cause):
        unfitted.fit(X, y)
    assert not hasattr(unfitted, "model_")


def _parameter_cases():
    for estimator in ESTIMATORS:
        of_mlp = "neurons" in estimator.get_params()
        rate = "learning_rate" if of_mlp else "optimizer__learning_rate"
        table = BAD_PARAMETERS | {rate: BAD_LEARNING_RATES} | (BAD_MLP_PARAMETERS if of_mlp else {})
        for name, values in table.items():
            for value in values:
                if name == "neurons" and value == 0 and "filters" in estimator.get_params():
                    # Convolutions do without a hidden layer behind them.
                    continue
                yield pytest.param(estimator, name, value, id=f"{_name(estimator)}-{name}={value}")


@pytest.mark.parametrize(("estimator", "name", "value"), list(_parameter_cases()))
def test_bad_parameters_are_refused_by_name(estimator, name, value, two_classes, regression):
    with pytest.raises((ValueError, TypeError), match=name.split("__")[-1]):
        clone(estimator).set_params(**{name: value}).fit(*_data(estimator, two_classes, regression))


@estimators
class TestPredict:
    @pytest.fixture
    def fitted(self, estimator, two_classes, regression):
        X, y = _data(estimator, two_classes, regression)
        return clone(estimator).set_params(epochs=1).fit(pd.DataFrame(X, columns=list("abcd")), y)

    def test_bad_rows_are_refused_by_name(self, fitted):
        good = pd.DataFrame(np.zeros((3, 4)), columns=list("abcd"))
        for rows, cause in [
            (good[["a", "b", "c"]], "feature names|features"),
            (good.rename(columns={"a": "z"}), "feature names"),
            (good.assign(a=np.nan), "NaN"),
            (good.assign(a=np.inf), "infinity"),
            (good.assign(a=1e300), "too large"),
            (good.iloc[:0], "0 sample"),
            (good.assign(a="red"), "holds the text 'red'"),
        ]:
            with pytest.raises((ValueError, TypeError), match=cause):
                fitted.predict(rows)

    def test_before_fit(self, estimator):
        from sklearn.exceptions import NotFittedError

        with pytest.raises(NotFittedError):
            clone(estimator).predict(np.zeros((3, 4)))


@estimators
class TestWeights:
    @pytest.mark.parametrize(
        ("weight", "cause"),
        [
            (lambda n: np.zeros(n), "zero"),
            (lambda n: np.full(n, -1.0), "[Nn]egative"),
            (lambda n: np.full(n, np.nan), "NaN"),
            (lambda n: np.ones(n - 1), "shape"),
        ],
        ids=["all zero", "negative", "NaN", "another length"],
    )
    def test_bad_weights_are_refused(self, estimator, weight, cause, two_classes, regression):
        X, y = _data(estimator, two_classes, regression)
        with pytest.raises(ValueError, match=cause):
            clone(estimator).fit(X, y, sample_weight=weight(len(y)))


@estimators
class TestCorrectAllTheSame:
    """Input that looks wrong and has one right meaning."""

    def test_a_batch_above_the_number_of_rows_is_all_rows(self, estimator, two_classes, regression):
        X, y = _data(estimator, two_classes, regression)
        above = clone(estimator).set_params(batch_size=10**6, random_state=0).fit(X, y)
        exact = clone(estimator).set_params(batch_size=len(y), random_state=0).fit(X, y)
        np.testing.assert_array_equal(above.predict(X), exact.predict(X))

    def test_a_constant_column_does_no_harm(self, estimator, two_classes, regression):
        X, y = _data(estimator, two_classes, regression)
        # In the place of the column that tells the least, so that the networks stay the same.
        told = [abs(np.corrcoef(column, y)[0, 1]) for column in X.T]
        constant = X.copy()
        constant[:, np.argmin(told)] = 3.0
        assert clone(estimator).fit(constant, y).score(constant, y) > 0.7


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=_name)
def test_unseen_labels_are_refused_when_training_goes_on(estimator, two_classes):
    X, y = two_classes
    fitted = clone(estimator).set_params(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="7"):
        fitted.partial_fit(X, np.where(y == 1, 7, 0))


@pytest.mark.parametrize("estimator", CLASSIFIERS[:1], ids=_name)
class TestValidationSplit:
    def test_a_class_of_a_single_row_is_trained_on(self, estimator, three_classes):
        X, y = three_classes
        few = np.r_[np.flatnonzero(y < 2), np.flatnonzero(y == 2)[:1]]
        early = clone(estimator).set_params(early_stopping=True, batch_size=16, random_state=0)
        fitted = early.fit(X[few], y[few])
        assert fitted.classes_.tolist() == [0, 1, 2]
        assert (fitted.predict(X[few]) == y[few]).mean() > 0.9

    def test_every_class_has_a_single_row(self, estimator):
        with pytest.raises(ValueError, match="early_stopping"):
            clone(estimator).set_params(early_stopping=True).fit(np.eye(3), [0, 1, 2])
