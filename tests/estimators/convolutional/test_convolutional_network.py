"""Convolutional networks as estimators, held to Keras' fit and to each other."""

import pickle
from itertools import pairwise

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skhp
from skhp import InvalidParameterError, KerasCNNClassifier, KerasCNNRegressor
from skhp.population.joint_fits import fit_together

pytestmark = pytest.mark.slow

DIGITS = load_digits(n_class=3)
X, Y = (DIGITS.images[:90] / 16).astype(np.float32), DIGITS.target[:90]
COLOURED = np.stack([X, 1 - X, X**2], axis=-1)
both = pytest.mark.parametrize("kind", [KerasCNNClassifier, KerasCNNRegressor])


def network(kind=KerasCNNClassifier, **parameters):
    given = {"filters": 3, "neurons": 5, "epochs": 4, "learning_rate": 0.01, "random_state": 0}
    return kind(**{**given, **parameters})


def weights_of(fitted):
    return fitted._trained_network.member.weights


def same_weights(one, other, tolerance=1e-4):
    np.testing.assert_allclose(weights_of(one), weights_of(other), rtol=tolerance, atol=tolerance)


def layers_of(**parameters):
    """The layers of Keras by name, with the shape that comes out of each."""
    images = parameters.pop("images", X)
    fitted = network(epochs=1, early_stopping=False, **parameters).fit(images, Y)
    return {layer.name: tuple(layer.output.shape[1:]) for layer in fitted.model_.layers}


@pytest.mark.parametrize(
    "parameters",
    [
        {"lr_schedule": "cosine", "class_weight": "balanced"},
        {"hidden_layers": 3, "pooling": "average", "activation": "tanh", "l2": 1e-3},
        {"batch_norm": True, "batch_size": 20, "neurons": None},
        {"padding": "valid", "kernel_size": (2, 3), "pool_size": 3, "hidden_layers": 1},
        {"pooling": None, "filters": (2, 4), "activation": "gelu", "neurons": (6, 4)},
    ],
)
def test_a_population_trains_it_as_keras_does(parameters):
    ours, by_keras = (
        network(engine=engine, **parameters).fit(COLOURED, Y) for engine in ("population", "keras")
    )
    same_weights(ours, by_keras)
    for name, values in by_keras.history_.items():
        assert ours.history_[name] == pytest.approx(values, rel=1e-3), name
    np.testing.assert_allclose(
        ours.predict_proba(COLOURED), by_keras.predict_proba(COLOURED), rtol=1e-3, atol=1e-4
    )


def test_members_of_a_population_equal_the_same_fits_alone():
    grid = [
        {"augmentation": augmentation, "dropout": dropout}
        for augmentation, dropout in (
            (None, 0.0),
            # Flips in two directions stand in the same place and are not the same layer.
            ({"flip": "horizontal", "shift": 0.1}, 0.3),
            ({"flip": "vertical", "shift": 0.3}, 0.2),
        )
    ]
    candidates = [network(engine="population", hidden_layers=1, **given) for given in grid]
    together = fit_together([(candidate, X, Y) for candidate in candidates])
    alone = [clone(candidate).fit(X, Y) for candidate in candidates]
    for one, other in zip(together, alone, strict=True):
        same_weights(one, other, 1e-3)
        np.testing.assert_allclose(
            one.predict_proba(X), other.predict_proba(X), rtol=1e-2, atol=1e-3
        )
    for one, other in pairwise(together):
        assert not np.allclose(weights_of(one), weights_of(other), atol=1e-3)


def test_the_same_network_trains_on_images_and_on_flat_rows():
    flat = COLOURED.reshape(len(X), -1)
    fits = [
        network().fit(COLOURED, Y),
        network(image_shape=(8, 8, 3)).fit(flat, Y),
        network(image_shape=(8, 8, 3)).fit(COLOURED, Y),
        network().fit(list(COLOURED), Y),
    ]
    for fitted in fits:
        np.testing.assert_array_equal(weights_of(fitted), weights_of(fits[0]))
        assert fitted.image_shape_ == (8, 8, 3)
        assert fitted.n_features_in_ == 192
    grey = [
        network(image_shape=(8, 8)).fit(X.reshape(len(X), 64), Y),
        network().fit(X, Y),
        network().fit(X[..., None], Y),
    ]
    for fitted in grey:
        np.testing.assert_array_equal(weights_of(fitted), weights_of(grey[0]))
        assert fitted.image_shape_ == (8, 8, 1)


def test_flat_rows_are_images_of_a_height_of_one():
    fitted = network().fit(X[:, 3], Y)
    assert fitted.image_shape_ == (1, 8, 1)
    assert fitted.model_.get_layer("pooling_2").output.shape == (None, 1, 2, 6)


