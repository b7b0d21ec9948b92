import numpy as np
import pandas as pd
import pytest

from skhp.tables.preparation import (
    Imputation,
    PlainCategories,
    PlainNumbers,
    make_preparation,
    missing_cells,
)


def test_prepared_values_by_hand():
    frame = pd.DataFrame({"age": [1.0, None, 3.0, 8.0], "ward": ["b", "a", None, "b"]})
    prepared = make_preparation(["age"], ["ward"]).fit_transform(frame)
    age = np.array([1, 3, 3, 8])
    np.testing.assert_allclose(prepared[:, 0], (age - age.mean()) / age.std())
    # Columns a and b; the missing ward is b, the most frequent.
    np.testing.assert_array_equal(prepared[:, 1:], [[0, 1], [1, 0], [0, 1], [0, 1]])


def test_other_columns_and_their_order_do_not_matter():
    frame = pd.DataFrame({"id": ["x", "y"], "a": [1, 2], "b": [5, 7]})
    preparation = make_preparation(["a", "b"], []).fit(frame)
    np.testing.assert_array_equal(
        preparation.transform(frame[["b", "a"]]), preparation.transform(frame)
    )


@pytest.mark.parametrize(
    "categories",
    [
        ["new", "b", None],
        [None, None, None],
        pd.array(["b", None, "new"], dtype="string"),
        pd.Categorical(["b", None, "new"]),
        [1.5, 2.5, None],
        [True, False, True],
        [True, None, False],
    ],
)
@pytest.mark.parametrize("numbers", [[None] * 3, pd.array([1, None, 2], dtype="Int64"), [0, 1, 2]])
def test_prediction_takes_what_training_has_not_seen(numbers, categories):
    seen = pd.DataFrame({"n": [1.0, 2.0, None, 4.0], "c": ["a", "b", None, "b"]})
    preparation = make_preparation(["n"], ["c"]).fit(seen)
    prepared = preparation.transform(pd.DataFrame({"n": numbers, "c": categories}))
    assert prepared.shape == (3, 3)
    assert np.isfinite(prepared).all()
    known = [value if isinstance(value, str) else None for value in categories]
    # A missing category is "b", a new one no column.
    expected = [
        [value == "a", value == "b" or pd.isna(given)]
        for value, given in zip(known, categories, strict=True)
    ]
    np.testing.assert_array_equal(prepared[:, 1:], expected)


def test_truth_values_and_numbers_can_be_categories():
    frame = pd.DataFrame({"smoker": [True, False, True], "zip": [30, 10, 20]})
    preparation = make_preparation([], ["smoker", "zip"]).fit(frame)
    np.testing.assert_array_equal(
        preparation.transform(frame), [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0], [0, 1, 0, 1, 0]]
    )
    # With a missing cell, pandas reads the same columns as objects and as floats.
    later = pd.DataFrame({"smoker": [False, None], "zip": [30, None]})
    np.testing.assert_array_equal(preparation.transform(later)[0], [1, 0, 0, 0, 1])


def test_columns_that_are_empty_in_the_training_rows_of_a_fold():
    empty = pd.DataFrame({"n": [np.nan] * 3, "c": [None] * 3, "m": [1.0, 2.0, 3.0]})
    preparation = make_preparation(["n", "m"], ["c"]).fit(empty)
    filled = pd.DataFrame({"n": [5.0], "c": ["a"], "m": [1.0]})
    assert np.isfinite(preparation.transform(filled)).all()


def test_missing_cells_are_counted():
    frame = pd.DataFrame({"a": [1, None, None], "b": [1, 2, 3], "c": [None, "x", "y"]})
    assert missing_cells(frame, ["a", "b"], ["c"]) == (
        Imputation("a", 2, "median"),
        Imputation("c", 1, "most frequent"),
    )


def test_merged_spellings_are_known_again():
    seen = pd.DataFrame({"ward": ["north", "south", "south"]})
    preparation = make_preparation([], ["ward"], merged=["ward"]).fit(seen)
    later = pd.DataFrame({"ward": ["North", " south.", "east", None]})
    np.testing.assert_array_equal(preparation.transform(later), [[1, 0], [0, 1], [0, 0], [0, 1]])
    apart = make_preparation([], ["ward"]).fit(seen)
    np.testing.assert_array_equal(apart.transform(later)[:2], 0)


def test_texts_for_missing_values_are_known_again():
    seen = pd.DataFrame({"ward": ["north", "south", "south"]})
    preparation = make_preparation([], ["ward"], missing=["?"]).fit(seen)
    np.testing.assert_array_equal(
        preparation.transform(pd.DataFrame({"ward": ["?", "north"]})), [[0, 1], [1, 0]]
    )


@pytest.mark.parametrize("dtype", [None, str])
def test_numbers_for_missing_values_are_known_again(dtype):
    seen = pd.DataFrame({"age": [1.0, 2.0, 9.0, np.nan], "grade": [1, 2, 2, np.nan]})
    preparation = make_preparation(["age"], ["grade"], missing=["-999", "?"]).fit(seen)
    plain = make_preparation(["age"], ["grade"]).fit(seen)
    new = pd.DataFrame({"age": [9, -999], "grade": [1.0, -999.0]}, dtype=dtype)
    expected = plain.transform(pd.DataFrame({"age": [9, np.nan], "grade": [1.0, np.nan]}))
    np.testing.assert_array_equal(preparation.transform(new.astype({"grade": float})), expected)
    with pytest.raises(ValueError, match="x"):
        preparation.transform(pd.DataFrame({"age": ["x"], "grade": [1]}))


def test_codes_that_were_read_as_numbers_are_refused():
    preparation = make_preparation([], ["zip"]).fit(pd.DataFrame({"zip": ["007", "7", "80331"]}))
    with pytest.raises(ValueError, match=r"'zip' holds the number 7.*'007'.*dtype=\{'zip': str\}"):
        preparation.transform(pd.DataFrame({"zip": [7, 7]}))
    assert preparation.transform(pd.DataFrame({"zip": [None, "7"]})).tolist()[1] == [0, 1, 0]


def test_a_category_called_none_is_known_again_though_pandas_reads_it_as_missing():
    preparation = make_preparation([], ["pool"]).fit(pd.DataFrame({"pool": ["None", "big", "big"]}))
    # Not the most frequent one.
    np.testing.assert_array_equal(
        preparation.transform(pd.DataFrame({"pool": [np.nan, "big"]})), [[1, 0], [0, 1]]
    )


def test_a_category_is_spelled_as_it_was_learned():
    plain = PlainCategories(merged=["ward"]).fit(pd.DataFrame({"ward": ["north", "south"]}))
    assert plain.transform(pd.DataFrame({"ward": ["North ", "east"]})).to_numpy().tolist() == [
        ["north"],
        ["east"],
    ]


def test_texts_and_numbers_that_mean_missing_are_missing():
    plain = PlainNumbers(missing=["-999", "?"])
    numbers = plain.fit_transform(pd.DataFrame({"age": [30, -999], "rate": ["?", "1.5"]}))
    np.testing.assert_array_equal(numbers, [[30, np.nan], [np.nan, 1.5]])
