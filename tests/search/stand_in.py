"""A pytest plugin: skhp's searchers in the place of scikit-learn's, for scikit-learn's own tests.

It puts them where the test modules import them from, before these are imported, with the one change
that `scoring` defaults to None as there. At the end it says how many searches ran through skhp's.
"""

import inspect

import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import _search, _search_successive_halving

import skhp
from skhp.search.searcher import SearchAdditions

_MODULE_OF = {
    "GridSearchCV": _search,
    "RandomizedSearchCV": _search,
    "HalvingGridSearchCV": _search_successive_halving,
    "HalvingRandomSearchCV": _search_successive_halving,
}
_searches = {}


def _like_scikit_learns(name):
    ours = getattr(skhp, name)

    class StandIn(ours):
        def fit(self, X, y=None, **params):
            _searches[name] = _searches.get(name, 0) + 1
            return super().fit(X, y, **params)

    parameters = inspect.signature(ours.__init__).parameters

    def own_defaults(self, *arguments, **keywords):
        ours.__init__(self, *arguments, **{"scoring": None, **keywords})

    own_defaults.__signature__ = inspect.Signature(
        [
            parameter.replace(default=None) if parameter.name == "scoring" else parameter
            for parameter in parameters.values()
        ]
    )
    StandIn.__init__ = own_defaults
    StandIn.__name__ = StandIn.__qualname__ = name
    return StandIn


def pytest_configure(config):
    """Not on import, which a collection of doctests does, too."""
    for name, module in _MODULE_OF.items():
        stand_in = _like_scikit_learns(name)
        # To be found where its pickles say that it is.
        stand_in.__module__ = module.__name__
        setattr(module, name, stand_in)
        setattr(sklearn.model_selection, name, stand_in)
    assert issubclass(sklearn.model_selection.GridSearchCV, SearchAdditions)


def pytest_terminal_summary(terminalreporter):
    counted = ", ".join(f"{name} {count}" for name, count in sorted(_searches.items()))
    terminalreporter.write_line(f"searches through skhp: {counted or 'none'}")
