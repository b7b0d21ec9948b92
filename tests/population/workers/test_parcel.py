"""Shipments stay small however many rows there are, and each buffer travels once."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skhp.population.workers import distribution
from skhp.population.workers.parcel import Packer, unpacked
from skhp.shared.equality import equal
from tests.population.workers import test_joblib_workers
from tests.population.workers.contract import network, search
from tests.population.workers.test_joblib_workers import registered  # noqa: F401


class Kept(dict):
    def keep(self, digest, buffer):
        assert digest not in self
        self[digest] = bytes(buffer)


@pytest.fixture
def kept():
    return Kept()


def rows(count):
    return np.random.default_rng(0).normal(size=(count, 8))


KINDS = {
    "array": lambda X: X,
    "columns first": np.asfortranarray,
    "cut from another": lambda X: X[::2, ::2],
    "data frame": pd.DataFrame,
    "data frame of text": lambda X: pd.DataFrame({"a": [str(value) for value in X[:, 0]]}),
    "sparse": sparse.csr_array,
    "list of rows": lambda X: X.tolist(),
    "tuple": lambda X: tuple(X[:, 0].tolist()),
    "objects": lambda X: X.astype(object),
    "masked by name": lambda X: {"one": X, "two": [X, X]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_travel_apart_and_come_back(kind, kept):
    sizes = []
    for count in (4_000, 8_000):
        value = KINDS[kind](rows(count))
        packed = Packer(kept.keep).pack({"rows": value, "again": value})
        kept_by_packer, sizes = kept, [*sizes, len(packed.content)]
        found = unpacked(packed, kept_by_packer)
        assert equal(found["rows"], value)
        # What is one object here is one object there.
        assert found["again"] is found["rows"]
        kept.clear()
    assert max(sizes) < 5_000
    assert abs(sizes[1] - sizes[0]) < 200


def test_a_table_on_disk_travels_as_an_array(tmp_path, kept):
    np.save(tmp_path / "table.npy", rows(4_000))
    on_disk = np.load(tmp_path / "table.npy", mmap_mode="r")
    packed = Packer(kept.keep).pack(on_disk)
    np.testing.assert_array_equal(unpacked(packed, kept), on_disk)
    assert len(packed.content) < 1_000


def test_equal_rows_are_kept_once_for_all_parcels(kept):
    packer = Packer(kept.keep)
    for _ in range(3):
        packer.pack([rows(4_000)])
    assert [len(buffer) for buffer in kept.values()] == [rows(4_000).nbytes]


def test_nobody_writes_into_rows_that_tasks_share(kept):
    found = unpacked(Packer(kept.keep).pack(rows(4_000)), kept)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0


@pytest.mark.usefixtures("registered")
def test_a_shipment_is_as_small_with_many_rows(monkeypatch):
    sizes, kept = [], []

    class Noted(Packer):
        def __init__(self, keep):
            def note(digest, buffer):
                kept[-1].append(len(buffer))
                keep(digest, buffer)

            kept.append([])
            super().__init__(note)

        def pack(self, value, inside=()):
            packed = super().pack(value, inside)
            sizes[-1].append(len(packed.content))
            return packed

    monkeypatch.setattr(distribution, "Packer", Noted)
    one = test_joblib_workers.TestABackendOfSomebodyElse()
    for count in (4_000, 8_000):
        X = rows(count)
        y = (X[:, 0] > 0).astype(int)
        sizes.append([])
        one.there(lambda X=X, y=y: search(network(epochs=1, batch_size=500)).fit(X, y))
    # Two cohorts, whose shipments differ only in numbers.
    assert [len(of_call) for of_call in sizes] == [2, 2]
    for few, many in zip(*sizes, strict=True):
        assert few < 60_000
        assert abs(many - few) < 2_000
    # The rows as given, and of each of two folds the rows that were cut and those in float32.
    given = rows(8_000).nbytes
    assert sum(kept[1]) < given * (1 + 2 * (0.5 + 0.25)) + 300_000
