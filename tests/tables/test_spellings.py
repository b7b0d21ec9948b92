import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.tables.cell_texts import (
    describe_spellings,
    main_spelling,
    spelling_key,
    spellings_of_one_label,
)


@pytest.mark.parametrize(
    "spelling",
    [
        "Né en.",
        " né en",
        "né\u00a0en",
        "né  en\u200b",
        "NÉ EN",
        "'né en'",
        '"Né en."',
        "\u201cné en\u201d",
        unicodedata.normalize("NFD", "né en"),
        "n\u00e9 \u0435n",  # a Cyrillic letter
        "néen",
    ],
)
def test_spellings_of_one_label(spelling):
    assert spellings_of_one_label(["né en", "other", spelling]) == [sorted(["né en", spelling])]


@pytest.mark.parametrize("spelling", ["01", "+1", "1.0", "1.", "1e0", " 1", "'1'"])
def test_spellings_of_one_number(spelling):
    assert spelling_key(spelling) == spelling_key("1")


@pytest.mark.parametrize("spelling", ["01", "+1", "1.0", "1e0", "-1"])
def test_codes_are_no_numbers(spelling):
    assert spelling_key(spelling, numbers=False) != spelling_key("1", numbers=False)


@pytest.mark.parametrize(
    "labels",
    [
        ["yes", "no", "yes/no"],
        ["<=50K", ">50K"],
        ["0-5", "5-10", "-5"],
        ["a", "á", "b"],
        ["1", "-1", "10", "0.1"],
        [str(2**60), str(2**60 + 1)],
        [True, "true"],
        [1, 1.5, "1"],
    ],
)
def test_other_labels(labels):
    assert spellings_of_one_label(labels) == []


@given(st.text())
def test_a_key_does_not_depend_on_what_surrounds_the_text(text):
    assert spelling_key(f"\t{text} ") == spelling_key(text)


def test_the_main_spelling_is_the_most_frequent_and_bare():
    assert main_spelling(["No", "no "], {"No": 2, "no ": 7}) == "no"
    assert main_spelling(["'No'", "no"], {"'No'": 8, "no": 7}) == "No"
    assert main_spelling(["01", "1"], {"01": 7, "1": 7}) == "1"


def test_spellings_are_described_with_their_rows():
    assert describe_spellings([["no", "no "]], {"no": 7, "no ": 2}) == "'no' (7 rows) and 'no ' (2)"
