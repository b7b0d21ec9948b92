import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skhp.exceptions import TableError
from skhp.tables import table_files
from skhp.tables.column_words import ColumnWords
from skhp.tables.parquet_files import read_parquet
from skhp.tables.preparation import make_preparation
from skhp.tables.series import read_series
from skhp.tables.table import read_table

N = 24
NO_WORDS = ColumnWords.given(None)
DAY = datetime.datetime(2024, 1, 31, 12, 30)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


def write(path, cells, kind=None, *, target=("no", "yes", "no"), row_group_size=7):
    """24 rows in several row groups: a number, then the cells and the labels, in turn."""
    columns = {
        "a": pa.array(np.arange(N) * 7 % N + 0.5),
        "b": pa.array([cells[n % len(cells)] for n in range(N)], kind),
        "t": pa.array([target[n % len(target)] for n in range(N)]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


@pytest.mark.parametrize(
    ("cells", "kind", "dtype"),
    [
        ([3, 1, 2], pa.int8(), "int8"),
        ([3, 1, 2], pa.uint64(), "uint64"),
        ([3, None, 2], pa.int32(), "float64"),
        ([3, None, 2], pa.int64(), "float64"),
        # Of numbers, a Parquet file does not keep that they were categories.
        ([3, None, 2], pa.dictionary(pa.int8(), pa.int64()), "float64"),
        ([0.5, 1.5], pa.float16(), "float16"),
        ([0.5, None, 1.5], pa.float32(), "float32"),
        ([0.1, np.nan, 1.5], pa.float64(), "float64"),
        ([Decimal("0.10"), None, Decimal("12.34")], pa.decimal128(20, 2), "float64"),
        ([Decimal("0.10"), Decimal("12.34")], pa.decimal256(50, 2), "float64"),
        ([Decimal(3), Decimal(4)], pa.decimal128(10, 0), "int64"),
    ],
)
def test_numbers_keep_the_type_of_the_file(cells, kind, dtype, path):
    table = read_table(write(path, cells, kind))
    assert (table.numbers, table.categories) == (("a", "b"), ())
    assert table.inputs["b"].dtype == dtype
    expected = [np.nan if cell is None else float(cell) for cell in cells]
    np.testing.assert_array_equal(table.inputs["b"][: len(cells)].astype(float), expected)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["u", None, "v"], pa.string()),
        (["u", "v"], pa.large_string()),
        (["u", None, "v"], pa.dictionary(pa.int32(), pa.string())),
        ([True, None, False], pa.bool_()),
        ([True, False], pa.bool_()),
        (["007", "7x"], pa.string()),
    ],
)
def test_texts_truth_values_and_dictionaries_are_categories(cells, kind, path):
    table = read_table(write(path, cells, kind))
    assert (table.numbers, table.categories) == (("a",), ("b",))
    found = table.inputs["b"].astype(object)
    assert [None if pd.isna(cell) else cell for cell in found] == (cells * N)[:N]


def test_decimals_are_the_nearest_floats(path):
    random = np.random.default_rng(0).integers(-(10**9), 10**9, 2000)
    cells = [Decimal(int(number)).scaleb(-6) for number in random]
    pq.write_table(pa.table({"b": pa.array(cells, pa.decimal128(20, 6))}), path)
    frame, _ = read_parquet(path, NO_WORDS)
    assert frame["b"].tolist() == [float(cell) for cell in cells]


def test_whole_numbers_beside_missing_ones_do_not_lose_digits(path):
    write(path, [2**60 + 1, None, 5], pa.int64())
    with pytest.raises(TableError, match=f"{2**60 + 1} in row 0 .*, more digits.*--drop 'b'"):
        read_table(path)
    named = read_table(path, categories="b")
    assert set(named.inputs["b"].dropna()) == {2**60 + 1, 5}
    write(path, [Decimal(10**25 + 1), Decimal(5)], pa.decimal128(38, 0))
    with pytest.raises(TableError, match="more digits than a number keeps"):
        read_table(path, numbers="b")


def test_rows_are_not_copied(path, monkeypatch):
    read = []

    def watched(*given, **words):
        read.append(read_parquet(*given, **words))
        return read[-1]

    monkeypatch.setattr(table_files, "read_parquet", watched)
    write(path, [0.5, 1.5], pa.float32(), row_group_size=N)
    inputs = read_table(path).inputs
    ((frame, _),) = read
    assert inputs.dtypes.tolist() == ["float64", "float32"]
    for name, cells in inputs.items():
        assert np.shares_memory(cells.to_numpy(), frame[name].to_numpy())


def damage(path, name):
    """Overwrite the cells of a column in a file."""
    content = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        position = file.schema_arrow.names.index(name)
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        for chunk in [group.column(position) for group in groups]:
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            content[begin : begin + chunk.total_compressed_size] = (
                b"\xff" * chunk.total_compressed_size
            )
    path.write_bytes(content)


