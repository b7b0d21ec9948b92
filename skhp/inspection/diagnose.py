"""The function `diagnose`, which applies the rules to a fitted estimator or search."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError

from skhp.inspection.examined_fit import Diagnosis, ExaminedFit, Finding, examined_fit
from skhp.inspection.fit_rules import findings_of_fit
from skhp.inspection.search_results import search_results
from skhp.inspection.search_rules import findings_of_search
from skhp.inspection.training_history import fitted_network
from skhp.inspection.value_text import public_name


def diagnose(estimator: Any, y: ArrayLike | None = None, *, metric: str | None = None) -> Diagnosis:
    """Say in words what is likely to be wrong with the training of an estimator, or with a search.

    It looks at the curves of the training; for a search, at the curves of the best estimator and at
    the scores of the candidates. The limits are wide, so that noise and healthy fits give no
    finding; a fault without a finding is possible.

    Parameters
    ----------
    estimator : estimator
        Fitted: an estimator of skhp, a multilayer perceptron of scikit-learn, a pipeline that ends
        with one, or a search.
    y : array-like, default=None
        The target of the fit. With it, the rows held out are counted, and losses are compared to
        the loss of the best constant prediction; without it, they are compared to the highest loss
        that a constant prediction can have. A search of skhp knows its target.
    metric : str, default=None
        Which score of a search to look at, if there are several; None is the one that the search
        was refitted for.

    Returns
    -------
    Diagnosis
        Findings with a sentence, a figure and the parameter to change. Without findings it is
        false, and prints that nothing was found. A fit has these kinds of findings:

        - "target_not_scaled": a regressor learns numbers whose size or deviation is above 10, or
          whose deviation is below 0.1, and nothing scales them (needs `y`);
        - "non_finite_loss": the loss became NaN or infinite;
        - "learning_rate_too_high": from epoch to epoch the training loss scatters by more than 10%
          of the loss of a constant prediction, or it stays 20% above that loss;
        - "learning_rate_too_low": the training loss falls evenly, and takes 1,000 epochs or more to
          halve;
        - "underfitting": no loss is 3% below that of a constant prediction;
        - "overfitting": without early stopping, the validation loss of the weights kept exceeds its
          lowest value by 10% and by more than noise; or it exceeds the training loss by more than
          30% of the loss of a constant prediction, and did not at first;
        - "too_few_epochs": the epochs ran out while both losses were falling, with a tenth or more
          of the whole fall in the last quarter of the epochs; or the last epoch was the best one;
        - "stopped_too_early": patience ran out in three epochs or fewer, while the training loss
          fell by 0.5% an epoch or more;
        - "few_validation_rows": fewer than 30, or than 5 of the rarest class (needs `y`).

        A search has these kinds:

        - "failed_candidates": a fifth of the candidates or more failed;
        - "edge_of_the_grid": the smallest or largest number tried for a parameter is better than
          the next, by a corrected t-test;
        - "undecided": the candidates differ no more than by chance (Friedman's test).

    Raises
    ------
    NotFittedError
        If there are neither curves nor results of a search.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skhp import KerasMLPClassifier, diagnose
    >>> X, y = make_blobs(200, centers=2, random_state=0)
    >>> network = KerasMLPClassifier(epochs=20, learning_rate=1e-6, random_state=0).fit(X, y)
    >>> [(finding.kind, finding.parameter) for finding in diagnose(network)]
    [('learning_rate_too_low', 'learning_rate')]
    """
    findings: list[Finding] = []
    unexamined: list[str] = []
    is_search = hasattr(estimator, "cv_results_")
    if is_search:
        findings += findings_of_search(search_results(estimator, metric))
    # A search of skhp keeps a summary of the target of its fit.
    target = getattr(estimator, "target_summary", None) if y is None else y
    # A refit for the median of the folds' best epochs ends where it should.
    epochs_are_given = getattr(estimator, "refit_epochs", None) is None
    try:
        fit = examined_fit(estimator, target, epochs_are_given=epochs_are_given)
    except NotFittedError as error:
        if not is_search:
            raise
        unexamined.append(_without_training(estimator, error))
    else:
        findings += findings_of_fit(fit)
        unexamined += _unexamined(fit, target is not None)
    return Diagnosis(tuple(findings), tuple(unexamined))


def _without_training(search: Any, error: NotFittedError) -> str:
    if not hasattr(search, "best_estimator_"):
        return f"the training of the best candidate. {error}"
    name = public_name(fitted_network(search))
    return f"the training of the best candidate, as {name} keeps no curves of it."


def _unexamined(fit: ExaminedFit, has_target: bool) -> list[str]:
    without = []
    if fit.val_loss is None:
        without.append(f"overfitting, as no loss of rows held out was recorded{_advice(fit)}.")
    if not has_target:
        without.append(
            "the number of rows held out and the scale of the target; underfitting was judged by a "
            "bound only. Give diagnose the y of the fit."
        )
    return without


def _advice(fit: ExaminedFit) -> str:
    """How to record the loss of held-out rows; empty if the estimator cannot record it."""
    if not fit.epochs_are_given:
        return ": refit_epochs='median' trains on all rows"
    if "early_stopping" not in fit.parameters or fit.is_wrapped:
        return f". Set {fit.own_name('validation_fraction')}=0.2"
    if fit.parameters["early_stopping"] or "n_iter_no_change" in fit.parameters:
        # scikit-learn's networks record a score of the rows held out, never their loss.
        return ""
    return ". Set early_stopping=True, or give X_val and y_val to fit"
