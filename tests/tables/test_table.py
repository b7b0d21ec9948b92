import os

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from skhp.exceptions import TableError
from skhp.tables.table import digits_table, make_table, read_table


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
        ("t.parquet", b"", "is empty: give a file"),
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(TableError, match="is a pipe or a device: save the table as a file"):
        read_table(tmp_path / "t.csv")


def test_a_spoiled_cell_of_a_parquet_file_is_named_by_its_row(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": ["1", "2", "3", "bad"] * 3, "y": [0, 1] * 6}).to_parquet(path)
    with pytest.raises(TableError, match=r"row 3 .counted from 0. holds the text 'bad'"):
        read_table(path)
    with pytest.raises(TableError, match="always has column names"):
        read_table(path, header=False)


def write_csv(path, *, column=("u", "v"), target=("no", "yes", "no"), names="a,b,t"):
    """60 rows: a number, then the cells and the labels, in turn."""
    cells = [
        f"{n * 37 % 60}.5,{column[n % len(column)]},{target[n % len(target)]}" for n in range(60)
    ]
    path.write_text("\n".join([names, *cells, ""]), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["007", "7"], ["007", "7"]),
        (["01000", "1000", "1e3"], ["01000", "1000", "1e3"]),
        (["1", "1.0", "+1"], ["1", "1.0", "+1"]),
        (["NA", "EU", "None"], ["NA", "EU", "None"]),
        (["1", "nan"], ["1", "nan"]),
        ([str(2**60), str(2**60 + 1)], [str(2**60), str(2**60 + 1)]),
        (["1e300", "5"], ["1e300", "5"]),
        # As pandas reads them, so that the pipeline knows them again; nothing is lost by it.
        (["3", "1", "2"], [3, 1, 2]),
        (["1.5", "2.5"], [1.5, 2.5]),
        (["TRUE", "FALSE"], [True, False]),
    ],
)
def test_named_categories_are_what_stands_in_the_file(cells, expected, path):
    table = read_table(write_csv(path, column=cells), categories=["b"])
    assert table.categories == ("b",)
    found = table.inputs["b"].unique().tolist()
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["None", "Mild", "Severe"], ["Mild", "None", "Severe"]),
        (["NA", "EU", "EU"], ["EU", "NA"]),
        (["nan", "n/a", "null"], ["n/a", "nan", "null"]),
        (["?", "-", "x"], ["-", "?", "x"]),
        (["01", "02", "02"], ["02", "01"]),
        (["0", "1", "0"], [0, 1]),
        (["1.0", "0.0", "0.0"], [0, 1]),
        (["+1", "-1", "-1"], [-1, 1]),
        (["0.5", "1.5", "0.5"], [0.5, 1.5]),
        (["true", "false", "false"], [False, True]),
        (["'1'", "'-1'", "'-1'"], [-1, 1]),
        (["'bad'", "'good'", "'good'"], ["good", "bad"]),
        (["'not done'", "done", "done"], ["done", "not done"]),
        (['"""bad"""', '"""good"""', '"""good"""'], ["good", "bad"]),
        ([" yes", " no", " no"], [" no", " yes"]),
        ([str(2**60), str(2**60 + 1), str(2**60 + 1)], [str(2**60 + 1), str(2**60)]),
        (["1e300", "0", "0"], ["0", "1e300"]),
    ],
)
def test_labels_are_what_stands_in_the_file(labels, expected, path):
    table = read_table(write_csv(path, target=labels))
    assert table.target.labels.tolist() == expected
    assert len(table.inputs) == 60
    assert table.n_rows_without_target == 0


