"""The network as a scikit-learn classifier, for pipelines, searches and cross-validation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from nncore.arrays import Floats, Pixels
from nncore.errors import ConfigError, NonFiniteLossError
from nncore.layers import LAYERS, Dense, Layer, activations
from nncore.losses import Loss, SoftmaxCrossEntropy
from nncore.network import Network
from nncore.optimizers import Optimizer
from nncore.recipe import EarlyStopping, Recipe
from nncore.schedules import Schedule
from nncore.specs import Named, from_json, require_number
from nncore.training import EpochStats, Examples, fit


class Activation(Named):
    """Those of the layers that may stand behind a hidden layer."""

    kind = "activation"
    names: ClassVar[Mapping[str, type[Layer]]] = {
        name: cls for name, cls in LAYERS.items() if cls.__module__ == activations.__name__
    }


def unscaled(features: Pixels) -> Floats:
    """Return `features` itself, a float array."""
    return features


class NeuralNetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped bases
    """A dense network with softmax outputs, trained on cross-entropy by mini-batch descent.

    Features are taken as they are, as by scikit-learn's ``MLPClassifier``: let a
    ``StandardScaler`` go before it in a ``Pipeline``. The network computes in the dtype of the
    `X` it was fitted to: float32, which takes about half the time, where `X` is that, else
    float64. What stands beside a row changes its probabilities by 1e-6 in float32 and by 1e-15 in
    float64, as BLAS adds up in another order; scikit-learn's checks allow 1e-7.

    Parameters
    ----------
    hidden : tuple of int, or int
        Units of each hidden layer; ``()`` is logistic regression.
    activation : str, dict or Layer
        What stands behind each hidden layer: "relu", "tanh" or another of `LAYERS` that is an
        activation. Hyperparameters of its own can be given as
        ``{"type": "leaky_relu", "slope": 0.2}`` or ``LeakyReLU(slope=0.2)``; the same holds for
        `optimizer` and `schedule`.
    optimizer : str, dict or Optimizer
        "adam" or another of `OPTIMIZERS`.
    learning_rate : float or None
        Takes the place of the optimizer's own; None leaves that.
    schedule : str, dict or Schedule
        How the learning rate changes in the course of `epochs`: "cosine" or another of
        `SCHEDULES`.
    epochs : int
        How often each row is seen.
    batch_size : int or None
        Rows of a step; None: all.
    l2 : float
        `l2` times the weights, not the biases, is added to their gradients.
    dropout : float
        Share, 0-1, of each hidden layer's outputs that is dropped in training.
    label_smoothing : float
        Share, 0-1, of a row's target that is spread over all classes.
    early_stopping : bool
        Whether to hold out `validation_fraction` of the rows, by classes, to end the training
        where their loss has not fallen for `patience` epochs, and to keep the best parameters.
    patience : int
        Epochs. Without `early_stopping` not used.
    validation_fraction : float
        Above 0 and below 1. Without `early_stopping` not used.
    random_state : int, numpy.random.RandomState or None
        Of initial weights, split, shuffling and dropout. Same int, data and machine: same
        parameters. None: NumPy's global generator.

    Attributes
    ----------
    classes_ : array (k,)
        The labels, sorted.
    n_features_in_ : int
    feature_names_in_ : array of str (n_features_in_,)
        Only where `X` had columns with names that are all texts.
    network_ : Network
        Trained; its outputs are k logits.
    loss_curve_ : list of float
        Mean training loss of each epoch, in nats.
    n_iter_ : int
        Epochs run.
    """

    def __init__(
        self,
        *,
        hidden: Any = (128, 64),
        activation: Any = "relu",
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = "cosine",
        epochs: int = 100,
        batch_size: int | None = 32,
        l2: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        early_stopping: bool = False,
        patience: int = 5,
        validation_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "NeuralNetClassifier":
        """Train a new network.

        Parameters
        ----------
        X : array-like (n, features)
            Finite numbers; all but float32 become float64.
        y : array-like (n,)
            Labels: numbers or texts.

        Returns
        -------
        self : NeuralNetClassifier

        Raises
        ------
        ValueError
            If a hyperparameter is wrong (the message names it), if `X` or `y` cannot be
            used, or if the loss or the weights became infinite or NaN.
        """
        recipe, hidden = self._checked()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], order="C")
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        random = check_random_state(self.random_state)
        train, held_out = self._split(Examples(X, labels), random)
        rng = np.random.default_rng(random.randint(2**32, size=4, dtype=np.uint32))
        network = Network([*hidden, Dense(len(classes))], X.shape[1:], dtype=X.dtype)
        network.init(rng)
        self.loss_curve_ = _train(network, train, held_out, recipe, rng)
        self.n_iter_ = len(self.loss_curve_)
        self.classes_, self.network_ = classes, network
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class, in the order of `classes_`.

        Parameters
        ----------
        X : array-like (n, n_features_in_)

        Returns
        -------
        probabilities : float array (n, k)
            Of the network's dtype. Rows sum to 1.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If `X` cannot be used or has another number of features than in `fit`.
        """
        check_is_fitted(self, "network_")
        X = validate_data(self, X, dtype=self.network_.params.dtype, reset=False)
        size = self.network_.rows_at_once
        logits = [self.network_.logits(X[rows]) for rows in gen_batches(len(X), size)]
        return SoftmaxCrossEntropy().probabilities(np.concatenate(logits))

    def predict(self, X: Any) -> Any:
        """Return the most probable label of each row, array (n,); as `predict_proba` otherwise."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _checked(self) -> tuple[Recipe, list[Layer]]:
        """Return what the hyperparameters stand for. Raises ValueError, by their names."""
        try:
            return self._recipe(), self._hidden()
        except ConfigError as error:
            raise ValueError(
                "; ".join(f"{e.pointer.strip('/')}: {e.detail}" for e in error.errors)
            ) from None

    def _recipe(self) -> Recipe:
        require_number("validation_fraction", _plain(self.validation_fraction), above=0, below=1)
        stopping = from_json(EarlyStopping, {"patience": _plain(self.patience)})
        loss = {"type": "softmax_cross_entropy", "label_smoothing": _plain(self.label_smoothing)}
        numbers = {name: _plain(getattr(self, name)) for name in ("epochs", "batch_size", "l2")}
        recipe: Recipe = from_json(Recipe, numbers)
        return replace(
            recipe,
            loss=from_json(Loss, loss),
            optimizer=self._optimizer(),
            schedule=_choice(Schedule, self.schedule, "/schedule"),
            early_stopping=stopping if self._stops_early() else None,
        )

    def _stops_early(self) -> bool:
        stops: bool = from_json(bool, _plain(self.early_stopping), "/early_stopping")
        return stops

    def _optimizer(self) -> Optimizer:
        optimizer: Optimizer = _choice(Optimizer, self.optimizer, "/optimizer")
        rate = from_json(float | None, _plain(self.learning_rate), "/learning_rate")
        return optimizer if rate is None else replace(optimizer, learning_rate=rate)

    def _hidden(self) -> list[Layer]:
        """Return all layers but the last."""
        hidden = _plain(self.hidden)
        sizes = hidden if isinstance(hidden, list) else [hidden]
        specs = [{"type": "dense", "units": size} for size in sizes]
        between: list[Layer] = [_choice(Activation, self.activation, "/activation")]
        rate = from_json(float, _plain(self.dropout), "/dropout")
        if rate:
            between.append(from_json(Layer, {"type": "dropout", "rate": rate}, "/dropout"))
        return [
            layer
            for dense in from_json(tuple[Layer, ...], specs, "/hidden")
            for layer in (dense, *between)
        ]

    def _split(self, examples: Examples, random: Any) -> tuple[Examples, Examples]:
        """Return the rows to train on and those held out, which are none without early stopping."""
        X, labels = examples
        if not self._stops_early():
            return examples, Examples(X[:0], labels[:0])
        X, X_out, labels, labels_out = train_test_split(
            X, labels, test_size=self.validation_fraction, stratify=labels, random_state=random
        )
        return Examples(X, labels), Examples(X_out, labels_out)


def _train(
    network: Network, train: Examples, held_out: Examples, recipe: Recipe, rng: np.random.Generator
) -> list[float]:
    """Train `network` in place; return the mean loss of each epoch."""
    losses: list[float] = []

    def on_epoch(stats: EpochStats) -> None:
        losses.append(stats.loss)

    try:
        fit(network, train, held_out, recipe, rng=rng, scaler=unscaled, on_epoch=on_epoch)
    except NonFiniteLossError:
        raise ValueError(
            f"After {len(losses)} whole epochs the loss or the weights became infinite or NaN. "
            "Scale the features (a StandardScaler in a Pipeline), or try a smaller learning_rate."
        ) from None
    return losses


def _choice(base: type[Named], value: object, pointer: str) -> Any:
    """Return `value`, or what it names."""
    if isinstance(value, (base, *base.names.values())):
        return value
    return from_json(base, value, pointer)


def _plain(value: object) -> Any:
    """Return numbers and sequences as JSON has them: searches draw their candidates from NumPy.

    It matters beyond the checks: ``np.float64`` times a float32 array is a float64 array.
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
