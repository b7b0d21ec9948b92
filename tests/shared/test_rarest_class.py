"""One meaning of "positive": what scores, learns, watches and decides is of the rarest class.

The tables hold the same rows under other labels; which class is the rarest is written beside each.
"""

import re
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skhp
from skhp import GridSearchCV, KerasClassifier, KerasMLPClassifier, ThresholdDisplay
from skhp.estimators.threshold import Threshold
from skhp.inspection.report.search_report import write_report
from skhp.losses import FocalLoss, SoftF1
from skhp.population import fit_together
from skhp.scoring import (
    rare_average_precision_scorer,
    rare_f1_scorer,
    rare_precision_scorer,
    rare_recall_scorer,
)
from skhp.search.scores import default_scoring
from skhp.shared.best_threshold import best_threshold
from skhp.shared.class_targets import target_summary
from skhp.shared.rarest_class import rare_class_of, rarest_class, rarest_position
from skhp.tables.target import encode_target
from skhp.training.cohort.compiled_programs import programs

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(240, 4))
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + GENERATOR.normal(size=240) / 3
HIT = np.quantile(SCORE, 0.75) < SCORE
UPPER = np.median(SCORE) < SCORE
TRAINING, HELD_OUT = slice(0, 160), slice(160, 240)
# Equal counts in the training rows as in all.
UPPER[TRAINING] = np.median(SCORE[TRAINING]) < SCORE[TRAINING]


class Table(NamedTuple):
    """A target, its rarest class, the column of that in probabilities, and which rows are of it."""

    y: np.ndarray
    rare: object
    column: int
    is_rare: np.ndarray


TABLES = {
    "second of two": Table(HIT.astype(int), 1, 1, HIT),
    "first of two": Table(1 - HIT, 0, 0, HIT),
    "equal counts": Table(UPPER.astype(int), 1, 1, UPPER),
    "first text": Table(np.where(HIT, "hit", "miss"), "hit", 0, HIT),
    "first column": Table(np.eye(2, dtype=int)[1 - HIT], 0, 0, HIT),
}
MONITORS = {
    "val_f1": lambda is_rare, p: f1_score(is_rare, p >= 0.5),
    "val_precision": lambda is_rare, p: precision_score(is_rare, p >= 0.5, zero_division=0),
    "val_recall": lambda is_rare, p: recall_score(is_rare, p >= 0.5),
    "val_average_precision": average_precision_score,
}
tables = pytest.mark.parametrize("name", TABLES)


def network(**parameters):
    settings = {
        "neurons": 8,
        "epochs": 4,
        "learning_rate": 0.1,
        "early_stopping": False,
        "random_state": 0,
    }
    return KerasMLPClassifier(**settings | parameters)


def build(meta):
    hidden = keras.layers.Dense(8, activation="tanh")
    last = keras.layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), hidden, last])


def wrapper(**parameters):
    settings = {
        "loss": "binary_crossentropy",
        "optimizer": "adam",
        "optimizer__learning_rate": 0.02,
        "epochs": 8,
        "random_state": 0,
        "engine": "population",
    }
    return KerasClassifier(build, **settings | parameters)


CLASSIFIERS = {"perceptron": network, "wrapper": wrapper}
classifiers = pytest.mark.parametrize("kind", CLASSIFIERS)


def says_rare(fitted, rows, table):
    predicted = fitted.predict(rows)
    return predicted[:, table.column] == 1 if predicted.ndim == 2 else predicted == table.rare


# ---------------------------------------------------------------- the definition


def test_the_rarest_is_the_last_of_those_with_the_fewest_rows():
    assert [rarest_position(counts) for counts in ([3, 2], [2, 3], [2, 2], [5, 1, 7, 1])] == [
        *(1, 0, 1, 3)
    ]
    assert rarest_class([True, True, False, False]) is True
    assert rarest_class([[7], [7], [5]]) == 5
    # A class of which there is no row is rarer than all others.
    assert rarest_class(["b", "b"], classes=["a", "b"]) == "a"


