"""Writes the files of the current format into tests/data; run it once for each version.

    PYTHONPATH=. python -m tests.saving.write_data

Files of earlier versions stay as they are: each release has to load them.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp.saving.save import VERSION
from tests.saving.networks_to_save import LABELS, QUICK, X, built

DATA = Path(__file__).parents[1] / "data"


def main():
    network = skhp.KerasMLPClassifier(neurons=2, **QUICK)
    made = {
        "mlp": network.fit(X, LABELS),
        "keras": skhp.KerasClassifier(
            built(), loss="binary_crossentropy", optimizer="adam", **QUICK
        ).fit(X, LABELS),
        "pipeline": make_pipeline(StandardScaler(), skhp.KerasMLPRegressor(neurons=2, **QUICK)).fit(
            X, X[:, 0]
        ),
    }
    expected = {}
    for name, estimator in made.items():
        skhp.save(estimator, DATA / f"{name}-{VERSION}.skhp")
        method = getattr(estimator, "predict_proba", estimator.predict)
        expected[f"{name}-{VERSION}"] = np.asarray(method(X[:4]), np.float64).tolist()
    (DATA / f"expected-{VERSION}.json").write_text(
        json.dumps({"rows": X[:4].tolist(), "predictions": expected}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
