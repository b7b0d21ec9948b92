import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skhp.training.training_rows import row_groups, validation_split

FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def tables(draw, max_rows=40):
    """One column of numbers, often with copies, and labels, often with rare classes, or None."""
    n_rows = draw(st.integers(2, max_rows))
    n_values = draw(st.integers(1, 2 * n_rows))
    values = draw(st.lists(st.integers(0, n_values), min_size=n_rows, max_size=n_rows))
    X = np.array(values, dtype=np.float32)
    if draw(st.booleans()):
        return X, None
    n_classes = draw(st.integers(1, 4))
    labels = draw(st.lists(st.integers(0, n_classes - 1), min_size=n_rows, max_size=n_rows))
    return X, np.array(labels)


def groups_of(X):
    return row_groups(X)[1]


def split_or_none(groups, fraction, seed, labels, weight=None):
    """The split, or None where no class has the two rows that one needs."""
    if labels is not None and np.bincount(labels).max() < 2:
        return None
    return validation_split(groups, fraction, seed, labels, weight)


def content(X, labels, index):
    """What the rows of an index hold, without their places."""
    labels = np.zeros(len(X), dtype=int) if labels is None else labels
    return sorted(zip(X[index].tolist(), labels[index].tolist(), strict=True))


@settings(deadline=None)
@given(tables(), FRACTIONS, SEEDS)
def test_every_row_is_on_one_side_and_no_side_is_empty(table, fraction, seed):
    X, labels = table
    split = split_or_none(groups_of(X), fraction, seed, labels)
    assume(split is not None)
    training, validation = split
    assert np.array_equal(np.sort(np.concatenate(split)), np.arange(len(X)))
    assert len(training)
    assert len(validation)
    assert (np.diff(training) > 0).all()
    assert (np.diff(validation) > 0).all()


@settings(deadline=None)
@given(tables(), FRACTIONS, SEEDS)
def test_every_class_of_two_rows_is_on_both_sides(table, fraction, seed):
    X, labels = table
    split = split_or_none(groups_of(X), fraction, seed, labels)
    assume(labels is not None and split is not None)
    training, validation = split
    for label, count in enumerate(np.bincount(labels)):
        if count > 1:
            assert label in labels[training]
            assert label in labels[validation]


@settings(deadline=None)
@given(tables(), FRACTIONS, SEEDS)
def test_a_class_of_a_single_row_is_trained_on(table, fraction, seed):
    X, labels = table
    split = split_or_none(groups_of(X), fraction, seed, labels)
    assume(labels is not None and split is not None)
    training, _ = split
    assert set(labels[training]) == set(labels)


@settings(deadline=None)
@given(st.integers(2, 300), FRACTIONS, SEEDS, st.integers(1, 5))
def test_without_copies_the_share_is_the_fraction_up_to_a_row_a_class(
    n_rows, fraction, seed, n_classes
):
    labels = np.random.default_rng(seed).integers(0, n_classes, size=n_rows)
    split = split_or_none(np.arange(n_rows), fraction, seed, labels)
    assume(split is not None)
    for label in range(n_classes):
        count = (labels == label).sum()
        held_out = (labels[split[1]] == label).sum()
        assert abs(held_out - fraction * count) <= 1
    _, validation = validation_split(np.arange(n_rows), fraction, seed)
    assert abs(len(validation) - fraction * n_rows) <= 1


def test_an_exact_share_is_met_exactly():
    labels = np.array([0] * 80 + [1] * 20)
    _, validation = validation_split(np.arange(100), 0.25, 0, labels)
    assert np.bincount(labels[validation]).tolist() == [20, 5]
    _, validation = validation_split(np.arange(100), 0.25, 0)
    assert len(validation) == 25


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=6, max_size=30), st.integers(1, 3), FRACTIONS, SEEDS)
def test_copies_of_a_row_stay_on_one_side(copies, n_classes, fraction, seed):
    # Every class has two distinct rows or more; every row has up to five copies.
    groups = np.repeat(np.arange(len(copies)), copies)
    shuffled = np.random.default_rng(seed).permutation(groups)
    for labels in (None, shuffled % n_classes):
        training, validation = validation_split(shuffled, fraction, seed, labels)
        assert not set(shuffled[training]) & set(shuffled[validation])


def test_a_table_of_a_few_categories_is_split_by_rows():
    # Three distinct rows among ninety: kept together, a third would be missing on one side.
    groups = np.repeat([0, 1, 2], 30)
    training, validation = validation_split(groups, 0.2, seed=0)
    assert len(validation) == 18
    assert set(groups[training]) == set(groups[validation]) == {0, 1, 2}


def test_copies_are_parted_where_a_class_would_be_missing_on_one_side():
    groups = np.array([0, 1, 2, 3, 4, 4])
    labels = np.array([0, 0, 0, 0, 1, 1])
    for seed in range(10):
        training, validation = validation_split(groups, 0.2, seed, labels)
        assert set(labels[training]) == set(labels[validation]) == {0, 1}


