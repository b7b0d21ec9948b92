"""Transfer: a trained network as the base of a new one."""

import pickle
import threading

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import InvalidParameterError, KerasClassifier, KerasRegressor
from skhp.estimators.keras_model.transfer import base_model as transfer
from skhp.estimators.keras_model.transfer.joined_layers import InPrediction

LAYERS = keras.layers


def images(n=40, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, 6, 6, 1)).astype(np.float32)
    return X, X.mean(axis=(1, 2, 3)) * 10, (X[:, 0, 0, 0] > 0).astype(int)


def build_base(*tail, seed=0):
    """A trained-looking base: statistics that a training would move, and dropout."""
    keras.utils.set_random_seed(seed)
    base = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LAYERS.Conv2D(4, 3, name="first"),
            LAYERS.BatchNormalization(name="norm"),
            LAYERS.ReLU(name="relu"),
            LAYERS.Dropout(0.5, name="drop"),
            LAYERS.Flatten(name="flat"),
            LAYERS.Dense(5, activation="tanh", name="hidden"),
            *tail,
        ]
    )
    generator = np.random.default_rng(seed)
    norm = base.get_layer("norm")
    norm.moving_mean.assign(generator.normal(size=4))
    norm.moving_variance.assign(generator.uniform(0.5, 2, size=4))
    return base


def headed():
    return build_base(LAYERS.Dense(3), LAYERS.Activation("softmax"))


def regressor(base=None, **parameters):
    chosen = {"optimizer": "adam", "optimizer__learning_rate": 0.01, "batch_size": 16, "epochs": 4}
    return KerasRegressor(
        base_model=headed() if base is None else base, random_state=0, **{**chosen, **parameters}
    )


def all_layers(model):
    """The layers of a model by name, with those of its frozen part."""
    parts = [layer for part in model.layers for layer in getattr(part, "layers", [part])]
    return {layer.name: layer for layer in parts}


def close(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("base", "n_features"),
    {
        "a Dense layer with its activation layer": (headed, 5),
        "a Dense layer": (lambda: build_base(LAYERS.Dense(3, activation="softmax")), 5),
        "no Dense layer at the end": (lambda: build_base(LAYERS.Dense(3), LAYERS.Identity()), 3),
        "feature maps, which are pooled": (
            lambda: keras.Sequential(build_base().layers[:3], name="maps"),
            4,
        ),
        "a model as the last layer": (
            lambda: keras.Sequential([keras.Input((6, 6, 1)), LAYERS.Rescaling(2.0), headed()]),
            5,
        ),
    }.values(),
)
def test_the_base_is_cut_before_its_head(base, n_features):
    X, y, _ = images()
    built = regressor(base()).initialize(X, y)
    assert built.model_.layers[-1].kernel.shape == (n_features, 1)


@pytest.mark.parametrize(
    ("y", "loss", "units", "activation"),
    [
        (lambda y: y, None, 1, "sigmoid"),
        (lambda y: y, "sparse_categorical_crossentropy", 2, "softmax"),
        (lambda y: y, keras.losses.BinaryCrossentropy(from_logits=True), 1, "linear"),
        (lambda y: np.arange(len(y)) % 3, None, 3, "softmax"),
        (lambda y: np.arange(len(y)) % 3, "categorical_crossentropy", 3, "softmax"),
        (lambda y: np.column_stack([y, y, 1 - y]), None, 3, "sigmoid"),
    ],
)
def test_the_head_fits_the_target(y, loss, units, activation):
    X, _, binary = images()
    # Eagerly, as to trace a step takes longer than the two steps of this fit.
    classifier = KerasClassifier(base_model=headed(), loss=loss, run_eagerly=True, random_state=0)
    fitted = classifier.fit(X, y(binary))
    head = fitted.model_.layers[-1]
    assert (head.units, head.activation.__name__) == (units, activation)
    assert fitted.predict(X).shape == y(binary).shape