@pytest.mark.parametrize(
    ("labels", "first", "second"),
    [
        (["yes", "yes ", "no"], "'yes' (20 rows)", "'yes ' (20)"),
        (["yes", "yes\u00a0", "no"], "'yes' (20 rows)", r"'yes\xa0'"),
        (["yes", "Yes", "no"], "'Yes' (20 rows)", "'yes' (20)"),
        (["yes", "yes.", "no"], "'yes' (20 rows)", "'yes.' (20)"),
        (["\u00e9", "e\u0301", "no"], r"'e\u0301' (20 rows)", r"'\xe9' (20)"),
        (["01", "1", "0"], "'01' (20 rows)", "'1' (20)"),
        (["1.0", "1", "0"], "'1' (20 rows)", "'1.0' (20)"),
        (["+1", "1", "0"], "'+1' (20 rows)", "'1' (20)"),
        (["1e3", "1000", "0"], "'1000' (20 rows)", "'1e3' (20)"),
        (["TRUE", "True", "False"], "'TRUE' (20 rows)", "'True' (20)"),
        (["'1'", "1", "0"], "\"'1'\" (20 rows)", "'1' (20)"),
    ],
)
def test_labels_that_look_the_same_need_a_word(labels, first, second, path):
    write_csv(path, target=labels)
    with pytest.raises(TableError) as caught:
        read_table(path)
    message = str(caught.value)
    assert first in message
    assert second in message
    assert "--merge-labels 't'" in message
    assert "--keep-labels 't'" in message
    merged = read_table(path, merge_labels=["t"]).target
    assert np.bincount(merged.codes).tolist() == [40, 20]
    kept = read_table(path, keep_labels=["t"]).target
    assert sorted(map(str, kept.labels)) == sorted(labels)
    assert np.bincount(kept.codes).tolist() == [20, 20, 20]


def test_labels_of_a_frame_that_look_the_same_need_a_word(patients):
    patients.loc[:9, "state"] += " "
    with pytest.raises(TableError, match=r"'well' .52 rows. and 'well ' .8.*--merge-labels"):
        make_table(patients)
    merged = make_table(patients, merge_labels=["state"]).target
    assert merged.labels[merged.codes].tolist() == patients["state"].str.strip().tolist()


def test_categories_are_merged_and_kept_apart_in_one_go(path):
    write_csv(path, column=["north", "North ", "south"], target=["US", "us", "de"])
    with pytest.raises(TableError) as caught:
        read_table(path)
    for said in ("'US' (20 rows)", "--keep-labels 't'", "'North ' (20 rows)", "--merge-labels 'b'"):
        assert said in str(caught.value)
    table = read_table(path, merge_labels=["b"], keep_labels=["t"])
    assert table.inputs["b"].value_counts().to_dict() == {"north": 40, "south": 20}
    assert table.merged == ("b",)
    assert table.target.labels.tolist() == ["US", "de", "us"]
    with pytest.raises(TableError, match="'b' is given to --merge-labels and to --keep-labels"):
        read_table(path, merge_labels=["b"], keep_labels=["t", "b"])


def test_what_may_mean_a_missing_value_is_pointed_out_or_said_to(path):
    write_csv(path, column=["?", "x", "y", "y"], target=["None", "mild", "severe"])
    notes = read_table(path).notes
    assert [note.split(":")[0] for note in notes] == [
        "'None' is a class of the target 't' in 20 rows",
        "'?' is a category of column 'b' in 15 rows",
    ]
    assert all("--missing '" in note for note in notes)
    table = read_table(path, missing=["?", "None"])
    assert (table.notes, table.n_rows_without_target, len(table.inputs)) == ((), 20, 40)
    assert set(table.inputs["b"].dropna()) <= {"x", "y"}
    assert table.inputs["b"].isna().any()
    assert read_table(path, keep_labels=["b", "t"]).notes == ()


@pytest.mark.parametrize("labels", [["0", "1", "NA"], ["True", "False", "?"]])
def test_a_class_among_numbers_that_looks_missing_needs_a_word(labels, path):
    write_csv(path, target=labels)
    with pytest.raises(TableError, match=r"--missing '.*--keep-labels 't'"):
        read_table(path)
    assert len(read_table(path, missing=labels[2:]).target.codes) == 40
    assert sorted(read_table(path, keep_labels=["t"]).target.labels) == sorted(labels)


@pytest.mark.parametrize("cells", [["1", "NA", "3"], ["1", "None", "3"], ["1", "", "3"]])
def test_among_numbers_na_is_a_missing_cell(cells, path):
    table = read_table(write_csv(path, column=cells))
    assert table.numbers == ("a", "b")
    assert table.inputs["b"].isna().sum() == 20
    assert table.inputs["b"].dropna().unique().tolist() == [1, 3]


def test_truth_values_with_missing_cells(path):
    table = read_table(write_csv(path, column=["True", "False", "NA"]))
    assert table.inputs["b"].dropna().unique().tolist() == [True, False]
    assert table.categories == ("b",)


