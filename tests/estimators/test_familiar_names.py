"""What users of Keras type means what it means there, or is told why it does not fit."""

import copy

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import KerasMLPClassifier, KerasMLPRegressor
from skhp.exceptions import InvalidParameterError
from skhp.losses import FocalLoss
from skhp.objectives.losses import CLASSIFICATION_ALIASES, REGRESSION_ALIASES
from skhp.shared.equality import equal

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3))
NUMBERS = X[:, 0] - X[:, 1] + GENERATOR.normal(size=60) / 5
TWO = (NUMBERS > 0).astype(int)
THREE = np.digitize(NUMBERS, [-0.7, 0.7])
LOSSES = keras.losses


def classifier(**parameters):
    return KerasMLPClassifier(**{"epochs": 3, "random_state": 0, "neurons": 4} | parameters)


def regressor(**parameters):
    return KerasMLPRegressor(**{"epochs": 3, "random_state": 0, "neurons": 4} | parameters)


CROSSENTROPIES = [
    "categorical_crossentropy",
    "CategoricalCrossentropy",
    "sparse_categorical_crossentropy",
    LOSSES.SparseCategoricalCrossentropy(from_logits=True),
    LOSSES.CategoricalCrossentropy,
    LOSSES.sparse_categorical_crossentropy,
]
BINARY = [
    "binary_crossentropy",
    "bce",
    LOSSES.BinaryCrossentropy(),
    LOSSES.BinaryCrossentropy,
    LOSSES.binary_crossentropy,
]


@pytest.mark.parametrize(
    ("loss", "y", "same"),
    [
        *((loss, TWO, "crossentropy") for loss in [*BINARY, *CROSSENTROPIES]),
        *((loss, THREE, "crossentropy") for loss in CROSSENTROPIES),
        ("binary_focal_crossentropy", TWO, "focal"),
        (
            LOSSES.BinaryFocalCrossentropy(gamma=1.5, alpha=0.3, apply_class_balancing=True),
            TWO,
            FocalLoss(1.5, 0.3),
        ),
        *(
            (loss, NUMBERS, "squared_error")
            for loss in ["mse", "MSE", "mean_squared_error", LOSSES.MeanSquaredError()]
        ),
        *(
            (loss, NUMBERS, "absolute_error")
            for loss in ["mae", "MeanAbsoluteError", LOSSES.mean_absolute_error]
        ),
        *((loss, NUMBERS, "huber") for loss in ["Huber", LOSSES.Huber, LOSSES.huber]),
        *((loss, NUMBERS, "log_cosh") for loss in ["logcosh", "LogCosh", LOSSES.LogCosh()]),
    ],
)
def test_a_loss_by_keras_name_is_the_loss_by_its_name_here(loss, y, same):
    network = regressor if y is NUMBERS else classifier
    fitted = clone(network(loss=loss)).fit(X, y)
    own = network(loss=same).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), own.predict(X))
    assert fitted.history_ == own.history_
    assert fitted.loss is loss or not isinstance(loss, str)


def test_names_are_those_that_keras_itself_takes():
    for aliases in (CLASSIFICATION_ALIASES, REGRESSION_ALIASES):
        for name in aliases:
            # Keras 2 had it without the underscore.
            assert LOSSES.get(name.replace("logcosh", "log_cosh")) is not None


@pytest.mark.parametrize("loss", [*BINARY, "binary_focal_crossentropy"])
def test_a_loss_for_two_classes_is_refused_for_three(loss):
    with pytest.raises(InvalidParameterError, match=r"is for two classes, and y has 3.*write '"):
        classifier(loss=loss).fit(X, THREE)


REFUSED = [
    (classifier, "mse", "loss for numbers"),
    (classifier, LOSSES.MeanAbsoluteError(), "loss for numbers"),
    (classifier, "hinge", "KerasClassifier"),
    (classifier, "categorical_focal_crossentropy", "Write 'focal'"),
    (classifier, "log_loss", "Write 'crossentropy'"),
    (classifier, "crossentropi", "Did you mean 'crossentropy'?"),
    (classifier, LOSSES.BinaryCrossentropy(label_smoothing=0.1), "label_smoothing=0.1"),
    (classifier, LOSSES.CategoricalCrossentropy(reduction="sum"), "reduction='sum'"),
    (regressor, "binary_crossentropy", "loss for classes"),
    (regressor, LOSSES.sparse_categorical_crossentropy, "loss for classes"),
    (regressor, "mape", "logarithm"),
    (regressor, LOSSES.MeanSquaredLogarithmicError(), "logarithm"),
    (regressor, "poisson", "output is above 0"),
    (regressor, "cosine_similarity", "KerasRegressor"),
    (regressor, LOSSES.Huber(2.0), "delta"),
    (regressor, FocalLoss(), "FocalLoss"),
    (regressor, "mse2", "Did you mean 'mse'?"),
]


