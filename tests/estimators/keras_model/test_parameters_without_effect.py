"""A parameter that somebody set either has its effect or is refused with what to write."""

import functools
import re

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import InvalidParameterError, KerasClassifier
from skhp.estimators.keras_model.build_function import OfferedParameters

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
y = (X[:, 0] > 0).astype(int)
STOPPING = keras.callbacks.EarlyStopping
DECAY = keras.optimizers.schedules.ExponentialDecay


def without_address(value):
    """The name of a test is the same in each process of a parallel run."""
    return re.sub(r" at 0x\w+", "", str(value))


def plain(units=2):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def compiled(units=2, rate=0.01):
    model = plain(units)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def by_compile_kwargs(units=2, compile_kwargs=None):
    model = plain(units)
    model.compile(compile_kwargs["optimizer"], "binary_crossentropy")
    return model


def by_params(params):
    model = plain()
    model.compile(params["optimizer"], "binary_crossentropy", metrics=params.get("metrics"))
    return model


def by_all_kwargs(**offered):
    model = plain()
    model.compile(**{**offered["compile_kwargs"], "loss": "binary_crossentropy"})
    return model


def with_names_of_the_wrapper(epochs=3, batch_size=8, random_state=0, optimizer="adam"):
    return compiled(rate=epochs / 100)


class Done(keras.callbacks.Callback):
    def __init__(self, name):
        super().__init__()
        self.name = name


class OwnBuild(KerasClassifier):
    def __init__(self, optimizer="sgd", rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.optimizer = optimizer
        self.rate = rate

    def _keras_build_fn(self):
        model = plain()
        optimizer = keras.optimizers.get(self.optimizer)
        optimizer.learning_rate = self.rate
        model.compile(optimizer, "binary_crossentropy")
        return model


def wrapper(model, **parameters):
    return KerasClassifier(model, **{"random_state": 0, "engine": "keras", **parameters})


def fitted_optimizer(model, **parameters):
    return wrapper(model, **parameters).fit(X, y).model_.optimizer


REFUSED_BY_A_COMPILED_MODEL = {
    "optimizer": {"optimizer": "sgd"},
    "instance": {"optimizer": keras.optimizers.Adam(0.5)},
    "its argument": {"optimizer": "adam", "optimizer__learning_rate": 0.5},
    "loss": {"loss": "mse"},
    "settings of the loss": {
        "loss": keras.losses.BinaryCrossentropy,
        "loss__label_smoothing": 0.25,
    },
    "metrics": {"metrics": ["accuracy"]},
    "loss_weights": {"loss_weights": [2.0]},
    "weighted_metrics": {"weighted_metrics": ["accuracy"]},
    "routed to compile": {"compile__optimizer": "sgd"},
    "only routed to compile": {"compile__jit_compile": True},
}


@pytest.mark.parametrize("kind", REFUSED_BY_A_COMPILED_MODEL)
@pytest.mark.parametrize("built", [True, False], ids=["instance", "function"])
def test_what_a_compiled_model_does_not_hold_is_refused(kind, built):
    parameters = REFUSED_BY_A_COMPILED_MODEL[kind]
    with pytest.raises(InvalidParameterError, match="would have no effect") as raised:
        wrapper(compiled() if built else compiled, **parameters).fit(X, y)
    message = str(raised.value)
    assert "Adam" in message
    assert "binary_crossentropy" in message
    name = list(parameters)[-1]
    assert name in message
    assert ("model__" in message) is not built
    assert "uncompiled" in message


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"optimizer": "adam", "optimizer__learning_rate": 0.01},
        {"optimizer": keras.optimizers.Adam(0.01)},
        {"loss": "binary_crossentropy"},
        {"loss": "bce"},
        {"loss": keras.losses.BinaryCrossentropy},
        {"model__rate": 0.01},
    ],
    ids=without_address,
)
def test_what_a_compiled_model_holds_is_fine(parameters):
    assert fitted_optimizer(compiled, **parameters).name.startswith("adam")


def test_a_compiled_model_runs_eagerly_where_that_is_asked_for():
    assert wrapper(compiled, run_eagerly=True).fit(X, y).model_.run_eagerly
    assert wrapper(compiled(), compile__run_eagerly=True).fit(X, y).model_.run_eagerly
    assert not wrapper(compiled).fit(X, y).model_.run_eagerly


