"""Models compiled with metrics: the history of Keras' own fit, alone and in a population."""

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skhp import CannotJoinError, KerasClassifier, KerasRegressor
from skhp.estimators.keras_model import wrapped_fit as scikeras_fit
from skhp.training.cohort.cohort import train_cohort
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow

LAYERS = keras.layers
METRICS = keras.metrics
COMMON = {
    "optimizer": "adam",
    "optimizer__learning_rate": 0.02,
    "batch_size": 16,
    "epochs": 3,
    "random_state": 0,
    "engine": "population",
}


def build_compiled(meta):
    """As nearly every user writes it."""
    model = keras.Sequential([keras.Input((meta["n_features_in_"],))])
    model.add(LAYERS.Dense(6, activation="relu"))
    model.add(LAYERS.Dense(meta["n_classes_"], activation="softmax"))
    adam = keras.optimizers.Adam(COMMON["optimizer__learning_rate"])
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_skipping(meta, rate=0.0, units=1, last=None):
    """Not a stack, so that it is vectorised as it is."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = LAYERS.Dropout(rate)(LAYERS.Dense(4, activation="tanh")(inputs))
    joined = LAYERS.Concatenate()([inputs, hidden])
    return keras.Model(inputs, LAYERS.Dense(units, activation=last)(joined))


def classifier(model=build_classifier, **parameters):
    return KerasClassifier(model, **{**COMMON, **parameters})


def regressor(model=build_regressor, **parameters):
    return KerasRegressor(model, **{**COMMON, "loss": "mse", **parameters})


def assert_same_history(ours, others):
    assert list(ours.history_) == list(others.history_)
    for name, values in others.history_.items():
        np.testing.assert_allclose(ours.history_[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def by_both(estimator, X, y, **fit_params):
    """The fit of the population's trainer, compared with that of Keras."""
    ours = clone(estimator).fit(X, y, **fit_params)
    keras_own = clone(estimator).set_params(engine="keras").fit(X, y, **fit_params)
    assert_same_history(ours, keras_own)
    return ours


def mean_output(y, outputs):
    return keras.ops.mean(outputs)


def weights_of(y):
    weight = np.random.default_rng(0).uniform(0, 2, size=len(y))
    weight[::7] = 0
    return weight