def keras_composite(base, n_frozen, start):
    """As in Keras' own guide: a frozen body in inference mode, and a new head."""
    copied = keras.models.clone_model(base)
    copied.set_weights(base.get_weights())
    for number, layer in enumerate(copied.layers):
        layer.trainable = number >= n_frozen
    inputs = keras.Input((6, 6, 1))
    # Keras 3.15 has dropout on in a training, although the call says training=False.
    copied.get_layer("drop").rate = 0.0
    body = keras.Model(copied.inputs, copied.get_layer("hidden").output)
    head = LAYERS.Dense(1)
    whole = keras.Model(inputs, head(body(inputs, training=False)))
    head.set_weights(start)
    whole.compile(keras.optimizers.Adam(0.01), "mse")
    return whole


@pytest.mark.parametrize("freeze", [True, 2])
def test_training_gives_the_weights_of_keras_own_fit(freeze):
    X, y, _ = images()
    base = headed()
    before = [weight.copy() for weight in base.get_weights()]
    if freeze == 2:
        # The layers that train have no dropout, whose noise differs.
        base.get_layer("drop").rate = 0.0
    estimator = regressor(base, freeze=freeze, batch_size=-1)
    start = estimator.initialize(X, y).model_.layers[-1].get_weights()
    whole = keras_composite(base, 6 if freeze is True else freeze, start)
    history = whole.fit(X, y, batch_size=len(y), epochs=4, verbose=0).history
    expected = whole.predict(X, verbose=0).ravel()
    for engine in ("population", "keras"):
        fitted = clone(estimator).set_params(engine=engine).fit(X, y)
        np.testing.assert_allclose(fitted.history_["loss"], history["loss"], rtol=1e-4)
        close(fitted.model_.get_weights(), whole.get_weights())
        np.testing.assert_allclose(fitted.predict(X), expected, atol=1e-4)
    close(base.get_weights(), before)


@pytest.mark.parametrize(
    ("freeze", "held"), [(True, ["first", "norm", "hidden"]), (2, ["first", "norm"]), (False, [])]
)
def test_frozen_layers_keep_their_weights_and_statistics(freeze, held):
    X, y, _ = images()
    base = headed()
    fitted = regressor(base, freeze=freeze, epochs=2).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    layers = all_layers(fitted.model_)
    for name in ("first", "norm", "hidden"):
        pairs = list(
            zip(layers[name].get_weights(), base.get_layer(name).get_weights(), strict=True)
        )
        same = [np.array_equal(*pair) for pair in pairs]
        assert all(same) if name in held else not any(same), name


def test_layers_that_no_single_tensor_leaves_are_held():
    X, y, _ = images()
    inputs = keras.Input((6, 6, 1))
    flat = LAYERS.Flatten()(inputs)
    first = LAYERS.Dense(8, activation="relu", name="first")(flat)
    second = LAYERS.Dropout(0.9, name="drop")(LAYERS.Dense(8, name="second")(first))
    joined = LAYERS.Dense(4, name="joined")(LAYERS.Concatenate()([first, second]))
    base = keras.Model(inputs, LAYERS.Dense(2)(joined))
    places = [layer.name for layer in base.layers]
    fitted = regressor(base, freeze=places.index("drop") + 1, batch_size=-1).fit(X, y)
    model = fitted.model_
    for name in ("first", "second"):
        close(model.get_layer(name).get_weights(), base.get_layer(name).get_weights())
    assert not np.allclose(model.get_layer("joined").kernel, base.get_layer("joined").kernel)
    # The dropout of held layers is off, so the first loss is that of the start, exactly.
    start = regressor(base, freeze=5).initialize(X, y).model_.predict(X, verbose=0).ravel()
    np.testing.assert_allclose(fitted.history_["loss"][0], np.mean((start - y) ** 2), rtol=1e-4)


