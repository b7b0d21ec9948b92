"""Searches with results that were made up, so that what is drawn of them is known."""

from types import SimpleNamespace

import numpy as np


def finished_search(parameters, scores, *, refit=True, metric="score", **columns):
    """A search with these values of parameters (None: not set) and scores of folds."""
    scores = np.asarray(scores, dtype=float)
    n_candidates = len(scores)
    results = {
        "params": [{} for _ in range(n_candidates)],
        "mean_fit_time": np.ones(n_candidates),
        f"mean_test_{metric}": scores.mean(axis=1),
    }
    for name, values in parameters.items():
        column = np.ma.masked_all(n_candidates, dtype=object)
        for place, value in enumerate(values):
            if value is not None:
                column[place] = value
                results["params"][place][name] = value
        results[f"param_{name}"] = column
    for fold, of_fold in enumerate(scores.T):
        results[f"split{fold}_test_{metric}"] = of_fold
    return SimpleNamespace(cv_results_=results | columns, refit=refit)
