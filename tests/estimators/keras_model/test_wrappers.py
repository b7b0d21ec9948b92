"""KerasClassifier and KerasRegressor: SciKeras' conventions, and numbers against Keras itself.

What they share with all other estimators is in tests/test_sklearn_contract.py, what they repair in
SciKeras in tests/estimators/keras_model/test_model_wrapper.py.
"""

import pickle
import random
import threading

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.preprocessing import FunctionTransformer

from skhp import InvalidParameterError, KerasClassifier, KerasRegressor, NonFiniteLossWarning
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow


def eager_classifier(**parameters):
    """Without compilation, which takes most of the time of a short fit."""
    return KerasClassifier(
        build_classifier, **{"run_eagerly": True, "random_state": 0, **parameters}
    )


def sigmoid_model(units=1, width=4, activation="sigmoid"):
    return keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(units, activation=activation)]
    )


def unbuilt_model():
    return keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])


def weights_equal(first, second):
    return all(
        np.array_equal(one, other)
        for one, other in zip(first.get_weights(), second.get_weights(), strict=True)
    )


class TestBuildFunction:
    def test_it_gets_its_parameters_and_what_it_asks_for(self, three_classes):
        seen = {}

        def build(neurons, depth, meta, compile_kwargs, params):
            seen.update(
                neurons=neurons, depth=depth, meta=meta, compiled=compile_kwargs, params=params
            )
            return sigmoid_model(3, activation="softmax")

        classifier = KerasClassifier(
            build,
            model__neurons=7,
            depth=2,
            loss="sparse_categorical_crossentropy",
            optimizer="sgd",
            optimizer__learning_rate=0.25,
            run_eagerly=True,
        )
        classifier.fit(*three_classes)
        assert (seen["neurons"], seen["depth"]) == (7, 2)
        assert seen["params"] == classifier.get_params()
        assert set(seen["compiled"]) == {"loss", "metrics", "optimizer", "run_eagerly"}
        assert seen["compiled"]["optimizer"].learning_rate == 0.25
        assert seen["meta"]["n_features_in_"] == 4
        assert seen["meta"]["n_classes_"] == 3
        assert seen["meta"]["target_type_"] == "multiclass"
        assert set(seen["meta"]) == {
            "X_dtype_",
            "X_shape_",
            "classes_",
            "feature_encoder_",
            "n_classes_",
            "n_features_in_",
            "n_outputs_",
            "n_outputs_expected_",
            "target_encoder_",
            "target_type_",
            "y_dtype_",
            "y_ndim_",
        }

    def test_any_callable_will_do(self, two_classes):
        class Builder:
            def __call__(self, units=1):
                return sigmoid_model(units)

            def method(self, units=1):
                return sigmoid_model(units)

        for model in (Builder(), Builder().method):
            KerasClassifier(model, units=1, loss="bce", run_eagerly=True).fit(*two_classes)

    def test_its_former_name_still_works(self, two_classes):
        classifier = KerasClassifier(build_fn=sigmoid_model, loss="bce", run_eagerly=True)
        with pytest.warns(UserWarning, match="build_fn"):
            classifier.fit(*two_classes)

    def test_something_else_than_a_model_is_refused(self, two_classes):
        with pytest.raises(TypeError, match=r"keras\.Model, got 3"):
            KerasClassifier(lambda: 3, loss="bce").fit(*two_classes)
        with pytest.raises(TypeError, match="must be a callable"):
            KerasClassifier("network", loss="bce").fit(*two_classes)

    def test_without_a_loss_there_is_an_error(self, two_classes):
        with pytest.raises(ValueError, match="provide a loss"):
            KerasClassifier(sigmoid_model).fit(*two_classes)

    def test_a_model_that_is_built_by_its_first_batch(self, two_classes):
        X, y = two_classes
        fitted = KerasClassifier(unbuilt_model, loss="bce", epochs=3, random_state=0).fit(X, y)
        again = clone(fitted).fit(X, y)
        np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))
        copied = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(fitted.predict_proba(X), copied.predict_proba(X))


