"""Early stopping of wrapped models: by parameters as the perceptrons, and by Keras' callback."""

import contextlib
import inspect
import pickle

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import cross_validate

from skhp import (
    CannotJoinError,
    InvalidParameterError,
    KerasClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRegressor,
)
from skhp.estimators.keras_model import wrapped_fit as scikeras_fit
from skhp.training.training_rows import row_groups, validation_split
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow

LAYERS = keras.layers
STOPPING = keras.callbacks.EarlyStopping
OWN = (
    "early_stopping",
    "patience",
    "min_delta",
    "monitor",
    "validation_fraction",
    "validation_rows",
)


@pytest.fixture(scope="module")
def mixed():
    """120 rows of two classes that no network tells apart, in an order of chance."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(120, 4)).astype(np.float32)
    y = (X[:, 0] + generator.normal(size=120) > 0.6).astype(int)
    return X, y


def classifier(model=build_classifier, **parameters):
    return KerasClassifier(
        model,
        **{
            "optimizer": "adam",
            "optimizer__learning_rate": 0.05,
            "batch_size": 16,
            "epochs": 30,
            "random_state": 0,
            "engine": "population",
            **parameters,
        },
    )


def regressor(model=build_regressor, **parameters):
    return KerasRegressor(
        model,
        **{
            "optimizer": "adam",
            "optimizer__learning_rate": 0.05,
            "batch_size": 16,
            "epochs": 30,
            "random_state": 0,
            "engine": "population",
            **parameters,
        },
    )


def assert_same_fit(one, other):
    pairs = zip(one.model_.get_weights(), other.model_.get_weights(), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert set(one.history_) == set(other.history_)
    for name, values in other.history_.items():
        np.testing.assert_allclose(one.history_[name], values, rtol=1e-3, atol=1e-5)
    for name in ("n_iter_", "best_epoch_", "stop_reason_"):
        assert getattr(one, name) == getattr(other, name)


def by_both(estimator, X, y, **fit_params):
    """The fit of the population's trainer, and that of Keras."""
    keras_own = clone(estimator).set_params(engine="keras")
    return clone(estimator).fit(X, y, **fit_params), keras_own.fit(X, y, **fit_params)


@contextlib.contextmanager
def trained_together():
    """Inside, a fit finds its result in a population or fails."""

    def refuse(task):
        raise AssertionError("the fit was trained by itself")

    with pytest.MonkeyPatch.context() as patch, joblib.parallel_config(backend="skhp"):
        patch.setattr(scikeras_fit, "LoneFit", refuse)
        yield


def held_out_rows(estimator, X, y, labels=None):
    """The rows that a fitted estimator was watched on."""
    _, groups = row_groups(X.astype(np.float32))
    return validation_split(groups, estimator.validation_fraction, estimator._seeds.split, labels)


