"""The threshold of a rare class for any model: what it is, what it is tuned on, what goes by it."""

import pickle

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.metrics import f1_score, precision_recall_curve
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_validate
from sklearn.preprocessing import FunctionTransformer

from skhp import InvalidParameterError, KerasClassifier
from skhp.estimators.keras_model import wrapped_fit as scikeras_fit
from skhp.population.handover import AdoptableFit, adopting
from skhp.training.cohort.cohort import train_cohort
from tests.estimators.keras_model.build_functions import build_classifier

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(300, 5))
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + GENERATOR.normal(size=300) / 2
RARE = (np.quantile(SCORE, 0.8) < SCORE).astype(int)
LABELS = np.where(RARE == 1, "hit", "miss")
HELD_OUT = slice(210, None)

LOSSES = keras.losses
OUTPUTS = {
    "one sigmoid": (1, "sigmoid", "binary_crossentropy"),
    "one logit": (1, None, LOSSES.BinaryCrossentropy(from_logits=True)),
    "softmax": (2, "softmax", "sparse_categorical_crossentropy"),
    "two logits": (2, None, LOSSES.SparseCategoricalCrossentropy(from_logits=True)),
}


def build(meta, units=1, last="sigmoid"):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(units, activation=last),
        ]
    )


def classifier(outputs="one sigmoid", **parameters):
    units, last, loss = OUTPUTS[outputs]
    settings = {
        "model": build,
        "model__units": units,
        "model__last": last,
        "loss": loss,
        "optimizer": "adam",
        "optimizer__learning_rate": 0.02,
        "epochs": 15,
        "validation_split": 0.3,
        "random_state": 0,
        "threshold": "tune",
        "engine": "population",
    }
    return KerasClassifier(**settings | parameters)


def probability_of_rarest(fitted, rows):
    (column,) = np.flatnonzero(fitted.classes_ == fitted.rare_class_)
    return fitted.predict_proba(rows)[:, column]


def greatest_f1(is_rare, probability, weight=None):
    """By scikit-learn's curve."""
    precision, recall, _ = precision_recall_curve(is_rare, probability, sample_weight=weight)
    return np.max(2 * precision * recall / np.maximum(precision + recall, 1e-9))


def assert_tuned_on(fitted, rows, labels, weight=None):
    is_rare = labels == fitted.rare_class_
    predicted = fitted.predict(rows) == fitted.rare_class_
    reached = f1_score(is_rare, predicted, sample_weight=weight)
    expected = greatest_f1(is_rare, probability_of_rarest(fitted, rows), weight)
    assert reached == pytest.approx(expected, abs=1e-9)
    assert 0 < fitted.threshold_ < 1


@pytest.fixture
def adopted_only(monkeypatch):
    """A fit that wants to be trained by itself fails."""

    def refuse(task):
        raise AssertionError("the fit was trained by itself")

    monkeypatch.setattr(scikeras_fit, "LoneFit", refuse)


class TestANumber:
    @pytest.mark.parametrize("outputs", OUTPUTS)
    @pytest.mark.parametrize("y", [RARE, 1 - RARE, LABELS], ids=["one", "zero", "labels"])
    def test_it_is_the_probability_of_the_rarest(self, outputs, y):
        shares = []
        for threshold in (0.1, 0.3, 0.7):
            fitted = classifier(outputs, threshold=threshold).fit(X, y)
            assert fitted.threshold_ == threshold
            assert fitted.rare_class_ == y[RARE == 1][0]
            predicted = fitted.predict(X)
            assert predicted.dtype == y.dtype
            assert predicted.shape == y.shape
            probability = probability_of_rarest(fitted, X)
            np.testing.assert_array_equal(predicted == fitted.rare_class_, probability >= threshold)
            shares.append((predicted == fitted.rare_class_).mean())
        assert shares[0] > shares[1] > shares[2]

    def test_a_half_is_what_is_likelier(self):
        fitted = classifier(threshold=0.5).fit(X, RARE)
        usual = (fitted.model_.predict(X, verbose=0)[:, 0] > 0.5).astype(int)
        np.testing.assert_array_equal(fitted.predict(X), usual)
        assert (fitted.threshold_, fitted.rare_class_) == (0.5, 1)

    def test_of_equals_it_is_the_last(self):
        for y in (np.arange(300) % 2, np.arange(1, 301) % 2):
            assert classifier(threshold=0.5, epochs=1).fit(X, y).rare_class_ == 1

    def test_it_is_no_part_of_the_training(self):
        probabilities = [
            classifier(threshold=threshold).fit(X, RARE).predict_proba(X)
            for threshold in (0.5, 0.2, "tune")
        ]
        np.testing.assert_array_equal(probabilities[0], probabilities[1])
        np.testing.assert_array_equal(probabilities[0], probabilities[2])

    def test_other_targets_have_none(self):
        fitted = classifier(threshold=0.3).fit(X, RARE)
        several = {"model__units": 3, "model__last": "softmax"}
        fitted.set_params(threshold=0.5, loss="sparse_categorical_crossentropy", **several)
        fitted.fit(X, np.arange(300) % 3)
        assert not hasattr(fitted, "threshold_")
        assert not hasattr(fitted, "rare_class_")
        assert set(fitted.predict(X)) <= {0, 1, 2}


