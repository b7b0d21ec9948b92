"""What scikit-learn's users rely on, held for every estimator by one table of instances."""

import copy
import io
import multiprocessing
import pickle
import random
import threading
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_blobs
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    check_cv,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from skhp import (
    KerasClassifier,
    KerasCNNClassifier,
    KerasCNNRegressor,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRegressor,
    KerasRNNClassifier,
    KerasRNNRegressor,
)
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow

# Batches of all rows without an inner split: the setting in which a whole-number sample weight is
# the same as repeating the row, which scikit-learn checks to seven digits.
STOPPING = KerasClassifier(
    build_classifier,
    optimizer="adam",
    optimizer__learning_rate=0.1,
    epochs=40,
    batch_size=-1,
    early_stopping=True,
    patience=20,
)
CLASSIFIERS = [
    KerasMLPClassifier(
        neurons=8, learning_rate=0.1, epochs=40, batch_size="full", early_stopping=False
    ),
    KerasClassifier(
        build_classifier,
        optimizer="adam",
        optimizer__learning_rate=0.1,
        epochs=40,
        batch_size=-1,
        verbose=0,
    ),
    STOPPING,
    KerasRNNClassifier(
        neurons=8, learning_rate=0.1, epochs=40, batch_size="full", early_stopping=False
    ),
    KerasCNNClassifier(
        hidden_layers=1,
        filters=4,
        neurons=8,
        learning_rate=0.03,
        epochs=40,
        batch_size="full",
        early_stopping=False,
    ),
]
REGRESSORS = [
    KerasMLPRegressor(
        neurons=8, learning_rate=0.1, epochs=120, batch_size="full", early_stopping=False
    ),
    KerasRegressor(
        build_regressor,
        optimizer="adam",
        optimizer__learning_rate=0.1,
        epochs=120,
        batch_size=-1,
        verbose=0,
    ),
    KerasRNNRegressor(
        neurons=8, learning_rate=0.1, epochs=120, batch_size="full", early_stopping=False
    ),
    KerasCNNRegressor(
        hidden_layers=1,
        filters=4,
        neurons=8,
        learning_rate=0.03,
        epochs=120,
        batch_size="full",
        early_stopping=False,
    ),
]
ESTIMATORS = CLASSIFIERS + REGRESSORS


# Checks of scikit-learn that ask for good predictions; all others are as telling after two epochs.
LEARNING = {
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_class_weight_classifiers",
    "check_regressors_train",
}


def _name(estimator):
    return f"{type(estimator).__name__}{'-stopping' * (estimator is STOPPING)}"


classifiers = pytest.mark.parametrize("estimator", CLASSIFIERS, ids=_name)
regressors = pytest.mark.parametrize("estimator", REGRESSORS, ids=_name)
estimators = pytest.mark.parametrize("estimator", ESTIMATORS, ids=_name)
needs_callbacks = pytest.mark.skipif(
    not hasattr(ESTIMATORS[0], "set_callbacks"), reason="scikit-learn has callbacks from 1.9 on"
)


def _scikit_learn_checks():
    # As parametrize_with_checks, whose names of tests hold the address of a build function and so
    # differ from one worker of a parallel run to the next.
    for estimator in ESTIMATORS:
        # With early stopping, a weight of two is the same as the row twice in expectation only.
        if estimator is STOPPING:
            continue
        for number, (prepared, check) in enumerate(estimator_checks_generator(estimator)):
            function = check
            while isinstance(function, partial):
                function = function.func
            if function.__name__ not in LEARNING:
                # With the numbers of Adam, the programs would take a fifth longer to trace.
                prepared = clone(prepared).set_params(epochs=2, optimizer="adagrad")
            name = f"{_name(estimator)}-{number}-{function.__name__}"
            yield pytest.param(prepared, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(_scikit_learn_checks()))
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def two_classes():
    """Classes so far apart that no initial weights and no fold make a fit a poor one."""
    return make_blobs([90, 30], centers=[[-3, 0, 0, 0], [3, 1, 0, 0]], random_state=0)


@pytest.fixture
def data(estimator, two_classes, regression):
    return two_classes if is_classifier(estimator) else regression


def _outputs(estimator, X):
    return estimator.predict_proba(X) if is_classifier(estimator) else estimator.predict(X)


