import numpy as np
import pytest

from skhp.shared.amounts import as_text, bytes_of


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (1, 1),
        (np.int64(5000), 5000),
        ("2GB", 2 * 10**9),
        (" 1.5 kB ", 1500),
        ("1KiB", 1024),
        ("7B", 7),
        ("2tib", 2 * 1024**4),
    ],
)
def test_amounts_of_memory(given, size):
    assert bytes_of(given) == size


@pytest.mark.parametrize(
    "given", [0, -1, True, 1.5, None, "", "2", "GB", "-1GB", "0GB", "1iB", "1EB", "9" * 400 + "GB"]
)
def test_what_is_not_an_amount_of_memory(given):
    assert bytes_of(given) is None


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 999_999, 48 * 10**9 + 1, 10**40])
def test_the_text_of_a_size_is_not_below_it(size):
    text = as_text(size)
    number, unit = text.replace(",", "").split()
    assert int(number) * {"bytes": 1, "KB": 10**3, "GB": 10**9, "TB": 10**12}[unit] >= size