class TestParameters:
    @pytest.mark.parametrize(
        ("wrapper", "perceptron"),
        [(KerasClassifier, KerasMLPClassifier), (KerasRegressor, KerasMLPRegressor)],
    )
    def test_are_those_of_the_perceptrons_and_off(self, wrapper, perceptron):
        ours, theirs = (inspect.signature(kind).parameters for kind in (wrapper, perceptron))
        for name in OWN[1:]:
            assert ours[name].default == theirs[name].default
        assert ours["early_stopping"].default is False

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("early_stopping", "yes"),
            ("patience", 0),
            ("min_delta", -1.0),
            ("validation_fraction", 1.0),
            ("validation_fraction", 0),
            ("validation_rows", "lst"),
        ],
    )
    def test_values_are_refused_in_the_words_of_the_perceptrons(self, name, value, mixed):
        told = []
        for estimator in (classifier(), KerasMLPClassifier()):
            with pytest.raises(InvalidParameterError) as error:
                estimator.set_params(**{name: value}).fit(*mixed)
            told.append(str(error.value).replace(type(estimator).__name__, "one"))
        assert told[0] == told[1]

    @pytest.mark.parametrize(
        ("monitor", "suggestion"),
        [
            ("val_los", "Did you mean 'val_loss'?"),
            ("val_roc_acu", "Did you mean 'val_roc_auc'?"),
            ("f1", "write 'val_f1'"),
            ("loss", "write 'val_loss'"),
            ("val_mse_of_mine", ""),
            (None, ""),
        ],
    )
    def test_a_monitor_that_nothing_is_called_by(self, monitor, suggestion, mixed):
        estimator = classifier(early_stopping=True, monitor=monitor, engine="auto")
        with pytest.raises(InvalidParameterError, match="'monitor' parameter") as error:
            estimator.fit(*mixed)
        assert suggestion in str(error.value)

    def test_the_last_rows_are_those_of_keras_own_split(self, mixed):
        fits = [
            classifier(early_stopping=True, epochs=3, **how).fit(*mixed)
            for how in (
                {"validation_rows": "last", "validation_fraction": 0.25},
                {"validation_split": 0.25},
                {"validation_fraction": 0.25},
            )
        ]
        last, split, drawn = (fitted.history_["val_loss"] for fitted in fits)
        np.testing.assert_array_equal(last, split)
        assert not np.allclose(last, drawn, rtol=1e-3)

    def test_without_early_stopping_they_have_no_effect(self, mixed):
        plain = classifier(epochs=3).fit(*mixed)
        others = {
            "patience": 1,
            "min_delta": 1.0,
            "validation_fraction": 0.5,
            "validation_rows": "last",
        }
        with_others = classifier(epochs=3, monitor="val_f1", **others).fit(*mixed)
        for one, other in zip(
            plain.model_.get_weights(), with_others.model_.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert (with_others.n_iter_, with_others.best_epoch_) == (3, 3)
        assert with_others.stop_reason_ == "epochs"

    @pytest.mark.parametrize("name", ["validation_split", "fit__validation_split"])
    def test_two_shares_of_rows_to_hold_out(self, name, mixed):
        for other in ({"validation_fraction": 0.3}, {"validation_rows": "last"}):
            estimator = classifier(early_stopping=True, **other, **{name: 0.25})
            with pytest.raises(InvalidParameterError, match=f"no effect beside {name}=0.25"):
                estimator.fit(*mixed)
        # One of them is the default, which nobody asked for.
        estimator = classifier(early_stopping=True, patience=2, **{name: 0.25}).fit(*mixed)
        X, y = mixed
        loss = keras.losses.binary_crossentropy(y[90:, None], estimator.model_(X[90:])).numpy()
        best = estimator.history_["val_loss"][estimator.best_epoch_ - 1]
        assert best == pytest.approx(loss.mean(), abs=1e-5)

    def test_beside_the_callback(self, mixed):
        both = classifier(early_stopping=True, callbacks=STOPPING)
        with pytest.raises(InvalidParameterError, match="Leave out one of the two"):
            both.fit(*mixed)

    def test_an_argument_of_the_build_function_of_the_same_name(self, mixed):
        def build(patience=3, monitor="a"):
            return build_classifier(
                {"n_features_in_": 4, "n_classes_": 2, "target_type_": "binary"},
                {"loss": None, "optimizer": keras.optimizers.Adam(0.1 * patience)},
            )

        def wrapped(**parameters):
            return KerasClassifier(build, epochs=2, random_state=0, **parameters)

        with pytest.raises(InvalidParameterError, match="Write model__patience"):
            wrapped(patience=5).fit(*mixed)
        fitted = wrapped(model__patience=5, early_stopping=True, patience=7).fit(*mixed)
        assert float(fitted.model_.optimizer.learning_rate) == pytest.approx(0.5)

    def test_they_can_be_set_cloned_and_pickled(self, mixed):
        estimator = clone(classifier()).set_params(
            early_stopping=True, patience=2, min_delta=0.01, monitor="val_f1"
        )
        assert clone(estimator).get_params()["monitor"] == "val_f1"
        restored = pickle.loads(pickle.dumps(estimator.fit(*mixed)))
        assert (restored.n_iter_, restored.best_epoch_) == (
            estimator.n_iter_,
            estimator.best_epoch_,
        )
        np.testing.assert_array_equal(restored.predict(mixed[0]), estimator.predict(mixed[0]))


class TestAgainstKeras:
    """The same as Keras' own fit with Keras' own callback on the same rows held out."""

    def keras_own(self, estimator, X, y, training, watched, **callback):
        stopping = STOPPING(restore_best_weights=True, **callback)
        fitted = clone(estimator).set_params(
            engine="keras", early_stopping=False, callbacks=stopping
        )
        fitted.fit(X[training], y[training], validation_data=(X[watched], y[watched]))
        return fitted

    @pytest.mark.parametrize(
        "parameters",
        [
            {"patience": 3, "min_delta": 0.01, "validation_fraction": 0.4},
            {"patience": 30, "epochs": 6},
            {"patience": 3, "monitor": "val_acc", "metrics": ["acc"]},
        ],
        ids=["min_delta", "to the end", "compiled, another name"],
    )
    def test_a_classifier(self, parameters, mixed):
        X, y = mixed
        estimator = classifier(early_stopping=True, **parameters)
        ours = clone(estimator).fit(X, y)
        training, watched = held_out_rows(ours, X, y, labels=y)
        callback = {name: parameters[name] for name in parameters if name in OWN[1:4]}
        expected = self.keras_own(estimator, X, y, training, watched, **callback)
        assert ours.history_["val_loss"] == pytest.approx(expected.history_["val_loss"], abs=1e-4)
        for one, other in zip(
            ours.model_.get_weights(), expected.model_.get_weights(), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        assert ours.best_epoch_ == expected.best_epoch_
        # Both kinds of end are among the cases.
        stopped = expected.callbacks_[0].stopped_epoch > 0
        assert ours.stop_reason_ == ("patience" if stopped else "epochs")
        assert stopped == (parameters["patience"] < 30)

    def test_a_regressor_with_weights(self, regression):
        X, y = regression
        weight = np.random.default_rng(0).uniform(0, 2, size=len(y))
        weight[::9] = 0
        estimator = regressor(early_stopping=True, patience=2, optimizer__learning_rate=0.2)
        ours, by_keras = by_both(estimator, X, y, sample_weight=weight)
        assert_same_fit(ours, by_keras)
        assert ours.n_iter_ < 30

    def test_a_model_that_is_vectorised_as_it_is(self, mixed):
        def build():
            inputs = keras.Input((4,))
            hidden = LAYERS.Dense(3, activation="relu")(inputs)
            joined = LAYERS.Concatenate()([inputs, hidden])
            return keras.Model(inputs, LAYERS.Dense(1, activation="sigmoid")(joined))

        estimator = classifier(
            build, loss="binary_crossentropy", early_stopping=True, patience=3, monitor="val_f1"
        )
        assert_same_fit(*by_both(estimator, *mixed))

    def test_rows_that_the_caller_gives(self, mixed):
        X, y = mixed
        estimator = classifier(early_stopping=True, patience=2, monitor="val_f1")
        given = (X[:30], y[:30])
        ours, by_keras = by_both(estimator, X[30:], y[30:], validation_data=given)
        assert_same_fit(ours, by_keras)
        f1 = f1_score(y[:30], ours.predict(X[:30]))
        assert ours.history_["val_f1"][ours.best_epoch_ - 1] == pytest.approx(f1)

    def test_a_loss_that_explodes(self, regression):
        estimator = regressor(
            optimizer="sgd", optimizer__learning_rate=1e20, early_stopping=True, patience=3
        )
        for engine in ("population", "keras"):
            with pytest.warns(UserWarning, match="became NaN or infinite"):
                fitted = clone(estimator).set_params(engine=engine).fit(*regression)
            assert fitted.stop_reason_ == "non_finite_loss"
            assert np.isfinite(fitted.predict(regression[0])).all()


class TestMetrics:
    @pytest.mark.parametrize(
        ("units", "activation", "loss"),
        [
            (1, "sigmoid", "binary_crossentropy"),
            (1, "linear", keras.losses.BinaryCrossentropy(from_logits=True)),
            (2, "softmax", "sparse_categorical_crossentropy"),
            (2, "linear", keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        ],
        ids=["one unit", "a logit", "two units", "two logits"],
    )
    def test_of_two_classes(self, units, activation, loss, mixed):
        """The F1 is compared in tests/shared/test_rarest_class.py."""

        def build():
            hidden = LAYERS.Dense(6, activation="relu")
            output = LAYERS.Dense(units, activation=activation)
            return keras.Sequential([keras.Input((4,)), hidden, output])

        X, y = mixed
        monitor = "val_roc_auc"
        estimator = classifier(build, loss=loss, early_stopping=True, monitor=monitor, patience=3)
        ours = clone(estimator).fit(X, y)
        if (units, activation) == (1, "linear"):
            assert_same_fit(ours, estimator.set_params(engine="keras").fit(X, y))
        _, watched = held_out_rows(ours, X, y, labels=y)
        found = ours.history_[monitor][ours.best_epoch_ - 1]
        expected = roc_auc_score(y[watched], ours.predict_proba(X[watched])[:, 1])
        assert found == pytest.approx(expected, abs=1e-6)

    def test_of_three_classes(self, three_classes):
        X, y = three_classes
        names = np.array(["a", "b", "c"])[y]
        X = X + 2 * np.random.default_rng(0).normal(size=X.shape)
        estimator = classifier(
            early_stopping=True,
            monitor="val_roc_auc",
            patience=3,
            class_weight={"a": 3, "b": 1, "c": 1},
        )
        assert_same_fit(*by_both(estimator, X, names))

    @pytest.mark.parametrize(
        ("monitor", "best", "metric"),
        [("val_r2", max, r2_score), ("val_rmse", min, root_mean_squared_error)],
    )
    def test_of_numbers(self, monitor, best, metric, regression):
        X, y = regression
        fitted = regressor(
            early_stopping=True, monitor=monitor, patience=2, optimizer__learning_rate=0.2
        ).fit(X, y)
        _, watched = held_out_rows(fitted, X, y)
        expected = metric(y[watched], fitted.predict(X[watched]))
        assert best(fitted.history_[monitor]) == pytest.approx(expected, abs=1e-5)

    def test_class_weights_have_no_part_in_it(self, mixed):
        X, y = mixed
        estimator = classifier(
            early_stopping=True, monitor="val_f1", class_weight={0: 1, 1: 20}, patience=3
        )
        fitted = estimator.fit(X, y)
        _, watched = held_out_rows(fitted, X, y, labels=y)
        f1 = f1_score(y[watched], fitted.predict(X[watched]))
        assert fitted.history_["val_f1"][fitted.best_epoch_ - 1] == pytest.approx(f1)

    def test_a_target_that_has_no_labels(self, mixed):
        X, y = mixed
        columns = np.c_[y, 1 - y, y]
        estimator = classifier(early_stopping=True, monitor="val_f1", epochs=2)
        with pytest.raises(InvalidParameterError, match="y is multilabel-indicator"):
            estimator.fit(X, columns)
        estimator.set_params(monitor="val_loss").fit(X, columns)

    def test_too_few_rows_for_it(self, regression):
        X, y = regression
        with pytest.raises(ValueError, match="at least 2 rows to validate"):
            regressor(early_stopping=True, monitor="val_r2").fit(X[:5], y[:5])


class TestRows:
    def test_copies_of_a_row_and_rare_classes_are_on_the_right_side(self, mixed):
        X, y = mixed
        X, y = np.r_[X, X], np.r_[y, y]
        y[[3, 123]], y[[7, 127]] = 2, 2
        fitted = classifier(early_stopping=True, epochs=1).fit(X, y)
        training, watched = held_out_rows(fitted, X, y, labels=y)
        shared = set(map(bytes, X[training])) & set(map(bytes, X[watched]))
        assert not shared
        assert set(y[watched]) == {0, 1, 2}

    def test_one_row_is_too_few(self):
        with pytest.raises(ValueError, match=r"validation_data=\(X, y\) to fit"):
            regressor(early_stopping=True).fit([[1.0]], [1.0])

    def test_partial_fit_holds_none_out(self, mixed):
        plain = classifier().partial_fit(*mixed)
        stopping = classifier(early_stopping=True).partial_fit(*mixed)
        for one, other in zip(
            plain.model_.get_weights(), stopping.model_.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        stopping.partial_fit(*mixed)
        assert (stopping.n_iter_, stopping.best_epoch_) == (2, 2)

    def test_a_threshold_is_tuned_on_them(self, mixed):
        X, y = mixed
        fitted = classifier(early_stopping=True, patience=2, threshold="tune").fit(X, y)
        _, watched = held_out_rows(fitted, X, y, labels=y)
        scores = [
            f1_score(y[watched], fitted.predict_proba(X[watched])[:, 1] >= cut)
            for cut in np.linspace(0.01, 0.99, 99)
        ]
        assert f1_score(y[watched], fitted.predict(X[watched])) >= max(scores) - 1e-9

    def test_arguments_about_the_validation_have_an_effect(self, mixed):
        fitted = classifier(early_stopping=True, validation_batch_size=7, epochs=1).fit(*mixed)
        assert "val_loss" in fitted.history_

    def test_a_random_state_is_drawn_from_once(self, mixed):
        states = [np.random.RandomState(0) for _ in range(2)]
        classifier(random_state=states[0], epochs=1).fit(*mixed)
        classifier(random_state=states[1], epochs=1, early_stopping=True).fit(*mixed)
        assert states[0].randint(1000) == states[1].randint(1000)

    def test_a_warm_start_goes_on(self, mixed):
        estimator = classifier(early_stopping=True, patience=2, epochs=4, warm_start=True)
        ours, by_keras = by_both(estimator, *mixed)
        for fitted in (ours, by_keras):
            fitted.fit(*mixed, initial_epoch=fitted.n_iter_)
        assert_same_fit(ours, by_keras)
        assert ours.n_iter_ == len(ours.history_["loss"]) > 4


class Recorder(keras.callbacks.Callback):
    """Keeps what each epoch logged and left."""

    def on_train_begin(self, logs=None):
        self.logs, self.weights = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))
        self.weights.append(self.model.get_weights())


WATCHED = {"metrics": ["accuracy", "mse"], "validation_split": 0.25}


@pytest.fixture(scope="module")
def keras_own(mixed):
    """The record of a fit by Keras that nothing stops."""
    fitted = classifier(**WATCHED, callbacks=Recorder(), engine="keras").fit(*mixed)
    return fitted.callbacks_[0]


class TestKerasCallback:
    """Keras' own callback, which is told of the epochs that Keras' own fit has run to the end."""

    def assert_stopped_as(self, ours, callback, keras_own):
        """The fit is the one that Keras would have ended by this callback."""
        model = keras_own.model
        model.stop_training = False
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, (logs, weights) in enumerate(
            zip(keras_own.logs, keras_own.weights, strict=True)
        ):
            model.set_weights(weights)
            callback.on_epoch_end(epoch, dict(logs))
            if model.stop_training:
                break
        callback.on_train_end()
        kept = model.get_weights()
        for one, other in zip(ours.model_.get_weights(), kept, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        assert ours.n_iter_ == epoch + 1
        for name, value in keras_own.logs[epoch].items():
            assert ours.history_[name][epoch] == pytest.approx(value, rel=1e-3, abs=1e-5), name
        best = next(
            number
            for number, weights in enumerate(keras_own.weights, 1)
            if all(map(np.array_equal, weights, kept))
        )
        assert ours.best_epoch_ == best
        assert ours.stop_reason_ == ("callback" if model.stop_training else "epochs")

    @pytest.mark.parametrize(
        "callback",
        [
            {"patience": 2},
            {"patience": 0},
            {"patience": 1, "monitor": "loss", "min_delta": 0.02},
            {"patience": 2, "monitor": "val_accuracy", "restore_best_weights": True},
            {"patience": 2, "monitor": "accuracy", "mode": "min", "restore_best_weights": True},
            {"patience": 3, "baseline": 0.4},
            {"patience": 3, "baseline": 10.0, "restore_best_weights": True},
            {"patience": 2, "start_from_epoch": 5, "restore_best_weights": True},
            {"patience": 2, "start_from_epoch": 40, "restore_best_weights": True},
            {"patience": 2, "min_delta": -0.05},
            {"patience": 2, "monitor": "val_mean_squared_error", "mode": "max"},
        ],
        ids=lambda callback: "-".join(f"{value}" for value in callback.values()),
    )
    def test_is_read(self, callback, mixed, keras_own):
        ours = classifier(**WATCHED, callbacks=STOPPING(**callback)).fit(*mixed)
        expected = STOPPING(**callback)
        self.assert_stopped_as(ours, expected, keras_own)
        # The callback is left as Keras leaves it.
        (told,) = ours.callbacks_
        assert told.model is ours.model_
        assert (told.best_weights is None) == (expected.best_weights is None)
        for name in ("stopped_epoch", "best_epoch", "wait", "min_delta", "monitor_op", "mode"):
            assert getattr(told, name) == getattr(expected, name), name
        assert told.best == pytest.approx(expected.best, abs=1e-5)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"callbacks": STOPPING, "callbacks__patience": 1},
            {"callbacks": [STOPPING], "callbacks__0__patience": 1},
            {"callbacks": {"stop": STOPPING}, "callbacks__stop__patience": 1},
            {"callbacks": [[STOPPING(patience=1)]]},
            {"fit__callbacks": STOPPING, "fit__callbacks__patience": 1},
            {"callbacks": STOPPING, "callbacks__monitor": "loss", "callbacks__min_delta": 0.1},
        ],
        ids=["class", "list", "dict", "nested", "fit", "other parameters"],
    )
    def test_in_every_form(self, parameters, mixed, keras_own):
        ours = classifier(**WATCHED, **parameters).fit(*mixed)
        others = "callbacks__monitor" in parameters
        expected = STOPPING("loss", min_delta=0.1) if others else STOPPING(patience=1)
        self.assert_stopped_as(ours, expected, keras_own)
        assert ours.n_iter_ < 30

    def test_given_to_fit(self, mixed, keras_own):
        stopping = STOPPING("loss", patience=1, min_delta=0.1)
        ours = classifier(**WATCHED).fit(*mixed, callbacks=[stopping])
        assert stopping.stopped_epoch == 0
        expected = STOPPING("loss", patience=1, min_delta=0.1)
        self.assert_stopped_as(ours, expected, keras_own)

    def test_one_that_stopped_a_fit_before(self, mixed):
        X, y = mixed
        stopping = STOPPING("loss", patience=1, min_delta=0.05)
        model = build_classifier(
            {"n_features_in_": 4, "n_classes_": 2, "target_type_": "binary"},
            {"loss": None, "optimizer": "adam"},
        )
        model.fit(X, y, epochs=3, verbose=0, callbacks=[stopping])
        assert stopping.min_delta < 0
        assert_same_fit(*by_both(classifier(callbacks=stopping), X, y))

    def test_its_words(self, mixed, capsys):
        stopping = STOPPING("loss", patience=1, min_delta=0.1, verbose=1, restore_best_weights=True)
        told = []
        for engine in ("population", "keras"):
            classifier(callbacks=stopping, engine=engine).fit(*mixed)
            told.append(capsys.readouterr().out)
        assert told[0] == told[1]
        assert "early stopping" in told[0]

    def test_in_a_population(self, mixed):
        estimator = classifier(
            validation_split=0.25,
            callbacks=STOPPING,
            callbacks__patience=2,
            callbacks__restore_best_weights=True,
        )
        with trained_together():
            found = cross_validate(estimator, *mixed, cv=2, return_estimator=True)
        estimator.set_params(engine="keras")
        expected = cross_validate(estimator, *mixed, cv=2, return_estimator=True)
        for ours, theirs in zip(found["estimator"], expected["estimator"], strict=True):
            assert_same_fit(ours, theirs)
            assert ours.callbacks_[0].stopped_epoch == theirs.callbacks_[0].stopped_epoch
            assert ours.callbacks_[0].model is ours.model_

    @pytest.mark.parametrize(
        ("callbacks", "reason"),
        [
            (lambda: [STOPPING("loss"), keras.callbacks.TerminateOnNaN()], r"\(TerminateOnNaN\)"),
            (lambda: [STOPPING("loss"), STOPPING("loss")], "several callbacks"),
            (lambda: type("Own", (STOPPING,), {})("loss"), r"\(Own\)"),
            (lambda: _changed(STOPPING("loss"), on_epoch_end=print), r"\(EarlyStopping\)"),
            (lambda: STOPPING("accuracy", mode="max"), "watches 'accuracy'"),
            (lambda: STOPPING("loss", baseline=float("nan")), "baseline=nan"),
            (lambda: STOPPING("loss", patience=None), "patience=None"),
            (lambda: _changed(STOPPING("loss"), min_delta=-1), "min_delta below 0"),
        ],
        ids=["others", "two", "subclass", "method", "metric", "nan", "none", "negative"],
    )
    def test_what_only_keras_can_do_is_refused(self, callbacks, reason, mixed):
        with pytest.raises(CannotJoinError, match=reason):
            classifier(callbacks=callbacks()).fit(*mixed)

    def test_what_is_refused_is_trained_by_keras(self, mixed):
        watched = [STOPPING("loss", patience=1, min_delta=0.1), keras.callbacks.TerminateOnNaN()]
        fitted = classifier(callbacks=watched, engine="auto").fit(*mixed)
        assert fitted.stop_reason_ == "callback"
        assert [type(callback) for callback in fitted.callbacks_] == list(map(type, watched))

    def test_rows_that_nobody_holds_out(self, mixed):
        estimator = classifier(callbacks=STOPPING(), epochs=1, engine="auto")
        # As Keras itself says it.
        with pytest.warns(UserWarning, match="`val_loss` which is not available"):
            estimator.fit(*mixed)


def _changed(callback, **attributes):
    vars(callback).update(attributes)
    return callback
