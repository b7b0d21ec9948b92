"""The joblib backend "skhp", and `fit_together`: fits that are trained together.

Import its parts by their full names, `skhp.population.backend` and so on: this package loads
nothing by itself, so that `import skhp` stays light. Called, it is a context that switches the
backend on, :func:`skhp.population.backend.population`.
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
