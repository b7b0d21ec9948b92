"""The predictions of labels by a wrapped model, with a threshold for two classes."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.early_stopping import WatchedRows
from skhp.estimators.keras_model.label_encoding import (
    LabelWrapper,
    as_probabilities,
    likelier_of_two,
    log_probabilities,
    output_form,
)
from skhp.estimators.keras_model.wrapped_rows import CheckedFit, HeldOutLabels
from skhp.estimators.threshold import DecidesByThreshold, Threshold
from skhp.exceptions import InvalidParameterError
from skhp.objectives.numbered_loss import NumberedLoss
from skhp.shared.best_threshold import TunedByFolds
from skhp.shared.rarest_class import class_counts, rarest_position


class LabelDecisions(DecidesByThreshold, LabelWrapper):
    """Predictions of labels, with a threshold for the rarer of two; not for direct use."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LabelWrapper._parameter_constraints,
        "threshold": [StrOptions({"tune"}), Interval(Real, 0, 1, closed="neither")],
    }

    def predict(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """The most likely class of each row; for two classes, the one that the threshold gives.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        **kwargs : dict
            Arguments of ``model.predict`` for this call.

        Returns
        -------
        y : ndarray of the shape and type of the labels in `fit`
        """
        if not hasattr(self, "rare_class_"):
            return self._as_given(super().predict(X, **kwargs))
        threshold, outputs = self._current_threshold(), self._predict_raw(X, **kwargs)
        # Outputs tell which class is likelier even if they are not probabilities.
        of_two = likelier_of_two(outputs) if threshold.value == 0.5 else None
        if of_two is None:
            of_two = self.target_encoder_.inverse_transform(outputs, return_proba=True)
        return self.labels_at(threshold.positions(of_two))

    def labels_at(self, positions: np.ndarray) -> np.ndarray:
        """Labels of the classes at these positions in `classes_`, in the form of the target."""
        return self._as_given(self.classes_[positions])

    def predict_proba(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Probabilities of the classes for each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        **kwargs : dict
            Arguments of ``model.predict`` for this call.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        ValueError
            If the outputs of the model are not probabilities.
        """
        outputs = self._predict_raw(X, **kwargs)
        return self.target_encoder_.inverse_transform(outputs, return_proba=True)

    def predict_log_proba(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Logarithms of the probabilities of the classes for each row.

        If the loss of the model has ``from_logits=True``, they are computed from the logits and are
        finite. Other models return probabilities in float32, and the logarithm of a probability
        that rounds to 0 is minus infinity.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        **kwargs : dict
            Arguments of ``model.predict`` for this call.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        ValueError
            If the outputs of the model are not probabilities.
        """
        outputs = self._own_outputs(X, **kwargs)
        probabilities = self.target_encoder_.inverse_transform(
            as_probabilities(outputs, self.model_.loss), return_proba=True
        )
        own = self._encodes_labels() and self.target_type_ in ("binary", "multiclass")
        logarithms = log_probabilities(outputs, self.model_.loss) if own else None
        if logarithms is not None:
            return logarithms
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    # A fit

    def _checked(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        warm_start: bool,
        keywords: dict[str, Any],
        whole: bool,
    ) -> CheckedFit:
        if not whole and not hasattr(self, "threshold_"):
            self._refuse_to_tune("partial_fit")
        checked = super()._checked(X, y, sample_weight, warm_start, keywords, whole)
        self._refuse_threshold()
        if self.threshold != "tune" or not whole:
            return checked
        if isinstance(self.threshold, TunedByFolds) and not _holds_out(checked):
            return checked
        return checked._replace(held_out=self._held_out_labels(checked, "threshold='tune'"))

    def _initialize(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        self._refuse_to_tune("initialize")
        X, y = super()._initialize(X, y)
        self._settle(None, inputs=lambda: ())
        return X, y

    def _count_classes(self, y: np.ndarray, used: np.ndarray) -> None:
        super()._count_classes(y, used)
        self._refuse_threshold()
        self._forget_threshold()
        self.__dict__.pop("_rarest", None)
        # Labels in a column have no threshold, but the loss and the monitor need their rarer class.
        if self.target_type_ == "binary" and self._encodes_labels():
            known = self._known_classes()
            classes, counts = class_counts(y[used], y if known is None else known)
            self._rarest = rarest_position(counts)
            if self._has_two_classes():
                self.rare_class_ = classes[self._rarest]

    def _get_compile_kwargs(self) -> dict[str, Any]:
        compiled = super()._get_compile_kwargs()
        if "_rarest" in vars(self) and isinstance(compiled.get("loss"), NumberedLoss):
            compiled["loss"] = compiled["loss"].about(self._rarest)
        return compiled

    def _settle(self, held_out: HeldOutLabels | None, inputs: Callable[[], Any]) -> None:
        if not self._has_two_classes():
            # After a population, attributes learnt from an earlier target are still there.
            self._forget_threshold()
        elif self.threshold != "tune":
            self._threshold = Threshold(float(self.threshold), self._rarest)
        elif held_out is not None:
            outputs = self._probable_outputs(inputs())
            self._threshold = Threshold.tuned(
                self.target_encoder_.inverse_transform(outputs, return_proba=True),
                held_out.labels == self.rare_class_,
                held_out.weight,
                self._rarest,
            )

    def _probable_outputs(self, inputs: Any) -> Any:
        """Probabilities for encoded inputs, computed from the outputs as in `_predict_raw`."""
        return as_probabilities(self._model_outputs(inputs), self.model_.loss)

    def _watched_rows(self, checked: CheckedFit, held_out: Any) -> WatchedRows:
        labels, weight = self._held_out_labels(checked, f"monitor={self.monitor!r}")
        target, sign = np.searchsorted(self.classes_, np.ravel(labels)), 1.0
        if len(self.classes_) == 2:
            target, sign = (target == self._rarest).astype(int), 1.0 if self._rarest else -1.0
        return WatchedRows(
            target,
            weight,
            lambda: self._probable_outputs(held_out[0]),
            output_form(self.model_.loss, self._output_units or 1),
            sign,
        )

    def _refuse_encoded_target(self) -> None:
        if self._encodes_labels() and self.target_type_ in ("binary", "multiclass"):
            return
        what = f"y is {self.target_type_}"
        if not self._encodes_labels():
            what = f"{type(self).__name__} has a target_encoder of its own"
        raise InvalidParameterError(
            f"monitor={self.monitor!r} is for labels of classes, and {what}: set "
            "monitor='val_loss', or name a metric that the model is compiled with."
        )

    def _forget_threshold(self) -> None:
        for name in ("rare_class_", "_threshold"):
            self.__dict__.pop(name, None)

    def _has_two_classes(self) -> bool:
        is_column = self.y_ndim_ == 2 and self._one_hot_columns is None
        return self.target_type_ == "binary" and not is_column and self._encodes_labels()

    # Checks of the threshold

    def _refuse_threshold(self) -> None:
        if self.threshold == 0.5 or self._has_two_classes():
            return
        if not self._encodes_labels():
            what = f"{type(self).__name__} has a target_encoder of its own"
        elif self.target_type_ == "binary":
            what = "y has 2 dimensions (y.ravel() has one)"
        else:
            what = f"y is {self.target_type_}"
        raise InvalidParameterError(
            f"threshold={self.threshold!r} is for labels of two classes, and {what}: leave it at "
            "0.5."
        )

    def _refuse_to_tune(self, method: str) -> None:
        if self.threshold == "tune":
            raise InvalidParameterError(
                f"threshold='tune' needs held-out rows, and {method} holds none out. Set a number, "
                "or begin with fit."
            )

    def _held_out_labels(self, checked: CheckedFit, purpose: str) -> HeldOutLabels:
        n_training, used = checked.arguments["n_training"], checked.used
        given = checked.arguments.get("validation_data")
        if given is not None:
            return self._given_labels(given, purpose)
        if not _holds_out(checked):
            raise InvalidParameterError(
                f"{purpose} needs rows that are held out of the training: set "
                "validation_split, e.g. to 0.2, or early_stopping=True, or pass "
                "validation_data=(X, y) to fit."
            )
        # Class weights are for the training only, so they do not weigh the F1.
        weight = checked.sample_weight
        return HeldOutLabels(
            checked.y[used][n_training:],
            None if weight is None else weight[used][n_training:],
        )

    def _given_labels(self, given: Any, purpose: str) -> HeldOutLabels:
        labels = np.asarray(given[1]) if isinstance(given, (tuple, list)) else None
        if labels is None or labels.ndim != self.y_ndim_:
            raise InvalidParameterError(
                f"{purpose} needs validation_data=(X, y) with a y of labels that has "
                f"{self.y_ndim_} dimension(s), as in fit, "
                f"got {type(given).__name__ if labels is None else f'y of shape {labels.shape}'}."
            )
        labels = self._as_labels(labels, first=False)
        weight = given[2] if len(given) > 2 else None
        return HeldOutLabels(labels, None if weight is None else np.asarray(weight, np.float64))


def _holds_out(checked: CheckedFit) -> bool:
    """Whether a fit holds rows out, or was given such rows."""
    given = checked.arguments.get("validation_data") is not None
    return given or bool(checked.arguments["n_training"] < checked.used.sum())