@tables
def test_all_that_count_a_target_agree(name):
    table = TABLES[name]
    summary = target_summary(table.y)
    assert (summary.rare_class, summary.rarest) == (table.rare, table.is_rare.sum())
    scorer = default_scoring(network(), table.y)
    assert f"pos_label={table.rare}," in repr(scorer)
    if table.y.ndim == 1:
        target = encode_target(pd.Series(table.y), "target")
        assert target.rare_label == table.rare
        np.testing.assert_array_equal(target.codes == target.rare_code, table.is_rare)


# ---------------------------------------------------------------- monitors


@pytest.fixture(scope="module")
def trained():
    """Networks of each table: one for each monitor, and one for each number of epochs."""
    fits = {}
    for name, table in TABLES.items():
        y, held = table.y[TRAINING], {"X_val": X[HELD_OUT], "y_val": table.y[HELD_OUT]}
        for monitor in MONITORS:
            fits[name, monitor] = (network(monitor=monitor), X[TRAINING], y, held)
        for epochs in range(1, 5):
            fits[name, epochs] = (network(epochs=epochs), X[TRAINING], y)
    fitted = fit_together(fits.values())
    return dict(zip(fits, fitted, strict=True))


@tables
@pytest.mark.parametrize("monitor", MONITORS)
def test_a_monitor_is_of_the_rarest_class_after_each_epoch(trained, monitor, name):
    table = TABLES[name]
    expected = [
        MONITORS[monitor](
            table.is_rare[HELD_OUT],
            trained[name, epochs].predict_proba(X[HELD_OUT])[:, table.column],
        )
        for epochs in range(1, 5)
    ]
    assert len(set(expected)) > 1
    assert max(expected) > 0
    assert trained[name, monitor].history_[monitor] == pytest.approx(expected, abs=1e-5)
    assert trained[name, monitor].rare_class_ == table.rare


@pytest.mark.parametrize(
    ("name", "monitor"), [("first of two", "val_f1"), ("second of two", "val_average_precision")]
)
def test_keras_own_fit_watches_the_same_class(trained, monitor, name):
    table = TABLES[name]
    seen = []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            probability = self.model.predict(X[HELD_OUT], verbose=0)[:, 0].astype(float)
            of_rare = probability if table.column == 1 else 1 - probability
            seen.append(MONITORS[monitor](table.is_rare[HELD_OUT], of_rare))

    fitted = network(monitor=monitor, callbacks=Recorder()).fit(
        X[TRAINING], table.y[TRAINING], X_val=X[HELD_OUT], y_val=table.y[HELD_OUT]
    )
    assert fitted.history_[monitor] == pytest.approx(seen, abs=1e-5)
    expected = trained[name, monitor].history_[monitor]
    assert fitted.history_[monitor] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("engine", ["population", "keras"])
def test_early_stopping_keeps_the_epoch_that_is_best_for_the_rarest_class(engine):
    """Of rows that hold more of the rarest class than of the other one."""
    table = TABLES["first of two"]
    rows = np.r_[HELD_OUT, np.flatnonzero(HIT[TRAINING]).repeat(3)]
    assert table.is_rare[rows].mean() > 0.6
    fitted = network(
        engine=engine, monitor="val_f1", early_stopping=True, epochs=25, patience=5
    ).fit(X[TRAINING], table.y[TRAINING], X_val=X[rows], y_val=table.y[rows])
    values = fitted.history_["val_f1"]
    assert fitted.best_epoch_ == np.argmax(values) + 1
    predicted = fitted.predict(X[rows])
    assert max(values) == pytest.approx(f1_score(table.y[rows], predicted, pos_label=0))


