import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from skhp.comparison import TableError, digits_table, make_table, read_table


def test_digits():
    table = digits_table()
    digits = load_digits()
    np.testing.assert_array_equal(table.inputs.to_numpy(), digits.data)
    np.testing.assert_array_equal(table.target.codes, digits.target == 8)
    assert table.target.labels.tolist() == ["no", "yes"]
    assert len(table.numbers) == 64
    assert table.categories == ()


@pytest.mark.parametrize("ending", ["csv", "parquet", "CSV"])
def test_a_table_is_read_as_it_was_written(ending, patients, tmp_path):
    path = tmp_path / f"t.{ending}"
    (patients.to_parquet if ending == "parquet" else patients.to_csv)(path, index=False)
    table = read_table(path)
    assert table.name == path.name
    assert table.numbers == ("age",)
    assert table.categories == ("ward", "smoker")
    assert table.target.name == "state"
    assert table.target_by_default
    assert table.target.labels[table.target.codes].tolist() == patients["state"].tolist()
    pd.testing.assert_series_equal(table.inputs["age"], patients["age"])
    assert table.inputs.isna().sum().to_dict() == {"age": 2, "ward": 1, "smoker": 3}


def test_rows_without_a_target_are_left_out():
    frame = pd.DataFrame({"a": range(10), "y": [0, 1, None, 0, 1, 0, None, 1, 0, 1]})
    table = make_table(frame, "y")
    assert not table.target_by_default
    assert table.n_rows_without_target == 2
    assert table.inputs["a"].tolist() == [0, 1, 3, 4, 5, 7, 8, 9]
    # Floats in the frame, because of the missing ones; whole numbers again.
    assert table.target.labels.dtype == np.int64
    assert table.target.codes.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


def test_columns_can_be_dropped_and_be_said_to_be_categories():
    frame = pd.DataFrame({"id": [f"n{n}" for n in range(8)], "zip": range(8), "y": [0, 1] * 4})
    table = make_table(frame, drop=["id"], categories=["zip"])
    assert list(table.inputs.columns) == ["zip"]
    assert (table.numbers, table.categories) == ((), ("zip",))


def test_names_that_are_no_text_become_text():
    assert make_table(pd.DataFrame({0: range(8), 1: [0, 1] * 4})).numbers == ("0",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "STATE"}, "no column 'STATE'. Did you mean 'state'"),
        ({"target": "stat"}, "no column 'stat'. Did you mean 'state'"),
        ({"drop": ["ages"]}, "no column 'ages'. Did you mean 'age'"),
        ({"categories": ["sex"]}, "no column 'sex'. Its columns are 'age', 'ward', 'smoker', "),
        ({"target": "age", "drop": ["age"]}, "also to be dropped"),
        ({"drop": ["age", "ward", "smoker"]}, "1 column to use"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes, message, patients):
    with pytest.raises(TableError, match=message):
        make_table(patients, **changes)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [], "y": []}), "column names but no rows"),
        (pd.DataFrame({"a": [1, 2], "y": [None, None]}), "target 'y' holds no value at all"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]), "named 'a'"),
        (
            pd.DataFrame({"Unnamed: 0": [1], "a": [1], "y": [1]}),
            "column 1 of the table has no name",
        ),
    ],
)
def test_frames_that_are_no_table_are_refused(frame, message):
    with pytest.raises(TableError, match=message):
        make_table(frame)


def test_more_columns_than_a_line_holds_are_counted():
    frame = pd.DataFrame(np.zeros((3, 20)), columns=[f"c{n}" for n in range(20)])
    with pytest.raises(TableError, match="'c7' and 12 more"):
        make_table(frame, "target")


def test_the_line_of_a_spoiled_cell_is_that_of_the_file(tmp_path):
    path = tmp_path / "t.csv"
    # The row without a target shifts the rows, but no line.
    path.write_text("a,y\n1,0\n2,\n\n3,1\nbad,0\n" + "4,1\n5,0\n" * 6, encoding="utf-8")
    with pytest.raises(TableError, match="line 6 holds the text 'bad'"):
        read_table(path)
    path.write_text("1,0\nbad,0\n" + "4,1\n5,0\n" * 6, encoding="utf-8")
    with pytest.raises(TableError, match="line 2 holds the text 'bad'"):
        read_table(path, header=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file: .*none.csv'. Did you mean 'one.csv'"),
        ("other.parquet", None, "no such file: .*other.parquet'. Give the path"),
        ("folder", None, "is a directory"),
        ("t.xlsx", b"", "ends in '.xlsx', which is not read here: save the table as .csv"),
        ("t", b"", "ends in '', which is not read here"),
        ("t.parquet", b"a,b\n1,2\n", "cannot be read as Parquet"),
        ("t.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_file_is_refused(name, content, message, tmp_path):
    (tmp_path / "one.csv").touch()
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_spoiled_cell_of_a_parquet_file_is_named_by_its_row(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": ["1", "2", "3", "bad"] * 3, "y": [0, 1] * 6}).to_parquet(path)
    with pytest.raises(TableError, match="row 3, counted from 0, holds the text 'bad'"):
        read_table(path)
    with pytest.raises(TableError, match="always has column names"):
        read_table(path, header=False)
