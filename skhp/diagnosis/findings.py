"""What a diagnosis found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

__all__ = ["Diagnosis", "Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that is likely to be wrong with a fit or a search.

    Parameters
    ----------
    kind : str
        Such as "overfitting"; see `skhp.diagnose`.
    message : str
        Sentences with the figure and what to do.
    figure : float
        The number that the finding rests on; the message says what it is of.
    parameter : str
        The parameter to turn first.
    """

    kind: str
    message: str
    figure: float
    parameter: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, repr=False)
class Diagnosis(Sequence[Finding]):
    """Findings in the order in which to see to them; prints as sentences.

    Parameters
    ----------
    findings : tuple of Finding
        Empty, so that the diagnosis is false, where nothing was found.
    unexamined : tuple of str
        What could not be looked at, and why.
    """

    findings: tuple[Finding, ...]
    unexamined: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...

    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __str__(self) -> str:
        lines = [f"- {finding.message}" for finding in self.findings]
        if not lines:
            lines = ["Nothing found that is likely to be wrong."]
        return "\n".join([*lines, *(f"Not looked at: {what}" for what in self.unexamined)])

    def __repr__(self) -> str:
        return str(self)
