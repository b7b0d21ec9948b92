"""A study from end to end: tune both models, repeat the winner, compare both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.result import Comparison
from skhp.shared.terminal import OnProgress
from skhp.study.learning import of_images, of_table
from skhp.study.network_search import OF_A_TABLE, NetworkSearch
from skhp.study.repeats import Repeat, Split
from skhp.study.search_space import WideSpace
from skhp.study.settings import Settings
from skhp.study.tasks import Task, task_of
from skhp.study.tuning import tune_and_repeat
from skhp.tables.image_folder import ImageFolder
from skhp.tables.table import Table


@dataclass(frozen=True, eq=False)
class Study:
    """The result of a study.

    `n_candidates` is the number of candidates that the search tries unless it ends early; a halving
    search counts a candidate once per iteration. All scores are on the test rows: `Scores` of
    classes, `NumberScores` of numbers. `comparison` compares both models, with their best settings,
    on splits of the whole table. `pipeline` ends in the network of the first repeat, and predicts
    what stands in the table.
    """

    table: Table | ImageFolder
    settings: Settings
    task: Task
    n_folds: int
    split: Split
    baseline: GridSearchCV
    baseline_scores: Any
    search: NetworkSearch
    n_candidates: int
    dummy_scores: Any
    repeats: tuple[Repeat, ...]
    comparison: Comparison
    pipeline: Pipeline
    seconds: float

    @property
    def scoring(self) -> str:
        """scikit-learn's name of the scorer that both searches used."""
        return self.task.scoring


def run_study(
    table: Table | ImageFolder,
    settings: Settings | None = None,
    *,
    network: ClassifierMixin | RegressorMixin | None = None,
    on_progress: OnProgress | None = None,
) -> Study:
    """Compare a tuned network to a tuned logistic or, for a target of numbers, ridge regression.

    Both models learn the same training rows, and are tuned by the same score on the same folds. On
    a table, both get the same preparation, which the wide search of the network varies. In a folder
    of images, each image is a row, and the regression learns its pixels. The test rows are those of
    ``train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)``, where numbers are not
    stratified.

    One split does not tell a gain from luck. Therefore both models, with their best settings, are
    then compared over repeated splits of the whole table, as `skhp.compare` does. These settings
    were chosen on some of the same rows, which flatters both models.

    `network` is a classifier or regressor with the parameters `learning_rate`, `batch_size` and
    `random_state` (for a halving search also `epochs`) and the fitted attributes ``history_`` and
    ``best_epoch_``; None means a ``KerasMLPClassifier()`` or ``KerasMLPRegressor()``, or a
    ``KerasCNNClassifier()`` for images. A network that lacks parameters of the wide space is
    searched in the classic grid. A journal that cannot be used raises a JournalError before any
    training.
    """
    begin = time.monotonic()
    settings = Settings() if settings is None else settings
    task = task_of(table.target, settings.scoring, settings.threshold)
    seed = settings.seed
    learning = (
        of_images(table, seed) if isinstance(table, ImageFolder) else of_table(table, settings)
    )
    network = learning.default_network() if network is None else clone(network)
    network = task.decided(network)
    space = learning.space
    if isinstance(space, WideSpace) and not space.parameters <= network.get_params().keys():
        space = OF_A_TABLE
    split = task.split(table.inputs, seed)
    folds = task.folds(split, settings.folds, seed)
    tuned = tune_and_repeat(
        Pipeline([("preparation", learning.preparation), ("network", network)]),
        split,
        folds,
        task.scoring,
        space,
        settings,
        lambda scorer: task.tuned_baseline(
            learning.of_baseline, split, scorer, folds, seed, learning.baseline
        ),
        task.n_penalties,
        lambda fitted: task.scores(fitted, split),
        on_progress,
    )
    best = tuned.baseline.best_estimator_
    return Study(
        table=table,
        settings=settings,
        task=task,
        n_folds=folds.get_n_splits(),
        split=split,
        baseline=tuned.baseline,
        baseline_scores=task.scores(best, split),
        search=tuned.search,
        n_candidates=tuned.n_candidates,
        dummy_scores=task.dummy_scores(split),
        repeats=tuned.repeats,
        comparison=task.compared(
            {task.baseline: best, "network": tuned.winner},
            table.inputs,
            settings.verdict_repeats,
            seed,
            on_progress,
        ),
        pipeline=task.finished(tuned.kept),
        seconds=time.monotonic() - begin,
    )