def test_a_column_that_is_dropped_is_not_read(path):
    damage(write(path, ["u", "v"]), "b")
    with pytest.raises(TableError, match=r"cannot be read as Parquet \(.*save the table") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    assert read_table(path, drop="b", categories="b").numbers == ("a",)
    with pytest.raises(TableError, match=r"no column 'tt'. Did you mean 't'"):
        read_table(path, "tt")
    with pytest.raises(TableError, match="target 't' is also to be dropped"):
        read_table(path, "t", drop="t")


@pytest.mark.parametrize(
    ("cells", "kind", "holds"),
    [
        ([[1, 2], None], pa.list_(pa.int64()), "lists or records"),
        ([[1, 2]], pa.list_(pa.int64(), 2), "lists or records"),
        ([{"x": 1}], pa.struct([("x", pa.int64())]), "lists or records"),
        ([[("k", 1)]], pa.map_(pa.string(), pa.int64()), "lists or records"),
        ([DAY], pa.timestamp("us"), "dates or times"),
        ([DAY], pa.timestamp("ms", "UTC"), "dates or times"),
        ([DAY.date(), None], pa.date32(), "dates or times"),
        ([DAY.time()], pa.time64("us"), "dates or times"),
        ([datetime.timedelta(1)], pa.duration("s"), "dates or times"),
        ([b"x"], pa.binary(), "bytes or the like"),
    ],
)
def test_what_is_neither_is_refused_before_it_is_read(cells, kind, holds, path):
    damage(write(path, cells, kind), "b")
    with pytest.raises(TableError, match=f"column 'b' holds {holds}.*--drop 'b'") as caught:
        read_table(path)
    assert ("--forecast" in str(caught.value)) == (holds == "dates or times")
    with pytest.raises(TableError, match=f"target 'b' holds {holds}.*--target"):
        read_table(path, "b")
    assert read_table(path, drop="b").numbers == ("a",)


def test_periods_are_not_numbers(path):
    months = pd.period_range("2020-01", periods=N, freq="M")
    pd.DataFrame({"a": np.arange(N) ** 2 % 7, "m": months, "y": [0, 1] * (N // 2)}).to_parquet(path)
    with pytest.raises(TableError, match="column 'm' holds values of a type of its own"):
        read_table(path)
    assert read_series(path, "a", drop="y").dates.of_rows[1] == pd.Timestamp("2020-02-01")


def broken(good, how):
    return {
        "empty": b"",
        "CSV": b"a,b\n1,2\n",
        "other": b"\x89PNG\r\n\0,",
        "cut": good[:-30],
        "begin": good[:20],
        "without its middle": good[:10] + good[-60:],
        "encrypted": b"PARE" + good[4:],
    }[how]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "is empty: give a file"),
        ("CSV", "cannot be read as Parquet.*rename it to end in .csv"),
        ("other", "cannot be read as Parquet.*save the table again"),
        ("cut", "its end is missing"),
        ("begin", "its end is missing"),
        ("without its middle", "cannot be read as Parquet .*save the table again"),
        ("encrypted", "is encrypted"),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "pq"])
def test_what_is_not_parquet_is_refused(how, message, ending, path):
    good = write(path, ["u", "v"]).read_bytes()
    path = path.with_suffix(f".{ending}")
    path.write_bytes(broken(good, how))
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_that_is_called_csv_is_refused(path):
    written = write(path, ["u", "v"]).rename(path.with_suffix(".csv"))
    with pytest.raises(TableError, match=r"is a Parquet file: rename it to end in .parquet"):
        read_table(written)


def test_a_folder_of_parquet_files_is_refused(path):
    (path / "year=2024").mkdir(parents=True)
    write(path / "year=2024" / "part.pq", ["u", "v"])
    with pytest.raises(TableError, match=r"is a directory: .*read_parquet\(.*to_parquet"):
        read_table(path)


def test_doubled_names_and_no_rows_are_refused(path):
    pq.write_table(pa.table([[1], [2], [3]], names=["a", "y", "a"]), path)
    with pytest.raises(TableError, match=r"two columns .* named 'a' .columns 1 and 3"):
        read_table(path)
    kinds = {"n": pa.int64(), "s": pa.string(), "c": pa.dictionary(pa.int8(), pa.string())}
    pq.write_table(pa.schema(kinds).empty_table(), path)
    with pytest.raises(TableError, match=r"t.parquet has column names but no rows"):
        read_table(path)
    pq.write_table(pa.table({}), path)
    with pytest.raises(TableError, match=r"t.parquet has 0 columns to use"):
        read_table(path)


def test_a_column_without_values_is_named(path):
    with pytest.raises(TableError, match=r"'b' holds no value at all.*--drop 'b'"):
        read_table(write(path, [None], pa.null()))
    with pytest.raises(TableError, match="target 'b' holds no value at all"):
        read_table(path, "b")


