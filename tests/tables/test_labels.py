import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp.tables.target import OriginalLabels, with_original_labels

LABELS = ["well", "ill", "dead"]


@pytest.fixture
def blobs():
    X, codes = make_blobs(60, centers=3, random_state=0)
    return X, codes, np.array(LABELS)[codes]


def test_it_learns_codes_and_answers_with_labels(blobs):
    X, codes, y = blobs
    direct = LogisticRegression().fit(X, codes)
    classifier = OriginalLabels(LogisticRegression(), LABELS).fit(X, y)
    assert is_classifier(classifier)
    assert classifier.classes_.tolist() == LABELS
    np.testing.assert_array_equal(classifier.predict(X), np.array(LABELS)[direct.predict(X)])
    np.testing.assert_array_equal(classifier.predict_proba(X), direct.predict_proba(X))
    assert classifier.score(X, y) == direct.score(X, codes)


def test_probabilities_only_where_there_are_some(blobs):
    X, _, y = blobs
    assert not hasattr(OriginalLabels(RidgeClassifier(), LABELS).fit(X, y), "predict_proba")


@pytest.mark.parametrize("labels", [["well", "ill"], [*LABELS, "born"], ["well", "ill", "late"]])
def test_labels_must_be_the_classes(labels, blobs):
    X, _, y = blobs
    with pytest.raises(ValueError, match="give one label for each class"):
        OriginalLabels(LogisticRegression(), labels).fit(X, y)


def test_a_fitted_pipeline_gets_labels_without_training(blobs):
    X, codes, y = blobs
    fitted = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]).fit(X, codes)
    labelled = with_original_labels(fitted, np.array(LABELS))
    assert labelled[-1].estimator_ is fitted[-1]
    expected = np.array(LABELS)[fitted.predict(X)]
    np.testing.assert_array_equal(labelled.predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(labelled)).predict(X), expected)
    # It can be trained again, on labels.
    np.testing.assert_array_equal(clone(labelled).fit(X, y).predict(X), expected)
