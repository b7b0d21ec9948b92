"""Custom models trained by populations: the numbers of Keras' own fit, alone and together."""

import contextlib
import copy
import logging
import pickle

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate

from skhp import CannotJoinError, KerasClassifier, KerasRegressor, NonFiniteLossWarning
from skhp.estimators.keras_model import wrapped_fit as scikeras_fit
from skhp.networks.layered_network import LayeredNetwork
from skhp.population.handover import AdoptableFit, adopting, shared_preparation
from skhp.training.cohort.cohort import train_cohort
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow

LAYERS = keras.layers
SCHEDULES = keras.optimizers.schedules


def build_normalised(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            LAYERS.Dense(6, use_bias=False, kernel_regularizer="l1l2"),
            LAYERS.BatchNormalization(),
            LAYERS.ReLU(),
            LAYERS.Dense(1, bias_regularizer="l2"),
        ]
    )


def build_skipping(meta, units=4, rate=0.0):
    """Not a stack, so that it is vectorised as it is."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = LAYERS.Dense(units, activation="tanh", kernel_regularizer="l2")(inputs)
    joined = LAYERS.Concatenate()([inputs, LAYERS.Dropout(rate)(hidden)])
    return keras.Model(inputs, LAYERS.Dense(1)(joined))


def build_unbuilt():
    return keras.Sequential([LAYERS.Dense(3, activation="relu"), LAYERS.Dense(1)])


def build_dropping(place):
    hidden = [LAYERS.Dense(6, "tanh"), LAYERS.Dense(6, "tanh")]
    hidden.insert(place, LAYERS.Dropout(0.5))
    return keras.Sequential([keras.Input((4,)), *hidden, LAYERS.Dense(1)])


def own_metric(y, outputs):
    return keras.ops.abs(outputs - keras.ops.reshape(y, (-1, 1)))


class OwnMetric(keras.metrics.MeanSquaredError):
    pass


class OwnModel(keras.Sequential):
    def train_step(self, *arguments, **keywords):
        return super().train_step(*arguments, **keywords)


def regressor(model=build_regressor, **parameters):
    return KerasRegressor(
        model,
        **{
            "loss": "mean_squared_error",
            "optimizer": "adam",
            "optimizer__learning_rate": 0.02,
            "batch_size": 16,
            "epochs": 4,
            "random_state": 0,
            "engine": "population",
            **parameters,
        },
    )


def classifier(**parameters):
    return KerasClassifier(
        build_classifier,
        **{
            "optimizer": "adam",
            "optimizer__learning_rate": 0.02,
            "batch_size": 16,
            "epochs": 4,
            "random_state": 0,
            "engine": "population",
            **parameters,
        },
    )


def assert_same_weights(one, other, tolerance=1e-4):
    pairs = zip(one.model_.get_weights(), other.model_.get_weights(), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def assert_same_fit(one, other, tolerance=1e-4):
    assert_same_weights(one, other, tolerance)
    assert set(one.history_) == set(other.history_)
    for name, values in other.history_.items():
        np.testing.assert_allclose(one.history_[name], values, rtol=1e-3, atol=1e-5)
    assert one.stop_reason_ == other.stop_reason_
    ours, theirs = one.model_.optimizer.variables, other.model_.optimizer.variables
    for variable, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-3, atol=1e-4)


def by_both(estimator, X, y, **fit_params):
    """The fit of the population's trainer, and that of Keras."""
    keras_own = clone(estimator).set_params(engine="keras")
    return estimator.fit(X, y, **fit_params), keras_own.fit(X, y, **fit_params)


@contextlib.contextmanager
def trained_together():
    """Inside, a fit finds its result in a population or fails."""

    def refuse(task):
        raise AssertionError("the fit was trained by itself")

    with pytest.MonkeyPatch.context() as patch, joblib.parallel_config(backend="skhp"):
        patch.setattr(scikeras_fit, "LoneFit", refuse)
        yield


