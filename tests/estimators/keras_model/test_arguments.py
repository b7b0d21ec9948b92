"""What reaches Keras is of Python's types, and belongs to one fit alone."""

import collections
import threading

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import KerasClassifier, KerasRegressor
from skhp.estimators.keras_model.arguments import in_python_types, separate_callbacks

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
y = (X[:, 0] + X[:, 1] > 0).astype(int)


def build(units=4):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def wrapper(model=build, **parameters):
    return KerasClassifier(
        model, **{"loss": "bce", "random_state": 0, "engine": "keras", **parameters}
    )


class TestPythonTypes:
    Pair = collections.namedtuple("Pair", "width depth")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (np.int64(4), 4),
            (np.uint8(4), 4),
            (np.float32(0.5), 0.5),
            (np.float64(0.1), 0.1),
            (np.bool_(True), True),
            (np.str_("tanh"), "tanh"),
            (np.array(4), 4),
            ([np.int64(4), (np.int32(2),)], [4, (2,)]),
            ({"units": [np.int64(4)]}, {"units": [4]}),
            (Pair(np.int64(4), 2), Pair(4, 2)),
            (None, None),
            ("tanh", "tanh"),
        ],
        ids=repr,
    )
    def test_take_the_place_of_numpys(self, value, expected):
        converted = in_python_types(value)
        assert converted == expected
        assert self.types_in(converted) == self.types_in(expected)

    def types_in(self, value):
        if isinstance(value, dict):
            return {name: self.types_in(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value), [self.types_in(part) for part in value]
        return type(value)

    def test_leave_arrays_alone(self):
        array = np.arange(3)
        assert in_python_types({"weights": array})["weights"] is array

    @pytest.mark.parametrize("name", ["units", "model__units"])
    def test_reach_the_build_function(self, name):
        seen = []

        def noting(units, meta, params):
            seen.append([type(units), type(params[name]), type(meta["n_features_in_"])])
            return build(units)

        fitted = wrapper(noting, **{name: np.int64(3)}).fit(X, y)
        assert seen == [[int, int, int]]
        # The parameter itself stays what the user, or a search, gave.
        assert type(fitted.get_params()[name]) is np.int64

    def test_reach_optimizer_loss_callbacks_and_fit(self):
        fitted = wrapper(
            engine="auto",
            optimizer=np.str_("sgd"),
            optimizer__learning_rate=np.float32(0.5),
            optimizer__nesterov=np.bool_(True),
            optimizer__momentum=np.float64(0.25),
            loss=keras.losses.BinaryCrossentropy,
            loss__label_smoothing=np.float32(0.25),
            metrics=[np.str_("accuracy")],
            callbacks=keras.callbacks.EarlyStopping,
            callbacks__patience=np.int64(3),
            callbacks__monitor=np.str_("loss"),
            validation_split=np.float64(0.25),
            batch_size=np.int64(10),
            epochs=np.int64(2),
        ).fit(X, y)
        assert fitted.model_.optimizer.nesterov is True
        assert type(fitted.callbacks_[0].patience) is int
        assert len(fitted.history_["val_accuracy"]) == 2
        # To be written down as JSON, settings have to be Python's own.
        assert type(fitted.model_.loss.get_config()["label_smoothing"]) is float

    @pytest.mark.parametrize("searcher", [GridSearchCV, skhp.GridSearchCV, skhp.TPESearchCV])
    def test_reach_the_build_function_in_a_search_that_keeps_numpys(self, searcher):
        more = {"n_iter": 1} if searcher is skhp.TPESearchCV else {}
        search = searcher(wrapper(), {"units": np.arange(3, 4)}, cv=2, scoring="f1", **more)
        assert search.fit(X, y).best_estimator_.model_.layers[0].units == 3
        assert type(search.best_params_["units"]) is np.int64

    def test_of_epochs_reach_the_population(self):
        parameters = {"engine": "population", "epochs": np.int64(2), "random_state": 0}
        fitted = KerasClassifier(build, loss="bce", **parameters).fit(X, y)
        assert len(fitted.history_["loss"]) == 2
        again = clone(fitted).set_params(epochs=1).fit(X, y, epochs=np.int32(2))
        assert again.history_ == fitted.history_


class Remembering(keras.callbacks.Callback):
    """Ends a training after some epochs, which it counts in an object that a copy would share."""

    def __init__(self, epochs=2):
        super().__init__()
        self.epochs = epochs
        self.seen = {"epochs": 0}
        self.started = threading.Lock()

    def on_train_begin(self, logs=None):
        self.seen["epochs"] = 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen["epochs"] += 1
        self.model.stop_training = self.seen["epochs"] >= self.epochs


class TestCallbacks:
    @pytest.mark.parametrize("place", ["fit", "estimator", "fit__", "pipeline", "nested"])
    def test_belong_to_one_fit(self, place):
        stopping = Remembering()
        given = {"nested": {"stop": [[stopping]]}}.get(place, [stopping])
        to_estimator = {"estimator": {"callbacks": given}, "fit__": {"fit__callbacks": given}}
        estimator = wrapper(epochs=4, **to_estimator.get(place, {}))
        to_fit = {} if place in to_estimator else {"callbacks": given}
        if place == "pipeline":
            estimator = make_pipeline(StandardScaler(), estimator)
            to_fit = {"kerasclassifier__callbacks": given}
        estimator.fit(X, y, **to_fit)
        network = estimator[-1] if place == "pipeline" else estimator
        assert len(network.history_["loss"]) == 2
        assert network.callbacks_[0].seen == {"epochs": 2}
        assert network.callbacks_[0].model is network.model_
        assert stopping.seen == {"epochs": 0}
        assert stopping.model is None

    def test_given_to_fit_do_not_meet_in_threads(self):
        both_train = threading.Barrier(2)

        class Meeting(Remembering):
            def on_train_begin(self, logs=None):
                super().on_train_begin(logs)
                both_train.wait(timeout=60)

        stopping = Meeting(epochs=3)

        def epochs():
            return len(wrapper(epochs=5).fit(X, y, callbacks=[stopping]).history_["loss"])

        with joblib.parallel_config(backend="threading", n_jobs=2):
            assert joblib.Parallel()(joblib.delayed(epochs)() for _ in range(2)) == [3, 3]

    def test_of_a_search_give_the_scores_of_one_worker(self):
        scores = []
        for n_jobs in (1, 2):
            search = GridSearchCV(wrapper(epochs=4), {"units": [2, 3]}, cv=2, scoring="roc_auc")
            with joblib.parallel_config(backend="threading", n_jobs=n_jobs):
                search.fit(X, y, callbacks=[Remembering()])
            scores.append(search.cv_results_["mean_test_score"].tolist())
        assert scores[0] == scores[1]

    def test_that_share_something_go_on_sharing_it(self):
        one, other = Remembering(), Remembering()
        other.seen = one.seen
        copies = separate_callbacks([one, other])
        assert copies[0].seen is copies[1].seen
        assert copies[0].seen is not one.seen

    def test_keep_what_cannot_be_copied_and_the_functions_of_the_user(self):
        notes = []
        lambda_callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda e, logs: notes.append(e)
        )
        remembering = Remembering()
        fitted = wrapper(epochs=2).fit(X, y, callbacks=[lambda_callback, remembering])
        assert notes == [0, 1]
        assert fitted.callbacks_[1].started is remembering.started

    def test_are_instances_where_they_are_given_to_fit(self):
        with pytest.raises(TypeError, match=r"got <class .*\. Call it: EarlyStopping"):
            wrapper().fit(X, y, callbacks=[keras.callbacks.EarlyStopping])

    def test_of_a_prediction_belong_to_it(self):
        class Counting(keras.callbacks.Callback):
            batches = 0

            def on_predict_batch_end(self, batch, logs=None):
                self.batches += 1
                batches.append(self.batches)

        batches: list[int] = []
        fitted, counting = wrapper().fit(X, y), Counting()
        for _ in range(2):
            fitted.predict(X, callbacks=[counting], batch_size=40)
        assert (batches, counting.batches) == ([1, 1], 0)