class TestBuiltModel:
    @pytest.fixture
    def model(self):
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
        return model

    def test_every_fit_starts_from_it_and_leaves_it_alone(self, model, two_classes):
        before = model.get_weights()
        classifier = KerasClassifier(model, random_state=0, epochs=2)
        first = classifier.fit(*two_classes).model_
        second = classifier.fit(*two_classes).model_
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        assert int(model.optimizer.iterations) == 0
        assert weights_equal(first, second)
        assert not weights_equal(first, model)

    def test_the_seed_decides_its_noise(self, model, two_classes):
        # The order of the rows plays no part.
        classifier = KerasClassifier(model, shuffle=False)
        first, second, other = (
            classifier.set_params(random_state=seed).fit(*two_classes).model_ for seed in (0, 0, 1)
        )
        assert weights_equal(first, second)
        assert not weights_equal(first, other)

    def test_one_that_is_not_compiled_stays_so(self, two_classes):
        model = sigmoid_model()
        KerasClassifier(model, loss="bce", run_eagerly=True).fit(*two_classes)
        assert not model.compiled

    def test_it_may_predict_without_a_fit(self, model, two_classes):
        X, y = two_classes
        fitted = KerasClassifier(model).initialize(X, y)
        expected = model.predict(X, verbose=0)[:, 0]
        np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], expected, rtol=1e-6)

    def test_copies_of_its_estimator(self, model, two_classes):
        X, y = two_classes
        fitted = KerasClassifier(model, random_state=0).fit(X, y)
        expected = clone(fitted).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(expected, fitted.predict_proba(X))
        copied = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(expected, copied.fit(X, y).predict_proba(X))

    def test_its_copies_read_no_global_generator(self, model, two_classes):
        fitted = KerasClassifier(model, run_eagerly=True).initialize(*two_classes)
        before = random.getstate()
        clone(fitted)
        pickle.loads(pickle.dumps(fitted))
        assert random.getstate() == before


