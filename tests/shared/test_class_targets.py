"""One-hot rows are classes, wherever skhp looks at classes."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import cohen_kappa_score, f1_score, get_scorer, make_scorer
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, cross_val_score
from sklearn.preprocessing import scale

import skhp
from skhp.scoring import rare_average_precision_scorer, rare_f1_scorer
from skhp.shared.class_targets import ClassScorer, as_classes, class_labels, one_hot_labels
from skhp.shared.unusable_data import refuse_unclear_labels

pytestmark = pytest.mark.slow

X, SPECIES = load_iris(return_X_y=True)
X = scale(X)
RARE = (SPECIES == 2).astype(int)
LABELS = [2, 0, 1, 2]
ROWS = np.eye(3)[LABELS]

# Candidates of one structure, so that those of every search train in the same program.
RATES = {"learning_rate": [0.01, 0.05]}


def build(units=10, outputs=3, loss="categorical_crossentropy"):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(outputs, activation="softmax"),
        ]
    )
    model.compile(loss=loss, optimizer=keras.optimizers.Adam(0.02))
    return model


def squared(y, predicted):
    return keras.ops.mean((y - predicted) ** 2, axis=-1)


def network(**parameters):
    return skhp.KerasClassifier(build, **{"epochs": 20, "random_state": 0, **parameters})


def perceptron(**parameters):
    settings = {"epochs": 15, "learning_rate": 0.05, "random_state": 0, **parameters}
    return skhp.KerasMLPClassifier(**settings)


class TestOneHotRows:
    @pytest.mark.parametrize(
        "rows",
        [
            ROWS,
            ROWS.astype(int),
            ROWS.astype(bool),
            ROWS.astype(np.float32),
            pd.DataFrame(ROWS, columns=["a", "b", "c"]),
            pd.get_dummies(pd.Series(["c", "a", "b", "c"])),
            pd.DataFrame(ROWS).astype("Int64"),
            pd.get_dummies(pd.Series(["c", "a", "b", "c"]), sparse=True),
            csr_matrix(ROWS),
        ],
    )
    def test_are_the_numbers_of_their_columns(self, rows):
        assert one_hot_labels(rows).tolist() == LABELS
        assert class_labels(rows).tolist() == LABELS

    def test_are_so_in_a_list(self):
        assert one_hot_labels(ROWS.tolist()).tolist() == LABELS

    @pytest.mark.parametrize(
        "other",
        [
            None,
            [],
            ["a", "b"],
            [0, 1, 0],
            [[1], [1]],
            [[0], [1]],
            [[0, 1], [1, 1]],
            [[0, 0], [1, 0]],
            [[0.9, 0.1], [0.1, 0.9]],
            [[0, 2], [2, 0]],
            [["0", "1"], ["1", "0"]],
            [[1.0, np.nan], [1.0, 0.0]],
            [[1, -1], [1, 0]],
            [[0, 1], [1]],
            ROWS[:, None, :],
        ],
    )
    def test_are_nothing_else(self, other):
        assert one_hot_labels(other) is None
        assert class_labels(other) is other


class TestEstimators:
    @pytest.mark.parametrize(
        "loss", ["categorical_crossentropy", "sparse_categorical_crossentropy", "mse", squared]
    )
    def test_a_model_learns_what_it_learns_of_labels(self, loss):
        of_rows = network(model__loss=loss).fit(X, np.eye(3)[SPECIES])
        if loss is squared:
            # Keras itself, for a loss of the user's own that compares with the columns.
            oracle = network(model__loss="mse").fit(X, SPECIES)
        else:
            oracle = network(model__loss=loss).fit(X, SPECIES)
        said = of_rows.predict(X)
        assert said.shape == (150, 3)
        assert said.dtype == np.float64
        np.testing.assert_array_equal(said.argmax(axis=1), oracle.predict(X))
        np.testing.assert_allclose(of_rows.predict_proba(X), oracle.predict_proba(X), atol=1e-5)
        assert of_rows.target_type_ == "multiclass"
        assert of_rows.score(X, np.eye(3)[SPECIES]) == oracle.score(X, SPECIES) > 0.9

    @pytest.mark.parametrize("make", [network, perceptron])
    @pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 1.0}])
    def test_class_weights_are_those_of_the_classes(self, make, class_weight):
        kept = np.r_[:50, 60:100, 130:150]
        rows = pd.get_dummies(pd.Series(np.array(["a", "b", "c"])[SPECIES[kept]]))
        of_rows = make(class_weight=class_weight).fit(X[kept], rows)
        of_labels = make(class_weight=class_weight).fit(X[kept], SPECIES[kept])
        np.testing.assert_allclose(of_rows.predict_proba(X), of_labels.predict_proba(X), atol=1e-5)
        assert of_rows.predict(X).dtype == bool

    def test_perceptrons_answer_in_rows(self):
        of_rows, of_labels = perceptron().fit(X, np.eye(3)[SPECIES]), perceptron().fit(X, SPECIES)
        np.testing.assert_array_equal(of_rows.predict(X), np.eye(3)[of_labels.predict(X)])
        np.testing.assert_array_equal(of_rows.predict_proba(X), of_labels.predict_proba(X))
        assert of_rows.classes_.tolist() == [0, 1, 2]

    @pytest.mark.parametrize("make", [network, perceptron])
    def test_a_class_without_a_row_keeps_its_column(self, make):
        rows = np.eye(3)[SPECIES][:100]
        fitted = make().fit(X[:100], rows)
        assert fitted.predict(X).shape == fitted.predict_proba(X).shape == (150, 3)
        assert fitted.classes_.tolist() == [0, 1, 2]

    @pytest.mark.parametrize("threshold", [0.2, "tune"])
    def test_the_threshold_of_two_columns(self, threshold):
        order = np.random.RandomState(0).permutation(150)
        shuffled, rare = X[order], RARE[order]
        for make, more in (
            (perceptron, {}),
            (network, {"model__outputs": 2, "validation_split": 0.3}),
        ):
            of_rows = make(threshold=threshold, **more).fit(shuffled, np.eye(2)[rare])
            of_labels = make(threshold=threshold, **more).fit(shuffled, rare)
            assert of_rows.threshold_ == pytest.approx(of_labels.threshold_, abs=1e-5)
            assert of_rows.rare_class_ == of_labels.rare_class_ == 1
            np.testing.assert_array_equal(of_rows.predict(X), np.eye(2)[of_labels.predict(X)])

    def test_the_threshold_is_tuned_on_rows_that_are_given(self):
        rows = np.eye(2)[RARE]
        settings = {"threshold": "tune", "model__outputs": 2}
        of_rows = network(**settings).fit(X[::2], rows[::2], validation_data=(X[1::2], rows[1::2]))
        of_labels = network(**settings).fit(
            X[::2], RARE[::2], validation_data=(X[1::2], RARE[1::2])
        )
        assert of_rows.threshold_ == pytest.approx(of_labels.threshold_, abs=1e-5)

    @pytest.mark.parametrize("make", [network, perceptron])
    def test_other_rows_later_are_refused(self, make):
        rows = np.eye(3)[SPECIES]
        fitted = make().partial_fit(X, rows).partial_fit(X[:9], rows[:9])
        for other in (np.c_[rows, np.zeros(150)], 1 - rows):
            with pytest.raises(ValueError, match="each row holds a single 1"):
                fitted.partial_fit(X, other)
        assert fitted.partial_fit(X, rows, classes=[0, 1, 2]).predict(X).shape == (150, 3)

    @pytest.mark.parametrize("make", [network, perceptron])
    def test_other_names_of_classes_are_refused(self, make):
        with pytest.raises(ValueError, match="its classes are the column numbers"):
            make().partial_fit(X, np.eye(3)[SPECIES], classes=["a", "b", "c"])

    def test_a_perceptron_has_one_label_a_row(self):
        with pytest.raises(ValueError, match="KerasClassifier"):
            perceptron().fit(X, 1 - np.eye(3)[SPECIES])

    def test_several_labels_a_row_stay_such(self):
        many = np.c_[X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0].astype(int)
        fitted = network(model__loss="binary_crossentropy").fit(X, many)
        assert fitted.target_type_ == "multilabel-indicator"
        np.testing.assert_array_equal(fitted.predict(X), fitted.predict_proba(X).round())

    @pytest.mark.parametrize("make", [network, perceptron])
    def test_scikit_learn_scores_them_as_it_scores_labels(self, make):
        folds = list(StratifiedKFold(3).split(X, SPECIES))
        for metric in ("f1_macro", "accuracy"):
            of_rows = cross_val_score(make(), X, np.eye(3)[SPECIES], cv=folds, scoring=metric)
            of_labels = cross_val_score(make(), X, SPECIES, cv=folds, scoring=metric)
            np.testing.assert_allclose(of_rows, of_labels)


class TestScorers:
    @pytest.mark.parametrize(
        "name", ["f1", "roc_auc", "average_precision", "neg_log_loss", "balanced_accuracy"]
    )
    def test_two_columns_are_scored_as_two_labels(self, name):
        of_rows, of_labels = perceptron().fit(X, np.eye(2)[RARE]), perceptron().fit(X, RARE)
        expected = get_scorer(name)(of_labels, X, RARE)
        assert ClassScorer(get_scorer(name))(of_rows, X, np.eye(2)[RARE]) == pytest.approx(expected)
        assert ClassScorer(get_scorer(name))(of_labels, X, RARE) == expected

    @pytest.mark.parametrize("scorer", [rare_f1_scorer, rare_average_precision_scorer])
    @pytest.mark.parametrize("y", [SPECIES, RARE], ids=["three", "two"])
    def test_of_the_rarest_class(self, scorer, y):
        rows = np.eye(len(np.unique(y)))[y]
        of_rows, of_labels = perceptron().fit(X, rows), perceptron().fit(X, y)
        assert scorer(of_rows, X, rows) == pytest.approx(scorer(of_labels, X, y))
        assert scorer(of_labels, X, y) > 0.5

    def test_several_labels_have_no_rarest_class(self):
        fitted = perceptron().fit(X, np.eye(3)[SPECIES])
        with pytest.raises(ValueError, match="multilabel-indicator"):
            rare_f1_scorer(fitted, X, 1 - np.eye(3)[SPECIES])

    @pytest.mark.parametrize(
        "estimator", [RandomForestClassifier(20, max_depth=1, random_state=0), RidgeClassifier()]
    )
    def test_rows_that_say_no_class_count_as_the_most_likely_one(self, estimator):
        rows = np.eye(3)[SPECIES]
        fitted = estimator.fit(X, rows)
        assert one_hot_labels(fitted.predict(X)) is None
        seen, _, labels = as_classes(fitted, X, rows)
        if hasattr(fitted, "predict_proba"):
            likely = np.argmax([of_column[:, 1] for of_column in fitted.predict_proba(X)], axis=0)
        else:
            likely = fitted.decision_function(X).argmax(axis=1)
        unclear = fitted.predict(X).sum(axis=1) != 1
        np.testing.assert_array_equal(seen.predict(X)[unclear], likely[unclear])
        assert f1_score(labels, seen.predict(X), average="macro") > 0.6


class TestSearchers:
    @pytest.mark.parametrize(
        ("searcher", "settings"),
        [
            (skhp.GridSearchCV, {}),
            (skhp.RandomizedSearchCV, {"n_iter": 2, "random_state": 0}),
            (skhp.TPESearchCV, {"n_iter": 2, "random_state": 0}),
            (skhp.HalvingGridSearchCV, {"random_state": 0}),
        ],
    )
    def test_find_what_they_find_with_labels(self, searcher, settings):
        found = [
            searcher(perceptron(epochs=8), RATES, cv=3, **settings).fit(X, y)
            for y in (SPECIES, np.eye(3)[SPECIES])
        ]
        for name in ("best_score_", "best_params_", "n_splits_"):
            assert getattr(found[0], name) == getattr(found[1], name)
        assert repr(found[0].scorer_) == repr(found[1].scorer_)
        assert found[0].score(X, SPECIES) == found[1].score(X, np.eye(3)[SPECIES]) > 0.5

    def test_iris_as_in_the_tutorials_of_keras(self):
        grid = {"units": [5, 10]}
        settings = {"units": 10, "epochs": 20, "random_state": 0}
        of_labels, of_rows = (
            skhp.GridSearchCV(skhp.KerasClassifier(build, **settings), grid, cv=3).fit(X, y)
            for y in (SPECIES, keras.utils.to_categorical(SPECIES))
        )
        assert of_rows.best_score_ == pytest.approx(of_labels.best_score_)
        assert of_rows.best_score_ > 0.9
        assert "average=macro" in repr(of_rows.scorer_)

    @pytest.mark.parametrize("scoring", ["auto", "f1", "roc_auc", ["f1", "accuracy"], None])
    def test_two_columns_are_scored_by_every_metric(self, scoring):
        refit = "f1" if isinstance(scoring, list) else True
        found = [
            skhp.GridSearchCV(perceptron(epochs=8), RATES, cv=3, scoring=scoring, refit=refit).fit(
                X, y
            )
            for y in (RARE, np.eye(2)[RARE])
        ]
        assert found[0].best_score_ == pytest.approx(found[1].best_score_)
        assert found[0].score(X, RARE) == pytest.approx(found[1].score(X, np.eye(2)[RARE]))

    @pytest.mark.parametrize(
        "metric", [make_scorer(cohen_kappa_score), {"kappa": make_scorer(cohen_kappa_score)}]
    )
    def test_a_scorer_made_of_a_metric_of_scikit_learn_is_given_labels(self, metric):
        refit = "kappa" if isinstance(metric, dict) else True
        found = [
            skhp.GridSearchCV(
                perceptron(epochs=8), {"neurons": [8]}, cv=3, scoring=metric, refit=refit
            ).fit(X, y)
            for y in (SPECIES, np.eye(3)[SPECIES])
        ]
        assert found[0].best_score_ == pytest.approx(found[1].best_score_)
        assert found[0].best_score_ > 0.1

    def test_a_scorer_made_of_a_function_of_ones_own_is_given_the_rows(self):
        seen = []

        def metric(y, predicted):
            seen.append(np.shape(y)[1:])
            return 0.0

        skhp.GridSearchCV(
            perceptron(epochs=2), {"neurons": [2]}, cv=3, scoring=make_scorer(metric)
        ).fit(X, np.eye(3)[SPECIES])
        assert seen
        assert set(seen) == {(3,)}

    def test_a_scorer_of_ones_own_is_given_the_rows(self):
        shapes = set()

        def score(estimator, X, y):
            shapes.add(np.shape(y)[1:])
            return float((estimator.predict(X) == y).all(axis=1).mean())

        search = skhp.GridSearchCV(perceptron(epochs=3), RATES, cv=3, scoring=score, refit=False)
        search.fit(X, np.eye(3)[SPECIES])
        assert shapes == {(3,)}

    def test_any_stratified_splitter_takes_them(self):
        for splitter in (StratifiedShuffleSplit(2, random_state=0), StratifiedKFold(2)):
            found = [
                skhp.GridSearchCV(perceptron(epochs=3), {"neurons": [4]}, cv=splitter).fit(X, y)
                for y in (SPECIES, np.eye(3)[SPECIES])
            ]
            assert found[0].best_score_ == found[1].best_score_

    def test_a_class_of_too_few_rows_is_named(self):
        rows = np.eye(3)[SPECIES]
        with pytest.raises(skhp.InvalidParameterError, match="2 with 2 rows"):
            skhp.GridSearchCV(perceptron(), {"neurons": [4]}, cv=3, scoring="f1_macro").fit(
                X[:102], rows[:102]
            )

    def test_a_journal_answers(self, tmp_path):
        rows = np.eye(3)[SPECIES]
        scores = [
            skhp.GridSearchCV(
                perceptron(epochs=3), {"neurons": [2, 4]}, cv=3, journal=tmp_path / "journal"
            )
            .fit(X, rows)
            .cv_results_["mean_test_score"]
            for _ in range(2)
        ]
        np.testing.assert_array_equal(*scores)


def test_suggestions_are_those_for_labels():
    spaces = [
        skhp.suggest_search_space(perceptron(), X, y, level="quick")
        for y in (SPECIES, np.eye(3)[SPECIES])
    ]
    assert spaces[0] == spaces[1]


def test_displays_and_diagnosis_are_those_of_labels():
    pytest.importorskip("matplotlib").use("Agg")
    rows = np.eye(2)[RARE]
    of_rows, of_labels = perceptron().fit(X, rows), perceptron().fit(X, RARE)
    drawn = skhp.ThresholdDisplay.from_estimator(of_rows, X, rows)
    expected = skhp.ThresholdDisplay.from_estimator(of_labels, X, RARE)
    np.testing.assert_array_equal(drawn.recall, expected.recall)
    assert drawn.pos_label == expected.pos_label == 1
    assert str(skhp.diagnose(of_rows, rows)) == str(skhp.diagnose(of_labels, RARE))


@pytest.mark.parametrize("y", [SPECIES, RARE], ids=["three", "two"])
def test_comparisons_are_those_of_labels(y):
    of_labels, of_rows = (
        skhp.compare(
            {"network": perceptron(epochs=5), "forest": RandomForestClassifier(5)},
            X,
            target,
            baseline="dummy",
            n_repeats=2,
            n_seeds=1,
            cv=3,
        )
        for target in (y, np.eye(len(np.unique(y)))[y])
    )
    frames = (one.frame.drop(columns="seconds") for one in (of_labels, of_rows))
    pd.testing.assert_frame_equal(*frames)
    assert of_labels.rare_class == of_rows.rare_class


class TestUnclearLabels:
    @pytest.mark.parametrize(
        ("y", "message"),
        [
            ([1, "a", 2, "a"], r"number in 2 rows \(such as 1\), str in 2 rows \(such as 'a'\)"),
            (np.array(["a", 1.5, "b"], dtype=object), "several types"),
            (pd.Series([1, "a"], dtype=object), "several types"),
            (pd.Series([1, "a"], dtype="category"), "several types"),
            ([True, "yes"], "several types"),
            ([(1,), None], None),
            (["a", None, "b"], r"missing label, in 1 of 3 rows: 1, counted from 0"),
            (np.array(["a", np.nan], dtype=object), "missing label"),
            (pd.Series(["a", None, "b"]), "missing label"),
            (pd.Series(pd.Categorical(["a", None])), "missing label"),
            ([0.0, float("nan")], "missing label"),
        ],
    )
    def test_are_refused(self, y, message):
        if message is None:
            refuse_unclear_labels(y)
            return
        with pytest.raises(ValueError, match=message):
            refuse_unclear_labels(y)

    @pytest.mark.parametrize(
        "y",
        [
            None,
            ["a", "b"],
            [1, 2.0, True],
            np.array([1.0, np.nan]),
            pd.Series(["a", "b"]),
            pd.Series([1, 2], dtype="Int64"),
            [[1, 0], [0, 1]],
            ROWS,
            csr_matrix(ROWS),
        ],
    )
    def test_others_are_let_go_on(self, y):
        refuse_unclear_labels(y)

    @pytest.mark.parametrize("make", [network, perceptron])
    @pytest.mark.parametrize("y", [[1, "a", 2] * 50, ["a", None, "b"] * 50])
    def test_before_any_training(self, make, y):
        for fit in (
            make().fit,
            skhp.GridSearchCV(make(), {"epochs": [1, 2]}).fit,
            lambda X, y: skhp.compare({"network": make()}, X, y),
        ):
            for target in (y, np.array(y, dtype=object)):
                with pytest.raises(ValueError, match=r"several types|missing label"):
                    fit(X, target)


@pytest.mark.parametrize("make", [network, perceptron])
@pytest.mark.parametrize(
    "as_objects",
    [
        lambda rows: rows.astype(object),
        lambda rows: pd.DataFrame(rows).astype("Int64"),
        lambda rows: pd.DataFrame(rows.astype(bool)).astype("boolean"),
        lambda rows: pd.DataFrame(rows).astype("category"),
    ],
    ids=["objects", "Int64", "boolean", "category"],
)
def test_rows_of_objects_are_learnt_and_scored_as_rows_of_numbers(make, as_objects):
    rows = np.eye(3, dtype=int)[SPECIES]
    given = as_objects(rows)
    expected, fitted = make(epochs=3).fit(X, rows), make(epochs=3).fit(X, given)
    assert fitted.score(X, given) == fitted.score(X, rows) == expected.score(X, rows)
    search = skhp.GridSearchCV(make(epochs=3), {"epochs": [3]}, cv=3)
    assert search.fit(X, given).best_score_ == search.fit(X, rows).best_score_