class TestAgainstKeras:
    @pytest.mark.parametrize(
        "optimizer",
        [
            keras.optimizers.RMSprop(0.01, weight_decay=0.01),
            keras.optimizers.Nadam(0.02),
            keras.optimizers.Adam(SCHEDULES.ExponentialDecay(0.05, 5, 0.8)),
        ],
        ids=lambda optimizer: optimizer.name,
    )
    def test_settings_and_schedules_of_optimizers(self, optimizer, regression):
        parameters = {**regressor().get_params(), "optimizer": optimizer}
        parameters.pop("optimizer__learning_rate")
        assert_same_fit(*by_both(KerasRegressor(**parameters), *regression))

    @pytest.mark.parametrize(
        "loss",
        [
            keras.losses.Huber(0.5),
            keras.losses.MeanSquaredError(reduction="sum"),
            keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
        ],
        ids=["settings", "sum", "weighted mean"],
    )
    def test_every_loss_and_weights_and_rows_held_out(self, loss, regression):
        X, y = regression
        estimator = regressor(
            loss=loss,
            optimizer="sgd",
            optimizer__learning_rate=1e-3,
            validation_split=0.3,
            validation_batch_size=10,
        )
        weight = np.random.default_rng(0).uniform(0, 2, size=len(y))
        weight[::7] = 0
        assert_same_fit(*by_both(estimator, X, y, sample_weight=weight))

    def test_a_loss_that_is_a_function_of_keras_is_the_loss_by_its_name(self, regression):
        by_name, by_function = (
            regressor(loss=loss).__skhp_fit_task__(*regression)
            for loss in ("mean_squared_error", keras.losses.mean_squared_error)
        )
        assert by_function.program == by_name.program

    @pytest.mark.parametrize("model", [build_normalised, build_unbuilt])
    def test_every_kind_of_model(self, model, regression):
        assert_same_fit(*by_both(regressor(model, validation_split=0.2), *regression))

    @pytest.mark.usefixtures("compiled_steps")
    def test_classes_and_their_weights(self, two_classes):
        assert_same_fit(*by_both(classifier(class_weight="balanced"), *two_classes))

    def test_validation_data(self, three_classes):
        X, y = three_classes
        names = np.array(["a", "b", "c"])[y]
        given = (X[:30], names[:30], np.linspace(0, 1, 30))
        assert_same_fit(*by_both(classifier(), X, names, validation_data=given))

    @pytest.mark.parametrize("weighted", [False, True])
    def test_one_batch_of_all_rows(self, weighted, regression):
        X, y = np.repeat(regression[0], 2, axis=0), np.repeat(regression[1], 2)
        weight = np.linspace(0.5, 1.5, len(y)) if weighted else None
        fits = by_both(regressor(batch_size=-1), X, y, sample_weight=weight)
        assert_same_fit(*fits)

    @pytest.mark.parametrize("batch_size", [-1, 7])
    def test_rows_that_stay_in_order(self, batch_size, regression):
        model = regressor(batch_size=batch_size, shuffle=False)
        assert_same_fit(*by_both(model, *regression))
        # In another order they are learnt otherwise, unless they are one batch.
        shuffled = clone(model).set_params(shuffle=True).fit(*regression)
        same = np.allclose(
            shuffled.predict(regression[0]), model.fit(*regression).predict(regression[0])
        )
        assert same == (batch_size == -1)

    def test_validation_loss_of_outputs_that_saturate(self, two_classes):
        # Functional, and so vectorised; far from the other class, a sigmoid is 1 in float32.
        def build():
            inputs = keras.Input((4,))
            hidden = LAYERS.Dense(3, activation="relu")(inputs)
            return keras.Model(inputs, LAYERS.Dense(1, activation="sigmoid")(hidden))

        X, y = two_classes
        model = classifier(epochs=2, validation_split=0.2, loss="binary_crossentropy")
        model.set_params(model=build)
        ours, keras_own = by_both(model, 300 * X, y)
        assert_same_fit(ours, keras_own)
        assert max(ours.history_["val_loss"]) > 10

    def test_rows_of_more_dimensions(self, regression):
        X, y = regression

        def build():
            return keras.Sequential([keras.Input((2, 2)), LAYERS.Flatten(), LAYERS.Dense(1)])

        assert_same_fit(*by_both(regressor(build), X.reshape(-1, 2, 2), y))

    def test_images(self):
        generator = np.random.default_rng(0)
        images = generator.normal(size=(70, 6, 6, 2)).astype(np.float32)
        images[:, :2, :3] = 1

        def build():
            return keras.Sequential(
                [
                    keras.Input((6, 6, 2)),
                    LAYERS.Conv2D(4, 3, padding="same", use_bias=False, kernel_regularizer="l2"),
                    LAYERS.BatchNormalization(momentum=0.8),
                    LAYERS.Activation("relu"),
                    LAYERS.MaxPooling2D(),
                    LAYERS.ZeroPadding2D(1),
                    LAYERS.Conv2D(5, (2, 3), strides=(2, 1), activation="relu"),
                    LAYERS.MaxPooling2D(2, strides=1),
                    LAYERS.Conv2D(3, 1, activation="tanh"),
                    LAYERS.GlobalAveragePooling2D(),
                    LAYERS.Dense(1),
                ]
            )

        model = regressor(build, optimizer="sgd", validation_split=0.2)
        assert_same_fit(*by_both(model, images, images[:, 2, 2, 0] + images[:, 4, 5, 1]))
        task = clone(model).__skhp_fit_task__(images, images[:, 0, 0, 0])
        assert isinstance(task.network, LayeredNetwork)

    def test_whole_numbers(self, regression):
        X, y = regression
        assert_same_fit(*by_both(regressor(), np.round(X * 5).astype(int), y))

    def test_words(self, regression):
        X, y = np.digitize(regression[0], [-0.5, 0.5]), regression[1]

        def build():
            return keras.Sequential(
                [
                    keras.Input((4,), dtype="int32"),
                    LAYERS.Embedding(3, 2),
                    LAYERS.SimpleRNN(2),
                    LAYERS.Dense(1),
                ]
            )

        assert_same_fit(*by_both(regressor(build, epochs=2), X, y))

    def test_in_one_batch_a_weight_is_that_many_rows_to_the_last_bit(self, regression):
        X, y = regression
        weight = np.random.default_rng(0).integers(1, 4, size=len(y))
        weighted = regressor(batch_size=-1).fit(X, y, sample_weight=weight)
        order = np.random.default_rng(1).permutation(np.repeat(np.arange(len(y)), weight))
        repeated = regressor(batch_size=-1).fit(X[order], y[order])
        assert_same_weights(weighted, repeated, tolerance=0)

    def test_going_on(self, regression):
        fits = [regressor(engine=engine) for engine in ("population", "keras")]
        for estimator in fits:
            for _ in range(3):
                estimator.partial_fit(*regression)
            estimator.set_params(warm_start=True).fit(*regression)
            estimator.fit(*regression, initial_epoch=7)
        assert_same_fit(*fits)
        assert len(fits[0].history_["loss"]) == 8
        assert fits[0].model_.optimizer.iterations == 11 * 8

    def test_engines_take_turns(self, regression):
        turns = [regressor() for _ in range(2)]
        for estimator, engines in zip(turns, (["population", "keras"], ["keras"] * 2), strict=True):
            for engine in engines:
                estimator.set_params(engine=engine).partial_fit(*regression)
        assert_same_fit(*turns)

    def test_a_model_that_was_trained_before_goes_on(self, regression):
        X, y = regression
        model = build_skipping({"n_features_in_": 4})
        model.compile(keras.optimizers.Adam(0.02), "mse")
        model.fit(X, y, verbose=0)
        ours, keras_own = by_both(regressor(model), X, y)
        assert_same_fit(ours, keras_own)
        assert ours.model_.optimizer.iterations == 4 + 4 * 8

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_a_loss_that_explodes(self, regression):
        estimator = regressor(optimizer="sgd", optimizer__learning_rate=1e20, epochs=9)
        with pytest.warns(NonFiniteLossWarning, match="epoch") as caught:
            ours = clone(estimator).fit(*regression)
        with pytest.warns(NonFiniteLossWarning, match="epoch") as expected:
            keras_own = estimator.set_params(engine="keras").fit(*regression)
        assert [w.filename for w in (caught[0], expected[0])] == [__file__] * 2
        assert str(caught[0].message) == str(expected[0].message)
        assert ours.stop_reason_ == keras_own.stop_reason_ == "non_finite_loss"
        assert len(ours.history_["loss"]) == len(keras_own.history_["loss"])
        assert_same_weights(ours, keras_own)