@pytest.mark.parametrize("build", [by_compile_kwargs, by_params, by_all_kwargs])
def test_what_a_build_function_looks_up_has_its_effect(build):
    optimizer = (
        fitted_optimizer(build, optimizer=keras.optimizers.SGD, optimizer__momentum=0.5)
        if build is not by_params
        else fitted_optimizer(build, optimizer="sgd")
    )
    assert isinstance(optimizer, keras.optimizers.SGD)


def test_what_a_build_function_does_not_look_up_is_refused():
    with pytest.raises(InvalidParameterError, match=r"metrics=\['accuracy'\] would have no effect"):
        wrapper(by_compile_kwargs, metrics=["accuracy"]).fit(X, y)
    history = wrapper(by_params, metrics=["accuracy"]).fit(X, y).history_
    assert "accuracy" in history


def test_a_method_of_a_subclass_may_make_of_it_what_it_likes():
    fitted = OwnBuild(optimizer="adam", rate=0.25, random_state=0, engine="keras").fit(X, y)
    assert isinstance(fitted.model_.optimizer, keras.optimizers.Adam)
    assert float(fitted.model_.optimizer.learning_rate) == 0.25
    with pytest.raises(InvalidParameterError, match="metrics"):
        clone(fitted).set_params(metrics=["accuracy"]).fit(X, y)


REFUSED_BY_NAME = {
    "argument of the function": (
        with_names_of_the_wrapper,
        {"epochs": 5},
        "epochs=5 does not reach the build function.* 3.* model__epochs",
    ),
    "another one": (with_names_of_the_wrapper, {"optimizer": "sgd"}, "model__optimizer"),
    "a seed": (with_names_of_the_wrapper, {"random_state": 7}, "model__random_state"),
    "with and without a prefix": (
        plain,
        {"units": 3, "model__units": 4},
        "units=3 has no effect beside model__units=4",
    ),
    "of fit": (plain, {"epochs": 3, "fit__epochs": 4}, "epochs=3 has no effect beside fit__epochs"),
    "of fit and predict": (
        plain,
        {"batch_size": 3, "fit__batch_size": 4, "predict__batch_size": 5},
        "batch_size=3 has no effect",
    ),
    "of compile": (
        plain,
        {"optimizer": "sgd", "compile__optimizer": "adam"},
        "optimizer='sgd' has no effect beside compile__optimizer",
    ),
    "to no callback": (plain, {"callbacks__patience": 3}, "callbacks is None. Give a class"),
    "to a callback that is made": (
        plain,
        {"callbacks": STOPPING(), "callbacks__patience": 3},
        "already. Give its class as callbacks",
    ),
    "to none of a list": (
        plain,
        {"callbacks": [STOPPING], "callbacks__1__patience": 3},
        "callbacks has the entries 0",
    ),
    "to none of a dict": (
        plain,
        {"fit__callbacks": {"stop": STOPPING}, "fit__callbacks__stopp__patience": 3},
        "fit__callbacks has the entries 'stop'",
    ),
    "to no metric": (plain, {"metrics__name": "a"}, "metrics is None"),
    "to a number": (
        plain,
        {"optimizer__learning_rate": 0.1, "optimizer__learning_rate__decay_steps": 3},
        "optimizer__learning_rate__decay_steps has no effect",
    ),
    "to an argument that is not there": (
        plain,
        {"optimizer__learning_rate__decay_steps": 3},
        "optimizer__learning_rate__decay_steps has no effect",
    ),
    "weights of rows": (plain, {"sample_weight": [1] * 24}, "Give sample_weight to the method fit"),
    "first epoch": (plain, {"fit__initial_epoch": 2}, "Give initial_epoch to the method fit"),
    "former name": (plain, {"build_fn": plain}, "build_fn would have no effect"),
    "batches of no validation": (
        plain,
        {"validation_batch_size": 5},
        "validation_batch_size=5 would have no effect",
    ),
    "two validations": (
        plain,
        {"validation_split": 0.25, "fit__validation_data": (X, y)},
        "validation_split=0.25 has no effect",
    ),
}