OUTPUTS = {
    "sigmoid": (1, "sigmoid", "binary_crossentropy", lambda outputs: outputs[:, 0]),
    "logit": (
        1,
        "linear",
        keras.losses.BinaryCrossentropy(from_logits=True),
        lambda outputs: expit(outputs[:, 0]),
    ),
    "softmax": (2, "softmax", "sparse_categorical_crossentropy", lambda outputs: outputs[:, 1]),
    "logits": (
        2,
        "linear",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        lambda outputs: softmax(outputs, axis=1)[:, 1],
    ),
}


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        *(("first of two", outputs) for outputs in OUTPUTS),
        ("second of two", "sigmoid"),
        ("second of two", "softmax"),
    ],
)
def test_a_wrapped_model_watches_the_rarest_class_in_both_engines(outputs, name):
    table = TABLES[name]
    units, activation, loss, probability_of_1 = OUTPUTS[outputs]

    def with_outputs(meta):
        hidden = keras.layers.Dense(8, activation="tanh")
        last = keras.layers.Dense(units, activation=activation)
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), hidden, last])

    expected, logged = [], []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            of_1 = probability_of_1(self.model(X[HELD_OUT]).numpy().astype(float))
            of_rare = of_1 if table.column == 1 else 1 - of_1
            expected.append(f1_score(table.is_rare[HELD_OUT], of_rare >= 0.5))
            logged.append(logs["val_f1"])

    held = X[HELD_OUT], table.y[HELD_OUT]
    fits = {}
    for engine, callbacks in (("keras", Recorder()), ("population", None)):
        stopping = wrapper(
            loss=loss,
            monitor="val_f1",
            early_stopping=True,
            epochs=5,
            optimizer__learning_rate=0.1,
            engine=engine,
            callbacks=callbacks,
        ).set_params(model=with_outputs)
        fits[engine] = stopping.fit(X[TRAINING], table.y[TRAINING], validation_data=held)
    assert max(expected) > 0
    assert len(set(expected)) > 1
    assert logged == pytest.approx(expected, abs=1e-6)
    for fitted in fits.values():
        assert fitted.history_["val_f1"] == pytest.approx(expected, abs=1e-6)
        assert fitted.best_epoch_ == np.argmax(expected) + 1
        kept = f1_score(table.is_rare[HELD_OUT], says_rare(fitted, X[HELD_OUT], table))
        assert kept == pytest.approx(max(expected))


@pytest.mark.parametrize(
    ("engine", "n_classes"), [("population", 2), ("population", 3), ("keras", 3)]
)
def test_labels_in_a_column_are_watched_as_they_are_in_a_row(engine, n_classes):
    y = TABLES["first of two"].y if n_classes == 2 else np.arange(len(X)) % 3

    def with_outputs(meta):
        last = keras.layers.Dense(n_classes, activation="softmax")
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), last])

    fits = [
        wrapper(
            loss="sparse_categorical_crossentropy",
            monitor="val_f1",
            early_stopping=True,
            epochs=3,
            optimizer__learning_rate=0.1,
            warm_start=True,
            engine=engine,
        ).set_params(model=with_outputs)
        for _ in range(2)
    ]
    for target, fitted in zip((y, y[:, None]), fits, strict=True):
        fitted.fit(X, target).fit(X, target)
    row, column = (fitted.history_["val_f1"] for fitted in fits)
    assert len(row) == 3
    assert max(row) > 0
    assert column == row


def test_which_class_is_rare_is_no_part_of_the_program():
    fits = [
        (network(monitor="val_f1", epochs=3), X, y, {"X_val": X[:80], "y_val": y[:80]})
        for y in (TABLES["first of two"].y, TABLES["second of two"].y)
    ]
    before = programs.counts
    one, other = fit_together(fits)
    assert programs.counts.built - before.built <= 1
    assert (one.rare_class_, other.rare_class_) == (0, 1)
    assert one.history_["val_f1"] != other.history_["val_f1"]


# ---------------------------------------------------------------- losses


def soft_f1(is_rare, probability):
    return 1 - 2 * probability[is_rare].sum() / (probability.sum() + is_rare.sum())


