"""The settings of a study."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from skhp.exceptions import SettingsError
from skhp.shared.nearest_name import nearest_name
from skhp.study.search_space import (
    SearchKind,
    SearchSpace,
    WideSpace,
)
from skhp.study.tasks import ThresholdSetting, require_known_scoring

GridKind = Literal["wide", "classic"]

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Settings:
    """How a study is done; a value out of range raises a SettingsError.

    `grid` is the space in which a table is searched: "wide", or "classic" for a grid of learning
    rates and batch sizes; None is "classic" for ``search="grid"``, else "wide". `search` is the
    kind of search; None is "random" in the wide space, else "grid". `scoring` is a score of classes
    or of numbers; None is F1 or R2. `threshold` is the least probability with which the rarer of
    two classes is predicted, or "tune"; None is "tune" where there are two classes. The number of
    `folds` is reduced to the number of training rows of the rare class if that is lower. `repeats`
    is the number of trainings of the winner, with the seeds `seed`, `seed` + 1, and so on.
    `verdict_repeats` is the number of times that the whole table is split into five folds. The
    search of the network ends after `time_budget` seconds. `journal` is a file that keeps each
    finished fit of that search.
    """

    search: SearchKind | None = None
    grid: GridKind | None = None
    scoring: str | None = None
    threshold: ThresholdSetting = None
    folds: int = 5
    repeats: int = 30
    verdict_repeats: int = 10
    candidates: int | None = None
    seed: int = 0
    time_budget: float | None = None
    journal: Path | None = None

    def __post_init__(self) -> None:
        self._check_names()
        self._check_scoring()
        self._check_threshold()
        if self.folds < 2:
            raise SettingsError(f"folds is {self.folds}: at least 2 are needed to cross-validate.")
        if self.repeats < 1:
            raise SettingsError(f"repeats is {self.repeats}: at least 1 training is needed.")
        if self.verdict_repeats < 1:
            raise SettingsError(
                f"verdict_repeats is {self.verdict_repeats}: at least 1 repeat is needed."
            )
        self._check_search()
        if not 0 <= self.seed <= _LARGEST_SEED - self.repeats:
            raise SettingsError(
                f"seed is {self.seed}: it must be 0 or more, and below 2**32 minus the repeats."
            )

    @property
    def is_classic(self) -> bool:
        """Whether a table is searched in the classic grid."""
        return self.grid == "classic" or (self.grid is None and self.search == "grid")

    def search_in(self, space: SearchSpace | WideSpace) -> SearchKind:
        """The search of a space; a SettingsError if the space does not have it."""
        kind = space.default_search if self.search is None else self.search
        if self.candidates is not None and kind not in space.default_candidates:
            raise SettingsError(
                f"candidates is {self.candidates}, but the candidates of a {kind} search are "
                "fixed: leave --candidates out, or add --search random, bayes or tpe."
            )
        return kind

    def _check_names(self) -> None:
        for name, given, known in (
            ("search", self.search, get_args(SearchKind)),
            ("grid", self.grid, get_args(GridKind)),
        ):
            if given is not None and given not in known:
                raise SettingsError(
                    f"unknown {name} {given!r}.{nearest_name(given, known)} "
                    f"Use one of {', '.join(known)}."
                )
        if self.search == "grid" and self.grid == "wide":
            raise SettingsError(
                "a grid search cannot try all of a wide space: add --grid classic, or another "
                "--search."
            )

    def _check_scoring(self) -> None:
        if self.scoring is not None:
            require_known_scoring(self.scoring)

    def _check_threshold(self) -> None:
        given = self.threshold
        if (
            given is not None
            and given != "tune"
            and not (isinstance(given, float) and 0 < given < 1)
        ):
            raise SettingsError(
                f"threshold is {given!r}: give a probability between 0 and 1, such as 0.5, or "
                "'tune'."
            )

    def _check_search(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise SettingsError(f"candidates is {self.candidates}: at least 1 is needed.")
        if self.is_classic:
            # In other cases, the study checks this once it knows its space.
            self.search_in(SearchSpace())
        if self.time_budget is not None and not 0 < self.time_budget < math.inf:
            raise SettingsError(
                f"time_budget is {self.time_budget}: seconds above 0 are needed, or None."
            )
        if self.search == "tpe" and importlib.util.find_spec("optuna") is None:
            raise SettingsError(
                'the search "tpe" needs Optuna, which is not installed: '
                "pip install optuna, or use another --search."
            )