@pytest.mark.parametrize("kind", REFUSED_BY_NAME)
def test_what_would_be_passed_over_is_refused(kind):
    model, parameters, message = REFUSED_BY_NAME[kind]
    given = {"loss": "binary_crossentropy", **parameters} if model is plain else parameters
    with pytest.raises(InvalidParameterError, match=message):
        wrapper(model, **given).fit(X, y)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (with_names_of_the_wrapper, {}),
        (with_names_of_the_wrapper, {"epochs": 3}),
        (with_names_of_the_wrapper, {"epochs": 2, "model__epochs": 2}),
        (compiled, {"batch_size": 8, "fit__batch_size": 12}),
        (compiled, {"validation_split": 0.25, "validation_batch_size": 5}),
        (
            compiled,
            {"callbacks": [keras.callbacks.TerminateOnNaN, Done], "callbacks__1__name": "a"},
        ),
    ],
    ids=without_address,
)
def test_what_has_an_effect_is_not_refused(model, parameters):
    assert len(wrapper(model, **parameters).fit(X, y).history_["loss"]) == parameters.get(
        "epochs", 1
    )


def test_validation_data_of_a_call_go_before_a_share_of_the_rows():
    fitted = wrapper(compiled, validation_split=0.25).fit(X, y, validation_data=(X, y))
    unsplit = wrapper(compiled).fit(X, y, validation_data=(X, y))
    assert fitted.history_ == unsplit.history_
    with pytest.raises(InvalidParameterError, match="validation_split"):
        wrapper(compiled).fit(X, y, validation_data=(X, y), validation_split=0.25)


def test_arguments_of_the_schedule_within_an_optimizer_reach_it():
    optimizer = fitted_optimizer(
        plain,
        loss="bce",
        optimizer__learning_rate=DECAY,
        optimizer__learning_rate__initial_learning_rate=0.25,
        optimizer__learning_rate__decay_steps=7,
        optimizer__learning_rate__decay_rate=0.5,
    )
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert (schedule["initial_learning_rate"], schedule["decay_steps"]) == (0.25, 7)


class TestSetParams:
    def test_asks_for_an_effect_even_of_the_default(self):
        with pytest.raises(InvalidParameterError, match="optimizer='rmsprop' would have no effect"):
            wrapper(compiled).set_params(optimizer="rmsprop").fit(X, y)

    def test_asks_for_an_effect_even_of_what_the_model_holds(self):
        # Or the one candidate of a grid that happens to be right would be its best.
        with pytest.raises(InvalidParameterError, match="optimizer='adam' would have no effect"):
            wrapper(compiled).set_params(optimizer="adam").fit(X, y)

    def test_of_all_parameters_asks_for_none(self):
        estimator = wrapper(compiled)
        estimator.set_params(**estimator.get_params()).fit(X, y)
        assert estimator.stop_reason_ == "epochs"

    def test_is_forgotten_by_a_clone(self):
        assert clone(wrapper(compiled).set_params(optimizer="rmsprop")).fit(X, y).epochs == 1