def test_the_base_runs_once_for_each_fold(monkeypatch):
    X, y, _ = images(30)
    rows = []
    compute = transfer.model_outputs

    def counted(model, inputs, batch_size):
        rows.append(len(inputs))
        return compute(model, inputs, batch_size)

    monkeypatch.setattr(transfer, "model_outputs", counted)
    grid = {"optimizer__learning_rate": [0.1, 0.01], "batch_size": [8, 16]}
    search = skhp.GridSearchCV(regressor(engine="population"), grid, cv=3, error_score="raise")
    search.fit(X, y)
    assert search.population_report_.n_together == 12
    # The rows to score and to learn from in three folds, and the fit on all rows.
    assert sorted(rows) == [10] * 3 + [20] * 3 + [30]
    # Alone, a prediction is that of the search, to the bit, and so is that of the whole network.
    best = search.best_estimator_
    outputs = best.model_.predict(X, verbose=0).ravel()
    np.testing.assert_allclose(best.predict(X), outputs, rtol=1e-5)
    best.model_.get_layer(best._frozen_part).layers[1].kernel.assign_add(np.ones((3, 3, 1, 4)))
    assert not np.allclose(best.predict(X), outputs, rtol=1e-3)


def wide(units=40):
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LAYERS.Flatten(),
            LAYERS.Dense(units, activation="tanh", name="wide"),
            LAYERS.Dense(units, activation="tanh", name="deep"),
            LAYERS.Dense(3),
        ]
    )
    inner.layers[1].trainable = False
    return inner


def compiled(model):
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("estimator", "shared"),
    {
        "all frozen": (lambda: regressor(wide(100)), ["wide", "deep"]),
        "one frozen layer": (lambda: regressor(wide(100), freeze=2), ["wide"]),
        "a model of the user's with a frozen layer": (
            lambda: KerasRegressor(
                compiled(keras.Sequential([*wide(100).layers, LAYERS.Dense(1)])), random_state=0
            ),
            ["wide"],
        ),
        "fine tuned": (lambda: regressor(wide(100), fine_tune_epochs=1), []),
    }.values(),
)
def test_a_pickle_holds_what_a_base_and_its_network_share_once(estimator, shared):
    X, y, _ = images()
    fitted = estimator().fit(X, y)
    content = pickle.dumps(fitted)
    layers = all_layers(fitted.model_)
    for name in ("wide", "deep"):
        kernel = layers[name].kernel.numpy().tobytes()
        assert content.count(kernel) == 1, name
    of_base = all_layers(fitted.base_model or fitted.model)
    assert [
        name
        for name in ("wide", "deep")
        if np.array_equal(layers[name].kernel, of_base[name].kernel)
    ] == shared
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    for one, other in zip(again.model_.variables, fitted.model_.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(again.model_.optimizer.iterations) == int(fitted.model_.optimizer.iterations) > 0
    # A copy trains on, which changes neither the original nor its base.
    before = fitted.predict(X)
    again.partial_fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), before)


def test_a_search_over_freezing_and_fine_tuning_equals_lone_fits():
    X, y, _ = images()
    grid = [
        {"freeze": [True, 2], "fine_tune_epochs": [0]},
        {"freeze": [2], "fine_tune_epochs": [1]},
    ]
    estimator = regressor(epochs=2)
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise")
    with skhp.population():
        search.fit(X, y)
    alone = clone(estimator).set_params(**search.best_params_).fit(X, y)
    close(search.best_estimator_.model_.get_weights(), alone.model_.get_weights())


def test_fine_tuning_trains_all_but_statistics_at_a_tenth_of_the_rate():
    X, y, _ = images()
    base = headed()
    fitted = regressor(base, fine_tune_epochs=3, epochs=2).fit(X, y)
    assert fitted.n_iter_ == len(fitted.history_["loss"]) == 5
    assert float(fitted.model_.optimizer.learning_rate) == pytest.approx(0.001)
    layers = all_layers(fitted.model_)
    assert not np.array_equal(layers["first"].kernel, base.get_layer("first").kernel)
    assert not np.array_equal(layers["norm"].gamma, base.get_layer("norm").gamma)
    close([layers["norm"].moving_mean], [base.get_layer("norm").moving_mean])
    other = regressor(base, fine_tune_epochs=1, fine_tune_learning_rate=0.5, epochs=1).fit(X, y)
    assert float(other.model_.optimizer.learning_rate) == 0.5


