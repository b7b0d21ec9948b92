"""Does a tuned network find more of a rare class than logistic regression and boosted trees?

Five outer stratified folds on each table; F1 of the rare class. The network is tuned within each
outer fold by a grid search with inner folds, by average precision, which scatters less than F1:
how its training ends, and how columns are scaled. Its threshold comes from rows held out
of the training, or from the inner folds where nothing is held out. What is found is also trained
with eleven seeds that vote, as one seed may be lucky and boosted trees are many too. The logistic
regressions and MLPClassifier are tuned on the same inner folds; trees keep their defaults, and are
there with scikit-learn's tuned threshold as well. CatBoost and RealMLP are there if they are
installed (catboost, pytabkit).

The tables are CSV files in a folder (`--data`), without a header and with the class in the last
column, and two of scikit-learn's own.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FILES = {
    "haberman": "haberman.csv",
    "pima": "pima-indians-diabetes.csv",
    "oil-spill": "oil-spill.csv",
    "mammography": "mammography.csv",
}
BUNDLED = ("digits 8", "breast cancer")
# Those that the means are taken over.
COUNTED = (*FILES, "digits 8")
FOLDS = 5


def main() -> None:
    """Print the F1 of each contender on each table, means and ranks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the CSV files; without it, two tables")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables", nargs="*", help="only these")
    arguments = parser.parse_args()
    names = [*(FILES if arguments.data else ()), *BUNDLED]
    names = [name for name in names if not arguments.tables or name in arguments.tables]
    print(f"{'table':>14}", *(f"{name:>17}" for name in CONTENDERS), "  seconds of the search")
    scores = {}
    for name in names:
        X, y = table(name, arguments.data)
        scores[name], seconds = compared(X, y, arguments.seed)
        row = (f"{scores[name][contender]:>17.3f}" for contender in CONTENDERS)
        print(f"{name:>14}", *row, f"{seconds:>10.0f}", flush=True)
    counted = [name for name in COUNTED if name in scores]
    f1 = pd.DataFrame({name: scores[name] for name in counted})
    print(f"{'mean':>14}", *(f"{value:>17.3f}" for value in f1.mean(axis=1)))
    ranks = f1.rank(ascending=False).mean(axis=1)
    print(f"{'mean rank':>14}", *(f"{value:>17.1f}" for value in ranks))
    logistic = f1.loc[["lasso", "balanced logistic"]].max()
    for ours in ("network", VOTE):
        leads = (
            f1.loc[ours].mean() - f1.loc[peer].mean()
            for peer in ("lasso", "gradient boosting", "boosting, tuned")
        )
        print(
            f"{ours}: mean lead over lasso, gradient boosting and the same with a tuned threshold",
            *(f"{lead:+.3f}" for lead in leads),
            f"least lead over the better logistic {(f1.loc[ours] - logistic).min():+.3f}",
        )


