"""The parameters that the searchers share are written once, and are whole in each of them."""

import inspect
import pickle
from typing import Unpack

import pytest
import sklearn.model_selection
from sklearn.base import clone
from sklearn.linear_model import Ridge

import skhp
from skhp.search.sampler import SampledSearchCV
from skhp.search.settings import CommonSettings, SequentialSettings, with_settings

SEARCHERS = [name for name in skhp.__all__ if name.endswith("SearchCV")]


@pytest.mark.parametrize("name", SEARCHERS)
class TestEverySearcher:
    def test_the_shared_parameters_are_in_signature_and_constraints(self, name):
        searcher = getattr(skhp, name)
        shared = {*CommonSettings.__annotations__, "scoring"}
        assert shared <= inspect.signature(searcher).parameters.keys()
        assert shared <= searcher._parameter_constraints.keys()
        kinds = {one.kind for one in inspect.signature(searcher).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds

    def test_each_argument_becomes_the_parameter(self, name):
        searcher = getattr(skhp, name)
        given = {one: object() for one in inspect.signature(searcher).parameters}
        made = searcher(**given)
        assert made.get_params(deep=False) == given
        assert vars(made) == given

    def test_what_nobody_gives_is_the_default(self, name):
        made = getattr(skhp, name)(Ridge(), {"alpha": [1.0]}, verbose=3)
        parameters = inspect.signature(type(made)).parameters
        given = {"estimator", "verbose", *[*parameters][1:2]}
        for one in parameters.keys() - given:
            assert getattr(made, one) is parameters[one].default
        assert made.verbose == 3

    def test_an_unknown_keyword_is_told_with_the_nearest_one(self, name):
        with pytest.raises(TypeError, match=f"{name} has no parameter 'scorin'.*'scoring'"):
            getattr(skhp, name)(Ridge(), {"alpha": [1.0]}, scorin="r2")

    def test_what_is_missing_and_what_is_too_much_is_told(self, name):
        with pytest.raises(TypeError, match="missing a required argument"):
            getattr(skhp, name)(Ridge())
        with pytest.raises(TypeError, match="too many positional arguments"):
            getattr(skhp, name)(*range(30))

    def test_clones_pickles_and_texts_hold_the_parameters(self, name):
        made = getattr(skhp, name)(Ridge(), {"alpha": [1.0]}, time_budget="1min", cv=7)
        assert "time_budget='1min'" in repr(made)
        for copy in (clone(made), pickle.loads(pickle.dumps(made))):
            assert repr(copy) == repr(made)

    def test_a_subclass_may_have_parameters_of_its_own(self, name):
        base = getattr(skhp, name)

        class Named(base):
            def __init__(self, estimator, space, label="none", **settings):
                super().__init__(estimator, space, **settings)
                self.label = label

        made = Named(Ridge(), {"alpha": [1.0]}, label="mine", cv=4)
        assert (made.label, made.cv, made.population) == ("mine", 4, True)


@pytest.mark.parametrize("name", SEARCHERS[1:5])
def test_the_constructors_of_scikit_learn_set_nothing_that_ours_leave_out(name):
    ours, theirs = (getattr(one, name)(Ridge(), {}) for one in (skhp, sklearn.model_selection))
    assert [one for one in vars(theirs) if not hasattr(ours, one)] == []


def test_a_searcher_without_a_docstring_may_have_settings():
    @with_settings(cv=3)
    class Bare(SampledSearchCV):
        def __init__(self, estimator, search_spaces, **settings: Unpack[SequentialSettings]): ...

        def _samplers(self): ...

    assert Bare(Ridge(), {}).cv == 3
    assert Bare(Ridge(), {}).get_params()["stop_after"] is None
