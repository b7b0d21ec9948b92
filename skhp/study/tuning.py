"""The part that all studies share: tune a network and a baseline, and repeat the winner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
from sklearn.metrics import get_scorer
from sklearn.model_selection import BaseCrossValidator, GridSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import ObservedScorer, Scorer
from skhp.search.fold_thresholds import with_threshold_of_folds
from skhp.shared.natural_scores import natural_score
from skhp.shared.terminal import OnProgress, StageProgress, TrainingCount
from skhp.study.network_search import (
    NetworkSearch,
    count_candidates,
    search_network,
    winning_parameters,
)
from skhp.study.repeats import Repeat, Split, train_repeats
from skhp.study.search_space import SearchSpace, WideSpace
from skhp.study.settings import Settings


@dataclass(frozen=True, eq=False)
class Tuned:
    """What a study has found before its verdict.

    `n_candidates` is the number of candidates that the search tries unless it ends early; a halving
    search counts a candidate once per iteration. `winner` is not fitted; `kept` is the winner of
    the first repeat.
    """

    search: NetworkSearch
    n_candidates: int
    baseline: GridSearchCV
    winner: Pipeline
    repeats: tuple[Repeat, ...]
    kept: Pipeline


def tune_and_repeat(
    pipeline: Pipeline,
    split: Split,
    folds: BaseCrossValidator,
    scoring: str,
    space: SearchSpace | WideSpace,
    settings: Settings,
    tune_baseline: Callable[[Scorer], GridSearchCV],
    n_baselines: int,
    scores_of: Callable[[Any], Any],
    on_progress: OnProgress | None,
) -> Tuned:
    """Tune the step `network` of a pipeline, tune a baseline, and train the winner repeatedly.

    `tune_baseline` takes a scorer that counts its calls: `n_baselines` trainings for each fold.
    """
    seed, scorer, kind = settings.seed, get_scorer(scoring), settings.search_in(space)
    n_candidates = count_candidates(
        kind, settings.candidates, pipeline[-1].get_params().get("epochs", 1), space
    )
    progress = _SearchProgress(n_candidates, scoring, settings, on_progress)
    # The network is tuned first, so that a journal of another search is refused at once.
    search = search_network(
        pipeline.set_params(network__random_state=seed),
        split.X_train,
        split.y_train,
        scorer,
        folds,
        kind=kind,
        space=space,
        n_candidates=settings.candidates,
        seed=seed,
        time_budget=settings.time_budget,
        journal=settings.journal,
        on_candidates=progress.candidates,
        on_training=progress.training,
    )
    count = TrainingCount("baseline", folds.get_n_splits() * n_baselines, on_progress)
    baseline = tune_baseline(ObservedScorer(scorer, count))
    count = TrainingCount("repeats", settings.repeats, on_progress)
    with joblib.parallel_config(backend="skhp"):
        winner = with_threshold_of_folds(
            pipeline.set_params(**winning_parameters(search)),
            split.X_train,
            split.y_train,
            folds.split(split.X_train, split.y_train),
            {},
        )
    seeds = range(seed, seed + settings.repeats)
    repeats, kept = train_repeats(winner, split, scores_of, seeds, count)
    return Tuned(search, n_candidates, baseline, winner, repeats, kept)


class _SearchProgress:
    """Reports the number of finished candidates, the best score, and the work of those under way.

    It is told from several threads.
    """

    def __init__(
        self, total: int, scoring: str, settings: Settings, on_progress: OnProgress | None
    ) -> None:
        self._scoring = scoring
        self._on_progress = on_progress
        self._progress = StageProgress("search", 0, total, time_budget=settings.time_budget)
        self._lock = threading.Lock()

    def candidates(self, done: int, best: float | None) -> None:
        """Report the number of finished candidates, and the best score."""
        known = None if best is None else natural_score(self._scoring, best)
        # What is finished is no longer under way.
        rest = self._progress.under_way - (done - self._progress.done)
        self._tell(done=done, best_score=known, under_way=max(rest, 0.0))

    def training(self, under_way: float, seconds_left: float | None) -> None:
        """Report how many candidates the work under way amounts to, and the time left."""
        self._tell(under_way=under_way, seconds_left=seconds_left)

    def _tell(self, **changes: Any) -> None:
        with self._lock:
            self._progress = self._progress._replace(**changes)
            if self._on_progress is not None:
                self._on_progress(self._progress)
