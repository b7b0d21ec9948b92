"""Turn texts into padded sequences of tokens."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skhp.compat.scikit_learn import Interval, StrOptions, fit_context

_ROWS_AT_ONCE = 4096


class TokenSequencer(TransformerMixin, BaseEstimator):
    """Turn texts into sequences of whole numbers, all of the same length.

    Keras' TextVectorization splits a text into words. 0 pads short texts at their end, and 1 stands
    for words that are not in the vocabulary. The numbers from 2 up stand for the words of the
    training texts, the most frequent word first.

    Parameters
    ----------
    max_tokens : int, default=10000
        Largest number of entries of the vocabulary, including 0 and 1.
    length : int, default=100
        Number of tokens in each sequence; longer texts are cut at their end, shorter ones padded.
    standardize : {"lower_and_strip_punctuation", "lower", "strip_punctuation"} or None, \
default="lower_and_strip_punctuation"
        What is done to a text before it is split.
    split : {"whitespace", "character"}, default="whitespace"
        Whether a token is a word, split off at white space, or a single character.
    ngrams : int, default=None
        Largest number of consecutive words that form one token; None takes single words.

    Attributes
    ----------
    vocabulary_ : list of str
        The word of each token; the first two are "" and "[UNK]".

    See Also
    --------
    KerasRNNClassifier : Takes such sequences if `embedding_dim` is set.

    Examples
    --------
    >>> from skhp.sequences import TokenSequencer
    >>> sequencer = TokenSequencer(max_tokens=10, length=4)
    >>> sequencer.fit_transform(["the cat sat", "the dog"])
    array([[2, 5, 3, 0],
           [2, 4, 0, 0]], dtype=int32)
    >>> sequencer.vocabulary_[2]
    'the'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "max_tokens": [Interval(Integral, 3, None, closed="left")],
        "length": [Interval(Integral, 1, None, closed="left")],
        "standardize": [
            StrOptions({"lower_and_strip_punctuation", "lower", "strip_punctuation"}),
            None,
        ],
        "split": [StrOptions({"whitespace", "character"})],
        "ngrams": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        max_tokens: int = 10_000,
        length: int = 100,
        *,
        standardize: str | None = "lower_and_strip_punctuation",
        split: str = "whitespace",
        ngrams: int | None = None,
    ) -> None:
        self.max_tokens = max_tokens
        self.length = length
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the vocabulary.

        Parameters
        ----------
        X : array-like of str, of shape (n_samples,) or (n_samples, 1)
            Texts.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is empty, or holds something other than texts.
        """
        texts = _checked_texts(X)
        layer = self._layer()
        # TensorFlow would log the end of a data set; an array of texts is a single batch.
        layer.adapt(texts.astype(object))
        vocabulary = [str(word) for word in layer.get_vocabulary()]
        self.vocabulary_ = vocabulary
        # A word that stands only behind the cuts is removed: no network sees it in training, but a
        # text of another fold may have it before its cut.
        seen = set(np.unique(self._tokens(texts)).tolist())
        self.vocabulary_ = [
            word for token, word in enumerate(vocabulary) if token < 2 or token in seen
        ]
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Turn texts into tokens.

        Parameters
        ----------
        X : array-like of str, of shape (n_samples,) or (n_samples, 1)

        Returns
        -------
        tokens : ndarray of int32, of shape (n_samples, length)
        """
        check_is_fitted(self)
        return self._tokens(_checked_texts(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns: "token0" and so on.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        return np.array([f"token{place}" for place in range(self.length)], dtype=object)

    def _tokens(self, texts: np.ndarray) -> np.ndarray:
        layer = self._layer(self.vocabulary_)
        blocks = [
            keras.ops.convert_to_numpy(layer(texts[start : start + _ROWS_AT_ONCE].astype(object)))
            for start in range(0, len(texts), _ROWS_AT_ONCE)
        ]
        return np.concatenate(blocks).astype(np.int32)

    def _layer(self, vocabulary: list[str] | None = None) -> keras.layers.TextVectorization:
        return keras.layers.TextVectorization(
            max_tokens=int(self.max_tokens),
            standardize=self.standardize,
            split=self.split,
            ngrams=None if self.ngrams is None else int(self.ngrams),
            output_sequence_length=int(self.length),
            vocabulary=vocabulary,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _checked_texts(X: Any) -> np.ndarray:
    if isinstance(X, str):
        raise ValueError(f"Iterable over texts expected, got the one text {X[:40]!r}.")
    texts = np.asarray(X, dtype=object)
    if texts.ndim == 2 and texts.shape[1] == 1:
        texts = texts[:, 0]
    if texts.ndim != 1:
        raise ValueError(
            "TokenSequencer takes one text a row, of the shape (n_samples,) or (n_samples, 1), got "
            f"{texts.shape}."
        )
    if not len(texts):
        raise ValueError("TokenSequencer needs at least one text, got none.")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"TokenSequencer takes texts, but row {place}, counted from 0, is {text!r} of type "
                f"{type(text).__name__}. Fill missing texts, as by fillna('')."
            )
    return texts