def table(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Columns, and whether a row is of the rare class."""
    from sklearn.datasets import load_breast_cancer, load_digits

    if name == "digits 8":
        X, y = load_digits(return_X_y=True)
        return X, (y == 8).astype(int)
    if name == "breast cancer":
        X, y = load_breast_cancer(return_X_y=True)
        return X, (y == 0).astype(int)
    assert folder is not None
    frame = pd.read_csv(folder / FILES[name], header=None)
    labels = frame.iloc[:, -1].astype(str)
    return frame.iloc[:, :-1].to_numpy(float), (labels == labels.value_counts().idxmin()).astype(
        int
    ).to_numpy()


def compared(X: np.ndarray, y: np.ndarray, seed: int) -> tuple[dict[str, float], float]:
    """Mean F1 of each contender over the same outer folds, and the seconds of our searches."""
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold

    f1: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    seconds = 0.0
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y):
        with warnings.catch_warnings(action="ignore"):
            began = time.perf_counter()
            fitted = {"network": network(seed).fit(X[train], y[train])}
            seconds += time.perf_counter() - began
            vote = vote_of_seeds(fitted["network"].best_estimator_, seed)
            fitted[VOTE] = vote.fit(X[train], y[train])
            for name, make in PEERS.items():
                fitted[name] = make(seed).fit(X[train], y[train])
            for name, estimator in fitted.items():
                f1[name].append(f1_score(y[test], estimator.predict(X[test])))
    return {name: float(np.mean(values)) for name, values in f1.items()}, seconds


# ---------------------------------------------------------------- the contenders


def network(seed: int) -> Any:
    """A network tuned by its own inner folds."""
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline

    from skhp import GridSearchCV, KerasMLPClassifier

    classifier = KerasMLPClassifier(
        threshold="tune",
        hidden_layers=2,
        neurons=256,
        dropout=0.2,
        validation_fraction=0.2,
        learning_rate=0.003,
        batch_size=64,
        epochs=120,
        random_state=seed,
    )
    by_loss = {"monitor": ["val_loss"], "patience": [10]}
    by_ranking = {"monitor": ["val_average_precision"], "patience": [40]}
    on_all_rows = {"early_stopping": [False], "lr_schedule": ["cosine"]}
    ends = (by_loss, by_ranking, on_all_rows)
    return GridSearchCV(
        Pipeline([("scale", "passthrough"), ("classify", classifier)], memory=SCALED.name),
        [
            {
                "scale": [*scalers(), piecewise_linear()],
                **{f"classify__{name}": values for name, values in end.items()},
            }
            for end in ends
        ],
        scoring="average_precision",
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
    )


def vote_of_seeds(pipeline: Any, seed: int) -> Any:
    """The same network from several seeds, each with its own held-out rows and threshold."""
    from sklearn.base import clone
    from sklearn.ensemble import VotingClassifier

    # A threshold that the folds of the search chose is a number, which all seeds share.
    return VotingClassifier(
        [
            (f"seed {k}", clone(pipeline).set_params(classify__random_state=seed + k))
            for k in range(1, SEEDS + 1)
        ]
    )


def lasso(seed: int) -> Any:
    """Logistic regression whose strength of the lasso is tuned."""
    return tuned_logistic(seed, None)


def balanced_logistic(seed: int) -> Any:
    """The same with balanced class weights."""
    return tuned_logistic(seed, "balanced")


def tuned_logistic(seed: int, class_weight: str | None) -> Any:
    """Logistic regression with a lasso tuned by F1."""
    from sklearn.linear_model import LogisticRegression

    logistic = LogisticRegression(
        l1_ratio=1.0, solver="liblinear", class_weight=class_weight, random_state=seed
    )
    return tuned(logistic, {"classify__C": np.logspace(-3, 2, 11)}, seed)


def gradient_boosting(seed: int) -> Any:
    """scikit-learn's boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)


def random_forest(seed: int) -> Any:
    """scikit-learn's random forest."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=seed)


def with_tuned_threshold(classifier: Any, seed: int) -> Any:
    """A classifier whose threshold scikit-learn tunes by F1, by cross-validation."""
    from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return TunedThresholdClassifierCV(classifier, scoring="f1", cv=folds)


def boosting_with_threshold(seed: int) -> Any:
    """scikit-learn's boosted trees with a tuned threshold."""
    return with_tuned_threshold(gradient_boosting(seed), seed)


def catboost_with_threshold(seed: int) -> Any:
    """CatBoost with a tuned threshold."""
    from catboost import CatBoostClassifier

    classifier = CatBoostClassifier(random_seed=seed, verbose=False, allow_writing_files=False)
    return with_tuned_threshold(classifier, seed)


def real_mlp(seed: int) -> Any:
    """RealMLP with the defaults that its authors tuned over many tables."""
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(random_state=seed, device="cpu")


def mlp_classifier(seed: int) -> Any:
    """scikit-learn's own network, which stops early as ours does."""
    from sklearn.neural_network import MLPClassifier

    classifier = MLPClassifier(early_stopping=True, max_iter=200, random_state=seed)
    grid = {"classify__learning_rate_init": [0.001, 0.003, 0.01], "classify__alpha": [1e-4, 1e-2]}
    return tuned(classifier, grid, seed)


def tuned(classifier: Any, grid: dict[str, Any], seed: int) -> Any:
    """scikit-learn's own search by F1 on the inner folds, of the scaling too."""
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import Pipeline

    return GridSearchCV(
        Pipeline([("scale", "passthrough"), ("classify", classifier)], memory=SCALED.name),
        {"scale": scalers(), **grid},
        scoring="f1",
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
    )


def scalers() -> list[Any]:
    """Ways to scale columns: as they are shaped, or made symmetric first."""
    from sklearn.preprocessing import PowerTransformer, StandardScaler

    return [StandardScaler(), PowerTransformer()]


def piecewise_linear() -> Any:
    """Each column as ten columns, in which a line is a piecewise linear function of the column."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    splines = SplineTransformer(n_knots=10, degree=1, knots="quantile", extrapolation="constant")
    return make_pipeline(splines, StandardScaler())


# Where scikit-learn's searches and the vote keep scaled columns: candidates that differ in the rest
# share them, as they do in our search by itself.
SCALED = tempfile.TemporaryDirectory()
SEEDS = 11
VOTE = f"vote of {SEEDS} seeds"
PEERS = {
    "lasso": lasso,
    "balanced logistic": balanced_logistic,
    "gradient boosting": gradient_boosting,
    "boosting, tuned": boosting_with_threshold,
    "random forest": random_forest,
    "MLPClassifier": mlp_classifier,
}
for library, name, make in (
    ("catboost", "CatBoost, tuned", catboost_with_threshold),
    ("pytabkit", "RealMLP", real_mlp),
):
    if importlib.util.find_spec(library) is not None:
        PEERS[name] = make
CONTENDERS = ("network", VOTE, *PEERS)


if __name__ == "__main__":
    main()
