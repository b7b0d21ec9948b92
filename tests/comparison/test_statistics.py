from skhp.comparison.statistics import corrected_t_test, least_clear_difference, rows_needed


def test_more_tests_need_a_larger_difference():
    test = corrected_t_test([0.1, 0.2, 0.3, 0.2], test_per_train=0.25)
    assert (
        round(least_clear_difference(test, 4), 3),
        round(least_clear_difference(test, 4, 3), 3),
    ) == (0.184, 0.28)


def test_the_rows_needed_grow_with_the_square():
    assert rows_needed(500, difference=0.01, least_clear=0.04) == 8000.0