class TestAgainstKeras:
    def test_accuracy_as_most_write_it(self, three_classes):
        fitted = by_both(classifier(build_compiled, validation_split=0.2), *three_classes)
        assert list(fitted.history_) == ["accuracy", "loss", "val_accuracy", "val_loss"]
        assert len(set(fitted.history_["accuracy"])) > 1
        # The model still has its metrics.
        X, y = three_classes
        values = fitted.model_.evaluate(X, y, return_dict=True, verbose=0)
        np.testing.assert_allclose(values["accuracy"], fitted.score(X, y), rtol=1e-6)

    def test_two_classes_in_ragged_batches(self, two_classes):
        # 96 rows to train on, the last batch of 6; 24 to validate, in batches of 10.
        estimator = classifier(
            metrics=["acc", "bce", METRICS.BinaryAccuracy(name="sure", threshold=0.7), "hinge"],
            compile__weighted_metrics=["accuracy", "acc"],
            batch_size=18,
            validation_split=0.2,
            validation_batch_size=10,
        )
        X, y = two_classes
        fitted = by_both(estimator, X, y, sample_weight=weights_of(y))
        assert "val_weighted_acc" in fitted.history_
        assert fitted.history_["acc"] != fitted.history_["weighted_acc"]
        assert fitted.history_["sure"] != fitted.history_["acc"]

    def test_class_weights_are_in_weighted_metrics_only(self, two_classes):
        X, y = two_classes
        estimator = classifier(metrics=["bce"], class_weight={0: 1, 1: 5})
        estimator.set_params(compile__weighted_metrics=[METRICS.BinaryCrossentropy("weighted")])
        history = by_both(estimator, X, y).history_
        weighted = history["weighted"]
        np.testing.assert_allclose(weighted, history["loss"], rtol=1e-4)
        assert not np.allclose(weighted, history["binary_crossentropy"], rtol=1e-2)

    def test_three_classes_by_number(self, three_classes):
        metrics = [
            "accuracy",
            METRICS.SparseTopKCategoricalAccuracy(k=2),
            "sparse_categorical_crossentropy",
        ]
        estimator = classifier(
            loss="sparse_categorical_crossentropy",
            metrics=metrics,
            compile__weighted_metrics=metrics,
            validation_split=0.2,
        )
        X, y = three_classes
        by_both(estimator, X, y, sample_weight=weights_of(y))

    def test_three_classes_marked(self, three_classes):
        X, y = three_classes
        # A binary crossentropy takes the logits of the softmax for its own, also in validation.
        metrics = ["accuracy", METRICS.TopKCategoricalAccuracy(k=2), "categorical_hinge", "bce"]
        estimator = regressor(
            build_skipping,
            model__units=3,
            model__last="softmax",
            loss="categorical_crossentropy",
            metrics=[*metrics, "categorical_crossentropy"],
            validation_split=0.2,
        )
        by_both(estimator, X, np.eye(3)[y])

    def test_numbers(self, regression):
        X, y = regression
        metrics = ["mse", "mae", "mape", "cosine_similarity", METRICS.RootMeanSquaredError()]
        estimator = regressor(
            build_skipping, metrics=metrics, compile__weighted_metrics=["mae"], validation_split=0.2
        )
        by_both(estimator, X, y, sample_weight=weights_of(y))

    def test_a_loss_with_a_divisor_of_its_own_leaves_the_metrics_alone(self, regression):
        X, y = regression
        estimator = regressor(
            loss=keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
            compile__weighted_metrics=["mae", "mse"],
            validation_batch_size=7,
        )
        given = (X[:30], y[:30], np.linspace(0, 3, 30))
        by_both(estimator, X, y, sample_weight=weights_of(y), validation_data=given)

    def test_rows_to_validate_with_that_have_no_weight(self, regression):
        X, y = regression
        # A row counts in metrics that are not weighted, whatever its weight.
        weight = np.zeros(30)
        estimator = regressor(metrics=["mae"], compile__weighted_metrics=["mse"])
        history = by_both(estimator, X, y, validation_data=(X[:30], y[:30], weight)).history_
        assert all(value > 0 for value in history["val_mae"])
        assert not any(history["val_mse"])

    def test_a_batch_of_all_rows_counts_each_copy(self, regression):
        X, y = np.repeat(regression[0], 2, axis=0), np.repeat(regression[1], 2)
        copies = np.r_[np.arange(len(y)), np.zeros(300, int)]
        estimator = regressor(batch_size=-1, metrics=["mae"])
        history = by_both(estimator, X[copies], y[copies]).history_
        # The first epoch has the outputs of the initial weights.
        untrained = clone(estimator).initialize(X[copies], y[copies]).predict(X[copies])
        expected = np.abs(untrained - y[copies]).mean()
        np.testing.assert_allclose(history["mean_absolute_error"][0], expected, rtol=1e-4)

    def test_going_on(self, regression):
        fits = [regressor(metrics=["mae"], engine=engine) for engine in ("population", "keras")]
        for estimator in fits:
            estimator.partial_fit(*regression)
            estimator.partial_fit(*regression)
            estimator.set_params(warm_start=True).fit(*regression, initial_epoch=2)
        assert_same_history(*fits)
        assert len(fits[0].history_["mean_absolute_error"]) == 5

    def test_dropout_is_on_in_training(self, two_classes):
        # By Keras the noise is another, so the oracle is a model that drops almost everything.
        estimator = classifier(model__dropout=0.99, metrics=["acc"], epochs=40, batch_size=120)
        X, y = two_classes
        history = estimator.fit(X, y, validation_data=(X, y)).history_
        assert history["val_acc"][-1] > history["acc"][-1] + 0.05

    def test_verbose_prints_them(self, two_classes, capsys):
        classifier(metrics=["accuracy"], verbose=1, epochs=1).fit(*two_classes)
        assert "accuracy: " in capsys.readouterr().out


