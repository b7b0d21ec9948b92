"""Fit, score and compare: `skhp.compare` and `skhp tune` both end here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
from sklearn.utils import indexable

from skhp.comparison.dummy import DUMMY, dummy_scores
from skhp.comparison.metric_scorers import (
    CLASSIFICATION_METRICS,
    lower_is_better,
    metric_scorers,
    metrics_from_0_to_1,
    rarer_of_two,
)
from skhp.comparison.named_baselines import without_convergence_warnings
from skhp.comparison.outer_fits import repeat_seeds, repeated_scores
from skhp.comparison.outer_splits import OuterSplits, outer_splits
from skhp.comparison.result import Comparison
from skhp.comparison.scores import FoldScorer
from skhp.comparison.statistics import comparison_frame, confusion_counts, long_scores
from skhp.comparison.verdict import DummyScore
from skhp.shared.terminal import OnProgress
from skhp.tables.target import Target

_FOLDS = 5

# Sums of the same terms in another order differ by less than this.
_ROUNDING = 1e-10


def compared(
    estimators: Mapping[str, Any],
    baseline: str,
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
) -> Comparison:
    """Fit and score the estimators, and compare them to the baseline.

    The baseline is one of the `estimators`, unless it is the dummy. `target` is `y` as an array.
    Where it holds the codes 0, 1 and so on, `class_names` are the names of its classes.
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
    # The baseline first, and the dummy last unless it is the baseline.
    others = {name: one for name, one in scores.items() if name != baseline}
    every = {**scores, dummy_name: dummy.scores}
    scores = {baseline: every[baseline], **others, dummy_name: dummy.scores}
    lower = lower_is_better(metrics)
    frame = comparison_frame(
        scores,
        list(metrics),
        baseline,
        splits.test_per_train,
        splits.drawn_anew,
        from_0_to_1,
        dummy_name,
    )
    means = frame.xs(dummy_name, level="estimator")["mean"]
    return Comparison(
        frame=frame,
        scores=long_scores({name: one.of_repeats for name, one in scores.items()}, "repeat"),
        seed_scores=long_scores({name: one.of_seeds for name, one in scores.items()}, "seed"),
        confusion=None if labels is None else confusion_counts(scores, labels, class_names),
        baseline=baseline,
        rare_class=rare if rare is None or class_names is None else class_names[rare],
        n_repeats=len(seeds),
        n_folds=splits.n_folds,
        drawn_anew=splits.drawn_anew,
        n_rows=len(target),
        dummy=dummy_name,
        dummy_scores={
            metric: DummyScore(
                dummy.answers[metric],
                -mean if metric in lower else mean,
                is_perfect=metric in from_0_to_1 and mean > 1 - _ROUNDING,
            )
            for metric, mean in means.items()
            if not isnan(mean)
        },
        lower_is_better=lower,
    )


def compared_on_the_table(
    estimators: Mapping[str, Any],
    baseline: str,
    inputs: Any,
    target: Target,
    *,
    tuned_by: str,
    n_repeats: int,
    seed: int,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Compare classifiers on repeated splits of a whole table.

    There are five folds, or as many as the rarest class has rows. The first metric is the score
    that the classifiers were `tuned_by`. The baseline does not warn of its convergence.
    """
    seeds = repeat_seeds(seed, n_repeats)
    n_folds = min(_FOLDS, int(np.bincount(target.codes).min()))
    splits = outer_splits(n_folds, inputs, target.codes, seeds, stratified=True)
    if not target.is_binary:
        # For more than two classes, the plain name means the mean over the classes.
        tuned_by = tuned_by.removesuffix("_macro")
    names = list(dict.fromkeys((tuned_by, *CLASSIFICATION_METRICS)))
    metrics = metric_scorers(names, estimators[baseline], target.codes, for_classes=True)
    with without_convergence_warnings():
        return compared(
            estimators,
            baseline,
            inputs,
            target.codes,
            target.codes,
            splits,
            seeds,
            metrics,
            metrics_from_0_to_1(names, metrics),
            for_classes=True,
            class_names=target.labels.tolist(),
            stage="verdict",
            on_progress=on_progress,
        )
