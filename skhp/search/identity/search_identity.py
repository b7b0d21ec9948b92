"""The identity of a search: what must be equal for it to reuse the results of an earlier one."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import Any, Self

from skhp.exceptions import JournalError
from skhp.search.identity.code_descriptions import UndescribableError
from skhp.search.identity.code_reading import RECORDED_PACKAGES, name_of_class
from skhp.search.identity.descriptions import Describer
from skhp.search.identity.value_descriptions import hashed, text_of

_LONGEST_SUMMARY = 60
_MOST_NAMES = 8


@dataclass(frozen=True)
class SearchIdentity:
    """The parts that identify a search, each a readable text with a digest.

    `code` names the user's code that the other parts reach, to say where they differ.
    """

    data: str
    folds: str
    estimator: str
    scoring: str
    settings: str
    versions: str
    code: str = ""

    @classmethod
    def of(
        cls,
        X: Any,
        y: Any,
        folds: Iterable[tuple[Any, Any]],
        estimator: Any,
        scoring: Any,
        fit_params: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """The identity of a search, or a JournalError that names what cannot be described.

        `folds` are the train and test rows of each fold, `fit_params` the further arguments of
        `fit`, and `settings` all else that affects the results, such as ``return_train_score``.
        """
        drawn = list(folds)
        parts = _parts_with_code(estimator, scoring, settings)
        return cls(
            data=f"{_shape(X)}, {_digest('data', [X, y, dict(fit_params or {})])}",
            folds=f"{len(drawn)} folds, {_digest('folds', drawn)}",
            **{name: _as_begun.get(text, text) for name, text in parts.items()},
            versions=", ".join(
                [
                    *(f"{name} {version(name)}" for name in RECORDED_PACKAGES),
                    f"Python {'.'.join(platform.python_version_tuple()[:2])}",
                ]
            ),
        )

    def digest(self) -> str:
        """A digest of all parts, by which each row of a journal names its search."""
        return hashed(text_of({name: self.compared(name) for name in _COMPARED}))

    def compared(self, name: str) -> str:
        """The digest of a part, without the words before it: they may differ from run to run."""
        text: str = getattr(self, name)
        return text if name == "versions" else text.rpartition(", ")[2]

    def remember_changes(
        self, estimator: Any, scoring: Any, settings: Mapping[str, Any] | None = None
    ) -> None:
        """At the end of a search, note what the user's code has counted or cached meanwhile.

        If the same search starts again in this process, it meets these changes, and must still
        have the same identity.
        """
        try:
            parts = _parts_with_code(estimator, scoring, settings)
        except JournalError:
            return
        for name in _COMPARED & parts.keys():
            if parts[name] != getattr(self, name):
                _as_begun[parts[name]] = getattr(self, name)

    def differences(self, recorded: SearchIdentity) -> list[str]:
        """One text for each part that differs from the recorded one."""
        told = [
            f"{name} ({getattr(recorded, name)} there; {getattr(self, name)} here)"
            for name in (part.name for part in fields(self))
            if name in _COMPARED and self.compared(name) != recorded.compared(name)
        ]
        here, there = (set(one.code.split("; ")) for one in (self, recorded))
        names = sorted({item.rpartition(" ")[0] for item in here ^ there if item})
        if told and names:
            more = ", ..." if len(names) > _MOST_NAMES else ""
            told.append(f"what their code reaches ({', '.join(names[:_MOST_NAMES])}{more})")
        return told


# The parts that are compared; `code` only names the differences.
_COMPARED = {part.name for part in fields(SearchIdentity)} - {"code"}

# Maps the text of a part at the end of a search in this process to its text at the beginning.
_as_begun: dict[str, str] = {}


def _parts_with_code(
    estimator: Any, scoring: Any, settings: Mapping[str, Any] | None
) -> dict[str, str]:
    settings = dict(settings or {})
    own: dict[str, str] = {}
    return {
        "estimator": f"{_estimator_name(estimator)}, {_digest('estimator', estimator, own)}",
        "scoring": f"{_summary(scoring)}, {_digest('scoring', scoring, own)}",
        "settings": f"{_summary(settings)}, {_digest('settings', settings, own)}",
        "code": "; ".join(f"{name} {code}" for name, code in sorted(own.items())),
    }


def _digest(part: str, value: Any, own: dict[str, str] | None = None) -> str:
    """The digest of a part; `own` gets the user's code that the part reaches."""
    describer = Describer()
    try:
        text = hashed(text_of(describer.whole(value)))
    except UndescribableError as error:
        raise undescribable(part, error) from None
    if own is not None:
        own |= describer.own
    return text


def undescribable(part: str, error: UndescribableError) -> JournalError:
    """The error for a search that a journal could not tell from one with other code."""
    reached = " -> ".join((part, *error.path))
    return JournalError(
        f"a journal has to tell this search from others, but {reached} is a "
        f"{name_of_class(error.kind)}, whose content it cannot describe: create it inside the "
        "function that uses it, or search without a journal"
    )


def _shape(X: Any) -> str:
    return " x ".join(map(str, X.shape if hasattr(X, "shape") else (len(X),)))


def _estimator_name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if not isinstance(steps, list):
        return name_of_class(type(estimator))
    names = [name_of_class(type(step)) for _, step in steps if hasattr(step, "fit")]
    return f"{name_of_class(type(estimator))} of {', '.join(names)}"


def _summary(value: Any) -> str:
    """One short line without any address, so that it is the same in every process."""
    text = value if isinstance(value, str) else re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    # A module that runs as a program has another name than when it is imported.
    text = re.sub(r"<[\w.<>]*?(\w+) object>", r"<\1 object>", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SUMMARY else f"{text[: _LONGEST_SUMMARY - 3]}..."