def focal(is_rare, probability):
    """With gamma=2 and alpha=0.9."""
    own = np.where(is_rare, probability, 1 - probability)
    return np.mean(-np.where(is_rare, 0.9, 0.1) * (1 - own) ** 2 * np.log(own))


LOSSES = {SoftF1(): soft_f1, FocalLoss(alpha=0.9): focal}


@classifiers
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("name", ["first of two", "second of two", "first text"])
def test_a_loss_is_of_the_rarest_class(loss, name, kind):
    table = TABLES[name]
    held = X[HELD_OUT], table.y[HELD_OUT]
    if kind == "perceptron":
        fitted = network(loss=loss, batch_size="full").fit(
            X[TRAINING], table.y[TRAINING], X_val=held[0], y_val=held[1]
        )
    else:
        fitted = wrapper(loss=loss, batch_size=160).fit(
            X[TRAINING], table.y[TRAINING], validation_data=held
        )
        assert fitted.loss.positive is None
    probability = fitted.predict_proba(X[HELD_OUT])[:, table.column]
    expected = LOSSES[loss](table.is_rare[HELD_OUT], probability)
    assert fitted.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


def test_a_loss_of_keras_and_a_positive_class_that_is_given_stay_what_they_are():
    table = TABLES["first of two"]
    of_class_1 = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.9)
    for loss in (of_class_1, FocalLoss(alpha=0.9, positive=1)):
        held = {"X_val": X[HELD_OUT], "y_val": table.y[HELD_OUT]}
        fitted = network(loss=loss).fit(X[TRAINING], table.y[TRAINING], **held)
        probability = fitted.predict_proba(X[HELD_OUT])[:, 1]
        expected = focal(~table.is_rare[HELD_OUT], probability)
        assert fitted.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


# ---------------------------------------------------------------- the threshold


@classifiers
@tables
def test_at_the_threshold_itself_the_rarest_class_is_predicted(name, kind):
    table = TABLES[name]
    classifier = CLASSIFIERS[kind]
    probability = classifier().fit(X, table.y).predict_proba(X)[:, table.column]
    for row in np.argsort(probability)[[20, 100, 200]]:
        fitted = classifier(threshold=float(probability[row])).fit(X, table.y)
        assert fitted.threshold_ == probability[row]
        expected = probability >= probability[row]
        assert expected[row]
        np.testing.assert_array_equal(says_rare(fitted, X, table), expected)


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("name", ["first of two", "second of two", "equal counts", "first column"])
def test_of_two_classes_that_are_as_likely_a_wrapped_model_says_the_rarest(units, name):
    table = TABLES[name]

    def undecided(meta):
        last = keras.layers.Dense(
            units, activation="sigmoid" if units == 1 else "softmax", kernel_initializer="zeros"
        )
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), last])

    loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
    fitted = wrapper(loss=loss).set_params(model=undecided).initialize(X, table.y)
    assert (fitted.predict_proba(X) == 0.5).all()
    assert says_rare(fitted, X, table).all()


@pytest.mark.parametrize("name", ["first of two", "second of two"])
def test_of_outputs_that_are_no_probabilities_the_larger_is_predicted(name):
    table = TABLES[name]

    def unbounded(meta):
        return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1)])

    fitted = wrapper(loss="mse").set_params(model=unbounded).fit(9 * X, table.y)
    outputs = fitted.model_.predict(9 * X, verbose=0)[:, 0]
    assert outputs.min() < 0
    np.testing.assert_array_equal(fitted.predict(9 * X), (outputs > 0.5).astype(int))


@pytest.mark.parametrize("rare", [0, 1])
def test_a_threshold_is_one_record(rare):
    probabilities = np.array([[0.7, 0.3], [0.3, 0.7], [0.5, 0.5]], np.float32)
    others = 1 - rare
    decided = Threshold(0.7, rare).positions(probabilities)
    assert decided.tolist() == [0, 1, others]
    # In float32 0.7 is below what it is in float64, and at the threshold all the same.
    assert Threshold(0.5, rare).positions(probabilities)[2] == rare


