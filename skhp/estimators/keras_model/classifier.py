"""Any Keras model as a classifier."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from skhp.compat.scikit_learn import fit_context
from skhp.estimators.early_stopping import Monitors, monitors
from skhp.estimators.familiar_names import CLASSIFICATION_MONITORS
from skhp.estimators.keras_model.label_decisions import LabelDecisions
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper
from skhp.estimators.keras_model.wrapper_parameters import ATTRIBUTES, PARAMETERS, Base, Model
from skhp.estimators.parameters import keeps_parameters
from skhp.estimators.several_inputs import InputColumns
from skhp.objectives.metrics import CLASSIFICATION_METRICS, Metric
from skhp.shared.documented_parameters import documented


@documented(PARAMETERS, ATTRIBUTES)
class KerasClassifier(ClassifierMixin, LabelDecisions):
    """Any Keras model as a classifier, with the conventions of SciKeras.

    Parameters
    ----------
    model : callable or keras.Model, default=None
        Build function that returns a Keras model, compiled or not, or a built model, which is
        copied before each fit. The parameters of the function become parameters of the estimator:
        `neurons` is set by ``model__neurons=10`` or ``neurons=10``. Three names are reserved: `fit`
        passes its knowledge of the data as `meta`, such as ``meta["n_features_in_"]`` and
        ``meta["n_classes_"]``, the arguments for ``model.compile`` as `compile_kwargs`, and all
        parameters of the estimator as `params`.
    loss : str, function, class or instance of keras.losses.Loss, default=None
        Needed unless the build function compiles its model. For categorical crossentropy, the model
        is given the classes as columns of zeros and ones.
    monitor : str, default="val_loss"
        The value that early stopping watches: "val_loss", a metric that the model is compiled with,
        such as "val_accuracy", or a metric of the multilayer perceptrons, such as "val_f1", which
        is computed over all held-out rows.
    validation_fraction : float, default=0.2
        Share of the rows that early stopping holds out. If they are drawn at random, every class of
        at least two rows is on both sides of the split.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, by its label; multiplied by the sample weights.
    threshold : float or "tune", default=0.5
        For two classes: `predict` returns the rarer one if its probability is at least this. "tune"
        chooses the threshold with the greatest F1 on the held-out rows, after the training. The
        held-out rows are those of early stopping, of `validation_split`, or of the
        ``validation_data`` given to `fit`. Without such rows, a searcher of skhp chooses the
        threshold on the test rows of its folds and sets it in its ``best_estimator_``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_classes_ : int
        Number of classes.
    rare_class_ : label
        Only for two classes: the one with the fewest rows in `fit`, including held-out rows but not
        rows of weight zero; other weights are ignored. If both are equally rare, it is
        ``classes_[1]``.
    threshold_ : float
        The least probability of `rare_class_` with which `predict` returns it; only for two
        classes.
    target_type_ : str
        Kind of the target, as returned by ``sklearn.utils.multiclass.type_of_target``; for rows
        that each hold a single 1, the kind of the labels that they stand for.
    {attributes}

    See Also
    --------
    KerasRegressor : The same for numbers.
    skhp.KerasMLPClassifier : Multilayer perceptron with the layers as parameters.

    Notes
    -----
    Users of SciKeras only need to change ``from scikeras.wrappers import KerasClassifier`` into
    ``from skhp import KerasClassifier``. Unlike in SciKeras, a fit is quiet unless `verbose` is
    set, a model given as `model` is never changed, `random_state` does not seed global generators,
    and a parameter that is unknown or has no effect is an error: for example `optimizer`, if the
    build function compiles its model.

    Examples
    --------
    >>> import keras
    >>> from skhp import KerasClassifier
    >>> def build(meta, neurons=4):
    ...     return keras.Sequential(
    ...         [
    ...             keras.Input((meta["n_features_in_"],)),
    ...             keras.layers.Dense(neurons, activation="tanh"),
    ...             keras.layers.Dense(1, activation="sigmoid"),
    ...         ]
    ...     )
    >>> classifier = KerasClassifier(
    ...     build,
    ...     model__neurons=8,
    ...     loss="binary_crossentropy",
    ...     optimizer="adam",
    ...     optimizer__learning_rate=0.1,
    ...     epochs=20,
    ...     random_state=0,
    ... )
    >>> X = [[0.0], [0.2], [0.8], [1.0]]
    >>> classifier.fit(X, ["low", "low", "high", "high"]).predict([[0.1], [0.9]]).tolist()
    ['low', 'high']
    """

    _metrics: ClassVar[dict[str, Metric]] = CLASSIFICATION_METRICS
    _monitors: ClassVar[dict[str, str]] = CLASSIFICATION_MONITORS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LabelDecisions._parameter_constraints,
        "monitor": [Monitors(monitors(CLASSIFICATION_METRICS, CLASSIFICATION_MONITORS))],
    }

    @keeps_parameters
    def __init__(
        self,
        model: Model = None,
        *,
        build_fn: Model = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        validation_batch_size: int | None = None,
        verbose: int = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        run_eagerly: bool = False,
        epochs: int = 1,
        early_stopping: bool = False,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        validation_fraction: float = 0.2,
        validation_rows: str = "random",
        engine: str = "auto",
        input_columns: InputColumns | None = None,
        base_model: Base = None,
        freeze: bool | int = True,
        fine_tune_epochs: int = 0,
        fine_tune_learning_rate: float | None = None,
        class_weight: Any = None,
        threshold: float | str = 0.5,
        **kwargs: Any,
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **kwargs: Any,
    ) -> Self:
        """Train for one more epoch.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of zeros and ones
        classes : array-like of shape (n_classes,), default=None
            All classes, for the first call; None takes the classes in `y`.
        sample_weight : array-like of shape (n_samples,), default=None
        **kwargs : dict
            Arguments of ``model.fit`` for this call.

        Returns
        -------
        self : object
        """
        given = None if classes is None else np.unique(np.asarray(classes))
        if self.initialized_ and given is not None and not np.array_equal(given, self.classes_):
            raise ValueError(
                f"classes={given} are not those of the first call to partial_fit, which were "
                f"{self.classes_}."
            )
        self._given_classes = given
        try:
            return super().partial_fit(X, y, sample_weight=sample_weight, **kwargs)
        finally:
            del self._given_classes

    # Without this line, ClassifierMixin.score would come first.
    score = KerasWrapper.score

    @staticmethod
    def scorer(y_true: ArrayLike, y_pred: ArrayLike, **kwargs: Any) -> float:
        """Accuracy; a subclass may score by another function.

        Parameters
        ----------
        y_true, y_pred : array-like
        **kwargs : dict
            `sample_weight`, and the parameters given with the prefix ``score__``.

        Returns
        -------
        score : float
        """
        return accuracy_score(y_true, y_pred, **kwargs)
