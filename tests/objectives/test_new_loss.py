"""A loss that skhp does not know is added from outside: one file touches no other."""

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhp import KerasMLPClassifier
from skhp.exceptions import InvalidParameterError
from skhp.objectives.numbered_loss import NAMED_LOSSES, NumberedLoss, named_loss
from skhp.population import fit_together
from skhp.training.cohort.compiled_programs import cohort_program


@keras.saving.register_keras_serializable("tests")
class PolyLoss(NumberedLoss):
    """Crossentropy, and a share of one minus the probability of the own class (Leng, 2022)."""

    parameters = ("share",)

    def __init__(self, share=1.0, *, reduction="sum_over_batch_size", name="poly", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.share = share

    def numbers_of_member(self):
        if not self.share >= 0:
            raise InvalidParameterError(f"PolyLoss has share={self.share!r}: give 0 or more.")
        return (float(self.share),)

    def call(self, y_true, y_pred):
        return self.of_rows(y_true, y_pred, self.numbers_of_member())

    @staticmethod
    def of_rows(y, outputs, numbers):
        share = keras.ops.convert_to_tensor(numbers[0], "float32")[..., None]
        y = keras.ops.cast(y, outputs.dtype)
        own = (y * outputs + (1 - y) * (1 - outputs))[..., 0]
        own = keras.ops.clip(own, 1e-7, 1 - 1e-7)
        return share * (1 - own) - keras.ops.log(own)


@pytest.fixture(autouse=True)
def known():
    named_loss("poly")(PolyLoss)
    yield
    del NAMED_LOSSES["poly"]


def network(**parameters):
    given = {"epochs": 5, "early_stopping": False, "random_state": 0, "neurons": 3, **parameters}
    return KerasMLPClassifier(**given)


@pytest.mark.parametrize("loss", ["poly", PolyLoss(0.5)], ids=["name", "instance"])
def test_it_trains_as_keras_trains_it(loss, two_classes):
    ours = network(loss=loss, engine="population").fit(*two_classes)
    keras_own = network(loss=loss, engine="keras").fit(*two_classes)
    np.testing.assert_allclose(ours.history_["loss"], keras_own.history_["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        ours.predict_proba(two_classes[0]), keras_own.predict_proba(two_classes[0]), atol=1e-5
    )
    # It is another loss than the one without the share.
    plain = network(engine="population").fit(*two_classes)
    assert abs(plain.history_["loss"][0] - ours.history_["loss"][0]) > 0.01


def test_candidates_differ_in_its_number_within_one_program(two_classes, monkeypatch):
    built = []
    monkeypatch.setattr(
        "skhp.training.cohort.packed_members.cohort_program",
        lambda *given, **more: built.append(1) or cohort_program(*given, **more),
    )
    candidates = [network(loss=PolyLoss(share)) for share in (0.0, 0.5, 2.0)]
    together = fit_together([(clone(one), *two_classes) for one in candidates])
    assert len(built) == 1
    for fitted, candidate in zip(together, candidates, strict=True):
        alone = clone(candidate).fit(*two_classes)
        np.testing.assert_allclose(
            fitted.predict_proba(two_classes[0]), alone.predict_proba(two_classes[0]), atol=1e-5
        )


def test_its_mistakes_are_told_before_the_training(two_classes):
    with pytest.raises(InvalidParameterError, match="share=-1"):
        network(loss=PolyLoss(-1.0)).fit(*two_classes)


def test_a_misspelt_name_is_told_with_its_own():
    with pytest.raises(ValueError, match="'poly'"):
        network(loss="polly").fit([[0.0], [1.0]], [0, 1])


def test_a_loss_without_a_name(two_classes, monkeypatch):
    monkeypatch.delitem(NAMED_LOSSES, "poly")
    expected = r'PolyLoss has no name.*@named_loss\("PolyLoss"\)'
    with pytest.raises(InvalidParameterError, match=expected):
        KerasMLPClassifier(loss=PolyLoss(), epochs=1).fit(*two_classes)