def test_a_name_may_hold_a_dot(path):
    columns = {"a": np.arange(N) ** 2 % 5, "a.b": np.arange(N) ** 2 % 7, "y": [0, 1] * (N // 2)}
    pq.write_table(pa.table(columns), path)
    inputs = read_table(path).inputs
    assert {name: cells.tolist() for name, cells in inputs.items()} == {
        name: columns[name].tolist() for name in ("a", "a.b")
    }


def test_the_index_of_pandas_is_no_feature(path):
    frame = pd.DataFrame({"a": np.arange(N) ** 2 % 5, "y": [0, 1] * (N // 2)})
    for index in (frame.index[::-1], pd.Index([f"id{n}" for n in range(N)], name="id")):
        frame.set_index(index).to_parquet(path)
        table = read_table(path)
        assert list(table.inputs) == ["a"]
        assert table.inputs.index.equals(pd.RangeIndex(N))


def both(path, frame):
    """The table from a Parquet file, and the same from CSV."""
    frame.to_parquet(path)
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path, path.with_suffix(".csv")


def test_warnings_and_the_kind_of_target_are_those_of_csv(path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": np.arange(40),
            "code": [f"x{n}" for n in random.permutation(10).repeat(4)],
            "grade": random.integers(0, 4, 40),
            "cost": random.normal(size=40).round(3),
        }
    )
    parquet, text = (read_table(file, categories="grade") for file in both(path, frame))
    assert parquet.notes == text.notes
    assert any("counts up" in note for note in parquet.notes)
    np.testing.assert_array_equal(parquet.target.numbers, text.target.numbers)
    classes = [read_table(file, "grade") for file in (path, path.with_suffix(".csv"))]
    np.testing.assert_array_equal(classes[0].target.labels, classes[1].target.labels)
    assert classes[0].notes == classes[1].notes


def test_labels_that_look_alike_and_missing_texts_are_those_of_csv(path):
    frame = pd.DataFrame(
        {
            "a": np.array([-99.9, 1.5, 2.5, 7.5] * 6, dtype="float32"),
            "b": pd.Categorical(["u", "U", "?", "v"] * 6),
            "t": ["no", "yes", "no"] * 8,
        }
    )
    for file in both(path, frame):
        with pytest.raises(TableError, match="'b' holds categories that look the same: 'U'"):
            read_table(file)
        table = read_table(file, merge_labels="b", missing=["?", "-99.9"])
        assert table.inputs.isna().sum().to_dict() == {"a": 6, "b": 6}
        assert table.inputs["b"].dropna().nunique() == 2
        assert table.notes == ()


def test_what_was_learnt_from_parquet_prepares_what_pandas_reads(path):
    random = np.random.default_rng(0)
    columns = {
        "half": pa.array(random.normal(size=N).astype("float32")),
        "whole": pa.array([5, None, 7, 9] * 6, pa.int32()),
        "price": pa.array([Decimal("1.10"), None, Decimal("22.35")] * 8, pa.decimal128(9, 2)),
        "rate": pa.array([Decimal("0.10"), Decimal("0.35")] * 12, pa.decimal128(9, 2)),
        "zip": pa.array(["01067", "80331", None, "10115"] * 6),
        "count": pa.array(["12", "NA", "34"] * 8),
        "level": pa.array(["1", "2", "3"] * 8).dictionary_encode(),
        "ward": pa.array(["a", None, "b"] * 8).dictionary_encode(),
        "smoker": pa.array([True, None, False, True] * 6),
        "y": pa.array([0, 1] * (N // 2)),
    }
    pq.write_table(pa.table(columns), path)
    table = read_table(path, numbers=["zip", "count", "level"], categories="rate")
    assert table.numbers == ("half", "whole", "price", "zip", "count", "level")
    preparation = make_preparation(table.numbers, table.categories, missing=table.missing)
    expected = preparation.fit_transform(table.inputs)
    read = pd.read_parquet(path)
    assert read["price"].dtype == object
    np.testing.assert_array_equal(preparation.transform(read), expected)
    text = path.with_suffix(".csv")
    read.to_csv(text, index=False)
    np.testing.assert_allclose(preparation.transform(pd.read_csv(text)), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us"), pa.timestamp("s", "UTC")])
def test_a_series_knows_the_dates_of_the_file(kind, path):
    days = pd.date_range("2024-01-01", periods=N)
    columns = {
        "day": pa.array(days.to_pydatetime().tolist()).cast(kind),
        "parts": pa.array([[1]] * N),
        "sold": pa.array([Decimal(n * n).scaleb(-1) for n in range(N)]),
    }
    pq.write_table(pa.table(columns), path)
    series = read_series(path, "sold")
    assert list(series.dates.of_rows) == list(days)
    assert list(series.values) == ["sold"]
    assert series.values["sold"][3] == 0.9
    assert any("column 'parts' is left out" in note for note in series.notes)


def test_days_and_times_of_a_series_are_put_together(path):
    columns = {
        "day": pa.array([DAY.date()] * N, pa.date32()),
        "time": pa.array([datetime.time(n) for n in range(N)], pa.time32("s")),
        "sold": pa.array(np.arange(N) ** 2),
    }
    pq.write_table(pa.table(columns), path)
    dates = read_series(path, "sold").dates
    assert dates.columns == ("day", "time")
    assert dates.of_rows[5] == pd.Timestamp("2024-01-31 05:00")
