from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.exceptions import TableError
from skhp.tables.target import MIN_CLASS_ROWS, encode_target


@given(
    st.dictionaries(
        # numpy's text type has no NUL at the end.
        st.text(st.characters(exclude_characters="\0"), max_size=3),
        st.integers(MIN_CLASS_ROWS, 9),
        min_size=2,
        max_size=6,
    ),
    st.randoms(),
)
def test_the_rarest_class_is_last_and_labels_come_back(sizes, random):
    values = [label for label, size in sizes.items() for _ in range(size)]
    random.shuffle(values)
    target = encode_target(pd.Series(values, dtype=object), "y")
    assert target.labels[target.codes].tolist() == values
    counts = Counter(values)
    assert counts[target.rare_label] == min(counts.values())
    assert (target.codes == target.rare_code).sum() == min(counts.values())
    others = target.labels[:-1].tolist()
    assert others == sorted(others)
    assert target.is_binary == (len(sizes) == 2)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ([0, 1], [0, 1]),
        ([2, 1, 2], [2, 1]),
        ([True, False, False], [False, True]),
        (["b", "a"], ["a", "b"]),
        ([0.5, 1.5], [0.5, 1.5]),
        (pd.Categorical(["b", "a", "b"]), ["b", "a"]),
        (pd.array([3, 4, 4], dtype="Int64"), [4, 3]),
        (np.array([True, False, True], dtype=object), [True, False]),
    ],
)
def test_labels_are_plain_and_a_tie_is_settled_by_order(column, labels):
    target = encode_target(pd.concat([pd.Series(column)] * 12), "y")
    assert target.labels.tolist() == labels
    assert target.labels.dtype != object
    assert type(target.rare_label) is type(labels[-1])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a"] * 9, "one class only, every row is 'a': name another column with --target"),
        ([1] * 9, "one class only, every row is 1"),
        (["a"] * 9 + ["b"], "class 'b' of the target 'y' has a single row: at least 4"),
        (["a"] * 9 + ["b"] * 3, "class 'b' .* has 3 rows: at least 4"),
        ([1] * 9 + [2] + [3] * 2, r"class 2 .* \(2 of 3 classes have too few\).*--task numbers"),
        (["1"] * 9 + ["2"], "if the target is numbers and not classes, add --task numbers"),
        (pd.date_range("2020-01-01", periods=9), "neither text nor numbers"),
        (pd.Series([1, "a"] * 9, dtype=object), "neither text nor numbers"),
    ],
)
def test_what_is_no_target_is_refused(column, message):
    with pytest.raises(TableError, match=message):
        encode_target(pd.Series(column), "y")


def test_labels_of_text_are_not_said_to_be_numbers():
    with pytest.raises(TableError) as caught:
        encode_target(pd.Series(["a"] * 9 + ["1"]), "y")
    assert "--task" not in str(caught.value)


def test_classes_may_be_many_whole_numbers():
    assert len(encode_target(pd.Series(np.repeat(range(26), 4)), "letter").labels) == 26
