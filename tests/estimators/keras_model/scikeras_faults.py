"""The faults of SciKeras that skhp repairs, each as a probe that tells whether an estimator has it.

``python -m tests.estimators.keras_model.scikeras_faults`` prints which of them SciKeras itself has.
"""

import copy
import importlib
import inspect
import json
import random
import warnings
from functools import partial

import keras
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.estimator_checks import check_estimator_tags_renamed

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
THREE = np.arange(24) % 3

REPLACED_IN_KERAS = (
    (keras.Model, "__reduce__"),
    (keras.Model, "__deepcopy__"),
    (keras.losses.Loss, "__reduce__"),
    (keras.metrics.Metric, "__reduce__"),
    (keras.optimizers.Optimizer, "__reduce__"),
)


def network(units=1, activation="sigmoid", width=3):
    return keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(units, activation=activation)]
    )


def classifier(library, model=network, loss="binary_crossentropy", **parameters):
    """A small classifier; without compilation, which would take most of the time."""
    parameters = {"verbose": 0, "run_eagerly": True, **parameters}
    return library.KerasClassifier(model, loss=loss, **parameters)


def raises(action):
    try:
        action()
    except Exception:
        return True
    return False


def changes_keras_for_other_code(library):
    return any(name in vars(changed) for changed, name in REPLACED_IN_KERAS)


def is_no_classifier(library):
    return not is_classifier(classifier(library))


def does_not_stratify_folds(library):
    folds = check_cv(3, Y, classifier=is_classifier(classifier(library)))
    shares = [Y[test].mean() for _, test in folds.split(X, Y)]
    return np.ptp(shares) > 0.1


def has_tags_of_an_old_scikit_learn(library):
    return raises(lambda: check_estimator_tags_renamed("any", classifier(library)))


def takes_any_attribute_for_a_parameter(library):
    estimator = classifier(library)
    estimator.note = "not a parameter"
    return "note" in estimator.get_params()


def prints_every_parameter(library):
    return "validation_split" in repr(classifier(library))


def cannot_set_a_parameter_of_a_callback(library):
    estimator = classifier(library, callbacks=keras.callbacks.EarlyStopping)
    return raises(lambda: estimator.set_params(callbacks__patience=3))


def accepts_a_misspelt_parameter(library):
    return not raises(lambda: classifier(library, optimiser__learning_rate=0.1).fit(X, Y))


def seeds_global_generators(library):
    before = random.getstate(), str(np.random.get_state())
    during = []

    def build():
        during.append((random.getstate(), str(np.random.get_state())))
        return network()

    classifier(library, build, random_state=0).fit(X, Y)
    return during != [before]


def overwrites_sample_weights(library):
    weight = np.ones(len(Y))
    classifier(library, class_weight={0: 1, 1: 5}).fit(X, Y, sample_weight=weight)
    return (weight != 1).any()


def trains_the_model_it_was_given(library):
    model = network()
    before = model.get_weights()
    classifier(library, model).fit(X, Y)
    return any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def trains_the_optimizer_it_was_given(library):
    optimizer = keras.optimizers.SGD(0.1)
    classifier(library, optimizer=optimizer).fit(X, Y)
    return int(optimizer.iterations) > 0


def leaves_its_model_in_a_callback(library):
    callback = keras.callbacks.EarlyStopping(monitor="loss")
    classifier(library, callbacks=[callback]).fit(X, Y)
    return callback.model is not None


def drops_callbacks_given_to_fit(library):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    classifier(library).fit(X, Y, callbacks=[callback])
    return not seen


def forgets_the_classes_in_a_warm_start(library):
    return classifier(library, warm_start=True).fit(X, Y).fit(X, Y).classes_ is None


class Encoder(TransformerMixin, BaseEstimator):
    def fit(self, X):
        self.scale_ = 2.0
        return self

    def transform(self, X):
        return X * self.scale_

    def get_metadata(self):
        return {"scale_": self.scale_}


def asks_an_unfitted_encoder(library):
    encoded = type(
        "Encoded", (library.KerasClassifier,), {"feature_encoder": property(lambda _: Encoder())}
    )
    return raises(
        lambda: encoded(network, loss="bce", verbose=0, run_eagerly=True).fit(X, Y).scale_
    )


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.only = keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.only(inputs)


def needs_outputs_before_there_are_any(library):
    return raises(lambda: classifier(library, lambda: Subclassed()).fit(X, Y))


def refuses_floats_after_whole_numbers(library):
    fitted = classifier(library).fit(np.round(X).astype(int), Y)
    return raises(lambda: fitted.predict(X))


def refuses_longer_labels_in_score(library):
    fitted = classifier(library).fit(X, np.where(Y, "b", "a"))
    return raises(lambda: fitted.score(X, np.where(Y, "b", "another")))


def squeezes_a_single_row(library):
    return classifier(library).fit(X, Y).predict_proba(X[:1]).shape != (1, 2)


def takes_logits_for_probabilities(library):
    model = partial(network, activation=None)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fitted = classifier(library, model, loss=loss).fit(10 * X, Y)
    probabilities = fitted.predict_proba(10 * X)
    return probabilities.min() < 0 or probabilities.max() > 1


def takes_a_hinge_for_a_probability(library):
    fitted = classifier(library, partial(network, activation="tanh"), loss="hinge").fit(X, Y)
    # Whatever the weights, some outputs between a row and its opposite are between 0 and 0.5.
    rows = np.concatenate([X * factor for factor in np.linspace(-3, 3, 61)]).astype(np.float32)
    outputs = np.asarray(fitted.model_(rows))[:, 0]
    return (fitted.predict(rows) != (outputs > 0)).any()


def trains_with_too_few_outputs(library):
    return not raises(lambda: classifier(library).fit(X, THREE).predict(X))


def cannot_route_to_a_loss_given_by_its_name(library):
    model = partial(network, activation=None)
    estimator = classifier(library, model, loss="BinaryCrossentropy", loss__from_logits=True)
    return raises(lambda: estimator.fit(X, Y))


def compares_class_numbers_with_columns(library):
    # Compared with a number, the two columns are best at a half each, whatever the class.
    model = partial(network, units=2, activation="softmax")
    optimizer = keras.optimizers.Adam(0.1)
    fitted = classifier(library, model, loss="mse", optimizer=optimizer, epochs=20).fit(X, Y)
    return fitted.predict_proba(X).max(axis=1).mean() < 0.7


def does_not_know_the_class_of_categorical_crossentropy(library):
    model = partial(network, units=3, activation="softmax")
    estimator = classifier(library, model, loss=keras.losses.CategoricalCrossentropy)
    return raises(lambda: estimator.fit(X, THREE))


def cannot_copy_a_fit_with_a_loss_of_ones_own(library):
    fitted = classifier(library, loss=own_loss).fit(X, Y)
    return raises(lambda: copy.deepcopy(fitted).predict(X))


def own_loss(y_true, y_pred):
    return keras.losses.binary_crossentropy(y_true, y_pred)


PROBES = {
    name: probe
    for name, probe in list(globals().items())
    if inspect.isfunction(probe) and list(inspect.signature(probe).parameters) == ["library"]
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    scikeras = importlib.import_module("scikeras.wrappers")
    found = {name: bool(probe(scikeras)) for name, probe in PROBES.items()}
    assert importlib.import_module("skhp").KerasClassifier
    found["replaced_after_skhp"] = [name in vars(changed) for changed, name in REPLACED_IN_KERAS]
    print(json.dumps(found))