def test_the_workaround_for_training_false_is_needed():
    """Keras 3.15 moves the statistics of layers that are called with training=False."""
    moved = []
    for call in (lambda layer: lambda x: layer(x, training=False), InPrediction):
        norm = LAYERS.BatchNormalization()
        inputs = keras.Input((3,))
        given = call(norm)
        outputs = given(((inputs,), {})) if isinstance(given, InPrediction) else given(inputs)
        model = keras.Model(inputs, LAYERS.Dense(1)(outputs))
        model.compile("sgd", "mse")
        model.fit(np.full((8, 3), 5.0), np.ones(8), verbose=0)
        moved.append(bool(np.any(norm.moving_mean)))
    assert moved == [True, False]


def test_two_threads_share_a_base_that_stays_as_it_is():
    X, y, _ = images()
    base = headed()
    before = [weight.copy() for weight in base.get_weights()]
    estimators = [regressor(base, freeze=freeze, fine_tune_epochs=1) for freeze in (True, False)]
    threads = [threading.Thread(target=one.fit, args=(X, y)) for one in estimators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in estimators:
        assert clone(one).base_model is base
        close(one.model_.get_weights(), clone(one).fit(X, y).model_.get_weights())
    assert all(map(np.array_equal, before, base.get_weights()))


def test_a_file_gives_what_its_model_gives(tmp_path):
    X, y, _ = images()
    base = headed()
    path = tmp_path / "base.keras"
    base.save(path)
    fitted = regressor(path).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), regressor(base).fit(X, y).predict(X))
    again = pickle.loads(pickle.dumps(fitted))
    path.unlink()
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    with pytest.raises(InvalidParameterError, match="cannot be read: No such file"):
        again.fit(X, y)


def test_files_that_cannot_be_read_safely_are_refused(tmp_path):
    X, y, _ = images()
    unsafe = keras.Sequential([keras.Input((6, 6, 1)), LAYERS.Lambda(lambda x: x + 1)])
    unsafe.save(tmp_path / "unsafe.keras")
    headed().save(tmp_path / "whole.keras")
    (tmp_path / "damaged.keras").write_bytes((tmp_path / "whole.keras").read_bytes()[:2000])
    (tmp_path / "model.h5").write_bytes(b"x")
    for name, message in (
        ("unsafe.keras", "safe mode"),
        ("damaged.keras", "damaged"),
        ("model.h5", "is not a .keras file"),
    ):
        with pytest.raises(InvalidParameterError, match=message):
            regressor(str(tmp_path / name)).fit(X, y)


class WithCall(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": keras.Sequential}, "base_model and model are both given"),
        ({"build_fn": keras.Sequential}, "base_model and build_fn are both given"),
        ({"freeze": 99}, "freeze=99, and base_model has 8 layers"),
        ({"freeze": -1}, "'freeze' parameter"),
        ({"fine_tune_epochs": -1, "freeze": "all"}, "(?s)'fine_tune_epochs'.*'freeze'"),
        ({"fine_tune_learning_rate": 0.1}, "has no effect, as fine_tune_epochs is 0"),
        ({"base_model": None, "fine_tune_epochs": 2}, "model is None(?s:.*)fine_tune_epochs=2"),
        ({"base_model": WithCall()}, "a call of its own"),
        ({"base_model": 3}, "'base_model' parameter"),
        ({"model__units": 3}, "no parameter 'model__units'"),
    ],
)
def test_mistakes_are_named(parameters, message):
    X, y, _ = images()
    with pytest.raises(InvalidParameterError, match=message):
        KerasRegressor(**{"base_model": headed(), **parameters}).fit(X, y)


def test_rows_of_another_shape_are_refused():
    X, y, _ = images()
    with pytest.raises(ValueError, match=r"shape \(6, 6, 1\), and .* shape \(5, 6, 1\)"):
        regressor().fit(X[:, :5], y)
