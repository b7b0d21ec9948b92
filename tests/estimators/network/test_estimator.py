"""The base of our own networks: no candidate trains on rows that were prepared for another."""

import joblib
import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skhp import (
    KerasCNNRegressor,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRNNClassifier,
    KerasRNNRegressor,
)
from skhp.estimators.network.parameters import row_parameters
from skhp.estimators.network.rows import NetworkRows
from skhp.population import fit_together
from skhp.sequences import sliding_windows

pytestmark = pytest.mark.slow

SETTINGS = {"epochs": 2, "neurons": 4, "batch_size": "full", "random_state": 0}


class Undeclared(KerasMLPRegressor):
    """Reads rows by a parameter that nobody was told of."""

    def __init__(self, factor=1.0, neurons=4, epochs=2, batch_size="full", random_state=0):
        super().__init__(
            neurons=neurons, epochs=epochs, batch_size=batch_size, random_state=random_state
        )
        self.factor = factor

    def _read_rows(self, X, *, first=False):
        return super()._read_rows(X, first=first) * np.float32(self.factor)


class Declared(KerasMLPRegressor):
    """Says by which parameter it reads rows."""

    _row_parameters = ("factor",)

    def __init__(self, factor=1.0, neurons=4, epochs=2, batch_size="full", random_state=0):
        super().__init__(
            neurons=neurons, epochs=epochs, batch_size=batch_size, random_state=random_state
        )
        self.factor = factor

    def _read_rows(self, X, *, first=False):
        factor = np.float32(np.sum(getattr(self.factor, "value", self.factor)))
        return super()._read_rows(X, first=first) * factor


class BelowAnUndeclared(Undeclared):
    """What it says does not speak for the class above it."""

    _row_parameters = ()


class ByAKnownParameter(KerasMLPRegressor):
    """Reads rows by a parameter that elsewhere decides of the network alone."""

    def _read_rows(self, X, *, first=False):
        return super()._read_rows(X, first=first) * np.float32(self.neurons)


class Squared:
    """No estimator of ours."""

    def _encode_target(self, y, **options):
        return super()._encode_target(np.asarray(y) ** self.epochs, **options)


class ByAMixin(Squared, KerasMLPRegressor):
    """Reads targets by a class that knows nothing of row parameters."""


class DeclaredBesideAMixin(Squared, KerasMLPRegressor):
    """What it says does not speak for the mixin."""

    _row_parameters = ()


class BySomethingElse(KerasMLPRegressor):
    """Reads rows by a property, of which the constructor knows another name."""

    @property
    def _scale(self):
        return self.neurons

    def _read_rows(self, X, *, first=False):
        return super()._read_rows(X, first=first) * np.float32(self._scale)


class BelowIt(BySomethingElse):
    """Overrides no method of ours, but the property of a class that is above it."""

    _scale = property(lambda self: self.epochs)