def test_between_neighbours_of_float32_a_threshold_parts_them():
    upper = np.float32(0.7)
    lower = np.nextafter(upper, np.float32(0))
    probability = np.array([upper, lower, lower, lower])
    found = best_threshold(probability, np.array([True, False, False, False]))
    assert (probability >= found).tolist() == [True, False, False, False]


@classifiers
@tables
def test_a_tuned_threshold_has_the_greatest_f1_of_the_rarest_class(name, kind):
    table = TABLES[name]
    held = X[HELD_OUT], table.y[HELD_OUT]
    if kind == "perceptron":
        given = {"X_val": held[0], "y_val": held[1]}
    else:
        given = {"validation_data": held}
    fitted = CLASSIFIERS[kind](threshold="tune").fit(X[TRAINING], table.y[TRAINING], **given)
    is_rare = table.is_rare[HELD_OUT]
    probability = fitted.predict_proba(held[0])[:, table.column]
    greatest = max(f1_score(is_rare, probability >= p) for p in np.unique(probability))
    assert f1_score(is_rare, says_rare(fitted, held[0], table)) == pytest.approx(greatest)


@classifiers
def test_rows_count_whatever_they_weigh_unless_they_weigh_nothing(kind):
    table = TABLES["first of two"]
    fit = CLASSIFIERS[kind](epochs=1).fit
    assert fit(X, table.y, sample_weight=np.where(HIT, 9.0, 1.0)).rare_class_ == 0
    # Of the other class, 30 rows are left.
    weight = np.where(~HIT & (np.cumsum(~HIT) > 30), 0.0, 1.0)
    fitted = fit(X, table.y, sample_weight=weight)
    assert fitted.rare_class_ == 1
    assert (fitted.classes_ == [0, 1]).all()


@classifiers
def test_a_class_that_is_still_to_come_is_the_rarest(kind):
    for only, rare in ((0, 1), (1, 0)):
        classifier = CLASSIFIERS[kind](threshold=0.3)
        fitted = classifier.partial_fit(X[:20], np.r_[[1 - only], [only] * 19], classes=[0, 1])
        assert (fitted.rare_class_, fitted.threshold_) == (rare, 0.3)


def test_a_threshold_of_three_classes_is_forgotten():
    fitted = network(threshold=0.3, epochs=1).fit(X, HIT)
    fitted.set_params(threshold=0.5).fit(X, np.digitize(SCORE, [-1, 1]))
    assert not hasattr(fitted, "threshold_")


# ---------------------------------------------------------------- scores


SCORERS = {
    rare_f1_scorer: "val_f1",
    rare_precision_scorer: "val_precision",
    rare_recall_scorer: "val_recall",
    rare_average_precision_scorer: "val_average_precision",
}


@classifiers
@pytest.mark.parametrize("scorer", SCORERS, ids=SCORERS.get)
def test_a_scorer_is_of_the_class_that_the_classifier_learnt_to_be_the_rarest(scorer, kind):
    table = TABLES["first of two"]
    fitted = CLASSIFIERS[kind]().fit(X, table.y)
    # Rows of which the most are of the rarest class.
    rows = np.r_[np.flatnonzero(HIT), np.flatnonzero(~HIT)[:20]]
    expected = MONITORS[SCORERS[scorer]](HIT[rows], fitted.predict_proba(X[rows])[:, 0])
    for classifier in (fitted, make_pipeline("passthrough", fitted)):
        assert scorer(classifier, X[rows], table.y[rows]) == pytest.approx(expected)


@pytest.mark.parametrize("scorer", SCORERS, ids=SCORERS.get)
def test_rows_without_the_rarest_class_score_zero(scorer):
    table = TABLES["second of two"]
    for fitted in (LogisticRegression().fit(X, table.y), network(epochs=1).fit(X, table.y)):
        assert scorer(fitted, X[~HIT], table.y[~HIT]) == 0


# ---------------------------------------------------------------- searches, reports, comparisons


