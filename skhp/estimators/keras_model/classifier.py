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
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper, Model
from skhp.objectives.metrics import CLASSIFICATION_METRICS, Metric


class KerasClassifier(ClassifierMixin, LabelDecisions):
    """Any Keras model as a classifier, with the conventions of SciKeras.

    Parameters
    ----------
    model : callable or keras.Model, default=None
        Build function that returns a Keras model, compiled or not. Its parameters become those of
        the estimator: `neurons` is set by ``model__neurons=10`` or ``neurons=10``. A parameter
        `meta` is given what `fit` knows of the data, as ``meta["n_features_in_"]`` and
        ``meta["n_classes_"]``; `compile_kwargs`, what ``model.compile`` takes; `params`, all
        parameters of the estimator. A model that is built already is copied before each fit.
    build_fn : callable or keras.Model, default=None
        Former name of `model`.
    warm_start : bool, default=False
        Go on with the fitted model in each further `fit`.
    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the noise of layers and the order of the rows. With an integer,
        a fit gives the same bits each time, also next to others in other threads. No global random
        generator is read or changed.
    optimizer : str, class or instance of keras.optimizers.Optimizer, default="rmsprop"
        Its arguments are routed to it, as ``optimizer__learning_rate=0.01``.
    loss : str, function, class or instance of keras.losses.Loss, default=None
        Needed unless the build function compiles its model. With categorical crossentropy, the
        classes are given to the model as columns of zeros and ones.
    metrics : list of str, function, class or instance of keras.metrics.Metric, default=None
        Metrics that are noted after each epoch.
    batch_size : int or None, default=None
        Rows in a batch; None is 32, -1 all rows.
    validation_batch_size : int or None, default=None
        Rows in a batch of the validation; None is `batch_size`.
    verbose : int or "auto", default=0
        How much is printed while the model is trained.
    callbacks : callback, list or dict of callbacks, default=None
        Classes or instances of keras.callbacks.Callback; the arguments of classes are routed to
        them, as ``callbacks__patience=3``. Instances are copied before each fit. `callbacks_`
        has those that took part. Populations know what keras.callbacks.EarlyStopping does; all
        others run in Python, so that Keras trains the model.
    validation_split : float, default=0.0
        Share of the rows, the last ones, that is not trained on but watched.
    shuffle : bool, default=True
        Take the rows in another order in each epoch.
    run_eagerly : bool, default=False
        Let Keras run without compiling anything, to debug a model.
    epochs : int, default=1
        Passes over the rows; with early stopping the most that there are.
    early_stopping : bool, default=False
        Stop when `monitor` on rows held out has not improved for `patience` epochs; the weights of
        the best epoch are kept in any case. Held out are the rows of `validation_split` where it is
        set, those of the ``validation_data`` given to `fit`, or else a share that is drawn.
    patience : int, default=10
        Epochs without an improvement that early stopping waits for. Without early stopping, this
        and the next three have no effect.
    min_delta : float, default=0.0
        A smaller change of `monitor` is no improvement.
    monitor : str, default="val_loss"
        What early stopping watches: "val_loss", a metric that the model is compiled with, as
        "val_accuracy", or one of those of the multilayer perceptrons, as "val_f1", which is
        computed over all rows held out.
    validation_fraction : float, default=0.2
        Share of the rows that early stopping holds out, drawn by `random_state`; copies of a row
        are on one side, and each class of two rows or more on both.
    engine : {"auto", "population", "keras"}, default="auto"
        What trains the model: the compiled program that trains whole populations, and a lone fit as
        a cohort of one, or Keras' own ``fit``. "auto" takes Keras where the model cannot join a
        population (it has callbacks other than EarlyStopping, layers that TensorFlow cannot
        vectorise, metrics that are no means over rows, ...), and logs why at level INFO of the
        logger "skhp"; "population" raises a `CannotJoinError` there.
        Weights agree to rounding, but for dropout, whose noise the two draw differently.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with the sample weights.
    threshold : float or "tune", default=0.5
        For two classes: the probability of the rarest from which on `predict` says it; at this
        probability itself it says the rarest. "tune" takes the one with the greatest F1 on the rows
        held out, after the training: those that early stopping watches, of `validation_split`, or
        of the ``validation_data`` given to `fit`.
    **kwargs : dict
        Parameters of the build function, and parameters with a prefix that tells where they go:
        ``model__``, ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``, ``compile__``,
        ``fit__``, ``predict__``, ``score__``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_classes_ : int
    model_ : keras.Model
        The trained model.
    history_ : dict
        A list of values, one an epoch, for the loss and each metric.
    rare_class_ : label
        The class with the fewest rows in `fit`, those that are held out included, whatever they
        weigh (rows of weight zero do not count); of equals the last. Only for two classes.
    threshold_ : float
        The probability of `rare_class_` that `predict` goes by; only for two classes.
    n_iter_ : int
        Epochs in `history_`.
    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept: with early stopping the best one, and
        the last one otherwise.
    stop_reason_ : {"epochs", "patience", "callback", "non_finite_loss"}
        Why the training ended: "patience" by `early_stopping`, "callback" by one of `callbacks`.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks that took part in the last fit. They are not pickled.
    target_encoder_, feature_encoder_ : transformers
        What stands between the data and the model; see `target_encoder` and `feature_encoder`.
    target_type_ : str
        Kind of the target, as by ``sklearn.utils.multiclass.type_of_target``; of rows that each
        hold a single 1, that of the labels that they stand for.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if `X` had names that are all strings.
    n_outputs_, n_outputs_expected_ : int
        Columns of the target, and outputs that the model must have.
    X_shape_, X_dtype_, y_ndim_, y_dtype_
        What the data of the first fit were like.

    See Also
    --------
    KerasRegressor : The same for numbers.
    skhp.KerasMLPClassifier : Multilayer perceptron with the layers as parameters.

    Notes
    -----
    Changing ``from scikeras.wrappers import KerasClassifier`` into ``from skhp import
    KerasClassifier`` is all that SciKeras' users need to do. Unlike there, a fit is quiet unless
    `verbose` is set, a model given as `model` is never changed, `random_state` touches no global
    generator, and a parameter that nothing takes, or that would have no effect, is an error: as
    `optimizer` where the build function compiles its model.

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
        engine: str = "auto",
        class_weight: Any = None,
        threshold: float | str = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model=model,
            build_fn=build_fn,
            warm_start=warm_start,
            random_state=random_state,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            batch_size=batch_size,
            validation_batch_size=validation_batch_size,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            shuffle=shuffle,
            run_eagerly=run_eagerly,
            epochs=epochs,
            early_stopping=early_stopping,
            patience=patience,
            min_delta=min_delta,
            monitor=monitor,
            validation_fraction=validation_fraction,
            engine=engine,
        )
        self.class_weight = class_weight
        self.threshold = threshold
        self._add_extra(kwargs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **kwargs: Any
    ) -> Self:
        """Build the model and train it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
            Sparse matrices are made dense.
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of zeros and ones
            Rows that each hold a single 1 are classes, the numbers of the columns; predictions
            have the same form.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; only their ratios matter.
        **kwargs : dict
            Arguments of ``model.fit`` for this call, as ``validation_data``. Targets there have
            the form of `y`.

        Returns
        -------
        self : object

        Raises
        ------
        InvalidParameterError
            If a parameter has a wrong value, or nothing takes it.
        CannotJoinError
            If `engine` is "population", and Keras alone can train the model.
        ValueError
            If the data are not finite, have one class only, or do not fit the outputs of the model.

        Warns
        -----
        NonFiniteLossWarning
            If the loss became NaN or infinite; the weights before it are kept.
        """
        self._given_classes = None
        return self._fit_observed(X, y, sample_weight, kwargs)

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
            All classes there are, for the first call; None takes those of `y`.
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
        return super().partial_fit(X, y, sample_weight=sample_weight, **kwargs)

    def initialize(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Build the model without training it, as for a model that is trained already.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of zeros and ones

        Returns
        -------
        self : object
        """
        self._given_classes = None
        return super().initialize(X, y)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of the predictions for `X`, or what a subclass has as `scorer`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of zeros and ones
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        return KerasWrapper.score(self, X, self._as_learnt(y), sample_weight)

    @staticmethod
    def scorer(y_true: ArrayLike, y_pred: ArrayLike, **kwargs: Any) -> float:
        """Accuracy; a subclass may score by another function.

        Parameters
        ----------
        y_true, y_pred : array-like
        **kwargs : dict
            `sample_weight`, and what was given as ``score__``.

        Returns
        -------
        score : float
        """
        return accuracy_score(y_true, y_pred, **kwargs)