@pytest.mark.parametrize(("network", "loss", "words"), REFUSED)
def test_a_loss_that_does_not_fit_is_told_why(network, loss, words):
    y = THREE if network is classifier else NUMBERS
    with pytest.raises(InvalidParameterError, match="loss") as raised:
        network(loss=loss).fit(X, y)
    assert words in str(raised.value)
    with pytest.raises(InvalidParameterError):
        network(loss=loss)._check_combination()


def test_a_function_of_the_user_is_not_one_of_keras_for_its_name():
    def mean_squared_error(y_true, y_pred):
        return y_pred

    with pytest.raises(InvalidParameterError, match="KerasRegressor"):
        regressor(loss=mean_squared_error).fit(X, NUMBERS)


def test_a_huber_that_is_copied_still_forgets_its_delta():
    # When Keras mends this, an instance can be taken with its delta.
    loss = copy.deepcopy(LOSSES.Huber(2.0))
    assert float(loss(np.zeros((1, 1)), np.full((1, 1), 10.0))) == pytest.approx(9.5)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW", "Nadam"])
def test_an_optimizer_by_the_name_of_its_class(name):
    fitted = classifier(optimizer=name).fit(X, TWO)
    own = classifier(optimizer=name.lower()).fit(X, TWO)
    np.testing.assert_array_equal(fitted.predict_proba(X), own.predict_proba(X))
    assert type(fitted.model_.optimizer).__name__ == name


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        ("optimizer", keras.optimizers.Adam(0.05), "Write optimizer='adam', learning_rate=0.05."),
        ("optimizer", keras.optimizers.RMSprop, "Write optimizer='rmsprop'."),
        ("optimizer", "adamax", "KerasClassifier"),
        ("optimizer", "ADAM", "Write 'adam'."),
        ("activation", "ReLU", "Did you mean 'relu'?"),
        ("activation", "softmax", "across all units"),
        ("activation", "logistic", "Write 'sigmoid'."),
        ("activation", keras.activations.tanh, "activation='tanh'"),
        ("activation", None, "Write 'linear'."),
        ("monitor", "accuracy", "'val_accuracy'"),
        ("monitor", "acc", "'val_acc'"),
        ("monitor", "loss", "'val_loss'"),
        ("monitor", "val_acuracy", "Did you mean 'val_accuracy'?"),
    ],
)
@pytest.mark.parametrize("searched", [False, True])
def test_other_values_are_led_to_what_was_meant(parameter, value, words, searched):
    estimator = classifier(**{parameter: value})
    if searched:
        estimator = skhp.GridSearchCV(classifier(), {parameter: [value]}, cv=2)
    with pytest.raises(InvalidParameterError) as raised:
        estimator.fit(X, TWO)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("network", "alias", "own", "engine"),
    [
        (classifier, "val_acc", "val_accuracy", "population"),
        (classifier, "val_auc", "val_roc_auc", "population"),
        (classifier, "val_f1_score", "val_f1", "population"),
        (classifier, "val_f1_score", "val_f1", "keras"),
        (regressor, "val_mae", "val_mean_absolute_error", "population"),
        (regressor, "val_MSE", "val_mean_squared_error", "population"),
        (regressor, "val_rmse", "val_root_mean_squared_error", "population"),
        (regressor, "val_r2_score", "val_r2", "population"),
        (regressor, "val_rmse", "val_root_mean_squared_error", "keras"),
    ],
)
def test_a_monitor_by_keras_name_is_in_the_history_by_that_name(network, alias, own, engine):
    y = TWO if network is classifier else NUMBERS
    fitted = network(monitor=alias, engine=engine).fit(X, y)
    same = network(monitor=own, engine=engine).fit(X, y)
    assert fitted.history_[alias] == same.history_[own]
    assert own not in fitted.history_
    assert fitted.best_epoch_ == same.best_epoch_


def test_every_mistake_is_told_at_once():
    with pytest.raises(InvalidParameterError) as raised:
        classifier(optimizer="adm", loss=LOSSES.MeanSquaredError(), monitor="acc").fit(X, TWO)
    for words in ("'adam'", "loss for numbers", "'val_acc'"):
        assert words in str(raised.value)


def test_equal_losses_of_keras_share_what_a_population_trained():
    loss = LOSSES.BinaryCrossentropy()
    assert equal(loss, copy.deepcopy(loss))
    assert not equal(loss, LOSSES.BinaryCrossentropy(label_smoothing=0.1))
    assert not equal(loss, LOSSES.MeanSquaredError())
    grid = {"loss": [loss, "categorical_crossentropy"], "monitor": ["val_acc", "val_accuracy"]}
    with skhp.population():
        search = GridSearchCV(classifier(), grid, cv=2, scoring="neg_log_loss").fit(X, TWO)
    assert len(set(search.cv_results_["mean_test_score"].tolist())) == 1