class TestRouting:
    def test_to_the_optimizer(self, two_classes):
        for optimizer in ("sgd", keras.optimizers.SGD):
            classifier = eager_classifier(
                optimizer=optimizer, optimizer__learning_rate=0.25, optimizer__momentum=0.5
            )
            optimizer_ = classifier.fit(*two_classes).model_.optimizer
            assert (float(optimizer_.learning_rate), optimizer_.momentum) == (0.25, 0.5)

    def test_an_optimizer_given_as_an_instance_serves_many_fits(self, two_classes):
        classifier = eager_classifier(optimizer=keras.optimizers.SGD(0.25, momentum=0.5))
        first = classifier.fit(*two_classes).model_
        second = classifier.fit(*two_classes).model_
        assert weights_equal(first, second)
        assert second.optimizer.momentum == 0.5

    def test_to_the_loss_and_the_metrics(self, two_classes):
        classifier = KerasClassifier(
            sigmoid_model,
            loss=keras.losses.BinaryCrossentropy,
            loss__label_smoothing=0.25,
            metrics=[keras.metrics.BinaryAccuracy, "AUC"],
            metrics__0__threshold=0.75,
            metrics__1__num_thresholds=7,
            run_eagerly=True,
        )
        classifier.fit(*two_classes)
        assert classifier.model_.loss.get_config()["label_smoothing"] == 0.25
        accuracy, area = classifier.model_.metrics[1].metrics
        assert (accuracy.get_config()["threshold"], area.num_thresholds) == (0.75, 7)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"callbacks": keras.callbacks.EarlyStopping, "callbacks__patience": 0},
            {"callbacks": [keras.callbacks.EarlyStopping], "callbacks__0__patience": 0},
            {"callbacks": {"stop": keras.callbacks.EarlyStopping}, "callbacks__stop__patience": 0},
            {"fit__callbacks": keras.callbacks.EarlyStopping, "fit__callbacks__patience": 0},
            {"callbacks": keras.callbacks.EarlyStopping(monitor="loss", patience=0)},
        ],
        ids=["class", "list", "dict", "fit", "instance"],
    )
    def test_to_callbacks(self, parameters, two_classes):
        if not isinstance(parameters.get("callbacks"), keras.callbacks.Callback):
            name = next(name for name in parameters if name.endswith("patience"))
            parameters = {name.replace("patience", "monitor"): "loss", **parameters}
            parameters[name.replace("patience", "min_delta")] = 10.0
        else:
            parameters["callbacks"].min_delta = 10.0
        classifier = eager_classifier(epochs=5, **parameters).fit(*two_classes)
        # The first epoch sets the mark, the second does not beat it by 10.
        assert len(classifier.history_["loss"]) == 2
        assert classifier.stop_reason_ == "callback"
        assert classifier.callbacks_[0].stopped_epoch == 1

    def test_to_fit_and_to_a_call_of_fit(self, two_classes):
        steps = []
        counting = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: steps.append(batch)
        )
        classifier = eager_classifier(batch_size=120, fit__batch_size=60, callbacks=[counting])
        classifier.fit(*two_classes)
        assert len(steps) == 2
        classifier.fit(*two_classes, batch_size=40, epochs=2)
        assert len(steps) == 2 + 3 * 2
        assert len(classifier.history_["loss"]) == 2
        assert (classifier.batch_size, classifier.epochs) == (120, 1)

    def test_to_predict(self, two_classes):
        seen = []

        class Watching(keras.callbacks.Callback):
            def on_predict_batch_end(self, batch, logs=None):
                seen.append(batch)

        classifier = eager_classifier(predict__callbacks=Watching, predict__batch_size=50)
        probabilities = classifier.fit(*two_classes).predict_proba(two_classes[0])
        assert seen == [0, 1, 2]
        unwatched = classifier.set_params(predict__callbacks=None, predict__batch_size=None)
        np.testing.assert_allclose(
            probabilities, unwatched.predict_proba(two_classes[0]), rtol=1e-5
        )

    def test_to_score(self, two_classes):
        classifier = eager_classifier().fit(*two_classes)
        rows = len(two_classes[1])
        count = classifier.set_params(score__normalize=False).score(*two_classes)
        assert count == round(count)
        assert 1 < count <= rows

    def test_names_of_metrics_are_spelt_out(self, regression):
        regressor = KerasRegressor(build_regressor, metrics=["mse"], run_eagerly=True)
        assert set(regressor.fit(*regression).history_) == {"loss", "mean_squared_error"}

    def test_searches_over_routed_parameters(self, two_classes):
        classifier = eager_classifier(callbacks=keras.callbacks.EarlyStopping)
        classifier.set_params(callbacks__monitor="loss")
        search = GridSearchCV(
            classifier, {"model__neurons": [2, 3], "callbacks__patience": [1, 2]}, cv=2
        )
        search.fit(*two_classes)
        best = search.best_estimator_
        assert best.model_.layers[0].units == search.best_params_["model__neurons"]
        assert best.callbacks_[0].patience == search.best_params_["callbacks__patience"]