@estimators
class TestIdentity:
    def test_kind(self, estimator):
        assert is_classifier(estimator) == (estimator in CLASSIFIERS)
        assert is_regressor(estimator) == (estimator in REGRESSORS)

    def test_folds_are_stratified_for_classifiers(self, estimator, two_classes):
        folds = check_cv(5, two_classes[1], classifier=is_classifier(estimator))
        assert isinstance(folds, StratifiedKFold) == is_classifier(estimator)

    def test_clone_has_the_same_parameters_and_nothing_fitted(self, estimator, data):
        fitted = clone(estimator).set_params(epochs=1).fit(*data)
        copied = clone(fitted)
        assert copied.get_params() == fitted.get_params()
        assert not hasattr(copied, "model_")

    def test_a_misspelt_parameter_is_refused_with_the_right_name(self, estimator):
        with pytest.raises(ValueError, match="'epochs'"):
            clone(estimator).set_params(epoch=3)


@estimators
class TestReproducibility:
    def test_the_same_seed_gives_the_same_bits(self, estimator, data):
        fits = [clone(estimator).set_params(random_state=0).fit(*data) for _ in range(2)]
        np.testing.assert_array_equal(_outputs(fits[0], data[0]), _outputs(fits[1], data[0]))
        other = clone(estimator).set_params(random_state=1).fit(*data)
        assert (_outputs(other, data[0]) != _outputs(fits[0], data[0])).any()

    def test_several_threads_at_once_give_the_same_bits(self, estimator, data):
        estimator = clone(estimator).set_params(random_state=0, epochs=5, batch_size=16)
        if "dropout" in estimator.get_params():
            estimator.set_params(dropout=0.3)
        alone = _outputs(clone(estimator).fit(*data), data[0])
        together = joblib.Parallel(n_jobs=4, backend="threading")(
            joblib.delayed(lambda: _outputs(clone(estimator).fit(*data), data[0]))()
            for _ in range(4)
        )
        for outputs in together:
            np.testing.assert_array_equal(outputs, alone)

    def test_no_global_generator_is_read_or_changed(self, estimator, data):
        stop, seen = threading.Event(), []

        def draw():
            while not stop.wait(1e-3):
                seen.append(random.random())

        import tensorflow as tf

        tf.random.set_seed(7)
        expected_tensor = tf.random.uniform((3,)).numpy()
        tf.random.set_seed(7)
        numpy_before = np.random.get_state()
        random.seed(5)
        drawing = threading.Thread(target=draw)
        drawing.start()
        clone(estimator).set_params(random_state=0, epochs=3, batch_size=16).fit(*data)
        stop.set()
        drawing.join()
        np.testing.assert_array_equal(tf.random.uniform((3,)).numpy(), expected_tensor)
        assert str(np.random.get_state()) == str(numpy_before)
        alone = random.Random(5)
        assert seen == [alone.random() for _ in seen]


