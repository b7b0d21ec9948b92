"""How images are learnt: pixels from 0 to 1, as many blocks as fit, and a study of a folder."""

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison.named_baselines import tune_baseline
from skhp.study.files import write_files, write_page
from skhp.study.learning import of_images
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.study.text import render_report
from skhp.tables.image_folder import read_images

FEW = {"folds": 2, "repeats": 1, "verdict_repeats": 1, "search": "random", "candidates": 2}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """120 of scikit-learn's digits as PNG files: 0 and 1, of which 0 is rarer."""
    folder = tmp_path_factory.mktemp("digits")
    data = load_digits(n_class=2)
    for n, (image, label) in enumerate(zip(data.images[:120], data.target, strict=False)):
        of_class = folder / ("zero" if label == 0 else "one")
        of_class.mkdir(exist_ok=True)
        if not (label == 0 and n % 2):
            Image.fromarray((image * 15).astype(np.uint8)).save(of_class / f"{n}.png")
    return folder


def test_both_models_learn_pixels(digits):
    images = read_images(digits)
    learning = of_images(images, seed=0)
    pixels = learning.preparation.fit_transform(images.inputs)
    np.testing.assert_allclose(pixels, images.inputs / 255, rtol=1e-6)
    rows = learning.of_baseline.fit_transform(images.inputs)
    expected = StandardScaler().fit_transform(images.inputs.reshape(len(rows), -1) / 255)
    np.testing.assert_allclose(rows, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "blocks"), [((8, 8), (1, 2, 3)), ((5, 40), (1, 2)), ((3, 3), (1,)), ((1, 9), (1,))]
)
def test_blocks_are_no_more_than_an_image_can_be_halved(shape, blocks, digits):
    images = read_images(digits, (shape[1], shape[0]))
    space = of_images(images, seed=0).space
    assert space.more["hidden_layers"] == blocks
    assert space.n_candidates == 6 * len(blocks)


@pytest.mark.slow
def test_a_folder_is_learnt_from_end_to_end(digits, tmp_path, trained_together):
    from skhp import KerasCNNClassifier

    images = read_images(digits)
    network = KerasCNNClassifier(filters=4, neurons=8, epochs=20)
    with trained_together() as populations:
        study = run_study(images, Settings(**FEW), network=network)
    assert sum(populations) == 2 * 2 + 1 + 5
    # The rare class counts as positive.
    assert images.target.rare_label == "zero"
    labels = images.target.labels[images.target.codes]
    X, X_test, y, y_test = train_test_split(
        images.inputs, labels, test_size=0.25, stratify=labels, random_state=0
    )
    regression = make_pipeline(
        StandardScaler(), LogisticRegression(C=study.baseline.best_params_["baseline__C"])
    ).fit(X.reshape(len(X), -1) / 255, y)
    predicted = regression.predict(X_test.reshape(len(X_test), -1) / 255)
    expected = f1_score(y_test, predicted, pos_label="zero")
    assert study.baseline_scores.f1 == pytest.approx(expected, abs=0.06)
    report = " ".join(render_report(study).split())
    assert "A network against logistic regression on pixels" in report
    assert f"{len(labels)} images of 8 x 8 pixels, grey." in report
    assert "of convolution, the best of 2 with f1" in report
    write_files(study, tmp_path / "out", "report")
    kept = joblib.load(tmp_path / "out" / "pipeline.joblib")
    # The pipeline takes files as they are, and says the names of the folders.
    files = sorted((digits / "zero").iterdir())[:3] + sorted((digits / "one").iterdir())[:3]
    assert set(kept.predict(files)) <= {"zero", "one"}
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    np.testing.assert_array_equal(kept.predict(files), kept.predict(pixels))
    assert kept.predict_proba(files).shape == (6, 2)
    page = write_page(study, tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("Against logistic regression", "predicted zero", "Conv2D", "8 x 8 x 4"):
        assert part in page


def test_a_regression_that_does_not_converge_is_judged_by_its_score(digits):
    images = read_images(digits)
    learning = of_images(images, seed=0)
    hasty = learning.baseline.set_params(max_iter=1)
    search = tune_baseline(
        learning.of_baseline,
        images.inputs,
        images.target.codes,
        get_scorer("f1"),
        StratifiedKFold(2),
        classifier=hasty,
    )
    assert search.best_estimator_[-1].max_iter == 1
    assert search.best_score_ > 0.5