class TestSearches:
    @pytest.mark.parametrize(
        "searcher",
        [
            functools.partial(GridSearchCV, scoring="f1"),
            functools.partial(skhp.GridSearchCV, scoring="f1"),
            functools.partial(skhp.BayesSearchCV, scoring="f1", n_iter=2),
            functools.partial(skhp.TPESearchCV, scoring="f1", n_iter=2),
        ],
        ids=["scikit-learn", "grid", "bayes", "tpe"],
    )
    # Some searches go on after a batch of candidates that failed.
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
    @pytest.mark.filterwarnings("ignore:One or more of the test scores")
    def test_every_candidate_fails_whichever_the_model_holds(self, searcher):
        with pytest.raises(ValueError, match=r"(?s)All the 4 fits failed.*Write model__optimizer"):
            searcher(wrapper(compiled), {"optimizer": ["adam", "rmsprop"]}, cv=2).fit(X, y)

    @pytest.mark.parametrize(
        "grid",
        [
            {"optimizer__learning_rate": [1e-6, 1.0]},
            {"metrics": [None, ["accuracy"]]},
            {"loss": ["mse"]},
            {"epochs": [3, 4]},
        ],
        ids=without_address,
    )
    def test_the_first_candidate_tells(self, grid):
        model = with_names_of_the_wrapper if "epochs" in grid else compiled
        search = GridSearchCV(wrapper(model), grid, cv=2, scoring="f1", error_score="raise")
        with pytest.raises(InvalidParameterError, match="model__"):
            search.fit(X, y)

    def test_within_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), wrapper(compiled, model__units=3))
        grid = {"kerasclassifier__units": [2]}
        search = skhp.GridSearchCV(pipeline, grid, cv=2, scoring="f1", error_score="raise")
        with pytest.raises(
            InvalidParameterError, match="units=2 has no effect beside model__units"
        ):
            search.fit(X, y)

    def test_what_is_written_instead_is_what_the_best_model_holds(self):
        def build(optimizer="adam"):
            model = plain()
            model.compile(optimizer, "binary_crossentropy")
            return model

        grid = {"model__optimizer": ["sgd"]}
        search = skhp.GridSearchCV(wrapper(build), grid, cv=2, scoring="f1").fit(X, y)
        assert isinstance(search.best_estimator_.model_.optimizer, keras.optimizers.SGD)


class TestGoingOn:
    @pytest.mark.parametrize(
        "parameters",
        [{"units": 4}, {"optimizer": "sgd"}, {"optimizer__learning_rate": 0.5}],
        ids=without_address,
    )
    def test_a_trained_model_does_not_take_up_new_parameters(self, parameters):
        fitted = wrapper(plain, loss="bce").fit(X, y)
        fitted.set_params(**parameters)
        name = next(iter(parameters))
        with pytest.raises(InvalidParameterError, match=f"{name}=.* would have no effect"):
            fitted.partial_fit(X, y)
        with pytest.raises(InvalidParameterError, match="warm_start=False"):
            fitted.set_params(warm_start=True).fit(X, y)
        assert fitted.set_params(warm_start=False).fit(X, y).epochs == 1

    def test_what_a_fit_takes_anew_may_change(self):
        fitted = wrapper(plain, loss="bce", optimizer=keras.optimizers.SGD(0.1)).fit(X, y)
        fitted.set_params(batch_size=5, warm_start=True, epochs=2).fit(X, y)
        assert len(fitted.history_["loss"]) == 2

    def test_a_model_that_is_not_compiled_yet_takes_up_how(self):
        initialized = wrapper(plain, loss="bce").initialize(X, y)
        initialized.set_params(optimizer="sgd").partial_fit(X, y)
        assert isinstance(initialized.model_.optimizer, keras.optimizers.SGD)


class TestOfferedParameters:
    @pytest.mark.parametrize(
        "look",
        [
            lambda offered: offered["a"],
            lambda offered: offered.get("a"),
            lambda offered: offered.pop("a"),
        ],
    )
    def test_one_is_read(self, look):
        offered = OfferedParameters({"a": 1, "b": 2})
        assert look(offered) == 1
        assert offered.read == {"a"}

    @pytest.mark.parametrize(
        "look",
        [
            lambda offered: {**offered},
            lambda offered: dict(**offered),
            dict,
            lambda offered: offered.copy(),
            lambda offered: offered | {},
            lambda offered: {} | offered,
            lambda offered: dict(offered.items()),
            lambda offered: dict(zip(offered, offered.values(), strict=True)),
            lambda offered: (target := {}, target.update(offered))[0],
        ],
    )
    def test_all_are_read(self, look):
        offered = OfferedParameters({"a": 1, "b": 2})
        assert look(offered) == {"a": 1, "b": 2}
        assert offered.read == {"a", "b"}

    def test_asking_whether_there_is_one_is_not_to_read_it(self):
        offered = OfferedParameters({"a": 1})
        assert "a" in offered
        assert offered.read == set()


def test_each_mistake_is_said_once():
    def build(batch_size=8):
        return compiled()

    with pytest.raises(InvalidParameterError) as raised:
        KerasClassifier(build, batch_size=4, epochs=0).fit(X, y)
    said = str(raised.value).splitlines()
    assert len(said) == len(set(said)) == 2