@pytest.fixture(scope="module")
def another_process():
    """One spawned process for all that has to be unpickled elsewhere: to import takes longest."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


def _unpickled_outputs(pickled, X):
    return _outputs(pickle.loads(pickled), X)


@estimators
class TestCopies:
    @pytest.fixture
    def fitted(self, estimator, data):
        return clone(estimator).set_params(random_state=0, epochs=3).fit(*data)

    def test_pickle_joblib_and_deepcopy_predict_the_same(self, fitted, data):
        expected = _outputs(fitted, data[0])
        file = io.BytesIO()
        joblib.dump(fitted, file)
        file.seek(0)
        for copied in (
            pickle.loads(pickle.dumps(fitted)),
            joblib.load(file),
            copy.deepcopy(fitted),
        ):
            np.testing.assert_array_equal(_outputs(copied, data[0]), expected)

    def test_a_copy_trains_on_without_changing_the_original(self, fitted, data):
        before = _outputs(fitted, data[0])
        copied = copy.deepcopy(fitted).partial_fit(*data)
        np.testing.assert_array_equal(_outputs(fitted, data[0]), before)
        assert (_outputs(copied, data[0]) != before).any()

    @pytest.mark.slow
    def test_a_spawned_process_predicts_the_same(self, fitted, data, another_process):
        given = another_process.apply_async(_unpickled_outputs, (pickle.dumps(fitted), data[0]))
        np.testing.assert_array_equal(given.get(timeout=120), _outputs(fitted, data[0]))


@estimators
class TestData:
    def test_what_the_caller_gave_is_not_changed(self, estimator, data):
        X, y = (array.copy() for array in data)
        weight = np.linspace(0.5, 2, len(y))
        estimator = clone(estimator).set_params(epochs=1)
        if is_classifier(estimator):
            estimator.set_params(class_weight={0: 1, 1: 3})
        estimator.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(X, data[0])
        np.testing.assert_array_equal(y, data[1])
        np.testing.assert_array_equal(weight, np.linspace(0.5, 2, len(y)))

    def test_pandas_names_are_remembered_and_checked(self, estimator, data):
        names = ["a", "b", "c", "d"]
        table = pd.DataFrame(data[0], columns=names)
        fitted = clone(estimator).set_params(epochs=1).fit(table, pd.Series(data[1]))
        assert fitted.feature_names_in_.tolist() == names
        assert fitted.predict(table).shape == (len(table),)
        with pytest.raises(ValueError, match="feature names"):
            fitted.predict(table[names[::-1]])

    def test_a_column_of_a_table_is_selected_in_a_pipeline(self, estimator, data):
        table = pd.DataFrame(data[0], columns=["a", "b", "c", "d"]).assign(word="x")
        chosen = ColumnTransformer([("numbers", StandardScaler(), ["a", "b", "c", "d"])])
        pipeline = make_pipeline(chosen, clone(estimator)).fit(table, data[1])
        assert pipeline.score(table, data[1]) > 0.8


@estimators
class TestModelSelection:
    def test_cross_val_score(self, estimator, data):
        assert cross_val_score(clone(estimator), *data, cv=3).mean() > 0.8

    def test_learning_curve(self, estimator, data):
        sizes, _, scores = learning_curve(
            clone(estimator), *data, cv=2, train_sizes=[30, 60], shuffle=True, random_state=0
        )
        assert sizes.tolist() == [30, 60]
        assert scores.mean() > 0.8

    def test_grid_search_over_its_own_parameters(self, estimator, data):
        # Accuracy may be perfect by luck after one epoch; the loss is not.
        scoring = "neg_log_loss" if is_classifier(estimator) else "neg_mean_squared_error"
        search = GridSearchCV(clone(estimator), {"epochs": [1, 40]}, cv=2, scoring=scoring)
        search.fit(*data)
        assert search.best_params_ == {"epochs": 40}

    def test_metadata_routing(self, estimator, data):
        with sklearn.config_context(enable_metadata_routing=True):
            routed = clone(estimator).set_params(epochs=80).set_fit_request(sample_weight=True)
            routed.set_score_request(sample_weight=True)
            # All the weight on rows whose target is made up: the score tells whether they arrived.
            X, y = data
            wrong = np.arange(len(y)) % 2 == 0
            if is_classifier(estimator):
                target = np.where(wrong, 1 - y, y)
            else:
                target = np.where(wrong, -y, y)
            result = cross_validate(
                make_pipeline(StandardScaler().set_fit_request(sample_weight=False), routed),
                X,
                target,
                params={"sample_weight": (~wrong).astype(float)},
                cv=2,
            )
        # Without the weights, half of the targets contradict the other half.
        assert result["test_score"].min() > 0.6

    @needs_callbacks
    def test_callbacks_see_every_epoch_and_may_stop(self, estimator, data):
        record = _Record(stop_after=3)
        fitted = clone(estimator).set_params(epochs=10, random_state=0).set_callbacks(record)
        fitted.fit(*data)
        assert record.ended == ["epoch", "epoch", "epoch", "fit"]
        assert record.begun == ["fit", "epoch", "epoch", "epoch"]
        assert record.tore_down == 1
        assert fitted.stop_reason_ == "callback"
        assert len(fitted.history_["loss"]) == 3
        # The estimator handed to the callback after the last epoch is the one that fit leaves.
        np.testing.assert_array_equal(record.outputs[2], _outputs(fitted, data[0][:5]))
        assert (record.outputs[0] != record.outputs[1]).any()

    @needs_callbacks
    def test_progress_bar_reaches_the_end(self, estimator, data, capsys):
        from sklearn.callback import ProgressBar

        clone(estimator).set_params(epochs=4).set_callbacks(ProgressBar()).fit(*data)
        printed = capsys.readouterr().out
        assert f"{type(estimator).__name__} - fit" in printed
        assert "100%" in printed


class _Record:
    """A scikit-learn callback that notes what it is told, and stops the fit."""

    def __init__(self, stop_after):
        self.stop_after = stop_after
        self.begun, self.ended, self.outputs = [], [], []
        self.tore_down = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.tore_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.ended.append(context.task_name)
        self.outputs.append(_outputs(fitted_estimator, X[:5]))
        return len(self.ended) == self.stop_after


CLASSIFIER_WRAPPERS = {
    "voting": lambda e: VotingClassifier(
        [("network", e), ("linear", LogisticRegression())], voting="soft"
    ),
    "stacking": lambda e: StackingClassifier([("network", e)], cv=2),
    "bagging": lambda e: BaggingClassifier(e, n_estimators=2, random_state=0),
    "one_vs_rest": OneVsRestClassifier,
    "calibrated": lambda e: CalibratedClassifierCV(e, cv=2),
}


@classifiers
class TestClassifier:
    @pytest.mark.parametrize("wrapper", CLASSIFIER_WRAPPERS)
    def test_inside_a_meta_estimator(self, estimator, wrapper, three_classes):
        X, y = three_classes
        labels = np.array(["blue", "green", "red"])[y]
        fitted = CLASSIFIER_WRAPPERS[wrapper](clone(estimator)).fit(X, labels)
        assert fitted.score(X, labels) > 0.8
        assert fitted.predict_proba(X).shape == (len(y), 3)

    def test_multi_output(self, estimator, two_classes):
        X, y = two_classes
        both = np.column_stack([y, X[:, 0] > 0])
        fitted = MultiOutputClassifier(clone(estimator)).fit(X, both)
        assert (fitted.predict(X) == both).mean() > 0.8

    def test_tuned_threshold(self, estimator, two_classes):
        tuned = TunedThresholdClassifierCV(clone(estimator), scoring="f1", cv=2).fit(*two_classes)
        assert 0 < tuned.best_threshold_ < 1
        # Of a rare class of a quarter of the rows, a guess reaches 0.4.
        assert get_scorer("f1")(tuned, *two_classes) > 0.7

    @pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_log_loss", "f1"])
    def test_scorers(self, estimator, scoring, two_classes):
        fitted = clone(estimator).fit(*two_classes)
        assert get_scorer(scoring)(fitted, *two_classes) > (-0.5 if "neg" in scoring else 0.8)

    @pytest.mark.parametrize(
        "labels",
        [[False, True], ["no", "yes"], [-1, 1], [0.5, 1.5], np.array(["a", "b"], dtype=object)],
        ids=["bool", "text", "signed", "float", "object"],
    )
    def test_labels_of_any_type(self, estimator, labels, two_classes):
        X, y = two_classes
        labels = np.asarray(labels)
        if labels.dtype == float:
            labels = labels.astype(str)
        named = labels[y]
        fitted = clone(estimator).fit(X, named)
        assert fitted.classes_.tolist() == labels.tolist()
        assert fitted.predict(X).dtype == named.dtype
        assert (fitted.predict(X) == named).mean() > 0.8

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_logarithms_of_probabilities(self, estimator, n_classes, two_classes, three_classes):
        X, y = two_classes if n_classes == 2 else three_classes
        fitted = clone(estimator).fit(X, y)
        logarithms = fitted.predict_log_proba(X)
        np.testing.assert_allclose(np.exp(logarithms), fitted.predict_proba(X), atol=1e-6)
        # Rows so far out that a probability rounds to 0.
        far = fitted.predict_log_proba(1e4 * X)
        assert not np.isnan(far).any()
        assert (np.isfinite(far) | (fitted.predict_proba(1e4 * X) == 0)).all()

    def test_probabilities_of_a_single_row(self, estimator, three_classes):
        X, y = three_classes
        fitted = clone(estimator).fit(X, y)
        probabilities = fitted.predict_proba(X[:1])
        assert probabilities.shape == (1, 3)
        np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-12)


REGRESSOR_WRAPPERS = {
    "voting": lambda e: VotingRegressor([("network", e), ("linear", LinearRegression())]),
    "stacking": lambda e: StackingRegressor([("network", e)], cv=2),
    "bagging": lambda e: BaggingRegressor(e, n_estimators=2, random_state=0),
    "scaled_target": lambda e: TransformedTargetRegressor(e, transformer=StandardScaler()),
}


@regressors
class TestRegressor:
    @pytest.mark.parametrize("wrapper", REGRESSOR_WRAPPERS)
    def test_inside_a_meta_estimator(self, estimator, wrapper, regression):
        fitted = REGRESSOR_WRAPPERS[wrapper](clone(estimator)).fit(*regression)
        assert fitted.score(*regression) > 0.8

    def test_several_targets_at_once_and_one_by_one(self, estimator, regression):
        X, y = regression
        both = np.column_stack([y, -2 * y])
        for regressor in (clone(estimator), MultiOutputRegressor(clone(estimator))):
            assert regressor.fit(X, both).predict(X).shape == both.shape
            assert regressor.score(X, both) > 0.8
