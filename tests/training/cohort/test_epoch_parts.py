import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skhp.training.training_rows import epoch_parts


@given(
    n_rows=st.integers(1, 200),
    batch_sizes=st.lists(st.integers(1, 250), min_size=1, max_size=5),
)
def test_each_member_gets_its_batches_and_every_row_once(n_rows, batch_sizes):
    parts = epoch_parts(n_rows, batch_sizes)
    assert parts.positions[parts.positions < n_rows].tolist() == list(range(n_rows))
    for member, size in enumerate(batch_sizes):
        batches, batch = [], []
        for positions, full in zip(parts.positions, parts.full[:, member], strict=True):
            batch += positions[positions < n_rows].tolist()
            if full:
                batches.append(batch)
                batch = []
        assert batch == []
        assert batches == [
            list(range(start, min(start + size, n_rows))) for start in range(0, n_rows, size)
        ]


def test_one_size_of_batch_needs_no_more_parts_than_batches():
    parts = epoch_parts(100, [32, 32])
    assert parts.positions.shape == (4, 32)
    assert parts.full.all()


def test_multiples_share_the_parts_of_the_smallest():
    assert len(epoch_parts(192, [10, 20, 40, 60]).positions) == 20


def test_a_part_is_as_long_as_the_longest_and_padded():
    assert (epoch_parts(7, [3]).positions[-1] == [6, 7, 7]).all()
    assert epoch_parts(7, [3]).positions.dtype == np.int32


def test_one_part_of_all_rows_has_room_for_more():
    parts = epoch_parts(5, [5, 9], room=8)
    assert parts.positions.tolist() == [[0, 1, 2, 3, 4, 5, 5, 5]]
    assert parts.full.all()
    assert epoch_parts(5, [2], room=8).positions.shape == (3, 2)