class Unclear:
    """Represents itself by nothing that it holds."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Unclear) and self.value == other.value

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return "Unclear()"


def long_array(value):
    """Of so many numbers that their representation leaves most of them out."""
    array = np.zeros(5000)
    array[2500] = value
    return array


CASES = {
    "undeclared": (Undeclared, "factor", [1.0, -3.0]),
    "below undeclared": (BelowAnUndeclared, "factor", [1.0, -3.0]),
    "declared": (Declared, "factor", [1.0, -3.0]),
    "a long array": (Declared, "factor", [long_array(1.0), long_array(-3.0)]),
    "an unclear object": (Declared, "factor", [Unclear(1.0), Unclear(-3.0)]),
    "a known parameter": (ByAKnownParameter, "neurons", [2, 5]),
    "a mixin": (ByAMixin, "epochs", [2, 3]),
    "a mixin beside what is declared": (DeclaredBesideAMixin, "epochs", [2, 3]),
    "a property": (BySomethingElse, "neurons", [2, 5]),
    "a property overridden": (BelowIt, "epochs", [2, 5]),
    "a class weight of ours": (KerasMLPClassifier, "class_weight", [None, {0: 1, 1: 30}]),
    "a scale of ours": (KerasMLPRegressor, "scale_target", [True, False]),
    "a fraction of ours": (KerasMLPRegressor, "validation_fraction", [0.2, 0.5]),
    "rows held out of ours": (KerasMLPRegressor, "validation_rows", ["random", "last"]),
}


@pytest.fixture
def prepared(monkeypatch):
    """The estimators whose rows were prepared, in order."""
    noted = []
    prepare = NetworkRows._prepared_rows

    def watched(estimator, *rows, **options):
        noted.append(estimator)
        return prepare(estimator, *rows, **options)

    monkeypatch.setattr(NetworkRows, "_prepared_rows", watched)
    return noted


def data_of(kind, two_classes, regression):
    return two_classes if issubclass(kind, KerasMLPClassifier) else regression


@pytest.mark.parametrize("case", CASES)
def test_candidates_that_read_rows_otherwise_are_trained_on_their_own(
    case, two_classes, regression, prepared
):
    kind, name, values = CASES[case]
    X, y = data_of(kind, two_classes, regression)
    candidates = [kind(**SETTINGS | {name: value}) for value in values]
    alone = [clone(candidate).fit(X, y) for candidate in candidates]
    prepared.clear()
    together = fit_together([(candidate, X, y) for candidate in candidates])
    assert len(prepared) == 2
    for one, other in zip(alone, together, strict=True):
        assert other.n_iter_ == one.n_iter_
        np.testing.assert_allclose(other.history_["loss"], one.history_["loss"], rtol=1e-3)
        np.testing.assert_allclose(
            other._trained_network.member.weights, one._trained_network.member.weights, atol=1e-3
        )
    first, second = (one.history_["loss"][0] for one in alone)
    assert not np.isclose(first, second, rtol=0.01)


class Plain(KerasMLPRegressor):
    """Changes nothing of how rows are read."""

    def score(self, X, y, sample_weight=None):
        return -1.0


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        (KerasMLPRegressor, "neurons", [2, 3]),
        (KerasMLPRegressor, "batch_size", [10, "full"]),
        (KerasMLPClassifier, "loss", ["focal", "soft_f1"]),
        (KerasMLPClassifier, "threshold", [0.4, "tune"]),
        (Plain, "neurons", [2, 3]),
        (Declared, "neurons", [2, 3]),
    ],
)
def test_candidates_that_read_the_same_rows_share_them(
    kind, name, values, two_classes, regression, prepared
):
    X, y = data_of(kind, two_classes, regression)
    fit_together([(kind(**SETTINGS | {name: value}), X, y) for value in values])
    assert len(prepared) == 1


def test_what_a_class_says_is_what_counts():
    assert row_parameters(KerasMLPClassifier) == (
        "class_weight",
        "early_stopping",
        "validation_fraction",
        "validation_rows",
    )
    assert row_parameters(KerasMLPRegressor) == (
        "early_stopping",
        "scale_target",
        "validation_fraction",
        "validation_rows",
    )
    assert row_parameters(Plain) == row_parameters(KerasMLPRegressor)
    # Those of the split are no parameters of it.
    assert row_parameters(Declared) == ("factor",)
    every_one = tuple(sorted(KerasMLPRegressor().get_params()))
    assert row_parameters(ByAKnownParameter) == row_parameters(ByAMixin) == every_one


@pytest.mark.parametrize(
    ("declared", "named"), [(("epohcs",), "'epohcs'.*Did you mean 'epochs'"), ("epochs", "'c'")]
)
def test_a_class_that_declares_no_parameters_is_refused(declared, named, regression):
    kind = type("Misspelt", (KerasMLPRegressor,), {"_row_parameters": declared})
    with pytest.raises(TypeError, match=named):
        kind(epochs=1).fit(*regression)
    (failed,) = fit_together([(kind(epochs=1), *regression)])
    assert isinstance(failed, TypeError)


class Further(KerasMLPRegressor):
    """Has a parameter more, and overrides nothing."""

    def __init__(self, further=0, epochs=4):
        super().__init__(epochs=epochs)
        self.further = further


def test_a_parameter_that_no_class_speaks_of_counts():
    assert row_parameters(Further) == ("further",)


class Centred(KerasMLPRegressor):
    """Learns from rows what it reads later ones by, under a name that nobody knows."""

    _row_parameters = ()

    def _read_rows(self, X, *, first=False):
        rows = super()._read_rows(X, first=first)
        if first:
            self._middle = rows.mean(axis=0)
        return rows - self._middle


def test_what_reading_rows_teaches_one_candidate_all_know(regression, prepared):
    X, y = regression
    candidates = [Centred(**SETTINGS | {"neurons": neurons}) for neurons in (2, 3)]
    alone = [clone(candidate).fit(X, y) for candidate in candidates]
    prepared.clear()
    together = fit_together([(candidate, X, y) for candidate in candidates])
    assert len(prepared) == 1
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other.predict(X), one.predict(X), rtol=1e-3, atol=1e-3)
    # Each has its own.
    together[0]._middle += 1.0
    np.testing.assert_array_equal(together[1]._middle, alone[1]._middle)


def test_a_grid_over_a_parameter_of_rows_finds_the_scores_of_single_fits(regression):
    X, y = regression
    grid = {"factor": [1.0, -3.0]}
    search = GridSearchCV(Undeclared(**SETTINGS), grid, cv=2, error_score="raise")
    expected = clone(search).fit(X, y).cv_results_
    with joblib.parallel_config(backend="skhp"):
        found = clone(search).fit(X, y).cv_results_
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-3)
        assert not np.isclose(*expected[name], rtol=0.01)


class TestFittedAgain:
    def test_nothing_of_the_earlier_rows_is_left(self, regression):
        X, y = regression
        estimator = KerasMLPRegressor(**SETTINGS)
        estimator.fit(pandas.DataFrame(X).add_prefix("column"), y)
        assert len(estimator.feature_names_in_) == X.shape[1]
        estimator.fit(X, y)
        assert not hasattr(estimator, "feature_names_in_")

    def test_rows_that_are_refused_take_nothing_from_a_fitted_one(self, two_classes):
        X, y = two_classes
        estimator = KerasMLPClassifier(**SETTINGS).fit(X, y)
        before = estimator.predict(X)
        with pytest.raises(ValueError, match="NaN"):
            estimator.fit(X * np.nan, y)
        assert estimator.classes_.tolist() == [0, 1]
        np.testing.assert_array_equal(estimator.predict(X), before)

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_a_fitted_one_tells_a_fresh_one_all(self, method, regression, prepared):
        X, y = regression
        fitted, fresh = (KerasMLPRegressor(**SETTINGS | {"neurons": n}) for n in (2, 3))
        getattr(fitted, method)(X, y)
        fit_together([(fitted, X, y), (fresh, X, y)])
        assert fresh.predict(X).shape == y.shape

    def test_a_warm_start_goes_on_with_another_penalty(self, regression):
        X, y = regression
        weights = []
        for engine in ("population", "keras"):
            estimator = KerasMLPRegressor(**SETTINGS, engine=engine, warm_start=True).fit(X, y)
            estimator.set_params(l2=0.5).fit(X, y)
            penalties = sum(estimator.model_.losses)
            kernels = [weight for weight in estimator.model_.get_weights() if weight.ndim == 2]
            expected = 0.5 * sum(np.square(kernel).sum() for kernel in kernels)
            np.testing.assert_allclose(penalties, expected, rtol=1e-4)
            weights.append(estimator._trained_network.member.weights)
        np.testing.assert_allclose(*weights, rtol=1e-3, atol=1e-4)


# Rows held out in the order of time

WINDOWS = np.lib.stride_tricks.sliding_window_view(np.sin(np.arange(70) / 3), 6)[:-1]
NEXT = np.sin(np.arange(70) / 3)[6:]
ROWS_IN_TIME = {
    "perceptron": (KerasMLPRegressor, {}, WINDOWS, NEXT),
    "recurrent": (KerasRNNRegressor, {}, WINDOWS, NEXT),
    "convolutional": (KerasCNNRegressor, {"filters": 2}, WINDOWS.reshape(64, 2, 3), NEXT),
    "classes": (KerasMLPClassifier, {}, WINDOWS, NEXT > 0),
    "recurrent classes": (KerasRNNClassifier, {"cell": "simple"}, WINDOWS, NEXT > 0),
}


@pytest.mark.parametrize(("kind", "parameters", "X", "y"), ROWS_IN_TIME.values(), ids=ROWS_IN_TIME)
def test_the_last_rows_can_be_held_out(kind, parameters, X, y):
    given = {"neurons": 3, "epochs": 3, "random_state": 0, **parameters}
    last = kind(**given, validation_rows="last", validation_fraction=0.25).fit(X, y)
    apart = kind(**given).fit(X[:48], y[:48], X_val=X[48:], y_val=y[48:])
    drawn = kind(**given, validation_fraction=0.25).fit(X, y)
    np.testing.assert_array_equal(
        last._trained_network.member.weights, apart._trained_network.member.weights
    )
    assert last.history_ == apart.history_
    assert not np.allclose(last.history_["val_loss"], drawn.history_["val_loss"], rtol=1e-3)


def test_no_row_to_learn_from_holds_what_a_held_out_row_is_to_predict():
    # Each step is another number, so that rows tell which steps they hold.
    series = np.arange(100.0)
    for horizon in (1, 4):
        X, y, _ = sliding_windows(series, 8, horizon)
        for which, leaks in (("last", False), ("random", True)):
            network = KerasRNNRegressor(
                cell="simple", epochs=1, scale_target=False, validation_rows=which, random_state=0
            )
            task = network.__skhp_fit_task__(X, y)
            learnt = np.union1d(task.rows.X, task.rows.y)
            leaked = np.isin(task.validation.y, learnt).mean()
            assert leaked > 0.8 if leaks else leaked == 0


def test_candidates_that_hold_out_other_rows_do_not_share_them(prepared):
    grid = {"validation_rows": ["last", "random"], "learning_rate": [0.01, 0.1]}
    network = KerasRNNRegressor(neurons=3, cell="simple", epochs=3, random_state=0)
    candidates = [clone(network).set_params(**one) for one in ParameterGrid(grid)]
    together = fit_together([(one, WINDOWS, NEXT) for one in candidates])
    assert len(prepared) == 2
    # Between them, these two have each value.
    for fitted, candidate in list(zip(together, candidates, strict=True))[::3]:
        alone = clone(candidate).fit(WINDOWS, NEXT)
        assert fitted.history_["val_loss"] == pytest.approx(alone.history_["val_loss"], rel=1e-3)


def test_last_rows_that_take_a_class_from_the_training_are_refused():
    X, y = WINDOWS, np.arange(64) >= 50
    network = KerasMLPClassifier(validation_rows="last", validation_fraction=0.5, epochs=1)
    with pytest.raises(ValueError, match="2 classes to train on, besides the held-out rows"):
        network.fit(X, y)
    with pytest.raises(ValueError, match="rows to validate on, got n_samples = 1"):
        KerasMLPRegressor(validation_rows="last").fit(X[:1], NEXT[:1])
