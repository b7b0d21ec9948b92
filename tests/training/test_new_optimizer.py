"""An optimizer that skhp does not know is added from outside: one file touches no other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import KerasMLPClassifier
from skhp.training import update_rules
from skhp.training.rate_schedules import OPTIMIZERS
from skhp.training.update_rules import UPDATE_RULES, Slot, add_update_rule


def lion(gradient, slots, step, rate, numbers):
    """Keras' Lion (Chen and others, 2023): the sign of a momentum."""
    beta_1, beta_2 = numbers
    change = tf.sign(slots[0] * beta_1 + gradient * (1 - beta_1)) * -rate
    return change, (slots[0] * beta_2 + gradient * (1 - beta_2),)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    for registry in (OPTIMIZERS, UPDATE_RULES, update_rules._NAME_OF):
        for name in ("lion", "lion_weight_decay", keras.optimizers.Lion):
            # What the test adds to the registries goes with the test.
            monkeypatch.setitem(registry, name, None)
            monkeypatch.delitem(registry, name)
    OPTIMIZERS["lion"] = keras.optimizers.Lion
    add_update_rule(keras.optimizers.Lion, "lion", ("beta_1", "beta_2"), (Slot("momentum"),), lion)


def network(**parameters):
    given = {"epochs": 5, "early_stopping": False, "random_state": 0, "neurons": 3, **parameters}
    return KerasMLPClassifier(optimizer="lion", learning_rate=0.01, **given)


def test_it_trains_as_keras_trains_it(two_classes):
    ours = network(engine="population").fit(*two_classes)
    keras_own = network(engine="keras").fit(*two_classes)
    np.testing.assert_allclose(ours.history_["loss"], keras_own.history_["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        ours.predict_proba(two_classes[0]), keras_own.predict_proba(two_classes[0]), atol=1e-5
    )


def test_it_goes_on_where_it_stood(two_classes):
    once = network(epochs=2, engine="population").fit(*two_classes)
    assert isinstance(once.model_.optimizer, keras.optimizers.Lion)
    assert int(once.model_.optimizer.iterations) == 2 * 4
    assert once.partial_fit(*two_classes).n_iter_ == 3


def test_a_misspelt_name_is_told_with_its_own():
    with pytest.raises(ValueError, match="'lion'"):
        KerasMLPClassifier(optimizer="lionn").fit([[0.0], [1.0]], [0, 1])
