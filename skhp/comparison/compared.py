"""Fit, score and compare: `skhp.compare` and `skhp tune` both end here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np
from sklearn.utils import indexable

from skhp.comparison.dummy import DUMMY, dummy_scores
from skhp.comparison.metric_scorers import (
    CLASSIFICATION_METRICS,
    REGRESSION_METRICS,
    lower_is_better,
    metric_scorers,
    metrics_from_0_to_1,
    rarer_of_two,
)
from skhp.comparison.named_baselines import without_convergence_warnings
from skhp.comparison.outer_fits import RepeatedScores, repeat_seeds, repeated_scores
from skhp.comparison.outer_splits import OuterSplits, outer_splits
from skhp.comparison.result import Comparison
from skhp.comparison.scores import FoldScorer
from skhp.comparison.statistics import comparison_frame, confusion_counts, long_scores
from skhp.comparison.verdict import DummyScore
from skhp.shared.terminal import OnProgress
from skhp.tables.numeric_target import NumericTarget
from skhp.tables.target import Target

_FOLDS = 5

# Sums of the same terms in another order differ by less than this.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class ScoredFits:
    """The scores of estimators on the same splits, which can be compared to any one of them."""

    scores: Mapping[str, RepeatedScores]  # of each estimator, and last of the dummy
    dummy: str
    answers: Mapping[str, str]  # the answer of the dummy to each metric
    splits: OuterSplits
    n_repeats: int
    n_rows: int
    metrics: tuple[str, ...]
    lower_is_better: frozenset[str]
    from_0_to_1: frozenset[str]
    labels: np.ndarray | None
    rare: Any
    class_names: Sequence[Any] | None

    def compared_to(self, baseline: str, names: Sequence[str] | None = None) -> Comparison:
        """Compare the estimators with these names, by default all of them, to one of them."""
        names = [name for name in self.scores if name != self.dummy] if names is None else names
        # The baseline first, and the dummy last unless it is the baseline.
        order = dict.fromkeys((baseline, *(name for name in names if name != baseline), self.dummy))
        scores = {name: self.scores[name] for name in order}
        frame = comparison_frame(
            scores,
            self.metrics,
            baseline,
            self.splits.test_per_train,
            self.splits.drawn_anew,
            self.from_0_to_1,
            self.dummy,
        )
        means = frame.xs(self.dummy, level="estimator")["mean"]
        rare = self.rare
        if rare is not None and self.class_names is not None:
            rare = self.class_names[rare]
        return Comparison(
            frame=frame,
            scores=long_scores({name: one.of_repeats for name, one in scores.items()}, "repeat"),
            seed_scores=long_scores({name: one.of_seeds for name, one in scores.items()}, "seed"),
            confusion=None
            if self.labels is None
            else confusion_counts(scores, self.labels, self.class_names),
            baseline=baseline,
            rare_class=rare,
            n_repeats=self.n_repeats,
            n_folds=self.splits.n_folds,
            drawn_anew=self.splits.drawn_anew,
            n_rows=self.n_rows,
            dummy=self.dummy,
            dummy_scores={
                metric: DummyScore(
                    self.answers[metric],
                    -mean if metric in self.lower_is_better else mean,
                    is_perfect=metric in self.from_0_to_1 and mean > 1 - _ROUNDING,
                )
                for metric, mean in means.items()
                if not isnan(mean)
            },
            lower_is_better=self.lower_is_better,
        )


def scored_fits(
    estimators: Mapping[str, Any],
    X: Any,
    y: Any,
    target: np.ndarray,
    splits: OuterSplits,
    seeds: Sequence[int],
    metrics: Mapping[str, Any],
    from_0_to_1: frozenset[str],
    for_classes: bool,
    *,
    class_names: Sequence[Any] | None = None,
    n_seeds: int = 1,
    n_jobs: int | None = None,
    stage: str = "comparison",
    on_progress: OnProgress | None = None,
    verbose: int = 0,
) -> ScoredFits:
    """Fit and score the estimators and the dummy.

    `target` is `y` as an array. Where it holds the codes 0, 1 and so on, `class_names` are the
    names of its classes.
    """
    # Not every sparse format lets rows be selected; indexable converts to one that does.
    X, y = indexable(X, y)
    labels = np.unique(target) if for_classes else None
    rare = rarer_of_two(target) if for_classes else None
    scorer = FoldScorer(metrics, labels, rare)
    main = "f1" if "f1" in metrics else next(iter(metrics))
    dummy = dummy_scores(
        X, target, splits, replace(scorer, raises=False), main, for_classes, class_names
    )
    # An estimator of the user may have the name of the dummy.
    dummy_name = DUMMY if DUMMY not in estimators else f"constant {DUMMY}"
    scores = repeated_scores(
        estimators,
        X,
        y,
        splits,
        seeds,
        scorer,
        n_seeds=n_seeds,
        n_jobs=n_jobs,
        stage=stage,
        on_progress=on_progress,
        verbose=verbose,
    )
    return ScoredFits(
        scores={**scores, dummy_name: dummy.scores},
        dummy=dummy_name,
        answers=dummy.answers,
        splits=splits,
        n_repeats=len(seeds),
        n_rows=len(target),
        metrics=tuple(metrics),
        lower_is_better=lower_is_better(metrics),
        from_0_to_1=from_0_to_1,
        labels=labels,
        rare=rare,
        class_names=class_names,
    )


def compared_on_the_table(
    estimators: Mapping[str, Any],
    baseline: str,
    inputs: Any,
    target: Target | NumericTarget,
    *,
    tuned_by: str,
    n_repeats: int,
    seed: int,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Compare classifiers or regressors on repeated splits of a whole table.

    There are five folds, or as many as the rarest class has rows; in a regression, each fold has at
    least two rows. The first metric is the score that the estimators were `tuned_by`. The
    baseline does not warn of its convergence.
    """
    seeds = repeat_seeds(seed, n_repeats)
    learnt, for_classes = target.learnt, isinstance(target, Target)
    others: tuple[str, ...] = REGRESSION_METRICS
    class_names = None
    if isinstance(target, Target):
        n_folds = min(_FOLDS, int(np.bincount(target.codes).min()))
        if not target.is_binary:
            # For more than two classes, the plain name means the mean over the classes.
            tuned_by = tuned_by.removesuffix("_macro")
        others, class_names = CLASSIFICATION_METRICS, target.labels.tolist()
    else:
        n_folds = min(_FOLDS, len(learnt) // 2)
    splits = outer_splits(n_folds, inputs, learnt, seeds, stratified=for_classes)
    names = list(dict.fromkeys((tuned_by, *others)))
    metrics = metric_scorers(names, estimators[baseline], learnt, for_classes=for_classes)
    with without_convergence_warnings():
        return scored_fits(
            estimators,
            inputs,
            learnt,
            learnt,
            splits,
            seeds,
            metrics,
            metrics_from_0_to_1(names, metrics),
            for_classes=for_classes,
            class_names=class_names,
            stage="verdict",
            on_progress=on_progress,
        ).compared_to(baseline)
