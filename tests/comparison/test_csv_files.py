import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.comparison import TableError
from skhp.comparison.csv_files import line_of_row, read_csv

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=5)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_well_formed_text_reads_as_pandas_reads_it(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    pd.testing.assert_frame_equal(read_csv(path), pd.read_csv(path))


def test_line_of_row_counts_blank_lines_and_lines_within_quotes(tmp_path):
    path = write(tmp_path / "t.csv", 'a,b\n\n1,"two\nlines"\n   \n3,4\n5,6\n')
    assert [line_of_row(path, row) for row in range(3)] == [3, 6, 7]
    # The header itself is a row where there is none.
    assert [line_of_row(path, row, header=False) for row in range(3)] == [1, 3, 6]
    assert read_csv(path)["b"].tolist() == ["two\nlines", "4", "6"]
    with pytest.raises(IndexError, match="no row 3"):
        line_of_row(path, 3)


def test_header_of_numbers_is_refused_unless_said_what_it_is(tmp_path):
    path = write(tmp_path / "t.csv", "30,64,'1'\n31,65,'1'\n")
    with pytest.raises(TableError, match="--no-header"):
        read_csv(path)
    assert read_csv(path, header=False).to_dict("list") == {
        "column_1": [30, 31],
        "column_2": [64, 65],
        "column_3": ["'1'", "'1'"],
    }
    assert list(read_csv(path, header=True).columns) == ["30", "64", "'1'"]
    # Half of them may be numbers, such as years.
    assert len(read_csv(write(tmp_path / "years.csv", "2019,2020,a,b\n1,2,3,4\n"))) == 1


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-8-sig"))
    assert list(read_csv(path).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n  \n\n", "is empty"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 .* has 3 cells, the first line has 2"),
        (b"a,b,c\n1,2\n", "line 2 .* has 2 cells, the first line has 3"),
        (b"a,b\n1,2,\n3,4,\n", "line 2 .* has 3 cells"),
        (b"a\n1\n", "one column only"),
        (b"a;b\n1;2\n", "separated by semicolons: save it separated by commas"),
        (b"a\tb\n1\t2\n", "separated by tabs"),
        (b"a,b,a\n1,2,3\n", r"named 'a' \(columns 1 and 3\): rename"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe,", "not UTF-8 text"),
        ("a,b\nü,1\n".encode("latin-1"), "not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8 text"),
        (b"PAR1\0\0,\0", "binary file"),
        (b'a,b\n"1,2\n' + b"3,4\n" * 50_000, "quote left open"),
        (b'a,b\n"1,2\n3,4\n', "line 2 .* has 1 cells"),
    ],
)
def test_what_is_no_table_is_refused(content, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)


def test_long_files_are_read_in_one_type(tmp_path):
    # By parts, as pandas does by default, the column would hold numbers and text.
    text = io.StringIO()
    pd.DataFrame({"a": ["1"] * 300_000 + ["x"], "b": 0}).to_csv(text, index=False)
    assert read_csv(write(tmp_path / "t.csv", text.getvalue()))["a"].map(type).unique() == [str]