@pytest.mark.parametrize("name", ["first of two", "first text", "first column", "equal counts"])
def test_search_threshold_calibration_report_and_display_are_of_one_class(name, tmp_path):
    """New rows that hold more of the rarest class change none of it."""
    table = TABLES[name]
    tuned = network(threshold="tune", early_stopping=True, monitor="val_f1")
    pipeline = make_pipeline(StandardScaler(), tuned)
    grid = {"kerasmlpclassifier__learning_rate": [0.02]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, table.y)
    best = search.best_estimator_
    assert best[-1].rare_class_ == rare_class_of(search) == table.rare
    assert search.score(X, table.y) == f1_score(table.is_rare, says_rare(best, X, table))
    rows = np.r_[np.flatnonzero(table.is_rare), np.flatnonzero(~table.is_rare)[:20]]
    text = search.report(tmp_path / "report.html", X[rows], table.y[rows]).read_text()
    assert f"Precision, recall and F1 of class {table.rare} over the threshold" in text
    assert f"How far the probabilities of class {table.rare} can be trusted" in text
    # The confusion in the report is that of the predictions by the threshold.
    hits = int((table.is_rare[rows] & says_rare(best, X[rows], table)).sum())
    row = re.search(rf"<tr><t[hd][^>]*>{table.rare}</t[hd]>(.*?)</tr>", text, re.S)[1]
    counts = [int(cell) for cell in re.findall(r">(\d+)<", row)]
    assert counts[table.column] == hits
    display = ThresholdDisplay.from_estimator(search, X[rows], table.y[rows])
    assert display.pos_label == table.rare
    assert display.estimator_threshold == best[-1].threshold_
    says = best.predict_proba(X[rows])[:, table.column] >= display.estimator_threshold
    np.testing.assert_array_equal(says, says_rare(best, X[rows], table))


@pytest.mark.parametrize("searcher", [GridSearchCV, sklearn.model_selection.GridSearchCV])
def test_the_report_on_another_classifier_is_of_the_rarest_class_of_the_search(searcher, tmp_path):
    table = TABLES["first of two"]
    search = searcher(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, table.y)
    text = write_report(search, tmp_path / "report.html", X, table.y).read_text()
    assert "F1 of class 0 over the threshold" in text
    assert "probabilities of class 0 can be trusted" in text
    # scikit-learn's own searches keep nothing of their target.
    rows = np.r_[np.flatnonzero(HIT), np.flatnonzero(~HIT)[:20]]
    text = write_report(search, tmp_path / "report.html", X[rows], table.y[rows]).read_text()
    rare = 0 if searcher is GridSearchCV else 1
    assert f"F1 of class {rare} over the threshold" in text
    assert f"probabilities of class {rare} can be trusted" in text


@tables
def test_a_comparison_is_of_the_rarest_class(name):
    table = TABLES[name]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    settings = {"n_repeats": 1, "n_seeds": 1, "cv": 3, "baseline": "dummy", "random_state": 0}
    comparison = skhp.compare({"tree": tree}, X, table.y, **settings)
    assert comparison.rare_class == table.rare
    scores = comparison.scores
    found = comparison.confusion.loc[("tree", table.rare)]
    assert found.sum() == pytest.approx(table.is_rare.sum(), abs=1e-6)
    mean = scores[scores["metric"] == "recall"].set_index("estimator").loc["tree", "score"].mean()
    assert mean == pytest.approx(found[table.rare] / found.sum(), abs=0.02)


def test_a_display_of_another_classifier_is_of_the_rarest_class_of_its_rows():
    table = TABLES["first of two"]
    fitted = LogisticRegression().fit(X, table.y)
    display = ThresholdDisplay.from_estimator(fitted, X, table.y)
    assert (display.pos_label, display.estimator_threshold) == (0, None)
    probability = expit(-fitted.decision_function(X))
    place = np.searchsorted(display.thresholds, 0.5)
    assert display.recall[place] == pytest.approx(recall_score(HIT, probability >= 0.5))