class TestAgainstKeras:
    """A fit without shuffling is Keras' own, to the last digits of float32."""

    @staticmethod
    def network(eager=False):
        seeds = [keras.initializers.GlorotUniform(seed) for seed in (1, 2)]
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(5, activation="tanh", kernel_initializer=seeds[0]),
                keras.layers.Dense(1, kernel_initializer=seeds[1]),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mean_squared_error", run_eagerly=eager)
        return model

    def test_the_same_weights_and_history(self, regression):
        X, y = regression
        arguments = {"shuffle": False, "epochs": 2, "batch_size": 16, "validation_split": 0.2}
        ours = KerasRegressor(self.network, **arguments).fit(X, y)
        # To trace a step would take longer than these steps.
        model = self.network(eager=True)
        keras_history = model.fit(X, y, verbose=0, **arguments).history
        for one, other in zip(ours.model_.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert set(ours.history_) == set(keras_history)
        for name, values in keras_history.items():
            np.testing.assert_allclose(ours.history_[name], values, rtol=1e-5)

    def test_the_same_with_weights_of_mean_one(self, regression):
        X, y = regression
        weight = np.linspace(0.5, 1.5, len(y))
        # Over the rows that are trained on.
        weight /= weight[: len(y) * 3 // 4].mean()
        arguments = {"shuffle": False, "epochs": 3, "validation_split": 0.25}
        ours = KerasRegressor(self.network, **arguments).fit(X, y, sample_weight=7 * weight)
        model = self.network(eager=True)
        history = model.fit(X, y, sample_weight=weight, verbose=0, **arguments).history
        for one, other in zip(ours.model_.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        for name in ("loss", "val_loss"):
            np.testing.assert_allclose(ours.history_[name], history[name], rtol=1e-4)

    def test_a_shuffled_fit_visits_the_rows_in_the_order_of_its_seed(self, regression):
        X, y = regression
        shuffled = KerasRegressor(self.network, epochs=2, batch_size=16, random_state=0)
        fitted = shuffled.fit(X, y)
        from skhp.training.training_rows import row_order

        model = self.network(eager=True)
        for epoch in range(2):
            order = row_order(fitted._seeds.order, epoch, len(y))
            model.fit(X[order], y[order], shuffle=False, batch_size=16, verbose=0)
        for one, other in zip(fitted.model_.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)

    def test_predictions_are_those_of_keras(self, regression):
        X, y = regression
        fitted = KerasRegressor(self.network).fit(X, y)
        predicted = fitted.predict(X)
        assert predicted.dtype == np.float64
        np.testing.assert_allclose(
            predicted, fitted.model_.predict(X, verbose=0)[:, 0], rtol=1e-5, atol=1e-6
        )


class TestWeights:
    def test_class_weights_are_weights_of_rows(self, two_classes):
        X, y = two_classes
        by_class = eager_classifier(class_weight={0: 1, 1: 3}).fit(X, y)
        by_row = eager_classifier().fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
        assert weights_equal(by_class.model_, by_row.model_)
        balanced = eager_classifier(class_weight="balanced").fit(X, y)
        assert weights_equal(balanced.model_, by_row.model_)

    def test_boosting(self, three_classes):
        network = KerasClassifier(
            build_classifier, optimizer="adam", optimizer__learning_rate=0.1, epochs=10
        )
        boosted = AdaBoostClassifier(network, n_estimators=2, random_state=0)
        assert boosted.fit(*three_classes).score(*three_classes) > 0.9

    @pytest.mark.parametrize("class_weight", [{0: -1}, {0: np.nan}])
    def test_bad_class_weights_are_refused(self, class_weight, two_classes):
        with pytest.raises(ValueError, match="class_weight"):
            eager_classifier(class_weight=class_weight).fit(*two_classes)


class TestRandomNumbers:
    def test_dropout_gives_the_same_bits_in_four_threads_at_once(self, two_classes):
        X, y = two_classes
        classifier = KerasClassifier(
            build_classifier, model__dropout=0.5, epochs=3, batch_size=16, random_state=0
        )
        alone = clone(classifier).fit(X, y).predict_proba(X)
        together = joblib.Parallel(n_jobs=4, backend="threading")(
            joblib.delayed(lambda: clone(classifier).fit(X, y).predict_proba(X))() for _ in range(4)
        )
        for probabilities in together:
            np.testing.assert_array_equal(probabilities, alone)
        other = clone(classifier).set_params(random_state=1).fit(X, y).predict_proba(X)
        assert (other != alone).any()

    def test_layers_that_take_their_seeds_late(self, two_classes):
        class Late(keras.layers.Layer):
            def build(self, input_shape):
                self.dense = keras.layers.Dense(4)
                self.dense.build(input_shape)

            def call(self, inputs, training=False):
                noise = keras.random.normal(keras.ops.shape(inputs)) if training else 0.0
                return self.dense(inputs + noise)

        def build():
            return keras.Sequential([Late(), keras.layers.Dense(1, activation="sigmoid")])

        classifier = KerasClassifier(build, loss="bce", epochs=2, random_state=0)
        first = classifier.fit(*two_classes).model_
        assert weights_equal(first, classifier.fit(*two_classes).model_)

    @pytest.mark.parametrize("random_state", [0, None])
    def test_global_generators_are_not_touched_not_even_for_a_moment(
        self, random_state, two_classes
    ):
        import tensorflow as tf

        stop, drawn = threading.Event(), []

        def draw():
            while not stop.wait(1e-3):
                drawn.append(random.random())

        tf.random.set_seed(3)
        expected = tf.random.uniform((2,)).numpy()
        tf.random.set_seed(3)
        random.seed(4)
        numpy_before = str(np.random.get_state())
        thread = threading.Thread(target=draw)
        thread.start()
        eager_classifier(model__dropout=0.5, random_state=random_state).fit(*two_classes)
        stop.set()
        thread.join()
        alone = random.Random(4)
        assert drawn == [alone.random() for _ in drawn]
        assert str(np.random.get_state()) == numpy_before
        np.testing.assert_array_equal(tf.random.uniform((2,)).numpy(), expected)

    def test_random_state_follows_scikit_learn(self, two_classes):
        state = np.random.RandomState(0)
        first = eager_classifier(random_state=state).fit(*two_classes).model_
        second = eager_classifier(random_state=state).fit(*two_classes).model_
        again = eager_classifier(random_state=np.random.RandomState(0)).fit(*two_classes).model_
        assert weights_equal(first, again)
        assert not weights_equal(first, second)
        unseeded = [eager_classifier(random_state=None).fit(*two_classes) for _ in range(2)]
        assert not weights_equal(unseeded[0].model_, unseeded[1].model_)

    def test_shuffling_can_be_left_out(self, two_classes):
        X, y = two_classes
        fits = [
            KerasClassifier(
                TestAgainstKeras.network,
                shuffle=shuffle,
                batch_size=16,
                random_state=seed,
                run_eagerly=True,
            ).fit(X, y)
            for shuffle, seed in ((False, 0), (False, 1), (True, 0), (True, 1))
        ]
        assert weights_equal(fits[0].model_, fits[1].model_)
        assert not weights_equal(fits[2].model_, fits[3].model_)


class TestGoingOn:
    def test_partial_fit_trains_an_epoch_at_a_time(self, two_classes):
        X, y = two_classes
        parts = eager_classifier(batch_size=16, model__dropout=0.5)
        for _ in range(3):
            parts.partial_fit(X, y)
        whole = eager_classifier(batch_size=16, model__dropout=0.5, epochs=3).fit(X, y)
        assert weights_equal(parts.model_, whole.model_)
        np.testing.assert_allclose(parts.history_["loss"], whole.history_["loss"], rtol=1e-6)
        assert parts.current_epoch == 3

    def test_partial_fit_knows_classes_it_has_not_seen(self, three_classes):
        X, y = three_classes
        first, second = y < 2, y == 2
        classifier = eager_classifier()
        classifier.partial_fit(X[first], y[first], classes=[2, 1, 0])
        assert classifier.classes_.tolist() == [0, 1, 2]
        classifier.partial_fit(X[second], y[second])
        assert classifier.predict_proba(X).shape == (len(y), 3)
        with pytest.raises(ValueError, match="first call to partial_fit"):
            classifier.partial_fit(X, y, classes=[0, 1])

    def test_partial_fit_refuses_epochs(self, two_classes):
        with pytest.raises(TypeError, match="epochs"):
            eager_classifier().partial_fit(*two_classes, epochs=3)

    def test_warm_start_goes_on_with_the_model(self, two_classes):
        X, y = two_classes
        warm = eager_classifier(warm_start=True, epochs=2, batch_size=16).fit(X, y)
        model, first = warm.model_, warm.history_["loss"]
        warm.fit(X, y)
        assert warm.model_ is model
        assert warm.history_["loss"][0] < first[0]
        assert len(warm.history_["loss"]) == 2
        assert warm.classes_.tolist() == [0, 1]

    def test_a_pickled_estimator_goes_on_as_the_original(self, two_classes):
        X, y = two_classes
        original = eager_classifier(optimizer="adam").fit(X, y)
        copied = pickle.loads(pickle.dumps(original))
        assert weights_equal(original.partial_fit(X, y).model_, copied.partial_fit(X, y).model_)


class TestValidation:
    def test_validation_data_have_the_form_of_the_training_data(self, three_classes):
        X, y = three_classes
        labels = np.array(["a", "b", "c"])[y]
        named = eager_classifier(fit__validation_data=(X[:30], labels[:30])).fit(X, labels)
        numbered = eager_classifier().fit(X, y, validation_data=(X[:30], y[:30]))
        assert named.history_["val_loss"] == numbered.history_["val_loss"]
        expected = named.model_.evaluate(X[:30], y[:30], verbose=0)
        np.testing.assert_allclose(named.history_["val_loss"], [expected], rtol=1e-5)

    def test_a_class_that_is_missing_from_the_validation_does_no_harm(self, three_classes):
        X, y = three_classes
        order = np.argsort(y == 0, kind="stable")
        fitted = eager_classifier(validation_split=0.1).fit(X[order], y[order])
        assert np.isfinite(fitted.history_["val_loss"]).all()
        assert fitted.predict_proba(X).shape == (len(y), 3)

    def test_a_class_that_is_missing_from_the_training_is_named(self, three_classes):
        X, y = three_classes
        order = np.argsort(y)
        with pytest.raises(ValueError, match=r"validation_split .* all rows of \[2\]"):
            eager_classifier(validation_split=0.4).fit(X[order], y[order])

    def test_too_few_rows_to_split(self):
        with pytest.raises(ValueError, match=r"validation_split=0\.9 .* n_samples = 2"):
            eager_classifier(validation_split=0.9).fit([[1.0], [2.0]], [0, 1])


class TestShapes:
    def test_more_than_two_dimensions(self, two_classes):
        def build():
            return keras.Sequential(
                [
                    keras.Input((2, 2)),
                    keras.layers.Flatten(),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )

        X, y = two_classes
        X = X.reshape(-1, 2, 2)
        fitted = KerasClassifier(build, loss="bce", run_eagerly=True).fit(X, y)
        assert fitted.predict_proba(X).shape == (len(y), 2)
        with pytest.raises(ValueError, match="dimensions in X"):
            fitted.predict(X.reshape(-1, 2, 2, 1))

    @pytest.mark.parametrize("kind", [list, dict])
    def test_several_inputs(self, kind, two_classes):
        def split(X):
            parts = {"left": X[:, :1], "right": X[:, 1:]}
            return parts if kind is dict else list(parts.values())

        def build():
            left, right = keras.Input((1,), name="left"), keras.Input((3,), name="right")
            joined = keras.layers.Concatenate()([left, right])
            outputs = keras.layers.Dense(1, activation="sigmoid")(joined)
            inputs = {"left": left, "right": right} if kind is dict else [left, right]
            return keras.Model(inputs, outputs)

        class Split(KerasClassifier):
            @property
            def feature_encoder(self):
                return FunctionTransformer(split)

        X, y = two_classes
        split_fit = Split(
            build, loss="bce", random_state=0, validation_split=0.1, batch_size=16, epochs=2
        ).fit(X, y, sample_weight=np.linspace(1, 2, len(y)))
        assert split_fit.predict_proba(X).shape == (len(y), 2)
        assert len(split_fit.history_["val_loss"]) == 2

    def test_several_outputs(self, regression):
        class Columns(FunctionTransformer):
            def __init__(self):
                super().__init__(
                    lambda y: [y[:, :1], y[:, 1:]], lambda parts: np.hstack(parts), validate=False
                )

            def get_metadata(self):
                return {"n_outputs_expected_": 2}

        def build():
            inputs = keras.Input((4,))
            return keras.Model(inputs, [keras.layers.Dense(1)(inputs) for _ in range(2)])

        class TwoHeads(KerasRegressor):
            @property
            def target_encoder(self):
                return Columns()

        X, y = regression
        both = np.column_stack([y, -y])
        heads = TwoHeads(build, loss="mse", optimizer="adam", optimizer__learning_rate=0.1)
        fitted = heads.set_params(epochs=30, random_state=0).fit(X, both)
        assert fitted.predict(X).shape == both.shape
        assert fitted.score(X, both) > 0.9

    def test_a_column_of_targets_stays_a_column(self, regression, two_classes):
        X, y = two_classes
        assert eager_classifier().fit(X, y[:, None]).predict(X).shape == (len(y), 1)
        X, y = regression
        regressor = KerasRegressor(build_regressor, run_eagerly=True).fit(X, y[:, None])
        assert regressor.predict(X).shape == (len(y), 1)

    @pytest.mark.parametrize(
        ("units", "activation", "loss"),
        [
            (1, "sigmoid", "binary_crossentropy"),
            (2, "softmax", "sparse_categorical_crossentropy"),
            (1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
            (2, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
            (1, "tanh", "hinge"),
        ],
        ids=["sigmoid", "softmax", "logit", "logits", "hinge"],
    )
    def test_two_classes_from_any_kind_of_output(self, units, activation, loss, two_classes):
        X, y = two_classes
        fitted = KerasClassifier(
            lambda: sigmoid_model(units, activation=activation),
            loss=loss,
            optimizer="adam",
            optimizer__learning_rate=0.1,
            epochs=10,
            random_state=0,
        ).fit(X, y)
        probabilities = fitted.predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_array_equal(probabilities.argmax(axis=1), fitted.predict(X))
        assert fitted.score(X, y) > 0.9

    @pytest.mark.parametrize(
        "loss", ["categorical_crossentropy", keras.losses.CategoricalCrossentropy]
    )
    def test_categorical_crossentropy_gets_columns(self, loss, three_classes):
        X, y = three_classes
        fitted = KerasClassifier(
            lambda: sigmoid_model(3, activation="softmax"), loss=loss, run_eagerly=True
        ).fit(X, np.array(["a", "b", "c"])[y])
        assert set(fitted.predict(X)) <= {"a", "b", "c"}

    def test_outputs_that_are_no_probabilities_predict_but_have_none(self, three_classes):
        X, y = three_classes
        fitted = KerasClassifier(
            lambda: sigmoid_model(3, activation=None), loss="categorical_hinge", run_eagerly=True
        ).fit(10 * X, y)
        assert set(fitted.predict(10 * X)) <= {0, 1, 2}
        with pytest.raises(ValueError, match="are not probabilities"):
            fitted.predict_proba(10 * X)

    def test_wrong_number_of_output_units(self, three_classes, regression):
        with pytest.raises(ValueError, match=r"has 1 output unit.* needs 3"):
            KerasClassifier(sigmoid_model, loss="bce").fit(*three_classes)
        with pytest.raises(ValueError, match=r"has 2 output unit.* needs 1"):
            KerasRegressor(lambda: sigmoid_model(2), loss="mse").fit(*regression)


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "cause"),
        [
            ({"epochs": 0}, "'epochs'"),
            ({"fit__epochs": -1}, "'fit__epochs'"),
            ({"epochs": 1.5}, "'epochs'"),
            ({"batch_size": 0}, "'batch_size'"),
            ({"fit__batch_size": "full"}, "'fit__batch_size'"),
            ({"validation_split": 1.0}, "'validation_split'"),
            ({"random_state": "zero"}, "'random_state'"),
            ({"optimizer__learning_rate": 0.0}, "learning rate .* got 0"),
            ({"optimizer__learning_rate": -0.1}, r"learning rate .* got -0\.1"),
            ({"optimizer__learning_rate": np.nan}, "learning rate .* got nan"),
            ({"optimizer__learning_rate": np.inf}, "learning rate .* got inf"),
            # Named, as the address of an instance differs between the workers of a parallel run.
            pytest.param({"optimizer": keras.optimizers.SGD(-0.1)}, "learning rate", id="instance"),
            ({"optimizer__learning_rate": None}, "learning_rate"),
            ({"optimizer__learning_rat": 0.1}, "learning_rat"),
            ({"model__neuron": 3}, "'model__neuron'. Did you mean 'model__neurons'"),
            ({"neuron": 3}, "'neuron'. Did you mean 'neurons'"),
            ({"epoch": 3}, "'epoch'. Did you mean 'epochs'"),
            ({"optimiser__momentum": 0.1}, "Did you mean 'optimizer__momentum'"),
            ({"fit__epoch": 3}, "epoch"),
        ],
        ids=str,
    )
    def test_a_wrong_parameter_is_named(self, parameters, cause, two_classes):
        with pytest.raises((ValueError, TypeError), match=cause):
            eager_classifier(**parameters).fit(*two_classes)

    def test_all_mistakes_are_named_at_once(self, two_classes):
        wrong = eager_classifier(epochs=0, neuron=3, model__activatoin="tanh")
        with pytest.raises(InvalidParameterError) as raised:
            wrong.fit(*two_classes)
        for name in ("'epochs'", "'neurons'", "'model__activation'"):
            assert name in str(raised.value)

    def test_a_wrong_argument_of_fit_is_named(self, two_classes):
        with pytest.raises(ValueError, match=r"'epochs' parameter of KerasClassifier\.fit"):
            eager_classifier().fit(*two_classes, epochs=0)

    def test_a_schedule_may_begin_with_a_rate_of_zero(self, two_classes):
        schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 0.1)
        fitted = eager_classifier(optimizer__learning_rate=schedule).fit(*two_classes)
        assert fitted.stop_reason_ == "epochs"

    @pytest.mark.parametrize("value", [1e300, np.nan, np.inf])
    def test_targets_that_keras_cannot_represent(self, value, regression):
        X, y = regression
        with pytest.raises(ValueError, match="Input y contains"):
            KerasRegressor(build_regressor).fit(X, np.r_[value, y[1:]])

    def test_targets_that_are_no_numbers(self, regression):
        with pytest.raises(ValueError, match="needs a target of numbers"):
            KerasRegressor(build_regressor).fit(regression[0], ["a"] * 120)

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_a_loss_that_explodes_ends_the_fit_with_finite_weights(self, regression):
        X, y = regression
        regressor = KerasRegressor(
            build_regressor, optimizer="sgd", optimizer__learning_rate=1e20, epochs=9
        )
        with pytest.warns(NonFiniteLossWarning, match="KerasRegressor") as caught:
            regressor.fit(X, y)
        assert caught[0].filename == __file__
        assert regressor.stop_reason_ == "non_finite_loss"
        assert len(regressor.history_["loss"]) < 9
        assert np.isfinite(regressor.predict(X)).all()


class TestParameters:
    def test_extra_ones_survive_clone_pickle_and_representation(self):
        classifier = KerasClassifier(build_classifier, neurons=3, optimizer__learning_rate=0.1)
        for copied in (clone(classifier), pickle.loads(pickle.dumps(classifier))):
            assert copied.get_params() == classifier.get_params()
            assert (copied.neurons, copied.optimizer__learning_rate) == (3, 0.1)
        printed = " ".join(repr(classifier).split())
        assert printed.startswith("KerasClassifier(model=<function build_classifier at ")
        assert printed.endswith(">, neurons=3, optimizer__learning_rate=0.1)")
        assert "optimizer__learning_rate" in classifier._repr_html_()

    def test_a_subclass_as_in_the_documentation_of_scikeras(self, two_classes):
        class Perceptron(KerasClassifier):
            def __init__(
                self,
                hidden_layer_sizes=(5,),
                optimizer="adam",
                optimizer__learning_rate=0.001,
                epochs=200,
                **kwargs,
            ):
                super().__init__(**kwargs)
                self.hidden_layer_sizes = hidden_layer_sizes
                self.optimizer = optimizer
                self.epochs = epochs

            def _keras_build_fn(self, compile_kwargs):
                model = keras.Sequential([keras.Input((self.n_features_in_,))])
                for size in self.hidden_layer_sizes:
                    model.add(keras.layers.Dense(size, activation="relu"))
                model.add(keras.layers.Dense(1, activation="sigmoid"))
                model.compile(loss="binary_crossentropy", optimizer=compile_kwargs["optimizer"])
                return model

        copied = clone(Perceptron(hidden_layer_sizes=(3, 2), epochs=2, random_state=0))
        with pytest.warns(UserWarning, match=r"self\.optimizer__learning_rate = "):
            copied.fit(*two_classes)
        assert [layer.units for layer in copied.model_.layers] == [3, 2, 1]
        assert len(copied.history_["loss"]) == 2

    def test_a_subclass_whose_constructor_lets_nothing_through(self, two_classes):
        class Fixed(KerasClassifier):
            def __init__(self, neurons=2):
                super().__init__(
                    build_classifier, model__neurons=neurons, epochs=3, run_eagerly=True
                )
                self.neurons = neurons

        fitted = clone(Fixed(neurons=3)).fit(*two_classes)
        assert fitted.get_params(deep=False) == {"neurons": 3}
        assert len(fitted.history_["loss"]) == 3
        assert fitted.model_.layers[0].units == 3


def test_folds_are_those_of_a_stratified_split(two_classes):
    X, y = two_classes
    estimator = eager_classifier()
    by_number = cross_val_score(estimator, X, y, cv=3, scoring="roc_auc")
    by_splitter = cross_val_score(estimator, X, y, cv=StratifiedKFold(3), scoring="roc_auc")
    np.testing.assert_array_equal(by_number, by_splitter)