@settings(deadline=None)
@given(
    st.integers(6, 40),
    st.integers(0, 3),
    FRACTIONS,
    SEEDS,
    st.randoms(use_true_random=False),
)
def test_the_split_does_not_depend_on_the_order_of_the_rows(
    n_values, n_classes, fraction, seed, random
):
    # Up to three copies of a row; equal rows have one label, and every class has two distinct rows
    # or more, so that no copies are parted.
    X = np.array([value for value in range(n_values) for _ in range(random.randint(1, 3))] + [-1])
    X = X.astype(np.float32)
    labels = (X.astype(int) + 1) % n_classes if n_classes else None
    order = np.array(random.sample(range(len(X)), len(X)))
    shuffled_labels = None if labels is None else labels[order]
    split = split_or_none(groups_of(X), fraction, seed, labels)
    assume(split is not None)
    shuffled = validation_split(groups_of(X[order]), fraction, seed, shuffled_labels)
    for one, other in zip(split, shuffled, strict=True):
        assert content(X, labels, one) == content(X[order], shuffled_labels, other)


@pytest.mark.parametrize("weighted", [False, True])
@settings(deadline=None)
@given(tables(), FRACTIONS, SEEDS, st.randoms(use_true_random=False))
def test_nor_does_a_split_that_parts_copies(weighted, table, fraction, seed, random):
    X, labels = table
    weight = np.array([random.choice([1.0, 2.0, 3.0]) for _ in X]) if weighted else None
    order = np.array(random.sample(range(len(X)), len(X)))
    split = split_or_none(groups_of(X), fraction, seed, labels, weight)
    assume(split is not None)
    ones = np.ones(len(X))
    table = np.stack([X, *(ones if part is None else part for part in (labels, weight))], axis=1)
    labels, weight = (None if part is None else part[order] for part in (labels, weight))
    shuffled = validation_split(groups_of(X[order]), fraction, seed, labels, weight)
    for one, other in zip(split, shuffled, strict=True):
        assert sorted(table[one].tolist()) == sorted(table[order][other].tolist())


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=4, max_size=30), FRACTIONS, SEEDS)
def test_a_whole_weight_is_split_as_that_many_copies(times, fraction, seed):
    groups = np.arange(len(times))
    labels = groups % 2
    once = validation_split(groups, fraction, seed, labels, np.array(times, dtype=float))
    copies = np.repeat(groups, times)
    repeated = validation_split(copies, fraction, seed, np.repeat(labels, times))
    for one, other in zip(once, repeated, strict=True):
        assert set(groups[one]) == set(copies[other])


@settings(deadline=None)
@given(SEEDS)
def test_equal_rows_of_several_classes_count_for_the_heaviest(seed):
    # Ten rows, each once as class 0 and once as class 1; five weigh more as 0 and five as 1.
    groups = np.repeat(np.arange(10), 2)
    labels = np.tile([0, 1], 10)
    weight = np.where((groups < 5) == (labels == 0), 3.0, 1.0)
    _, validation = validation_split(groups, 0.2, seed, labels, weight)
    held_out = np.unique(groups[validation])
    assert (held_out < 5).sum() == 1
    assert (held_out >= 5).sum() == 1


@settings(deadline=None)
@given(tables(), FRACTIONS, SEEDS)
def test_equal_seeds_give_equal_splits(table, fraction, seed):
    X, labels = table
    one = split_or_none(groups_of(X), fraction, seed, labels)
    assume(one is not None)
    other = validation_split(groups_of(X), fraction, seed, labels)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@settings(deadline=None)
@given(SEEDS, SEEDS)
def test_other_seeds_give_other_splits(seed, other_seed):
    assume(seed != other_seed)
    # Of 100 rows, 20 can be held out in 5e20 ways.
    labels = np.arange(100) % 2
    for given_labels in (None, labels):
        _, one = validation_split(np.arange(100), 0.2, seed, given_labels)
        _, other = validation_split(np.arange(100), 0.2, other_seed, given_labels)
        assert not np.array_equal(one, other)


def test_every_row_is_held_out_by_some_seed():
    held_out = np.zeros(20, dtype=int)
    for seed in range(500):
        held_out[validation_split(np.arange(20), 0.25, seed)[1]] += 1
    assert held_out / 500 == pytest.approx(0.25, abs=0.1)


def test_nothing_global_decides():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    _, one = validation_split(np.arange(50), 0.2, seed=1)
    assert np.array_equal(np.random.get_state()[1], state)
    np.random.seed(1)
    assert np.array_equal(validation_split(np.arange(50), 0.2, seed=1)[1], one)


def test_a_single_row_cannot_be_split():
    with pytest.raises(ValueError, match="needs rows to validate on, got n_samples = 1") as error:
        validation_split(np.array([0]), 0.5, 0)
    assert "early_stopping=False" in str(error.value)
    assert "class" not in str(error.value)


def test_classes_of_single_rows_cannot_be_split():
    with pytest.raises(ValueError, match="n_samples = 3 with no class of two rows") as error:
        validation_split(np.arange(3), 0.5, 0, labels=np.arange(3))
    assert "X_val" in str(error.value)
    with pytest.raises(ValueError, match="with no class of two rows"):
        validation_split(np.zeros(3, dtype=int), 0.5, 0, labels=np.arange(3))


def test_the_given_arrays_are_left_as_they_are():
    groups, labels, weight = np.arange(10), np.arange(10) % 2, np.ones(10)
    for array in (groups, labels, weight):
        array.setflags(write=False)
    training, validation = validation_split(groups, 0.3, 0, labels, weight)
    assert len(training) + len(validation) == 10