class TestRefused:
    @pytest.mark.parametrize(
        ("metrics", "reason"),
        [
            (["accuracy", "AUC"], "'AUC'"),
            ([METRICS.F1Score(threshold=0.5)], "'F1Score'"),
            ([lambda y, outputs: keras.ops.mean(outputs)], "'lambda'"),
        ],
        ids=["name", "instance", "lambda"],
    )
    def test_others_cannot_join(self, metrics, reason, two_classes):
        with pytest.raises(CannotJoinError, match=reason):
            classifier(metrics=metrics).fit(*two_classes)

    def test_others_go_to_keras(self, two_classes):
        metrics = ["accuracy", "AUC", METRICS.F1Score(threshold=0.5), mean_output]
        fitted = classifier(metrics=metrics, epochs=1, engine="auto").fit(*two_classes)
        assert len(fitted.history_) == 1 + len(metrics)

    def test_a_vector_of_targets(self, regression):
        # Keras compares each row with all rows.
        with pytest.raises(CannotJoinError, match="'poisson'"):
            regressor(metrics=["poisson"]).fit(*regression)
        X, y = regression
        by_both(regressor(metrics=["poisson"]), X, np.abs(y)[:, None] + X[:, :1] * 0)

    def test_metrics_that_the_model_holds_itself(self, regression):
        def build():
            model = keras.Sequential([keras.Input((4,)), LAYERS.Dense(1)])
            model.counted = METRICS.Mean(name="counted")
            return model

        with pytest.raises(CannotJoinError, match="counted"):
            regressor(build).fit(*regression)


class TestTogether:
    def test_members_with_other_batches_and_rows(self, regression):
        X, y = regression
        candidates = [
            regressor(metrics=["mae"], validation_split=split, batch_size=batch_size)
            for split, batch_size in ((0.2, 16), (0.3, 20))
        ]
        tasks = [candidate.__skhp_fit_task__(X, y) for candidate in candidates]
        assert len({task.program for task in tasks}) == 1
        for candidate, result in zip(candidates, train_cohort(tasks), strict=True):
            alone = candidate.set_params(engine="keras").fit(X, y)
            for name, values in result.outcome.history.items():
                expected = alone.history_[{"mae": "mean_absolute_error"}.get(name, name)]
                np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)

    def test_members_of_three_classes_that_are_vectorised(self, three_classes):
        X, y = three_classes
        metrics = ["accuracy", METRICS.SparseTopKCategoricalAccuracy(k=2, name="top")]
        candidates = [
            classifier(
                build_skipping,
                model__units=3,
                model__last="softmax",
                loss="sparse_categorical_crossentropy",
                metrics=metrics,
                validation_split=split,
                batch_size=batch_size,
                optimizer__learning_rate=rate,
            )
            for split, batch_size, rate in ((0.2, 16, 0.01), (0.3, 20, 0.03))
        ]
        tasks = [candidate.__skhp_fit_task__(X, y) for candidate in candidates]
        for candidate, result in zip(candidates, train_cohort(tasks), strict=True):
            alone = candidate.set_params(engine="keras").fit(X, y)
            assert list(result.outcome.history) == list(alone.history_)
            for name, values in result.outcome.history.items():
                np.testing.assert_allclose(values, alone.history_[name], rtol=1e-3, atol=1e-4)

    def test_other_metrics_are_another_program(self, regression):
        tasks = [
            regressor(metrics=metrics).__skhp_fit_task__(*regression)
            for metrics in (None, ["mae"], ["mse"])
        ]
        assert len({task.program for task in tasks}) == 3
        results = train_cohort(tasks[:1]) + train_cohort(tasks[1:2])
        np.testing.assert_allclose(*(result.trained.weights for result in results), rtol=1e-5)

    def test_a_search_trains_as_a_population(self, three_classes, monkeypatch):
        X, y = three_classes
        search = GridSearchCV(classifier(build_compiled, epochs=4), {"batch_size": [10, 40]}, cv=2)
        apart = clone(search).fit(X, y)

        def refuse(task):
            raise AssertionError("the fit was trained by itself")

        with joblib.parallel_config(backend="skhp"), monkeypatch.context() as patch:
            patch.setattr(scikeras_fit, "LoneFit", refuse)
            unrefitted = clone(search).set_params(refit=False).fit(X, y)
        with joblib.parallel_config(backend="skhp"):
            together = clone(search).fit(X, y)
        np.testing.assert_allclose(
            unrefitted.cv_results_["mean_test_score"], apart.cv_results_["mean_test_score"]
        )
        accuracy = together.best_estimator_.history_["accuracy"]
        assert len(accuracy) == 4
        np.testing.assert_allclose(accuracy, apart.best_estimator_.history_["accuracy"], rtol=1e-3)
