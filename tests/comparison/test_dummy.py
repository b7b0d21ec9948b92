"""The dummy of a comparison: what answers without a look at the inputs reach."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import fbeta_score
from sklearn.tree import DecisionTreeClassifier

from skhp.comparison.compare import compare
from skhp.comparison.dummy import Always, constant_answers

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "verbose": 0}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)
SICK = np.where(Y == 1, "sick", "well")
SHARE = Y.mean()
# Each named baseline would be tuned, which takes longer than all that is tested here.
PLAIN = LogisticRegression()


def dummy_of(comparison):
    return comparison.frame.loc["dummy", "mean"].to_dict()


def test_for_each_metric_of_two_classes_it_is_the_better_constant():
    scoring = [
        "f1",
        "accuracy",
        "roc_auc",
        "average_precision",
        "neg_log_loss",
        "balanced_accuracy",
    ]
    one = compare(
        {"tree": DecisionTreeClassifier()}, X, SICK, baseline=PLAIN, scoring=scoring, **QUICK
    )
    # Stratified folds of 30 rows each hold the share of all rows.
    entropy = -(SHARE * np.log(SHARE) + (1 - SHARE) * np.log(1 - SHARE))
    assert dummy_of(one) == pytest.approx(
        {
            "f1": 2 * SHARE / (1 + SHARE),
            "accuracy": 1 - SHARE,
            "roc_auc": 0.5,
            "average_precision": SHARE,
            "neg_log_loss": -entropy,
            "balanced_accuracy": 0.5,
        },
        abs=2e-3,
    )
    answers = {metric: dummy.answer for metric, dummy in one.dummy_scores.items()}
    assert answers["f1"] == "always 'sick'"
    assert answers["accuracy"] == "always 'well'"
    assert answers["neg_log_loss"] == "the frequencies of the classes"
    assert one.dummy_scores["neg_log_loss"].score == pytest.approx(entropy, abs=2e-3)
    # The confusion is that of the answer to F1.
    assert one.confusion.loc[("dummy", "well"), "sick"] == (SICK == "well").sum()
    text = " ".join(str(one).split())
    assert "The row dummy is the best answer that looks at no input: always 'sick' (F1); " in text


def test_of_more_classes_it_is_the_most_frequent_one():
    flowers, species = load_iris(return_X_y=True)
    kept = np.r_[0:50, 50:80, 100:130]
    one = compare(
        {"tree": DecisionTreeClassifier()},
        flowers[kept],
        species[kept],
        baseline=DecisionTreeClassifier(max_depth=1),
        **QUICK,
    )
    share = 50 / 110
    expected = 2 * share / (1 + share) / 3
    assert dummy_of(one)["f1"] == pytest.approx(expected, abs=5e-3)
    assert one.dummy_scores["f1"].answer == "always 0"


def test_of_numbers_it_is_the_mean_or_the_median():
    patients, progression = load_diabetes(return_X_y=True)
    skewed = np.exp(progression / 50)
    scoring = ["r2", "neg_mean_absolute_error"]
    one = compare(
        {"ridge net": Ridge()}, patients, skewed, baseline=Ridge(0.1), scoring=scoring, **QUICK
    )
    assert one.dummy_scores["r2"].answer == "the mean"
    assert one.dummy_scores["neg_mean_absolute_error"].answer == "the median"
    assert dummy_of(one)["r2"] == pytest.approx(0, abs=0.05)
    of_median = np.abs(skewed - np.median(skewed)).mean()
    assert -dummy_of(one)["neg_mean_absolute_error"] == pytest.approx(of_median, rel=0.05)


def f2_of_sick(estimator, X, y):
    return fbeta_score(y, estimator.predict(X), beta=2, pos_label="sick", zero_division=0.0)


def epochs_of(estimator, X, y):
    return float(estimator.tree_.max_depth)


def test_each_class_is_tried_for_a_scorer_of_the_users():
    scoring = {"mine": f2_of_sick, "depth": epochs_of}
    tree = DecisionTreeClassifier(max_depth=2)
    three = np.where(X[:, 0] > 1, "other", SICK)

    def of_rarest(estimator, X, y):
        return float(np.mean(estimator.predict(X)[y == "other"] == "other"))

    one = compare({"tree": tree}, X, SICK, baseline=tree, scoring=scoring, **QUICK)
    assert dummy_of(one)["mine"] == pytest.approx(5 * SHARE / (1 + 4 * SHARE), abs=5e-3)
    # What asks for more than predictions has no dummy, and is no error.
    assert np.isnan(dummy_of(one)["depth"])
    assert "dummy" not in one.verdict("tree", "depth")
    one = compare({"tree": tree}, X, three, baseline=tree, scoring={"found": of_rarest}, **QUICK)
    assert one.dummy_scores["found"].answer == "always 'other'"
    assert dummy_of(one)["found"] == 1


def test_it_has_no_part_in_the_adjustment_of_the_p_values():
    given = {"stump": DecisionTreeClassifier(max_depth=1), "tree": DecisionTreeClassifier()}
    frame = compare(given, X, Y, baseline=PLAIN, **QUICK).frame
    assert frame.loc["dummy", "p_value_adjusted"].isna().all()
    assert frame.loc["dummy", "p_value"].notna().all()
    smallest, largest = sorted(frame.loc[(["stump", "tree"], "f1"), "p_value"])
    adjusted = sorted(frame.loc[(["stump", "tree"], "f1"), "p_value_adjusted"])
    assert adjusted == pytest.approx([min(1, 2 * smallest), min(1, max(2 * smallest, largest))])


def test_the_difference_to_it_is_tested_as_that_to_the_baseline():
    tree = {"tree": DecisionTreeClassifier(max_depth=2)}
    beside = compare(tree, X, Y, baseline=PLAIN, **QUICK).frame.loc["tree"]
    against = compare(tree, X, Y, baseline="dummy", **QUICK).frame.loc["tree"]
    for column in ("", "_low", "_high"):
        np.testing.assert_allclose(
            beside[f"dummy_difference{column}"], against[f"difference{column}"]
        )
    np.testing.assert_allclose(beside["dummy_p_value"], against["p_value"])


def test_what_always_says_no_is_told_to_be_no_better():
    given = {"never": Always(constant="well")}
    one = compare(given, X, SICK, baseline={"also never": Always(constant="well")}, **QUICK)
    f1 = 2 * SHARE / (1 + SHARE)
    assert one.verdict().endswith(
        f"Neither never nor also never is better than the dummy (always 'sick', F1 {f1:.3f})."
    )
    # It is the best constant for accuracy, and no better than it either.
    accuracy = compare(given, X, SICK, baseline=PLAIN, scoring="accuracy", **QUICK)
    assert "never is not better than the dummy (always 'well'" in accuracy.verdict()


def test_an_estimator_that_is_clearly_better_than_a_bad_baseline_alone_has_no_gain():
    # Both are below always saying sick; the tree is well above the baseline.
    easy = np.c_[np.where(np.arange(90) % 4 == 0, Y, 0)]
    given = {"some": DecisionTreeClassifier()}
    one = compare(
        given, easy, SICK, baseline={"never": Always(constant="well")}, **QUICK | {"n_repeats": 4}
    )
    row = one.frame.loc[("some", "f1")]
    assert row["dummy_difference"] < 0 < row["difference_low"]
    assert one.verdict().startswith("No gain: the F1 of some is")


def test_an_estimator_may_have_its_name():
    one = compare({"dummy": DecisionTreeClassifier()}, X, Y, baseline=PLAIN, **QUICK)
    assert one.names == ("dummy",)
    assert one.dummy == "constant dummy"
    assert one.frame.loc[("constant dummy", "recall"), "mean"] == 1


def test_always_says_a_class_that_it_has_not_seen():
    frame = pd.DataFrame({"a": [1, 2]})
    fitted = Always(constant="sick").fit(frame, ["well", "well"])
    assert fitted.predict(frame).tolist() == ["sick", "sick"]
    assert fitted.predict_proba(frame).tolist() == [[1, 0], [1, 0]]


def test_the_constant_answers_to_two_classes():
    assert list(constant_answers(np.array(["sick", "well", "well"]), for_classes=True)) == [
        "always 'well'",
        "always 'sick'",
    ]