class TestEngine:
    def test_it_is_a_parameter_like_any_other(self):
        assert clone(classifier()).get_params()["engine"] == "population"
        assert KerasRegressor(build_regressor).engine == "auto"
        with pytest.raises(ValueError, match="'engine'"):
            classifier(engine="jax").fit([[0.0], [1.0]], [0, 1])

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"metrics": [own_metric]}, "the metric 'own_metric'"),
            ({"run_eagerly": True}, "run_eagerly"),
            ({"callbacks": keras.callbacks.TerminateOnNaN}, "callbacks"),
            ({"fit__steps_per_epoch": 2}, "steps_per_epoch"),
            ({"fit__validation_freq": 2, "validation_split": 0.2}, "validation_freq"),
            ({"loss": lambda y, outputs: keras.ops.mean((y - outputs) ** 2)}, "the loss"),
            ({"optimizer": "adamax"}, "Adamax"),
            ({"optimizer__clipnorm": 1.0}, "clipnorm"),
            ({"compile__weighted_metrics": [OwnMetric()]}, "the metric 'OwnMetric'"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_what_only_keras_can_do_is_told(self, parameters, reason, regression):
        with pytest.raises(CannotJoinError, match=reason):
            regressor(build_unbuilt, **parameters).fit(*regression)

    def test_what_only_keras_can_do_is_left_to_it(self, regression):
        def build():
            return OwnModel([keras.Input((4,)), LAYERS.Dense(1, kernel_constraint="non_neg")])

        own = {"metrics": [own_metric], "compile__weighted_metrics": [OwnMetric()]}
        settings = {"optimizer": "adamax", "optimizer__clipnorm": 1.0, "fit__validation_freq": 2}
        estimator = regressor(
            build, engine="auto", epochs=2, validation_split=0.2, **own, **settings
        ).fit(*regression)
        assert len(estimator.history_["loss"]) == 2
        assert len(estimator.history_["val_own_metric"]) == 1
        assert estimator.model_.get_weights()[0].min() >= 0
        assert estimator.stop_reason_ == "epochs"

    def test_each_reason_is_logged_once(self, regression, caplog):
        class Logged(KerasRegressor):
            """A name of its own, so that nothing was logged of it before."""

        def build(kind):
            value = "non_neg" if kind == "kernel_constraint" else "orthogonal_regularizer"
            settings = {kind: value}
            return keras.Sequential([keras.Input((4,)), LAYERS.Dense(1, **settings)])

        with caplog.at_level(logging.INFO, logger="skhp"):
            constraint, penalty = "kernel_constraint", "kernel_regularizer"
            for kind in (constraint, constraint, penalty, constraint):
                Logged(build, model__kind=kind, loss="mse").fit(*regression)
            Logged(build, model__kind=constraint, loss="mse", engine="keras").fit(*regression)
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 2
        assert "has a constraint" in told[0]
        assert "regulariser" in told[1]

    @pytest.mark.parametrize(
        "layers",
        [
            lambda: [LAYERS.Dense(1, kernel_constraint="non_neg")],
            lambda: [LAYERS.Dense(1, dtype="float64")],
            lambda: [LAYERS.Dense(1, kernel_regularizer="orthogonal_regularizer")],
        ],
        ids=["constraint", "float64", "regulariser"],
    )
    def test_models_that_only_keras_can_train(self, layers, regression):
        def build():
            return keras.Sequential([keras.Input((4,)), *layers()])

        with pytest.raises(CannotJoinError):
            regressor(build).fit(*regression)

    @pytest.mark.parametrize("method", ["train_step", "compute_loss", "test_step"])
    def test_a_model_that_trains_in_its_own_way(self, method, regression):
        def own(self, *arguments, **keywords):
            return getattr(keras.Model, method)(self, *arguments, **keywords)

        kind = type("Own", (keras.Sequential,), {method: own})

        def build():
            return kind([keras.Input((4,)), LAYERS.Dense(1)])

        with pytest.raises(CannotJoinError, match=f"Own trains in its own way, by its {method}"):
            regressor(build).fit(*regression)

    def test_a_class_of_the_users_that_trains_in_its_own_way(self, regression):
        class Halved(KerasRegressor):
            def _fit_keras_model(self, *arguments, epochs, **keywords):
                super()._fit_keras_model(*arguments, epochs=epochs // 2, **keywords)

        fitted = Halved(build_unbuilt, loss="mse", epochs=4).fit(*regression)
        assert len(fitted.history_["loss"]) == 2

    def test_dropout_gives_the_same_bits_each_time(self, two_classes):
        dropping = classifier(model__dropout=0.5)
        first, second = (clone(dropping).fit(*two_classes) for _ in range(2))
        assert_same_weights(first, second, tolerance=0)
        other = clone(dropping).set_params(random_state=1).fit(*two_classes)
        without = classifier().fit(*two_classes)
        for changed in (other, without):
            assert changed.history_["loss"] != first.history_["loss"]


class TestPreparation:
    def test_it_leaves_no_trace(self, regression):
        estimator = regressor(random_state=np.random.RandomState(0), engine="auto")
        before = dict(vars(estimator))
        estimator.__skhp_fit_task__(*regression)
        assert vars(estimator) == before
        drawn = copy.deepcopy(estimator.random_state)
        # The first is refused before the seeds are drawn, the second when the model is compiled.
        stopping = {"callbacks": keras.callbacks.TerminateOnNaN}
        for refused in (stopping, {"callbacks": None, "optimizer": "adamax"}):
            with pytest.raises(CannotJoinError):
                estimator.set_params(**refused).__skhp_fit_task__(*regression)
        assert estimator.random_state.randint(1000) == drawn.randint(1000)
        assert not hasattr(estimator, "model_")

    def test_members_of_one_fold_share_their_stream(self, regression, two_classes):
        X, y = two_classes
        with shared_preparation():
            tasks = [
                classifier(model__neurons=neurons, batch_size=16).__skhp_fit_task__(X, y)
                for neurons in (2, 3, 3)
            ]
            weighted = classifier(class_weight="balanced").__skhp_fit_task__(X, y)
        assert tasks[0].stream == tasks[1].stream
        assert tasks[0].program != tasks[1].program
        assert tasks[1].start is tasks[2].start
        assert weighted.stream != tasks[0].stream

    def test_dropout_at_different_places_is_not_taken_for_the_same(self, regression):
        tasks = [
            regressor(build_dropping, model__place=place).__skhp_fit_task__(*regression)
            for place in (0, 1, 2)
        ]
        assert len({task.program for task in tasks}) == 3

    def test_a_member_is_the_estimator_fitted_alone(self, regression):
        candidates = [
            regressor(
                build_skipping,
                model__rate=rate,
                batch_size=batch_size,
                optimizer__learning_rate=learning_rate,
                epochs=20,
                validation_split=0.2,
            )
            for rate, batch_size, learning_rate in (
                (0.0, 16, 0.02),
                (0.5, 16, 0.02),
                (0.2, 24, 0.05),
                (0.2, 120, 0.01),
            )
        ]
        tasks = [candidate.__skhp_fit_task__(*regression) for candidate in candidates]
        assert len({task.program for task in tasks}) == 1
        for candidate, task, result in zip(candidates, tasks, train_cohort(tasks), strict=True):
            with adopting([AdoptableFit(candidate, *regression, {}, task, result)]):
                adopted = candidate.fit(*regression)
            alone = clone(candidate).fit(*regression)
            assert_same_fit(adopted, alone, tolerance=1e-3)
            np.testing.assert_allclose(
                adopted.predict(regression[0]), alone.predict(regression[0]), rtol=1e-2, atol=1e-3
            )
            copied = pickle.loads(pickle.dumps(adopted))
            assert_same_weights(
                copied.partial_fit(*regression), adopted.partial_fit(*regression), tolerance=1e-6
            )

    def test_two_estimators_that_adopt_one_result_share_no_model(self, regression):
        candidate = regressor()
        task = candidate.__skhp_fit_task__(*regression)
        (result,) = train_cohort([task])
        fits = (candidate, clone(candidate))
        with adopting([AdoptableFit(candidate, *regression, {}, task, result)]):
            for estimator in fits:
                estimator.fit(*regression)
        assert_same_fit(*fits)
        assert fits[0].model_ is not fits[1].model_
        before = fits[1].model_.get_weights()
        fits[0].partial_fit(*regression)
        for old, new in zip(before, fits[1].model_.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


class TestSearch:
    def test_a_grid_trains_as_a_population(self, two_classes):
        X, y = two_classes
        grid = [
            {"model__neurons": [3], "model__dropout": [0.0, 0.4]},
            {"optimizer__learning_rate": [0.1], "batch_size": [16, 40]},
            {"epochs": [3, 6], "class_weight": ["balanced"]},
        ]
        search = GridSearchCV(classifier(), grid, cv=2, scoring="neg_log_loss", refit=False)
        with trained_together():
            together = clone(search).fit(X, y).cv_results_
        apart = clone(search).fit(X, y).cv_results_
        for name in (f"split{fold}_test_score" for fold in range(2)):
            assert np.isfinite(together[name]).all()
            np.testing.assert_allclose(together[name], apart[name], rtol=1e-3, atol=1e-4)
        assert len(np.unique(together["mean_test_score"].round(3))) == len(together["params"])

    def test_weights_of_rows_reach_the_members(self, regression):
        X, y = regression
        weight = np.where(np.arange(len(y)) % 2, 5.0, 0.1)
        with trained_together():
            fitted = cross_validate(
                regressor(build_skipping),
                X,
                y,
                cv=2,
                params={"sample_weight": weight},
                return_estimator=True,
                return_indices=True,
            )
        train = fitted["indices"]["train"][1]
        alone = regressor(build_skipping).fit(X[train], y[train], sample_weight=weight[train])
        plain = regressor(build_skipping).fit(X[train], y[train])
        assert_same_fit(fitted["estimator"][1], alone, tolerance=1e-3)
        with pytest.raises(AssertionError):
            assert_same_weights(fitted["estimator"][1], plain, tolerance=1e-3)

    def test_what_cannot_join_is_fitted_by_keras(self, two_classes):
        estimator = classifier(engine="auto", epochs=1)
        grid = {"metrics": [None, ["AUC"]]}
        with joblib.parallel_config(backend="skhp"):
            search = GridSearchCV(estimator, grid, cv=2).fit(*two_classes)
        scores = search.cv_results_["mean_test_score"]
        np.testing.assert_allclose(scores[0], scores[1])
