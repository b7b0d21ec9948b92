from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV

from skhp import ThresholdDisplay


@pytest.fixture
def noisy():
    generator = np.random.default_rng(0)
    y = np.where(generator.random(200) < 0.2, "ill", "well")
    return y, np.clip(0.3 + 0.3 * (y == "ill") + generator.normal(0, 0.2, 200), 0, 1)


def test_curves_are_the_scores_at_each_threshold(noisy):
    y, probability = noisy
    display = ThresholdDisplay.from_predictions(y, probability)
    assert display.pos_label == "ill"
    score_of = {"precision": precision_score, "recall": recall_score, "F1": f1_score}
    assert display.lines_.keys() == score_of.keys()
    for name, line in display.lines_.items():
        thresholds, values = line.get_data()
        for place in range(0, len(thresholds), 17):
            predicted = probability >= thresholds[place]
            expected = score_of[name](y == "ill", predicted)
            assert values[place] == pytest.approx(expected), (name, thresholds[place])
        # Between two thresholds the line is that of the upper one, as the predictions are.
        assert line.get_drawstyle() == "steps-pre"
    (threshold,), (best,) = display.best_point_.get_data()
    every = [f1_score(y == "ill", probability >= one) for one in np.unique(probability)]
    assert best == pytest.approx(max(every))
    assert best == pytest.approx(f1_score(y == "ill", probability >= threshold))


def test_labels_limits_and_the_usual_threshold(noisy):
    display = ThresholdDisplay.from_predictions(*noisy, name="model")
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_title()) == (
        "threshold of the probability of class ill",
        "model",
    )
    assert ax.get_xlim() == (0, 1)
    assert display.usual_threshold_line_.get_xdata() == [0.5, 0.5]
    assert display.estimator_threshold_line_ is None
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:3] == ["precision", "recall", "F1"]
    assert texts[4:] == ["0.5"]


class Fixed:
    """Predicts the probabilities that are its rows."""

    classes_ = np.array(["a", "b"])

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])


X = np.array([[0.1], [0.4], [0.6], [0.9], [0.7]])
Y = np.array(["a", "a", "b", "b", "b"])


def test_the_rarest_class_is_looked_at():
    display = ThresholdDisplay.from_estimator(Fixed(), X, Y)
    assert display.pos_label == "a"
    np.testing.assert_allclose(display.thresholds, np.sort(1 - X[:, 0]))
    # Of two that are as rare it is the later one, as elsewhere in scikit-learn.
    assert ThresholdDisplay.from_estimator(Fixed(), X[:4], Y[:4]).pos_label == "b"
    chosen = ThresholdDisplay.from_estimator(Fixed(), X, Y, pos_label="b")
    np.testing.assert_allclose(chosen.thresholds, np.sort(X[:, 0]))


@pytest.mark.parametrize(
    ("attributes", "pos_label", "expected"),
    [
        ({"threshold_": 0.3}, "b", 0.3),
        ({"threshold_": 0.3}, "a", 0.7),
        ({"threshold_": 0.3, "pos_label": "a"}, "a", 0.3),
        ({"threshold_": 0.3, "rare_class_": "a"}, "a", 0.3),
        ({"threshold_": 0.3, "rare_class_": "a"}, "b", 0.7),
        ({"steps": [("last", Fixed(threshold_=0.3))]}, "b", 0.3),
        ({"best_estimator_": Fixed(best_threshold_=0.2)}, "b", 0.2),
        ({"best_threshold_": 0.2}, "b", 0.2),
    ],
)
def test_the_threshold_of_the_estimator_is_marked(attributes, pos_label, expected):
    display = ThresholdDisplay.from_estimator(Fixed(**attributes), X, Y, pos_label=pos_label)
    (where, _) = display.estimator_threshold_line_.get_xdata()
    assert where == pytest.approx(expected)
    assert f"threshold of the estimator: {expected:.2f}" in [
        text.get_text() for text in display.ax_.get_legend().get_texts()
    ]


def test_a_threshold_of_a_half_is_marked_once():
    display = ThresholdDisplay.from_estimator(Fixed(threshold_=0.5), X, Y)
    assert display.estimator_threshold_line_ is None


def test_tuned_by_scikit_learn(two_classes):
    tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring="f1").fit(*two_classes)
    display = ThresholdDisplay.from_estimator(tuned, *two_classes)
    assert display.estimator_threshold_line_.get_xdata() == [tuned.best_threshold_] * 2
    # As many rows are of the class as the classifier predicts to be.
    predicted = (tuned.predict(two_classes[0]) == 1).mean()
    probabilities = tuned.predict_proba(two_classes[0])[:, 1]
    assert predicted == (probabilities >= display.estimator_threshold).mean()


def test_of_several_classes_one_against_the_others(three_classes):
    features, y = three_classes
    # Half of class 1 is left out.
    kept = (y != 1) | (np.arange(len(y)) % 2 == 0)
    fitted = LogisticRegression().fit(features[kept], y[kept])
    display = ThresholdDisplay.from_estimator(fitted, features[kept], y[kept])
    assert display.pos_label == 1
    assert display.estimator_threshold_line_ is None


def test_on_given_axes():
    _, ax = plt.subplots()
    assert ThresholdDisplay.from_estimator(Fixed(), X, Y, ax=ax).ax_ is ax


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="no predict_proba"):
        ThresholdDisplay.from_estimator(SimpleNamespace(), X, Y)
    with pytest.raises(ValueError, match=r"pos_label='c'; expected one of the classes"):
        ThresholdDisplay.from_estimator(Fixed(), X, Y, pos_label="c")
    with pytest.raises(ValueError, match="No row of y is of the class pos_label='b'"):
        ThresholdDisplay.from_estimator(Fixed(), X[:2], Y[:2], pos_label="b")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        ThresholdDisplay.from_predictions(Y[:2], X[:, 0])
