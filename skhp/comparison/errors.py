"""What a user can mend: each is a ``ValueError`` whose message is one line, with the mend in it."""

from __future__ import annotations

__all__ = ["OutputError", "SettingsError", "StudyError", "TableError"]


class StudyError(ValueError):
    """A study cannot be done as asked."""


class TableError(StudyError):
    """A table, or one of its columns, cannot be used."""


class SettingsError(StudyError):
    """A setting of a study is out of its range or misspelt."""


class OutputError(StudyError):
    """The files of a study cannot be written where they should be."""