class TestTuned:
    @pytest.mark.parametrize("outputs", OUTPUTS)
    @pytest.mark.parametrize("y", [RARE, 1 - RARE, LABELS], ids=["one", "zero", "labels"])
    def test_on_the_last_rows(self, outputs, y):
        fitted = classifier(outputs).fit(X, y)
        assert_tuned_on(fitted, X[HELD_OUT], y[HELD_OUT])

    @pytest.mark.parametrize("engine", ["population", "keras"])
    def test_with_sample_weights_but_without_class_weights(self, engine):
        weight = np.random.default_rng(1).choice([0.0, 0.2, 1.0, 5.0], size=300)
        fitted = classifier(engine=engine, class_weight={0: 1.0, 1: 20.0})
        fitted.fit(X, RARE, sample_weight=weight)
        # Rows of weight zero are none of those that are parted.
        used = np.flatnonzero(weight)
        last = used[int(np.floor(len(used) * 0.7)) :]
        assert_tuned_on(fitted, X[last], RARE[last], weight[last])

    @pytest.mark.parametrize("engine", ["population", "keras"])
    def test_on_validation_data(self, engine):
        # Given, it takes the place of the share that is held out.
        rows, labels = X[HELD_OUT], LABELS[HELD_OUT]
        thresholds = []
        for weight in (None, np.where(labels == "hit", 20.0, 1.0)):
            given = (rows, labels) if weight is None else (rows, labels, weight)
            fitted = classifier(engine=engine).fit(X[:210], LABELS[:210], validation_data=given)
            assert_tuned_on(fitted, rows, labels, weight)
            thresholds.append(fitted.threshold_)
        assert thresholds[1] < thresholds[0]

    def test_every_way_to_fit_gives_the_same(self, adopted_only):
        folds = [(np.arange(40, 300), np.arange(40)), (np.arange(260), np.arange(260, 300))]
        settings = {"cv": folds, "return_estimator": True, "scoring": "f1"}
        with joblib.parallel_config(backend="skhp"):
            together = cross_validate(classifier(), X, RARE, **settings)
        for number, (training, scored) in enumerate(folds):
            adopted = together["estimator"][number]
            rows = training[int(np.floor(len(training) * 0.7)) :]
            assert_tuned_on(adopted, X[rows], RARE[rows])
            score = f1_score(RARE[scored], adopted.predict(X[scored]))
            assert together["test_score"][number] == score
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(scikeras_fit, "LoneFit", TRAINED_ALONE)
                alone = classifier().fit(X[training], RARE[training])
            assert adopted.threshold_ != 0.5
            assert adopted.threshold_ == pytest.approx(alone.threshold_, abs=1e-3)
            assert adopted.rare_class_ == alone.rare_class_ == 1
        by_keras = classifier(engine="keras").fit(X[training], RARE[training])
        assert adopted.threshold_ == pytest.approx(by_keras.threshold_, abs=1e-3)
        assert by_keras.rare_class_ == 1

    def test_candidates_of_a_population_have_their_own(self, adopted_only):
        grid = {"threshold": ["tune", 0.5, 0.15], "optimizer__learning_rate": [0.02, 0.005]}
        search = GridSearchCV(classifier(), grid, cv=2, scoring="f1", refit=False)
        with joblib.parallel_config(backend="skhp"):
            results = search.fit(X, LABELS == "hit").cv_results_
        apart = {}
        for parameters, score in zip(results["params"], results["mean_test_score"], strict=True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(scikeras_fit, "LoneFit", TRAINED_ALONE)
                lone = cross_validate(
                    classifier(**parameters), X, LABELS == "hit", cv=2, scoring="f1"
                )
            apart[tuple(parameters.values())] = lone["test_score"].mean()
            assert score == pytest.approx(lone["test_score"].mean(), abs=0.03)
        assert len(set(apart.values())) > 4

    def test_an_adopting_estimator_forgets_an_earlier_target(self):
        """What a fit of two classes left behind is no part of one of three."""
        three = np.arange(300) % 3
        several = {"model__units": 3, "model__last": "softmax", "threshold": 0.5}
        fitted = classifier("softmax", threshold=0.2).fit(X, RARE).set_params(**several)
        task = fitted.__skhp_fit_task__(X, three)
        (result,) = train_cohort([task])
        with adopting([AdoptableFit(fitted, X, three, {}, task, result)]):
            fitted.fit(X, three)
        assert not hasattr(fitted, "threshold_")
        assert not hasattr(fitted, "rare_class_")

    def test_a_model_that_predicts_in_its_own_way(self):
        class Doubting(keras.Sequential):
            def predict_step(self, data):
                return super().predict_step(data) / 4

        def doubting(meta, units, last):
            return Doubting(build(meta, units, last).layers)

        fitted = classifier(model=doubting, engine="auto").fit(X, RARE)
        assert fitted.threshold_ < 0.25
        assert_tuned_on(fitted, X[HELD_OUT], RARE[HELD_OUT])

    def test_columns_with_names(self):
        table = pd.DataFrame(X, columns=list("abcde"))
        fitted = classifier().fit(table, LABELS)
        assert fitted.threshold_ == classifier().fit(X, LABELS).threshold_
        assert_tuned_on(fitted, table[HELD_OUT], LABELS[HELD_OUT])

    def test_without_a_rare_row_there_is_nothing_to_tune(self):
        order = np.argsort(-RARE, kind="stable")
        assert classifier().fit(X[order], RARE[order]).threshold_ == 0.5


TRAINED_ALONE = scikeras_fit.LoneFit


class TestGoingOn:
    def test_partial_fit_keeps_what_was_tuned(self):
        fitted = classifier().fit(X, RARE)
        threshold = fitted.threshold_
        before = fitted.predict_proba(X)
        # Another class is the rarer one of these rows.
        fitted.partial_fit(X, 1 - RARE)
        assert (fitted.threshold_, fitted.rare_class_) == (threshold, 1)
        assert not np.array_equal(before, fitted.predict_proba(X))

    def test_partial_fit_goes_by_a_number(self):
        fitted = classifier(threshold=0.2).partial_fit(X, LABELS, classes=["hit", "miss"])
        assert (fitted.threshold_, fitted.rare_class_) == (0.2, "hit")
        assert fitted.set_params(threshold=0.4).partial_fit(X, LABELS).threshold_ == 0.4

    def test_a_class_that_is_still_to_come_is_the_rarest(self):
        rows = RARE == 1
        start = classifier(threshold=0.2, validation_split=0.0)
        assert start.partial_fit(X[rows], RARE[rows], classes=[0, 1]).rare_class_ == 0

    def test_warm_start_tunes_anew(self):
        fitted = classifier(warm_start=True).fit(X, RARE)
        first = fitted.threshold_
        order = np.random.default_rng(1).permutation(300)
        fitted.fit(X[order], RARE[order])
        assert fitted.threshold_ != first
        assert_tuned_on(fitted, X[order][HELD_OUT], RARE[order][HELD_OUT])

    def test_initialize_goes_by_a_number(self):
        fitted = classifier(threshold=0.2).initialize(X, RARE)
        assert (fitted.threshold_, fitted.rare_class_) == (0.2, 1)
        probability = probability_of_rarest(fitted, X)
        np.testing.assert_array_equal(fitted.predict(X) == 1, probability >= 0.2)

    def test_it_is_pickled_and_fitted_anew(self):
        fitted = classifier().fit(X, RARE)
        restored = pickle.loads(pickle.dumps(fitted))
        assert restored.threshold_ == fitted.threshold_ != 0.5
        np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
        assert fitted.set_params(threshold=0.2).fit(X, RARE).threshold_ == 0.2
        copied = clone(fitted)
        assert copied.get_params()["threshold"] == 0.2
        assert not hasattr(copied, "threshold_")

    @pytest.mark.parametrize("threshold", [0.5, "tune"])
    def test_within_tuned_threshold_classifier_cv(self, threshold):
        tuned = TunedThresholdClassifierCV(
            classifier(threshold=threshold), scoring="f1", cv=2, random_state=0
        ).fit(X, RARE)
        predicted = tuned.predict(X)
        by_probability = tuned.estimator_.predict_proba(X)[:, 1] >= tuned.best_threshold_
        np.testing.assert_array_equal(predicted == 1, by_probability)
        assert f1_score(RARE, predicted) > 0.4


class WithItsOwnEncoder(KerasClassifier):
    @property
    def target_encoder(self):
        return FunctionTransformer()


class TestRefused:
    @pytest.mark.parametrize("threshold", [0.0, 1.0, 0, 1, -1, np.nan, "tuned", None, [0.5]])
    def test_values(self, threshold):
        with pytest.raises(InvalidParameterError, match="threshold"):
            classifier(threshold=threshold).fit(X, RARE)

    @pytest.mark.parametrize("threshold", [0.3, "tune"])
    @pytest.mark.parametrize(
        ("y", "reason"),
        [
            (np.arange(300) % 3, r"multiclass: leave it at 0\.5"),
            (np.column_stack([RARE, X[:, 0] > 0]), "multilabel-indicator"),
            (RARE[:, None], r"y\.ravel\(\) has one"),
        ],
        ids=["three classes", "several labels", "a column"],
    )
    def test_targets(self, threshold, y, reason):
        estimator = KerasClassifier(build_classifier, threshold=threshold, validation_split=0.3)
        with pytest.raises(InvalidParameterError, match=reason):
            estimator.fit(X, y)
        with (
            joblib.parallel_config(backend="skhp"),
            pytest.raises(InvalidParameterError, match=reason),
        ):
            cross_validate(estimator, X, y, cv=2, error_score="raise")
        if threshold != "tune":
            with pytest.raises(InvalidParameterError, match=reason):
                estimator.partial_fit(X, y)
            with pytest.raises(InvalidParameterError, match=reason):
                estimator.initialize(X, y)

    def test_an_encoder_of_its_own(self):
        estimator = WithItsOwnEncoder(build, loss="binary_crossentropy", threshold=0.3)
        with pytest.raises(InvalidParameterError, match="WithItsOwnEncoder has a target_encoder"):
            estimator.fit(X, RARE)
        fitted = estimator.set_params(threshold=0.5).fit(X, RARE)
        assert not hasattr(fitted, "threshold_")
        assert fitted.predict(X).dtype.kind == "f"

    @pytest.mark.parametrize("engine", ["auto", "population", "keras"])
    def test_no_rows_held_out(self, engine):
        with pytest.raises(InvalidParameterError, match="set validation_split"):
            classifier(validation_split=0.0, engine=engine).fit(X, RARE)

    def test_validation_data_without_labels(self):
        columns = np.eye(2)[RARE]
        softmax = classifier("softmax", loss="categorical_crossentropy", engine="auto")
        with pytest.raises(InvalidParameterError, match=r"got y of shape \(300, 2\)"):
            softmax.fit(X, RARE, validation_data=(X, columns))

        class Rows(keras.utils.PyDataset):
            def __len__(self):
                return 1

            def __getitem__(self, number):
                return X, columns

        with pytest.raises(InvalidParameterError, match="got Rows"):
            softmax.fit(X, RARE, validation_data=Rows())

    def test_in_parts(self):
        with pytest.raises(InvalidParameterError, match=r"partial_fit holds .* begin with fit"):
            classifier().partial_fit(X, RARE, classes=[0, 1])
        with pytest.raises(InvalidParameterError, match=r"initialize holds .* begin with fit"):
            classifier().initialize(X, RARE)


@pytest.mark.parametrize("units", [1, 3])
def test_logarithms_of_probabilities_come_from_logits_where_there_are_some(units):
    def build(meta):
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(units)])

    loss = (
        keras.losses.BinaryCrossentropy
        if units == 1
        else (keras.losses.SparseCategoricalCrossentropy)
    )
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(60, 3))
    y = np.digitize(rows[:, 0], [0.0] if units == 1 else [-0.5, 0.5])
    fitted = KerasClassifier(build, loss=loss(from_logits=True), epochs=2, random_state=0)
    fitted.fit(rows, y)
    far = 1e5 * rows
    logits = np.asarray(fitted.model_(far.astype(np.float32)), np.float64)
    if units == 1:
        logits = np.column_stack([np.zeros(60), logits])
    expected = logits - logsumexp(logits, axis=1, keepdims=True)
    logarithms = fitted.predict_log_proba(far)
    assert logarithms.min() < -1000
    np.testing.assert_allclose(logarithms, expected, rtol=1e-5, atol=1e-6)
