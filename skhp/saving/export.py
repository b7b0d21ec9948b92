"""`skhp.export`: the network of an estimator alone, for Keras or for ONNX."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from skhp.exceptions import CannotSaveError
from skhp.saving.file_parts.archive import write_whole

_SUFFIXES = (".keras", ".onnx")
_NEEDED_FOR_ONNX = ("onnx", "tf2onnx")


def export(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write the network of a fitted estimator as a ``.keras`` or an ``.onnx`` file.

    The file holds `model_`: rows in, as the network takes them, and probabilities or numbers in the
    unit of the target out. What else belongs to the estimator (labels, threshold, parameters, the
    steps of a pipeline before it) is only in a file of :func:`save`.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator with a `model_`.
    path : str or path-like
        The file. Its ending, ``.keras`` or ``.onnx``, is the format. A file that is there already
        is replaced when the new one is complete.

    Raises
    ------
    CannotSaveError
        If the ending is another one, if the estimator has no `model_`, or if tf2onnx has no
        conversion for the network.
    ImportError
        If the ending is ``.onnx`` and the extra ``skhp[onnx]`` is not installed.

    See Also
    --------
    save : Writes the whole estimator.

    Notes
    -----
    An ``.onnx`` file takes batches of any number of rows in float32. Recurrent networks, whose
    kernels ONNX has in another form, may differ in the last digits.

    Examples
    --------
    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> import skhp
    >>> X, y = np.arange(20.0).reshape(10, 2), np.repeat(["no", "yes"], 5)
    >>> network = skhp.KerasMLPClassifier(epochs=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skhp.export(network, f"{folder}/network.keras")
    ...     model = keras.saving.load_model(f"{folder}/network.keras")
    >>> model.output_shape
    (None, 1)
    """
    place = Path(path)
    if place.suffix not in _SUFFIXES:
        raise CannotSaveError(
            f"{str(place)!r} ends in {place.suffix!r}; export writes '.keras' and '.onnx'. For the "
            "whole estimator use skhp.save."
        )
    if not hasattr(type(estimator), "model_") and not hasattr(estimator, "model_"):
        raise CannotSaveError(
            f"{type(estimator).__name__} has no model_. Export the network in it, such as "
            "pipeline[-1] or search.best_estimator_."
        )
    check_is_fitted(estimator)
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / f"model{place.suffix}"
        if place.suffix == ".keras":
            estimator.model_.save(beside)
        else:
            _write_onnx(estimator.model_, beside)
        write_whole(place, beside.read_bytes())


def _write_onnx(model: keras.Model, path: Path) -> None:
    missing = [name for name in _NEEDED_FOR_ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"An .onnx file needs {' and '.join(missing)}: pip install 'skhp[onnx]'.")
    # Keras asks for a model that was called. A row of zeros does not change it.
    rows = {
        one.name: np.zeros((1, *(size or 1 for size in one.shape[1:])), one.dtype)
        for one in model.inputs
    }
    model(rows if len(rows) > 1 else next(iter(rows.values())), training=False)
    with warnings.catch_warnings():
        # Keras 3.15 mends tf2onnx 1.17 for NumPy 2, and asks NumPy for a name that it warns of.
        warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)
        try:
            model.export(path, format="onnx", verbose=False)
        except (NotImplementedError, ValueError) as error:
            raise CannotSaveError(f"tf2onnx cannot convert this network: {error}") from error
