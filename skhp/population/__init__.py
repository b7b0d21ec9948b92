"""The joblib backend "skhp": the fits of one joblib.Parallel call are trained together.

Import its parts by their full names, `skhp.population.backend` and so on: this package loads
nothing by itself, so that `import skhp` stays light.
"""
