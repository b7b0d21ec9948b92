from skhp.comparison.verdict import decimal, metric_key, metric_title, p_value_text, split_count


def test_splits_are_counted_in_words():
    assert (split_count(30, 5), split_count(1, 5), split_count(1, 1)) == (
        "30 repeats of 5 folds",
        "5 folds",
        "1 split",
    )


def test_titles_of_metrics():
    assert (
        metric_title("f1"),
        metric_title("neg_mean_absolute_error", True),
        metric_title("my_cost"),
    ) == ("F1", "mean absolute error", "my_cost")


def test_a_metric_has_one_key_however_it_is_written():
    assert (
        metric_key("neg_log_loss") == metric_key("Log loss"),
        metric_key("R²") == metric_key("r2"),
    ) == (True, True)


def test_numbers_have_three_decimals_unless_they_are_large_or_tiny():
    numbers = (0.1234, 0.0, -1e-12, 999.9, -123456.7, 1.234e10, 0.00012345, float("nan"))
    assert [decimal(number) for number in numbers] == [
        *("0.123", "0.000", "0.000", "999.900"),
        *("-123457", "1.23e+10", "0.000123", "-"),
    ]
    assert decimal(0.5, signed=True) == "+0.500"


def test_p_values_of_three_decimals():
    assert (p_value_text(0.0312), p_value_text(1e-9)) == ("p = 0.031", "p < 0.001")
