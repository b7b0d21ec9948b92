"""A study from end to end: tune both models, repeat the winner, compare both."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline

from skhp.comparison.compared import compared_on_the_table
from skhp.comparison.named_baselines import BASELINE_C, tune_baseline
from skhp.comparison.result import Comparison
from skhp.comparison.scores import (
    ObservedScorer,
    Scores,
    score_classifier,
    scoring_name,
)
from skhp.exceptions import SettingsError
from skhp.shared.natural_scores import natural_score
from skhp.shared.nearest_name import nearest_name
from skhp.shared.terminal import OnProgress, StageProgress, TrainingCount
from skhp.study.learning import of_images, of_table
from skhp.study.network_search import (
    DEFAULT_CANDIDATES,
    NetworkSearch,
    SearchKind,
    count_candidates,
    search_network,
    winning_parameters,
)
from skhp.study.repeats import Repeat, Split, dummy_test_scores, train_repeats
from skhp.tables.image_folder import ImageFolder
from skhp.tables.table import Table
from skhp.tables.target import with_original_labels

TEST_SHARE = 0.25
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Settings:
    """How a study is done; a value out of range raises a SettingsError.

    `scoring` is one of `skhp.comparison.scores.SCORINGS`. The number of `folds` is reduced to the
    number of training rows of the rare class if that is lower. `repeats` is the number of trainings
    of the winner, with the seeds `seed`, `seed` + 1, and so on. `verdict_repeats` is the number of
    times that the whole table is split into five folds. The search of the network ends after
    `time_budget` seconds. `journal` is a file that keeps each finished fit of that search.
    """

    search: SearchKind = "grid"
    scoring: str = "f1"
    folds: int = 5
    repeats: int = 30
    verdict_repeats: int = 10
    candidates: int | None = None
    seed: int = 0
    time_budget: float | None = None
    journal: Path | None = None

    def __post_init__(self) -> None:
        kinds = get_args(SearchKind)
        if self.search not in kinds:
            raise SettingsError(
                f"unknown search {self.search!r}.{nearest_name(self.search, kinds)} "
                f"Use one of {', '.join(kinds)}."
            )
        self._check_scoring()
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

    def _check_scoring(self) -> None:
        scoring_name(self.scoring, n_classes=2)

    def _check_search(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise SettingsError(f"candidates is {self.candidates}: at least 1 is needed.")
        if self.candidates is not None and self.search not in DEFAULT_CANDIDATES:
            raise SettingsError(
                f"candidates is {self.candidates}, but the candidates of a {self.search} search "
                "are fixed: leave --candidates out, or add --search random, bayes or tpe."
            )
        if self.time_budget is not None and not 0 < self.time_budget < math.inf:
            raise SettingsError(
                f"time_budget is {self.time_budget}: seconds above 0 are needed, or None."
            )
        if self.search == "tpe" and importlib.util.find_spec("optuna") is None:
            raise SettingsError(
                'the search "tpe" needs Optuna, which is not installed: '
                "pip install optuna, or use another --search."
            )


@dataclass(frozen=True, eq=False)
class Study:
    """The result of a study.

    `scoring` is the scorer that both searches used. `n_candidates` is the number of candidates that
    the search tries unless it ends early; a halving search counts a candidate once per iteration.
    All `Scores` are on the test rows. `comparison` compares both models, with their best settings,
    on splits of the whole table. `pipeline` ends in the network of the first repeat, and predicts
    labels.
    """

    table: Table | ImageFolder
    settings: Settings
    scoring: str
    n_folds: int
    split: Split
    baseline: GridSearchCV
    baseline_scores: Scores
    search: NetworkSearch
    n_candidates: int
    dummy_scores: Scores
    repeats: tuple[Repeat, ...]
    comparison: Comparison
    pipeline: Pipeline
    seconds: float


def run_study(
    table: Table | ImageFolder,
    settings: Settings | None = None,
    *,
    network: ClassifierMixin | None = None,
    on_progress: OnProgress | None = None,
) -> Study:
    """Compare a tuned network to a tuned logistic regression.

    Both models learn the same training rows, and are tuned by the same score on the same stratified
    folds. On a table, both get the same preparation. In a folder of images, each image is a row,
    and the regression learns its pixels. The test rows are those of
    ``train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)``.

    One split does not tell a gain from luck. Therefore both models, with their best settings, are
    then compared over repeated splits of the whole table, as `skhp.compare` does. These settings
    were chosen on some of the same rows, which flatters both models.

    `network` is a classifier with the parameters `learning_rate`, `batch_size` and `random_state`
    (for a halving search also `epochs`) and the fitted attributes ``history_`` and ``best_epoch_``;
    None means ``KerasMLPClassifier()``, or ``KerasCNNClassifier()`` for images. A journal that
    cannot be used raises a JournalError before any training.
    """
    begin = time.monotonic()
    settings = Settings() if settings is None else settings
    target, seed = table.target, settings.seed
    learning = of_images(table, seed) if isinstance(table, ImageFolder) else of_table(table)
    network = learning.default_network() if network is None else clone(network)
    scoring = scoring_name(settings.scoring, len(target.labels))
    scorer = get_scorer(scoring)
    split = _split(table, seed)
    n_folds = min(settings.folds, int(np.bincount(split.y_train).min()))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)

    pipeline = Pipeline([("preparation", learning.preparation), ("network", network)])
    # The network is tuned first, so that a journal of another search is refused at once.
    n_candidates = count_candidates(
        settings.search,
        settings.candidates,
        network.get_params().get("epochs", 1),
        learning.space,
    )
    search = search_network(
        pipeline.set_params(network__random_state=seed),
        split.X_train,
        split.y_train,
        scorer,
        folds,
        kind=settings.search,
        space=learning.space,
        n_candidates=settings.candidates,
        seed=seed,
        time_budget=settings.time_budget,
        journal=settings.journal,
        on_candidates=search_progress(n_candidates, settings.scoring, settings, on_progress),
    )
    count = TrainingCount("baseline", n_folds * len(BASELINE_C), on_progress)
    baseline = tune_baseline(
        learning.of_baseline,
        split.X_train,
        split.y_train,
        ObservedScorer(scorer, count),
        folds,
        seed,
        learning.baseline,
    )
    count = TrainingCount("repeats", settings.repeats, on_progress)
    winner = pipeline.set_params(**winning_parameters(search))
    seeds = range(seed, seed + settings.repeats)

    def scores_of(fitted: Any) -> Scores:
        return score_classifier(fitted, split.X_test, split.y_test, target.rare_code, scorer)

    repeats, kept = train_repeats(winner, split, scores_of, seeds, count)
    comparison = compared_on_the_table(
        {"logistic": baseline.best_estimator_, "network": winner},
        "logistic",
        table.inputs,
        target,
        tuned_by=settings.scoring,
        n_repeats=settings.verdict_repeats,
        seed=seed,
        on_progress=on_progress,
    )
    return Study(
        table=table,
        settings=settings,
        scoring=scoring,
        n_folds=n_folds,
        split=split,
        baseline=baseline,
        baseline_scores=scores_of(baseline.best_estimator_),
        dummy_scores=dummy_test_scores(split, target.rare_code, scorer),
        search=search,
        n_candidates=n_candidates,
        repeats=repeats,
        comparison=comparison,
        pipeline=with_original_labels(kept, target.labels),
        seconds=time.monotonic() - begin,
    )


def _split(table: Table | ImageFolder, seed: int) -> Split:
    codes, labels = table.target.codes, table.target.labels
    # Stratified by the labels, so that a user who splits the table as usual gets the same rows.
    return Split(
        *train_test_split(
            table.inputs, codes, test_size=TEST_SHARE, stratify=labels[codes], random_state=seed
        )
    )


def search_progress(
    total: int, scoring: str, settings: Settings, on_progress: OnProgress | None
) -> Callable[[int, float | None], None]:
    """A function that reports the number of finished candidates, and the best score."""

    def tell(done: int, best: float | None) -> None:
        if on_progress is not None:
            known = None if best is None else natural_score(scoring, best)
            on_progress(StageProgress("search", done, total, known, settings.time_budget))

    return tell
