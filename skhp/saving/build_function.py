"""What a file holds of a build function: its name and its parameters, and none of its code."""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, only, short
from skhp.saving.values import read, written

_KINDS = {
    "positional": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "keyword": inspect.Parameter.KEYWORD_ONLY,
    "further": inspect.Parameter.VAR_KEYWORD,
}


class MissingBuildFunction:
    """Stands for the build function of an estimator that was loaded from a file.

    The estimator predicts, and trains further, without it. A new fit has to build a new model, so
    it raises an error that says how to give the function again.

    Parameters
    ----------
    name : str
        The name that the function had.
    signature : inspect.Signature
        Its parameters, so that those of the estimator keep their names.
    """

    def __init__(self, name: str, signature: inspect.Signature) -> None:
        self.__name__ = name
        self.__signature__ = signature

    def __call__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        """Say that the function is needed."""
        raise ValueError(
            f"This estimator was loaded from a file, which does not hold the code of its build "
            f"function {self.__name__!r}. It can predict and train further, but to be fitted anew "
            f"it needs the function: call set_params(model={self.__name__})."
        )

    def __repr__(self) -> str:
        return f"<build function {self.__name__}, which is not in the file>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.__name__)


def build_written(build: Any, name: str, parts: WrittenParts) -> dict[str, Any]:
    """A build function as its name and its parameters."""
    if not callable(build):
        raise CannotSaveError(f"{name} is {short(build)}, which is not a build function.")
    parameters = []
    for parameter in inspect.signature(build).parameters.values():
        kind = next((key for key, value in _KINDS.items() if value is parameter.kind), None)
        if kind is None:
            continue
        has_default = parameter.default is not parameter.empty
        default = written(
            parameter.default if has_default else None,
            f"the default of {parameter.name!r} of {name}",
            parts,
        )
        parameters.append(
            {"name": parameter.name, "kind": kind, "optional": has_default, "default": default}
        )
    called = str(getattr(build, "__name__", type(build).__name__))
    return {"kind": "build_function", "name": called, "parameters": parameters}


def build_read(document: dict[str, Any], parts: ReadParts) -> MissingBuildFunction:
    """What stands for a build function."""
    only(document, "kind", "name", "parameters")
    parameters = []
    for one in field(document, "parameters", list):
        named, kind = field(one, "name", str), field(one, "kind", str)
        default = read(one.get("default"), parts)
        try:
            parameters.append(
                inspect.Parameter(
                    named,
                    _KINDS[kind],
                    default=default if field(one, "optional", bool) else inspect.Parameter.empty,
                )
            )
        except (KeyError, ValueError) as error:
            raise FileRefusedError(f"has a parameter {short(one)}: {error}") from error
    try:
        signature = inspect.Signature(parameters)
    except ValueError as error:
        raise FileRefusedError(
            f"has the parameters of a function {short(document)}: {error}"
        ) from error
    return MissingBuildFunction(field(document, "name", str), signature)