def test_filters_double_where_a_block_pools():
    layers = layers_of(hidden_layers=5, neurons=0)
    shapes = [shape for name, shape in layers.items() if name.startswith("convolution")]
    assert shapes == [(8, 8, 3), (4, 4, 6), (2, 2, 12), (1, 1, 24), (1, 1, 24)]
    assert "pooling_4" not in layers
    assert "hidden_1" not in layers
    assert list(layers)[-3:] == ["flatten_1", "logits", "probabilities"]


def test_parameters_are_those_of_the_layers():
    layers = layers_of(filters=(2, 5), hidden_layers="auto", pool_size=(2, 4), neurons=(7, 6))
    assert layers["convolution_2"] == (4, 2, 5)
    assert layers["pooling_2"] == (2, 1, 5)
    assert (layers["hidden_1"], layers["hidden_2"]) == ((7,), (6,))
    layers = layers_of(pooling=None, padding="valid", kernel_size=(3, 1))
    assert [layers[f"convolution_{k}"] for k in (1, 2)] == [(6, 8, 3), (4, 8, 3)]
    order = list(layers_of(batch_norm=True, dropout=0.5, hidden_layers=1, augmentation="flip"))
    assert order == [
        "flip_1",
        "convolution_1",
        "batch_norm_1",
        "activation_1",
        "pooling_1",
        "flatten_1",
        "hidden_1",
        "batch_norm_2",
        "activation_2",
        "dropout_1",
        "logits",
        "probabilities",
    ]
    assert "dropout_1" in layers_of(dropout=0.5, neurons=None)


@pytest.mark.parametrize("engine", ["population", "keras"])
def test_what_is_exported_predicts_the_same_and_augments_in_training_only(engine, tmp_path):
    augmentation = {"flip": "both", "shift": 0.3}
    fitted = network(engine=engine, augmentation=augmentation).fit(X, Y)
    probabilities = fitted.predict_proba(X)
    images = X[..., None]
    for predicted in (fitted.model_(images), fitted.model_.predict(images, verbose=0)):
        np.testing.assert_allclose(predicted, probabilities, rtol=1e-4, atol=1e-6)
    assert not np.allclose(fitted.model_(images, training=True), probabilities, atol=1e-3)
    fitted.model_.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(loaded(images), probabilities, rtol=1e-4, atol=1e-6)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X), probabilities)


@pytest.mark.parametrize("n_rows", [1, 7, 32])
def test_a_row_has_the_same_bits_whatever_its_neighbours(n_rows):
    fitted = network(filters=5).fit(X, Y)
    np.testing.assert_array_equal(
        fitted.predict_proba(X[:n_rows]), fitted.predict_proba(X)[:n_rows]
    )


def test_early_stopping_a_threshold_and_class_weights_work_as_for_tables():
    rare = (Y == 1).astype(int)
    fitted = network(
        epochs=40, patience=3, monitor="val_f1", threshold="tune", class_weight="balanced"
    ).fit(X, rare)
    assert fitted.stop_reason_ == "patience"
    assert len(fitted.history_["val_f1"]) == fitted.n_iter_ < 40
    assert fitted.rare_class_ == 1
    said = fitted.predict_proba(X)[:, 1] >= fitted.threshold_
    np.testing.assert_array_equal(fitted.predict(X), said.astype(int))


def test_a_search_a_pipeline_and_what_looks_at_them():
    # A network that cannot join a population raises an exception here.
    pipeline = make_pipeline(MinMaxScaler(), network(image_shape=(8, 8), engine="population"))
    flat = DIGITS.data[:90]
    with skhp.population():
        search = GridSearchCV(
            pipeline, {"kerascnnclassifier__hidden_layers": [1, 2]}, cv=2, error_score="raise"
        ).fit(flat, Y)
    best = search.best_estimator_
    assert search.score(flat, Y) > 0.4
    assert cross_val_predict(best, flat, Y, cv=2, method="predict_proba").shape == (90, 3)
    assert skhp.diagnose(best).findings
    assert set(skhp.suggest_search_space(pipeline, flat, Y, "quick")) == {
        f"kerascnnclassifier__{name}"
        for name in ("hidden_layers", "filters", "learning_rate", "batch_size")
    }
    compared = skhp.compare(
        {"network": network(epochs=2)}, X, Y, baseline="dummy", n_repeats=1, cv=2, verbose=0
    )
    assert "network" in str(compared)


