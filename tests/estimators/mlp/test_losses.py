"""Networks that learn by the losses for rare classes."""

import warnings

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_val_score,
    cross_validate,
)

import skhp
from skhp import (
    GridSearchCV,
    InvalidParameterError,
    KerasClassifier,
    KerasMLPClassifier,
    RareClassWarning,
)
from skhp.losses import FocalLoss, SoftF1
from skhp.training.cohort.compiled_programs import programs

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(300, 5))
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + GENERATOR.normal(size=300) / 2
RARE = (np.quantile(SCORE, 0.85) < SCORE).astype(int)
THREE = np.digitize(SCORE, np.quantile(SCORE, [0.6, 0.85]))
TARGETS = {"rare one": RARE, "rare zero": 1 - RARE, "three": THREE}


def network(**parameters):
    settings = {"batch_size": 50, "epochs": 6, "learning_rate": 0.01, "random_state": 0}
    return KerasMLPClassifier(**settings | parameters)


# Each loss with one output and with several; each kind of loss with the rare class at either end.
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("soft_f1", "rare one"),
        (SoftF1(beta=2.0), "rare zero"),
        (SoftF1(beta=2.0), "three"),
        (SoftF1(average="macro"), "rare zero"),
        (SoftF1(average="macro"), "three"),
        ("focal", "rare one"),
        (FocalLoss(0.5), "rare zero"),
        (FocalLoss(0.5), "three"),
    ],
    ids=repr,
)
def test_a_cohort_trains_as_keras_does(loss, target):
    y, parameters = TARGETS[target], {"loss": loss, "l2": 1e-3, "class_weight": "balanced"}
    weight = GENERATOR.uniform(0.5, 2, len(X))
    by = {}
    for engine in ("population", "keras"):
        by[engine] = network(engine=engine, **parameters).fit(X, y, sample_weight=weight)
    one, other = by.values()
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-4)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(one.history_[name], other.history_[name], rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "values"),
    [
        (FocalLoss(), {"loss__gamma": [0.0, 1.0, 4.0]}),
        (FocalLoss(), {"loss__alpha": [0.2, None, 0.9]}),
        (SoftF1(), {"loss__beta": [0.5, 1.0, 3.0]}),
    ],
    ids=["gamma", "alpha", "beta"],
)
def test_members_of_one_program_have_numbers_of_their_own(loss, values):
    folds = StratifiedKFold(3)
    before = programs.counts
    search = GridSearchCV(network(loss=loss), values, cv=folds, refit=False).fit(X, RARE)
    assert programs.counts.built - before.built <= 1
    ((name, numbers),) = values.items()
    scores = search.cv_results_["mean_test_score"]
    losses = set()
    for number, score in zip(numbers, scores, strict=True):
        alone = network(loss=loss).set_params(**{name: number})
        fitted = cross_validate(alone, X, RARE, cv=folds, scoring="f1", return_estimator=True)
        assert score == pytest.approx(fitted["test_score"].mean(), abs=0.02)
        losses.add(fitted["estimator"][0].history_["loss"][-1])
    assert len(losses) == 3


def test_batches_of_other_sizes_are_their_own_batches():
    """What a row teaches depends on its batch, so batches are not cut into parts."""
    grid = {"batch_size": [20, 30, 60]}
    given = {"cv": StratifiedShuffleSplit(1, random_state=0), "scoring": "neg_log_loss"}
    search = GridSearchCV(network(loss="soft_f1"), grid, refit=False, **given).fit(X, RARE)
    for size, score in zip(grid["batch_size"], search.cv_results_["mean_test_score"], strict=True):
        alone = network(loss="soft_f1", batch_size=size, engine="keras")
        (expected,) = cross_val_score(alone, X, RARE, **given)
        assert score == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("target", ["rare one", "rare zero"])
def test_f1_of_the_rarest_class_is_better_than_by_crossentropy(target):
    y = TARGETS[target]
    rare = 1 if target == "rare one" else 0

    def score(estimator, X, y):
        return f1_score(y, estimator.predict(X), pos_label=rare, zero_division=0)

    settings = {"epochs": 60, "batch_size": 60}
    with skhp.population():
        scores = {
            loss: np.mean(
                [
                    cross_val_score(
                        network(loss=loss, **settings | {"random_state": seed}),
                        X,
                        y,
                        scoring=score,
                        cv=StratifiedKFold(5, shuffle=True, random_state=seed),
                    ).mean()
                    for seed in range(3)
                ]
            )
            for loss in ("crossentropy", "soft_f1")
        }
    assert scores["soft_f1"] > scores["crossentropy"] + 0.02


class TestBatchesWithoutTheRarestClass:
    def test_most_of_them_are_warned_of(self):
        y = np.where(np.arange(300) < 6, "sick", "well")
        with pytest.warns(RareClassWarning, match="'sick' .5 of 240 rows.*batch_size='full'"):
            network(loss="soft_f1", batch_size=20, epochs=1).fit(X, y)

    @pytest.mark.parametrize("parameters", [{"batch_size": "full"}, {"loss": "focal"}])
    def test_others_are_not(self, parameters):
        y = np.where(np.arange(300) < 6, "sick", "well")
        settings = {"loss": "soft_f1", "batch_size": 20, "epochs": 1}
        with warnings.catch_warnings(action="error"):
            network(**settings | parameters).fit(X, y)


class TestParameters:
    def test_those_of_the_loss_are_found(self):
        estimator = network(loss=FocalLoss(gamma=3.0))
        assert estimator.get_params()["loss__gamma"] == 3.0
        assert "loss__gamma" not in estimator.get_params(deep=False)
        assert estimator.set_params(loss__gamma=1.0).loss.gamma == 1.0
        assert network().set_params(loss=FocalLoss(), loss__gamma=5.0).loss.gamma == 5.0
        with pytest.raises(InvalidParameterError, match="loss__gamma"):
            network().set_params(loss__gamma=1.0)
        with pytest.raises(InvalidParameterError, match=r"'loss__gama'.*loss__gamma"):
            estimator.set_params(loss__gama=1.0)

    @pytest.mark.parametrize("loss", ["soft", SoftF1(beta=-1.0), SoftF1, keras.losses.Hinge()])
    def test_what_is_no_loss(self, loss):
        with pytest.raises(ValueError, match=r"loss|beta"):
            network(loss=loss).fit(X, RARE)


def build(meta, units=4):
    n_outputs = 1 if meta["n_classes_"] == 2 else meta["n_classes_"]
    last = "sigmoid" if n_outputs == 1 else "softmax"
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(n_outputs, activation=last),
        ]
    )


@pytest.mark.parametrize(
    ("loss", "target"),
    [(SoftF1(), "rare one"), (SoftF1(), "three"), (FocalLoss(1.0), "rare one")],
    ids=repr,
)
def test_any_model_of_keras_joins(loss, target):
    parameters = {
        "loss": loss,
        "optimizer": "adam",
        "batch_size": 60,
        "epochs": 3,
        "validation_split": 0.2,
        "random_state": 0,
    }
    one, other = (
        KerasClassifier(build, engine=engine, **parameters).fit(X, TARGETS[target])
        for engine in ("population", "keras")
    )
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-4)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(one.history_[name], other.history_[name], rtol=1e-3)
