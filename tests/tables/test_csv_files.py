import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.exceptions import TableError
from skhp.tables.table_files import line_of_row, read_csv

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=5)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_well_formed_text_is_read_as_it_was_written(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    assert [tuple(row) for row in read_csv(path).to_numpy()] == rows


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
        "column_1": ["30", "31"],
        "column_2": ["64", "65"],
        "column_3": ["'1'", "'1'"],
    }
    assert list(read_csv(path, header=True).columns) == ["30", "64", "'1'"]
    # Half of them may be numbers, such as years.
    assert len(read_csv(write(tmp_path / "years.csv", "2019,2020,a,b\n1,2,3,4\n"))) == 1


def test_cells_stay_text(tmp_path):
    path = write(tmp_path / "t.csv", 'a,b\n007,NA\n 1.50,""\nTRUE,None\r\n1e3,\n')
    assert read_csv(path).to_dict("list") == {
        "a": ["007", " 1.50", "TRUE", "1e3"],
        "b": ["NA", "", "None", ""],
    }


def test_lines_may_end_as_on_old_computers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\r1,2\r3,4\r")
    assert read_csv(path).to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    assert line_of_row(path, 1) == 3


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
        ("ü,b\n1,ü\n".encode("latin-1"), "line 1 .* not UTF-8 text"),
        (b"a,b\n1,2\n3,\xe4\n", "line 3 .* not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16, not"),
        ("a,b\n1,2\n".encode("utf-16-be"), "line 1 .* NUL byte.* UTF-16: save"),
        ("a,b\n1,2\n".encode("utf-32"), "is UTF-32, not"),
        (b"a,b\n1,2\n1\0.5,2\n", "line 3 .* NUL byte, so it is damaged"),
        (b"a,b\n1,2\n" + b"\0" * 20 + b"\n3,4\n", "line 3 .* NUL byte"),
        (b"PAR1\0\0,\0", "binary file"),
        (b"PAR1\x15\x04\x15", "is a Parquet file: rename it to end in .parquet"),
        (b"a;b,c;t\n1;2,5;0\n", "separated by semicolons"),
        (b'a,b\n"1,2\n' + b"3,4\n" * 50_000, "from line 2 on.*quote left open"),
        (b'a,b\n"1,2\n3,4\n', "from line 2 on: unexpected end of data. Is a quote left open"),
        # The quote takes all the rows that follow for one cell, which makes two of them.
        (b'a,b\n1,2\n3,"4\n5,6\n7,8\n', "from line 3 on: unexpected end of data"),
        (b'a,b\n3,"4\n5,6\n7,"8"\n', "from line 2 on: "),
        (b'a,b\n"1\n2",3,4\n', "line 2 .* has 3 cells.* several lines: is a quote left open"),
    ],
)
def test_what_is_no_table_is_refused(content, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)