@both
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (X[:, :7], r"\(7, 8, 1\).*\(90, 7, 8\).*\(8, 8, 1\), as in fit"),
        (COLOURED, r"\(8, 8, 3\).*expecting images of the shape \(8, 8, 1\)"),
        (X.reshape(90, 64), r"\(90, 64\).*\(1, 64, 1\).*\(8, 8, 1\), as in fit"),
        (X[:, 0], "X has 8 features, but KerasCNN.* is expecting 64 features"),
        (
            COLOURED[..., None],
            r"5 dimensions, in the shape \(90, 8, 8, 3, 1\), .*height",
        ),
        ([X[0], X[1, :7]], r"different shapes: \(8, 8\) in row 0 and \(7, 8\) in row 1"),
        ([X[0], X[1, :, :7]], r"different shapes: \(8, 8\) in row 0 and \(8, 7\) in row 1"),
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], "Row 0 of X is not an image"),
        (np.where(X > 0.5, np.nan, X), "NaN"),
        (np.where(X > 0.5, "dark", "light"), "light"),
    ],
)
def test_other_images_are_refused_in_predict(kind, given, told):
    fitted = fitted_once(kind)
    with pytest.raises(ValueError, match=told):
        fitted.predict(given)


FITTED = {}


def fitted_once(kind):
    if kind not in FITTED:
        FITTED[kind] = network(kind, epochs=1).fit(X, Y)
    return FITTED[kind]


@pytest.mark.parametrize(
    ("parameters", "given", "told"),
    [
        ({"image_shape": (8, 7)}, X.reshape(90, 64), r"64 columns.*\(90, 64\).*56 columns = 8 x 7"),
        ({"image_shape": (8, 7)}, X, r"\(8, 8, 1\).*\(8, 7, 1\), as image_shape"),
        ({"image_shape": (8, 8, 3)}, X, r"\(8, 8, 1\).*\(8, 8, 3\)"),
        ({}, COLOURED[None], "5 dimensions"),
        ({}, [*X[:89], X[0, :5]], "different shapes"),
        (
            {"padding": "valid", "kernel_size": 9},
            X,
            r"kernel_size=\(9, 9\).*8 x 8 pixels that comes into block 1 of 2",
        ),
        ({"padding": "valid", "kernel_size": 5}, X, r"2 x 2 pixels that comes into block 2"),
        ({"padding": "valid"}, X[:, 0], r"\(3, 3\).*1 x 8"),
    ],
)
def test_images_that_do_not_fit_the_parameters_are_refused(parameters, given, told):
    with pytest.raises(ValueError, match=told):
        network(**parameters).fit(given, Y)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"filters": (3, 0)}, r"filters=\(3, 0\)"),
        ({"filters": (3,)}, "1 entries|1 entry"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size=.*got 3"),
        ({"kernel_size": (3, 2.5)}, "kernel_size=.*2.5"),
        ({"pool_size": 0}, "pool_size"),
        ({"pooling": "mean"}, "pooling"),
        ({"padding": "causal"}, "padding"),
        ({"neurons": -1}, "neurons"),
        ({"neurons": (4, 0)}, "neurons"),
        ({"image_shape": 8}, "image_shape"),
        ({"image_shape": (8,)}, "image_shape"),
        ({"image_shape": (8, 8, 3, 1)}, "image_shape"),
        ({"augmentation": "flips"}, "augmentation.*'flip'"),
        ({"augmentation": ("flip", "shft")}, "Did you mean 'shift'"),
        ({"augmentation": {"rotate": 3}}, "'rotate'"),
        ({"augmentation": {"shift": 2}}, "'shift' from 0 to 1, got 2"),
        ({"augmentation": {"flip": True}}, "got True"),
        ({"augmentation": {"flip": {"horizontal": 1.5}}}, "1.5"),
        ({"activation": "rellu"}, "relu"),
        ({"hidden_layers": 10**9}, "max_memory"),
        ({"hidden_layer": 2}, "hidden_layers"),
    ],
)
def test_mistaken_parameters_are_named(parameters, told):
    with pytest.raises(InvalidParameterError, match=told):
        network(**parameters).fit(X, Y)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InvalidParameterError) as caught:
        network(filters="many", kernel_size=(1,), augmentation={"turn": 1}, dropout=2).fit(X, Y)
    for name in ("filters", "kernel_size", "augmentation", "dropout"):
        assert f"{name}" in str(caught.value)


def test_a_search_refuses_a_kernel_that_does_not_fit_before_it_trains():
    search = skhp.GridSearchCV(
        network(image_shape=(8, 8), padding="valid"), {"kernel_size": [3, 9]}, cv=2
    )
    with pytest.raises(ValueError, match=r"kernel_size=\(9, 9\)"):
        search.fit(X.reshape(90, 64), Y)
