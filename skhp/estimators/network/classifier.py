"""The base of our own networks that classify: encodes labels and class weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skhp.compat.scikit_learn import Interval, StrOptions, fit_context
from skhp.estimators.early_stopping import monitors
from skhp.estimators.familiar_names import CLASSIFICATION_MONITORS
from skhp.estimators.network.class_decisions import ClassDecisions
from skhp.estimators.parameters import NamesIn
from skhp.estimators.tables import EncodedTarget
from skhp.exceptions import InvalidParameterError, RareClassWarning
from skhp.objectives.losses import (
    CLASSIFICATION_ALIASES,
    NetworkLoss,
    is_for_two_classes,
    own_loss,
)
from skhp.objectives.metrics import CLASSIFICATION_METRICS, Metric
from skhp.objectives.numbered_loss import NAMED_LOSSES, name_of_loss
from skhp.shared.class_targets import class_labels, one_hot_classes
from skhp.training.training_rows import TrainingRows


def network_loss(loss: Any, rarest: int, n_classes: int) -> str | NetworkLoss:
    """The loss of a network; `rarest` is the number of the rarer class, if there are two."""
    if n_classes > 2 and is_for_two_classes(loss):
        own = "focal" if "focal" in repr(loss).lower() else "crossentropy"
        raise InvalidParameterError(
            f"loss={loss!r} is for two classes, and y has {n_classes}: write {own!r}, which takes "
            "any number of classes."
        )
    loss = own_loss(loss)
    if isinstance(loss, str):
        if loss not in NAMED_LOSSES:
            return loss
        loss = NAMED_LOSSES[loss]()
    loss.numbers_of_member()
    if n_classes == 2:
        loss = loss.about(rarest)
    return NetworkLoss(name_of_loss(type(loss)), tuple(loss.get_params().items()))


def warn_of_empty_batches(
    loss: str | NetworkLoss, rows: TrainingRows, batch_size: int, rarest: int, label: Any
) -> None:
    """Warn if most batches would hold no row of the rarest class, whose F1 is to be learnt."""
    if isinstance(loss, str) or loss.name != "soft_f1":
        return
    n_rows, n_rare = len(rows.X), int((np.ravel(rows.y) == rarest).sum())
    share = hypergeom(n_rows, n_rare, min(batch_size, n_rows)).pmf(0)
    if share > 0.5:
        warnings.warn(
            f"{share:.0%} of the batches of {batch_size} rows hold no row of class {label!r} "
            f"({n_rare} of {n_rows} rows), so loss='soft_f1' learns nothing about it from them. "
            "Set a larger batch_size, or batch_size='full'.",
            RareClassWarning,
            stacklevel=2,
        )


class NetworkClassifier(ClassifierMixin, ClassDecisions):
    """Base of the classifiers whose network is a `NetworkDescription`; not for direct use."""

    _row_parameters: ClassVar[tuple[str, ...]] = ("class_weight",)

    _metrics: ClassVar[dict[str, Metric]] = CLASSIFICATION_METRICS
    _monitors: ClassVar[dict[str, str]] = CLASSIFICATION_MONITORS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ClassDecisions._parameter_constraints,
        "loss": [
            StrOptions(NamesIn(NAMED_LOSSES, "auto", "crossentropy", *CLASSIFICATION_ALIASES)),
            callable,
        ],
        "monitor": [StrOptions(monitors(CLASSIFICATION_METRICS, CLASSIFICATION_MONITORS))],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "threshold": [StrOptions({"tune"}), Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        class_weight: Mapping[Any, float] | str | None = None,
        threshold: float | str = 0.5,
        **of_training: Any,
    ) -> None:
        super().__init__(**of_training)
        self.class_weight = class_weight
        self.threshold = threshold

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on all of these rows, from the current weights of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of one-hot rows
        classes : array-like of shape (n_classes,), default=None
            All classes; needed in the first call unless `y` holds them all.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As in `fit`, or if a label is not in `classes`.
        """
        if self.class_weight == "balanced":
            raise InvalidParameterError(
                "class_weight='balanced' needs all the rows at once, which partial_fit never sees. "
                "Pass the weights as a dict, e.g. from "
                "sklearn.utils.class_weight.compute_class_weight('balanced', ...)."
            )
        if self.threshold == "tune" and not hasattr(self, "threshold_"):
            raise InvalidParameterError(
                "threshold='tune' needs held-out rows, and partial_fit holds none out. Set a "
                "number, or begin with fit."
            )
        return self._partial_fit(X, y, sample_weight, classes)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of the predictions for `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of one-hot rows
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        # Nullable pandas columns become one-hot rows of objects, which scikit-learn does not read.
        labels, predicted = class_labels(y), class_labels(self.predict(X))
        return float(accuracy_score(labels, predicted, sample_weight=sample_weight))

    def _encode_target(
        self,
        y: np.ndarray,
        *,
        first: bool,
        classes: ArrayLike | None = None,
        held_out: bool = False,
    ) -> EncodedTarget:
        check_classification_targets(class_labels(y))
        y = self._labels(y, first=first)
        if first:
            self._learn_classes(y, classes)
        unseen = np.setdiff1d(y, self.classes_)
        if unseen.size:
            raise ValueError(
                f"y has labels that are not among the classes: {unseen.tolist()}. The classes are "
                f"{self.classes_.tolist()}: name all in the first partial_fit, or fit anew."
            )
        labels = np.searchsorted(self.classes_, y)
        if not held_out:
            self._weight_of_class = self._computed_class_weight(labels)
        binary = len(self.classes_) == 2
        return EncodedTarget(
            values=labels.astype(np.float32)[:, None] if binary else labels.astype(np.int32),
            labels=labels,
            class_weight=self._weight_of_class[labels],
            output="binary" if binary else "multiclass",
            n_outputs=1 if binary else len(self.classes_),
        )

    def _learn_classes(self, y: np.ndarray, classes: ArrayLike | None) -> None:
        if self._one_hot is not None:
            classes = one_hot_classes(self._one_hot.n_columns, classes)
        known = np.unique(y if classes is None else np.asarray(classes))
        if len(known) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, got one class only: "
                f"{known.tolist()[0]!r}."
            )
        self.classes_ = known

    def _network_loss(self) -> str | NetworkLoss:
        return network_loss(self.loss, self._rarest, len(self.classes_))

    def _warn_of_batches(self, rows: TrainingRows, batch_size: int) -> None:
        rarest = self._rarest
        label = self.classes_.tolist()[rarest]
        warn_of_empty_batches(self._network_loss(), rows, batch_size, rarest, label)

    def _computed_class_weight(self, labels: np.ndarray) -> np.ndarray:
        weight = np.ones(len(self.classes_))
        if self.class_weight == "balanced":
            present = np.unique(labels)
            weight[present] = compute_class_weight("balanced", classes=present, y=labels)
        elif self.class_weight is not None:
            given: dict[Any, float] = dict(self.class_weight)  # type: ignore[arg-type]
            weight = compute_class_weight(given, classes=self.classes_, y=self.classes_[labels])
            if not (np.isfinite(weight).all() and (weight >= 0).all()):
                raise InvalidParameterError(
                    f"class_weight={given!r} must hold finite numbers from 0 up."
                )
        return weight
