"""Texts to tokens: the vocabulary, padding and cutting, and what is refused."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skhp.sequences import TokenSequencer

TEXTS = ["The cat sat.", "the dog", "THE cat!"]


def test_tokens_are_words_by_frequency_padded_at_the_end():
    sequencer = TokenSequencer(100, 4).fit(TEXTS)
    words = sequencer.vocabulary_
    assert words[:4] == ["", "[UNK]", "the", "cat"]
    assert set(words[4:]) == {"sat", "dog"}
    expected = [["the", "cat", "sat", ""], ["the", "dog", "", ""], ["the", "cat", "", ""]]
    tokens = sequencer.transform(TEXTS)
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(tokens, [[words.index(word) for word in row] for row in expected])


def test_unknown_words_are_1_and_long_texts_are_cut():
    sequencer = TokenSequencer(100, 2).fit(TEXTS)
    the = sequencer.vocabulary_.index("the")
    np.testing.assert_array_equal(sequencer.transform(["the zebra ran"]), [[the, 1]])


def test_words_that_no_network_sees_in_training_are_unknown():
    # "deep" is the most frequent word, and stands behind the cut of each text to learn from.
    texts = ["one deep", "two deep", "two"]
    sequencer = TokenSequencer(100, 1).fit(texts)
    assert sequencer.vocabulary_ == ["", "[UNK]", "two", "one"]
    np.testing.assert_array_equal(sequencer.transform(["deep", "one", "two"]), [[1], [3], [2]])
    assert set(sequencer.transform(texts).ravel()) == {2, 3}


def test_the_vocabulary_has_a_limit():
    sequencer = TokenSequencer(3, 3).fit(TEXTS)
    assert sequencer.vocabulary_ == ["", "[UNK]", "the"]


@pytest.mark.parametrize(
    ("parameters", "vocabulary"),
    [
        ({"standardize": None}, {"The", "the", "THE", "cat", "cat!", "sat.", "dog"}),
        ({"standardize": "lower"}, {"the", "cat", "cat!", "sat.", "dog"}),
        ({"split": "character", "standardize": "lower"}, set("thecasdog .!")),
        ({"ngrams": 2}, {"the", "cat", "sat", "dog", "the cat", "cat sat", "the dog"}),
    ],
)
def test_parameters_of_the_parting(parameters, vocabulary):
    sequencer = TokenSequencer(100, 50, **parameters).fit(TEXTS)
    assert set(sequencer.vocabulary_[2:]) == vocabulary


@pytest.mark.parametrize("given", [np.array(TEXTS), pd.Series(TEXTS), pd.DataFrame({"t": TEXTS})])
def test_every_form_of_texts_is_taken(given):
    expected = TokenSequencer(100, 4).fit_transform(TEXTS)
    np.testing.assert_array_equal(TokenSequencer(100, 4).fit_transform(given), expected)


def test_copies_give_the_same_tokens(tmp_path):
    sequencer = TokenSequencer(100, 4).fit(TEXTS)
    joblib.dump(sequencer, tmp_path / "sequencer")
    for copied in (pickle.loads(pickle.dumps(sequencer)), joblib.load(tmp_path / "sequencer")):
        np.testing.assert_array_equal(copied.transform(TEXTS), sequencer.transform(TEXTS))
    with pytest.raises(NotFittedError):
        clone(sequencer).transform(TEXTS)


def test_names_of_columns():
    names = TokenSequencer(100, 2).fit(TEXTS).get_feature_names_out()
    assert list(names) == ["token0", "token1"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "the one text 'one text'"),
        ([], "at least one text"),
        (["fine", None], "row 1, counted from 0, is None of type NoneType"),
        (["fine", 3.5], "row 1, .* is 3.5 of type float"),
        ([["two", "columns"]], r"got \(1, 2\)"),
    ],
)
def test_what_is_not_texts_is_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        TokenSequencer().fit(texts)


def test_wrong_parameters_are_refused():
    with pytest.raises(ValueError, match="max_tokens"):
        TokenSequencer(2).fit(TEXTS)
    with pytest.raises(ValueError, match="'split'"):
        TokenSequencer(split="comma").fit(TEXTS)
