"""Errors and warnings of skhp.

Each derives from a type that users of scikit-learn already catch: the error about a parameter from
``ValueError`` and ``TypeError``, like scikit-learn's own, and the warning about a failed training
from ``ConvergenceWarning``.
"""

from __future__ import annotations

import re

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "CannotJoinError",
    "CannotSaveError",
    "FileRefusedError",
    "InvalidParameterError",
    "JournalDamagedError",
    "JournalError",
    "JournalMismatchError",
    "JournalWarning",
    "NonFiniteLossError",
    "NonFiniteLossWarning",
    "RareClassWarning",
    "WorkersError",
]


class CannotJoinError(ValueError):
    """A fit cannot be trained in a cohort; the message says why.

    With ``engine="population"`` the error reaches the user; otherwise skhp catches it, and Keras
    trains the network by itself.

    Parameters
    ----------
    message : str
        Why the fit cannot be trained in a cohort.
    reason : str or None, default=None
        The message in a few words, for grouping fits by cause. None takes its first sentence.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self._reason = reason

    @property
    def reason(self) -> str:
        """The cause in a few words, equal for all fits that cannot join because of it."""
        text = self._reason or re.split(r"\.\s", str(self), maxsplit=1)[0].removesuffix(".")
        # Keras numbers the names of models and layers, and objects have addresses.
        return re.sub(r"_\d+\b| at 0x[0-9a-f]+", "", text)


class InvalidParameterError(ValueError, TypeError):
    """One or more parameters of an estimator have a wrong name or value.

    The message lists every mistake that was found, not only the first, and suggests the nearest
    name where there is one.
    """


class CannotSaveError(ValueError, TypeError):
    """An estimator holds something that `skhp.save` does not write; the message names it."""


class FileRefusedError(ValueError):
    """A file is not one that `skhp.save` wrote, or is damaged or hostile; nothing was loaded.

    The message names the file and says what is wrong with it.
    """


class JournalError(ValueError):
    """The journal of a search cannot be used; the message says why and what to do."""


class JournalMismatchError(JournalError):
    """A journal was written by another search; the message says what differs."""


class JournalDamagedError(JournalError):
    """A file is not a journal or is damaged; skhp does not change the file."""


class JournalWarning(UserWarning):
    """A journal can no longer be written, so the search goes on without it."""


class NonFiniteLossWarning(ConvergenceWarning):
    """The loss of a network became NaN or infinite, so its training was stopped."""


class RareClassWarning(UserWarning):
    """A class is so rare that a network can hardly learn it."""


class NonFiniteLossError(FloatingPointError):
    """The loss of a candidate became NaN or infinite while a population was trained.

    A search under the backend "skhp" gives such a candidate its `error_score`, so that it can never
    win. A fit outside a population issues a `NonFiniteLossWarning` instead, and keeps the last
    finite weights.
    """


class WorkersError(RuntimeError):
    """Workers of a joblib backend were lost or cannot be used; the message says what to do."""


class StudyError(ValueError):
    """A study cannot be done as asked."""


class TableError(StudyError):
    """A table, or one of its columns, cannot be used."""


class SettingsError(StudyError):
    """A setting of a study is out of its range or misspelt."""


class OutputError(StudyError):
    """The files of a study cannot be written where they should be."""
