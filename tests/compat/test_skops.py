import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("skops")

from skhp.compat import skops


class Kept(StandardScaler):
    """A class that is numbered instead of written."""


def test_estimators_of_a_kind_are_numbers_and_come_back_as_they_are():
    # It fails when a private name of skops that skhp uses disappears.
    kept = Kept()
    content = skops.dumped(make_pipeline(StandardScaler(), kept), [Kept], lambda estimator: 0)
    loaded = skops.loaded(content, [Kept], [kept], [])
    assert loaded[-1] is kept
    assert type(loaded[0]) is StandardScaler


@pytest.mark.parametrize("kept", [[], [StandardScaler()]])
def test_a_number_without_its_estimator_is_refused(kept):
    content = skops.dumped(make_pipeline(Kept()), [Kept], lambda estimator: 0)
    with pytest.raises(ValueError, match="estimator with the number"):
        skops.loaded(content, [Kept], kept, [])