class TestObjectsForTheBuildFunction:
    """A second fit with the same seed is the first one once more."""

    @staticmethod
    def twice(estimator):
        first = estimator.fit(X, y).model_.get_weights()
        second = estimator.fit(X, y).model_.get_weights()
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("nested", [False, True])
    def test_optimizers(self, nested):
        def compiled(optimizer):
            model = build()
            model.compile(optimizer[0] if nested else optimizer, "binary_crossentropy")
            return model

        optimizer = keras.optimizers.Adam(0.1)
        given = [optimizer] if nested else optimizer
        self.twice(wrapper(compiled, loss=None, epochs=2, model__optimizer=given))
        assert not optimizer.built

    @pytest.mark.parametrize("kind", ["layer", "built layer", "model"])
    def test_layers_and_models(self, kind):
        def stacked(part):
            return keras.Sequential([keras.Input((3,)), part, keras.layers.Dense(1, "sigmoid")])

        part = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        if "layer" in kind:
            part = keras.layers.Dense(2)
        if kind == "built layer":
            part.build((None, 3))
        before = part.get_weights()
        self.twice(wrapper(stacked, part=part, epochs=2))
        for old, new in zip(before, part.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)

    def test_what_an_earlier_fit_left(self):
        def knowing(meta, units=2):
            # In a second fit, the model of the first is there, too.
            return build(units)

        self.twice(wrapper(knowing, epochs=2))

    def test_lists_that_the_function_uses_up(self):
        def used_up(sizes):
            return keras.Sequential(
                [keras.Input((3,)), keras.layers.Dense(sizes.pop()), keras.layers.Dense(1)]
            )

        regressor = KerasRegressor(used_up, sizes=[2], loss="mse", random_state=0)
        self.twice(regressor)
        assert regressor.sizes == [2]

    def test_a_model_by_its_former_name_is_not_trained_itself(self):
        model = build()
        model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
        before = model.get_weights()
        with pytest.warns(UserWarning, match="build_fn"):
            wrapper(None, build_fn=model, loss=None).fit(X, y)
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
