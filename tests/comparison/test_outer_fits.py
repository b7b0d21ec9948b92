from skhp.comparison.outer_fits import fit_seed


def test_seeds_of_fits_differ_by_the_order_of_their_numbers():
    assert (fit_seed(3, 0) == fit_seed(3, 0), fit_seed(3, 0) == fit_seed(0, 3)) == (True, False)