def test_columns_with_leading_zeros_are_codes(path):
    codes = ["01067", "80331", "10115", "50667"]
    table = read_table(write_csv(path, column=codes))
    assert (table.numbers, table.categories) == (("a",), ("b",))
    assert table.inputs["b"].unique().tolist() == codes
    (note,) = table.notes
    assert "'01067' begins with a zero" in note
    assert "--numbers 'b'" in note
    numbers = read_table(path, numbers=["b"])
    assert numbers.inputs["b"].unique().tolist() == [1067, 80331, 10115, 50667]
    assert numbers.notes == ()
    assert read_table(path, categories=["b"]).notes == ()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"{n:04d}" for n in range(60)], "60 different codes .*'0000' .*--drop.*--numbers 'b'"),
        (["007", "7"], "'007' .30 rows. and '7' .*--merge-labels 'b'.*--numbers 'b'"),
        (['"1,5"', '"2,5"'], "line 2 holds the text '1,5'.*decimal point"),
        (['"1,234.5"', '"2,345.5"'], "line 2 holds the text '1,234.5'"),
        (["1 234", "2\u00a0345"], "line 2 holds the text '1 234'"),
        (["1_000", "2_000"], "line 2 holds the text '1_000'"),
        (["$5", "$6"], "line 2 holds the text '\\$5'"),
        (["5%", "6%"], "line 2 holds the text '5%'"),
        (["0x1f", "0x2f"], "line 2 holds the text '0x1f'"),
        (["1", "?", "3"], r"line 3 holds the text '\?'.*--missing '\?'"),
        (["1", "NA", "3", "bad"], "line 5 holds the text 'bad'"),
        (["2020-01-31", "2020-02-28"], "dates or times, line 2 '2020-01-31'.*--drop 'b'"),
        (["31.1.2020 12:30", "28.2.2020 11:00"], "dates or times"),
        (["12:30", "11:00"], "dates or times"),
        (["Jan 31, 2020", "Feb 28, 2020"], "line 2 of"),
        (["1", str(2**60 + 1)], f"holds {2**60 + 1} in line 3, more digits .*--categories 'b'"),
        (["9" * 400, "1"], "line 2, more digits"),
        (["NA", "None"], "holds no value at all"),
        (["1e300", "1"], r"'b' holds 1e\+300 in line 2.*float32.*leave it empty"),
        (["1", "-1e300"], r"'b' holds -1e\+300 in line 3"),
        (["1", "1e39"], r"'b' holds 1e\+39 in line 3"),
        (["1", "1e999"], "'b' is infinite in line 3"),
        (["1", "-Infinity"], "'b' is infinite in line 3"),
        (
            ["1e30", *(f"{n}e-12" for n in range(59))],
            r"'b' holds 1e\+30 in line 2.*scaled.*deviation",
        ),
    ],
)
def test_cells_that_cannot_be_used_are_named(cells, message, path):
    if cells[0].startswith("Jan"):
        cells, message = [f'"{cell}"' for cell in cells], "dates or times"
    with pytest.raises(TableError, match=message):
        read_table(write_csv(path, column=cells))


def test_a_number_that_means_a_missing_value_may_be_written_in_any_way(path):
    write_csv(path, column=["-999", "-999.0", " -999 ", "1", "2"])
    cells = read_table(path, missing=["-999"]).inputs["b"]
    assert cells.isna().sum() == 36
    assert set(cells.dropna()) == {1, 2}
    codes = write_csv(path, column=["007", "7", "8"])
    assert set(read_table(codes, categories="b", missing="7").inputs["b"].dropna()) == {"007", "8"}


@pytest.mark.parametrize("dtype", ["int64", "float32", "Int64", object])
def test_numbers_of_a_frame_can_mean_a_missing_value(dtype):
    frame = pd.DataFrame({"a": pd.Series([-999, 1, 2, 5] * 5, dtype=dtype), "y": [0, 1] * 10})
    assert make_table(frame, missing=["-999"]).inputs["a"].isna().sum() == 5


def test_a_text_for_missing_values_that_is_in_no_cell_is_pointed_out(path):
    write_csv(path, column=["NA", "x", "y", "y"])
    (note,) = read_table(path, missing=["na", "NA", ""]).notes
    assert note == "no cell holds 'na', so that --missing 'na' has no effect."


