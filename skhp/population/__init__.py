"""The joblib backend "skhp": the fits of one joblib.Parallel call are trained together.

Import its parts by their full names, `skhp.population.backend` and so on: this package loads
nothing by itself, so that `import skhp` stays light. Called, it is a context that switches the
backend on, :func:`skhp.population.backend.population`.
"""

from skhp.population.callable_package import make_callable

make_callable(__name__)
