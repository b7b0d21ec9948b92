"""Fits that are trained together, through the joblib backend "skhp" or `fit_together`.

Import the modules by their full names, such as `skhp.population.backend`: the package itself loads
none of them, so that `import skhp` stays light. To call the package, ``skhp.population()``, opens a
context in which the backend is active: see :func:`skhp.population.backend.population`.
"""

from typing import TYPE_CHECKING, Any

from skhp.population.registration import make_callable

if TYPE_CHECKING:
    from skhp.population.joint_fits import fit_together

__all__ = ["fit_together"]

make_callable(__name__)


def __getattr__(name: str) -> Any:
    if name == "fit_together":
        from skhp.population.joint_fits import fit_together

        return fit_together
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