def test_texts_of_a_frame_that_look_missing_are_pointed_out():
    frame = pd.DataFrame({"a": ["", "x", "z", "z"] * 5, "y": ["None", "b", "c", "b", "b"] * 4})
    about = [note.split(":")[0] for note in make_table(frame).notes]
    assert about == [
        "'None' is a class of the target 'y' in 4 rows",
        "'' is a category of column 'a' in 5 rows",
    ]


def test_what_is_said_of_the_target_counts(path):
    write_csv(path, target=["01", "1", "2", "NA"])
    numbers = read_table(path, numbers="t")
    assert np.bincount(numbers.target.codes).tolist() == [30, 15]
    assert numbers.target.labels.tolist() == [1, 2]
    write_csv(path, target=["01", "1", "2"])
    assert read_table(path, categories="t").target.labels.tolist() == ["01", "1", "2"]


def test_one_name_is_not_its_letters(path):
    write_csv(path, names="a,ta,t")
    assert list(read_table(path, drop="ta").inputs.columns) == ["a"]
    assert read_table(path, categories="ta").categories == ("ta",)


def test_half_precision_is_read():
    frame = pd.DataFrame({"a": np.arange(20, dtype="float16") * 37 % 11, "y": [0, 1] * 10})
    assert make_table(frame).inputs["a"].max() == 10


def test_the_largest_number_is_read(path):
    table = read_table(write_csv(path, column=["3.4e38", "-3.4e38", "0"]))
    assert table.inputs["b"].max() == 3.4e38


def test_numbers_are_read_to_the_last_digit(path):
    cells = ["0.1234567890123456", "1e-300", ".5", "+2.", "-0.30000000000000004"]
    table = read_table(write_csv(path, column=cells))
    assert table.inputs["b"][:5].tolist() == list(map(float, cells))


def test_names_are_found_without_their_blanks(path):
    write_csv(path, names="a,'ward ', died")
    table = read_table(path, "died", drop=["a"], categories=["ward"])
    assert table.target.name == " died"
    # As they stand in the file, where the pipeline will find them again.
    assert list(table.inputs.columns) == ["'ward '"]
    write_csv(path, names="died ,t, died")
    with pytest.raises(TableError, match="may be any of the columns 'died ', ' died'"):
        read_table(path, "died")
    assert read_table(path, " died").target.name == " died"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1e300, *range(11)], r"holds 1e\+300 in row 0"),
        ([2**60 + 1, *range(11)], f"holds {2**60 + 1} in row 0, more digits"),
        (["1", "2"] * 6, "keeps its numbers as text.*--numbers 'c'"),
        (pd.date_range("2020-01-01", periods=12), "holds dates .*--drop 'c'"),
        ([1, "a"] * 6, "values of several types .int 1 in row 0, str 'a' in row 1.*--drop 'c'"),
    ],
)
def test_cells_of_a_frame_that_cannot_be_used_are_named(column, message):
    frame = pd.DataFrame({"c": column, "y": [0, 1] * 6})
    with pytest.raises(TableError, match=message):
        make_table(frame)


def test_what_is_typed_by_the_file_stays():
    frame = pd.DataFrame(
        {"zip": ["01067", "80331"] * 6, "n": ["1", "2"] * 6, "y": ["1", "0", "0"] * 4}
    )
    table = make_table(frame, numbers=["n"])
    assert (table.numbers, table.categories) == (("n",), ("zip",))
    assert table.inputs["zip"].unique().tolist() == ["01067", "80331"]
    assert table.inputs["n"].unique().tolist() == [1, 2]
    assert table.target.labels.tolist() == ["0", "1"]


def test_large_labels_of_a_frame_stay():
    frame = pd.DataFrame({"a": [0.5, 0.25] * 6, "y": [1e300, 0.0, 0.0] * 4})
    assert make_table(frame).target.labels.tolist() == [0.0, 1e300]


def test_labels_of_several_types_are_named():
    frame = pd.DataFrame({"a": [0.5, 0.25] * 6, "y": pd.Series([1, "a"] * 6, dtype=object)})
    with pytest.raises(TableError, match=r"the target 'y' .*int 1 in row 0, str 'a' in row 1"):
        make_table(frame)
